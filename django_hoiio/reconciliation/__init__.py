"""Reconcile the database with Hoiio: read its history since the high-water mark and poll overdue transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.utils import timezone

from django_hoiio.client import HoiioClient
from django_hoiio.conf import conf
from django_hoiio.enums import Channel
from django_hoiio.exceptions import ConnectionFailed, HoiioError, InvalidCredentials
from django_hoiio.models import HighWaterMark
from django_hoiio.progress import Progress, no_progress

from .diff import ingest_entry
from .overdue import poll_overdue
from .reader import ApiReader, Found, ReconciliationResult

__all__ = ["Found", "ReconciliationResult", "able_accounts", "reconcile"]

Part = Callable[[ApiReader, Channel, ReconciliationResult], None]


def reconcile(
    *,
    accounts: Sequence[str] | None = None,
    since: datetime | None = None,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> ReconciliationResult:
    """Update calls, SMS and faxes to the state that Hoiio reports, as if all notifications had been received.

    `accounts` defaults to all that have APP_ID and ACCESS_TOKEN; `since` replaces the high-water mark. Safe to kill and
    to repeat. The result lists failed requests. Raises `ImproperlyConfigured` or `ValueError` if an account cannot be
    used at all, and `django.db.Error`.
    """
    result = ReconciliationResult(dry_run=dry_run)
    for account in able_accounts() if accounts is None else accounts:
        with HoiioClient(account) as client:
            _reconcile_account(ApiReader(account, client, result), result, since, progress)
    return result


def able_accounts() -> list[str]:
    """Return the accounts with APP_ID and ACCESS_TOKEN."""
    return [account for account in conf.ACCOUNTS if conf.app_id(account) and conf.access_tokens(account)]


def _reconcile_account(
    reader: ApiReader, result: ReconciliationResult, since: datetime | None, progress: Progress
) -> None:
    for channel in Channel:
        parts: dict[str, Part] = {
            "get_history": partial(read_history, since=since, progress=progress),
            "query_status": partial(poll_overdue, progress=progress),
        }
        for name, part in parts.items():
            failure = _failure_of(part, reader, channel, result)
            if failure is not None:
                result.failures.append(f"{channel}/{name} of account {reader.account!r}: {failure}")
            # The next request would fail, too.
            if isinstance(failure, (ConnectionFailed, InvalidCredentials)):
                return


def _failure_of(part: Part, reader: ApiReader, channel: Channel, result: ReconciliationResult) -> HoiioError | None:
    try:
        part(reader, channel, result)
    except HoiioError as error:
        return error
    return None


# Start this long before the mark, to read again transactions that were running then or that Hoiio listed late.
OVERLAP = timedelta(days=1)

# Skip transactions younger than this: their notifications may still be on their way.
MIN_AGE = timedelta(minutes=5)

# Period of one history query. The mark moves after each span, so a run after a kill repeats little.
SPAN = timedelta(days=1)

# Stop after this many successive pages without a new entry, whatever total Hoiio reports.
MAX_EMPTY_PAGES = 2


def read_history(
    reader: ApiReader, channel: Channel, result: ReconciliationResult, *, since: datetime | None, progress: Progress
) -> None:
    """Ingest transactions that began after the mark or `since`. Raises `HoiioError`; ingested entries stay."""
    mark = HighWaterMark.objects.on_primary().of(reader.account, channel)
    end = (timezone.now() - MIN_AGE).replace(microsecond=0)
    begin = since or (mark.up_to or end) - OVERLAP
    moves = not result.dry_run
    for start, stop in progress(list(_spans(begin, end)), f"{channel} history"):
        is_whole = _ingest_span(reader, channel, start, stop, result)
        # If there is a gap between the mark and the span, the mark stays, because the gap must still be read.
        moves = moves and is_whole and (mark.up_to is None or start <= mark.up_to)
        if moves:
            mark.move("up_to", stop)


def _spans(begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    begin = begin.replace(microsecond=0)
    while begin < end:
        stop = min(begin + SPAN, end)
        yield begin, stop
        begin = stop


def _ingest_span(
    reader: ApiReader, channel: Channel, begin: datetime, end: datetime, result: ReconciliationResult
) -> bool:
    """Ingest each transaction of a span once, whatever its order and page.

    Return False if Hoiio listed fewer entries than its total.
    """
    seen: set[tuple[tuple[str, str], ...]] = set()
    ingested: set[str] = set()
    number = empty_pages = 0
    while empty_pages < MAX_EMPTY_PAGES:
        number += 1
        page = reader.history(channel, begin, end, number)
        before = len(seen)
        for entry in page.entries:
            seen.add(tuple(sorted(entry.params.items())))
            if entry.txn_ref and entry.txn_ref not in ingested:
                ingested.add(entry.txn_ref)
                result.read += 1
                result.found[ingest_entry(entry, dry_run=result.dry_run)] += 1
        if not page.entries or (page.total is not None and len(seen) >= page.total):
            break
        empty_pages = 0 if len(seen) > before else empty_pages + 1
    if page.total is None or len(seen) >= page.total:
        return True
    result.failures.append(
        f"{channel}/get_history of account {reader.account!r}: Hoiio counts {page.total} entries from {begin} to {end}"
        f" but returned {len(seen)}; the next run reads them again."
    )
    return False
