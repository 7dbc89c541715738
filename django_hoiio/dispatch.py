"""Tells the receivers of the signals, after the commit, each on its own; notes those that fail, and runs them again."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any

from django.db import Error, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from .logs import get_logger, masked_exception
from .models import CLAIM, CLOCK_TOLERANCE, Notification, ReceiverFailure, Transaction
from .parsing.fields import storable
from .receivers import Receiver, connected, receivers_of
from .recording import mark_dispatched
from .recording.committing import has_hidden_transaction
from .signals import BY_NAME, receiver_failed

logger = get_logger(__name__)

# The names under which receivers get the row that was brought up to date.
ROWS = ("call", "sms", "fax")

# The parameters of which no word reaches the log, not even as part of the message of an exception.
PRIVATE = ("msg", "from", "to", "dest", "dest1", "dest2", "number", "digits", "record_url", "monitor_url", "fax_url")

# The last characters of a traceback that are stored: what was raised stands at its end.
MAX_TRACEBACK = 100_000

# How long a failed receiver rests before it is run again: this long after its first failure, then each time longer.
RETRY_DELAY = timedelta(minutes=1)
BACKOFF_FACTOR = 4

UNFINISHED = "The process that should have run this receiver ended too early."

# Stands before the traceback while a receiver is run again, and stays there where its process ends.
RUNNING = "This receiver is being retried, or its process ended during the retry. The failure before that:\n\n"


def run(notification: Notification, row: Transaction | None) -> None:
    """Call each receiver of the notification's signals, and mark it as told. Never raises."""
    noted = True
    called = []
    for signal_name, receiver in receivers_of(notification.signal_kinds, Notification):
        name = receiver.name
        error = _call(receiver, name, signal_name, notification, row, attempt=1)
        noted &= error is None or _record(notification, signal_name, name, error)
        called.append((signal_name, name))
    # What could not be noted stays untold, so that it is told again rather than forgotten.
    if noted:
        _mark_dispatched(notification, called)


def claim(notification: Notification) -> bool:
    """Make this process the one that tells the notification; False where another was quicker or it is told."""
    rows = Notification.objects.using(notification._state.db)
    untold = rows.filter(pk=notification.pk, dispatched_at=None, redacted_at=None)
    claimed_until = datetime.now(timezone.utc) + CLAIM
    return untold.filter(claimed_until=notification.claimed_until).update(claimed_until=claimed_until) == 1


def release(notification: Notification) -> None:
    """Let the claim run out now, so that the next `hoiio_recover` dispatches the notification. Never raises.

    If another process has taken over the claim, it stays with that process.
    """
    rows = Notification.objects.using(notification._state.db)
    claimed = rows.filter(pk=notification.pk, dispatched_at=None, claimed_until=notification.claimed_until)
    try:
        claimed.update(claimed_until=datetime.now(timezone.utc))
    # Without the release the claim runs out by itself.
    except Error as error:
        logger.error("The claim of notification %s could not be released: %s.", notification.pk, type(error).__name__)


def _call(
    receiver: Receiver,
    name: str,
    signal_name: str,
    notification: Notification,
    row: Transaction | None,
    *,
    attempt: int,
) -> BaseException | None:
    """Run one receiver; return what it raised."""
    rows: dict[str, Transaction | None] = dict.fromkeys(ROWS)
    if row is not None:
        rows[row._meta.model_name or ""] = row
    signal = BY_NAME[signal_name]
    try:
        with _on_its_own(str(notification._state.db)):
            receiver.run(signal=signal, sender=Notification, notification=notification, attempt=attempt, **rows)
    # Also SystemExit: a receiver must not end the server, nor keep the others from being called.
    except BaseException as error:
        _log_failure(error, name, signal_name, notification)
        return error
    return None


def _log_failure(error: BaseException, name: str, signal_name: str, notification: Notification) -> None:
    logger.error(
        "Receiver %s of %s failed for notification %s: %s.",
        name,
        signal_name,
        notification.pk,
        type(error).__name__,
        exc_info=masked_exception(error, [str(notification.params.get(parameter, "")) for parameter in PRIVATE]),
        extra={"receiver": name, "signal": signal_name},
    )


def _on_its_own(using: str) -> AbstractContextManager[Any]:
    """Keep to a receiver what it does to the connection of the notifications."""
    connection = connections[using]
    # In a transaction of the caller's, as a TestCase has one, a savepoint does that.
    return transaction.atomic(using=using) if connection.in_atomic_block else _LeftAsFound(connection)


