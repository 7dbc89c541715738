"""The example project, run as people run it: in a process of its own, on a database file of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal
from http.cookiejar import CookieJar
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, ProxyHandler, build_opener

import pytest

from django_hoiio.client.responses import CallStatusResponse, SmsStatusResponse
from django_hoiio.models import Call, Notification, ReceiverFailure, Sms
from example_project.demo.checking import Done, Stored, differences
from example_project.management.commands.demo import INTRODUCTION
from tests import ROOT

MANAGE = ROOT / "example_project" / "manage.py"

# Seconds.
TIMEOUT = 60

RECORD = "Speak after the tone, and press # at the end."
GOODBYE = "Thank you, and goodbye."

PLAYED = f"""\
{INTRODUCTION}

> client.sms.send
sms_status        → +6591234567                queued  order=17
sms_status        → +6591234567                delivered  order=17
< Your bicycle is ready.

> client.sms.bulk_send
bulk_sms_status   → +6511111111                success_ok  campaign=7
sms_status        → +6511111111                queued  campaign=7
sms_status        → +6511111111                delivered  campaign=7
bulk_sms_status   → +6522222222                success_ok  campaign=7
sms_status        → +6522222222                queued  campaign=7
sms_status        → +6522222222                delivered  campaign=7
bulk_sms_status   → +6500000500                error_dest_not_supported  campaign=7

> client.voice.call
call_ended        +6511111111 → +6500000200    answered/busy, 0 min, SGD 0.000  lead=4

> client.voice.conference
call_ended        → +6511111111                answered, 1 min, SGD 0.018
call_ended        → +6522222222                answered, 1 min, SGD 0.018

> client.fax.send
fax_status        → +6531234568                answered, 1 min, SGD 0.032  document=5
fax_received      +6591234567 → +6531234568    answered, 1 min, SGD 0.013

> flows.pick_up.dial
ivr_dial          → +6511111111                answered
ivr_hangup        +6511111111                  done
ivr_ended         +6511111111                  1 min, SGD 0.018

> telephone: text +6531234567 Is my bicycle ready?
sms_received      +6591234567 → +6531234567    "Is my bicycle ready?"
sms_status        → +6591234567                queued  answer_to=ID
sms_status        → +6591234567                delivered  answer_to=ID
< Thank you. We call you back.

> telephone: call +6531234567
ivr_answer        +6591234567 → +6531234567    rings
< Welcome to the workshop. MENU

> telephone: press 2
ivr_gather        +6591234567                  pressed 2
< {RECORD}

> telephone: speak The chain came off again.
MAIL
ivr_record        +6591234567                  left a message
ivr_hangup        +6591234567                  done
ivr_ended         +6591234567                  1 min, SGD 0.018
< {GOODBYE}
"""
SUMMARY = """
23 notifications were sent, answered and stored; 12 calls, faxes and SMS are as in Hoiio's history.
"""

# What differs from run to run.
VOLATILE: dict[str, str | Callable[[re.Match[str]], str]] = {
    r"127\.0\.0\.1:\d+": "127.0.0.1:PORT",
    r"answer_to=\d+": "answer_to=ID",
    r"workshop\. .* to leave a message\.": "workshop. MENU",
    r"Content-Type: text/plain(?:.*\n)*?-{79}": "MAIL",
    r"AA-SI-\d+": "AA-SI-ID",
    r"(?i)run \d+": lambda found: f"{found[0][:3]} ID",
}


def environment(directory: Path) -> dict[str, str]:
    """Return an environment with a separate database and module directory, without settings of the test suite."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "example_project.settings",
        "HOIIO_EXAMPLE_DATABASE": str(directory / "example.sqlite3"),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{directory}",
        "PYTHONUTF8": "1",
    }


def finished(directory: Path, command: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=directory,
        env={**environment(directory), **variables},
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT,
        check=False,
    )


