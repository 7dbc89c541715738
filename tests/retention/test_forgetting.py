"""Erase phone numbers with `hoiio_forget`."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.core.management import CommandError, call_command
from django.db import DataError, OperationalError

from django_hoiio import spool
from django_hoiio.enums import Kind, Source, VerifiedBy
from django_hoiio.ingest import ingest
from django_hoiio.ingest.outgoing import enter
from django_hoiio.models import Call, Fax, Notification, ReceiverFailure, Sms
from django_hoiio.parsing import RawNotification, parse
from django_hoiio.recovery import recover, reparse
from django_hoiio.retention import forgetting
from django_hoiio.retention.forgetting import LEFT_AFTER, ForgetResult, conversations_with, forget
from tests.conftest import failing, raw_notification, values

pytestmark = pytest.mark.django_db

NOW = datetime.now(timezone.utc)
BOB, EVE, OURS = "+6561234567", "+6587654321", "+6500000000"


@pytest.fixture(autouse=True)
def settled(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HOIIO = {"REQUIRE_VERIFICATION": False, "SPOOL_DIR": tmp_path / "spool"}
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def form(**params: str) -> str:
    return "&".join(f"{name.rstrip('_')}={quote(text, safe='')}" for name, text in params.items())


def received(query: str = "", route: str = "any", /, **params: str) -> Notification:
    return ingest(raw_notification(route, query, form(**params))).notification


def text_from(number: str, msg: str, txn_ref: str, **more: str) -> Notification:
    return received("", "sms", **{"txn_ref": txn_ref, "msg": msg, "from": number, "to": OURS, **more})


def forget_person(*numbers: str) -> ForgetResult:
    report = forget(numbers or [BOB])
    assert everything_stored().count("6561234567") == 0
    return report


def everything_stored() -> str:
    """Return all values of all rows."""
    models = (Notification, Call, Sms, Fax, ReceiverFailure)
    return repr([values(row) for model in models for row in model._default_manager.order_by("pk")])


def state(row: Any, *names: str) -> list[Any]:
    row.refresh_from_db()
    return [getattr(row, name) for name in names]


# The person's own transactions.


def test_conversation_loses_personal_data_and_preserves_costs() -> None:
    notification = text_from(BOB, "hello", "AA-SI-1", tag="bob", debit="0.013", currency="SGD")

    report = forget_person()

    assert (report.notifications, report.transactions, report.mentions) == (1, 1, 0)
    sms = Sms.objects.get()
    assert values(sms) == {
        "account": "default",
        "txn_ref": "AA-SI-1",
        "direction": "incoming",
        "is_final": True,
        "debit": Decimal("0.013"),
        "currency": "SGD",
        "part": f"redacted-{sms.pk}",
        "redacted_at": sms.redacted_at,
    }
    assert values(notification) == {
        "kind": "sms_received",
        "route": "sms",
        "account": "default",
        "txn_ref": "AA-SI-1",
        "source": "webhook",
        "redacted_at": notification.redacted_at,
    }


@pytest.mark.parametrize("party", ["dest1", "dest2", "dest", "from", "to"])
def test_person_is_found_in_every_number_parameter(party: str) -> None:
    received("", "voice", **{"txn_ref": "AA-C-1", "dest1": EVE, "dest2": OURS, "duration": "3", party: BOB})

    report = forget_person()

    call = Call.objects.get()
    assert (report.transactions, state(call, "dest1", "dest2", "remote_number", "duration")) == (1, ["", "", "", 3])


def test_all_notifications_of_the_call_are_redacted_even_without_the_number() -> None:
    first = received("", "ivr", txn_ref="AA-C-1", session="S1", from_=BOB, to=OURS, call_state="ringing")
    second = received("", "ivr", session="S1", digits="1234", call_state="ongoing")
    third = received("", "ivr", txn_ref="AA-C-1", record_url="https://x.example.com/secret", call_state="ongoing")
    other = received("", "ivr", txn_ref="AA-C-2", session="S2", digits="1234", call_state="ongoing")

    report = forget_person()

    assert (report.notifications, report.transactions) == (3, 1)
    assert [state(each, "params") for each in (first, second, third)] == [[{}], [{}], [{}]]
    assert state(other, "params") == [{"txn_ref": "AA-C-2", "session": "S2", "digits": "1234", "call_state": "ongoing"}]


def test_notification_that_came_before_its_call_is_redacted_with_it() -> None:
    early = received("", "ivr", session="S1", digits="1234", call_state="ongoing")
    received("", "ivr", txn_ref="AA-C-1", session="S1", from_=BOB, to=OURS, call_state="ringing")
    assert early.call is None

    report = forget_person()

    assert (report.notifications, report.transactions, state(early, "params")) == (2, 1, [{}])


def test_call_is_found_even_if_a_later_report_has_another_number() -> None:
    received("", "voice", txn_ref="AA-C-1", dest1=BOB, call_status_dest1="answered")
    received("", "voice", txn_ref="AA-C-1", dest1=EVE, call_status_dest1="answered")

    report = forget_person()

    assert (report.notifications, report.transactions, Call.objects.get().dest1) == (2, 1, "")


def test_sent_transaction_without_a_notification_is_found() -> None:
    sms = enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": BOB, "msg": "hello", "tag": "bob"})

    assert forget_person().transactions == 1
    assert state(sms, "dest", "msg", "tag", "remote_suffix") == ["", "", "", ""]


def test_notification_that_made_no_row_is_found() -> None:
    notification = received("", "any", from_=BOB)

    assert (forget_person().notifications, state(notification, "kind", "params")) == (1, ["unknown", {}])


# Mentions by other people.


def test_mention_is_removed_and_the_rest_stays() -> None:
    notification = text_from(EVE, "call +65 6123-4567 or me", "AA-SI-1", tag="6561234567", x_note="bob 006561234567")

    report = forget_person()

    assert (report.notifications, report.transactions, report.mentions) == (0, 0, 2)
    assert state(Sms.objects.get(), "msg", "tag", "remote_number", "redacted_at") == [
        "call removed or me",
        "removed",
        EVE,
        None,
    ]
    params, pass_on, body = state(notification, "params", "pass_on", "body")
    assert params["msg"] == "call removed or me"
    assert pass_on == {"x_note": "bob removed"}
    assert bytes(body).decode() == form(
        txn_ref="AA-SI-1", msg="call removed or me", from_=EVE, to=OURS, tag="removed", x_note="bob removed"
    )


def test_notification_with_a_removed_mention_can_be_reparsed() -> None:
    text_from(EVE, "call +6561234567", "AA-SI-1")
    forget_person()
    before = everything_stored()

    report = reparse()

    assert (report.read, report.changed, report.states, everything_stored() == before) == (1, 0, 0, True)


@pytest.mark.parametrize(
    "query",
    [
        "x=%2B6561234567",
        "x=%252B6561234567",
        "x=+6561234567",
        "x=6561234567&y=1",
        "x=006561234567",
        "x=%2B65+6123+4567",
        "x=%2B65%206123%2D4567",
        "x=%36%35%36%31%32%33%34%35%36%37",
    ],
)
def test_every_spelling_is_found_in_the_raw_text(query: str) -> None:
    notification = received(query, "sms", txn_ref="AA-S-1", sms_status="delivered", dest=EVE)

    forget_person()

    assert "6123" not in repr(values(notification)).replace(" ", "").replace("+", "")
    assert state(notification, "kind", "redacted_at") == ["sms_status", None]


def test_json_body_is_searched() -> None:
    body = '{"txn_ref":"AA-S-1","sms_status":"delivered","dest":"\\u002B6587654321","x":"\\u002b65 6123 4567"}'
    notification = ingest(raw_notification("sms", "", body)).notification

    forget_person()

    assert state(notification, "pass_on") == [{"x": "removed"}]
    assert bytes(notification.body).decode() == body.replace("\\u002b65 6123 4567", "removed")


@pytest.mark.parametrize("gap", ["\u00a0", "\u2011", "\u2013", "\u202f", "\u3000", "\\u2011", "\\\\x2d"])
def test_number_is_found_in_the_escapes_of_each_database(gap: str) -> None:
    # SQLite and MariaDB store JSON as ASCII, and a traceback quotes values as Python writes them.
    number = f"+65{gap}6123{gap}4567"
    notification = received("", "sms", txn_ref="AA-S-1", sms_status="delivered", dest=EVE, x=number)
    traceback = f"KeyError: {number!r} {number!a}"
    failure = ReceiverFailure.objects.create(notification=notification, signal="a", receiver="a", traceback=traceback)

    forget_person()

    assert "4567" not in repr([values(notification), values(failure)])
    assert notification.params["dest"] == EVE


def test_digest_of_a_text_goes_with_the_mention() -> None:
    for text in ("call +6561234567", "second"):
        text_from(EVE, text, "AA-SI-1")
    before = list(Sms.objects.order_by("pk").values_list("part", flat=True))

    forget_person()

    first, second = Sms.objects.order_by("pk")
    assert (first.part, second.part) == (f"redacted-{first.pk}", before[1])


def test_uuid_derived_from_a_polled_entry_is_replaced() -> None:
    polled = ingest(
        raw_notification(
            "sms", "", form(txn_ref="AA-S-1", sms_status="delivered", dest=EVE, tag=BOB), source=Source.POLL
        )
    ).notification
    name = polled.uuid

    forget_person()

    assert state(polled, "uuid") != [name]


def test_traceback_and_problems_are_searched() -> None:
    notification = ingest(
        raw_notification(
            "sms",
            "",
            form(txn_ref="AA-S-1", sms_status="delivered", dest=EVE),
            headers={"User-Agent": "x 6561234567"},
            problems={"token": "of 6561234567"},
            pass_on={"phone": 6561234567},
        )
    ).notification
    failure = ReceiverFailure.objects.create(
        notification=notification, signal="sms_status", receiver="a", traceback="KeyError: '+6561234567'"
    )

    assert forget_person().mentions == 2
    assert state(failure, "traceback") == ["KeyError: 'removed'"]
    assert state(notification, "headers", "problems", "pass_on") == [
        {"User-Agent": "x removed"},
        {"token": "of removed"},
        {"phone": "removed"},
    ]


def test_unrelated_numbers_stay() -> None:
    for number, other in enumerate(("+85261234567", "+16561234567", "+65612345678", "61234567", EVE)):
        text_from(other, f"I am {other}", f"AA-SI-{number}")
    before = everything_stored()

    report = forget([BOB])

    assert (report.notifications, report.transactions, report.mentions) == (0, 0, 0)
    assert everything_stored() == before


def test_national_number_is_forgotten_if_it_is_given_too() -> None:
    text_from("61234567", "hello", "AA-SI-1")

    assert forget_person(BOB, "6123 4567").transactions == 1


def test_second_run_finds_nothing() -> None:
    text_from(BOB, "hello", "AA-SI-1")
    text_from(EVE, "call +6561234567", "AA-SI-2")
    forget_person()
    before = everything_stored()

    report = forget_person()

    assert (report, everything_stored()) == (ForgetResult(), before)


def test_mention_that_another_process_has_removed_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    text_from(EVE, "call +6561234567", "AA-SI-1")
    lock = forgetting.lock

    def remove_before(rows: Any, column: str) -> None:
        if rows.model is Sms:
            Sms.objects.update(msg="removed")
        lock(rows, column)

    monkeypatch.setattr(forgetting, "lock", remove_before)

    assert forget_person().mentions == 1


def test_many_rows_are_scanned_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_hoiio.retention.batches.KEYS_PER_PAGE", 3)
    for number in range(10):
        text_from(BOB if number % 2 else EVE, "hello", f"AA-SI-{number}")

    assert (forget_person().transactions, Sms.objects.filter(remote_number=EVE).count()) == (5, 5)


def test_batch_is_committed_completely_or_not_at_all() -> None:
    notification = text_from(BOB, "hello", "AA-SI-1")

    with failing("UPDATE django_hoiio_sms", DataError()), pytest.raises(DataError):
        forget([BOB])

    assert state(notification, "redacted_at") == [None]


# Pending notifications.


def test_forgotten_notification_runs_no_receivers(settings: Any) -> None:
    notification = text_from(BOB, "hello", "AA-SI-1")
    long_ago = NOW - timedelta(hours=1)
    Notification.objects.update(dispatched_at=None, claimed_until=long_ago)
    ReceiverFailure.objects.create(
        notification=notification, signal="sms_received", receiver="a", attempts=1, failed_at=long_ago
    )
    forget_person()

    report = recover()

    assert (report.dispatched, sum(report.receivers.values()), report.is_incomplete) == (0, 0, False)
    assert reparse(dispatch=True).read == 0


# The spool.


@pytest.fixture
def folder(settings: Any) -> Path:
    path: Path = settings.HOIIO["SPOOL_DIR"]
    return path


def spooled(folder: Path, query: str = "", **params: str) -> tuple[RawNotification, Path]:
    one = raw_notification(
        "sms", query, form(**params), pass_on={"user": "x"}, remote_addr="192.0.2.1", verified_by=VerifiedBy.URL
    )
    return one, spool.store(one, folder)


def test_file_of_the_person_preserves_costs(folder: Path) -> None:
    params = {"txn_ref": "AA-SI-1", "msg": "hello", "from": BOB, "to": OURS, "debit": "0.013", "x_bob": "bob"}
    one, path = spooled(folder, "y=bob", **params)

    report = forget_person()

    assert (report.files, sorted(folder.iterdir())) == (1, [path])
    left = spool.load(path)
    assert (left.uuid, left.received_at, left.verified_by, left.route) == (
        one.uuid,
        one.received_at,
        one.verified_by,
        one.route,
    )
    assert left.body == b"txn_ref=AA-SI-1&msg=&from=&to=&debit=0.013"
    assert (left.query, left.remote_addr, left.pass_on) == ("", "", {})
    assert parse(left).kind == Kind.SMS_RECEIVED
    assert (recover().stored, Sms.objects.get().debit) == (1, Decimal("0.013"))


@pytest.mark.parametrize("caller", [BOB, EVE])
def test_block_stays_and_so_does_the_kind(folder: Path, caller: str) -> None:
    """A block is no personal data, even if a key in it looks like the number."""
    block = {"kind": "ivr_play", "run": "6561234567"}
    body = form(txn_ref="AA-C-1", session="S1", call_state="ongoing", from_=caller, to=OURS, x=BOB)
    path = spool.store(raw_notification("ivr", "", body, block=block), folder)
    notification = ingest(raw_notification("ivr", "", body, block=block)).notification

    assert forget([BOB]).files == 1

    left = spool.load(path)
    assert (left.block, parse(left).kind) == (block, Kind.IVR_PLAY)
    assert state(notification, "block", "kind") == [block, Kind.IVR_PLAY]
    assert BOB not in parse(left).pass_on.values()


def test_file_that_mentions_the_number_loses_the_number_alone(folder: Path) -> None:
    _, path = spooled(folder, "y=6561234567", txn_ref="AA-SI-1", msg="call +6561234567", from_=EVE, to=OURS)

    assert forget_person().files == 1

    left = spool.load(path)
    assert left.query == "y=removed"
    assert left.body.decode() == form(txn_ref="AA-SI-1", msg="call removed", from_=EVE, to=OURS)
    assert left.pass_on == {"user": "x"}


def test_other_files_are_not_written_to(folder: Path) -> None:
    _, path = spooled(folder, txn_ref="AA-SI-1", msg="hello", from_=EVE, to=OURS)
    before = path.stat().st_mtime_ns, path.read_bytes()

    assert (forget_person().files, path.stat().st_mtime_ns, path.read_bytes()) == (0, *before)


def test_quarantined_file_is_searched(folder: Path) -> None:
    _, path = spooled(folder, txn_ref="AA-SI-1", msg="hello", from_=BOB, to=OURS)
    spool.quarantine(path)

    assert forget_person().files == 1

    (left,) = folder.iterdir()
    assert left.name == path.with_suffix(".quarantined").name
    assert spool.load(left).body == b"txn_ref=AA-SI-1&msg=&from=&to="


def test_unreadable_spool_entries_are_reported_and_the_others_are_erased(folder: Path) -> None:
    _, path = spooled(folder, txn_ref="AA-SI-1", msg="hello", from_=BOB, to=OURS)
    (folder / "a.json").mkdir()
    (folder / "b.json").write_text('{"uuid": ' + "[" * 200_000 + "6561234567")
    (folder / "c.json").symlink_to(folder / "nowhere")
    (folder / "d.quarantined").mkdir()
    (folder / "e.json").write_bytes(b"\xff\xfe from +65 6123 4567")

    report = forget_person()

    assert (report.files, sorted(report.unreadable)) == (1, ["a.json", "b.json", "c.json", "d.quarantined", "e.json"])
    assert BOB not in str(spool.load(path))


@pytest.mark.parametrize(
    "text", ["+65 - (6123) 4567", "+65    6123    4567", "+65\n\n\n\n6123\t\t\t\t4567", "65 . . . . 6123 ---- 4567"]
)
def test_number_with_many_separators_is_found(text: str) -> None:
    remaining = text_from(EVE, f"call {text} now", "AA-SI-1")

    forget_person()

    remaining.refresh_from_db()
    assert remaining.params["msg"] == "call removed now"


def test_file_that_cannot_be_read_is_named(folder: Path) -> None:
    folder.mkdir()
    (folder / "a.quarantined").write_text("from +65 6123 4567")
    (folder / "b.quarantined").write_text("from nobody")

    assert forget_person().unreadable == ["a.quarantined"]


def _folder(path: Path) -> None:
    path.mkdir()


def _nested(path: Path) -> None:
    path.write_text('{"a":' + "[" * 200_000)


def _nested_and_whole(path: Path) -> None:
    path.write_text('{"a":' + "[" * 200_000 + "]" * 200_000 + "}")


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def _not_utf_8(path: Path) -> None:
    path.write_bytes(b'{"query": "\xff"}')


def _valid(path: Path) -> str:
    one = raw_notification("sms", "", form(txn_ref="AA-SI-1", msg="hello", from_=BOB, to=OURS))
    return spool.store(one, path.parent).rename(path).read_text()


def _damaged(path: Path) -> None:
    path.write_text(_valid(path)[:-2])


def _of_other_types(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(_valid(path)), "query": 7}))


def _half_a_character(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(_valid(path)), "query": "\ud800"}))


def _huge_number(path: Path) -> None:
    path.write_text('{"query": ' + "1" * 1_000_000 + "}")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("ending", [".json", ".quarantined"])
@pytest.mark.parametrize(
    "make",
    [
        _folder,
        _nested,
        _nested_and_whole,
        _dangling,
        _link_to_itself,
        _not_utf_8,
        _damaged,
        _of_other_types,
        _half_a_character,
        _huge_number,
        _pipe,
    ],
)
def test_invalid_spool_files_are_reported_and_the_others_are_erased(
    make: Callable[[Path], None], ending: str, folder: Path
) -> None:
    folder.mkdir()
    make(folder / f"00{ending}")
    _, path = spooled(folder, txn_ref="AA-SI-1", msg="hello", from_=BOB, to=OURS)

    report = forget_person()

    assert (report.files, report.unreadable) == (1, [f"00{ending}"])
    assert spool.load(path).body == b"txn_ref=AA-SI-1&msg=&from=&to="


def test_file_that_cannot_be_opened_is_reported_and_the_others_are_erased(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, locked = spooled(folder, txn_ref="AA-SI-1", msg="hello", from_=BOB, to=OURS)
    spooled(folder, txn_ref="AA-SI-2", msg="hello", from_=BOB, to=OURS)
    read_text = Path.read_text

    def read(path: Path, *arguments: Any, **options: Any) -> str:
        if path == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return read_text(path, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", read)

    report = forget_person()

    assert (report.files, report.unreadable) == (1, [locked.name])


def test_folder_named_like_a_temporary_file_is_reported(folder: Path) -> None:
    (folder / "old.part").mkdir(parents=True)
    os.utime(folder / "old.part", (0, 0))

    assert forget_person().unreadable == ["old.part"]


def test_half_written_file_of_a_crash_is_deleted(folder: Path) -> None:
    folder.mkdir()
    for name, age in (("old.part", LEFT_AFTER + 5), ("new.part", 0)):
        (folder / name).write_text("{")
        moment = datetime.now(timezone.utc).timestamp() - age
        os.utime(folder / name, (moment, moment))

    forget_person()

    assert [path.name for path in folder.iterdir()] == ["new.part"]


def test_file_imported_during_the_run_is_erased_in_the_database(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spooled(folder, txn_ref="AA-SI-1", msg="hello", from_=BOB, to=OURS)
    load = spool.load

    def loaded_while_drained(path: Path) -> RawNotification:
        one = load(path)
        monkeypatch.setattr(spool, "load", load)
        assert recover().stored == 1
        return one

    monkeypatch.setattr(spool, "load", loaded_while_drained)

    forget_person()

    assert (recover().known, Sms.objects.get().msg, list(folder.iterdir())) == (1, "", [])


def test_file_imported_after_the_notifications_were_scanned_is_erased(folder: Path) -> None:
    one, _ = spooled(folder, "y=6561234567", txn_ref="AA-S-1", sms_status="delivered", dest=EVE)
    walks: list[str] = []

    def meanwhile(things: Any, what: str) -> Any:
        yield from things
        walks.append(what)
        if walks.count("notifications") == 1 and what == "notifications":
            ingest(one)

    assert forget([BOB], progress=meanwhile).mentions == 1

    assert everything_stored().count("6561234567") == 0


def test_file_deleted_meanwhile_is_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, path = spooled(folder, txn_ref="AA-SI-1", msg="hello", from_=EVE, to=OURS)
    monkeypatch.setattr(spool, "pending", lambda folder: [path])
    path.unlink()

    assert forget_person().files == 0


def test_temporary_file_that_is_renamed_meanwhile_is_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "unfinished", lambda folder: [folder / "20260101-gone.part"])

    assert forget_person() == ForgetResult()


# The command.


def command(*arguments: str, answer: str = "", is_terminal: bool = True) -> str:
    """Run the command and return its output, which never contains the number."""
    out, standard = io.StringIO(), io.StringIO(answer)
    standard.isatty = lambda: is_terminal  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", standard)
        patch.setattr(sys, "stdout", out)
        call_command("hoiio_forget", *arguments, stdout=out, stderr=out)
    assert "1234567" not in out.getvalue()
    return out.getvalue()


DONE = (
    "Redacted 1 notifications and 1 calls, SMS and faxes; removed the numbers from 0 more rows and 0 files of the"
    " spool.\n"
)


def test_command_reports_what_it_erased() -> None:
    text_from(BOB, "hello", "AA-SI-1")

    assert command(BOB, "--no-input") == DONE


@pytest.mark.parametrize("answer", ["y\n", "Yes\n"])
def test_command_requires_confirmation_on_a_terminal(answer: str) -> None:
    text_from(BOB, "hello", "AA-SI-1")

    output = command(BOB, answer=answer)

    assert (
        output
        == f"At least 1 calls, SMS and faxes are with these numbers. This cannot be undone.\nErase them? [y/N] {DONE}"
    )


@pytest.mark.parametrize("answer", ["\n", "n\n", "no\n", "yeah\n"])
def test_command_forgets_nothing_without_a_yes(answer: str) -> None:
    text_from(BOB, "hello", "AA-SI-1")

    with pytest.raises(CommandError, match=r"^Nothing was erased\.$"):
        command(BOB, answer=answer)

    assert Sms.objects.get().msg == "hello"


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        ([BOB], "This cannot be undone, and there is no terminal to confirm it"),
        (["-"], "The numbers are read from the standard input, so there is no confirmation"),
    ],
)
def test_command_refuses_to_run_without_a_terminal_to_confirm(arguments: list[str], cure: str) -> None:
    text_from(BOB, "hello", "AA-SI-1")

    with pytest.raises(CommandError, match=f"^{cure}.*; add --no-input\\.$"):
        command(*arguments, answer=f"{BOB}\n", is_terminal=False)

    assert Sms.objects.get().msg == "hello"


def test_command_reads_numbers_from_a_pipe() -> None:
    text_from(BOB, "hello", "AA-SI-1")

    assert command("-", "--no-input", answer=f"{BOB}\n\n", is_terminal=False) == DONE


def test_command_reads_numbers_from_a_terminal() -> None:
    text_from(BOB, "hello", "AA-SI-1")

    assert command("-", answer=f"{BOB}\n{EVE}\n\ny\n").endswith(DONE)


@pytest.mark.parametrize("number", ["bob", "12345", "+65 6123 456x"])
def test_command_refuses_an_invalid_number_without_quoting_it(number: str) -> None:
    with pytest.raises(CommandError) as raised:
        command(number, "--no-input")

    assert str(raised.value) == (
        "One of the numbers is not a phone number with 7 or more digits; write it as +6511111111."
    )


def test_command_names_files_that_it_cannot_read(folder: Path) -> None:
    folder.mkdir()
    (folder / "a.quarantined").write_text("from +65 6123 4567")

    with pytest.raises(SystemExit) as raised:
        command(BOB, "--no-input")

    assert raised.value.code == 1


@pytest.mark.parametrize(
    ("error", "output"),
    [
        (
            OperationalError("near +6561234567"),
            "The database is unavailable (OperationalError); run the command again later.",
        ),
        (
            PermissionError(13, "Permission denied", "/x"),
            "The spool cannot be written to (Permission denied); run the command again.",
        ),
    ],
)
def test_command_reports_errors_without_quoting_them(
    error: Exception, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr("django_hoiio.management.commands.hoiio_forget.forget", fail)

    with pytest.raises(CommandError) as raised:
        command(BOB, "--no-input")

    assert (str(raised.value), raised.value.__suppress_context__) == (output, True)


def test_transactions_are_counted_by_remote_party() -> None:
    text_from(BOB, "hello", "AA-SI-1")
    text_from("+85261234567", "hello", "AA-SI-2")
    received("", "voice", txn_ref="AA-C-1", dest1=OURS, dest2=BOB)

    assert (conversations_with([BOB]), conversations_with(["0065 6123 4567", EVE])) == (2, 2)


def test_log_never_holds_the_number(caplog: pytest.LogCaptureFixture) -> None:
    text_from(BOB, "hello", "AA-SI-1")
    with caplog.at_level("DEBUG", logger="django_hoiio"):
        command(BOB, "--no-input")

    assert "1234567" not in caplog.text
