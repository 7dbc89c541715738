"""Parse stored notifications again: after an upgrade that parses more, or because a state could not be stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections, transaction
from django.db.models import F

from django_hoiio import dispatch as dispatching
from django_hoiio.database import durable, retry_transient
from django_hoiio.database_errors import Failure, classify
from django_hoiio.enums import Direction
from django_hoiio.ingest.reports import columns_of, linked_report, raw_of, report_of
from django_hoiio.ingest.state import PARTY, Report, fill, fold, state_of
from django_hoiio.ingest.upsert import link
from django_hoiio.logs import get_logger
from django_hoiio.models import LINKS, MODEL_OF_KIND, Notification, Transaction
from django_hoiio.parsing import ParsedNotification, parse
from django_hoiio.progress import Progress, no_progress

logger = get_logger(__name__)

# Times that `store_state` tries.
MAX_STATE_ATTEMPTS = 5


def store_state(notification: Notification) -> bool:
    """Update the transaction of a notification that was stored without its state. Return whether that is done.

    The attempt is counted before it is made. Raises `django.db.Error` if the database is unavailable.
    """
    connection = connections[str(notification._state.db)]
    rows = Notification.objects.using(connection.alias).filter(pk=notification.pk)
    attempts = notification.state_attempts
    if not rows.filter(state_attempts=attempts).update(state_attempts=attempts + 1):
        return False
    try:
        raw = raw_of(notification)
        report = report_of(raw, parse(raw), connection.alias)
        if report is None:
            return bool(rows.update(state_error=""))
        return retry_transient(lambda: _link(notification, report), connection) is not None
    # One bad notification must not block the others.
    except Exception as error:
        if classify(error, connection) is not Failure.DATA:
            raise
        logger.error("The state of notification %s could not be stored: %s.", notification.pk, type(error).__name__)
        return False


def _link(notification: Notification, report: Report) -> Transaction | None:
    connection = connections[str(notification._state.db)]
    with durable(connection):
        return link(notification, report, connection)


@dataclass(kw_only=True)
class ReparseResult:
    """Counts of a reparse."""

    read: int = 0
    # Notifications that parse differently.
    changed: int = 0
    # Calls, SMS and faxes that were created or changed.
    states: int = 0
    # Notifications that could not be parsed or stored.
    failed: int = 0
    dispatched: int = 0


def reparse(
    *, since: datetime | None = None, dispatch: bool = False, dry_run: bool = False, progress: Progress = no_progress
) -> ReparseResult:
    """Parse notifications again in the order they were received, and fold their transactions anew.

    A transaction is folded with all its notifications, also those from before `since`. Skip redacted notifications,
    which have no raw content. With `dispatch`, run the receivers of notifications that changed. With `dry_run`, write
    nothing.
    """
    notifications = Notification.objects.on_primary().filter(redacted_at=None).order_by("received_at", "pk")
    if since is not None:
        notifications = notifications.filter(received_at__gte=since)
    reparsing = _Reparsing(notifications.db, dispatch=dispatch and not dry_run, dry_run=dry_run)
    for notification in progress(notifications, "notifications"):
        # One bad notification must not block the others.
        try:
            reparsing.read(notification)
        except Exception as error:
            reparsing.failed(notification, error)
    return reparsing.result


class _Reparsing:
    """One run of `reparse`."""

    def __init__(self, using: str, *, dispatch: bool, dry_run: bool) -> None:
        self.connection = connections[using]
        self.dispatch = dispatch
        self.dry_run = dry_run
        self.result = ReparseResult()
        # The transactions that were folded.
        self.done: set[tuple[str, int]] = set()

    def read(self, notification: Notification) -> None:
        """Parse a notification again, together with all others of its transaction."""
        for link_name in LINKS:
            pk = getattr(notification, f"{link_name}_id")
            if pk is not None:
                if (link_name, pk) not in self.done:
                    self.done.add((link_name, pk))
                    self._fold(link_name, pk)
                return
        self._read_unlinked(notification)

    def _fold(self, link_name: str, pk: int) -> None:
        model: Any = Notification._meta.get_field(link_name).related_model
        rows = model._base_manager.using(self.connection.alias).filter(pk=pk)
        changed, reports, moved = [], [], []
        with self._transaction():
            # Lock it by a write without effect, as SQLite needs it. A redaction waits, and redacts what this writes.
            rows.update(version=F("version"))
            row = rows.get()
            stored = Notification.objects.using(self.connection.alias).filter(redacted_at=None, **{link_name: pk})
            notifications = list(stored.order_by("received_at", "pk"))
            for notification in notifications:
                parsed = self._parsed(notification)
                if parsed is None:
                    continue
                changed += [notification] * self._write_columns(notification, parsed)
                if _belongs_to(row, parsed):
                    reports.append(linked_report(notification, row))
                else:
                    moved.append(notification)
            Notification.objects.using(self.connection.alias).filter(pk__in=[each.pk for each in moved]).update(
                **{link_name: None}
            )
            if reports and len(reports) + len(moved) == len(notifications):
                self.result.states += _write_state(row, reports)
        self._changed([each for each in changed if each not in moved])
        for notification in () if self.dry_run else moved:
            notification.refresh_from_db()
            self._read_unlinked(notification)

    def _read_unlinked(self, notification: Notification) -> None:
        parsed = self._parsed(notification)
        if parsed is None:
            return
        report = report_of(raw_of(notification), parsed, self.connection.alias)
        as_it_was_read = {"query": notification.query, "body": bytes(notification.body), "redacted_at": None}
        with self._transaction():
            # Deleted, redacted or forgotten data must not come back.
            stored = Notification.objects.using(self.connection.alias).filter(pk=notification.pk, **as_it_was_read)
            if not stored.update(state_error=""):
                return
            has_changed = self._write_columns(notification, parsed)
            self.result.states += report is not None and link(notification, report, self.connection) is not None
        self._changed([notification] * has_changed)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with durable(self.connection):
            yield
            if self.dry_run:
                transaction.set_rollback(True, using=self.connection.alias)

    def _parsed(self, notification: Notification) -> ParsedNotification | None:
        """Parse a notification. Return `None` if that fails."""
        self.result.read += 1
        try:
            return parse(raw_of(notification))
        except Exception as error:
            self.failed(notification, error)
            return None

    def failed(self, notification: Notification, error: Exception) -> None:
        logger.error("Notification %s could not be reparsed: %s.", notification.pk, type(error).__name__)
        self.result.failed += 1

    def _write_columns(self, notification: Notification, parsed: ParsedNotification) -> bool:
        """Write what is parsed differently. Return whether something is."""
        columns = columns_of(raw_of(notification), parsed)
        if all(getattr(notification, name) == value for name, value in columns.items()):
            return False
        Notification.objects.using(self.connection.alias).filter(pk=notification.pk).update(**columns)
        for name, value in columns.items():
            setattr(notification, name, value)
        return True

    def _changed(self, notifications: list[Notification]) -> None:
        """Count notifications that were parsed differently, and run their receivers."""
        self.result.changed += len(notifications)
        for notification in notifications if self.dispatch else ():
            # Loads the row that the receivers get.
            _ = notification.transaction
            dispatching.run(notification)
            self.result.dispatched += 1


def _belongs_to(row: Transaction, parsed: ParsedNotification) -> bool:
    """Return whether a notification that the row contains is still about it. The session alone does not tell."""
    return MODEL_OF_KIND.get(parsed.kind) is type(row) and parsed.txn_ref in (None, row.txn_ref)


def _write_state(row: Transaction, reports: list[Report]) -> bool:
    """Fold the reports of a row anew. Return whether that changes it."""
    versions = [report.version for report in reports]
    version = max(versions if row.history_is_whole else [*versions, row.version])
    before, state = state_of(row), _fold_anew(row, reports)
    if state != before or version != row.version:
        type(row)._base_manager.using(row._state.db).filter(pk=row.pk).update(**state, version=version)
        for name, value in state.items():
            setattr(row, name, value)
    return state != before


def _fold_anew(row: Transaction, reports: list[Report]) -> dict[str, Any]:
    """Return the state of a row, folded from all its reports. Without some of them, fill what is empty."""
    state = state_of(row)
    if row.history_is_whole:
        # What is not among the reports was sent, so it is outgoing.
        if state["direction"] == Direction.INCOMING:
            state.update(dict.fromkeys(PARTY, ""))
        return fold(reports, state)
    for report in sorted(reports, key=lambda report: report.version):
        state.update(fill(report, state, row.personal if row.redacted_at else ()))
    return state
