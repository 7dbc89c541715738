"""What a reconciliation makes of what Hoiio answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import pytest
from django.db.models import Model

from django_hoiio import inbox, reconciliation
from django_hoiio.client import HoiioClient
from django_hoiio.enums import Channel, Kind, Route, Source
from django_hoiio.models import Call, Fax, HighWaterMark, Notification, Sms
from django_hoiio.parsing.parameters import HOIIO_TIME
from django_hoiio.progress import no_progress
from django_hoiio.reconciliation import Found, ReconciliationResult, diff, overdue, reconcile
from django_hoiio.reconciliation.reader import ApiReader, Entry
from django_hoiio.recording.sending import enter
from django_hoiio.recovery import reparse
from django_hoiio.retention.redaction import redact_notifications, redact_transactions
from tests.conftest import raw_notification, values
from tests.fake_hoiio import Hoiio, Request

pytestmark = pytest.mark.django_db

Said = dict[str, Any]
OUT, OWN = "+6511111111", "+6533333333"
MONEY = {"date": "2026-06-06 11:15:20", "currency": "SGD", "rate": "0.032", "debit": "0.032"}
SMS = {"txn_ref": "AA-S-1", "tag": "", "dest": OUT, "src": OWN, "split_count": "1", "msg": "hello", **MONEY}
SMS_IN = {"txn_ref": "AA-SI-1", "sms_status": "received", "src": OUT, "dest": OWN, "msg": "hi", **MONEY}
CALL = {
    "txn_ref": "AA-C-1",
    "dest1": OUT,
    "dest2": OWN,
    "call_status_dest1": "answered",
    "call_status_dest2": "busy",
    **MONEY,
    "duration": "2",
}
FAX = {"txn_ref": "AA-C-2", "src": None, "dest": OUT, "fax_status": "answered", "fax_pages": "3", **MONEY}
FAX_IN = {**FAX, "src": OUT, "dest": OWN, "fax_url": "https://files.hoiio.test/1"}


@dataclass
class Histories:
    """Answers by path: pages of entries, and how single transactions stand."""

    hoiio: Hoiio
    pages: dict[str, list[list[Said]]] = field(default_factory=dict)
    statuses: dict[str, Any] = field(default_factory=dict)
    # Instead of the right one.
    totals: dict[str, str | None] = field(default_factory=dict)
    # Path → what is answered whatever is asked.
    broken: dict[str, Any] = field(default_factory=dict)

    def answer(self, request: Request) -> Any:
        path = request.path.removeprefix("/open/")
        channel, _, question = path.partition("/")
        if path in self.broken:
            return self.broken[path]
        if question == "query_status":
            said = self.statuses[request.params["txn_ref"]]
            return said if isinstance(said, tuple | bytes) else {"status": "success_ok", **said}
        pages = self.pages.get(channel, [])
        number = int(request.params["page"])
        entries = pages[number - 1] if number <= len(pages) else []
        total = self.totals.get(channel, str(sum(map(len, pages))))
        counts = {"entries_count": str(len(entries)), **({} if total is None else {"total_entries_count": total})}
        return {"status": "success_ok", **counts, "entries": entries}

    def asked(self, path: str) -> list[dict[str, str]]:
        return [request.params for request in self.hoiio.requests if request.path == f"/open/{path}"]


@pytest.fixture
def says(hoiio: Hoiio, settings: Any) -> Histories:
    settings.HOIIO = {**settings.HOIIO, "RECONCILE_REQUESTS_PER_MINUTE": 1000}
    histories = Histories(hoiio)
    hoiio.meanwhile = lambda request: hoiio.says(histories.answer(request))
    return histories


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client waits for nothing before it asks again."""
    monkeypatch.setattr("django_hoiio.client.connection.RETRY_DELAYS", (0, 0))


def run(**arguments: Any) -> ReconciliationResult:
    return reconcile(**{"accounts": ["default"], **arguments})


def came(route: str, body: str, **fields: Any) -> None:
    """Take in a notification as the view does."""
    inbox.receive(raw_notification(route, body=body, **fields))


Heard = list[tuple[str, dict[str, Any]]]


def names(heard: Heard) -> list[str]:
    return [name for name, _ in heard if name != "notification_received"]


def state(row: Model) -> dict[str, Any]:
    """What a row says of its transaction, without the money."""
    return {name: value for name, value in values(row).items() if name not in ("account", "date", "currency", "rate")}


def news_of(says: Histories, channel: str, entry: Said) -> ReconciliationResult:
    says.pages[channel] = [[entry]]
    return run()


