"""Brings in what waits in the spool, tells what was never told, and runs failed receivers again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from uuid import uuid4

from django.db import Error, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_hoiio import spool
from django_hoiio.conf import conf
from django_hoiio.database_errors import Failure, classify
from django_hoiio.deadline import deadline
from django_hoiio.dispatch import Outcome, record_interrupted, retry
from django_hoiio.enums import Kind, Route
from django_hoiio.inbox import receive
from django_hoiio.logs import get_logger
from django_hoiio.models import Notification, ReceiverFailure
from django_hoiio.progress import Progress, silently
from django_hoiio.recording.retries import retry_transient

from .reparsing import ReparseResult, reparse

__all__ = ["Progress", "RecoveryResult", "ReparseResult", "recover", "reparse"]

logger = get_logger(__name__)

IVR_KINDS = [kind for kind in Kind if kind.is_ivr]


@dataclass(kw_only=True)
class RecoveryResult:
    """What a recovery did, in numbers."""

    stored: int = 0
    # Files whose notification was a row already.
    known: int = 0
    # Files that lie in quarantine, from this recovery or an earlier one.
    quarantined: int = 0
    # Files that wait on: the database is away, or this file could not be stored now.
    waiting: int = 0
    is_away: bool = False
    dispatched: int = 0
    receivers: Counter[Outcome] = field(default_factory=Counter)

    @property
    def is_incomplete(self) -> bool:
        return bool(
            self.quarantined
            or self.waiting
            or self.is_away
            or self.receivers[Outcome.FAILED]
            or self.receivers[Outcome.BACKING_OFF]
            or self.receivers[Outcome.NOT_REGISTERED]
        )

    def __str__(self) -> str:
        return (
            f"Spool: {self.stored} imported, {self.known} already stored, {self.waiting} not yet imported,"
            f" {self.quarantined} in quarantine. Notifications: {self.dispatched} dispatched."
            f" Receivers: {self.receivers[Outcome.RESOLVED]} resolved, {self.receivers[Outcome.FAILED]} failed,"
            f" {self.receivers[Outcome.BACKING_OFF]} waiting to retry,"
            f" {self.receivers[Outcome.NOT_REGISTERED]} no longer registered."
        )


def recover(*, ivr: bool = False, progress: Progress = silently) -> RecoveryResult:
    """Bring in the spool, then take up what was never told, then run failed receivers again.

    Receivers of interactive calls are left alone unless `ivr`: they would dial or play late. It may be killed, run
    again or run twice at the same time: each notification is one row, and each attempt of a receiver is made by one
    process.
    """
    report = RecoveryResult()
    connection = connections[router.db_for_write(Notification)]
    try:
        if conf.SPOOL_DIR is not None:
            _drain(conf.SPOOL_DIR, connection, report, ivr, progress)
        _take_up_untold(report, ivr, progress)
        _run_failed_again(report, ivr, progress)
    except Error as error:
        if classify(error, connection) is Failure.DATA:
            raise
        logger.error("The database is away: %s.", type(error).__name__)
        report.is_away = True
    if conf.SPOOL_DIR is not None:
        report.quarantined = sum(1 for _ in spool.quarantined(conf.SPOOL_DIR))
    return report


def _drain(
    folder: Path, connection: BaseDatabaseWrapper, report: RecoveryResult, ivr: bool, progress: Progress
) -> None:
    """Store what waits, file by file. Raises `django.db.Error` if the database takes nothing at all."""
    files = list(spool.pending(folder))
    for done, path in enumerate(progress(files, "spool")):
        try:
            _bring_in(path, connection, report, ivr)
        except FileNotFoundError:
            # Another process was quicker, unless it is a link to nowhere.
            report.waiting += path.is_symlink()
        except OSError as error:
            logger.error("The spool file %s cannot be read or deleted: %s.", path.name, error.strerror)
            report.waiting += 1
        except Error as error:
            if not _takes_another(connection):
                report.waiting += len(files) - done
                raise
            _put_off(path, error, connection, report)
        # Whatever is wrong with one file must not keep the others from coming in.
        except Exception as error:
            _quarantine(path, error)


def _bring_in(path: Path, connection: BaseDatabaseWrapper, report: RecoveryResult, ivr: bool) -> None:
    raw = spool.load(path)
    stored = Notification.objects.using(connection.alias).filter(uuid=raw.uuid)
    if retry_transient(stored.exists, connection):
        report.known += 1
    else:
        receive(raw, ivr=ivr)
        report.stored += 1
    spool.delete(path)


def _takes_another(connection: BaseDatabaseWrapper) -> bool:
    """Say whether the database can store a notification at all, by storing an empty one and rolling it back."""
    now = datetime.now(timezone.utc)
    try:
        with deadline(connection), transaction.atomic(using=connection.alias):
            Notification.objects.using(connection.alias).create(
                uuid=uuid4(), received_at=now, kind=Kind.UNKNOWN, route=Route.ANY, dispatched_at=now
            )
            transaction.set_rollback(True, using=connection.alias)
    except Error:
        return False
    return True


def _put_off(path: Path, error: Error, connection: BaseDatabaseWrapper, report: RecoveryResult) -> None:
    """Quarantine a file whose own content is at fault; leave one that was locked out, or lacks a table, for later.

    A server may also hang up because a statement is too large for it.
    """
    if classify(error, connection) in (Failure.DATA, Failure.DISCONNECTED):
        _quarantine(path, error)
        return
    logger.error("The spool file %s cannot be stored for now: %s.", path.name, type(error).__name__)
    report.waiting += 1


def _quarantine(path: Path, error: Exception) -> None:
    logger.error("The spool file %s is quarantined: %s.", path.name, type(error).__name__)
    spool.quarantine(path)


def _take_up_untold(report: RecoveryResult, ivr: bool, progress: Progress) -> None:
    now = datetime.now(timezone.utc)
    untold = Notification.objects.on_primary().pending().unclaimed(now).filter(redacted_at=None)
    if not ivr:
        untold = untold.exclude(kind__in=IVR_KINDS)
    for notification in progress(untold.order_by("received_at", "pk"), "pending notifications"):
        report.dispatched += record_interrupted(notification)


def _run_failed_again(report: RecoveryResult, ivr: bool, progress: Progress) -> None:
    failures = ReceiverFailure.objects.on_primary().unresolved().filter(attempts__lt=conf.RECEIVER_MAX_ATTEMPTS)
    # What is blanked holds nothing that a receiver could be told.
    failures = failures.filter(notification__redacted_at=None)
    if not ivr:
        failures = failures.exclude(notification__kind__in=IVR_KINDS)
    in_order = failures.select_related("notification").order_by("notification__received_at", "pk")
    for failure in progress(in_order, "receivers"):
        report.receivers[retry(failure)] += 1