class _LeftAsFound:
    """A context that opens the connection anew where it is left in the middle of something."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        connection = self.connection
        in_transaction = connection.in_atomic_block or connection.needs_rollback or has_hidden_transaction(connection)
        has_autocommit = connection.autocommit == connection.settings_dict["AUTOCOMMIT"]
        # An error of the database may mean that the connection is gone, which SQLite cannot be asked.
        if in_transaction or not has_autocommit or connection.errors_occurred:
            connection.close()
            # Also forgets the transaction that was left open.
            connection.connect()


def _mark_dispatched(notification: Notification, receivers: Sequence[tuple[str, str]]) -> None:
    try:
        mark_dispatched(notification, receivers)
    except Error as error:
        logger.error("Notification %s could not be marked as dispatched: %s.", notification.pk, type(error).__name__)


# The ledger.


def _record(notification: Notification, signal_name: str, name: str, error: BaseException) -> bool:
    """Store and report that a receiver failed; return false if the database does not take it."""
    try:
        failure, _ = ReceiverFailure.objects.using(notification._state.db).update_or_create(
            notification=notification,
            signal=signal_name,
            receiver=name,
            defaults={"attempts": 1, "traceback": _traceback(error), "failed_at": datetime.now(timezone.utc)},
        )
    except Error as refusal:
        logger.error(
            "A failed receiver of notification %s could not be recorded: %s.", notification.pk, type(refusal).__name__
        )
        return False
    _report(failure, error)
    return True


def _traceback(error: BaseException) -> str:
    try:
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    # An exception may refuse to be printed.
    except Exception:
        text = type(error).__name__
    return storable(text[-MAX_TRACEBACK:])


def _report(failure: ReceiverFailure, error: BaseException) -> None:
    """Send `receiver_failed`. A receiver of it that fails is logged, and changes nothing else."""
    for receiver in connected(receiver_failed, Notification):
        try:
            with _on_its_own(str(failure._state.db)):
                receiver.run(signal=receiver_failed, sender=Notification, failure=failure, exception=error)
        except BaseException as another:
            _log_failure(another, receiver.name, "receiver_failed", failure.notification)


def record_interrupted(notification: Notification) -> bool:
    """Enter each receiver of a notification that was never told, and mark it as told; False where another did.

    Which of them were called before the process ended, nobody knows: all are run again, at least once in all.
    """
    now = datetime.now(timezone.utc)
    using = notification._state.db
    with transaction.atomic(using=using):
        rows = Notification.objects.using(using).filter(pk=notification.pk, redacted_at=None)
        if not rows.pending().unclaimed(now).update(dispatched_at=now, claimed_until=None):
            return False
        ReceiverFailure.objects.using(using).bulk_create(
            [
                ReceiverFailure(
                    notification=notification,
                    signal=name,
                    receiver=receiver.name,
                    attempts=1,
                    traceback=UNFINISHED,
                )
                for name, receiver in receivers_of(notification.signal_kinds, Notification)
            ],
            ignore_conflicts=True,
        )
    return True


def _receiver(failure: ReceiverFailure) -> Receiver | None:
    """Find the receiver that failed; `None` if it, or its signal, is no longer there."""
    signal = BY_NAME.get(failure.signal)
    receivers = connected(signal, Notification) if signal else ()
    return next((receiver for receiver in receivers if receiver.name == failure.receiver), None)


class Outcome(Enum):
    """What became of a receiver that was to be run again."""

    RESOLVED = "resolved"
    FAILED = "failed"
    NOT_REGISTERED = "no longer registered"
    BACKING_OFF = "waiting to retry"
    TAKEN = "taken by another process"
    REDACTED = "of a redacted notification"


def retry(failure: ReceiverFailure, *, ignore_backoff: bool = False) -> Outcome:
    """Run one failed receiver again if its rest is over, or with `ignore_backoff=True` at once.

    The attempt is counted before it is made, and made by one process: what another has begun is left to it for as long
    as a claim holds.
    """
    if failure.notification.redacted_at is not None:
        return Outcome.REDACTED
    now = datetime.now(timezone.utc)
    if _is_running(failure, now):
        return Outcome.TAKEN
    if not ignore_backoff and _is_backing_off(failure, now):
        return Outcome.BACKING_OFF
    receiver = _receiver(failure)
    if receiver is None:
        return Outcome.NOT_REGISTERED
    failures = ReceiverFailure.objects.using(failure._state.db).filter(pk=failure.pk)
    attempt, before = failure.attempts + 1, failure.traceback.removeprefix(RUNNING)
    begun = {"attempts": attempt, "failed_at": now, "traceback": RUNNING + before}
    if not failures.filter(attempts=failure.attempts, resolved_at=None).update(**begun):
        return Outcome.TAKEN
    notification = failure.notification
    row = notification.transaction
    error = _call(receiver, failure.receiver, failure.signal, notification, row, attempt=attempt)
    if error is None:
        failures.update(resolved_at=datetime.now(timezone.utc), traceback=before)
        return Outcome.RESOLVED
    failure.attempts, failure.traceback, failure.failed_at = attempt, _traceback(error), datetime.now(timezone.utc)
    failures.filter(attempts=attempt).update(traceback=failure.traceback, failed_at=failure.failed_at)
    _report(failure, error)
    return Outcome.FAILED


def _is_running(failure: ReceiverFailure, now: datetime) -> bool:
    return failure.traceback.startswith(RUNNING) and _is_within(CLAIM, failure.failed_at, now)


def _is_backing_off(failure: ReceiverFailure, now: datetime) -> bool:
    return _is_within(RETRY_DELAY * BACKOFF_FACTOR ** (failure.attempts - 1), failure.failed_at, now)


def _is_within(span: timedelta, begun: datetime | None, now: datetime) -> bool:
    """Whether the span is not over yet; one that begins in the future was written by a wrong clock, and is over."""
    return begun is not None and now - span < begun <= now + CLOCK_TOLERANCE