# What was removed.


@pytest.mark.parametrize(
    ("channel", "entry", "model"), [("sms", SMS_IN, Sms), ("fax", {**FAX_IN, "txn_ref": "AA-F-1"}, Fax)]
)
def test_what_was_blanked_does_not_come_back_from_history(
    says: Histories, heard: Heard, channel: str, entry: Said, model: Any
) -> None:
    news_of(says, channel, entry)
    redact_notifications(Notification.objects.values_list("pk", flat=True), "default")
    redacted = redact_transactions(model, model.objects.values_list("pk", flat=True), "default")
    heard.clear()

    report = run(since=datetime.now(timezone.utc) - timedelta(hours=1))

    assert (redacted, report.found[Found.MISSING] + report.found[Found.CHANGED], heard) == (1, 0, [])
    assert (Notification.objects.count(), model.objects.get().from_number) == (1, "")


# What never came.


def test_sms_of_which_nothing_came_is_taken_in_as_hoiio_said_it(says: Histories, heard: Heard) -> None:
    report = news_of(says, "sms", {**SMS, "sms_status": "delivered"})

    kept = Notification.objects.get()
    assert (kept.kind, kept.source, kept.route) == (Kind.SMS_STATUS, Source.POLL, Route.SMS)
    assert (kept.pass_on, kept.problems, kept.query) == ({}, {}, "")
    assert dict(parse_qsl(bytes(kept.body).decode(), keep_blank_values=True)) == {**SMS, "sms_status": "delivered"}
    assert kept.params == {name: text for name, text in {**SMS, "sms_status": "delivered"}.items() if name != "src"}
    row = Sms.objects.get()
    assert (row.sms_status, row.is_final, row.dest, row.direction, row.msg) == (
        "delivered",
        True,
        OUT,
        "outgoing",
        "hello",
    )
    assert row.date == datetime(2026, 6, 6, 11, 15, 20, tzinfo=HOIIO_TIME)
    assert [(name, told["sms"]) for name, told in heard] == [("sms_status", row), ("notification_received", row)]
    assert str(report) == (
        "Asked Hoiio 3 times: 1 entries of history and 0 overdue (0 of them unknown to Hoiio)."
        " Took in 1: 1 were missing, 0 had gone on. 0 could not be asked."
    )


@pytest.mark.parametrize(
    ("channel", "entry", "signal", "model", "expected"),
    [
        (
            "sms",
            SMS_IN,
            "sms_received",
            Sms,
            {"from_number": OUT, "to_number": OWN, "msg": "hi", "remote_number": OUT},
        ),
        # A second hint, where no status tells.
        (
            "sms",
            {**SMS_IN, "sms_status": "", "msg": ""},
            "sms_received",
            Sms,
            {"from_number": OUT, "to_number": OWN, "remote_number": OUT},
        ),
        # Who wrote is not told.
        ("sms", {**SMS_IN, "src": None}, "sms_received", Sms, {"to_number": OWN, "msg": "hi"}),
        (
            "voice",
            CALL,
            "call_ended",
            Call,
            {"dest1": OUT, "dest2": OWN, "call_status_dest1": "answered", "call_status_dest2": "busy"},
        ),
        # A leg of a conference, as it is notified.
        (
            "voice",
            {"txn_ref": "AA-C-1", "dest1": OUT, "call_status_dest1": "answered", "room": "R1", "duration": "2"},
            "call_ended",
            Call,
            {"dest": OUT, "call_status": "answered", "room": "R1"},
        ),
        # A call that came in.
        (
            "voice",
            {"txn_ref": "AA-C-1", "dest1": OUT, "number": OWN, "call_status_dest1": "unanswered", "duration": "0"},
            "ivr_ended",
            Call,
            {"from_number": OUT, "to_number": OWN, "call_state": "ended", "duration": 0},
        ),
        ("fax", FAX, "fax_status", Fax, {"dest": OUT, "fax_status": "answered", "fax_pages": 3}),
        (
            "fax",
            FAX_IN,
            "fax_received",
            Fax,
            {"from_number": OUT, "to_number": OWN, "fax_url": "https://files.hoiio.test/1"},
        ),
        ("fax", {**FAX, "fax_status": "ongoing"}, "fax_status", Fax, {"fax_status": "ongoing"}),
        ("sms", {**SMS, "sms_status": "lost at sea"}, "sms_status", Sms, {"sms_status": "lost at sea"}),
    ],
)
def test_missing_transaction_is_told_once_and_a_second_run_changes_nothing(
    says: Histories, heard: Heard, channel: str, entry: Said, signal: str, model: Any, expected: Said
) -> None:
    report = news_of(says, channel, entry)
    row = model.objects.get()
    before = values(row)

    assert report.found == {Found.MISSING: 1}
    assert {name: getattr(row, name) for name in expected} == expected
    assert names(heard) == [signal]

    assert set(run().found) == {Found.KNOWN}
    assert (values(row), names(heard), Notification.objects.count()) == (before, [signal], 1)


