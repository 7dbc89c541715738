"""Run the receivers of a notification after the commit, isolated from each other. Record failures and retry them."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from django.db import Error, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from .database import has_hidden_transaction, retry_transient
from .enums import Kind, signal_kinds
from .logs import get_logger, masked_exception
from .models import CLAIM, CLOCK_TOLERANCE, LINKS, IvrRun, Notification, ReceiverFailure
from .parsing.fields import storable
from .receivers import Receiver, connected, receivers_of
from .signals import BY_NAME, receiver_failed

logger = get_logger(__name__)

# Parameters whose values must not appear in the log, not even inside the message of an exception.
PRIVATE = ("msg", "from", "to", "dest", "dest1", "dest2", "number", "digits", "record_url", "monitor_url", "fax_url")

# Characters. The end of a traceback is stored, because it names the exception.
MAX_TRACEBACK = 100_000

# Exponential backoff between attempts.
RETRY_DELAY = timedelta(minutes=1)
BACKOFF_FACTOR = 4

INTERRUPTED = "The process that should have run this receiver ended too early."

# Prefix of the stored traceback during a retry. It remains if the process ends during the retry.
RUNNING = "This receiver is being retried, or its process ended during the retry. The failure before that:\n\n"


def run(notification: Notification) -> None:
    """Run each receiver of the notification's signals, then mark the notification as dispatched. Never raises."""
    recorded = True
    called = []
    kinds = signal_kinds(Kind(notification.kind), notification.params)
    for signal_name, receiver in receivers_of(kinds, Notification):
        error = _call(receiver, signal_name, notification, attempt=1)
        if error is not None:
            recorded &= record_failure(notification, signal_name, error, receiver.name)
        called.append((signal_name, receiver.name))
    # If a failure could not be recorded, the notification stays pending, so `hoiio_recover` dispatches it again.
    if recorded:
        _mark_dispatched(notification, called)


def claim(notification: Notification) -> bool:
    """Claim the notification for this process. False if another process was quicker or it is already dispatched."""
    rows = Notification.objects.using(notification._state.db)
    pending = rows.filter(pk=notification.pk, dispatched_at=None, redacted_at=None)
    claimed_until = timezone.now() + CLAIM
    return pending.filter(claimed_until=notification.claimed_until).update(claimed_until=claimed_until) == 1


def release(notification: Notification) -> None:
    """End the claim now, so that the next `hoiio_recover` dispatches the notification. Never raises.

    If another process has taken over the claim, that process keeps it.
    """
    rows = Notification.objects.using(notification._state.db)
    claimed = rows.filter(pk=notification.pk, dispatched_at=None, claimed_until=notification.claimed_until)
    try:
        claimed.update(claimed_until=timezone.now())
    # The claim expires anyway.
    except Error as error:
        logger.error("The claim of notification %s could not be released: %s.", notification.pk, type(error).__name__)


def _call(receiver: Receiver, signal_name: str, notification: Notification, *, attempt: int) -> BaseException | None:
    """Run one receiver and return the exception that it raised, if any."""
    signal = BY_NAME[signal_name]
    try:
        rows = {link: getattr(notification, link) for link in LINKS}
        with _isolated(str(notification._state.db)):
            receiver.run(signal=signal, sender=Notification, notification=notification, attempt=attempt, **rows)
    # Also SystemExit: a receiver must not end the server or prevent the other receivers from running.
    except BaseException as error:
        return error
    return None


def record_failure(notification: Notification, signal_name: str, error: BaseException, name: str = "") -> bool:
    """Log, record and report a failed receiver, or flow. Return False if the database cannot store it."""
    name = _log_failure(error, name, signal_name, notification)
    return _record(notification, signal_name, name, error)


def _run_of(notification: Notification) -> IvrRun | None:
    runs = IvrRun.objects.using(notification._state.db)
    try:
        return runs.filter(account=notification.account, session=notification.session or "").first()
    # The failure is recorded without the flow, if at all.
    except Error:
        return None


def _log_failure(error: BaseException, name: str, signal_name: str, notification: Notification) -> str:
    """Log a failure. Return the name in the failure log: that of the flow if its phone menu failed, else `name`."""
    private = [str(notification.params.get(parameter, "")) for parameter in PRIVATE]
    run = _run_of(notification) if signal_name == "ivr_flow" else None
    if run is not None:
        name = run.flow
        private += [run.from_number, run.to_number, *_texts([run.pass_on, run.remembered, run.steps])]
    # A handler of the project may raise, too.
    with suppress(Exception):
        logger.error(
            "Receiver %s of %s failed for notification %s: %s.",
            name,
            signal_name,
            notification.pk,
            type(error).__name__,
            exc_info=masked_exception(error, private),
            extra={"receiver": name, "signal": signal_name},
        )
    return name


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts and numbers in a JSON value, without the keys of its objects."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)


def _isolated(using: str) -> AbstractContextManager[Any]:
    """Isolate a receiver, so that it cannot leave the database connection in a bad state."""
    connection = connections[using]
    # Inside the caller's transaction, for example in a TestCase, use a savepoint.
    return transaction.atomic(using=using) if connection.in_atomic_block else _ReconnectIfChanged(connection)


