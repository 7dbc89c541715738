"""Health figures: what is pending, failed or overdue. Each count stops one above `COUNT_LIMIT`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from django.db.models import QuerySet

from . import spool
from .enums import Source
from .models import Notification, ReceiverFailure, Transaction

COUNT_LIMIT = 1_000


def latest_notification() -> tuple[datetime, Source] | None:
    """Return when the latest notification was received, and how it reached the app; `None` if there is none."""
    latest = Notification.objects.order_by("-received_at").values_list("received_at", "source").first()
    return None if latest is None else (latest[0], Source(latest[1]))


def pending_notifications(now: datetime) -> int:
    """Count the notifications that no process is dispatching."""
    return _count(Notification.objects.pending().unclaimed(now))


def unresolved_failures() -> int:
    """Count the failed receivers that have not succeeded since."""
    return _count(ReceiverFailure.objects.unresolved())


def overdue_transactions(model: type[Transaction]) -> int:
    """Count the calls, SMS or faxes without a final status for more than `OVERDUE_AFTER`."""
    rows: Any = model._default_manager.all()
    return _count(rows.overdue())


def spool_files(folder: Path) -> tuple[int, int]:
    """Count the files of the spool that are not yet imported, and those in quarantine. Raises OSError."""
    pending, quarantined = (
        spool.count(folder, suffix, COUNT_LIMIT + 1) for suffix in (spool.SUFFIX, spool.QUARANTINED)
    )
    return pending, quarantined


def _count(rows: QuerySet[Any]) -> int:
    return rows.order_by()[: COUNT_LIMIT + 1].count()
