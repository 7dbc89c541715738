"""Redact and delete rows that are older than `RETENTION_DAYS` allows, in batches."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from django.db import router

from django_hoiio.conf import conf
from django_hoiio.enums import Kind
from django_hoiio.models import Notification, ReceiverFailure, Transaction
from django_hoiio.progress import Progress, silently

from .batches import PAGE, Pace, Walk, in_one
from .policy import Fate, Fates
from .redaction import MODELS, NAMES_OF_NOTIFICATIONS, blank_notifications, delete, end, fates_of, lock, transactions_of
from .totals import close, day_of

Thing = TypeVar("Thing")

_COLUMNS = ("kind", "blanked_at", "dispatched_at", *NAMES_OF_NOTIFICATIONS)

# Whose receivers are run again by hand alone: for a step of a call that is long over.
_LET_BE = frozenset(kind for kind in Kind if kind.is_ivr)


@dataclass(kw_only=True)
class Pruned:
    """What a pruning did, in numbers; of a dry run, what it would do to notifications."""

    closed: int = 0
    blanked: int = 0
    deleted: int = 0
    # Calls, SMS and faxes.
    transactions_blanked: int = 0
    transactions_deleted: int = 0
    # Notifications that are due and stay, because receivers are still to be told of them.
    held: int = 0
    pace: Pace = field(default_factory=Pace)


def prune(*, dry_run: bool = False, progress: Progress = silently) -> Pruned:
    """Close the days that are over, then blank and delete what is due. With `dry_run` nothing is written.

    It may be killed, run again, or run twice at the same time.
    """
    fates, report = Fates(datetime.now(timezone.utc)), Pruned()
    if not dry_run:
        # What is to be deleted began on a day that is closed then.
        last = fates.latest_deletion
        report.closed = close(up_to=None if last is None else day_of(last), progress=progress)
    if fates.latest is not None:
        _prune_notifications(fates, fates.latest, report, dry_run, progress)
        if not dry_run:
            _prune_unheard(fates, fates.latest, report, progress)
    return report


def _prune_notifications(fates: Fates, latest: datetime, report: Pruned, dry_run: bool, progress: Progress) -> None:
    using = router.db_for_write(Notification)
    old = Walk(rows=Notification.objects.using(using).older_than(latest), columns=_COLUMNS, by="received_at")
    due = ((one, fate) for one in progress(old, "notifications") if (fate := fates.of_notification(one)) is not None)
    for batch in _batches(due, report.pace):
        held = _held([one for one, _ in batch], using)
        report.held += len(held)
        todo = [(one, fate) for one, fate in batch if one.pk not in held]
        if dry_run:
            report.blanked += sum(fate == Fate.BLANK for _, fate in todo)
            report.deleted += sum(fate == Fate.DELETE for _, fate in todo)
        elif todo:
            _carry_out(todo, report, using)


def _held(notifications: Collection[Any], using: str) -> set[int]:
    """Those that receivers are still to be told of; what is blank holds nothing that they could be told."""
    waiting = [one for one in notifications if one.blanked_at is None and one.kind not in _LET_BE]
    failures = ReceiverFailure.objects.using(using).unmended().filter(attempts__lt=conf.MAX_ATTEMPTS)
    failed = failures.filter(notification_id__in=[one.pk for one in waiting]).values_list("notification_id", flat=True)
    return {*failed, *(one.pk for one in waiting if one.dispatched_at is None)}


def _carry_out(todo: list[tuple[Any, Fate]], report: Pruned, using: str) -> None:
    # Looked up before the transaction, which holds its locks for a shorter time then.
    about = transactions_of([one for one, _ in todo], using)
    to_blank = [one.pk for one, fate in todo if fate == Fate.BLANK]
    to_delete = [one.pk for one, fate in todo if fate == Fate.DELETE]

    def carry_out() -> tuple[int, int, list[tuple[int, int]]]:
        blanked = blank_notifications(to_blank, using)
        # By itself, so that the first statement is a write also where all are deleted.
        ReceiverFailure.objects.using(using).filter(notification_id__in=to_delete).delete()
        deleted = delete(Notification, to_delete, using)
        return blanked, deleted, [end(model, pks, using, _gone) for model, pks in about.items() if pks]

    blanked, deleted, ends = in_one(carry_out, report.pace, using)
    report.blanked += blanked
    report.deleted += deleted
    for counts in ends:
        _count(report, counts)


def _gone(row: Transaction) -> Fate:
    """Goes with its last notification."""
    return Fate.DELETE


def _prune_unheard(fates: Fates, latest: datetime, report: Pruned, progress: Progress) -> None:
    """Prune what was sent and never heard of."""
    for model in MODELS:
        using = router.db_for_write(model)
        # What is final was heard of.
        rows = model._default_manager.using(using).filter(is_final=False, created_at__lt=latest)
        old = progress(Walk(rows=rows, columns=(), by="created_at"), str(model._meta.verbose_name_plural))
        for batch in _batches(_unheard(old, model, fates, using), report.pace):
            carry_out = partial(_end_unheard, model, batch, fates, using)
            _count(report, in_one(carry_out, report.pace, using))


def _unheard(old: Any, model: type[Transaction], fates: Fates, using: str) -> Iterator[int]:
    """The keys of those that are due and that no notification names."""
    keys = (one.pk for one in old)
    while page := list(islice(keys, PAGE)):
        rows = list(model._default_manager.using(using).filter(pk__in=page))
        found = fates_of(rows, using, fates.of_unheard)
        yield from (pk for pk, fate in found.items() if fate is not None)


def _end_unheard(model: type[Transaction], pks: Collection[int], fates: Fates, using: str) -> tuple[int, int]:
    lock(model._default_manager.using(using).filter(pk__in=pks))
    return end(model, pks, using, fates.of_unheard)


# Batches.


def _batches(things: Iterator[Thing], pace: Pace) -> Iterator[list[Thing]]:
    while batch := list(islice(things, pace.size)):
        yield batch


def _count(report: Pruned, counts: tuple[int, int]) -> None:
    blanked, deleted = counts
    report.transactions_blanked += blanked
    report.transactions_deleted += deleted
