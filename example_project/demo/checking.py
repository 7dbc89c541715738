"""Compare the sandbox's notifications and history with the rows that the project stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from django_hoiio.client import HoiioClient
from django_hoiio.client.responses import CallStatusResponse, FaxStatusResponse, SmsStatusResponse
from django_hoiio.models import Call, Fax, Notification, ReceiverFailure, Sms, Transaction

from .telephone import Telephone

Report = CallStatusResponse | FaxStatusResponse | SmsStatusResponse

# Fields that both Hoiio's history and the row have for every final transaction.
COMMON = ("tag", "date", "currency", "debit")


@dataclass(frozen=True, kw_only=True)
class Done:
    """The notifications listed by the telephone, and Hoiio's history."""

    notifications: Sequence[dict[str, Any]]
    history: Sequence[Report]


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The stored rows."""

    notifications: Sequence[Notification]
    transactions: Sequence[Transaction]
    failures: Sequence[ReceiverFailure]


def done_by(telephone: Telephone) -> Done:
    """Return everything since the sandbox started, which was with this process."""
    with HoiioClient() as client:
        groups = (client.voice, client.fax, client.sms)
        history = [report for group in groups for report in group.get_history().entries]
    return Done(notifications=telephone.notifications(), history=history)


def stored_since(moment: datetime) -> Stored:
    """Return the rows created or changed since `moment`, because an earlier run of the demo may have left some."""
    # A refused message of a bulk SMS has no reference and is not in Hoiio's history.
    is_new = Q(updated_at__gte=moment, txn_ref__isnull=False)
    return Stored(
        notifications=list(Notification.objects.filter(received_at__gte=moment).order_by("pk")),
        transactions=[row for model in (Call, Fax, Sms) for row in model._default_manager.filter(is_new)],
        failures=list(ReceiverFailure.objects.filter(failed_at__gte=moment)),
    )


def differences(done: Done, stored: Stored) -> list[str]:
    """Return one sentence per difference between the sandbox and the stored rows."""
    return [
        *_in_notifications(done.notifications, stored.notifications),
        *_in_transactions(done.history, stored.transactions),
        *(f"The receiver {failure.receiver} of {failure.signal} failed." for failure in stored.failures),
    ]


def _in_notifications(sent: Sequence[dict[str, Any]], notifications: Sequence[Notification]) -> Iterator[str]:
    found = [(row.kind, row.params, row.pass_on) for row in notifications]
    for number, entry in enumerate(sent, 1):
        name = f"Notification {number}, {entry['kind']},"
        times = found.count((entry["kind"], entry["params"], entry["pass_on"]))
        if entry["state"] != "answered":
            yield f"{name} was not answered with 200. {entry['error']}".rstrip()
        if times != 1:
            yield f"{name} is stored {times} times, not once."
    if len(found) != len(sent):
        yield f"{len(found)} notifications are stored, not {len(sent)}."
    for notification in notifications:
        if notification.dispatched_at is None:
            yield f"The notification {notification.pk} is not marked as dispatched."


def _in_transactions(history: Sequence[Report], transactions: Sequence[Transaction]) -> Iterator[str]:
    rows = {row.txn_ref: row for row in transactions}
    for report in history:
        row = rows.get(report.txn_ref)
        if row is None:
            yield f"{report.txn_ref} is not stored."
            continue
        for name in COMMON:
            if getattr(row, name) != getattr(report, name):
                yield f"{row} has {name} {getattr(row, name)!r}, not {getattr(report, name)!r}."
        if not row.is_final:
            yield f"{row} is not final."
    if len(transactions) != len(history):
        yield f"{len(transactions)} calls, faxes and SMS are stored, not {len(history)}."
