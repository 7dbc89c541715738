"""Reconcile the database with Hoiio's history and statuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import pytest
from django.db.models import Model

from django_hoiio import reconciliation
from django_hoiio.client import HoiioClient
from django_hoiio.enums import Channel, Kind, Route, Source
from django_hoiio.exceptions import error_for
from django_hoiio.ingest import ingest
from django_hoiio.ingest.outgoing import enter
from django_hoiio.models import Call, Fax, HighWaterMark, Notification, Sms
from django_hoiio.parsing.parameters import HOIIO_TIME
from django_hoiio.progress import no_progress
from django_hoiio.reconciliation import Found, ReconciliationResult, diff, overdue, reconcile
from django_hoiio.reconciliation.reader import ApiReader, Entry
from django_hoiio.recovery import reparse
from django_hoiio.retention.redaction import redact_notifications, redact_transactions
from tests.conftest import raw_notification, values
from tests.fake_hoiio import Hoiio, Request

pytestmark = pytest.mark.django_db

Response = dict[str, Any]
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
    """Fake responses: pages of history entries, and the statuses of single transactions."""

    hoiio: Hoiio
    pages: dict[str, list[list[Response]]] = field(default_factory=dict)
    statuses: dict[str, Any] = field(default_factory=dict)
    # Replaces the correct total.
    totals: dict[str, str | None] = field(default_factory=dict)
    # Path → response to any request.
    broken: dict[str, Any] = field(default_factory=dict)

    def answer(self, request: Request) -> Any:
        path = request.path.removeprefix("/open/")
        channel, _, question = path.partition("/")
        if path in self.broken:
            return self.broken[path]
        if question == "query_status":
            response = self.statuses[request.params["txn_ref"]]
            return response if isinstance(response, tuple | bytes) else {"status": "success_ok", **response}
        pages = self.pages.get(channel, [])
        number = int(request.params["page"])
        entries = pages[number - 1] if number <= len(pages) else []
        total = self.totals.get(channel, str(sum(map(len, pages))))
        counts = {"entries_count": str(len(entries)), **({} if total is None else {"total_entries_count": total})}
        return {"status": "success_ok", **counts, "entries": entries}

    def requested(self, path: str) -> list[dict[str, str]]:
        return [request.params for request in self.hoiio.requests if request.path == f"/open/{path}"]


@pytest.fixture
def histories(hoiio: Hoiio, settings: Any) -> Histories:
    settings.HOIIO = {**settings.HOIIO, "RECONCILE_REQUESTS_PER_MINUTE": 1000}
    histories = Histories(hoiio)
    hoiio.meanwhile = lambda request: hoiio.says(histories.answer(request))
    return histories


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry requests without a delay."""
    monkeypatch.setattr("django_hoiio.client.connection.RETRY_DELAYS", (0, 0))


def run(**arguments: Any) -> ReconciliationResult:
    return reconcile(**{"accounts": ["default"], **arguments})


def receive_webhook(route: str, body: str, **fields: Any) -> None:
    """Ingest a notification as the view does."""
    ingest(raw_notification(route, body=body, **fields))


Heard = list[tuple[str, dict[str, Any]]]


def names(heard: Heard) -> list[str]:
    return [name for name, _ in heard if name != "notification_received"]


def state(row: Model) -> dict[str, Any]:
    """Return the values of a row, except the account, the date, the currency and the rate."""
    return {name: value for name, value in values(row).items() if name not in ("account", "date", "currency", "rate")}


def reconcile_entry(histories: Histories, channel: str, entry: Response) -> ReconciliationResult:
    histories.pages[channel] = [[entry]]
    return run()


# Redacted rows.


@pytest.mark.parametrize(
    ("channel", "entry", "model"), [("sms", SMS_IN, Sms), ("fax", {**FAX_IN, "txn_ref": "AA-F-1"}, Fax)]
)
def test_redacted_content_does_not_come_back_from_history(
    histories: Histories, heard: Heard, channel: str, entry: Response, model: Any
) -> None:
    reconcile_entry(histories, channel, entry)
    redact_notifications(Notification.objects.values_list("pk", flat=True), "default")
    redacted = redact_transactions(model, model.objects.values_list("pk", flat=True), "default")
    heard.clear()

    report = run(since=datetime.now(timezone.utc) - timedelta(hours=1))

    assert (redacted, report.found[Found.MISSING] + report.found[Found.CHANGED], heard) == (1, 0, [])
    assert (Notification.objects.count(), model.objects.get().from_number) == (1, "")