@pytest.mark.parametrize(
    ("channel", "entry"),
    [
        ("voice", {**CALL, "call_status_dest2": "ongoing"}),
        ("voice", {**CALL, "call_status_dest1": "", "call_status_dest2": "", "duration": ""}),
        ("voice", {**CALL, "call_status_dest2": "on hold", "duration": None}),
        ("voice", {"txn_ref": "AA-C-1", "dest1": OUT, "number": OWN, "call_status_dest1": "ongoing"}),
        ("fax", {**FAX_IN, "fax_status": "ongoing"}),
        ("sms", {**SMS, "txn_ref": None}),
        ("sms", {**SMS, "txn_ref": "x" * 65, "sms_status": "delivered"}),
    ],
)
def test_what_hoiio_would_not_have_told_yet_or_has_no_name_is_left(
    says: Histories, heard: Heard, channel: str, entry: Said
) -> None:
    news_of(says, channel, entry)

    assert (Notification.objects.count(), Call.objects.count(), Fax.objects.count(), heard) == (0, 0, 0, [])


# What has gone on.


def test_final_status_that_never_came_is_told_after_the_one_that_did(says: Histories, heard: Heard) -> None:
    came("sms", "txn_ref=AA-S-1&sms_status=queued&dest=%2B6511111111&debit=0.032")

    report = news_of(says, "sms", {**SMS, "sms_status": "failed"})

    assert report.found == {Found.CHANGED: 1}
    assert [told["notification"].params["sms_status"] for name, told in heard if name == "sms_status"] == [
        "queued",
        "failed",
    ]
    assert (Sms.objects.get().sms_status, Sms.objects.get().is_final) == ("failed", True)


def test_what_was_sent_and_never_told_of_is_told(says: Histories, heard: Heard) -> None:
    enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": OUT, "msg": "hello", "tag": "order-17"})

    news_of(says, "sms", {**SMS, "sms_status": "delivered"})

    row = Sms.objects.get()
    assert (row.sms_status, row.tag, names(heard)) == ("delivered", "order-17", ["sms_status"])


@pytest.mark.parametrize(
    ("body", "entry"),
    [
        ("sms_status=delivered", {**SMS, "sms_status": "queued"}),
        ("sms_status=failed&debit=0", {**SMS, "sms_status": "on its way"}),
        # Only history tells the text, and it tells it in other words.
        ("sms_status=delivered&debit=0.0320&date=2026-06-06+11:15:20.5", {**SMS, "sms_status": "delivered"}),
    ],
)
def test_older_or_richer_words_of_history_are_no_news(says: Histories, heard: Heard, body: str, entry: Said) -> None:
    came("sms", f"txn_ref=AA-S-1&{body}")
    before = values(Sms.objects.get())
    heard.clear()

    news_of(says, "sms", entry)

    assert (values(Sms.objects.get()), heard) == (before, [])


@pytest.mark.parametrize(
    ("route", "body", "channel", "entry"),
    [
        ("sms", "from=%2B6511111111&to=%2B6533333333&msg=hi&debit=0.013", "sms", {**SMS_IN, "tag": "t"}),
        # The texts of a long SMS that came in.
        ("sms", "from=%2B6511111111&to=%2B6533333333&msg=hi+and+bye", "sms", SMS_IN),
        ("fax", "from=%2B6511111111&fax_url=https://files.hoiio.test/signed-before", "fax", FAX_IN),
        ("voice", "dest=%2B6511111111&call_status=answered&duration=2&debit=0.032", "voice", {**CALL, "dest2": ""}),
    ],
)
def test_what_came_whole_is_not_told_again(
    says: Histories, heard: Heard, route: str, body: str, channel: str, entry: Said
) -> None:
    came(route, f"txn_ref={entry['txn_ref']}&{body}")
    heard.clear()

    news_of(says, channel, entry)

    assert (heard, Notification.objects.count()) == ([], 1)


