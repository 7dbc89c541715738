from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.db import DatabaseError, Error, IntegrityError, connection, transaction
from django.dispatch import Signal

from django_hoiio import inbox
from django_hoiio.enums import Source
from django_hoiio.models import Notification, ReceiverFailure, Sms
from django_hoiio.signals import SIGNALS, ivr_ended, ivr_record, notification_received, sms_status
from tests.conftest import raw_notification

pytestmark = pytest.mark.django_db

STATUS = "txn_ref=AA-S-1&sms_status=delivered"


@pytest.fixture(autouse=True)
def _disconnect() -> Iterator[None]:
    """Leave no receiver behind."""
    yield
    for signal in (*SIGNALS.values(), notification_received):
        signal.receivers.clear()


def receive(said: str = STATUS) -> Notification:
    return inbox.receive(raw_notification("any", "", said)).notification


def ledger() -> list[tuple[str, str, int, str]]:
    """Each failed receiver: signal, label, attempts, and the last line of its traceback."""
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
    """Receivers of all shapes."""

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


def test_receivers_get_what_is_promised() -> None:
    sms_status.connect(witness)

    kept = receive()

    assert called == [
        {
            "signal": sms_status,
            "sender": Notification,
            "notification": kept,
            "attempt": 1,
            "call": None,
            "sms": Sms.objects.get(),
            "fax": None,
        }
    ]
    assert called[0]["sms"].sms_status == "delivered"


def test_kind_comes_first_then_the_end_of_the_call_then_the_signal_for_all() -> None:
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
def test_receiver_that_fails_stops_no_other_and_is_noted(error: BaseException) -> None:
    sms_status.connect(raising(error), weak=False, dispatch_uid="bad")
    sms_status.connect(witness)
    notification_received.connect(witness)

    kept = receive()

    assert len(called) == 2
    ((signal, label, attempts, _),) = ledger()
    assert (signal, label, attempts) == ("sms_status", "bad", 1)
    assert type(error).__name__ in ReceiverFailure.objects.get().traceback
    assert ReceiverFailure.objects.unresolved().get().failed_at is not None
    kept.refresh_from_db()
    assert kept.dispatched_at is not None


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

    assert ledger() == [
        ("sms_status", f"{MODULE}.Callables.method", 1, "ValueError: method"),
        ("sms_status", f"{MODULE}.Callables", 1, "ValueError: object"),
        ("sms_status", f"{MODULE}.partly", 1, "TypeError: partly() missing 1 required positional argument: 'reason'"),
        ("sms_status", f"{MODULE}.failing_later", 1, "ValueError: later"),
        ("sms_status", f"{MODULE}.exiting_later", 1, "SystemExit: 3"),
    ]
    assert len(called) == 2


@pytest.mark.parametrize("nonsense", [None, 0, object(), Exception("returned"), ["x"]])
def test_what_a_receiver_returns_does_not_matter(nonsense: object) -> None:
    sms_status.connect(lambda **kwargs: nonsense, weak=False)

    receive()

    assert ledger() == []


def test_receiver_of_another_sender_and_one_that_is_gone_are_not_called() -> None:
    sms_status.connect(witness, sender=Sms)
    gone = Callables()
    sms_status.connect(gone)
    del gone

    receive()

    assert (called, ledger()) == ([], [])


def test_receiver_with_a_dispatch_uid_is_called_once_under_that_name() -> None:
    failing = raising(ValueError("x"))
    sms_status.connect(failing, dispatch_uid="once")
    sms_status.connect(failing, dispatch_uid="once")

    receive()

    assert ledger() == [("sms_status", "once", 1, "ValueError: x")]


def test_receiver_that_disconnects_itself_and_connects_another_changes_who_is_told_from_the_next_one_on() -> None:
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


