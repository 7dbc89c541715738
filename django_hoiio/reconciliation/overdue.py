"""Poll overdue transactions, at growing intervals and at most `MAX_POLLS` times."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from django.db import router
from django.utils import timezone

from django_hoiio.conf import conf
from django_hoiio.enums import Channel
from django_hoiio.exceptions import (
    ConnectionFailed,
    HoiioError,
    InvalidCredentials,
    InvalidParameter,
    NotPermitted,
    RateLimited,
)
from django_hoiio.models import HighWaterMark
from django_hoiio.progress import Progress

from .diff import MODEL_OF_CHANNEL, ingest_entry
from .reader import ApiReader, ReconciliationResult

# The first poll is due at the age OVERDUE_AFTER, each further one at twice the age.
MAX_POLLS = 8

# Stop after this many successive polls that Hoiio could not answer.
MAX_FAILURES = 3


def poll_overdue(reader: ApiReader, channel: Channel, result: ReconciliationResult, *, progress: Progress) -> None:
    """Poll each overdue transaction that became due after the mark. Raises `HoiioError`."""
    mark = HighWaterMark.objects.on_primary().of(reader.account, channel)
    due = _due(reader.account, channel, mark.overdue_up_to, timezone.now())
    faults = 0
    # Poll all that were due at the same moment, because the mark cannot separate them.
    for moment, together in groupby(progress(due, f"{channel} overdue"), key=itemgetter(0)):
        for _, txn_ref in together:
            faults = 0 if poll(reader, channel, txn_ref, result, reraise=faults + 1 == MAX_FAILURES) else faults + 1
        if not result.dry_run:
            mark.move("overdue_up_to", moment)


def poll(reader: ApiReader, channel: Channel, txn_ref: str, result: ReconciliationResult, *, reraise: bool) -> bool:
    """Poll one transaction and ingest what changed. Return False if Hoiio could not answer."""
    result.overdue += 1
    try:
        entry = reader.status(channel, txn_ref)
    except (InvalidParameter, NotPermitted):
        result.unknown += 1
        return True
    except (ConnectionFailed, RateLimited, InvalidCredentials):
        raise
    # An error with this transaction, or an unknown status word, must not stop the polls of the others.
    except HoiioError as error:
        if reraise:
            raise
        result.failures.append(f"{txn_ref} of account {reader.account!r}: {error}")
        return False
    result.found[ingest_entry(entry, dry_run=result.dry_run)] += 1
    return True


def _due(account: str, channel: Channel, mark: datetime | None, now: datetime) -> list[tuple[datetime, str]]:
    """Return the due moment and txn_ref of each transaction to poll, earliest first."""
    model = MODEL_OF_CHANNEL[channel]
    last = conf.OVERDUE_AFTER * (1 << (MAX_POLLS - 1))
    after = mark or now - last
    rows = model._default_manager.using(router.db_for_write(model))
    waiting = rows.filter(account=account, is_final=False, created_at__gt=after - last, created_at__lte=now)
    references = waiting.exclude(txn_ref=None).values_list("created_at", "txn_ref").distinct()
    return sorted(_after(after, ((due_at(begun, now), str(txn_ref)) for begun, txn_ref in references)))


def _after(mark: datetime, moments: Iterator[tuple[datetime | None, str]]) -> Iterator[tuple[datetime, str]]:
    return ((moment, txn_ref) for moment, txn_ref in moments if moment is not None and moment > mark)


def due_at(begun: datetime, now: datetime) -> datetime | None:
    """Return when a transaction was last due for a poll; `None` if it is not overdue yet."""
    age = (now - begun) // conf.OVERDUE_AFTER
    if age < 1:
        return None
    times = min(age.bit_length(), MAX_POLLS)
    return begun + conf.OVERDUE_AFTER * (1 << (times - 1))