def test_text_of_an_incoming_sms_is_taken_in_where_it_was_missing(says: Histories, heard: Heard) -> None:
    news_of(says, "sms", {**SMS_IN, "msg": None})

    news_of(says, "sms", SMS_IN)

    assert ([row.msg for row in Sms.objects.all()], names(heard)) == (["hi"], ["sms_received", "sms_received"])


def test_correction_of_the_price_is_told(says: Histories, heard: Heard) -> None:
    came("sms", "txn_ref=AA-S-1&sms_status=failed&debit=0.032")
    heard.clear()

    news_of(says, "sms", {**SMS, "sms_status": "failed", "debit": "0.000"})

    assert (Sms.objects.get().debit, names(heard)) == (0, ["sms_status"])


# Interactive calls.

RINGING = "session=S1&txn_ref=AA-C-1&call_state=ringing&from=%2B6511111111&to=%2B6533333333"
ENDED = "session=S1&txn_ref=AA-C-1&call_state=ended&duration=2&debit=0.032"
INTERACTIVE = {"txn_ref": "AA-C-1", "dest1": OUT, "call_status_dest1": "answered", **MONEY, "duration": "2"}


def test_interactive_call_that_never_got_its_end_is_finished(says: Histories, heard: Heard) -> None:
    came("ivr", RINGING, pass_on={"username": "bob"})
    came("ivr", "session=S1&txn_ref=AA-C-1&call_state=ongoing&digits=1")
    heard.clear()

    news_of(says, "voice", INTERACTIVE)

    row = Call.objects.get()
    assert (row.call_state, row.is_final, row.duration, row.session) == ("ended", True, 2, "S1")
    assert (row.direction, row.remote_number, row.from_number, row.dest1, row.call_status_dest1) == (
        "incoming",
        OUT,
        OUT,
        "",
        "",
    )
    assert names(heard) == ["ivr_ended"]
    assert [n.params.get("digits") for n in row.notifications] == [None, "1", None]
    assert Notification.objects.filter(source=Source.WEBHOOK, pass_on__username="bob").count() == 1
    assert set(run().found) == {Found.KNOWN}


@pytest.mark.parametrize("entry", [INTERACTIVE, {**INTERACTIVE, "number": OWN}])
@pytest.mark.parametrize("ended", [ENDED, f"{ENDED}&ivr_block=record&record_url=x"])
def test_interactive_call_that_ended_is_not_told_again(says: Histories, heard: Heard, ended: str, entry: Said) -> None:
    came("ivr", RINGING)
    came("ivr", ended)
    heard.clear()

    news_of(says, "voice", entry)

    assert heard == []


def test_interactive_call_that_runs_is_left(says: Histories, heard: Heard) -> None:
    came("ivr", RINGING)
    heard.clear()

    news_of(says, "voice", {"txn_ref": "AA-C-1", "dest1": OUT, "call_status_dest1": "ongoing"})

    assert (Call.objects.get().call_state, heard) == ("ringing", [])


def test_dialled_call_keeps_its_direction_whatever_numbers_history_names(says: Histories) -> None:
    enter(Kind.IVR_DIAL, "default", "AA-C-1", {"dest": OUT, "session": "S1"})

    news_of(says, "voice", {**INTERACTIVE, "number": OWN})

    row = Call.objects.get()
    assert (row.direction, row.dest, row.from_number, row.call_state) == ("outgoing", OUT, "", "ended")


def test_call_that_history_alone_knows_stays_interactive(says: Histories, heard: Heard) -> None:
    news_of(says, "voice", {**INTERACTIVE, "number": OWN})

    news_of(says, "voice", {**INTERACTIVE, "number": OWN, "debit": "0.016"})

    row = Call.objects.get()
    assert (str(row.debit), row.call_status, row.dest, names(heard)) == ("0.016000", "", "", ["ivr_ended", "ivr_ended"])


def test_bulk_link_survives(says: Histories) -> None:
    came("sms", "status=success_ok&txn_ref=AA-S-1&bulk_txn_ref=AA-B-1&dest=%2B6511111111")

    news_of(says, "sms", {**SMS, "sms_status": "delivered", "status": "received by Hoiio"})

    row = Sms.objects.get()
    assert (row.bulk_txn_ref, row.status, row.sms_status) == ("AA-B-1", "success_ok", "delivered")


# At the same time.


