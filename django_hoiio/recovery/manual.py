"""Retry and dispatch from the admin: at once, without back-off and without a limit of attempts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from django.utils import timezone

from django_hoiio.dispatch import Outcome, record_interrupted, retry
from django_hoiio.enums import Kind
from django_hoiio.models import ReceiverFailure
from django_hoiio.models.failures import ReceiverFailureQuerySet
from django_hoiio.models.notifications import NotificationQuerySet

from .batches import TimeBudget

# No receiver starts later. A receiver may be slow itself, and web servers often end a request after 30 seconds.
TIME_LIMIT = 15.0

# Outcomes of a receiver that was called.
CALLED = (Outcome.RESOLVED, Outcome.FAILED)


@dataclass(kw_only=True)
class ManualResult:
    """Counts of a manual batch."""

    receivers: Counter[Outcome] = field(default_factory=Counter)
    # Receivers of interactive calls, which may have dialled or played late.
    late: int = 0
    dispatched: int = 0
    # Notifications that a running process has claimed, which are left to it.
    claimed: int = 0
    # True if some are left for another batch.
    is_cut: bool = False


def retry_failed(failures: ReceiverFailureQuerySet) -> ManualResult:
    """Retry failed receivers, the oldest first, those of interactive calls too. Resolved ones are skipped.

    The queryset must read from the primary database.
    """
    done, budget = ManualResult(), TimeBudget(TIME_LIMIT)
    for failure in budget.rows(failures.unresolved().select_related("notification")):
        _run(failure, done)
    done.is_cut = budget.is_cut
    return done


def dispatch_pending(notifications: NotificationQuerySet) -> ManualResult:
    """Dispatch pending notifications, oldest first, except those that another process has claimed.

    The claim is the same as in `recover`, so one process dispatches each notification. The queryset must read from the
    primary database.
    """
    done, budget, now = ManualResult(), TimeBudget(TIME_LIMIT), timezone.now()
    pending = notifications.pending()
    done.claimed = pending.claimed(now).count()
    for notification in budget.rows(pending.unclaimed(now)):
        if not record_interrupted(notification):
            done.claimed += 1
            continue
        done.dispatched += 1
        for failure in notification.failures.unresolved().select_related("notification").order_by("pk"):
            _run(failure, done)
    done.is_cut = budget.is_cut
    return done


def _run(failure: ReceiverFailure, done: ManualResult) -> None:
    outcome = retry(failure, ignore_backoff=True)
    done.receivers[outcome] += 1
    done.late += outcome in CALLED and Kind(failure.notification.kind).is_ivr
