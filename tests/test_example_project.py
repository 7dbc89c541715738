"""The example project, run as people run it: in a process of its own, on a database file of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from http.cookiejar import CookieJar
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, ProxyHandler, build_opener

import pytest

from django_hoiio.kinds import Kind
from django_hoiio.models import Call, Notification, ReceiverFailure, Sms
from example_project.demo.checking import Kept, differences
from example_project.demo.posting import Post
from example_project.demo.samples import SAMPLES, TRANSACTIONS

ROOT = Path(__file__).resolve().parent.parent
MANAGE = ROOT / "example_project" / "manage.py"

# Seconds.
PATIENCE = 60

HEARD = """\
Posting 16 notifications to http://127.0.0.1:PORT/hoiio/ as Hoiio would; heard:

sms_status        → +6500000000                queued  x_order=17
sms_status        → +6500000000                delivered  x_order=17
sms_received      +16201234567 → +16501234567  "hoiio world"
bulk_sms_status   → +6511111111                success_ok  x_job=7
sms_status        → +6511111111                delivered  x_job=7
bulk_sms_status   → ?                          error_dest_not_supported  x_job=7
call_ended        +6500000000 → +6500000000    answered/failed, 0 min, SGD 0.000
call_ended        +6511111111 → +6522222222    answered/answered, 2 min, SGD 0.036
fax_received      +6511111111 → +6500000000    answered, 1 min, SGD 0.013
fax_received      +6511111111 → +6500000000    failed: busy
fax_status        → +6511111111                answered, 2 min, SGD 0.064  x_document=5
ivr_answer        +6511111111 → +6500000000    rings as S3839
ivr_gather        S3839                        pressed 1  app_state=gather
ivr_record        S3839                        left a message  app_state=record
ivr_ended         S3839                        2 min, SGD 0.036  app_state=hangup
ivr_dial          S3840 → +6511111111          unanswered
ivr_ended         S3840                        0 min, SGD 0.000
"""
SUMMARY = """
16 notifications sent and kept, 17 signals heard, 10 calls, faxes and SMS brought up to date.
"""


def environment(directory: Path) -> dict[str, str]:
    """A database and, for modules, a directory of the test's own; no settings of the test suite."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "example_project.settings",
        "HOIIO_EXAMPLE_DATABASE": str(directory / "example.sqlite3"),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{directory}",
        "PYTHONUTF8": "1",
    }


