"""The parameters of a notification, one by one, and the command that posts it again."""

from __future__ import annotations

import html
import os
import re
import shlex
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

import pytest
from django.core.management import call_command

from django_hoiio.admin import inspector
from django_hoiio.admin.inspector import MAX_ARGUMENT_BYTES, ParameterRow, command_line, parameter_rows
from django_hoiio.enums import Route, Source, VerifiedBy
from django_hoiio.ingest import ingest
from django_hoiio.ingest.reports import OF_THE_VIEW
from django_hoiio.models import Notification
from django_hoiio.verification import sign
from tests.conftest import FORM, Post, raw_notification, values
from tests.users import EVERYTHING, look, staff, text, url


def receive(route: str, query: str, body: str | bytes, **fields: Any) -> Notification:
    return ingest(raw_notification(route, query, body, **fields)).notification


def line(name: str, query: str | None, body: str | None, used: str | None, went: str) -> ParameterRow:
    return ParameterRow(name=name, query=query, body=body, used=used, result=went)


# Parameters.


@pytest.mark.django_db
def test_each_parameter_shows_where_it_was_and_what_it_became() -> None:
    notification = receive(
        "ivr",
        "from=%252B6591231111&x_order=77&tag=one",
        "from=%2B6591231111&txn_ref=AA-C-1&session=S1&digits=12&tag=&date=soon&call_state=martian&duration=1&duration=2",
        pass_on={"user": ["bob", 1]},
    )
    assert parameter_rows(notification) == [
        line("from", "%2B6591231111", "+6591231111", "+6591231111", "→ from_number"),
        line("txn_ref", None, "AA-C-1", "AA-C-1", "→ txn_ref"),
        line("session", None, "S1", "S1", "→ session"),
        line("digits", None, "12", "12", "event; stored only with the notification"),
        line("tag", "one", "", "", "not stored: it is empty"),
        line("date", None, "soon", "soon", "not stored; is not a date"),
        line("call_state", None, "martian", "martian", "→ call_state; is not a value that Hoiio documents"),
        line("duration", None, "2 (the last of 2)", "2", "→ duration"),
        line("x_order", "77", None, "77", "your parameter"),
        line("user", None, None, "['bob', 1]", "your parameter, from the signed URL"),
    ]


@pytest.mark.django_db
def test_party_of_a_conference_leg_is_shown_where_it_is_stored() -> None:
    leg = receive("voice", "", "txn_ref=AA-C-1&dest1=%2B6591231111&call_status_dest1=busy&dest2=")
    assert [(each.name, each.result) for each in parameter_rows(leg)] == [
        ("txn_ref", "→ txn_ref"),
        ("dest1", "→ dest"),
        ("call_status_dest1", "→ call_status"),
        ("dest2", "not stored: it is empty"),
    ]


@pytest.mark.django_db
def test_parameter_that_the_signature_does_not_cover_is_not_used() -> None:
    notification = receive(
        "sms",
        "sms_status=failed&x_order=77",
        "txn_ref=AA-S-1&sms_status=delivered&tag=",
        verified_by=VerifiedBy.SIGNATURE,
    )
    untaken = receive("sms", "debit=1", "txn_ref=AA-S-1", verified_by=VerifiedBy.SIGNATURE)
    assert parameter_rows(notification)[1] == line("sms_status", "failed", "delivered", "delivered", "→ sms_status")
    assert parameter_rows(notification)[3] == line("x_order", "77", None, "77", "your parameter, not verified")
    assert parameter_rows(untaken)[1] == line("debit", "1", None, None, "not used: the signature does not cover it")


@pytest.mark.django_db
def test_parameter_that_only_the_history_has_is_not_used() -> None:
    notification = receive("sms", "", "txn_ref=AA-S-1&sms_status=delivered&src=Hoiio", source=Source.POLL)
    assert parameter_rows(notification)[2] == line(
        "src", None, "Hoiio", None, "not used: notifications never have this parameter"
    )


