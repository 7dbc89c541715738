"""The receiving side stays light: what a web worker imports to take notifications, seen from outside."""

from __future__ import annotations

import subprocess
import sys

import pytest

START = """
import django
from django.conf import settings
settings.configure(INSTALLED_APPS={apps}, DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3"}}}}, USE_TZ=True)
django.setup()
import django.db.backends.sqlite3.base, {urls}
"""
# Parts of the app for other work.
NOT_NEEDED = {
    "admin",
    "api",
    "client",
    "ivr",
    "management",
    "recovery",
    "reconciliation",
    "sandbox",
    "tasks",
    "templatetags",
    "testing",
}


def _imports(apps: list[str], urls: str) -> set[str]:
    """Every module that an empty Python imports to have these apps and this URL conf."""
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", START.format(apps=apps, urls=urls)],
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.rsplit("|", 1)[1].strip() for line in run.stderr.splitlines() if line.startswith("import time:")}


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """What receiving imports, beyond what an empty Django project does."""
    return _imports(["django_hoiio"], "django_hoiio.urls") - _imports([], "django.urls")


def test_receiving_imports_nothing_beside_django(imported: set[str]) -> None:
    top_level = {name.split(".")[0] for name in imported}

    assert top_level - set(sys.stdlib_module_names) <= {"django", "django_hoiio"}


def test_receiving_imports_no_part_of_the_app_for_other_work(imported: set[str]) -> None:
    parts = {name.split(".")[1] for name in imported if name.startswith("django_hoiio.")}

    assert "views" in parts
    assert parts & NOT_NEEDED == set()


def test_tags_of_the_templates_need_no_admin() -> None:
    imported = _imports(["django_hoiio"], "django_hoiio.templatetags.hoiio_dashboard")

    assert {name for name in imported if name.startswith(("django_hoiio.admin", "django.contrib.admin"))} == set()
