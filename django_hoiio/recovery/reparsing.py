"""Parse raw notifications again, after an upgrade that parses more or after a state error."""

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
from django_hoiio.progress import Progress, no_progress
from django_hoiio.recording.raw import raw_of
from django_hoiio.recording.states import bring_up_to_date

logger = get_logger(__name__)


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
    """Parse notifications again in the order they were received, and update their transactions.

    Skip redacted notifications, which have no raw content. With `dispatch`, run the receivers of notifications that
    changed. With `dry_run`, write nothing.
    """
    result = ReparseResult()
    notifications = Notification.objects.on_primary().filter(redacted_at=None).order_by("received_at", "pk")
    if since is not None:
        notifications = notifications.filter(received_at__gte=since)
    for notification in progress(notifications, "notifications"):
        _reparse_one(notification, result, dispatch=dispatch and not dry_run, dry_run=dry_run)
    return result


def _reparse_one(notification: Notification, result: ReparseResult, *, dispatch: bool, dry_run: bool) -> None:
    using = str(notification._state.db)
    result.read += 1
    try:
        with transaction.atomic(using=using, durable=True):
            has_changed, row, state_changed = _read_again(notification, using)
            if dry_run:
                transaction.set_rollback(True, using=using)
    # One bad notification must not block the others.
    except Exception as error:
        logger.error("Notification %s could not be reparsed: %s.", notification.pk, type(error).__name__)
        result.failed += 1
        return
    result.changed += has_changed
    result.states += state_changed
    if has_changed and dispatch:
        dispatching.run(notification, row)
        result.dispatched += 1


def _read_again(notification: Notification, using: str) -> tuple[bool, Transaction | None, bool]:
    """Parse and store a notification again. Return whether it changed, its transaction and whether that changed."""
    raw = raw_of(notification)
    parsed = parse(raw)
    reported = {
        "kind": parsed.kind.value,
        "txn_ref": parsed.txn_ref,
        "session": parsed.session,
        "params": dict(parsed.params),
        "pass_on": dict(parsed.pass_on),
        "unverified_params": list(parsed.unverified_params),
        "problems": dict(parsed.problems),
    }
    has_changed = reported != {name: getattr(notification, name) for name in reported}
    # Write first: in SQLite, a transaction that starts with a read may fail with a lock error at its first write.
    if not _as_it_was_read(notification, using).update(**reported):
        return False, None, False
    for name, value in reported.items():
        setattr(notification, name, value)
    before = _content(notification.transaction)
    row = bring_up_to_date(raw, parsed, using)
    return has_changed, row, row is not None and _content(row) != before


def _as_it_was_read(notification: Notification, using: str) -> NotificationQuerySet:
    """Select the row unless its raw content has changed: deleted, redacted or forgotten data must not come back."""
    raw = {"query": notification.query, "body": bytes(notification.body), "redacted_at": None}
    return Notification.objects.using(using).filter(pk=notification.pk, **raw)


def _content(row: Transaction | None) -> dict[str, Any] | None:
    return None if row is None else {"pk": row.pk, **model_to_dict(row)}