def run(directory: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """Run Python in an unrelated directory and return its exit status, output and errors."""
    done = finished(directory, [sys.executable, "-W", "error", *arguments], variables)
    output, errors = done.stdout, done.stderr
    for pattern, shown in VOLATILE.items():
        output, errors = re.sub(pattern, shown, output), re.sub(pattern, shown, errors)
    return done.returncode, output, errors


def manage(directory: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    return run(directory, str(MANAGE), *arguments, **variables)


# The demo, from outside.


def test_demo_once_prints_actions_notifications_and_the_check(tmp_path: Path) -> None:
    assert manage(tmp_path, "demo", "--once") == (0, PLAYED + SUMMARY, "")


def test_demo_once_can_be_repeated_on_the_same_file(tmp_path: Path) -> None:
    manage(tmp_path, "demo", "--once")

    assert manage(tmp_path, "demo", "--once") == (0, PLAYED + SUMMARY, "")


def test_demo_once_prints_question_marks_if_the_encoding_has_no_arrows(tmp_path: Path) -> None:
    printed = manage(tmp_path, "demo", "--once", PYTHONIOENCODING="ascii")

    assert printed == (0, (PLAYED + SUMMARY).replace("→", "?"), "")


def test_demo_uses_another_port_if_its_port_is_taken(tmp_path: Path) -> None:
    with ExitStack() as stack:
        # Another run of the tests on this machine may have taken it already.
        with suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", 8000)))
        assert manage(tmp_path, "demo", "--once") == (0, PLAYED + SUMMARY, "")


def test_demo_uses_no_proxy(tmp_path: Path) -> None:
    # The port of the discard protocol, where nothing listens.
    proxy = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy"), "http://127.0.0.1:9")

    assert manage(tmp_path, "demo", "--once", **proxy, no_proxy="", NO_PROXY="") == (0, PLAYED + SUMMARY, "")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no chmod.")
def test_demo_runs_from_a_checkout_that_cannot_be_written(tmp_path: Path) -> None:
    checkout, temporary = tmp_path / "checkout", tmp_path / "tmp"
    for package in ("django_hoiio", "example_project"):
        shutil.copytree(ROOT / package, checkout / package, ignore=shutil.ignore_patterns("*.pyc", "*.sqlite3*"))
    temporary.mkdir()
    for folder in (checkout, *checkout.rglob("*")):
        folder.chmod(0o555)
    command = [sys.executable, "-W", "error", str(checkout / "example_project/manage.py"), "demo", "--once"]
    # Permissions do not bind root, unless it gives up this capability.
    bound = ["setpriv", "--bounding-set", "-dac_override"] if os.getuid() == 0 else []
    own = {"HOIIO_EXAMPLE_DATABASE": "", "PYTHONPATH": "", "TMPDIR": str(temporary)}

    done = finished(tmp_path, [*bound, *command], own)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(SUMMARY)
    assert list(temporary.glob("*/demo.sqlite3")) != []


def test_demo_names_missing_packages(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-S", str(MANAGE), "demo"],
        env={"PATH": ""},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    names = "Django, tqdm, requests, djangorestframework, django-filter, drf-spectacular"
    install = f'pip install -e "{ROOT}[client,openapi]"'
    assert (done.returncode, done.stderr) == (1, f"Missing packages: {names}. Install them: {install}\n")


FAILURE = "CommandError: The stored rows differ from the sandbox:\n"

# A receiver of a signal, and the errors that it causes.
SABOTAGE = {
    "a receiver fails": (
        "sms_received",
        "raise ValueError('a secret')",
        f"""\
Receiver sabotage.break_down of sms_received failed for notification 17: ValueError.
{FAILURE}\
The receiver sabotage.break_down of sms_received failed.
""",
    ),
    "a notification is changed": (
        "sms_received",
        "type(notification).objects.filter(pk=notification.pk).update(params={})",
        f"{FAILURE}Notification 17, sms_received, is stored 0 times, not once.\n",
    ),
    "a state is changed": (
        "sms_received",
        "type(sms).objects.filter(pk=sms.pk).update(debit=0, is_final=False)",
        f"""\
{FAILURE}\
AA-SI-ID has debit Decimal('0.000000'), not Decimal('0.013').
AA-SI-ID is not final.
""",
    ),
    "Hoiio refuses the demo": (
        "sms_status",
        "SmsResource.bulk_send = refuse",
        "CommandError: Top up.\n",
    ),
    "Hoiio refuses the flow": (
        "sms_received",
        "IvrResource._request = refuse",
        """\
Receiver example_project.flows.reception of ivr_flow failed for notification 20: BlockFailed.
CommandError: The telephone could not speak: Nothing is being recorded.
""",
    ),
    "notifications are left out": (
        "sms_received",
        "exchange.switch(drop_rate=1)",
        "CommandError: The telephone could not speak: Nothing is being recorded.\n",
    ),
}

BREAK_DOWN = """
from django_hoiio import signals

def break_down(notification, sms, **kwargs):
    from django_hoiio.client.ivr import IvrResource
    from django_hoiio.client.sms import SmsResource
    from django_hoiio.exceptions import InsufficientCredit
    from django_hoiio.sandbox.real_time import exchange

    def refuse(*args, **kwargs):
        raise InsufficientCredit("error_insufficient_credit", "Top up.")

    {}

signals.{}.connect(break_down)
"""


@pytest.mark.parametrize(("signal", "sabotage", "errors"), SABOTAGE.values(), ids=SABOTAGE)
def test_demo_once_fails_and_reports_the_cause(tmp_path: Path, signal: str, sabotage: str, errors: str) -> None:
    (tmp_path / "sabotage.py").write_text(BREAK_DOWN.format(sabotage, signal))
    (tmp_path / "sabotaged_settings.py").write_text(
        "from example_project.settings import *\nINSTALLED_APPS += ['sabotage']\n"
    )

    status, _, found = manage(tmp_path, "demo", "--once", DJANGO_SETTINGS_MODULE="sabotaged_settings")

    # A receiver that fails is logged with its traceback.
    found = re.sub(r"Traceback .*?\n(?=\S*(?:Error|Exception|BlockFailed))\S*[^\n]*\n", "", found, flags=re.S)
    assert (status, found) == (1, errors)


def test_check_finds_nothing(tmp_path: Path) -> None:
    assert manage(tmp_path, "check", "--fail-level", "DEBUG")[0] == 0


def test_no_migration_is_missing(tmp_path: Path) -> None:
    manage(tmp_path, "migrate")

    assert manage(tmp_path, "makemigrations", "--check")[:2] == (0, "No changes detected\n")


# The demo that keeps serving.


@contextmanager
def running_demo(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the demo without `--once`. It ends with the block, or after TIMEOUT seconds."""
    # A shell that runs the tests in the background has SIGINT ignored, and that is handed down.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(MANAGE), "demo"],
        cwd=directory,
        env=environment(directory),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    signal.signal(signal.SIGINT, before)
    limit = Timer(TIMEOUT, process.kill)
    limit.start()
    with process:
        try:
            yield process
        finally:
            limit.cancel()
            process.kill()


def wait_for(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """Read what the process prints up to a line that matches."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.fullmatch(pattern, line):
            return found
    raise AssertionError(process.communicate())


def match(line: str, pattern: str) -> re.Match[str]:
    found = re.fullmatch(pattern, line)
    assert found, line
    return found


def staff(admin: str, username: str, password: str) -> OpenerDirector:
    cookies = CookieJar()
    browser = build_opener(ProxyHandler({}), HTTPCookieProcessor(cookies))
    browser.open(f"{admin}login/").close()
    (token,) = [cookie.value for cookie in cookies if cookie.name == "csrftoken"]
    form = urlencode({"username": username, "password": password, "csrfmiddlewaretoken": token, "next": "/admin/"})
    with browser.open(f"{admin}login/", form.encode()) as response:
        assert response.url == admin
    return browser


def read(browser: OpenerDirector, url: str) -> str:
    with browser.open(url, timeout=TIMEOUT) as response:
        text: str = response.read().decode()
    return text


TELEPHONE = r"The telephone: (http://127\.0\.0\.1:\d+)/sandbox/\n"
ADMIN = r"The admin:     (http://127\.0\.0\.1:\d+/admin/) as (\S+) with password (\S+)\n"
YOUR_TURN = "Now it is your turn: call and text the project from the telephone. Ctrl-C ends the demo.\n"


def test_demo_ends_with_the_telephone_and_the_admin_and_serves_them_until_ctrl_c(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        assert demo.stdout is not None
        wait_for(demo, re.escape(YOUR_TURN))
        lines = [demo.stdout.readline() for _ in range(2)]
        address = match(lines[0], TELEPHONE)[1]
        admin, username, password = match(lines[1], ADMIN).groups()
        browser = staff(admin, username, password)
        notifications = read(browser, f"{admin}django_hoiio/notification/")
        messages = json.loads(read(browser, f"{address}/api/hoiio/sms/?format=json&final=true"))["results"]
        page = read(browser, f"{address}/api/hoiio/faxes/?format=api&direction=incoming")
        schema = read(browser, f"{address}/api/schema/")
        stylesheet = read(browser, f"{address}/static/admin/css/base.css")
        telephone = read(build_opener(ProxyHandler({})), address)
        with pytest.raises(HTTPError, match="404") as no_icon:
            read(browser, f"{address}/favicon.ico")
        no_icon.value.close()
        demo.send_signal(signal.SIGINT)
        status = demo.wait(TIMEOUT)
        rest = [stream.read() for stream in (demo.stdout, demo.stderr) if stream]

    assert len(set(re.findall(r"django_hoiio/notification/(\d+)/change/", notifications))) == 23
    assert [message["msg"] for message in messages if message["direction"] == "incoming"] == ["Is my bicycle ready?"]
    assert "&quot;fax_status&quot;: &quot;answered&quot;" in page
    assert "operationId: hoiio_sms_list" in schema
    assert "body" in stylesheet
    assert "<h1>Telephone</h1>" in telephone
    assert (status, rest) == (0, ["", ""])


def test_demo_sets_a_new_password_each_time(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        first = wait_for(demo, ADMIN)[3]
    with running_demo(tmp_path) as demo:
        admin, username, second = wait_for(demo, ADMIN).groups()
        staff(admin, username, second)

    assert first != second


# Its own tests.


def test_its_own_tests_pass(tmp_path: Path) -> None:
    plugins = [
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "-p",
        "pytest_django.plugin",
        "-p",
        "django_hoiio.pytest_plugin",
    ]
    options = ["-q", "-c", os.devnull, "--ds", "example_project.settings", str(ROOT / "example_project")]

    status, printed, _ = run(tmp_path, "-B", "-m", "pytest", *plugins, *options, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")

    assert (status, re.sub(r" in .*", "", printed.splitlines()[-1])) == (0, "30 passed"), printed


# The receivers, for kinds that the demo does not send. They run in another process, to not affect other tests.

RECEIVE = """
import sys, uuid
import django
django.setup()
from django.core.management import call_command
from django.utils import timezone
from django_hoiio.ingest import ingest
from django_hoiio.enums import Route
from django_hoiio.models import ReceiverFailure
from django_hoiio.parsing import RawNotification
from django.conf import settings
# The port of the discard protocol, where nothing listens.
settings.HOIIO["API_URL"] = "http://127.0.0.1:9/open/"
call_command("migrate", verbosity=0)
for body in sys.argv[1:]:
    ingest(RawNotification(uuid=uuid.uuid4(), received_at=timezone.now(), route=Route.ANY, query="", body=body.encode()))
assert not ReceiverFailure.objects.exists()
"""


OTHERS = {
    "transfer_status=busy&session=S1&txn_ref=AA-C-1": "ivr_transfer      S1                           transferred, busy\n",
    "ivr_block=play&session=S1&txn_ref=AA-C-1": "ivr_play          S1                           done\n",
    "ivr_block=monitor&session=S1": "ivr_monitor       S1                           done\n",
    "ivr_block=hangup&session=S1&call_state=ended": (
        "ivr_hangup        S1                           done\nivr_ended         S1                           0 min\n"
    ),
    "ivr_block=unhold&session=S1": "ivr_unhold        S1                           done\n",
    "session=S1": "ivr_step          S1                           done\n",
    "dial_status=unanswered&call_state=ended&session=S2&txn_ref=AA-C-2&dest=%2B6511111111": (
        "ivr_dial          → +6511111111                unanswered\nivr_ended         +6511111111                  0 min\n"
    ),
    "digits=&session=S3&call_state=ended": (
        "ivr_gather        ?                            pressed nothing\nivr_ended         ?\n"
    ),
    "call_state=ended": "ivr_ended         ?\n",
    "status=error_dest_not_supported": "bulk_sms_status   → ?                          error_dest_not_supported\n",
    "fax_status=failed&fax_error_code=busy&from=%2B6511111111&to=%2B6531234568&txn_ref=AA-C-3": (
        "fax_received      +6511111111 → +6531234568    failed: busy\n"
    ),
    "msg=Sale&from=Shop&to=%2B6531234567&txn_ref=AA-SI-1": 'sms_received      Shop → +6531234567           "Sale"\n',
    "msg=Hi&to=%2B6531234567&txn_ref=AA-SI-2": 'sms_received       → +6531234567               "Hi"\n',
    "colour=blue": "unknown           ?                            look at it in the admin  colour=blue\n",
}


def test_receivers_print_every_other_kind_too(tmp_path: Path) -> None:
    printed = run(tmp_path, "-c", RECEIVE, *OTHERS)

    assert printed == (0, "".join(OTHERS.values()), "")


# The log.

LOG = """
import logging, sys
import django
from django.urls import reverse
django.setup()
reverse("admin:index")  # as the first request, imports the URLs
for line in sys.argv[1:]:
    logging.getLogger("django.server").info(line, extra={"status_code": int(line.split()[-2])})
"""


def test_access_log_omits_the_polling_of_the_telephone_and_all_secrets(tmp_path: Path) -> None:
    logged = run(
        tmp_path,
        "-c",
        LOG,
        '"GET /sandbox/telephone/state/?after=3 HTTP/1.1" 200 911',
        '"GET /sandbox/telephone/state/?after=3 HTTP/1.1" 500 911',
        '"POST /sandbox/telephone/call/?after=3 HTTP/1.1" 200 911',
        '"POST /hoiio/sms/eyJhIjoxfQ~abcdefghijklmnopqrstuvwxyz/ HTTP/1.1" 200 0',
    )

    assert logged == (
        0,
        "",
        """\
"GET /sandbox/telephone/state/?after=3 HTTP/1.1" 500 911
"POST /sandbox/telephone/call/?after=3 HTTP/1.1" 200 911
"POST /hoiio/sms/••••/ HTTP/1.1" 200 0
""",
    )


# The check of wrong rows.

NOW = datetime(2026, 10, 30, 12, 20, 50, tzinfo=timezone.utc)
COMMON = {"tag": "", "date": NOW, "currency": "SGD", "debit": Decimal("0.032")}


def done() -> Done:
    notifications = [
        {"kind": kind, "params": params, "pass_on": {}, "state": "answered", "error": ""}
        for kind, params in (("sms_status", {"sms_status": "delivered"}), ("call_ended", {"duration": "1"}))
    ]
    history = [CallStatusResponse(txn_ref="AA-C-1", **COMMON), SmsStatusResponse(txn_ref="AA-S-1", **COMMON)]
    return Done(notifications=notifications, history=history)


def stored() -> Stored:
    notifications = [
        Notification(pk=number, kind=entry["kind"], params=entry["params"], dispatched_at=NOW)
        for number, entry in enumerate(done().notifications, 1)
    ]
    transactions = [Call(txn_ref="AA-C-1", is_final=True, **COMMON), Sms(txn_ref="AA-S-1", is_final=True, **COMMON)]
    return Stored(notifications=notifications, transactions=transactions, failures=[])


def changed(rows: Any, index: int, **fields: Any) -> list[Any]:
    """Return the rows, with other fields in one of them."""
    old = rows[index]
    names = [field.attname for field in old._meta.concrete_fields if not field.generated]
    new = type(old)(**{name: getattr(old, name) for name in names} | fields)
    return [*rows[:index], new, *rows[index + 1 :]]


def test_check_reports_nothing_if_all_rows_are_right() -> None:
    assert differences(done(), stored()) == []


def test_check_finds_a_wrong_answer() -> None:
    first, *others = done().notifications
    first = {**first, "state": "failed", "error": "It was answered with 503."}

    found = differences(replace(done(), notifications=[first, *others]), stored())

    assert found == ["Notification 1, sms_status, was not answered with 200. It was answered with 503."]


@pytest.mark.parametrize(
    ("tampered", "found"),
    [
        (
            lambda rows: rows[1:],
            [
                "Notification 1, sms_status, is stored 0 times, not once.",
                "1 notifications are stored, not 2.",
            ],
        ),
        (
            lambda rows: [rows[0], *rows],
            [
                "Notification 1, sms_status, is stored 2 times, not once.",
                "3 notifications are stored, not 2.",
            ],
        ),
        (
            lambda rows: changed(rows, 0, params={}),
            ["Notification 1, sms_status, is stored 0 times, not once."],
        ),
        (
            lambda rows: changed(rows, 0, pass_on={"order": 17}),
            ["Notification 1, sms_status, is stored 0 times, not once."],
        ),
        (
            lambda rows: changed(rows, 0, kind="unknown"),
            ["Notification 1, sms_status, is stored 0 times, not once."],
        ),
        (lambda rows: changed(rows, 0, pk=7, dispatched_at=None), ["The notification 7 is not marked as dispatched."]),
    ],
)
def test_check_finds_a_wrong_notification(tampered: Callable[[Any], Any], found: list[str]) -> None:
    rows = stored()

    assert differences(done(), replace(rows, notifications=tampered(rows.notifications))) == found


@pytest.mark.parametrize(
    ("tampered", "found"),
    [
        (lambda rows: changed(rows, 0, debit=Decimal(3)), ["AA-C-1 has debit Decimal('3'), not Decimal('0.032')."]),
        (lambda rows: changed(rows, 0, tag="x"), ["AA-C-1 has tag 'x', not ''."]),
        (lambda rows: changed(rows, 1, is_final=False), ["AA-S-1 is not final."]),
        (lambda rows: rows[1:], ["AA-C-1 is not stored.", "1 calls, faxes and SMS are stored, not 2."]),
        (lambda rows: [*rows, Call(txn_ref="AA-C-2")], ["3 calls, faxes and SMS are stored, not 2."]),
    ],
)
def test_check_finds_a_wrong_row(tampered: Callable[[Any], Any], found: list[str]) -> None:
    rows = stored()

    assert differences(done(), replace(rows, transactions=tampered(rows.transactions))) == found


def test_check_finds_a_failed_receiver() -> None:
    failure = ReceiverFailure(signal="sms_received", receiver="shop.receivers.on_sms")

    found = differences(done(), replace(stored(), failures=[failure]))

    assert found == ["The receiver shop.receivers.on_sms of sms_received failed."]