# Missing notifications.


def test_sms_without_a_notification_is_ingested_as_hoiio_reports_it(histories: Histories, heard: Heard) -> None:
    report = reconcile_entry(histories, "sms", {**SMS, "sms_status": "delivered"})

    stored = Notification.objects.get()
    assert (stored.kind, stored.source, stored.route) == (Kind.SMS_STATUS, Source.POLL, Route.SMS)
    assert (stored.pass_on, stored.problems, stored.query) == ({}, {}, "")
    assert dict(parse_qsl(bytes(stored.body).decode(), keep_blank_values=True)) == {**SMS, "sms_status": "delivered"}
    assert stored.params == {name: text for name, text in {**SMS, "sms_status": "delivered"}.items() if name != "src"}
    row = Sms.objects.get()
    assert (row.sms_status, row.is_final, row.dest, row.direction, row.msg) == (
        "delivered",
        True,
        OUT,
        "outgoing",
        "hello",
    )
    assert row.date == datetime(2026, 6, 6, 11, 15, 20, tzinfo=HOIIO_TIME)
    assert [(name, kwargs["sms"]) for name, kwargs in heard] == [("sms_status", row), ("notification_received", row)]
    assert str(report) == (
        "Sent 3 requests: 1 entries of history and 0 overdue (0 of them unknown to Hoiio)."
        " Changed 1: 1 were missing, 0 had another status. 0 requests failed."
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
        # A second hint if there is no status.
        (
            "sms",
            {**SMS_IN, "sms_status": "", "msg": ""},
            "sms_received",
            Sms,
            {"from_number": OUT, "to_number": OWN, "remote_number": OUT},
        ),
        # The sender is unknown.
        ("sms", {**SMS_IN, "src": None}, "sms_received", Sms, {"to_number": OWN, "msg": "hi"}),
        (
            "voice",
            CALL,
            "call_ended",
            Call,
            {"dest1": OUT, "dest2": OWN, "call_status_dest1": "answered", "call_status_dest2": "busy"},
        ),
        # A leg of a conference, as in a notification.
        (
            "voice",
            {"txn_ref": "AA-C-1", "dest1": OUT, "call_status_dest1": "answered", "room": "R1", "duration": "2"},
            "call_ended",
            Call,
            {"dest": OUT, "call_status": "answered", "room": "R1"},
        ),
        # Hoiio may report absent values as empty ones.
        (
            "voice",
            {"txn_ref": "AA-C-1", "tag": "", "dest1": OUT, "dest2": "", "call_status_dest1": "busy"}
            | {"call_status_dest2": "", "room": "R1", "duration": "0"},
            "call_ended",
            Call,
            {"dest": OUT, "call_status": "busy", "room": "R1", "duration": 0},
        ),
        (
            "voice",
            {"txn_ref": "AA-C-1", "dest1": OUT, "dest2": "", "number": OWN, "call_status_dest1": "answered"}
            | {"call_status_dest2": "", "duration": "2"},
            "ivr_ended",
            Call,
            {"from_number": OUT, "to_number": OWN, "call_state": "ended", "duration": 2},
        ),
        (
            "fax",
            {**FAX, "fax_status": "ongoing", "fax_url": "", "debit": ""},
            "fax_status",
            Fax,
            {"fax_status": "ongoing", "fax_url": "", "debit": None},
        ),
        # An incoming call.
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
def test_missing_transaction_is_dispatched_once_and_a_second_run_changes_nothing(
    histories: Histories, heard: Heard, channel: str, entry: Response, signal: str, model: Any, expected: Response
) -> None:
    report = reconcile_entry(histories, channel, entry)
    row = model.objects.get()
    before = values(row)

    assert report.found == {Found.MISSING: 1}
    assert {name: getattr(row, name) for name in expected} == expected
    assert names(heard) == [signal]

    assert set(run().found) == {Found.UNCHANGED}
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
        ("sms", {"txn_ref": "AA-S-1", "bulk_txn_ref": "AA-B-1"}),
    ],
)
def test_entry_without_a_reference_or_a_status_or_not_yet_notified_is_skipped(
    histories: Histories, heard: Heard, channel: str, entry: Response
) -> None:
    reconcile_entry(histories, channel, entry)

    counts = [model._default_manager.count() for model in (Notification, Call, Sms, Fax)]
    assert (counts, heard) == ([0, 0, 0, 0], [])


