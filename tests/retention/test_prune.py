"""Redact and delete old rows with `hoiio_prune`."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DataError, OperationalError

from django_hoiio.enums import Kind, Source
from django_hoiio.ingest import ingest
from django_hoiio.ingest.outgoing import enter
from django_hoiio.models import Call, ClosedDay, DailyTotal, Fax, Notification, ReceiverFailure, Sms, Transaction
from django_hoiio.retention import prune
from django_hoiio.retention.batches import INITIAL_SIZE, MAX_SIZE, BatchSize
from django_hoiio.retention.totals import totals
from django_hoiio.signals import sms_received
from tests.conftest import deadlock, failing, raw_notification, values

pytestmark = pytest.mark.django_db

NOW = datetime.now(timezone.utc)
DAY = timedelta(days=1)
ALL = dict.fromkeys(Kind.values, (4, 12))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture(autouse=True)
def _periods(settings: Any) -> None:
    settings.HOIIO = {"REQUIRE_VERIFICATION": False, "RETENTION_DAYS": ALL}


def received(body: str, *, days: float = 0, route: str = "any", **fields: Any) -> Notification:
    """Ingest a notification that was received so many days ago, with all fields that a request may fill."""
    fields = {
        "headers": {"X-Hoiio-Signature": "abc"},
        "remote_addr": "192.0.2.1",
        "pass_on": {"name": "bob"},
        "block": {"kind": "ivr_play"},
        "problems": {"token": "is odd"},
        **fields,
    }
    received_at = NOW - timedelta(days=days)
    return ingest(raw_notification(route, "x_user=bob", body, received_at=received_at, **fields)).notification


def remaining(*models: type[Transaction]) -> list[str]:
    return sorted(str(row) for model in models or (Call, Sms, Fax) for row in model._default_manager.all())


def redaction_of(*models: type[Any]) -> dict[str, bool]:
    return {str(row): row.redacted_at is not None for model in models for row in model._default_manager.order_by("pk")}


# Redacted and preserved fields.


def test_redacted_notification_has_no_personal_data() -> None:
    notification = received(
        "txn_ref=AA-SI-1&msg=hello&from=%2B6511111111&to=%2B6500000000&debit=x", days=5, route="sms"
    )
    ReceiverFailure.objects.create(
        notification=notification, signal="sms_received", receiver="shop.on", traceback="hello", resolved_at=NOW
    )

    prune()

    assert values(notification) == {
        "kind": "sms_received",
        "route": "sms",
        "account": "default",
        "txn_ref": "AA-SI-1",
        "block": {"kind": "ivr_play"},
        "source": "webhook",
        "redacted_at": notification.redacted_at,
    }
    assert notification.received_at == NOW - 5 * DAY
    assert notification.dispatched_at is not None
    assert [(row.receiver, row.traceback) for row in ReceiverFailure.objects.all()] == [("shop.on", "")]


def test_redacted_sms_preserves_costs_and_loses_parties_and_text() -> None:
    received(
        "txn_ref=AA-SI-1&tag=bob&msg=hello&from=%2B6511111111&to=%2B6500000000&debit=0.013&currency=SGD"
        "&date=2012-10-30+12%3A20%3A50",
        days=5,
    )

    prune()

    sms = Sms.objects.get()
    assert values(sms) == {
        "account": "default",
        "txn_ref": "AA-SI-1",
        "direction": "incoming",
        "is_final": True,
        "debit": Decimal("0.013"),
        "currency": "SGD",
        "date": sms.date,
        "part": f"redacted-{sms.pk}",
        "redacted_at": sms.redacted_at,
    }
    assert sms.created_at == NOW - 5 * DAY
    assert sms.redacted_at is not None


def test_redacted_call_loses_numbers_tag_and_room_and_preserves_outcomes() -> None:
    received(
        "txn_ref=AA-C-1&tag=bob&dest1=%2B6511111111&dest2=%2B6522222222&call_status_dest1=answered"
        "&call_status_dest2=busy&duration=3&rate=0.1&room=bobs-room",
        days=5,
    )

    prune()

    call = Call.objects.get()
    assert values(call) == {
        "account": "default",
        "txn_ref": "AA-C-1",
        "direction": "outgoing",
        "is_final": True,
        "call_status_dest1": "answered",
        "call_status_dest2": "busy",
        "outcome": "busy",
        "duration": 3,
        "rate": Decimal("0.1"),
        "redacted_at": call.redacted_at,
    }


def test_fax_loses_its_document() -> None:
    received("txn_ref=AA-F-1&from=%2B6511111111&fax_status=answered&fax_url=https%3A%2F%2Fx&fax_pages=2", days=5)

    prune()

    fax = Fax.objects.get()
    assert (fax.fax_url, fax.from_number, fax.fax_pages, fax.fax_status) == ("", "", 2, "answered")


def test_each_kind_is_pruned_after_its_own_days(settings: Any) -> None:
    settings.HOIIO = {"RETENTION_DAYS": {"sms_received": (2, 4), "fax_received": (None, 3), "call_ended": (2, None)}}
    for days in (1, 3, 5):
        received(f"txn_ref=SI-{days}&msg=hi&from=%2B6511111111&to=", days=days)
        received(f"txn_ref=F-{days}&fax_status=answered&from=%2B6511111111", days=days)
        received(f"txn_ref=C-{days}&call_status=answered", days=days)
        received(f"txn_ref=S-{days}&sms_status=delivered", days=days)

    report = prune()

    assert redaction_of(Notification) == {
        "SI-1": False,
        "F-1": False,
        "C-1": False,
        "S-1": False,
        "SI-3": True,
        "C-3": True,
        "S-3": False,
        "C-5": True,
        "S-5": False,
    }
    assert redaction_of(Sms, Fax, Call) == redaction_of(Notification)
    assert (report.redacted, report.deleted, report.transactions_redacted, report.transactions_deleted) == (3, 3, 3, 3)


def test_second_run_finds_nothing_to_do() -> None:
    for days in (5, 13):
        received(f"txn_ref=S-{days}&sms_status=delivered&dest=%2B6511111111", days=days)
    prune()
    before = [values(row) for row in (*Notification.objects.all(), *Sms.objects.all())]

    report = prune()

    assert (report.redacted, report.deleted, report.transactions_redacted, report.transactions_deleted) == (0, 0, 0, 0)
    assert [values(row) for row in (*Notification.objects.all(), *Sms.objects.all())] == before


def test_nothing_is_pruned_without_the_setting(settings: Any) -> None:
    settings.HOIIO = {}
    received("txn_ref=S-1&sms_status=delivered", days=30)

    prune()

    assert redaction_of(Notification, Sms) == {"S-1": False}


# The calls, SMS and faxes.


def test_call_is_redacted_and_deleted_with_its_last_notification() -> None:
    for days in (6, 3):
        received("txn_ref=AA-C-1&session=S1&from=%2B6511111111&call_state=ongoing", days=days, route="ivr")

    assert prune().transactions_redacted == 0
    assert Call.objects.get().remote_number == "+6511111111"

    Notification.objects.filter(redacted_at=None).update(received_at=NOW - 5 * DAY)
    assert prune().transactions_redacted == 1
    assert Call.objects.get().remote_number == ""

    Notification.objects.filter(pk=Notification.objects.order_by("pk")[0].pk).update(received_at=NOW - 13 * DAY)
    assert (prune().transactions_deleted, remaining(Call)) == (0, ["AA-C-1"])

    Notification.objects.update(received_at=NOW - 13 * DAY)
    assert (prune().transactions_deleted, remaining(Call)) == (1, [])


def test_call_waits_for_a_notification_that_names_its_session_alone() -> None:
    received("txn_ref=AA-C-1&session=S1&from=%2B6511111111&call_state=ongoing", days=6, route="ivr")
    received("session=S1&digits=7&call_state=ongoing", days=2, route="ivr")

    prune()
    assert redaction_of(Call) == {"AA-C-1": False}

    Notification.objects.update(received_at=NOW - 5 * DAY)
    prune()
    assert redaction_of(Call) == {"AA-C-1": True}

    Notification.objects.update(received_at=NOW - 13 * DAY)
    prune()
    assert remaining(Call) == []


def test_same_reference_of_another_account_is_another_transaction() -> None:
    received("txn_ref=AA-S-1&sms_status=delivered&dest=%2B6511111111", days=6)
    received("txn_ref=AA-S-1&sms_status=delivered&dest=%2B6511111111", days=2, account="other")

    prune()

    assert list(Sms.objects.order_by("account").values_list("account", "dest")) == [
        ("default", ""),
        ("other", "+6511111111"),
    ]


def test_sms_of_another_account_does_not_go_with_notifications_of_the_same_reference() -> None:
    received("txn_ref=AA-S-1&sms_status=delivered&dest=%2B6511111111", days=20)
    enter(Kind.SMS_STATUS, "other", "AA-S-1", {"dest": "+6511111111"})

    prune()

    assert list(Sms.objects.values_list("account", "dest")) == [("other", "+6511111111")]


def test_sms_without_a_reference_goes_with_its_one_notification() -> None:
    received("msg=hello&from=%2B6511111111&to=%2B6500000000", days=6)

    prune()
    assert Sms.objects.get().msg == ""

    Notification.objects.update(received_at=NOW - 13 * DAY)
    prune()
    assert Sms.objects.count() == 0


def test_sms_is_found_if_its_reparsed_notification_gained_a_reference() -> None:
    notification = received("msg=hello&from=%2B6511111111&to=%2B6500000000", days=6)
    Notification.objects.filter(pk=notification.pk).update(txn_ref="AA-SI-1")

    prune()

    assert Sms.objects.get().msg == ""


def test_texts_of_a_long_sms_stay_apart_and_lose_the_digests() -> None:
    for text in ("first", "second"):
        received(f"txn_ref=AA-SI-1&msg={text}&from=%2B6511111111&to=", days=6)
    digests = set(Sms.objects.values_list("part", flat=True))

    prune()

    rows = list(Sms.objects.order_by("pk"))
    assert [(row.msg, row.part) for row in rows] == [("", f"redacted-{row.pk}") for row in rows]
    assert len(digests) == 2


def test_notification_after_a_redaction_is_ingested_and_redacted_later() -> None:
    received("txn_ref=AA-S-1&sms_status=queued&dest=%2B6511111111", days=6)
    prune()

    late = received("txn_ref=AA-S-1&sms_status=delivered&dest=%2B6511111111&debit=1", days=0)
    assert (prune().redacted, Sms.objects.get().sms_status, Sms.objects.get().dest) == (0, "delivered", "+6511111111")

    Notification.objects.filter(pk=late.pk).update(received_at=NOW - 5 * DAY)
    prune()
    sms = Sms.objects.get()
    assert (sms.sms_status, sms.dest, sms.debit) == ("delivered", "", 1)


def test_text_received_after_a_redaction_gets_a_row() -> None:
    for text in ("first", "second"):
        received(f"txn_ref=AA-SI-1&msg={text}&from=%2B6511111111&to=", days=6)
    prune()

    received("txn_ref=AA-SI-1&msg=first&from=%2B6511111111&to=")

    assert sorted(Sms.objects.values_list("msg", flat=True)) == ["", "", "first"]


def test_notification_after_a_deletion_creates_a_row_again() -> None:
    received("txn_ref=AA-S-1&sms_status=queued&dest=%2B6511111111", days=20)
    prune()

    received("txn_ref=AA-S-1&sms_status=delivered&dest=%2B6511111111")

    assert (remaining(), Notification.objects.count()) == (["AA-S-1"], 1)


@pytest.mark.parametrize(
    ("kind", "sent", "awaited"),
    [
        (Kind.SMS_STATUS, {"dest": "+6511111111"}, "sms_status"),
        (Kind.BULK_SMS_STATUS, {"dest": "+6511111111", "bulk_txn_ref": "AA-B-1"}, "bulk_sms_status"),
        (Kind.FAX_STATUS, {"dest": "+6511111111"}, "fax_status"),
        (Kind.CALL_ENDED, {"dest1": "+6511111111"}, "call_ended"),
        (Kind.IVR_ENDED, {"dest": "+6511111111", "session": "S1"}, "ivr_ended"),
    ],
)
def test_sent_transaction_without_a_notification_is_pruned_by_the_expected_kind(
    settings: Any, kind: Kind, sent: dict[str, str], awaited: str
) -> None:
    row = enter(kind, "default", "AA-1", sent)
    assert row is not None
    rows = type(row)._default_manager.filter(pk=row.pk)

    rows.update(created_at=NOW - 6 * DAY)
    settings.HOIIO = {"RETENTION_DAYS": {**ALL, awaited: (None, None)}}
    prune()
    row.refresh_from_db()
    assert (row.remote_number, row.redacted_at) == ("+6511111111", None)

    settings.HOIIO = {"RETENTION_DAYS": {awaited: (4, 12)}}
    assert prune().transactions_redacted == 1
    row.refresh_from_db()
    assert (row.remote_number, row.redacted_at is None) == ("", False)

    rows.update(created_at=NOW - 20 * DAY)
    assert prune().transactions_deleted == 1
    assert not rows.exists()


def test_open_transaction_with_notifications_is_pruned_only_with_them() -> None:
    received("txn_ref=AA-S-1&sms_status=queued&dest=%2B6511111111", days=2)
    Sms.objects.update(created_at=NOW - 20 * DAY)

    prune()

    assert redaction_of(Sms) == {"AA-S-1": False}


# Pending notifications and failed receivers.


@pytest.mark.parametrize("days", [6, 20])
def test_pending_notification_is_not_redacted(days: int) -> None:
    notification = received("txn_ref=AA-SI-1&msg=hi&from=%2B6511111111&to=", days=days)
    Notification.objects.update(dispatched_at=None, claimed_until=NOW)

    report = prune()

    assert (report.skipped, report.redacted, report.deleted) == (1, 0, 0)
    assert Sms.objects.get().msg == "hi"
    assert values(notification)["params"] == {"txn_ref": "AA-SI-1", "msg": "hi", "from": "+6511111111", "to": ""}


@pytest.mark.parametrize("days", [6, 20])
@pytest.mark.parametrize(
    ("failure", "held"), [({"attempts": 1}, 1), ({"attempts": 5}, 0), ({"attempts": 1, "resolved_at": NOW}, 0)]
)
def test_notification_of_a_receiver_to_retry_is_not_redacted(days: int, failure: dict[str, Any], held: int) -> None:
    notification = received("txn_ref=AA-SI-1&msg=hi&from=%2B6511111111&to=", days=days)
    ReceiverFailure.objects.create(notification=notification, signal="sms_received", receiver="a", **failure)

    report = prune()

    assert (report.skipped, report.redacted + report.deleted) == (held, 1 - held)


def test_pending_step_of_an_old_call_is_pruned() -> None:
    notification = received("txn_ref=AA-C-1&session=S1&call_state=ringing&from=%2B6511111111", days=6, route="ivr")
    Notification.objects.update(dispatched_at=None, claimed_until=NOW)
    ReceiverFailure.objects.create(notification=notification, signal="ivr_answer", receiver="a", attempts=1)

    assert (prune().skipped, redaction_of(Notification, Call)) == (0, {"AA-C-1": True})


def test_failures_are_deleted_with_their_notification() -> None:
    notification = received("txn_ref=AA-SI-1&msg=hi&from=%2B6511111111&to=", days=20)
    ReceiverFailure.objects.create(notification=notification, signal="sms_received", receiver="a", attempts=5)

    prune()

    assert (Notification.objects.count(), ReceiverFailure.objects.count()) == (0, 0)


# The days.


def test_days_are_closed_before_anything_of_them_is_deleted_and_figures_stay(settings: Any) -> None:
    settings.HOIIO = {"RETENTION_DAYS": dict.fromkeys(Kind.values, (1, 2))}
    for hours in range(0, 240, 7):
        received(
            f"txn_ref=AA-S-{hours}&sms_status=delivered&dest=%2B6511111111&currency=SGD&debit=0.0{hours}",
            days=hours / 24,
        )
    first, last = (NOW - 20 * DAY).date(), NOW.date()
    before = totals(first, last)

    report = prune()

    assert totals(first, last) == before
    assert sum(total.count for total in before) == 35
    assert report.transactions_deleted == 35 - 7
    assert report.closed == ClosedDay.objects.count() > 7


def test_redacted_transactions_count_as_before(settings: Any) -> None:
    settings.HOIIO = {"RETENTION_DAYS": dict.fromkeys(Kind.values, (1, None))}
    bodies = (
        "msg=hello",
        "sms_status=received",
        "sms_status=delivered&dest=%2B6511111111",
        "status=error_dest_not_supported&bulk_txn_ref=AA-B-1",
        "call_status=answered",
        "dest1=%2B6511111111&call_status_dest1=busy",
        "fax_status=answered&from=%2B6511111111",
        "fax_status=answered&dest=%2B6511111111",
    )
    for number, body in enumerate(bodies):
        received(f"txn_ref=AA-{number}&{body}", days=3, route="sms")
    first, last = (NOW - 20 * DAY).date(), NOW.date()
    before = totals(first, last)

    assert (prune().transactions_redacted, totals(first, last), DailyTotal.objects.count()) == (8, before, 0)


# UUIDs derived from the content.


def test_polled_notification_loses_the_uuid_derived_from_its_content() -> None:
    polled = received("txn_ref=AA-S-1&sms_status=delivered&dest=%2B6511111111", days=6, route="sms", source=Source.POLL)
    posted = received("txn_ref=AA-S-2&sms_status=delivered&dest=%2B6511111111", days=6)
    named = polled.uuid, posted.uuid

    prune()

    polled.refresh_from_db()
    posted.refresh_from_db()
    assert (polled.uuid == named[0], posted.uuid == named[1]) == (False, True)


# Batches.


def test_batch_is_committed_completely_or_not_at_all() -> None:
    for number in range(3):
        received(f"txn_ref=AA-S-{number}&sms_status=delivered&dest=%2B6511111111", days=6)

    with failing("UPDATE django_hoiio_sms", DataError()), pytest.raises(DataError):
        prune()

    assert set(redaction_of(Notification, Sms).values()) == {False}


def test_deadlock_is_retried_and_counted_once() -> None:
    received("txn_ref=AA-S-1&sms_status=delivered&dest=%2B6511111111", days=6)

    with failing("UPDATE django_hoiio_sms", deadlock(), times=2):
        report = prune()

    assert (report.redacted, report.transactions_redacted) == (1, 1)


def test_more_than_a_page_of_rows_of_one_moment_is_pruned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_hoiio.retention.batches.KEYS_PER_PAGE", 2)
    for number in range(7):
        received(f"txn_ref=AA-S-{number}&sms_status=delivered&dest=%2B6511111111", days=6)
    for number in range(5):
        enter(Kind.SMS_STATUS, "default", f"AA-T-{number}", {"dest": "+6511111111"})
    Sms.objects.filter(txn_ref__startswith="AA-T").update(created_at=NOW - 6 * DAY)

    report = prune()

    assert (report.redacted, report.transactions_redacted) == (7, 12)
    assert set(redaction_of(Notification, Sms).values()) == {True}


def test_batch_size_follows_the_duration_of_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pauses = [0.0], []
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("time.sleep", pauses.append)
    pace, sizes = BatchSize(), []
    for took in (0.1, 0.02, 0.02, 0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 20.0, 200.0):
        with pace.transaction():
            clock[0] += took
        sizes.append(pace.size)

    assert sizes == [INITIAL_SIZE, 100, 200, 25, 50, 100, 200, 400, 800, MAX_SIZE, MAX_SIZE, MAX_SIZE, 5, 1]
    assert [round(seconds, 6) for seconds in pauses[:4]] == [0.1, 0.02, 0.02, 0.8]
    assert round(pace.slowest) == 200


# The command.


def command(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command("hoiio_prune", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_dry_run_reports_counts_and_writes_nothing() -> None:
    for days in (5, 6, 7, 13, 20, 1):
        received(f"txn_ref=AA-S-{days}&sms_status=delivered&dest=%2B6511111111", days=days)
    held = received("txn_ref=AA-S-0&sms_status=delivered&dest=%2B6511111111", days=6)
    Notification.objects.filter(pk=held.pk).update(dispatched_at=None)

    output = command("--dry-run")

    assert output[0] == "Would redact 3 and delete 2 notifications."
    assert output[1].startswith(
        "Skipped 1 due notifications whose receivers have not all succeeded: run hoiio_recover,"
    )
    assert (len(remaining()), ClosedDay.objects.count(), set(redaction_of(Notification).values())) == (7, 0, {False})


def test_command_reports_its_counts() -> None:
    for days in (5, 13, 14):
        received(f"txn_ref=AA-S-{days}&sms_status=delivered&dest=%2B6511111111", days=days)

    (output,) = command()

    closed = ClosedDay.objects.count()
    assert output == (
        f"Redacted 1 and deleted 2 notifications; redacted 1 and deleted 2 calls, SMS and faxes; closed {closed} days."
    )


def test_command_reports_the_longest_transaction_if_it_is_to_say_more() -> None:
    assert command("--verbosity", "2")[1:] == ["The longest transaction took 0 ms."]


def test_command_closes_days_without_anything_to_prune(settings: Any) -> None:
    settings.HOIIO = {}
    received("txn_ref=AA-S-1&sms_status=delivered", days=20)

    assert command() == [
        "Redacted 0 and deleted 0 notifications; redacted 0 and deleted 0 calls, SMS and faxes; closed 13 days."
    ]


def test_command_reports_that_the_database_is_away_without_quoting_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**options: Any) -> Iterable[Any]:
        raise OperationalError("no connection for +6511111111")

    monkeypatch.setattr("django_hoiio.management.commands.hoiio_prune.prune", away)

    with pytest.raises(CommandError) as raised:
        command()

    assert str(raised.value) == "The database is unavailable (OperationalError); run the command again later."


def test_redacted_sms_is_not_dispatched_again() -> None:
    called = []

    def listen(**arguments: Any) -> None:
        called.append(arguments)

    received("txn_ref=AA-SI-1&msg=hi&from=%2B6511111111&to=", days=6)
    prune()
    sms_received.connect(listen, dispatch_uid="tests.listen")
    try:
        call_command("hoiio_reparse", "--dispatch", stdout=io.StringIO())
    finally:
        sms_received.disconnect(dispatch_uid="tests.listen")

    assert called == []
