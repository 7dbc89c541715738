from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.db import DatabaseError, DataError, Error, IntegrityError, connection, transaction
from django.dispatch import Signal

from django_hoiio import receivers
from django_hoiio.dispatch import release
from django_hoiio.enums import Source
from django_hoiio.ingest import ingest
from django_hoiio.models import Notification, ReceiverFailure, Sms
from django_hoiio.signals import SIGNALS, ivr_ended, ivr_record, notification_received, sms_status
from tests.conftest import failing, raw_notification

pytestmark = pytest.mark.django_db

STATUS = "txn_ref=AA-S-1&sms_status=delivered"


@pytest.fixture(autouse=True)
def _disconnect() -> Iterator[None]:
    """Leave no receiver behind."""
    yield
    for signal in (*SIGNALS.values(), notification_received):
        signal.receivers.clear()


def receive(body: str = STATUS) -> Notification:
    return ingest(raw_notification("any", "", body)).notification


def failure_log() -> list[tuple[str, str, int, str]]:
    """Return signal, receiver, attempts and the last line of the traceback of each failure."""
    return [
        (row.signal, row.receiver, row.attempts, row.traceback.strip().splitlines()[-1])
        for row in ReceiverFailure.objects.order_by("pk")
    ]


called: list[Any] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    called.clear()


def witness(**kwargs: Any) -> None:
    called.append(kwargs)


def raising(error: BaseException) -> Callable[..., None]:
    def fail(**kwargs: Any) -> None:
        raise error

    return fail


class Callables:
    """Receivers of all types."""

    def method(self, **kwargs: Any) -> None:
        raise ValueError("method")

    def __call__(self, **kwargs: Any) -> None:
        raise ValueError("object")


def partly(reason: str, **kwargs: Any) -> None:
    raise ValueError(reason)


async def waiting(**kwargs: Any) -> None:
    await asyncio.sleep(0)
    called.append(threading.current_thread())


async def failing_later(**kwargs: Any) -> None:
    await asyncio.sleep(0)
    raise ValueError("later")


async def exiting_later(**kwargs: Any) -> None:
    await asyncio.sleep(0)
    raise SystemExit(3)


MODULE = __name__


def test_receivers_get_the_documented_arguments() -> None:
    sms_status.connect(witness)

    stored = receive()

    assert called == [
        {
            "signal": sms_status,
            "sender": Notification,
            "notification": stored,
            "attempt": 1,
            "call": None,
            "sms": Sms.objects.get(),
            "fax": None,
        }
    ]
    assert called[0]["sms"].sms_status == "delivered"


