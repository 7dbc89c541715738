"""The project of docs/guides/testing.rst: its tests pass, and find each fault that is made in it."""

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
SECRET_KEY = "x"
USE_TZ = True
TIME_ZONE = "Asia/Singapore"
ROOT_URLCONF = "urls"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}
INSTALLED_APPS = ["django_hoiio", "shop.apps.ShopConfig"]
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
        from . import receivers
"""
# What is changed in the receivers, by the name of the fault.
FAULTS = {
    "receiver not connected": ("@receiver(sms_received)\n", ""),
    "raises": ("if sms.msg !=", "if sms.text !="),
    "wrong number": ("dest=order.number", "dest=sms.to_number"),
    "answers twice": ("client.sms.send(", "client.sms.send(dest=order.number, msg='Hello.') and client.sms.send("),
    "ignores a failure": ('needs_call=sms.sms_status == "failed"', "needs_call=False"),
    "crosses two callers": ("number=call.from_number", "number=globals().setdefault('caller', call.from_number)"),
    "loses the recording on hang-up": (
        "    Voicemail.objects.create(",
        '    if notification.params["call_state"] == "ended":\n        return\n    Voicemail.objects.create(',
    ),
    "no answer to silence": ('client.ivr.hangup(session=notification.session, msg="Goodbye.")', "pass"),
    "wrong currency": ("{sms.currency}", "USD"),
    "wrong time zone": ("localtime(notification.received_at).hour", "notification.received_at.hour"),
    "not idempotent": ("if is_new:", "if order:"),
    "sends without notify_url": ('pass_on={"order": order.pk}', "notify=False"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "shop").mkdir()
    files = {"settings.py": SETTINGS, "urls.py": URLS, "shop/__init__.py": "", "shop/apps.py": APPS}
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

    assert (code, re.sub(r" in .*", "", printed.splitlines()[-1])) == (0, "13 passed"), printed


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found(project: Path, fault: str) -> None:
    receivers = project / "shop/receivers.py"
    whole = receivers.read_text(encoding="utf-8")
    before, after = FAULTS[fault]
    assert whole.count(before) >= 1
    receivers.write_text(whole.replace(before, after, 1), encoding="utf-8")
    try:
        code, printed = run(project)
    finally:
        receivers.write_text(whole, encoding="utf-8")

    assert code == 1, printed
    assert "FAILED" in printed
