"""A file imports only from files that stand below it, at its top."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import django_hoiio

APP = Path(django_hoiio.__file__).parent

# From the ground up; what stands in one tuple may not import one another either, but for what stands before it.
FLOORS = (
    ("kinds", "conf", "signals", "exceptions", "progress"),
    ("parsing", "verification", "notify_urls", "masking", "logs"),
    (
        "models",
        "deadline",
        "database_errors",
        "receivers",
        "paging",
        "veils",
        "searching",
        "recording",
        "spool",
        "retention",
    ),
    ("dispatch", "tasks", "inbox", "recovery", "client", "reconciliation", "ivr"),
    ("checks", "views", "admin", "api", "sandbox", "testing", "management", "templatetags"),
    ("urls", "apps"),
)
ORDER = [name for floor in FLOORS for name in floor]
NAMELESS = {"utils", "helpers", "common", "base", "misc"}

FILES = sorted(path for path in APP.rglob("*.py") if "migrations" not in path.parts and path.parent != APP.parent)


def _subject(path: Path) -> str:
    """The name by which the table of floors knows a file: its own, or that of the package it is in."""
    parts = path.relative_to(APP).with_suffix("").parts
    return parts[0]


def _imports(path: Path) -> list[tuple[int, str]]:
    """The subjects that a file imports, each with its line."""
    package = ("django_hoiio", *path.relative_to(APP).parent.parts)
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            name = ".".join([*base, *([node.module] if node.module else [])])
            names = [name] if node.module else [f"{name}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found += [(node.lineno, name.split(".")[1]) for name in names if name.startswith("django_hoiio.")]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(APP)))
def test_file_imports_only_from_below(path: Path) -> None:
    subject = _subject(path)
    if subject == "__init__":
        assert _imports(path) == []
        return
    assert subject in ORDER, f"{path.name} has no floor"
    climbing = [
        (line, name) for line, name in _imports(path) if name != subject and ORDER.index(name) >= ORDER.index(subject)
    ]
    assert climbing == []


# Django 5.2 has no tasks without django-tasks, so that `tasks` cannot always be imported.
MAY_IMPORT_LATE = {"inbox.py", "checks/tasks.py"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(APP)))
def test_file_imports_at_its_top(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = [
        inner.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert hidden == [] or path.relative_to(APP).as_posix() in MAY_IMPORT_LATE


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [path for path in FILES if path.stem in NAMELESS] == []
