"""The settings of docs/guides/tasks.rst: `check` accepts each queue, and finds how it is called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import django
import pytest

from tests import ROOT
from tests.documents import code_of

from .test_workers import needs_celery, needs_rq

DISPATCH, DATABASE, RQ, CELERY = code_of(ROOT / "docs/guides/tasks.rst")

SETTINGS = f"""
SECRET_KEY = "x"
USE_TZ = True
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}}
INSTALLED_APPS = {["django_hoiio"] if django.VERSION >= (6,) else ["django_hoiio", "django_tasks"]}
"""
CHECK = """
import django
django.setup()
from django.core.checks import run_checks
print(*[each.id for each in run_checks() if str(each.id).startswith("django_hoiio")])
"""


@pytest.mark.parametrize(
    ("queue", "found"),
    [
        pytest.param(DATABASE, "django_hoiio.I002", id="database"),
        pytest.param(RQ, "django_hoiio.I001", id="rq", marks=needs_rq),
        pytest.param(CELERY, "django_hoiio.I001", id="celery", marks=needs_celery),
    ],
)
def test_queue_is_accepted(queue: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(f"{SETTINGS}\n{DISPATCH}\n{queue}", encoding="utf-8")
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": f"{tmp_path}:{ROOT}"}

    ran = subprocess.run([sys.executable, "-c", CHECK], env=environment, check=False, capture_output=True, text=True)

    assert ran.stdout.split() == [found], ran.stderr
