"""Reads raw rows again, after an upgrade that knows more of the wire, or where the state could not be written."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.forms.models import model_to_dict

from ..dispatch import tell as tell_receivers
from ..kinds import Origin, Proof, Route
from ..models import Notification, Transaction
from ..parsing import Arrival, parse
from ..parsing.parameters import PARAMETERS
from ..progress import Progress, silently
from ..recording.states import bring_up_to_date

logger = logging.getLogger(__name__)

# The problems that were found at the door and cannot be found again in what is kept.
OF_THE_DOOR = ("proof", "signature")


@dataclass(kw_only=True)
class Reparsed:
    """What reading again did, in numbers."""

    read: int = 0
    # Notifications that say something else than before.
    changed: int = 0
    # Calls, SMS and faxes that were made or changed.
    states: int = 0
    # Notifications whose state could not be written.
    failed: int = 0
    told: int = 0


def reparse(
    *, since: datetime | None = None, tell: bool = False, dry_run: bool = False, progress: Progress = silently
) -> Reparsed:
    """Read each notification again in order of arrival, and bring its transaction up to date.

    Sends no signal unless `tell`: then receivers are called for those that changed. With `dry_run` nothing is written.
    """
    report = Reparsed()
    notifications = Notification.objects.where_written().order_by("received_at", "pk")
    if since is not None:
        notifications = notifications.filter(received_at__gte=since)
    for notification in progress(notifications, "notifications"):
        _reparse_one(notification, report, tell=tell and not dry_run, dry_run=dry_run)
    return report


def _reparse_one(notification: Notification, report: Reparsed, *, tell: bool, dry_run: bool) -> None:
    using = str(notification._state.db)
    report.read += 1
    try:
        with transaction.atomic(using=using, durable=True):
            has_changed, row, state_changed = _read_again(notification, using)
            if dry_run:
                transaction.set_rollback(True, using=using)
    # One that cannot be read or written must not keep the others from it.
    except Exception as error:
        logger.error("Notification %s could not be read again: %s.", notification.pk, type(error).__name__)
        report.failed += 1
        return
    report.changed += has_changed
    report.states += state_changed
    if has_changed and tell:
        tell_receivers(notification, row)
        report.told += 1


def _read_again(notification: Notification, using: str) -> tuple[bool, Transaction | None, bool]:
    """Write what it says now; tell whether that is another thing than before, and whether its state changed."""
    arrival = arrival_of(notification)
    parsed = parse(arrival)
    says = {
        "kind": parsed.kind.value,
        "txn_ref": parsed.txn_ref,
        "session": parsed.session or "",
        "params": dict(parsed.params),
        "pass_on": dict(parsed.pass_on),
        "unproved": list(parsed.unproved),
        "problems": dict(parsed.problems),
    }
    has_changed = says != {name: getattr(notification, name) for name in says}
    # A write comes first, for the sake of SQLite.
    Notification.objects.using(using).filter(pk=notification.pk).update(**says)
    for name, value in says.items():
        setattr(notification, name, value)
    before = _content(notification.transaction)
    row = bring_up_to_date(arrival, parsed, using)
    return has_changed, row, row is not None and _content(row) != before


def _content(row: Transaction | None) -> dict[str, Any] | None:
    return None if row is None else {"pk": row.pk, **model_to_dict(row)}


def arrival_of(notification: Notification) -> Arrival:
    """The arrival that a notification was made from, as far as it is kept."""
    return Arrival(
        uuid=notification.arrival,
        received_at=notification.received_at,
        route=Route(notification.route),
        query=notification.query,
        body=bytes(notification.body),
        headers=notification.headers,
        remote_addr=notification.remote_addr,
        account=notification.account,
        proof=Proof(notification.proof),
        origin=Origin(notification.origin),
        # The token of the URL is not kept, so what it gave back is taken from the row.
        pass_on={name: value for name, value in notification.pass_on.items() if name not in PARAMETERS},
        problems={name: why for name, why in notification.problems.items() if name in OF_THE_DOOR},
    )
