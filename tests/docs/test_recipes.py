"""Run the recipes of docs/recipes in projects of their own: the tests on the pages pass, and those that they have no room for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.documents import code_of

PAGES = sorted((ROOT / "docs/recipes").glob("*.rst"))
MORE = Path(__file__).parent / "recipes"

SETTINGS = """
SECRET_KEY = "x"
USE_TZ = True
ROOT_URLCONF = "urls"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "django_hoiio", "switchboard.apps.SwitchboardConfig"
]
"""
URLS = """
from django.urls import include, path

urlpatterns = [path("hoiio/", include("django_hoiio.urls"))]
"""
APPS = """
from importlib import import_module
from importlib.util import find_spec

from django.apps import AppConfig

class SwitchboardConfig(AppConfig):
    name = "switchboard"

    def ready(self):
        for name in ("flows", "receivers"):
            if find_spec(f"switchboard.{name}"):
                import_module(f"switchboard.{name}")
"""


def files(page: Path) -> dict[str, str]:
    """Return the code of a page by path, which is the first line of each block."""
    paths = {re.match(r"# (switchboard/\w+\.py)\n", code): code for code in code_of(page)}
    return {match[1]: code for match, code in paths.items() if match}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_recipe_passes_its_tests(page: Path, tmp_path: Path) -> None:
    project = {"settings.py": SETTINGS, "urls.py": URLS, "switchboard/__init__.py": "", "switchboard/apps.py": APPS}
    more = MORE / f"{page.stem.replace('-', '_')}.py"
    if more.exists():
        project["switchboard/test_more.py"] = more.read_text(encoding="utf-8")
    assert len(files(page)) == len(code_of(page)) >= 2
    for name, text in {**project, **files(page)}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    plugins = ["-p", "pytest_django.plugin", "-p", "django_hoiio.pytest_plugin", "-p", "no:cacheprovider"]
    options = ["-q", "--tb=short", "--nomigrations", "--ds", "settings", "switchboard"]

    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", *plugins, *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