# Changes of known transactions.


def test_missing_final_status_is_dispatched_after_the_received_status(histories: Histories, heard: Heard) -> None:
    receive_webhook("sms", "txn_ref=AA-S-1&sms_status=queued&dest=%2B6511111111&debit=0.032")

    report = reconcile_entry(histories, "sms", {**SMS, "sms_status": "failed"})

    assert report.found == {Found.CHANGED: 1}
    assert [kwargs["notification"].params["sms_status"] for name, kwargs in heard if name == "sms_status"] == [
        "queued",
        "failed",
    ]
    assert (Sms.objects.get().sms_status, Sms.objects.get().is_final) == ("failed", True)


def test_sent_transaction_without_a_notification_is_dispatched(histories: Histories, heard: Heard) -> None:
    enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": OUT, "msg": "hello", "tag": "order-17"})

    reconcile_entry(histories, "sms", {**SMS, "sms_status": "delivered"})

    row = Sms.objects.get()
    assert (row.sms_status, row.tag, names(heard)) == ("delivered", "order-17", ["sms_status"])


@pytest.mark.parametrize(
    ("body", "entry"),
    [
        ("sms_status=delivered", {**SMS, "sms_status": "queued"}),
        ("sms_status=failed&debit=0", {**SMS, "sms_status": "sending"}),
        # Only history has the text, in another spelling.
        ("sms_status=delivered&debit=0.0320&date=2026-06-06+11:15:20.5", {**SMS, "sms_status": "delivered"}),
    ],
)
def test_older_or_more_detailed_entries_are_no_changes(
    histories: Histories, heard: Heard, body: str, entry: Response
) -> None:
    receive_webhook("sms", f"txn_ref=AA-S-1&{body}")
    before = values(Sms.objects.get())
    heard.clear()

    reconcile_entry(histories, "sms", entry)

    assert (values(Sms.objects.get()), heard) == (before, [])


@pytest.mark.parametrize(
    ("route", "body", "channel", "entry"),
    [
        ("sms", "from=%2B6511111111&to=%2B6533333333&msg=hi&debit=0.013", "sms", {**SMS_IN, "tag": "t"}),
        # The texts of a long incoming SMS.
        ("sms", "from=%2B6511111111&to=%2B6533333333&msg=hi+and+bye", "sms", SMS_IN),
        ("fax", "from=%2B6511111111&fax_url=https://files.hoiio.test/signed-before", "fax", FAX_IN),
        ("voice", "dest=%2B6511111111&call_status=answered&duration=2&debit=0.032", "voice", {**CALL, "dest2": ""}),
    ],
)
def test_completely_received_transaction_is_not_dispatched_again(
    histories: Histories, heard: Heard, route: str, body: str, channel: str, entry: Response
) -> None:
    receive_webhook(route, f"txn_ref={entry['txn_ref']}&{body}")
    heard.clear()

    reconcile_entry(histories, channel, entry)

    assert (heard, Notification.objects.count()) == ([], 1)


def test_missing_text_of_an_incoming_sms_is_ingested(histories: Histories, heard: Heard) -> None:
    reconcile_entry(histories, "sms", {**SMS_IN, "msg": None})

    reconcile_entry(histories, "sms", SMS_IN)

    assert sorted(row.msg for row in Sms.objects.all()) == ["", "hi"]
    assert names(heard) == ["sms_received", "sms_received"]


def test_corrected_price_is_dispatched(histories: Histories, heard: Heard) -> None:
    receive_webhook("sms", "txn_ref=AA-S-1&sms_status=failed&debit=0.032")
    heard.clear()

    reconcile_entry(histories, "sms", {**SMS, "sms_status": "failed", "debit": "0.000"})

    assert (Sms.objects.get().debit, names(heard)) == (0, ["sms_status"])


# Interactive calls.

RINGING = "session=S1&txn_ref=AA-C-1&call_state=ringing&from=%2B6511111111&to=%2B6533333333"
ENDED = "session=S1&txn_ref=AA-C-1&call_state=ended&duration=2&debit=0.032"
INTERACTIVE = {"txn_ref": "AA-C-1", "dest1": OUT, "call_status_dest1": "answered", **MONEY, "duration": "2"}