def test_signals_are_sent_by_kind_then_ivr_ended_then_notification_received() -> None:
    order: list[Signal] = []
    for signal in (notification_received, ivr_ended, ivr_record):
        signal.connect(lambda signal, **kwargs: order.append(signal), weak=False)

    receive("session=S1&txn_ref=AA-C-1&call_state=ended&record_url=x")

    assert order == [ivr_record, ivr_ended, notification_received]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("oops"),
        SystemExit(1),
        KeyboardInterrupt(),
        GeneratorExit(),
        asyncio.CancelledError(),
        DatabaseError("gone"),
        RecursionError("deep"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_failed_receiver_is_recorded_and_stops_no_other(error: BaseException) -> None:
    sms_status.connect(raising(error), weak=False, dispatch_uid="bad")
    sms_status.connect(witness)
    notification_received.connect(witness)

    stored = receive()

    assert len(called) == 2
    ((signal, label, attempts, _),) = failure_log()
    assert (signal, label, attempts) == ("sms_status", "bad", 1)
    assert type(error).__name__ in ReceiverFailure.objects.get().traceback
    assert ReceiverFailure.objects.unresolved().get().failed_at is not None
    stored.refresh_from_db()
    assert stored.dispatched_at is not None


def test_receivers_of_all_shapes_are_called_and_named() -> None:
    shapes = Callables()
    sms_status.connect(shapes.method)
    sms_status.connect(shapes)
    sms_status.connect(functools.partial(functools.partial(partly, reason="partial")), weak=False)
    sms_status.connect(failing_later)
    sms_status.connect(exiting_later)
    sms_status.connect(waiting)
    sms_status.connect(partly)
    sms_status.connect(witness)

    receive()

    assert failure_log() == [
        ("sms_status", f"{MODULE}.Callables.method", 1, "ValueError: method"),
        ("sms_status", f"{MODULE}.Callables", 1, "ValueError: object"),
        ("sms_status", f"{MODULE}.partly", 1, "TypeError: partly() missing 1 required positional argument: 'reason'"),
        ("sms_status", f"{MODULE}.failing_later", 1, "ValueError: later"),
        ("sms_status", f"{MODULE}.exiting_later", 1, "SystemExit: 3"),
    ]
    assert len(called) == 2


@pytest.mark.parametrize("nonsense", [None, 0, object(), Exception("returned"), ["x"]])
def test_return_value_of_a_receiver_is_ignored(nonsense: object) -> None:
    sms_status.connect(lambda **kwargs: nonsense, weak=False)

    receive()

    assert failure_log() == []


def test_receiver_of_another_sender_and_a_deleted_receiver_are_not_called() -> None:
    sms_status.connect(witness, sender=Sms)
    gone = Callables()
    sms_status.connect(gone)
    del gone

    receive()

    assert (called, failure_log()) == ([], [])


def test_receiver_with_a_dispatch_uid_is_called_once_under_that_name() -> None:
    failing = raising(ValueError("x"))
    sms_status.connect(failing, dispatch_uid="once")
    sms_status.connect(failing, dispatch_uid="once")

    receive()

    assert failure_log() == [("sms_status", "once", 1, "ValueError: x")]


def test_receiver_that_connects_or_disconnects_receivers_affects_only_the_next_notification() -> None:
    def only_once(**kwargs: Any) -> None:
        called.append("only once")
        sms_status.disconnect(only_once)
        sms_status.connect(later)

    def always(**kwargs: Any) -> None:
        called.append("always")

    def later(**kwargs: Any) -> None:
        called.append("later")

    sms_status.connect(only_once)
    sms_status.connect(always)

    receive()
    assert called == ["only once", "always"]
    receive()
    assert called == ["only once", "always", "always", "later"]


def test_receiver_that_breaks_the_transaction_of_a_test_affects_no_other_receiver() -> None:
    def break_it(notification: Notification, **kwargs: Any) -> None:
        with pytest.raises(IntegrityError):
            Notification.objects.create(uuid=notification.uuid, received_at=notification.received_at)
        Sms.objects.count()

    sms_status.connect(break_it)
    sms_status.connect(lambda **kwargs: called.append(Sms.objects.count()), weak=False)

    receive()

    assert called == [1]
    assert [row[:3] for row in failure_log()] == [
        (
            "sms_status",
            f"{MODULE}.test_receiver_that_breaks_the_transaction_of_a_test_affects_no_other_receiver.<locals>.break_it",
            1,
        )
    ]


def test_long_receiver_name_and_invalid_traceback_are_shortened_and_cleaned(caplog: pytest.LogCaptureFixture) -> None:
    # pytest-xdist cannot transfer the lone surrogate in a captured log line.
    caplog.set_level(logging.CRITICAL, logger="django_hoiio.dispatch")
    sms_status.connect(raising(ValueError("a\0b\ud800")), weak=False, dispatch_uid="x" * 300)

    receive()

    ((_, label, _, reason),) = failure_log()
    assert label == "x" * 255
    assert reason.startswith("ValueError: a")


def test_log_of_a_failed_receiver_names_it_without_content(caplog: pytest.LogCaptureFixture) -> None:
    sms_status.connect(raising(ValueError("+6511111111")), weak=False, dispatch_uid="bad")

    stored = receive()

    assert [record.getMessage() for record in caplog.records] == [
        f"Receiver bad of sms_status failed for notification {stored.pk}: ValueError."
    ]


def test_notification_stays_pending_if_a_failure_cannot_be_recorded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("away")

    monkeypatch.setattr(ReceiverFailure.objects.all().__class__, "update_or_create", refuse)
    sms_status.connect(raising(ValueError("x")), weak=False)
    sms_status.connect(witness)

    stored = receive()

    assert len(called) == 1
    assert list(Notification.objects.pending()) == [stored]
    assert stored.claimed_until is not None
    assert f"A failed receiver of notification {stored.pk} could not be recorded: DatabaseError." in caplog.text


def test_notification_without_receivers_is_stored_as_dispatched() -> None:
    stored = receive()

    assert (stored.dispatched_at is None, stored.claimed_until) == (False, None)


def test_notification_is_claimed_while_its_receivers_run() -> None:
    def look(notification: Notification, **kwargs: Any) -> None:
        now = Notification.objects.get(pk=notification.pk)
        called.append((now.dispatched_at, now.claimed_until is not None))

    sms_status.connect(look)

    stored = receive()

    assert called == [(None, True)]
    stored.refresh_from_db()
    assert (stored.dispatched_at is None, stored.claimed_until) == (False, None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "harm",
    [
        "close",
        "autocommit",
        "atomic",
        "rollback",
        "driver",
        pytest.param(
            "begin",
            marks=pytest.mark.skipif(
                connection.vendor == "mysql",
                reason="MariaDB's drivers do not report an open transaction; the next BEGIN commits it",
            ),
        ),
    ],
)
def test_receiver_that_breaks_the_connection_does_not_stop_other_receivers(harm: str) -> None:
    def upset(**kwargs: Any) -> None:
        if harm == "close":
            connection.close()
        elif harm == "autocommit":
            connection.set_autocommit(False)
        elif harm == "atomic":
            transaction.atomic().__enter__()
        elif harm == "rollback":
            connection.needs_rollback = True
        elif harm == "driver":
            connection.connection.close()
            with suppress(Error):
                connection.cursor().execute("SELECT 1")
        elif harm == "begin":
            connection.cursor().execute("BEGIN")
        raise ValueError(harm)

    sms_status.connect(upset, dispatch_uid="upset")
    sms_status.connect(lambda **kwargs: called.append(Sms.objects.count()), weak=False)

    try:
        stored = receive()
    finally:
        in_the_way = (connection.in_atomic_block, connection.get_autocommit())
    connection.close()

    assert called == [1]
    assert in_the_way == (False, True)
    # MariaDB's driver complains when it is closed a second time.
    is_closed_twice = (harm, connection.vendor) == ("driver", "mysql")
    error = "django.db.utils.OperationalError: (2006, '')" if is_closed_twice else f"ValueError: {harm}"
    assert failure_log() == [("sms_status", "upset", 1, error)]
    assert Notification.objects.get(pk=stored.pk).dispatched_at is not None


def test_notification_that_is_dispatched_already_runs_no_receiver_again() -> None:
    sms_status.connect(witness)
    delivery = raw_notification("any", "", STATUS, source=Source.SPOOL)
    ingest(delivery)
    called.clear()

    ingest(delivery)

    assert called == []


def test_async_receiver_under_gevent_fails_and_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def asynchronous(**kwargs: Any) -> None:
        called.append(kwargs)

    monkeypatch.setattr(receivers, "_is_gevent", lambda: True)
    sms_status.connect(asynchronous, dispatch_uid="asynchronous")

    receive()

    assert called == []
    assert failure_log() == [("sms_status", "asynchronous", 1, f"RuntimeError: {receivers.UNDER_GEVENT}")]


REFUSED = DataError("near +6511111111")


def test_notification_that_cannot_be_marked_as_dispatched_stays_claimed(caplog: pytest.LogCaptureFixture) -> None:
    sms_status.connect(witness)

    with failing("UPDATE django_hoiio_notification SET dispatched_at", REFUSED):
        stored = receive()

    assert len(called) == 1
    assert caplog.messages == [f"Notification {stored.pk} could not be marked as dispatched: DataError."]
    assert list(Notification.objects.pending()) == [stored]


@pytest.mark.django_db(transaction=True)
def test_claim_that_cannot_be_released_expires_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    sms_status.connect(witness)
    with failing("UPDATE django_hoiio_notification SET dispatched_at", REFUSED):
        receive()
    claimed = Notification.objects.get()
    caplog.clear()

    with failing("UPDATE", REFUSED):
        release(claimed)

    assert caplog.messages == [f"The claim of notification {claimed.pk} could not be released: DataError."]
    assert Notification.objects.get().claimed_until == claimed.claimed_until


def test_failure_whose_traceback_cannot_be_formatted_is_recorded_by_its_class() -> None:
    class Unreadable(Exception):
        @property
        def __cause__(self) -> Any:
            raise RuntimeError

    sms_status.connect(raising(Unreadable()), weak=False, dispatch_uid="failing")

    receive()

    assert failure_log() == [("sms_status", "failing", 1, "Unreadable")]


def test_called_receivers_are_stored_including_failed_ones() -> None:
    sms_status.connect(witness, dispatch_uid="witness")
    notification_received.connect(raising(ValueError("x")), weak=False, dispatch_uid="failing")

    stored = receive()

    assert stored.receivers == [["sms_status", "witness"], ["notification_received", "failing"]]
    assert Notification.objects.get(pk=stored.pk).receivers == stored.receivers


def test_no_receivers_are_stored_if_none_are_connected() -> None:
    stored = receive()

    assert Notification.objects.get(pk=stored.pk).receivers == stored.receivers == []
