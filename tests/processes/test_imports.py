"""A web worker that receives notifications imports only few modules."""

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
    """Return all modules that a new Python imports for these apps and this URL conf."""
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", START.format(apps=apps, urls=urls)],
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.rsplit("|", 1)[1].strip() for line in run.stderr.splitlines() if line.startswith("import time:")}


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """Return the modules that receiving imports, besides those of an empty Django project."""
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


# The packages that the read API needs, and the errors without them.

WITHOUT = """
import sys
sys.modules |= dict.fromkeys({packages})
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_hoiio"],
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    USE_TZ=True,
    SECRET_KEY="tests",
    ROOT_URLCONF={urls!r},
    SILENCED_SYSTEM_CHECKS=["django_hoiio.W015"],
)
django.setup()
from django.core.management import call_command
call_command("check")
call_command("migrate", verbosity=0)
import {urls}
print("fine")
"""


NEEDED = (
    "django.core.exceptions.ImproperlyConfigured: django_hoiio.api needs Django REST framework and django-filter:"
    " pip install djangorestframework django-filter"
)


def _without(packages: list[str], urls: str) -> tuple[str, str]:
    """Return the output of a project without some packages, and the last line of its error."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT.format(packages=packages, urls=urls)],
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout, (run.stderr.splitlines() or [""])[-1]


def test_app_works_without_the_packages_of_the_api() -> None:
    packages = ["rest_framework", "django_filters", "drf_spectacular"]

    assert _without(packages, "django_hoiio.urls") == ("System check identified no issues (0 silenced).\nfine\n", "")


@pytest.mark.parametrize("package", ["rest_framework", "django_filters"])
def test_api_names_the_packages_to_install(package: str) -> None:
    assert _without([package], "django_hoiio.api.urls") == ("", NEEDED)


def test_api_does_without_a_schema() -> None:
    printed, error = _without(["drf_spectacular"], "django_hoiio.api.urls")

    assert (printed.splitlines()[-1:], error) == (["fine"], "")