def test_interactive_call_that_never_got_its_end_is_finished(histories: Histories, heard: Heard) -> None:
    receive_webhook("ivr", RINGING, pass_on={"username": "bob"})
    receive_webhook("ivr", "session=S1&txn_ref=AA-C-1&call_state=ongoing&digits=1")
    heard.clear()

    reconcile_entry(histories, "voice", INTERACTIVE)

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
    assert [n.params.get("digits") for n in row.notifications.order_by("pk")] == [None, "1", None]
    assert Notification.objects.filter(source=Source.WEBHOOK, pass_on__username="bob").count() == 1
    assert set(run().found) == {Found.UNCHANGED}


@pytest.mark.parametrize("entry", [INTERACTIVE, {**INTERACTIVE, "number": OWN}])
@pytest.mark.parametrize("ended", [ENDED, f"{ENDED}&ivr_block=record&record_url=x"])
def test_ended_interactive_call_is_not_dispatched_again(
    histories: Histories, heard: Heard, ended: str, entry: Response
) -> None:
    receive_webhook("ivr", RINGING)
    receive_webhook("ivr", ended)
    heard.clear()

    reconcile_entry(histories, "voice", entry)

    assert heard == []


def test_running_interactive_call_is_skipped(histories: Histories, heard: Heard) -> None:
    receive_webhook("ivr", RINGING)
    heard.clear()

    reconcile_entry(histories, "voice", {"txn_ref": "AA-C-1", "dest1": OUT, "call_status_dest1": "ongoing"})

    assert (Call.objects.get().call_state, heard) == ("ringing", [])


def test_dialled_call_preserves_its_direction_for_any_numbers_in_history(histories: Histories) -> None:
    enter(Kind.IVR_DIAL, "default", "AA-C-1", {"dest": OUT, "session": "S1"})

    reconcile_entry(histories, "voice", {**INTERACTIVE, "number": OWN})

    row = Call.objects.get()
    assert (row.direction, row.dest, row.from_number, row.call_state) == ("outgoing", OUT, "", "ended")


def test_call_known_only_from_history_stays_interactive(histories: Histories, heard: Heard) -> None:
    reconcile_entry(histories, "voice", {**INTERACTIVE, "number": OWN})

    reconcile_entry(histories, "voice", {**INTERACTIVE, "number": OWN, "debit": "0.016"})

    row = Call.objects.get()
    assert (str(row.debit), row.call_status, row.dest, names(heard)) == ("0.016000", "", "", ["ivr_ended", "ivr_ended"])


def test_bulk_link_survives(histories: Histories) -> None:
    receive_webhook("sms", "status=success_ok&txn_ref=AA-S-1&bulk_txn_ref=AA-B-1&dest=%2B6511111111")

    reconcile_entry(histories, "sms", {**SMS, "sms_status": "delivered", "status": "received by Hoiio"})

    row = Sms.objects.get()
    assert (row.bulk_txn_ref, row.status, row.sms_status) == ("AA-B-1", "success_ok", "delivered")


# Concurrency.


def test_notification_received_during_the_request_is_not_dispatched_twice(histories: Histories, heard: Heard) -> None:
    histories.pages["sms"] = [[{**SMS, "sms_status": "delivered"}]]
    entry = Entry(
        account="default",
        channel=Channel.SMS,
        txn_ref="AA-S-1",
        params={**SMS, "sms_status": "delivered"},
        requested_at=datetime.now(timezone.utc),
    )
    receive_webhook("sms", "txn_ref=AA-S-1&sms_status=delivered&debit=0.032")

    assert diff.ingest_entry(entry, dry_run=False) == Found.UNCHANGED
    assert names(heard) == ["sms_status"]


def test_response_does_not_undo_a_notification_received_after_the_request(histories: Histories) -> None:
    requested_at = datetime.now(timezone.utc)
    entry = Entry(
        account="default",
        channel=Channel.SMS,
        txn_ref="AA-S-1",
        params={"txn_ref": "AA-S-1", "sms_status": "delivered"},
        requested_at=requested_at,
    )
    receive_webhook("sms", "txn_ref=AA-S-1&sms_status=failed", received_at=requested_at + timedelta(milliseconds=1))

    assert diff.ingest_entry(entry, dry_run=False) == Found.UNCHANGED
    assert Sms.objects.get().sms_status == "failed"


