"""Every public module defines __all__."""

from __future__ import annotations

import re
from importlib import import_module
from types import ModuleType

import pytest

import django_hoiio
from tests import ROOT

MODULES = (
    "admin",
    "api.permissions",
    "api.views",
    "client",
    "client.responses",
    "enums",
    "exceptions",
    "ivr",
    "masking",
    "models",
    "notify_urls",
    "reconciliation",
    "recovery",
    "retention",
    "retention.forgetting",
    "retention.totals",
    "signals",
    "testing",
    "views",
)


@pytest.fixture(params=MODULES)
def module(request: pytest.FixtureRequest) -> ModuleType:
    return import_module(f"django_hoiio.{request.param}")


def test_public_names_exist_and_are_sorted(module: ModuleType) -> None:
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    assert module.__all__ == sorted(set(module.__all__), key=_order)


def _order(name: str) -> tuple[int, str]:
    """Constants first, then classes, then functions."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def test_version_is_that_of_the_newest_entry_of_the_changelog() -> None:
    versions = re.findall(r"^(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.rst").read_text(encoding="utf-8"), re.MULTILINE)

    assert django_hoiio.__version__ == versions[0]
