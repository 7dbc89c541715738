"""Read the pages of the documentation, and follow their steps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import docutils.core
import docutils.nodes
from docutils.parsers.rst import Directive, directives, roles

from tests import ROOT


class _Ignored(Directive):
    """A directive that only Sphinx knows."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = dict.fromkeys(
        ("caption", "maxdepth", "hidden", "members", "exclude-members", "no-value", "undoc-members", "without"), str
    )

    def run(self) -> list[docutils.nodes.Node]:
        return []


def _text_of(
    name: str, rawtext: str, text: str, lineno: int, inliner: object, **options: object
) -> tuple[list[docutils.nodes.Node], list[docutils.nodes.system_message]]:
    """Read a role that only Sphinx knows as its title or target."""
    return [docutils.nodes.inline(rawtext, re.sub(r"\s*<[^>]*>$", "", text).removeprefix("~"))], []


for _name in (
    "toctree",
    "automodule",
    "autoclass",
    "autofunction",
    "autoexception",
    "fields",
    "glossary",
    "manage-command",
):
    directives.register_directive(_name, _Ignored)
for _name in ("doc", "ref", "class", "exc", "func", "meth", "mod"):
    roles.register_local_role(_name, _text_of)


def read(page: Path) -> docutils.nodes.document:
    """Parse a page; warnings raise."""
    overrides = {"halt_level": 2, "report_level": 2, "syntax_highlight": "none", "input_encoding": "utf-8"}
    return docutils.core.publish_doctree(
        page.read_text(encoding="utf-8"),
        source_path=str(page),
        settings_overrides={**overrides, "warning_stream": False},
    )


def code_of(page: Path, language: str = "python") -> list[str]:
    blocks = read(page).findall(docutils.nodes.literal_block)
    return [block.astext() for block in blocks if language in block["classes"]]


def literal_texts(page: Path) -> list[str]:
    return [node.astext() for node in read(page).findall(docutils.nodes.literal)]


def column(page: Path, heading: str) -> list[str]:
    """Return the cells below a heading, in the first table that has it."""
    for table in read(page).findall(docutils.nodes.table):
        header, *rows = [[cell.astext() for cell in row] for row in table.findall(docutils.nodes.row)]
        if heading in header:
            return [row[header.index(heading)] for row in rows]
    raise LookupError(heading)


def section_titles(page: Path) -> list[str]:
    return [title.astext() for title in read(page).findall(docutils.nodes.title)]


def make_project(page: str, folder: Path) -> Callable[..., list[str]]:
    """Create a project by the steps of a page. Return a function that runs Python there and returns the printed lines."""

    def run(*arguments: str) -> list[str]:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "mysite.settings", "PYTHONPATH": f"{folder}:{ROOT}"}
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.splitlines()

    run("-m", "django", "startproject", "mysite", ".", "--settings", "django.conf.global_settings")
    run("manage.py", "startapp", "switchboard")
    follow(page, folder)
    return run


def follow(page: str, folder: Path) -> None:
    """Write the files of a page into a project, and append the settings."""
    for path, code in _steps(ROOT / page):
        with (folder / path).open("a" if path.endswith("settings.py") else "w", encoding="utf-8") as file:
            file.write(f"\n{code}\n")


def _steps(page: Path) -> Iterator[tuple[str, str]]:
    for code in code_of(page):
        path = re.match(r"# (\S+\.py)\n", code)
        if path:
            yield path[1], code
