"""The project of docs/guides/testing.rst, with the menu of docs/guides/menus.rst: its tests pass, and find each fault that is made in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.documents import code_of

SETTINGS = """
import django

SECRET_KEY = "x"
USE_TZ = True
TIME_ZONE = "Asia/Singapore"
ROOT_URLCONF = "urls"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}
INSTALLED_APPS = ["django_hoiio", "shop.apps.ShopConfig"]
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
"""
URLS = """
from django.urls import include, path

urlpatterns = [path("hoiio/", include("django_hoiio.urls"))]
"""
APPS = """
from django.apps import AppConfig

class ShopConfig(AppConfig):
    name = "shop"

    def ready(self):
        from . import flows, receivers
"""
# What is changed in a file, by the name of the fault.
FAULTS = {
    "receiver not connected": ("receivers", "@receiver(sms_received)\n", ""),
    "raises": ("receivers", "if sms.msg !=", "if sms.text !="),
    "wrong number": ("receivers", "dest=order.number", "dest=sms.to_number"),
    "answers twice": (
        "receivers",
        "client.sms.send(",
        "client.sms.send(dest=order.number, msg='Hello.') and client.sms.send(",
    ),
    "ignores a failure": ("receivers", 'needs_call=sms.sms_status == "failed"', "needs_call=False"),
    "wrong currency": ("receivers", "{sms.currency}", "USD"),
    "not idempotent": ("receivers", "if is_new:", "if order:"),
    "sends without notify_url": ("receivers", 'pass_on={"order": order.pk}', "notify=False"),
    "crosses two callers": ("flows", "call.from_number)", "globals().setdefault('caller', call.from_number))"),
    "no answer to silence": ("flows", 'await call.hang_up("Goodbye.")', "pass"),
    "wrong time zone": ("flows", "localtime(call.now).hour", "call.now.hour"),
    "menu without a number": ("flows", '@ivr.flow(numbers=["+6531234567"])', "@ivr.flow"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "shop").mkdir()
    files = {"settings.py": SETTINGS, "urls.py": URLS, "shop/__init__.py": "", "shop/apps.py": APPS}
    (flows,) = [code for code in code_of(ROOT / "docs/guides/menus.rst") if code.startswith("# switchboard/flows.py")]
    files["shop/flows.py"] = flows
    for code in code_of(ROOT / "docs/guides/testing.rst"):
        path = re.match(r"# (\S+\.py)\n", code)
        assert path, code
        files[path[1]] = code
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def run(project: Path) -> tuple[int, str]:
    options = ["-q", "-p", "no:cacheprovider", "-p", "django_hoiio.pytest_plugin", "--tb=line"]
    files = ["-o", "python_files=test_*.py tests.py", "--ds", "settings"]
    environment = {**os.environ, "PYTHONPATH": f"{project}:{ROOT}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-B", "-m", "pytest", "-p", "pytest_django.plugin", *options, *files]
    done = subprocess.run(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout


def test_tests_of_the_page_pass(project: Path) -> None:
    code, printed = run(project)

    assert (code, re.sub(r" in .*", "", printed.splitlines()[-1])) == (0, "11 passed"), printed


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found(project: Path, fault: str) -> None:
    name, before, after = FAULTS[fault]
    file = project / f"shop/{name}.py"
    whole = file.read_text(encoding="utf-8")
    assert whole.count(before) >= 1
    file.write_text(whole.replace(before, after, 1), encoding="utf-8")
    try:
        code, printed = run(project)
    finally:
        file.write_text(whole, encoding="utf-8")

    assert code == 1, printed
    assert "FAILED" in printed