@pytest.mark.django_db
def test_page_shows_that_the_state_could_not_be_stored() -> None:
    notification = receive("sms", "", "txn_ref=AA-S-1&sms_status=delivered&date=soon")
    Notification.objects.update(state_error="DataError")

    page = look(staff(*EVERYTHING), url(notification))

    assert "<td>date</td><td>is not a date</td>" in page
    assert "<td>state</td><td>could not be stored: DataError</td>" in page


@pytest.mark.django_db
def test_page_shows_only_the_first_parameters_of_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspector, "MAX_PARAMETERS", 10)
    notification = receive("any", "", urlencode({f"x_{at}": at for at in range(5000)}))
    assert [each.name for each in parameter_rows(notification)] == [f"x_{at}" for at in range(10)]


@pytest.mark.django_db
def test_page_shows_the_raw_request_only_with_all_permissions() -> None:
    notification = receive(
        "sms", "x_order=%3Cb%3E", "msg=%3Cscript%3E&from=%2B6591231111&record_url=https://example.com/rec-1.mp3"
    )
    page = look(staff(*EVERYTHING), url(notification))
    assert "<td>x_order</td><td>&lt;b&gt;</td><td></td><td>&lt;b&gt;</td><td>your parameter</td>" in page
    assert "<td>&lt;script&gt;</td>" in page
    assert page.count('href="https://example.com/rec-1.mp3" target="_blank" rel="noreferrer noopener"') >= 2
    assert "Command to post it again" in page

    for permissions in (
        (),
        ("view_personal_data",),
        ("view_raw", "view_personal_data"),
        ("view_raw", "view_recordings"),
    ):
        page = look(staff(*permissions), url(notification))
        assert ("hoiio_trigger" in page, "x_order" in page, "script&gt;" in page) == (False, False, False)


@pytest.mark.django_db
def test_page_shows_how_the_notification_was_delivered_and_verified() -> None:
    notification = receive(
        "sms",
        "",
        "txn_ref=AA-S-1&sms_status=queued",
        account="shop",
        verified_by=VerifiedBy.SIGNATURE,
        source=Source.SPOOL,
        remote_addr="192.0.2.1",
    )
    shown = text(look(staff(), url(notification))).partition(" Delivery ")[2].partition(" Dispatch ")[0]
    expected = {
        "Account": "shop",
        "Route": "SMS",
        "Source": "webhook, imported from the spool",
        "Verified by": "signature header",
        "Remote address": "192.0.2.1",
        "UUID": str(notification.uuid),
    }
    # The position of the help text differs between versions of Django.
    labels = re.split(r"(Account|Route|Source|Verified by|Remote address|UUID): ", shown)[1:]
    fields = dict(zip(labels[::2], labels[1::2], strict=True))
    assert {name: value for name, value in expected.items() if value in fields[name]} == expected
    assert list(fields) == list(expected)


@pytest.mark.django_db
def test_redacted_notification_cannot_be_posted_again() -> None:
    notification = receive("sms", "", "msg=hello")
    Notification.objects.update(body=b"", params={}, redacted_at=notification.received_at)
    assert "Command to post it again" not in look(staff(*EVERYTHING), url(notification))


# Posting again.


SHELLS = [["sh"], ["bash"], ["bash", "--norc", "-i"]]


@pytest.fixture
def run_in_shell(tmp_path: Path) -> Callable[[list[str], str], list[str]]:
    """Paste a command into a shell in which `python` prints its arguments, and return these."""
    output = tmp_path / "output"
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" > {output}\n")
    program.chmod(0o755)

    def run_in_shell(shell: list[str], line: str) -> list[str]:
        environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": "/nowhere", "LC_ALL": "C.UTF-8"}
        run = subprocess.run(shell, input=f"{line}\n".encode(), env=environ, check=False, capture_output=True)
        assert output.exists(), run.stderr
        return output.read_bytes().decode().split("\0")[:-1]

    return run_in_shell


