"""The reference has every name of the code, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module

from django_hoiio import signals
from django_hoiio.enums import BLOCKS, Kind
from django_hoiio.models import Notification
from django_hoiio.parsing.parameters import PARAMETERS
from tests import ROOT
from tests.documents import column, literal_texts
from tests.test_public_api import MODULES

REFERENCE = ROOT / "docs/reference"


def test_kinds_page_names_every_kind_and_parameter() -> None:
    literals = set(re.findall(r"\w+", " ".join(literal_texts(REFERENCE / "kinds.rst"))))
    kinds = {kind.value.removeprefix("ivr_") for kind in BLOCKS.values()} | {
        kind.value for kind in Kind if kind not in BLOCKS.values()
    }

    assert (kinds | PARAMETERS.keys()) - literals == set()


def test_reference_has_every_public_name_and_no_other() -> None:
    assert sorted(_documented()) == sorted(
        f"django_hoiio.{module}.{name}"
        for module in MODULES
        for name in import_module(f"django_hoiio.{module}").__all__
    )


def _documented() -> Iterator[str]:
    """Yield the names that the reference takes from the code."""
    for page in REFERENCE.glob("*.rst"):
        for kind, name in re.findall(r"^\.\. auto(\w+):: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            yield from (f"{name}.{each}" for each in import_module(name).__all__) if kind == "module" else [name]


def test_public_names_have_a_description() -> None:
    values = {"Started", *signals.__all__}
    public = [(import_module(f"django_hoiio.{module}"), name) for module in MODULES for name in _names(module)]

    assert [name for module, name in public if name not in values and not getattr(module, name).__doc__] == []


def _names(module: str) -> list[str]:
    return list(import_module(f"django_hoiio.{module}").__all__)


def test_commands_page_has_every_command() -> None:
    page = (REFERENCE / "commands.rst").read_text(encoding="utf-8")
    commands = {path.stem for path in ROOT.glob("django_hoiio/management/commands/hoiio_*.py")}

    assert set(re.findall(r"^\.\. manage-command:: (\w+)$", page, re.MULTILINE)) == commands


def test_permissions_page_has_every_permission() -> None:
    permissions = [f"django_hoiio.{codename}" for codename, _ in Notification._meta.permissions]

    assert column(REFERENCE / "permissions.rst", "permission") == permissions