def test_notification_that_comes_while_hoiio_is_asked_is_not_told_twice(says: Histories, heard: Heard) -> None:
    says.pages["sms"] = [[{**SMS, "sms_status": "delivered"}]]
    entry = Entry(
        account="default",
        channel=Channel.SMS,
        txn_ref="AA-S-1",
        said={**SMS, "sms_status": "delivered"},
        asked_at=datetime.now(timezone.utc),
    )
    came("sms", "txn_ref=AA-S-1&sms_status=delivered&debit=0.032")

    assert diff.ingest_entry(entry, dry_run=False) == Found.KNOWN
    assert names(heard) == ["sms_status"]


def test_answer_of_hoiios_does_not_undo_what_came_after_it_was_asked(says: Histories) -> None:
    asked_at = datetime.now(timezone.utc)
    entry = Entry(
        account="default",
        channel=Channel.SMS,
        txn_ref="AA-S-1",
        said={"txn_ref": "AA-S-1", "sms_status": "delivered"},
        asked_at=asked_at,
    )
    came("sms", "txn_ref=AA-S-1&sms_status=failed", received_at=asked_at + timedelta(milliseconds=1))

    assert diff.ingest_entry(entry, dry_run=False) == Found.KNOWN
    assert Sms.objects.get().sms_status == "failed"


def test_answer_bears_the_moment_before_hoiio_was_asked(says: Histories) -> None:
    says.pages["sms"] = [[{**SMS, "sms_status": "delivered"}]]
    answer, reached = says.answer, []

    def note(request: Request) -> None:
        reached.append(datetime.now(timezone.utc))
        says.hoiio.says(answer(request))

    says.hoiio.meanwhile = note
    before = datetime.now(timezone.utc)
    run()

    assert before < Notification.objects.get().received_at < reached[1]