class _ReconnectIfChanged:
    """Context manager that reconnects if a receiver left a transaction open, autocommit changed, or an error."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        connection = self.connection
        in_transaction = connection.in_atomic_block or connection.needs_rollback or has_hidden_transaction(connection)
        has_autocommit = connection.autocommit == connection.settings_dict["AUTOCOMMIT"]
        # After a database error the connection may be broken. SQLite offers no way to test that.
        if in_transaction or not has_autocommit or connection.errors_occurred:
            connection.close()
            # This also resets Django's state of the open transaction.
            connection.connect()


def _mark_dispatched(notification: Notification, receivers: Sequence[tuple[str, str]]) -> None:
    connection = connections[str(notification._state.db)]
    notification.dispatched_at, notification.claimed_until = timezone.now(), None
    notification.receivers = [list(each) for each in receivers]
    params = [field.get_db_prep_save(getattr(notification, field.name), connection) for field in _MARKED]

    def mark() -> None:
        with connection.cursor() as cursor:
            cursor.execute(_MARK, params)

    try:
        retry_transient(mark, connection)
    except Error as error:
        logger.error("Notification %s could not be marked as dispatched: %s.", notification.pk, type(error).__name__)


# Raw SQL, because the ORM would take longer to build this UPDATE than the database to execute it.
_MARK = "UPDATE django_hoiio_notification SET dispatched_at = %s, claimed_until = NULL, receivers = %s WHERE id = %s"
_MARKED: Sequence[Any] = [Notification._meta.get_field(name) for name in ("dispatched_at", "receivers", "id")]


# The failure log.


def _record(notification: Notification, signal_name: str, name: str, error: BaseException) -> bool:
    """Record and report a failed receiver. Return False if the database cannot store it."""
    using = str(notification._state.db)
    rows = ReceiverFailure.objects.using(using)
    defaults = {"attempts": 1, "traceback": _traceback(error), "failed_at": timezone.now()}

    def record() -> ReceiverFailure:
        return rows.update_or_create(notification=notification, signal=signal_name, receiver=name, defaults=defaults)[0]

    try:
        failure = retry_transient(record, connections[using])
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
    # Formatting an exception may itself raise.
    except Exception:
        text = type(error).__name__
    return storable(text[-MAX_TRACEBACK:])


def _report(failure: ReceiverFailure, error: BaseException) -> None:
    """Send `receiver_failed`. If a receiver of this signal fails, only log it."""
    for receiver in connected(receiver_failed, Notification):
        try:
            with _isolated(str(failure._state.db)):
                receiver.run(signal=receiver_failed, sender=Notification, failure=failure, exception=error)
        except BaseException as another:
            _log_failure(another, receiver.name, "receiver_failed", failure.notification)


def record_interrupted(notification: Notification) -> bool:
    """Record all receivers of a pending notification as failed and mark it as dispatched. False if another process did.

    It is unknown which receivers ran before the process ended, so all of them are retried (at least once).
    """
    now = timezone.now()
    using = notification._state.db
    kinds = signal_kinds(Kind(notification.kind), notification.params)
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
                    traceback=INTERRUPTED,
                )
                for name, receiver in receivers_of(kinds, Notification)
            ],
            ignore_conflicts=True,
        )
    return True


def _receiver(failure: ReceiverFailure) -> Receiver | None:
    """Return the receiver that failed, or `None` if it or its signal is no longer registered."""
    signal = BY_NAME.get(failure.signal)
    receivers = connected(signal, Notification) if signal else ()
    # One receiver runs all flows.
    is_flow = failure.signal == "ivr_flow"
    return next((receiver for receiver in receivers if is_flow or receiver.name == failure.receiver), None)


class Outcome(Enum):
    """Result of a retry."""

    RESOLVED = "resolved"
    FAILED = "failed"
    NOT_REGISTERED = "no longer registered"
    BACKING_OFF = "waiting to retry"
    TAKEN = "taken by another process"
    REDACTED = "skipped (redacted)"


def retry(failure: ReceiverFailure, *, ignore_backoff: bool = False) -> Outcome:
    """Retry a failed receiver if its backoff time is over, or immediately with `ignore_backoff=True`.

    The attempt is counted before the receiver runs, and only one process makes it. An attempt that another process has
    started is not repeated until `CLAIM` is over.
    """
    if failure.notification.redacted_at is not None:
        return Outcome.REDACTED
    now = timezone.now()
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
    # Loads the row that the receiver gets.
    _ = notification.transaction
    error = _call(receiver, failure.signal, notification, attempt=attempt)
    if error is None:
        failures.update(resolved_at=timezone.now(), traceback=before)
        return Outcome.RESOLVED
    _log_failure(error, failure.receiver, failure.signal, notification)
    failure.attempts, failure.traceback, failure.failed_at = attempt, _traceback(error), timezone.now()
    failures.filter(attempts=attempt).update(traceback=failure.traceback, failed_at=failure.failed_at)
    _report(failure, error)
    return Outcome.FAILED


def _is_running(failure: ReceiverFailure, now: datetime) -> bool:
    return failure.traceback.startswith(RUNNING) and _is_within(CLAIM, failure.failed_at, now)


def _is_backing_off(failure: ReceiverFailure, now: datetime) -> bool:
    return _is_within(RETRY_DELAY * BACKOFF_FACTOR ** (failure.attempts - 1), failure.failed_at, now)


def _is_within(span: timedelta, begun: datetime | None, now: datetime) -> bool:
    """Return whether the span still lasts. A start in the future comes from a wrong clock and does not count."""
    return begun is not None and now - span < begun <= now + CLOCK_TOLERANCE