ODD: list[tuple[str, str, bytes, str]] = [
    ("sms", "", b"sms_status=delivered&txn_ref=AA-S-1&tag=it's+%22so%22+$HOME+`x`+%21", FORM),
    ("sms", "x_a=1&x_b=%C3%A9", b"msg=caf\xe9&from=%2B6591231111&txn_ref=AA-SI-1", FORM),
    ("sms", "", "msg=☃ 'quoted' \"double\" $(rm) \\&from=ALERT&txn_ref=AA-SI-2".encode(), FORM),
    ("sms", "", b"msg=\x00\xff\xfe\r\n\t\x7f&from=x&txn_ref=AA-SI-3", FORM),
    ("sms", "", "msg=a\u2028b\u00a0c\u202ed&from=x&txn_ref=AA-SI-4".encode(), FORM),
    ("any", "", b'{"sms_status": "queued", "txn_ref": "AA-S-5", "debit": 0.10}', "application/json"),
    (
        "fax",
        "txn_ref=AA-F-1",
        b'--b"x\r\nContent-Disposition: form-data; name=fax_status\r\n\r\nfailed\r\n--b"x--\r\n',
        'multipart/form-data; boundary=b"x; charset="it\'s"',
    ),
    ("ivr", "-x=1&--y=2&#a&%00=%00", b"-session=S1&session=S1&txn_ref=AA-C-1&digits=", "text/plain"),
    ("ivr", "session=S2&txn_ref=AA-C-2&call_state=ended&duration=2", b"", ""),
    ("voice", "call_status_dest1=answered&txn_ref=AA-C-3", b"call_status_dest1=busy", FORM),
    ("any", "", b"", FORM),
    ("any", "=&&=x&a", b"=&&a=b=c", FORM),
]


TEXTS = [
    "a'b",
    'a"b',
    "$HOME ${HOME} $(id) `id`",
    "!! !id",
    "a\\b\\",
    "~ * ? # & ; | < > ( ) { } [ ]",
    "☃ é 年",
    "-x",
    "%41+",
]


@pytest.mark.django_db
@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize(
    ("query", "body", "content_type"),
    [
        *((query, body, content_type) for _route, query, body, content_type in ODD),
        *(("", f"msg={text}&from=1".encode(), FORM) for text in TEXTS),
        *((f"x={text}", b"msg=a&from=1", FORM) for text in TEXTS),
        ("", b"msg=a&from=1", "text/plain; x='$HOME'"),
    ],
)
def test_shell_parses_the_command_correctly(
    run_in_shell: Callable[[list[str], str], list[str]], shell: list[str], query: str, body: bytes, content_type: str
) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"There is no {shell[0]}.")
    notification = receive("sms", query, body, headers={"Content-Type": content_type}, pass_on={"user": "it's $HOME"})
    command = command_line(notification)
    assert command is not None
    assert run_in_shell(shell, command) == shlex.split(command)[1:]
    given = dict(option.partition("=")[::2] for option in run_in_shell(shell, command)[2:])
    as_base64 = given.get("--body-base64")
    assert (b64decode(as_base64) if as_base64 else given["--body"].encode()) == body
    assert unquote(given.get("--query", "")) == unquote(query)
    assert given["--pass-on"] == "user=it's $HOME"


@pytest.mark.django_db
@pytest.mark.parametrize("message", ['it\'s <b>&amp; "so"', "a  b", "☃", "\n \x00 \xff"])
def test_page_shows_the_exact_command(message: str) -> None:
    notification = receive("sms", "", f"msg={message}&from=1".encode("latin-1", "replace"))
    page = look(staff(*EVERYTHING), url(notification))
    shown = re.findall(r"<pre[^>]*>([^<]*hoiio_trigger[^<]*)</pre>", page)
    assert [html.unescape(each) for each in shown] == [command_line(notification)]


