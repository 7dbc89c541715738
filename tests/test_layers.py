"""The layers of docs/project/architecture.rst: a module imports only from modules above it, at the top of the file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import django_hoiio
from tests.documents import column

PACKAGE = Path(django_hoiio.__file__).parent
LAYERS = column(PACKAGE.parent / "docs/project/architecture.rst", "module")
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts and path.parent != PACKAGE)
FILES += sorted(path for path in PACKAGE.glob("*.py") if path.name != "__init__.py")

# Imports inside a function, each with its reason.
LATE_IMPORTS = {
    "ingest/__init__.py": {"tasks": "Django 5.2 has no tasks without django-tasks."},
    "checks/deployment.py": {
        "tasks": "Django 5.2 has no tasks without django-tasks.",
        "rest_framework": "REST framework is optional.",
    },
    "admin/actions.py": {"reconciliation": "The client needs requests, which is optional."},
    "checks/settings.py": {"ivr": "The flows need requests, which is optional."},
    "apps.py": {"ivr": "The flows need requests, which is optional, and the models."},
    "pytest_plugin.py": {"testing": "The models need Django's settings, which pytest-django sets up later."},
    "management/commands/hoiio_recover.py": {"ivr": "The flows need requests, which is optional."},
    "management/commands/hoiio_reconcile.py": {"reconciliation": "The client needs requests, which is optional."},
    "management/commands/hoiio_urls.py": dict.fromkeys(
        ("client", "ivr"), "The client needs requests, which is optional."
    ),
    "models/transactions.py": {"client": "The client needs requests, which is optional."},
    "templatetags/hoiio_dashboard.py": {"admin": "Django imports every tag library, also without the admin."},
}


# Imports upwards, late or for annotations, each with its reason.
UPWARDS = {("models", "client"): "The shortcuts notification.client() and sms.reply()."}


class Import(NamedTuple):
    module: str
    line: int
    is_late: bool

    @property
    def layer(self) -> str:
        """The module of the table, or the name of another package."""
        first, _, rest = self.module.partition(".")
        return rest.partition(".")[0] if first == "django_hoiio" else first


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path) for path in FILES} | {"django_hoiio"}


@cache
def imports_of(path: Path) -> list[Import]:
    """All imports of a file, also those in functions and under TYPE_CHECKING."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    late = {id(inner) for function in functions for inner in ast.walk(function)}
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    return [
        Import(module, node.lineno, id(node) in late)  # type: ignore[attr-defined]
        for node in ast.walk(tree)
        for module in _modules_of(node, package)
    ]


def _modules_of(node: ast.AST, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        parents = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*parents, *filter(None, [base])])
    # A module of a package is imported by its own name.
    return [f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base for alias in node.names]


def test_modules_import_only_from_modules_above_them() -> None:
    climbing = [
        (name_of(path), each)
        for path in FILES
        for own in [name_of(path).split(".")[1]]
        for each in imports_of(path)
        if each.module.startswith("django_hoiio.") and each.layer != own
        if LAYERS.index(each.layer) >= LAYERS.index(own) and (own, each.layer) not in UPWARDS
    ]

    assert climbing == []


def test_imports_inside_a_function_have_a_reason() -> None:
    late = {
        path.relative_to(PACKAGE).as_posix(): {each.layer for each in imports_of(path) if each.is_late}
        for path in FILES
    }

    assert {name: layers for name, layers in late.items() if layers} == {
        name: reasons.keys() for name, reasons in LATE_IMPORTS.items()
    }


def test_no_module_of_the_package_is_loaded_from_a_string() -> None:
    loaded = r"""(import_module|import_string|__import__)\(\s*f?["']django_hoiio"""

    assert [path for path in FILES if re.search(loaded, path.read_text(encoding="utf-8"))] == []


def test_no_modules_import_one_another_in_a_circle() -> None:
    graph = {name_of(path): set(_modules_below(path)) & MODULES for path in FILES}
    # A package's own `__init__` is imported with each of its modules.
    circles = [(module, other) for module in graph for other in graph[module] if _leads(other, module, graph)]

    assert circles == []


def _modules_below(path: Path) -> Iterator[str]:
    own = path.relative_to(PACKAGE).parts[0]
    return (each.module for each in imports_of(path) if (own, each.layer) not in UPWARDS)


def _leads(start: str, end: str, graph: dict[str, set[str]]) -> bool:
    seen, waiting = {start}, [start]
    while waiting:
        module = waiting.pop()
        if module == end:
            return True
        new = graph.get(module, set()) - seen
        seen |= new
        waiting += new
    return False


def test_no_file_has_a_meaningless_name() -> None:
    nameless = {"utils", "helpers", "common", "base", "misc"}

    assert [path for path in FILES if path.stem in nameless] == []


def test_table_names_every_module_once() -> None:
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - {"migrations"}

    assert sorted(LAYERS) == sorted(files | packages)
