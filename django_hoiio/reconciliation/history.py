"""Reads the histories from the high-water mark on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from ..kinds import Channel
from ..models import HighWaterMark
from ..progress import Progress
from .asking import Asker
from .news import take_in
from .report import Report

# How far before the mark it begins: what was running then, and what was listed late, is read again.
OVERLAP = timedelta(days=1)

# What is younger is left to its notifications, which are on their way.
SETTLES = timedelta(minutes=5)

# How much is asked for at a time. The mark moves when a span is taken in, so little is read again after a kill.
SPAN = timedelta(days=1)

# Pages with nothing new on them after which a history is over, whatever total it claims.
FRUITLESS = 2


def read_history(asker: Asker, channel: Channel, report: Report, *, since: datetime | None, progress: Progress) -> None:
    """Take in what began since the mark, or since a moment. Raises `HoiioError`; what was taken in stays."""
    mark = HighWaterMark.objects.where_written().of(asker.account, channel)
    end = (datetime.now(timezone.utc) - SETTLES).replace(microsecond=0)
    begin = since or (mark.up_to or end) - OVERLAP
    moves = not report.dry_run
    for start, stop in progress(list(_spans(begin, end)), f"{channel} history"):
        is_whole = _take_in_span(asker, channel, start, stop, report)
        # Where there is a gap before it, the mark stays: what is in the gap is still to be read.
        moves = moves and is_whole and (mark.up_to is None or start <= mark.up_to)
        if moves:
            mark.move("up_to", stop)


def _spans(begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    begin = begin.replace(microsecond=0)
    while begin < end:
        stop = min(begin + SPAN, end)
        yield begin, stop
        begin = stop


def _take_in_span(asker: Asker, channel: Channel, begin: datetime, end: datetime, report: Report) -> bool:
    """Take in each transaction of a span once, in whatever order and on whichever pages it comes.

    False where Hoiio did not show as many entries as it counts.
    """
    shown: set[tuple[tuple[str, str], ...]] = set()
    taken_in: set[str] = set()
    number = fruitless = 0
    while fruitless < FRUITLESS:
        number += 1
        page = asker.history(channel, begin, end, number)
        before = len(shown)
        for entry in page.entries:
            shown.add(tuple(sorted(entry.said.items())))
            if entry.txn_ref and entry.txn_ref not in taken_in:
                taken_in.add(entry.txn_ref)
                report.read += 1
                report.found[take_in(entry, dry_run=report.dry_run)] += 1
        if not page.entries or (page.total is not None and len(shown) >= page.total):
            break
        fruitless = 0 if len(shown) > before else fruitless + 1
    if page.total is None or len(shown) >= page.total:
        return True
    report.failures.append(
        f"{channel}/get_history of account {asker.account!r}: Hoiio counts {page.total} entries from {begin} to {end},"
        f" and showed {len(shown)}; the next run reads them again."
    )
    return False