@pytest.fixture
def post_again(live_server: Any, settings: Any, transactional_db: None) -> Any:
    """Delete a notification and its state, run its command, and return the values before and after."""
    settings.HOIIO = {
        "ACCOUNTS": {"default": {"ACCESS_TOKEN": "token"}, "second": {"ACCESS_TOKEN": "second's token"}},
        "PUBLIC_URL": live_server.url,
    }

    def post_again(notification: Notification) -> tuple[dict[str, Any], dict[str, Any]]:
        command = command_line(notification)
        assert command is not None
        assert command.isprintable()
        python, manage, name, *options = shlex.split(command)
        assert (python, manage, name) == ("python", "manage.py", "hoiio_trigger")
        before = _snapshot(notification)
        if notification.transaction:
            notification.transaction.delete()
        notification.delete()
        call_command(name, *options, stdout=StringIO())
        return before, _snapshot(Notification.objects.get())

    return post_again


def _snapshot(notification: Notification) -> dict[str, Any]:
    row = notification.transaction
    state = {name: value for name, value in values(row).items() if name != "updated_at"} if row else None
    names = ("kind", "route", "account", "txn_ref", "session", "params", "pass_on", "unverified_params")
    # Problems of the verification may differ, because the new notification is verified again.
    problems = {name: problem for name, problem in notification.problems.items() if name not in OF_THE_VIEW}
    return {**{name: getattr(notification, name) for name in names}, "problems": problems, "state": state}


@pytest.mark.parametrize(("route", "query", "body", "content_type"), ODD)
def test_command_posts_the_same_notification_again(
    post_again: Any, route: str, query: str, body: bytes, content_type: str
) -> None:
    notification = receive(route, query, body, headers={"Content-Type": content_type})
    before, after = post_again(notification)
    assert after == before
    assert bytes(Notification.objects.get().body) == body


@pytest.mark.parametrize(
    "pass_on",
    [{"user": "bob"}, {"user": "it's \n bob", "n": 1}, {"a=b": "c"}, {"": "x"}, {"deep": {"é": [None, True]}}],
)
def test_command_passes_on_the_parameters_of_the_signed_url(
    post: Post, post_again: Any, pass_on: dict[str, Any]
) -> None:
    notification = post(f"sms/{sign(Route.SMS, 'second', pass_on)}/?x=1", "sms_status=queued&txn_ref=AA-S-1")
    assert (notification.pass_on, notification.verified_by) == ({"x": "1", **pass_on}, VerifiedBy.URL)
    before, after = post_again(notification)
    assert after == before


def test_command_signs_a_notification_that_was_verified_by_signature(post_again: Any) -> None:
    body = "sms_status=queued&txn_ref=AA-S-1"
    notification = receive(
        "sms",
        "x=1&sms_status=failed",
        body,
        verified_by=VerifiedBy.SIGNATURE,
        account="second",
        headers={"Content-Type": FORM},
    )
    before, after = post_again(notification)
    assert after == before
    assert Notification.objects.get().verified_by == VerifiedBy.SIGNATURE


def test_command_of_a_polled_notification_posts_an_equivalent_one(post_again: Any) -> None:
    body = "txn_ref=AA-SI-1&sms_status=received&src=%2B6591231111&dest=%2B6533330000&msg=hello"
    notification = receive("sms", "", body, source=Source.POLL, headers={"Content-Type": FORM})
    before, after = post_again(notification)
    assert after == before
    assert before["params"]["from"] == "+6591231111"


@pytest.mark.django_db
def test_notification_that_is_too_long_for_a_shell_has_no_command() -> None:
    notification = receive("sms", "", b"msg=" + b"x" * MAX_ARGUMENT_BYTES + b"&from=1")
    assert command_line(notification) is None
    page = look(staff(*EVERYTHING), url(notification))
    assert "It is too long for a command line." in page
    assert re.search(r"<button[^>]*data-copies", page) is None
