from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docutils.nodes
import docutils.utils
import pytest

from django_hoiio.conf import SETTINGS, conf
from django_hoiio.enums import Route
from tests import ROOT
from tests.documents import code_of, column, follow, make_project, read, section_titles

PAGES = sorted([*ROOT.glob("*.rst"), *ROOT.glob("docs/**/*.rst"), *ROOT.glob("example_project/*.rst")])

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


# Every page.


@every_page
def test_page_parses_without_a_warning(page: Path) -> None:
    assert section_titles(page) != []


@every_page
def test_links_lead_to_files_that_exist(page: Path) -> None:
    links = [node["refuri"] for node in read(page).findall(docutils.nodes.reference) if "refuri" in node]

    assert [link for link in links if not urlsplit(link).scheme and not (page.parent / link).exists()] == []


@every_page
def test_python_code_compiles_and_what_it_imports_is_there(page: Path) -> None:
    for code in code_of(page):
        for node in ast.walk(ast.parse(code, str(page))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                assert [alias.name for alias in node.names if not _is_there(str(node.module), alias.name)] == []


def _is_there(module: str, name: str) -> bool:
    return hasattr(import_module(module), name) or find_spec(f"{module}.{name}") is not None


def test_no_table_row_continues_the_row_above() -> None:
    tables = [table for page in PAGES for table in read(page).findall(docutils.nodes.table)]
    rows = [[cell.astext() for cell in row] for table in tables for row in table.findall(docutils.nodes.row)]

    assert [row[0] for row in rows if not row[-1]] == []


# Names of the code in the pages.


def test_settings_page_has_every_key_and_no_other() -> None:
    keys = [title for title in section_titles(ROOT / "docs/reference/settings.rst") if title.isupper()]

    assert keys == list(SETTINGS)


def test_settings_page_gives_each_default(settings: Any) -> None:
    fields = read(ROOT / "docs/reference/settings.rst").findall(docutils.nodes.field)
    bodies = [field[1].astext() for field in fields if field[0].astext() == "Default"]

    settings.HOIIO = {}
    # Named after the settings that provide them, because the values are secret.
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "SECRET_KEY", ["SECRET_KEY_FALLBACKS"]
    assert bodies == [repr(getattr(conf, key)) for key in SETTINGS]


def test_checks_page_has_every_check_and_no_other() -> None:
    page = read(ROOT / "docs/reference/checks.rst")
    ids = [target.astext() for target in page.findall(docutils.nodes.target)]
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "django_hoiio").rglob("*.py"))

    assert sorted(ids) == sorted(set(re.findall(r'id="(django_hoiio\.[EIW]\d{3})"', source)))


def test_setup_page_has_every_url() -> None:
    assert set(column(ROOT / "docs/start/setup.rst", "URL")) == {"/hoiio/", *(f"/hoiio/{route}/" for route in Route)}


# The commands of the README.


@pytest.mark.parametrize(("words", "call"), [("pytest -n 2", 'tests "pytest -n 2"'), ("demo", "demo demo --once")])
def test_ci_runs_the_command_of_the_readme(words: str, call: str) -> None:
    readme = (ROOT / "README.rst").read_text(encoding="utf-8")
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")

    # The pattern by which `.ci/run` finds it.
    assert len(re.findall(rf"^    (python3 -m venv .* {words})$", readme, re.MULTILINE)) == 1
    assert f"readme_command {call}\n" in ci


# The steps of the README, of the set-up and of the quickstart, run verbatim.

SENT = "txn_ref=AA-SI-85&from=%2B16201234567&to=%2B16501234567&msg=hoiio+world"
PLAY = """
import django
from urllib.parse import urlsplit
from django.core.management import call_command
from django.test import Client
from django_hoiio.notify_urls import notify_url

django.setup()
call_command("check", fail_level="WARNING")
call_command("migrate", verbosity=0)
client = Client(SERVER_NAME="127.0.0.1")
answer = client.post(urlsplit(notify_url("sms")).path, SENT, content_type="application/x-www-form-urlencoded")
assert answer.status_code == 200, answer
answer = client.get("/admin/django_hoiio/notification/")
assert answer.status_code == 302, answer
"""


@pytest.mark.parametrize("page", ["README.rst", "docs/start/setup.rst"])
def test_project_of_the_steps_receives_a_notification(page: str, tmp_path: Path) -> None:
    run = make_project(page, tmp_path)

    printed = run("-c", f"SENT = {SENT!r}\n{PLAY}")

    assert printed[-1] == "+16201234567 wrote 'hoiio world'"


TRIGGER = """
import django
from django.core.management import call_command
from example_project.demo.server import serving

django.setup()
call_command("migrate", verbosity=0)
with serving() as address:
    call_command(*COMMAND.split(), "--url", address)
"""


