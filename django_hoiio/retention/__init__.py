"""Redact and delete rows that are older than `RETENTION_DAYS` allows, in batches."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from django.db import router
from django.utils import timezone

from django_hoiio.conf import conf
from django_hoiio.enums import Kind
from django_hoiio.models import TRANSACTION_MODELS, IvrRun, Notification, ReceiverFailure, Transaction
from django_hoiio.progress import Progress, no_progress

from .batches import KEYS_PER_PAGE, BatchSize, Scan, in_batches, in_transaction
from .policy import RetentionAction, RetentionPolicy
from .redaction import (
    NAMES_OF_NOTIFICATIONS,
    actions_for,
    delete,
    end,
    lock,
    mark_history,
    redact_notifications,
    redact_runs,
    transactions_of,
)
from .totals import close, day_of

__all__ = [
    "PruneResult",
    "prune",
]

_COLUMNS = ("kind", "redacted_at", "dispatched_at", *NAMES_OF_NOTIFICATIONS)

# Only a manual retry runs the receivers of these again, because the call is long over.
_NEVER_SKIPPED = frozenset(kind for kind in Kind if kind.is_ivr)


@dataclass(kw_only=True)
class PruneResult:
    """Counts of a pruning. A dry run counts what it would do to notifications only."""

    closed: int = 0
    redacted: int = 0
    deleted: int = 0
    #: Calls, SMS and faxes.
    transactions_redacted: int = 0
    transactions_deleted: int = 0
    #: Notifications that are due and stay, because they are pending or a receiver is to be retried.
    skipped: int = 0
    pace: BatchSize = field(default_factory=BatchSize)


def prune(*, dry_run: bool = False, progress: Progress = no_progress) -> PruneResult:
    """Close the days that are over, then redact and delete rows that are due. With `dry_run`, write nothing.

    It may be killed, repeated, or run twice at the same time.
    """
    policy, result = RetentionPolicy(timezone.now()), PruneResult()
    if not dry_run:
        # Close every day with rows to delete: totals of open days are counted from the rows.
        last = policy.latest_deletion
        result.closed = close(up_to=None if last is None else day_of(last), progress=progress)
    if policy.latest is not None:
        _prune_notifications(policy, policy.latest, result, dry_run, progress)
        if not dry_run:
            _prune_unreported(policy, policy.latest, result, progress)
            _prune_runs(policy, policy.latest, result.pace, progress)
    return result


def _prune_notifications(
    policy: RetentionPolicy, latest: datetime, result: PruneResult, dry_run: bool, progress: Progress
) -> None:
    using = router.db_for_write(Notification)
    old = Scan(rows=Notification.objects.using(using).older_than(latest), columns=_COLUMNS, by="received_at")
    due = (
        (one, action) for one in progress(old, "notifications") if (action := policy.for_notification(one)) is not None
    )
    for batch in in_batches(due, result.pace):
        skipped = _to_skip([one for one, _ in batch], using)
        result.skipped += len(skipped)
        todo = [(one, action) for one, action in batch if one.pk not in skipped]
        if dry_run:
            result.redacted += sum(action == RetentionAction.REDACT for _, action in todo)
            result.deleted += sum(action == RetentionAction.DELETE for _, action in todo)
        elif todo:
            _carry_out(todo, result, using)


def _to_skip(notifications: Collection[Any], using: str) -> set[int]:
    """Return the keys of notifications that still need their receivers. A redacted one has nothing to dispatch."""
    waiting = [one for one in notifications if one.redacted_at is None and one.kind not in _NEVER_SKIPPED]
    failures = ReceiverFailure.objects.using(using).unresolved().filter(attempts__lt=conf.RECEIVER_MAX_ATTEMPTS)
    failed = failures.filter(notification_id__in=[one.pk for one in waiting]).values_list("notification_id", flat=True)
    return {*failed, *(one.pk for one in waiting if one.dispatched_at is None)}


def _carry_out(todo: list[tuple[Any, RetentionAction]], result: PruneResult, using: str) -> None:
    # Before the transaction, so that it holds its locks for a shorter time.
    about = transactions_of([one for one, _ in todo], using)
    to_redact = [one.pk for one, action in todo if action == RetentionAction.REDACT]
    to_delete = [one.pk for one, action in todo if action == RetentionAction.DELETE]

    def carry_out() -> tuple[int, int, list[tuple[int, int]]]:
        redacted = redact_notifications(to_redact, using)
        # Not left to the cascade: the first statement must be a write, even if nothing is redacted (see `lock`).
        ReceiverFailure.objects.using(using).filter(notification_id__in=to_delete).delete()
        mark_history(to_delete, using)
        deleted = delete(Notification, to_delete, using)
        return redacted, deleted, [end(model, pks, using, _gone) for model, pks in about.items() if pks]

    redacted, deleted, ends = in_transaction(carry_out, result.pace, using)
    result.redacted += redacted
    result.deleted += deleted
    for counts in ends:
        _count(result, counts)


def _gone(row: Transaction) -> RetentionAction:
    """Delete a transaction with its last notification."""
    return RetentionAction.DELETE


def _prune_unreported(policy: RetentionPolicy, latest: datetime, result: PruneResult, progress: Progress) -> None:
    """Prune transactions that no notification reported."""
    for model in TRANSACTION_MODELS:
        using = router.db_for_write(model)
        # Final rows have been reported.
        rows = model._default_manager.using(using).filter(is_final=False, created_at__lt=latest)
        old = progress(Scan(rows=rows, columns=(), by="created_at"), str(model._meta.verbose_name_plural))
        for batch in in_batches(_unreported(old, model, policy, using), result.pace):
            carry_out = partial(_end_unreported, model, batch, policy, using)
            _count(result, in_transaction(carry_out, result.pace, using))


def _unreported(old: Any, model: type[Transaction], policy: RetentionPolicy, using: str) -> Iterator[int]:
    """Return the keys of rows that are due and that no notification names."""
    keys = (one.pk for one in old)
    while page := list(islice(keys, KEYS_PER_PAGE)):
        rows = list(model._default_manager.using(using).filter(pk__in=page))
        found = actions_for(rows, using, policy.for_unreported)
        yield from (pk for pk, action in found.items() if action is not None)


def _end_unreported(
    model: type[Transaction], pks: Collection[int], policy: RetentionPolicy, using: str
) -> tuple[int, int]:
    lock(model._default_manager.using(using).filter(pk__in=pks))
    return end(model, pks, using, policy.for_unreported)


def _prune_runs(policy: RetentionPolicy, latest: datetime, pace: BatchSize, progress: Progress) -> None:
    """Prune phone menus that have no call. The others are redacted and deleted with theirs."""
    using = router.db_for_write(IvrRun)
    rows = IvrRun.objects.using(using).filter(call=None, started_at__lt=latest)
    old = progress(Scan(rows=rows, columns=("redacted_at",), by="started_at"), str(IvrRun._meta.verbose_name_plural))
    for batch in in_batches(((run.pk, policy.for_run(run)) for run in old), pace):
        to_redact = [pk for pk, action in batch if action == RetentionAction.REDACT]
        to_delete = [pk for pk, action in batch if action == RetentionAction.DELETE]
        in_transaction(partial(redact_runs, rows.filter(pk__in=to_redact)), pace, using)
        in_transaction(partial(delete, IvrRun, to_delete, using), pace, using)


def _count(result: PruneResult, counts: tuple[int, int]) -> None:
    redacted, deleted = counts
    result.transactions_redacted += redacted
    result.transactions_deleted += deleted
