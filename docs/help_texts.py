"""Directives that take the reference of models and commands from their help texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.core.management import BaseCommand, load_command_class
from docutils.nodes import Node
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.rst import escape

from django_hoiio import models


class Fields(SphinxDirective):
    """The fields of a model: `.. fields:: Call`. `:without: Transaction` leaves out those of this base class."""

    required_arguments = 1
    option_spec: ClassVar[Any] = {"without": str}

    def run(self) -> list[Node]:
        base = self.options.get("without")
        known = {"id", *(each.name for each in _fields(base))} if base else {"id"}
        rows = [(each.name, each.help_text) for each in _fields(self.arguments[0]) if each.name not in known]
        return self.parse_text_to_nodes(_table(rows))


def _fields(model: str) -> list[Any]:
    return list(getattr(models, model)._meta.local_fields)


class ManageCommand(SphinxDirective):
    """The help and the options of a command: `.. manage-command:: hoiio_urls`."""

    required_arguments = 1

    def run(self) -> list[Node]:
        command: BaseCommand = load_command_class("django_hoiio", self.arguments[0])
        of_django = {each.dest for each in BaseCommand().create_parser("", "")._actions}
        options = [each for each in command.create_parser("", "")._actions if each.dest not in of_django]
        table = _table((_usage(each), each.help) for each in options)
        return self.parse_text_to_nodes(f"{escape(command.help)}\n\n{table}")


def _usage(option: Any) -> str:
    value = option.metavar or "|".join(option.choices or [option.dest.upper()])
    return " ".join([*option.option_strings, *([] if option.nargs == 0 else [value])])


def _table(rows: Iterable[tuple[str, object]]) -> str:
    lines = [".. list-table::", "   :widths: 30 70", "   :width: 100%", ""]
    for name, text in rows:
        lines += [f"   * - ``{name}``", f"     - {escape(str(text))}"]
    return "\n".join(lines)


def setup(app: Sphinx) -> None:
    app.add_directive("fields", Fields)
    app.add_directive("manage-command", ManageCommand)
