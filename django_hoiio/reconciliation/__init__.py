"""Reconcile the database with Hoiio: read its history since the high-water mark and poll overdue transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from functools import partial

from django_hoiio.client import HoiioClient
from django_hoiio.conf import conf
from django_hoiio.enums import Channel
from django_hoiio.exceptions import ConnectionFailed, HoiioError, InvalidCredentials
from django_hoiio.models import HighWaterMark
from django_hoiio.progress import Progress, silently

from .diff import ingest_entry
from .overdue import poll_overdue
from .reader import ApiReader, Found, ReconciliationResult

__all__ = ["Found", "Progress", "ReconciliationResult", "able_accounts", "reconcile"]

Part = Callable[[ApiReader, Channel, ReconciliationResult], None]


def reconcile(
    *,
    accounts: Sequence[str] | None = None,
    since: datetime | None = None,
    dry_run: bool = False,
    progress: Progress = silently,
) -> ReconciliationResult:
    """Bring every call, SMS and fax to the state that Hoiio tells, as if its notifications had come.

    `accounts` are those with APP_ID and ACCESS_TOKEN where they are left out; `since` replaces the high-water mark.
    It may be killed and run again. Why something could not be asked stands in the report. Raises
    `ImproperlyConfigured` or `ValueError` where an account cannot ask at all, and `django.db.Error`.
    """
    report = ReconciliationResult(dry_run=dry_run)
    for account in able_accounts() if accounts is None else accounts:
        with HoiioClient(account) as client:
            _reconcile_account(ApiReader(account, client, report), report, since, progress)
    return report


def able_accounts() -> list[str]:
    """The accounts that can ask Hoiio."""
    return [account for account in conf.ACCOUNTS if conf.app_id(account) and conf.access_tokens(account)]


def _reconcile_account(
    asker: ApiReader, report: ReconciliationResult, since: datetime | None, progress: Progress
) -> None:
    for channel in Channel:
        parts: dict[str, Part] = {
            "get_history": partial(read_history, since=since, progress=progress),
            "query_status": partial(poll_overdue, progress=progress),
        }
        for name, part in parts.items():
            failure = _failure_of(part, asker, channel, report)
            if failure is not None:
                report.failures.append(f"{channel}/{name} of account {asker.account!r}: {failure}")
            # The next question would fare no better.
            if isinstance(failure, (ConnectionFailed, InvalidCredentials)):
                return


def _failure_of(part: Part, asker: ApiReader, channel: Channel, report: ReconciliationResult) -> HoiioError | None:
    try:
        part(asker, channel, report)
    except HoiioError as error:
        return error
    return None


# How far before the mark it begins: what was running then, and what was listed late, is read again.
OVERLAP = timedelta(days=1)

# What is younger is left to its notifications, which are on their way.
SETTLES = timedelta(minutes=5)

# How much is asked for at a time. The mark moves when a span is taken in, so little is read again after a kill.
SPAN = timedelta(days=1)

# Pages with nothing new on them after which a history is over, whatever total it claims.
FRUITLESS = 2


def read_history(
    asker: ApiReader, channel: Channel, report: ReconciliationResult, *, since: datetime | None, progress: Progress
) -> None:
    """Take in what began since the mark, or since a moment. Raises `HoiioError`; what was taken in stays."""
    mark = HighWaterMark.objects.on_primary().of(asker.account, channel)
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


def _take_in_span(
    asker: ApiReader, channel: Channel, begin: datetime, end: datetime, report: ReconciliationResult
) -> bool:
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
                report.found[ingest_entry(entry, dry_run=report.dry_run)] += 1
        if not page.entries or (page.total is not None and len(shown) >= page.total):
            break
        fruitless = 0 if len(shown) > before else fruitless + 1
    if page.total is None or len(shown) >= page.total:
        return True
    report.failures.append(
        f"{channel}/get_history of account {asker.account!r}: Hoiio counts {page.total} entries from {begin} to {end}"
        f" but returned {len(shown)}; the next run reads them again."
    )
    return False
