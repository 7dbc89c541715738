"""Reads raw rows again, after an upgrade that knows more of the wire, or where the state could not be written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.forms.models import model_to_dict

from django_hoiio import dispatch as dispatching
from django_hoiio.logs import get_logger
from django_hoiio.models import Notification, NotificationQuerySet, Transaction
from django_hoiio.parsing import parse
from django_hoiio.progress import Progress, silently
from django_hoiio.recording.raw import raw_of
from django_hoiio.recording.states import bring_up_to_date

logger = get_logger(__name__)


@dataclass(kw_only=True)
class ReparseResult:
    """What reading again did, in numbers."""

    read: int = 0
    # Notifications that say something else than before.
    changed: int = 0
    # Calls, SMS and faxes that were made or changed.
    states: int = 0
    # Notifications whose state could not be written.
    failed: int = 0
    dispatched: int = 0


def reparse(
    *, since: datetime | None = None, dispatch: bool = False, dry_run: bool = False, progress: Progress = silently
) -> ReparseResult:
    """Read each notification again in order of arrival, and bring its transaction up to date.

    Those that are blanked have nothing left to read. Sends no signal unless `tell`: then receivers are called for those
    that changed. With `dry_run` nothing is written.
    """
    report = ReparseResult()
    notifications = Notification.objects.on_primary().filter(redacted_at=None).order_by("received_at", "pk")
    if since is not None:
        notifications = notifications.filter(received_at__gte=since)
    for notification in progress(notifications, "notifications"):
        _reparse_one(notification, report, dispatch=dispatch and not dry_run, dry_run=dry_run)
    return report


def _reparse_one(notification: Notification, report: ReparseResult, *, dispatch: bool, dry_run: bool) -> None:
    using = str(notification._state.db)
    report.read += 1
    try:
        with transaction.atomic(using=using, durable=True):
            has_changed, row, state_changed = _read_again(notification, using)
            if dry_run:
                transaction.set_rollback(True, using=using)
    # One that cannot be read or written must not keep the others from it.
    except Exception as error:
        logger.error("Notification %s could not be reparsed: %s.", notification.pk, type(error).__name__)
        report.failed += 1
        return
    report.changed += has_changed
    report.states += state_changed
    if has_changed and dispatch:
        dispatching.run(notification, row)
        report.dispatched += 1


def _read_again(notification: Notification, using: str) -> tuple[bool, Transaction | None, bool]:
    """Write what it says now; tell whether that is another thing than before, and whether its state changed."""
    raw = raw_of(notification)
    parsed = parse(raw)
    says = {
        "kind": parsed.kind.value,
        "txn_ref": parsed.txn_ref,
        "session": parsed.session,
        "params": dict(parsed.params),
        "pass_on": dict(parsed.pass_on),
        "unverified_params": list(parsed.unverified_params),
        "problems": dict(parsed.problems),
    }
    has_changed = says != {name: getattr(notification, name) for name in says}
    # A write comes first, for the sake of SQLite.
    if not _as_it_was_read(notification, using).update(**says):
        return False, None, False
    for name, value in says.items():
        setattr(notification, name, value)
    before = _content(notification.transaction)
    row = bring_up_to_date(raw, parsed, using)
    return has_changed, row, row is not None and _content(row) != before


def _as_it_was_read(notification: Notification, using: str) -> NotificationQuerySet:
    """The row, unless it was deleted, blanked or made to forget a number since, which must not come back."""
    raw = {"query": notification.query, "body": bytes(notification.body), "redacted_at": None}
    return Notification.objects.using(using).filter(pk=notification.pk, **raw)


def _content(row: Transaction | None) -> dict[str, Any] | None:
    return None if row is None else {"pk": row.pk, **model_to_dict(row)}
