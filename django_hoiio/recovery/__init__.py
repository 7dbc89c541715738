"""Import the spool, store missing states, dispatch pending notifications and retry failed receivers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from django.db import Error, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from django_hoiio import spool
from django_hoiio.conf import conf
from django_hoiio.database import deadline, retry_transient
from django_hoiio.database_errors import Failure, classify
from django_hoiio.dispatch import Outcome, record_interrupted, retry
from django_hoiio.enums import Kind, Route
from django_hoiio.ingest import ingest
from django_hoiio.logs import get_logger
from django_hoiio.models import Notification, ReceiverFailure
from django_hoiio.progress import Progress, no_progress

from .reparsing import MAX_STATE_ATTEMPTS, ReparseResult, reparse, store_state

__all__ = ["RecoveryResult", "ReparseResult", "recover", "reparse"]

logger = get_logger(__name__)

IVR_KINDS = [kind for kind in Kind if kind.is_ivr]


@dataclass(kw_only=True)
class RecoveryResult:
    """Counts of a recovery."""

    stored: int = 0
    #: Spool files whose notification was stored already.
    known: int = 0
    #: Files in quarantine, from this recovery or an earlier one.
    quarantined: int = 0
    #: Files not yet imported: the database is unavailable, or the file could not be stored.
    waiting: int = 0
    is_unavailable: bool = False
    #: Calls, SMS and faxes that were updated by a notification that was stored without its state.
    states: int = 0
    #: Notifications that are still without their state.
    stateless: int = 0
    dispatched: int = 0
    receivers: Counter[Outcome] = field(default_factory=Counter)

    @property
    def is_incomplete(self) -> bool:
        return bool(
            self.quarantined
            or self.waiting
            or self.is_unavailable
            or self.stateless
            or self.receivers[Outcome.FAILED]
            or self.receivers[Outcome.BACKING_OFF]
            or self.receivers[Outcome.NOT_REGISTERED]
        )

    def __str__(self) -> str:
        return (
            f"Spool: {self.stored} imported, {self.known} already stored, {self.waiting} not yet imported,"
            f" {self.quarantined} in quarantine. States: {self.states} stored, {self.stateless} not stored."
            f" Notifications: {self.dispatched} dispatched."
            f" Receivers: {self.receivers[Outcome.RESOLVED]} resolved, {self.receivers[Outcome.FAILED]} failed,"
            f" {self.receivers[Outcome.BACKING_OFF]} waiting to retry,"
            f" {self.receivers[Outcome.NOT_REGISTERED]} no longer registered."
        )


def recover(*, ivr: bool = False, progress: Progress = no_progress) -> RecoveryResult:
    """Import the spool, store missing states, dispatch pending notifications and retry failed receivers.

    Skip receivers of interactive calls unless `ivr`: they would dial or play late. Safe to kill, to repeat and to run
    concurrently: each notification is stored once, and one process makes each attempt of a receiver.
    """
    result = RecoveryResult()
    connection = connections[router.db_for_write(Notification)]
    try:
        if conf.SPOOL_DIR is not None:
            _import_spool(conf.SPOOL_DIR, connection, result, ivr, progress)
        _store_states(result, progress)
        _dispatch_pending(result, ivr, progress)
        _retry_failed(result, ivr, progress)
    except Error as error:
        if classify(error, connection) is Failure.DATA:
            raise
        logger.error("The database is unavailable: %s.", type(error).__name__)
        result.is_unavailable = True
    if conf.SPOOL_DIR is not None:
        result.quarantined = sum(1 for _ in spool.quarantined(conf.SPOOL_DIR))
    return result


def _import_spool(
    folder: Path, connection: BaseDatabaseWrapper, result: RecoveryResult, ivr: bool, progress: Progress
) -> None:
    """Store the spooled notifications one by one. Raises `django.db.Error` if the database cannot store any."""
    files = list(spool.pending(folder))
    for done, path in enumerate(progress(files, "spool")):
        try:
            _import_file(path, connection, result, ivr)
        except FileNotFoundError:
            # Another process deleted the file, unless it is a broken symbolic link.
            result.waiting += path.is_symlink()
        except OSError as error:
            logger.error("The spool file %s cannot be read or deleted: %s.", path.name, error.strerror)
            result.waiting += 1
        except Error as error:
            if not _accepts_another(connection):
                result.waiting += len(files) - done
                raise
            _postpone(path, error, connection, result)
        # One bad file must not block the others.
        except Exception as error:
            _quarantine(path, error)


def _import_file(path: Path, connection: BaseDatabaseWrapper, result: RecoveryResult, ivr: bool) -> None:
    raw = spool.load(path)
    stored = Notification.objects.using(connection.alias).filter(uuid=raw.uuid)
    if retry_transient(stored.exists, connection):
        result.known += 1
    else:
        ingest(raw, ivr=ivr)
        result.stored += 1
    spool.delete(path)


def _accepts_another(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the database can store a notification: insert an empty one and roll back."""
    now = timezone.now()
    try:
        with deadline(connection), transaction.atomic(using=connection.alias):
            Notification.objects.using(connection.alias).create(
                uuid=uuid4(), received_at=now, kind=Kind.UNKNOWN, route=Route.ANY, dispatched_at=now
            )
            transaction.set_rollback(True, using=connection.alias)
    except Error:
        return False
    return True


def _postpone(path: Path, error: Error, connection: BaseDatabaseWrapper, result: RecoveryResult) -> None:
    """Quarantine a file whose content is at fault. Leave it for later after a lock or a missing table.

    A disconnect counts as bad content: a server may disconnect if a statement is too large.
    """
    if classify(error, connection) in (Failure.DATA, Failure.DISCONNECTED):
        _quarantine(path, error)
        return
    logger.error("The spool file %s cannot be stored for now: %s.", path.name, type(error).__name__)
    result.waiting += 1


def _quarantine(path: Path, error: Exception) -> None:
    logger.error("The spool file %s is quarantined: %s.", path.name, type(error).__name__)
    spool.quarantine(path)


def _store_states(result: RecoveryResult, progress: Progress) -> None:
    stateless = Notification.objects.on_primary().with_state_error().filter(redacted_at=None)
    waiting = stateless.filter(state_attempts__lt=MAX_STATE_ATTEMPTS).order_by("received_at", "pk")
    for notification in progress(waiting, "states"):
        result.states += store_state(notification)
    result.stateless = stateless.count()


def _dispatch_pending(result: RecoveryResult, ivr: bool, progress: Progress) -> None:
    now = timezone.now()
    pending = Notification.objects.on_primary().pending().unclaimed(now).filter(redacted_at=None)
    if not ivr:
        pending = pending.exclude(kind__in=IVR_KINDS)
    for notification in progress(pending.order_by("received_at", "pk"), "pending notifications"):
        result.dispatched += record_interrupted(notification)


def _retry_failed(result: RecoveryResult, ivr: bool, progress: Progress) -> None:
    failures = ReceiverFailure.objects.on_primary().unresolved().filter(attempts__lt=conf.RECEIVER_MAX_ATTEMPTS)
    # A redacted notification has no content for a receiver.
    failures = failures.filter(notification__redacted_at=None)
    if not ivr:
        failures = failures.exclude(notification__kind__in=IVR_KINDS)
    in_order = failures.select_related("notification").order_by("notification__received_at", "pk")
    for failure in progress(in_order, "receivers"):
        result.receivers[retry(failure)] += 1