def test_entry_has_the_moment_before_the_request(histories: Histories) -> None:
    histories.pages["sms"] = [[{**SMS, "sms_status": "delivered"}]]
    answer, reached = histories.answer, []

    def note(request: Request) -> None:
        reached.append(datetime.now(timezone.utc))
        histories.hoiio.says(answer(request))

    histories.hoiio.meanwhile = note
    before = datetime.now(timezone.utc)
    run()

    assert before < Notification.objects.get().received_at < reached[1]


def test_two_concurrent_runs_store_and_dispatch_one_notification(
    histories: Histories, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconcile_entry(histories, "sms", {**SMS, "sms_status": "delivered"})
    # Like a concurrent run that read the rows before this one wrote.
    monkeypatch.setattr(diff, "_rows_of", lambda entry: [])

    assert set(run().found) == {Found.UNCHANGED}
    assert (Notification.objects.count(), names(heard)) == (1, ["sms_status"])


def test_uuid_of_an_entry_cannot_be_guessed_without_the_key(histories: Histories, settings: Any) -> None:
    # Users without the permission know all but some digits of the number, and could try these quickly.
    now = datetime.now(timezone.utc)
    entry = Entry(account="default", channel=Channel.SMS, txn_ref="AA-S-1", params=SMS, requested_at=now)

    def name_under(key: str) -> UUID:
        settings.SECRET_KEY = key
        return diff.entry_as_raw(entry, []).uuid

    first, second, again = map(name_under, ("one", "other", "one"))
    assert (first == again, first == second) == (True, False)


def test_reparsed_polled_notification_is_unchanged(histories: Histories) -> None:
    receive_webhook("ivr", RINGING)
    histories.pages = {"voice": [[INTERACTIVE]], "sms": [[SMS_IN]], "fax": [[FAX_IN]]}
    run()

    report = reparse()

    assert (report.read, report.changed, report.states, report.failed) == (4, 0, 0, 0)


# Periods of history.


def moments(requested: list[dict[str, str]]) -> list[tuple[datetime, datetime]]:
    def moment(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=HOIIO_TIME)

    return [(moment(params["from"]), moment(params["to"])) for params in requested]


def test_first_run_reads_a_day_and_sets_the_marks(histories: Histories) -> None:
    before = datetime.now(timezone.utc).replace(microsecond=0) - reconciliation.MIN_AGE
    run()
    after = datetime.now(timezone.utc) - reconciliation.MIN_AGE

    for channel in Channel:
        ((begin, end),) = moments(histories.requested(f"{channel}/get_history"))
        mark = HighWaterMark.objects.get(account="default", channel=channel)
        assert (end - begin, mark.up_to, mark.overdue_up_to) == (timedelta(days=1), end, None)
        assert before <= end <= after


def test_later_run_reads_from_the_mark_with_an_overlap_day_by_day(histories: Histories) -> None:
    up_to = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(days=2, hours=1)
    HighWaterMark.objects.create(account="default", channel="sms", up_to=up_to)

    run()

    spans = moments(histories.requested("sms/get_history"))
    assert spans[0] == (up_to - timedelta(days=1), up_to)
    assert [end for _, end in spans[:-1]] == [begin for begin, _ in spans[1:]]
    assert len(spans) == 4
    assert HighWaterMark.objects.get(channel="sms").up_to == spans[-1][1]


@pytest.mark.parametrize(("days", "moves"), [(3, True), (1, False)])
def test_since_moves_the_mark_unless_it_leaves_a_gap(histories: Histories, days: int, moves: bool) -> None:
    now = datetime.now(timezone.utc).replace(microsecond=0)
    HighWaterMark.objects.create(account="default", channel="sms", up_to=now - timedelta(days=2))

    run(since=now - timedelta(days=days))

    spans = moments(histories.requested("sms/get_history"))
    assert spans[0][0] == now - timedelta(days=days)
    mark = HighWaterMark.objects.get(channel="sms").up_to
    assert mark == (spans[-1][1] if moves else now - timedelta(days=2))


def test_mark_stays_before_a_page_that_could_not_be_read(histories: Histories, no_pauses: None) -> None:
    histories.pages["sms"] = [[{**SMS, "sms_status": "delivered"}], [SMS_IN]]
    up_to = datetime.now(timezone.utc) - timedelta(days=1)
    HighWaterMark.objects.create(account="default", channel="sms", up_to=up_to)
    requested = histories.answer

    def fail_on_page_2(request: Request) -> None:
        histories.hoiio.says((500, b"oops", {}) if request.params.get("page") == "2" else requested(request))

    histories.hoiio.meanwhile = fail_on_page_2
    report = run()

    assert (len(report.failures), Sms.objects.count(), HighWaterMark.objects.get(channel="sms").up_to) == (1, 1, up_to)


def test_dry_run_writes_nothing(histories: Histories, heard: Heard) -> None:
    histories.pages = {"sms": [[{**SMS, "sms_status": "delivered"}]], "voice": [[CALL]]}

    report = run(dry_run=True)

    assert (report.found, "Would change 2: 2 were missing, 0 had another status." in str(report)) == (
        {Found.MISSING: 2},
        True,
    )
    assert (Notification.objects.count(), Sms.objects.count(), HighWaterMark.objects.count(), heard) == (0, 0, 0, [])


def test_each_account_has_its_own_rows_and_marks(histories: Histories) -> None:
    histories.pages["sms"] = [[{**SMS, "sms_status": "delivered"}]]

    reconcile()

    assert sorted(Sms.objects.values_list("account", flat=True)) == ["default", "second"]
    assert HighWaterMark.objects.count() == 6
    assert {request.params["app_id"] for request in histories.hoiio.requests} == {"app", "other-app"}


def test_mark_never_moves_back() -> None:
    now = datetime.now(timezone.utc)
    mark, other = (HighWaterMark.objects.of("default", Channel.SMS) for _ in range(2))
    mark.move("up_to", now)
    mark.move("overdue_up_to", now - timedelta(days=2))

    other.move("up_to", now - timedelta(days=1))

    stored = HighWaterMark.objects.get()
    assert (stored.up_to, stored.overdue_up_to) == (now, now - timedelta(days=2))
    assert (other.up_to, other.overdue_up_to) == (now, now - timedelta(days=2))
    assert str(stored) == "default sms"


# Pages.


def entry(number: int) -> Response:
    return {"txn_ref": f"AA-S-{number}", "sms_status": "delivered", "dest": OUT}


@pytest.mark.parametrize(
    ("pages", "total"),
    [
        # In ascending, descending and mixed order.
        ([range(100), range(100, 150)], "150"),
        ([range(149, 49, -1), range(49, -1, -1)], "150"),
        # A page that repeats, and pages that overlap because new entries were added before them.
        ([range(100), range(100), range(100, 150)], "150"),
        ([range(100), range(60, 150)], "150"),
        # Hoiio reports no total.
        ([range(100), range(100, 150)], None),
        # Pages smaller than documented.
        ([range(50), range(50, 100), range(100, 150)], "150"),
    ],
)
def test_each_transaction_is_ingested_once_for_any_pages(
    histories: Histories, heard: Heard, pages: list[range], total: str | None
) -> None:
    histories.pages["sms"] = [[entry(number) for number in page] for page in pages]
    histories.totals["sms"] = total

    report = run()

    assert (report.read, report.found) == (150, {Found.MISSING: 150})
    assert (Sms.objects.count(), len(names(heard)), Notification.objects.count()) == (150, 150, 150)


def test_history_that_repeats_the_same_page_forever_is_abandoned(histories: Histories) -> None:
    histories.pages["sms"] = [[entry(1)]] * 50
    histories.totals["sms"] = "5000"

    report = run()

    assert (report.read, len(histories.requested("sms/get_history"))) == (1, 3)
    assert "Hoiio counts 5000 entries from" in report.failures[0]


@pytest.mark.parametrize("pages", [[range(100), range(100)], [range(100), range(0), range(100, 250)]])
def test_mark_stays_before_a_span_that_hoiio_returned_incompletely(histories: Histories, pages: list[range]) -> None:
    histories.pages["sms"] = [[entry(number) for number in page] for page in pages]
    histories.totals["sms"] = "250"
    up_to = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(days=2)
    HighWaterMark.objects.create(account="default", channel="sms", up_to=up_to)

    report = run()

    spans = moments(histories.requested("sms/get_history"))
    # The later spans are read nevertheless.
    assert (report.read, Sms.objects.count()) == (100 * len(set(spans)), 100)
    assert len(report.failures) == len(set(spans)) > 1
    assert "Hoiio counts 250 entries from" in report.failures[0]
    assert "but returned 100; the next run reads them again." in report.failures[0]
    assert HighWaterMark.objects.get(channel="sms").up_to == up_to


def test_first_of_contradicting_entries_in_a_run_wins(histories: Histories, heard: Heard) -> None:
    histories.pages["sms"] = [[{**entry(1), "sms_status": "failed"}], [entry(1)]]

    run()
    run()

    assert (Sms.objects.get().sms_status, names(heard)) == ("failed", ["sms_status"])


# Overdue transactions.


@pytest.fixture
def age(settings: Any) -> Callable[..., None]:
    settings.HOIIO = {**settings.HOIIO, "OVERDUE_AFTER": timedelta(hours=1)}

    def age(model: Any, **by: int) -> None:
        for row in model.objects.all():
            model.objects.filter(pk=row.pk).update(created_at=row.created_at - timedelta(**by))

    return age


def test_overdue_transactions_are_polled(histories: Histories, heard: Heard, age: Callable[..., None]) -> None:
    enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": OUT})
    enter(Kind.CALL_ENDED, "default", "AA-C-1", {"dest1": OUT, "dest2": OWN})
    enter(Kind.FAX_STATUS, "default", "AA-C-2", {"dest": OUT})
    for model in (Sms, Call, Fax):
        age(model, hours=1)
    histories.statuses = {"AA-S-1": {**SMS, "sms_status": "delivered"}, "AA-C-1": CALL, "AA-C-2": FAX}

    report = run()

    assert (report.overdue, report.found) == (3, {Found.CHANGED: 3})
    assert Sms.objects.get().sms_status == "delivered"
    assert (Call.objects.get().is_final, Fax.objects.get().fax_status) == (True, "answered")
    assert sorted(names(heard)) == ["call_ended", "fax_status", "sms_status"]
    assert Sms.objects.get().status == ""
    assert run().overdue == 0


def test_dry_run_polls_overdue_transactions_and_writes_nothing(
    histories: Histories, heard: Heard, age: Callable[..., None]
) -> None:
    sms = enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": OUT})
    age(Sms, hours=1)
    histories.statuses = {"AA-S-1": {**SMS, "sms_status": "delivered"}}
    before = values(sms)

    report = run(dry_run=True)

    assert (report.overdue, report.found) == (1, {Found.CHANGED: 1})
    assert (values(sms), HighWaterMark.objects.count(), heard) == (before, 0, [])


def test_final_or_young_transactions_or_those_without_a_reference_are_not_polled(
    histories: Histories, age: Callable[..., None]
) -> None:
    receive_webhook("sms", "txn_ref=AA-S-1&sms_status=delivered")
    receive_webhook("sms", "txn_ref=AA-S-3&sms_status=queued", account="second")
    receive_webhook("sms", "status=error_dest_invalid&dest=%2B65")
    age(Sms, days=1)
    enter(Kind.SMS_STATUS, "default", "AA-S-2", {"dest": OUT})

    assert (run().overdue, histories.requested("sms/query_status")) == (0, [])


def test_queued_sms_is_polled_less_and_less_often_and_finally_never(
    histories: Histories, heard: Heard, age: Callable[..., None]
) -> None:
    receive_webhook("sms", "txn_ref=AA-S-1&sms_status=queued&debit=0.032")
    heard.clear()
    histories.statuses = {"AA-S-1": {**SMS, "sms_status": "queued"}}
    requested_at = []

    for hour in range(1, 260):
        age(Sms, hours=1)
        HighWaterMark.objects.filter(channel="sms").update(
            overdue_up_to=_back(HighWaterMark.objects.filter(channel="sms").first())
        )
        if run_overdue():
            requested_at.append(hour)

    assert requested_at == [1, 2, 4, 8, 16, 32, 64, 128]
    assert (heard, Notification.objects.count()) == ([], 1)


def _back(mark: HighWaterMark | None) -> datetime | None:
    """Return the mark an hour earlier."""
    return mark.overdue_up_to - timedelta(hours=1) if mark and mark.overdue_up_to else None


def run_overdue() -> int:
    """Poll only overdue transactions."""
    report = ReconciliationResult()
    with HoiioClient() as client:
        overdue.poll_overdue(ApiReader("default", client, report), Channel.SMS, report, progress=no_progress)
    return report.overdue


@pytest.mark.parametrize(
    ("age", "due"), [(0.9, None), (1, 1), (1.9, 1), (2, 2), (7.9, 4), (127, 64), (128, 128), (9999, 128)]
)
def test_polling_interval_doubles_and_ends(settings: Any, age: float, due: int | None) -> None:
    settings.HOIIO = {"OVERDUE_AFTER": timedelta(hours=1)}
    begun = datetime(2026, 6, 6, tzinfo=timezone.utc)

    expected = None if due is None else begun + timedelta(hours=due)
    assert overdue.due_at(begun, begun + timedelta(hours=age)) == expected


def test_transactions_that_hoiio_does_not_know_are_counted_and_no_failure(
    histories: Histories, age: Callable[..., None]
) -> None:
    enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": OUT})
    age(Sms, hours=1)
    histories.statuses = {"AA-S-1": {"status": "error_invalid_txn_ref"}}

    report = run()

    assert (report.overdue, report.unknown, report.failures) == (1, 1, [])


def test_overdue_polling_continues_after_the_rate_limit_where_it_stopped(
    histories: Histories, age: Callable[..., None]
) -> None:
    for number in range(4):
        receive_webhook("sms", f"txn_ref=AA-S-{number}&sms_status=queued")
    age(Sms, hours=1)
    histories.statuses = {
        f"AA-S-{number}": {**SMS, "txn_ref": f"AA-S-{number}", "sms_status": "queued"} for number in "0123"
    }
    histories.statuses["AA-S-2"] = {"status": "error_rate_limit_exceeded"}

    first = run()
    histories.statuses["AA-S-2"] = histories.statuses["AA-S-3"]
    histories.hoiio.requests.clear()
    run()

    (failure,) = first.failures
    assert failure == (
        "sms/query_status of account 'default': Hoiio refused sms/query_status with error_rate_limit_exceeded;"
        " wait a minute before the next one."
    )
    assert [params["txn_ref"] for params in histories.requested("sms/query_status")] == ["AA-S-2", "AA-S-3"]


@pytest.mark.parametrize("response", [{"status": "error_txn_ref_not_found"}, {"status": "error_insufficient_credit"}])
def test_refused_status_request_does_not_stop_the_others(
    histories: Histories, age: Callable[..., None], response: Response
) -> None:
    for number in range(3):
        receive_webhook("sms", f"txn_ref=AA-S-{number}&sms_status=queued")
    age(Sms, hours=1)
    histories.statuses = {
        f"AA-S-{number}": {**SMS, "txn_ref": f"AA-S-{number}", "sms_status": "delivered"} for number in range(3)
    }
    histories.statuses["AA-S-0"] = response

    first, second = run(), run()

    assert (first.overdue, first.found, second.overdue) == (3, {Found.CHANGED: 2}, 0)
    (failure,) = first.failures
    assert failure == f"AA-S-0 of account 'default': {error_for('sms/query_status', response['status'])}"


def test_status_response_belongs_to_the_requested_transaction(histories: Histories, age: Callable[..., None]) -> None:
    receive_webhook("sms", "txn_ref=AA-S-1&sms_status=queued")
    age(Sms, hours=1)
    histories.statuses["AA-S-1"] = {**SMS, "txn_ref": "", "sms_status": "delivered"}

    assert run().found == {Found.CHANGED: 1}
    assert Sms.objects.get().sms_status == "delivered"


def test_server_error_of_one_transaction_does_not_stop_the_others(
    histories: Histories, age: Callable[..., None], no_pauses: None
) -> None:
    for number in range(6):
        receive_webhook("sms", f"txn_ref=AA-S-{number}&sms_status=queued")
    age(Sms, hours=1)
    fault = {"status": "error_internal_server_error"}
    histories.statuses = dict.fromkeys((f"AA-S-{number}" for number in range(6)), fault)
    histories.statuses["AA-S-1"] = {**SMS, "txn_ref": "AA-S-1", "sms_status": "delivered"}

    report = run()

    # One, then none, then three in a row: the following ones are not polled.
    assert [params["txn_ref"][-1] for params in histories.requested("sms/query_status")] == [
        *"000",
        "1",
        *"222",
        *"333",
        *"444",
    ]
    assert Sms.objects.get(txn_ref="AA-S-1").sms_status == "delivered"
    assert len(report.failures) == 4
    assert report.failures[0] == (
        "AA-S-0 of account 'default': Hoiio refused sms/query_status with error_internal_server_error; try again later."
    )
