"""Store sent requests, and merge their notifications into the same rows."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import Error, OperationalError, connection, transaction

from django_hoiio import database
from django_hoiio.client import HoiioClient
from django_hoiio.enums import Kind
from django_hoiio.ingest import ingest, outgoing
from django_hoiio.models import Call, Fax, Notification, Sms, Transaction
from tests.conftest import deadlock, failing, raw_notification, values
from tests.fake_hoiio import SUCCESS, Hoiio

pytestmark = pytest.mark.django_db

DEST, DEST2 = "+6591234567", "+6598765432"
WAITING = {"account": "default", "direction": "outgoing", "is_final": False}
DELIVERED = "txn_ref=AA-S-1&sms_status=delivered&dest=%2B6591234567&debit=0.032"


def rows() -> list[tuple[str, dict[str, Any]]]:
    return [(model.__name__, values(row)) for model in (Call, Sms, Fax) for row in model.objects.order_by("txn_ref")]


def receive(content: str, **fields: Any) -> Notification:
    return ingest(raw_notification("any", "", content, **fields))


def send(client: HoiioClient) -> str:
    return client.sms.send(dest=DEST, msg="hello", tag="order-17").txn_ref


SENT = {
    **WAITING,
    "txn_ref": "AA-S-1",
    "dest": DEST,
    "msg": "hello",
    "tag": "order-17",
    "remote_number": DEST,
    "remote_suffix": "91234567",
}


# Stored requests.

ENTERED: dict[str, tuple[Callable[[HoiioClient], Any], str, dict[str, Any]]] = {
    "call": (
        lambda client: client.voice.call(dest1=DEST, dest2=DEST2, tag="t", caller_id="private"),
        "Call",
        {"dest1": DEST, "dest2": DEST2, "tag": "t", "remote_number": DEST2, "remote_suffix": "98765432"},
    ),
    "call from the own number": (
        lambda client: client.voice.call(dest2=DEST2, notify=False),
        "Call",
        {"dest2": DEST2, "remote_number": DEST2, "remote_suffix": "98765432"},
    ),
    "dialled": (
        lambda client: client.ivr.dial(dest=DEST, msg="hello", max_duration=60),
        "Call",
        {"dest": DEST, "session": "S1", "remote_number": DEST, "remote_suffix": "91234567"},
    ),
    "fax": (
        lambda client: client.fax.send(dest=DEST, file=b"%PDF-1.4", tag="t"),
        "Fax",
        {"dest": DEST, "tag": "t", "remote_number": DEST, "remote_suffix": "91234567"},
    ),
    "conference": (
        lambda client: client.voice.conference(dest=[DEST], room="R1"),
        "Call",
        {"txn_ref": "AA-C-1", "dest": DEST, "room": "R1", "remote_number": DEST, "remote_suffix": "91234567"},
    ),
}


@pytest.mark.parametrize(("begin", "model", "stored"), ENTERED.values(), ids=ENTERED)
def test_sent_request_is_stored(
    hoiio: Hoiio, hoiio_client: HoiioClient, begin: Any, model: str, stored: dict[str, Any]
) -> None:
    before = datetime.now(timezone.utc)

    begin(hoiio_client)

    outcome = {"outcome": "in_progress"} if model == "Call" else {}
    assert rows() == [(model, {**WAITING, **outcome, "txn_ref": "AA-S-1", **stored})]
    (row,) = {"Call": Call, "Fax": Fax}[model].objects.all()
    assert before <= row.created_at == row.updated_at <= datetime.now(timezone.utc)
    assert not row.is_final


def test_sms_is_stored_under_its_account(hoiio: Hoiio) -> None:
    with HoiioClient("second") as client:
        send(client)

    assert rows() == [("Sms", {**SENT, "account": "second"})]


def test_each_person_of_a_conference_has_a_call(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    hoiio.says({"status": "success_ok", "txn_refs": ["AA-C-1", "AA-C-2"], "room": "R9"})

    hoiio_client.conference.call(dest=[DEST, DEST2], tag="t")

    assert [(row.txn_ref, row.dest, row.room, row.tag) for row in Call.objects.order_by("txn_ref")] == [
        ("AA-C-1", DEST, "R9", "t"),
        ("AA-C-2", DEST2, "R9", "t"),
    ]


def test_people_of_a_conference_are_not_guessed_if_references_are_missing(
    hoiio: Hoiio, hoiio_client: HoiioClient
) -> None:
    hoiio.says({"status": "success_ok", "txn_refs": "AA-C-1", "room": "R9"})

    hoiio_client.conference.call(dest=[DEST, DEST2])

    assert rows() == [("Call", {**WAITING, "outcome": "in_progress", "txn_ref": "AA-C-1", "room": "R9"})]


@pytest.mark.parametrize(
    "send_request",
    [
        lambda client: client.sms.bulk_send(dest=[DEST], msg="m"),
        lambda client: client.sms.query_status(txn_ref="AA-S-1"),
        lambda client: client.voice.hangup(txn_ref="AA-S-1"),
        lambda client: client.ivr.transfer(session="S1", dest=DEST),
    ],
    ids=["bulk", "query", "hangup", "transfer"],
)
def test_request_without_a_new_reference_stores_nothing(
    hoiio: Hoiio, hoiio_client: HoiioClient, send_request: Any
) -> None:
    send_request(hoiio_client)

    assert rows() == []


# The notification.


def final() -> list[tuple[str, dict[str, Any]]]:
    (row,) = rows()
    assert row[1].pop("debit") is not None
    return [row]


EXPECTED = [("Sms", {**SENT, "sms_status": "delivered", "is_final": True})]


def test_notification_meets_the_row_that_waits(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    send(hoiio_client)
    receive(DELIVERED)

    assert final() == EXPECTED


def test_notification_that_is_quicker_than_the_answer_ends_in_the_same_state(
    hoiio: Hoiio, hoiio_client: HoiioClient
) -> None:
    receive(DELIVERED)
    send(hoiio_client)

    assert final() == EXPECTED


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("skew", [timedelta(hours=-1), timedelta(hours=1)])
def test_any_report_by_hoiio_overwrites_the_sent_values(
    hoiio: Hoiio, hoiio_client: HoiioClient, late: bool, skew: timedelta
) -> None:
    def notify() -> None:
        content = "txn_ref=AA-S-1&sms_status=queued&tag=theirs&dest=%2B6500000000&msg=theirs"
        receive(content, received_at=datetime.now(timezone.utc) + skew)

    if not late:
        notify()
    send(hoiio_client)
    if late:
        notify()

    (row,) = Sms.objects.all()
    assert (row.sms_status, row.tag, row.dest, row.msg, row.remote_number, row.remote_suffix) == (
        "queued",
        "theirs",
        "+6500000000",
        "theirs",
        "+6500000000",
        "00000000",
    )


@pytest.mark.parametrize("late", [False, True])
def test_notification_without_a_parameter_does_not_clear_its_field(
    hoiio: Hoiio, hoiio_client: HoiioClient, late: bool
) -> None:
    if not late:
        receive("txn_ref=AA-S-1&sms_status=queued&tag=&dest=")
    send(hoiio_client)
    if late:
        receive("txn_ref=AA-S-1&sms_status=queued&tag=&dest=")

    assert rows() == [("Sms", {**SENT, "sms_status": "queued"})]


def test_incoming_is_never_made_outgoing(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    receive("txn_ref=AA-S-1&session=S1&call_state=ringing&from=%2B6511111111&to=%2B6522222222")
    hoiio_client.ivr.dial(dest=DEST)

    (row,) = Call.objects.all()
    assert (row.direction, row.remote_number, row.call_state) == ("incoming", "+6511111111", "ringing")


# The caller's transaction, and a database that fails.


@pytest.mark.django_db(transaction=True)
def test_request_is_stored_without_an_open_transaction(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    send(hoiio_client)

    assert rows() == [("Sms", SENT)]


@pytest.mark.django_db(transaction=True)
def test_entry_goes_with_the_transaction_of_the_caller(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    with transaction.atomic():
        send(hoiio_client)
        assert Sms.objects.count() == 1
        transaction.set_rollback(True)

    assert rows() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "mysql", reason="the others would refuse the write of such a transaction")
def test_sent_values_overwrite_no_report_that_the_transaction_of_the_caller_cannot_see(
    hoiio: Hoiio, hoiio_client: HoiioClient
) -> None:
    """MariaDB reads everything as of the first read of a transaction, and writes to what is there."""
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    with transaction.atomic():
        assert Notification.objects.count() == 0
        thread = threading.Thread(
            target=lambda: (receive("txn_ref=AA-S-1&sms_status=queued&tag=theirs"), connection.close())
        )
        thread.start()
        thread.join()
        send(hoiio_client)
    connection.close()

    row = Sms.objects.get()
    assert (row.tag, row.msg, row.notifications.count()) == ("theirs", "hello", 1)


def _failing(error: Exception) -> Callable[..., Transaction]:
    def fail(*args: Any) -> Transaction:
        with connection.cursor() as cursor:
            # A real error, so that the connection is in the state of a failure.
            cursor.execute("SELECT no_such_column FROM django_hoiio_sms")
        raise error

    return fail


@pytest.mark.parametrize("error", [OperationalError("the disk is full of +6591234567"), ValueError("+6591234567")])
@pytest.mark.parametrize("real", [False, True])
def test_failure_to_store_loses_neither_the_response_nor_the_transaction(
    hoiio: Hoiio,
    hoiio_client: HoiioClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    real: bool,
) -> None:
    def fail(*args: Any) -> Transaction:
        raise error

    with transaction.atomic():
        other = Sms.objects.create(txn_ref="AA-S-0", created_at=_now(), updated_at=_now())
        with monkeypatch.context() as broken:
            broken.setattr(outgoing, "write_state", _failing(error) if real else fail)
            assert send(hoiio_client) == "AA-S-1"
        other.refresh_from_db()

    assert [row.txn_ref for row in Sms.objects.all()] == ["AA-S-0"]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("AA-S-1 was sent, but could not be stored: ")
    assert record.getMessage().endswith("Error.")
    assert DEST not in caplog.text


def _now() -> datetime:
    return datetime.now(timezone.utc)


@pytest.mark.django_db(transaction=True)
def test_response_is_returned_in_a_broken_transaction(
    hoiio: Hoiio, hoiio_client: HoiioClient, caplog: pytest.LogCaptureFixture
) -> None:
    with transaction.atomic():
        transaction.set_rollback(True)
        assert send(hoiio_client) == "AA-S-1"

    assert caplog.messages == ["AA-S-1 was sent, but could not be stored: TransactionManagementError."]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("block", "stored"), [(nullcontext, 1), (transaction.atomic, 0)])
def test_transient_error_is_retried_unless_a_transaction_is_open(
    hoiio: Hoiio, hoiio_client: HoiioClient, monkeypatch: pytest.MonkeyPatch, block: Any, stored: int
) -> None:
    monkeypatch.setattr(database.time, "sleep", lambda seconds: None)

    with failing("INSERT INTO django_hoiio_sms", deadlock(), times=2), block():
        send(hoiio_client)

    assert Sms.objects.count() == stored


def test_notification_creates_the_row_that_could_not_be_stored(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    with failing("INSERT INTO django_hoiio_sms", Error()):
        send(hoiio_client)
    receive(DELIVERED)

    (row,) = Sms.objects.all()
    assert (row.sms_status, row.dest) == ("delivered", DEST)


@pytest.mark.parametrize("txn_ref", ["AA-S-" + "1" * 60, "AA-S-\0"])
def test_reference_too_long_for_its_column_is_logged_and_returned(
    hoiio: Hoiio, hoiio_client: HoiioClient, caplog: pytest.LogCaptureFixture, txn_ref: str
) -> None:
    hoiio.says({**SUCCESS, "txn_ref": txn_ref})

    assert send(hoiio_client) == txn_ref.replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert len(caplog.messages) == (1 if len(txn_ref) > 64 else 0)


def test_characters_that_no_database_stores_are_removed() -> None:
    row = outgoing.enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": DEST, "msg": "a\0b", "tag": "t" * 257})

    assert row is not None
    expected = {**SENT, "msg": "a\N{REPLACEMENT CHARACTER}b"}
    del expected["tag"]
    assert rows() == [("Sms", expected)]