def test_two_runs_at_once_keep_and_tell_one_arrival(
    says: Histories, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    news_of(says, "sms", {**SMS, "sms_status": "delivered"})
    # As the other run, which looked before this one wrote.
    monkeypatch.setattr(diff, "_rows_of", lambda entry: [])

    assert set(run().found) == {Found.KNOWN}
    assert (Notification.objects.count(), names(heard)) == (1, ["sms_status"])


def test_name_of_what_hoiio_said_is_guessed_by_nobody_without_the_key(says: Histories, settings: Any) -> None:
    # All but the number is shown to who may not see it, and a few of its digits: the rest would be tried in no time.
    now = datetime.now(timezone.utc)
    entry = Entry(account="default", channel=Channel.SMS, txn_ref="AA-S-1", said=SMS, asked_at=now)

    def name_under(key: str) -> UUID:
        settings.SECRET_KEY = key
        return diff.raw_of(entry, []).uuid

    first, second, again = map(name_under, ("one", "other", "one"))
    assert (first == again, first == second) == (True, False)


def test_raw_row_that_is_read_again_says_the_same(says: Histories) -> None:
    came("ivr", RINGING)
    says.pages = {"voice": [[INTERACTIVE]], "sms": [[SMS_IN]], "fax": [[FAX_IN]]}
    run()

    report = reparse()

    assert (report.read, report.changed, report.states, report.failed) == (4, 0, 0, 0)


# Which part of the history is read.


def moments(asked: list[dict[str, str]]) -> list[tuple[datetime, datetime]]:
    def moment(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=HOIIO_TIME)

    return [(moment(params["from"]), moment(params["to"])) for params in asked]


def test_first_run_reads_a_day_and_sets_the_marks(says: Histories) -> None:
    before = datetime.now(timezone.utc).replace(microsecond=0) - reconciliation.SETTLES
    run()
    after = datetime.now(timezone.utc) - reconciliation.SETTLES

    for channel in Channel:
        ((begin, end),) = moments(says.asked(f"{channel}/get_history"))
        mark = HighWaterMark.objects.get(account="default", channel=channel)
        assert (end - begin, mark.up_to, mark.overdue_up_to) == (timedelta(days=1), end, None)
        assert before <= end <= after


def test_later_run_reads_from_the_mark_with_an_overlap_day_by_day(says: Histories) -> None:
    up_to = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(days=2, hours=1)
    HighWaterMark.objects.create(account="default", channel="sms", up_to=up_to)

    run()

    spans = moments(says.asked("sms/get_history"))
    assert spans[0] == (up_to - timedelta(days=1), up_to)
    assert [end for _, end in spans[:-1]] == [begin for begin, _ in spans[1:]]
    assert len(spans) == 4
    assert HighWaterMark.objects.get(channel="sms").up_to == spans[-1][1]


@pytest.mark.parametrize(("days", "moves"), [(3, True), (1, False)])
def test_since_moves_the_mark_unless_it_leaves_a_gap(says: Histories, days: int, moves: bool) -> None:
    now = datetime.now(timezone.utc).replace(microsecond=0)
    HighWaterMark.objects.create(account="default", channel="sms", up_to=now - timedelta(days=2))

    run(since=now - timedelta(days=days))

    spans = moments(says.asked("sms/get_history"))
    assert spans[0][0] == now - timedelta(days=days)
    mark = HighWaterMark.objects.get(channel="sms").up_to
    assert mark == (spans[-1][1] if moves else now - timedelta(days=2))


def test_mark_stays_before_what_was_not_read(says: Histories, no_pauses: None) -> None:
    says.pages["sms"] = [[{**SMS, "sms_status": "delivered"}], [SMS_IN]]
    up_to = datetime.now(timezone.utc) - timedelta(days=1)
    HighWaterMark.objects.create(account="default", channel="sms", up_to=up_to)
    asked = says.answer

    def fail_on_page_2(request: Request) -> None:
        says.hoiio.says((500, b"oops", {}) if request.params.get("page") == "2" else asked(request))

    says.hoiio.meanwhile = fail_on_page_2
    report = run()

    assert (len(report.failures), Sms.objects.count(), HighWaterMark.objects.get(channel="sms").up_to) == (1, 1, up_to)


def test_dry_run_writes_nothing(says: Histories, heard: Heard) -> None:
    says.pages = {"sms": [[{**SMS, "sms_status": "delivered"}]], "voice": [[CALL]]}

    report = run(dry_run=True)

    assert (report.found, "Would take in 2: 2 were missing, 0 had gone on." in str(report)) == (
        {Found.MISSING: 2},
        True,
    )
    assert (Notification.objects.count(), Sms.objects.count(), HighWaterMark.objects.count(), heard) == (0, 0, 0, [])


def test_accounts_have_rows_and_marks_of_their_own(says: Histories) -> None:
    says.pages["sms"] = [[{**SMS, "sms_status": "delivered"}]]

    reconcile()

    assert sorted(Sms.objects.values_list("account", flat=True)) == ["default", "second"]
    assert HighWaterMark.objects.count() == 6
    assert {request.params["app_id"] for request in says.hoiio.requests} == {"app", "other-app"}


def test_mark_never_moves_back() -> None:
    now = datetime.now(timezone.utc)
    mark, other = (HighWaterMark.objects.of("default", Channel.SMS) for _ in range(2))
    mark.move("up_to", now)
    mark.move("overdue_up_to", now - timedelta(days=2))

    other.move("up_to", now - timedelta(days=1))

    kept = HighWaterMark.objects.get()
    assert (kept.up_to, kept.overdue_up_to) == (now, now - timedelta(days=2))
    assert (other.up_to, other.overdue_up_to) == (now, now - timedelta(days=2))
    assert str(kept) == "default sms"


# Pages.


def entry(number: int) -> Said:
    return {"txn_ref": f"AA-S-{number}", "sms_status": "delivered", "dest": OUT}


@pytest.mark.parametrize(
    ("pages", "total"),
    [
        # In order, in the other order, and mixed.
        ([range(100), range(100, 150)], "150"),
        ([range(149, 49, -1), range(49, -1, -1)], "150"),
        # A page that repeats, and pages that overlap because something came in before them.
        ([range(100), range(100), range(100, 150)], "150"),
        ([range(100), range(60, 150)], "150"),
        # Nobody says how many there are.
        ([range(100), range(100, 150)], None),
        # Smaller pages than promised.
        ([range(50), range(50, 100), range(100, 150)], "150"),
    ],
)
def test_each_transaction_is_taken_in_once_however_pages_come(
    says: Histories, heard: Heard, pages: list[range], total: str | None
) -> None:
    says.pages["sms"] = [[entry(number) for number in page] for page in pages]
    says.totals["sms"] = total

    report = run()

    assert (report.read, report.found) == (150, {Found.MISSING: 150})
    assert (Sms.objects.count(), len(names(heard)), Notification.objects.count()) == (150, 150, 150)


def test_history_that_gives_the_same_page_for_ever_is_left(says: Histories) -> None:
    says.pages["sms"] = [[entry(1)]] * 50
    says.totals["sms"] = "5000"

    report = run()

    assert (report.read, len(says.asked("sms/get_history"))) == (1, 3)
    assert "Hoiio counts 5000 entries from" in report.failures[0]


@pytest.mark.parametrize("pages", [[range(100), range(100)], [range(100), range(0), range(100, 250)]])
def test_mark_stays_before_a_span_of_which_hoiio_does_not_show_all(says: Histories, pages: list[range]) -> None:
    says.pages["sms"] = [[entry(number) for number in page] for page in pages]
    says.totals["sms"] = "250"
    up_to = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(days=2)
    HighWaterMark.objects.create(account="default", channel="sms", up_to=up_to)

    report = run()

    spans = moments(says.asked("sms/get_history"))
    # The later spans are read all the same.
    assert (report.read, Sms.objects.count()) == (100 * len(set(spans)), 100)
    assert len(report.failures) == len(set(spans)) > 1
    assert "Hoiio counts 250 entries from" in report.failures[0]
    assert "and showed 100; the next run reads them again." in report.failures[0]
    assert HighWaterMark.objects.get(channel="sms").up_to == up_to


def test_contradiction_within_a_run_is_settled_by_what_came_first(says: Histories, heard: Heard) -> None:
    says.pages["sms"] = [[{**entry(1), "sms_status": "failed"}], [entry(1)]]

    run()
    run()

    assert (Sms.objects.get().sms_status, names(heard)) == ("failed", ["sms_status"])


# What is overdue.


@pytest.fixture
def age(settings: Any) -> Callable[..., None]:
    settings.HOIIO = {**settings.HOIIO, "OVERDUE_AFTER": timedelta(hours=1)}

    def age(model: Any, **by: int) -> None:
        for row in model.objects.all():
            model.objects.filter(pk=row.pk).update(created_at=row.created_at - timedelta(**by))

    return age


def test_overdue_transactions_are_asked_after(says: Histories, heard: Heard, age: Callable[..., None]) -> None:
    enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": OUT})
    enter(Kind.CALL_ENDED, "default", "AA-C-1", {"dest1": OUT, "dest2": OWN})
    enter(Kind.FAX_STATUS, "default", "AA-C-2", {"dest": OUT})
    for model in (Sms, Call, Fax):
        age(model, hours=1)
    says.statuses = {"AA-S-1": {**SMS, "sms_status": "delivered"}, "AA-C-1": CALL, "AA-C-2": FAX}

    report = run()

    assert (report.overdue, report.found) == (3, {Found.CHANGED: 3})
    assert Sms.objects.get().sms_status == "delivered"
    assert (Call.objects.get().is_final, Fax.objects.get().fax_status) == (True, "answered")
    assert sorted(names(heard)) == ["call_ended", "fax_status", "sms_status"]
    assert Sms.objects.get().status == ""
    assert run().overdue == 0


def test_what_is_final_or_young_or_without_a_name_is_not_asked_after(says: Histories, age: Callable[..., None]) -> None:
    came("sms", "txn_ref=AA-S-1&sms_status=delivered")
    came("sms", "txn_ref=AA-S-3&sms_status=queued", account="second")
    came("sms", "status=error_dest_invalid&dest=%2B65")
    age(Sms, days=1)
    enter(Kind.SMS_STATUS, "default", "AA-S-2", {"dest": OUT})

    assert (run().overdue, says.asked("sms/query_status")) == (0, [])


def test_sms_that_stays_queued_is_asked_after_more_and_more_rarely_and_then_no_more(
    says: Histories, heard: Heard, age: Callable[..., None]
) -> None:
    came("sms", "txn_ref=AA-S-1&sms_status=queued&debit=0.032")
    heard.clear()
    says.statuses = {"AA-S-1": {**SMS, "sms_status": "queued"}}
    asked_at = []

    for hour in range(1, 400):
        age(Sms, hours=1)
        HighWaterMark.objects.filter(channel="sms").update(
            overdue_up_to=_back(HighWaterMark.objects.filter(channel="sms").first())
        )
        if run_overdue():
            asked_at.append(hour)

    assert asked_at == [1, 2, 4, 8, 16, 32, 64, 128]
    assert (heard, Notification.objects.count()) == ([], 1)


def _back(mark: HighWaterMark | None) -> datetime | None:
    """The mark an hour earlier, as an hour makes of it."""
    return mark.overdue_up_to - timedelta(hours=1) if mark and mark.overdue_up_to else None


def run_overdue() -> int:
    """Ask for what is overdue alone."""
    report = ReconciliationResult()
    with HoiioClient() as client:
        overdue.poll_overdue(ApiReader("default", client, report), Channel.SMS, report, progress=no_progress)
    return report.overdue


@pytest.mark.parametrize(
    ("age", "due"), [(0.9, None), (1, 1), (1.9, 1), (2, 2), (7.9, 4), (127, 64), (128, 128), (9999, 128)]
)
def test_time_to_ask_doubles_and_ends(settings: Any, age: float, due: int | None) -> None:
    settings.HOIIO = {"OVERDUE_AFTER": timedelta(hours=1)}
    begun = datetime(2026, 6, 6, tzinfo=timezone.utc)

    expected = None if due is None else begun + timedelta(hours=due)
    assert overdue.due_at(begun, begun + timedelta(hours=age)) == expected


def test_transactions_that_hoiio_does_not_know_are_counted_and_no_failure(
    says: Histories, age: Callable[..., None]
) -> None:
    enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": OUT})
    age(Sms, hours=1)
    says.statuses = {"AA-S-1": {"status": "error_invalid_txn_ref"}}

    report = run()

    assert (report.overdue, report.unknown, report.failures) == (1, 1, [])


def test_limit_within_what_is_overdue_is_carried_on_where_it_stopped(says: Histories, age: Callable[..., None]) -> None:
    for number in range(4):
        came("sms", f"txn_ref=AA-S-{number}&sms_status=queued")
    age(Sms, hours=1)
    says.statuses = {
        f"AA-S-{number}": {**SMS, "txn_ref": f"AA-S-{number}", "sms_status": "queued"} for number in "0123"
    }
    says.statuses["AA-S-2"] = {"status": "error_rate_limit_exceeded"}

    first = run()
    says.statuses["AA-S-2"] = says.statuses["AA-S-3"]
    says.hoiio.requests.clear()
    run()

    (failure,) = first.failures
    assert failure == (
        "sms/query_status of account 'default': Hoiio refused sms/query_status with error_rate_limit_exceeded;"
        " wait a minute before the next one."
    )
    assert [params["txn_ref"] for params in says.asked("sms/query_status")] == ["AA-S-2", "AA-S-3"]


@pytest.mark.parametrize("said", [{"status": "error_txn_ref_not_found"}, {"status": "error_insufficient_credit"}])
def test_word_that_helps_nobody_does_not_keep_the_others_from_being_asked_after(
    says: Histories, age: Callable[..., None], said: Said
) -> None:
    for number in range(3):
        came("sms", f"txn_ref=AA-S-{number}&sms_status=queued")
    age(Sms, hours=1)
    says.statuses = {
        f"AA-S-{number}": {**SMS, "txn_ref": f"AA-S-{number}", "sms_status": "delivered"} for number in range(3)
    }
    says.statuses["AA-S-0"] = said

    first, second = run(), run()

    assert (first.overdue, first.found, second.overdue) == (3, {Found.CHANGED: 2}, 0)
    (failure,) = first.failures
    assert failure.startswith(f"AA-S-0 of account 'default': Hoiio refused sms/query_status with {said['status']}; ")


def test_answer_about_a_transaction_is_taken_for_the_one_that_was_asked_after(
    says: Histories, age: Callable[..., None]
) -> None:
    came("sms", "txn_ref=AA-S-1&sms_status=queued")
    age(Sms, hours=1)
    says.statuses["AA-S-1"] = {**SMS, "txn_ref": "", "sms_status": "delivered"}

    assert run().found == {Found.CHANGED: 1}
    assert Sms.objects.get().sms_status == "delivered"


def test_fault_with_one_transaction_does_not_keep_the_others_from_being_asked_after(
    says: Histories, age: Callable[..., None], no_pauses: None
) -> None:
    for number in range(6):
        came("sms", f"txn_ref=AA-S-{number}&sms_status=queued")
    age(Sms, hours=1)
    fault = {"status": "error_internal_server_error"}
    says.statuses = dict.fromkeys((f"AA-S-{number}" for number in range(6)), fault)
    says.statuses["AA-S-1"] = {**SMS, "txn_ref": "AA-S-1", "sms_status": "delivered"}

    report = run()

    # One, then none, then three in a row: those that follow are left in peace.
    assert [params["txn_ref"][-1] for params in says.asked("sms/query_status")] == [*"000", "1", *"222", *"333", *"444"]
    assert Sms.objects.get(txn_ref="AA-S-1").sms_status == "delivered"
    assert len(report.failures) == 4
    assert report.failures[0] == (
        "AA-S-0 of account 'default': Hoiio refused sms/query_status with error_internal_server_error; try again later."
    )