def test_receiver_that_breaks_the_transaction_of_a_test_harms_nobody_else() -> None:
    def break_it(notification: Notification, **kwargs: Any) -> None:
        with pytest.raises(IntegrityError):
            Notification.objects.create(uuid=notification.uuid, received_at=notification.received_at)
        Sms.objects.count()

    sms_status.connect(break_it)
    sms_status.connect(lambda **kwargs: called.append(Sms.objects.count()), weak=False)

    receive()

    assert called == [1]
    assert [row[:3] for row in ledger()] == [
        (
            "sms_status",
            f"{MODULE}.test_receiver_that_breaks_the_transaction_of_a_test_harms_nobody_else.<locals>.break_it",
            1,
        )
    ]


def test_label_and_traceback_that_no_column_holds_are_fitted() -> None:
    sms_status.connect(raising(ValueError("a\0b\ud800")), weak=False, dispatch_uid="x" * 300)

    receive()

    ((_, label, _, reason),) = ledger()
    assert label == "x" * 255
    assert reason.startswith("ValueError: a")


def test_log_of_a_failed_receiver_says_who_failed_and_nothing_of_what_came(caplog: pytest.LogCaptureFixture) -> None:
    sms_status.connect(raising(ValueError("+6511111111")), weak=False, dispatch_uid="bad")

    kept = receive()

    assert [record.getMessage() for record in caplog.records] == [
        f"Receiver bad of sms_status failed for notification {kept.pk}: ValueError."
    ]


def test_failure_that_cannot_be_noted_leaves_the_notification_to_be_told_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("away")

    monkeypatch.setattr(ReceiverFailure.objects.all().__class__, "update_or_create", refuse)
    sms_status.connect(raising(ValueError("x")), weak=False)
    sms_status.connect(witness)

    kept = receive()

    assert len(called) == 1
    assert list(Notification.objects.pending()) == [kept]
    assert kept.claimed_until is not None
    assert f"A failed receiver of notification {kept.pk} could not be noted: DatabaseError." in caplog.text


def test_notification_that_nobody_listens_to_is_told_when_it_is_kept() -> None:
    kept = receive()

    assert (kept.dispatched_at is None, kept.claimed_until) == (False, None)


def test_notification_is_claimed_while_its_receivers_run() -> None:
    def look(notification: Notification, **kwargs: Any) -> None:
        now = Notification.objects.get(pk=notification.pk)
        called.append((now.dispatched_at, now.claimed_until is not None))

    sms_status.connect(look)

    kept = receive()

    assert called == [(None, True)]
    kept.refresh_from_db()
    assert (kept.dispatched_at is None, kept.claimed_until) == (False, None)


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
                connection.vendor == "mysql", reason="MariaDB's drivers do not say; the next that begins commits it"
            ),
        ),
    ],
)
def test_receiver_that_upsets_the_connection_keeps_nobody_else_from_being_told(harm: str) -> None:
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
        kept = receive()
    finally:
        in_the_way = (connection.in_atomic_block, connection.get_autocommit())
    connection.close()

    assert called == [1]
    assert in_the_way == (False, True)
    # MariaDB's driver complains when it is closed a second time.
    is_closed_twice = (harm, connection.vendor) == ("driver", "mysql")
    error = "django.db.utils.OperationalError: (2006, '')" if is_closed_twice else f"ValueError: {harm}"
    assert ledger() == [("sms_status", "upset", 1, error)]
    assert Notification.objects.get(pk=kept.pk).dispatched_at is not None


def test_notification_that_is_dispatched_already_runs_no_receiver_again() -> None:
    sms_status.connect(witness)
    delivery = raw_notification("any", "", STATUS, source=Source.SPOOL)
    inbox.receive(delivery)
    called.clear()

    inbox.receive(delivery)

    assert called == []


def test_who_was_called_is_kept_with_the_mark_also_those_that_failed() -> None:
    sms_status.connect(witness, dispatch_uid="witness")
    notification_received.connect(raising(ValueError("x")), weak=False, dispatch_uid="failing")

    kept = receive()

    assert kept.receivers == [["sms_status", "witness"], ["notification_received", "failing"]]
    assert Notification.objects.get(pk=kept.pk).receivers == kept.receivers


def test_where_nobody_listens_nobody_was_called() -> None:
    kept = receive()

    assert Notification.objects.get(pk=kept.pk).receivers == kept.receivers == []