@pytest.mark.parametrize("page", ["README.rst", "docs/start/setup.rst"])
def test_first_visible_result_of_the_steps(page: str, tmp_path: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    (command,) = re.findall(
        r"^    python manage.py (hoiio_trigger \w+) --url http://127.0.0.1:8000$", text, re.MULTILINE
    )
    run = make_project(page, tmp_path)

    printed = run("-c", f"COMMAND = {command!r}\n{TRIGGER}")

    assert re.search(r" wrote '", printed[0])
    assert printed[-1] == "1 notification sent and answered with 200."


RECEIVE = """
import django
from django.core.management import call_command

django.setup()
call_command("migrate", verbosity=0)
from django_hoiio.testing import Hoiio
from switchboard import orders
with Hoiio() as hoiio:
    for kind in ("fax_received", "call_ended", "ivr_ended"):
        hoiio.post(kind)
    orders.remind(7, "+6591234567")
    hoiio.wait()
    hoiio.sent[-1].deliver()
"""


def test_receivers_of_the_guide_run(tmp_path: Path) -> None:
    run = make_project("docs/start/quickstart.rst", tmp_path)
    follow("docs/guides/receiving.rst", tmp_path)

    assert run("-c", RECEIVE) == [
        "A fax from +6511111111 to +6533333333",
        "+6511111111 and +6522222222 spoke for 2 minutes",
        "+6511111111: answered",
        "The SMS to +6591234567 is delivered",
        "Order 7: delivered",
    ]


DEPLOYED = """
DEBUG = False
ALLOWED_HOSTS = ["my.example.com"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware", *MIDDLEWARE]
SECURE_SSL_REDIRECT = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATABASES["default"]["CONN_MAX_AGE"] = None
HOIIO["ACCOUNTS"] = {"default": {"APP_ID": "a", "ACCESS_TOKEN": "t"}}
HOIIO["SPOOL_DIR"] = "spool"
"""
CHECK = """
import django
from django.core.checks import run_checks

django.setup()
print(*[each for each in run_checks(include_deployment_checks=True, databases=["default"]) if "hoiio" in each.id])
"""


def test_project_of_the_readme_passes_the_checks_of_deployment(tmp_path: Path) -> None:
    run = make_project("README.rst", tmp_path)
    with (tmp_path / "mysite/settings.py").open("a", encoding="utf-8") as file:
        file.write(DEPLOYED)

    assert run("-c", CHECK) == [""]


TEXT = """
import django
django.setup()
from django.core.management import call_command
from example_project.demo.server import serving
from example_project.demo.telephone import Telephone, settle

call_command("check", fail_level="WARNING")
call_command("migrate", verbosity=0)
with serving() as address, Telephone(f"{address}/sandbox/") as telephone:
    telephone.do("text", to="+6531234567", msg="Hello")
    settle()
    print(*telephone.news())
"""


def test_project_of_the_quickstart_answers_a_text(tmp_path: Path) -> None:
    run = make_project("docs/start/quickstart.rst", tmp_path)

    *printed, answer = run("-c", TEXT)[-4:]

    assert answer == "Thank you. We call you back."
    assert "\n".join(printed) in [
        block.astext() for block in read(ROOT / "docs/start/quickstart.rst").findall(docutils.nodes.literal_block)
    ]


# Send requests with a signed URL and with invalid tokens to a site whose database is unavailable.
REFUSING = """
import sys
import django
from django.conf import settings

namespace = {}
exec(sys.argv[1], namespace)
settings.configure(
    DEBUG=sys.argv[2] == "debug", SECRET_KEY="x", ALLOWED_HOSTS=["*"], USE_TZ=True,
    ROOT_URLCONF="__main__", INSTALLED_APPS=["django_hoiio"], LOGGING=namespace["LOGGING"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/nowhere/at/all.sqlite3"}},
    # Django 5.2 has a name beside each address.
    ADMINS=["admin@example.com"] if django.VERSION >= (6,) else [("admin", "admin@example.com")],
    EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
    HOIIO={"PUBLIC_URL": "https://my.example.com"},
)
django.setup()
from urllib.parse import urlsplit
from django.core import mail
from django.test import Client
from django.urls import include, path as route
from django_hoiio.notify_urls import notify_url

urlpatterns = [route("hoiio/", include("django_hoiio.urls"))]
mail.outbox = []
path = urlsplit(notify_url("sms")).path
client = Client(raise_request_exception=False)
answers = [client.get(path), client.post(path + "forged/"), client.post(path[:-2] + "/"), client.post(path)]
print([answer.status_code for answer in answers], len(mail.outbox))
print(path)
"""


@pytest.mark.parametrize("mode", ["debug", "live"])
def test_logs_set_up_by_the_page_have_no_token(mode: str) -> None:
    (logging,) = (code for code in code_of(ROOT / "docs/guides/deployment.rst") if code.startswith("LOGGING"))

    ran = subprocess.run([sys.executable, "-c", REFUSING, logging, mode], capture_output=True, text=True, check=True)

    answered, path = ran.stdout.splitlines()
    assert answered == "[405, 404, 403, 503] 0"
    assert "/sms/" in ran.stderr
    token = path.split("/")[3]
    assert [part for part in token.split("~") if part in ran.stderr] == []
