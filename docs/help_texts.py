"""Directives that take the reference of models and commands from their help texts."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.management import BaseCommand, load_command_class
from docutils.nodes import Node
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from django_hoiio import models


class Fields(SphinxDirective):
    """The fields of a model: `.. fields:: Call`. With `:without:`, leave out those of its base class."""

    required_arguments = 1
    option_spec: ClassVar[Any] = {"without": str}

    def run(self) -> list[Node]:
        fields = list(getattr(models, self.arguments[0])._meta.local_fields)
        if "without" in self.options:
            fields = [each for each in fields if not _has(getattr(models, self.options["without"]), each.name)]
        rows = [(each.name, each.help_text) for each in fields if each.name != "id"]
        lines = [".. list-table::", "   :widths: 25 75", ""]
        for name, text in rows:
            lines += [f"   * - ``{name}``", f"     - {text}"]
        return self.parse_text_to_nodes("\n".join(lines))


def _has(model: Any, name: str) -> bool:
    return any(name == each.name for each in model._meta.get_fields())


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
