"""The test kit in projects: that of docs/guides/testing.rst, whose tests find each fault, and one with two databases.

The first one has the menu of docs/guides/menus.rst.
"""

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
        from . import receivers
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
    apps = APPS.replace("receivers", "flows, receivers")
    files = {"settings.py": SETTINGS, "urls.py": URLS, "shop/__init__.py": "", "shop/apps.py": apps}
    (flows,) = [code for code in code_of(ROOT / "docs/guides/menus.rst") if code.startswith("# switchboard/flows.py")]
    files["shop/flows.py"] = flows
    for code in code_of(ROOT / "docs/guides/testing.rst"):
        path = re.match(r"# (\S+\.py)\n", code)
        assert path, code
        files[path[1]] = code
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def run(project: Path, *options: str) -> tuple[int, str]:
    files = ["-o", "python_files=test_*.py tests.py", "--ds", "settings"]
    environment = {**os.environ, "PYTHONPATH": f"{project}:{ROOT}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    plugins = ["-p", "pytest_django.plugin", "-p", "django_hoiio.pytest_plugin", *options]
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", *plugins, *files]
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


# Calls and SMS are in a database of their own.
TWO_DATABASES = """
DATABASES["calls"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": "calls.sqlite3", "TEST": {"NAME": "t.sqlite3"}}
DATABASES["default"]["TEST"] = {"NAME": "d.sqlite3"}
DATABASE_ROUTERS = ["routers.Router"]
INSTALLED_APPS += ["django.contrib.contenttypes", "django.contrib.auth"]
"""
ROUTERS = """
class Router:
    def db_for_read(self, model, **hints):
        return "calls" if model._meta.app_label == "django_hoiio" else "default"

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, **hints):
        return db == ("calls" if app_label == "django_hoiio" else "default")
"""
SHOP_RECEIVERS = """
from django.contrib.auth.models import Group
from django.db import transaction
from django.dispatch import receiver
from django_hoiio.signals import sms_received

mailed = []

@receiver(sms_received)
def store(sms, **kwargs):
    with transaction.atomic():
        Group.objects.create(name=sms.msg)
        transaction.on_commit(lambda: mailed.append(sms.msg))
    transaction.on_commit(lambda: mailed.append(f"{sms.msg} in calls"), using="calls")
    sms.reply("Thank you.")
"""
TESTS = """
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django_hoiio.models import Sms
from shop.receivers import mailed

BOTH = ["default", "calls"]

@pytest.fixture(autouse=True)
def _unmailed():
    mailed.clear()

@pytest.mark.django_db(databases=BOTH)
def test_in_transactions(hoiio):
    hoiio.sms("one")
    assert (Group.objects.get().name, Sms.objects.using("calls").count()) == ("one", 2)
    assert (sorted(mailed), hoiio.sent[-1].msg) == (["one", "one in calls"], "Thank you.")

@pytest.mark.django_db(databases=BOTH, transaction=True)
def test_with_commits(hoiio):
    hoiio.sms("two")
    assert (Group.objects.get().name, mailed) == ("two", ["two", "two in calls"])

@pytest.mark.asyncio
@pytest.mark.django_db(databases=BOTH, transaction=True)
async def test_in_a_coroutine(hoiio):
    await sync_to_async(hoiio.sms)("three")
    assert [each.msg async for each in Sms.objects.filter(direction="incoming")] == ["three"]
    assert ((await Group.objects.aget()).name, mailed) == ("three", ["three", "three in calls"])
    with pytest.raises(AssertionError, match="sync_to_async"):
        hoiio.sms("four")
"""


def test_kit_works_with_two_databases_and_in_coroutines_of_pytest(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    files = {"settings.py": SETTINGS + TWO_DATABASES, "urls.py": URLS, "routers.py": ROUTERS, "test_shop.py": TESTS}
    shop = {"shop/__init__.py": "", "shop/apps.py": APPS, "shop/receivers.py": SHOP_RECEIVERS}
    for name, text in (files | shop).items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    code, printed = run(tmp_path, "-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function")

    assert (code, re.sub(r" in .*", "", printed.splitlines()[-1])) == (0, "3 passed"), printed