def run(directory: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """Exit status, output and errors of a Python process that is started in an unrelated directory."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=directory,
        env={**environment(directory), **variables},
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def manage(directory: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    status, output, errors = run(directory, str(MANAGE), *arguments, **variables)
    return status, re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", output), errors


# The demo, from outside.


def test_demo_once_prints_what_the_receivers_hear_and_that_all_is_kept(tmp_path: Path) -> None:
    assert manage(tmp_path, "demo", "--once") == (0, HEARD + SUMMARY, "")


def test_demo_once_can_be_repeated_on_the_same_file(tmp_path: Path) -> None:
    manage(tmp_path, "demo", "--once")

    assert manage(tmp_path, "demo", "--once") == (0, HEARD + SUMMARY, "")


def test_demo_once_prints_question_marks_where_there_are_no_arrows(tmp_path: Path) -> None:
    printed = manage(tmp_path, "demo", "--once", PYTHONIOENCODING="ascii")

    assert printed == (0, (HEARD + SUMMARY).replace("→", "?"), "")


FAILURE = "CommandError: What was sent is not what is kept:\n"

SABOTAGE = {
    "a receiver fails": (
        "def break_down(**kwargs): raise ValueError('a secret')",
        f"""\
Receiver sabotage.break_down of sms_received failed for notification 3: ValueError.
{FAILURE}\
The receiver sabotage.break_down of sms_received failed.
""",
    ),
    "a notification is changed": (
        "def break_down(notification, **kwargs): type(notification).objects.filter(pk=notification.pk).update(query='x')",
        f"{FAILURE}'an SMS comes in' is kept 0 times, not once.\n",
    ),
    "a state is changed": (
        "def break_down(sms, **kwargs): type(sms).objects.filter(pk=sms.pk).update(msg='x')",
        f"{FAILURE}Sms AA-SI-85 has msg 'x', not 'hoiio world'.\n",
    ),
    "a signal is heard twice": (
        "def break_down(**kwargs): print('sms_received', 'again')",
        f"{FAILURE}'an SMS comes in' was heard as sms_received and sms_received, not as sms_received.\n",
    ),
}

CONNECT = """
from django_hoiio.signals import sms_received
sms_received.connect(break_down)
"""


@pytest.mark.parametrize(("receiver", "errors"), SABOTAGE.values(), ids=SABOTAGE)
def test_demo_once_fails_and_says_so_where(tmp_path: Path, receiver: str, errors: str) -> None:
    (tmp_path / "sabotage.py").write_text(receiver + CONNECT)
    (tmp_path / "sabotaged_settings.py").write_text(
        "from example_project.settings import *\nINSTALLED_APPS += ['sabotage']\n"
    )

    status, _, said = manage(tmp_path, "demo", "--once", DJANGO_SETTINGS_MODULE="sabotaged_settings")

    assert (status, said) == (1, errors)


def test_check_finds_nothing(tmp_path: Path) -> None:
    assert manage(tmp_path, "check", "--fail-level", "DEBUG")[0] == 0


def test_no_migration_is_missing(tmp_path: Path) -> None:
    manage(tmp_path, "migrate")

    assert manage(tmp_path, "makemigrations", "--check")[:2] == (0, "No changes detected\n")


# The demo that keeps serving.


@contextmanager
def running_demo(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """The demo without `--once`; it outlives neither the block nor everybody's patience."""
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
    limit = Timer(PATIENCE, process.kill)
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


def log_in(admin: str, username: str, password: str) -> OpenerDirector:
    cookies = CookieJar()
    browser = build_opener(ProxyHandler({}), HTTPCookieProcessor(cookies))
    browser.open(f"{admin}login/").close()
    (token,) = [cookie.value for cookie in cookies if cookie.name == "csrftoken"]
    form = urlencode({"username": username, "password": password, "csrfmiddlewaretoken": token, "next": "/admin/"})
    with browser.open(f"{admin}login/", form.encode()) as response:
        assert response.url == admin
    return browser


def read(browser: OpenerDirector, url: str) -> str:
    with browser.open(url, timeout=PATIENCE) as response:
        text: str = response.read().decode()
    return text


ADDRESS = r"Browse them at (http://127\.0\.0\.1:\d+/admin/) as (\S+) with password (\S+)\n"


def test_demo_serves_the_admin_until_ctrl_c(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        admin, username, password = wait_for(demo, ADDRESS).groups()
        browser = log_in(admin, username, password)
        notifications = read(browser, f"{admin}django_hoiio/notification/")
        stylesheet = read(browser, admin.replace("/admin/", "/static/admin/css/base.css"))
        with pytest.raises(HTTPError, match="404") as no_icon:
            read(browser, admin.replace("/admin/", "/favicon.ico"))
        no_icon.value.close()
        demo.send_signal(signal.SIGINT)
        status = demo.wait(PATIENCE)
        rest = [stream.read() for stream in (demo.stdout, demo.stderr) if stream]

    assert notifications.count("AA-S-471804") >= 2
    assert "body" in stylesheet
    assert (status, rest) == (0, ["Ctrl-C ends the demo.\n", ""])


def test_demo_gives_a_new_password_each_time(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        first = wait_for(demo, ADDRESS)[3]
    with running_demo(tmp_path) as demo:
        admin, username, second = wait_for(demo, ADDRESS).groups()
        log_in(admin, username, second)

    assert first != second


# The receivers, for what the demo does not send. They are not loaded here: they would listen to all other tests.

RECEIVE = """
import sys, uuid
import django
django.setup()
from django.core.management import call_command
from django.utils import timezone
from django_hoiio import inbox
from django_hoiio.kinds import Route
from django_hoiio.models import ReceiverFailure
from django_hoiio.parsing import Arrival
call_command("migrate", verbosity=0)
for body in sys.argv[1:]:
    inbox.receive(Arrival(uuid=uuid.uuid4(), received_at=timezone.now(), route=Route.ANY, query="", body=body.encode()))
assert not ReceiverFailure.objects.exists()
"""


OTHERS = {
    "transfer_status=busy&session=S1&txn_ref=AA-C-1": "ivr_transfer      S1                           handed on, busy\n",
    "ivr_block=play&session=S1&txn_ref=AA-C-1": "ivr_play          S1                           done\n",
    "ivr_block=monitor&session=S1": "ivr_monitor       S1                           done\n",
    "ivr_block=hangup&session=S1&call_state=ended": (
        "ivr_hangup        S1                           done\nivr_ended         S1                           0 min\n"
    ),
    "ivr_block=unhold&session=S1": "ivr_unhold        S1                           done\n",
    "session=S1": "ivr_step          S1                           done\n",
    "digits=&session=S2": "ivr_gather        S2                           pressed nothing\n",
    "call_state=ended": "ivr_ended\n",
    "colour=blue": "unknown           ?                            look at it in the admin  colour=blue\n",
}


def test_receivers_tell_every_other_kind_too(tmp_path: Path) -> None:
    told = run(tmp_path, "-c", RECEIVE, *OTHERS)

    assert told == (0, "".join(OTHERS.values()), "")


def test_receivers_keep_control_characters_from_the_terminal(tmp_path: Path) -> None:
    told = run(tmp_path, "-c", RECEIVE, "msg=%1B%5B2Ja%0Ab&from=X&to=Y&txn_ref=AA-SI-1")

    assert told == (0, 'sms_received      X → Y                        " [2Ja b"\n', "")


# What the check says of rows that are not as they should be.

NOW = datetime(2012, 10, 30, tzinfo=timezone.utc)


def posts() -> list[Post]:
    return [Post(sample=sample, status=200, heard=tuple(map(str, sample.facts))) for sample in SAMPLES]


def kept() -> Kept:
    notifications = [
        Notification(
            kind=sample.facts[0], route=sample.route, query=sample.query, body=sample.body.encode(), dispatched_at=NOW
        )
        for sample in SAMPLES
    ]
    return Kept(notifications=notifications, transactions=TRANSACTIONS, failures=[])


def changed(rows: Any, index: int, **fields: Any) -> list[Any]:
    """The rows, one of them with other fields."""
    old = rows[index]
    new = type(old)(**{field.attname: getattr(old, field.attname) for field in old._meta.concrete_fields} | fields)
    return [*rows[:index], new, *rows[index + 1 :]]


def test_check_says_nothing_where_all_is_well() -> None:
    assert differences(posts(), TRANSACTIONS, kept()) == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": 503}, ["'an SMS is queued' was answered with 503, not 200."]),
        ({"heard": ()}, ["'an SMS is queued' was heard as nothing, not as sms_status."]),
        ({"heard": ("unknown",)}, ["'an SMS is queued' was heard as unknown, not as sms_status."]),
    ],
)
def test_check_finds_a_wrong_answer(answer: dict[str, Any], said: list[str]) -> None:
    first, *others = posts()

    assert differences([replace(first, **answer), *others], TRANSACTIONS, kept()) == said


@pytest.mark.parametrize(
    ("tampered", "said"),
    [
        (
            lambda rows: rows[1:],
            ["'an SMS is queued' is kept 0 times, not once.", "15 notifications are kept, not 16."],
        ),
        (
            lambda rows: [rows[0], *rows],
            ["'an SMS is queued' is kept 2 times, not once.", "17 notifications are kept, not 16."],
        ),
        (lambda rows: changed(rows, 0, query="x_order=18"), ["'an SMS is queued' is kept 0 times, not once."]),
        (lambda rows: changed(rows, 0, body=b""), ["'an SMS is queued' is kept 0 times, not once."]),
        (lambda rows: changed(rows, 0, route="any"), ["'an SMS is queued' is kept 0 times, not once."]),
        (
            lambda rows: changed(rows, 0, kind=Kind.UNKNOWN),
            ["'an SMS is queued' is kept as unknown, not as sms_status."],
        ),
        (lambda rows: changed(rows, 0, pk=7, dispatched_at=None), ["The notification 7 is not marked as told."]),
        (lambda rows: [*rows, Notification(dispatched_at=NOW)], ["17 notifications are kept, not 16."]),
    ],
)
def test_check_finds_a_wrong_notification(tampered: Callable[[Any], Any], said: list[str]) -> None:
    rows = kept()

    assert differences(posts(), TRANSACTIONS, replace(rows, notifications=tampered(rows.notifications))) == said


@pytest.mark.parametrize(
    ("tampered", "said"),
    [
        (lambda rows: changed(rows, 0, duration=3), ["Call AA-C-2507650 has duration 3, not 2."]),
        (lambda rows: changed(rows, -3, is_final=False), ["Sms AA-S-471804 has is_final False, not True."]),
        (
            lambda rows: rows[1:],
            ["Call AA-C-2507650 is kept 0 times, not once.", "9 calls, faxes and SMS are kept, not 10."],
        ),
        (
            lambda rows: [rows[0], *rows],
            ["Call AA-C-2507650 is kept 2 times, not once.", "11 calls, faxes and SMS are kept, not 10."],
        ),
        (lambda rows: [*rows, Sms(txn_ref="AA-C-2507650")], ["11 calls, faxes and SMS are kept, not 10."]),
        (lambda rows: [*rows, Call()], ["11 calls, faxes and SMS are kept, not 10."]),
    ],
)
def test_check_finds_a_wrong_row(tampered: Callable[[Any], Any], said: list[str]) -> None:
    assert differences(posts(), TRANSACTIONS, replace(kept(), transactions=tampered(TRANSACTIONS))) == said


def test_check_finds_a_failed_receiver() -> None:
    failure = ReceiverFailure(signal="sms_received", receiver="shop.receivers.on_sms")

    said = differences(posts(), TRANSACTIONS, replace(kept(), failures=[failure]))

    assert said == ["The receiver shop.receivers.on_sms of sms_received failed."]
