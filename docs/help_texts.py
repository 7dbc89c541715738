"""Directives that take the reference of models and commands from their help texts."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.management import BaseCommand, load_command_class
from docutils.nodes import Node
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from django_hoiio import models


class Fields(SphinxDirective):
    """The fields of a model: `.. fields:: Call`. `:without: Transaction` leaves out those of this base class."""

    required_arguments = 1
    option_spec: ClassVar[Any] = {"without": str}

    def run(self) -> list[Node]:
        base = self.options.get("without")
        known = {"id", *(each.name for each in _fields(base))} if base else {"id"}
        lines = [".. list-table::", "   :widths: 25 75", ""]
        for field in _fields(self.arguments[0]):
            if field.name not in known:
                lines += [f"   * - ``{field.name}``", f"     - {field.help_text}"]
        return self.parse_text_to_nodes("\n".join(lines))


def _fields(model: str) -> list[Any]:
    return list(getattr(models, model)._meta.local_fields)


class ManageCommand(SphinxDirective):
    """The help and the options of a command: `.. manage-command:: hoiio_urls`."""

    required_arguments = 1

    def run(self) -> list[Node]:
        command: BaseCommand = load_command_class("django_hoiio", self.arguments[0])
        of_django = {each.dest for each in BaseCommand().create_parser("", "")._actions}
        lines = [command.help, ""]
        for each in command.create_parser("", "")._actions:
            if each.dest not in of_django:
                value = each.metavar or (each.dest.upper() if each.nargs != 0 else "")
                lines += [f"``{' '.join([*each.option_strings, *filter(None, [value])])}``", f"    {each.help}"]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> None:
    app.add_directive("fields", Fields)
    app.add_directive("manage-command", ManageCommand)
