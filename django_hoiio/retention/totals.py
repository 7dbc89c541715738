"""Daily totals: counted from the rows while a day is open, read from `DailyTotal` once it is closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from datetime import timezone as datetime_timezone
from decimal import Decimal
from typing import NamedTuple

from django.db import IntegrityError, router, transaction
from django.db.models import Case, Count, Q, QuerySet, Value, When
from django.utils import timezone

from django_hoiio.conf import conf
from django_hoiio.enums import CallOutcome, Direction, SmsStatus, Traffic
from django_hoiio.models import Call, ClosedDay, DailyTotal, Fax, Sms, Transaction
from django_hoiio.progress import Progress, no_progress

__all__ = [
    "Total",
    "totals",
]

# A day is closed this long after its end. By then the carriers have given up on an SMS, the spool is drained, and
# reconciliation has made its last request: 128 times OVERDUE_AFTER is five days and a third.
SETTLED_AFTER = timedelta(days=7)

DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Total:
    """Total of one kind of traffic of one account on one day, in one currency."""

    day: date
    account: str
    traffic: Traffic
    #: Empty if Hoiio reported none.
    currency: str
    count: int
    #: Calls and faxes that were answered, SMS that were delivered, and all SMS that were received.
    succeeded: int
    #: The charge that Hoiio reported; 0 if it reported none.
    debit: Decimal


class _Counted(NamedTuple):
    """Rules to count the rows of a model."""

    model: type[Transaction]
    incoming: Q
    received: Traffic
    sent: Traffic
    succeeded: Q


# A row without a reported direction counts as one of its usual causes: a caller with a hidden number, an incoming SMS
# without a sender, a refused message of a bulk SMS, or the status of a sent fax.
_UNDIRECTED = Q(direction="")
_COUNTED = (
    _Counted(
        Call,
        Q(direction=Direction.INCOMING) | _UNDIRECTED,
        Traffic.CALLS_RECEIVED,
        Traffic.CALLS_MADE,
        Q(outcome=CallOutcome.ANSWERED),
    ),
    _Counted(
        Sms,
        Q(direction=Direction.INCOMING)
        | (_UNDIRECTED & Q(sms_status__in=("", SmsStatus.RECEIVED), status="", bulk_txn_ref="")),
        Traffic.SMS_RECEIVED,
        Traffic.SMS_SENT,
        Q(sms_status=SmsStatus.DELIVERED) | Q(traffic=Traffic.SMS_RECEIVED),
    ),
    _Counted(
        Fax, Q(direction=Direction.INCOMING), Traffic.FAXES_RECEIVED, Traffic.FAXES_SENT, Q(fax_status="answered")
    ),
)


def day_of(moment: datetime) -> date:
    """Return the day of a moment in the project's time zone."""
    return moment.astimezone(conf.time_zone).date()


def totals(first: date, last: date) -> list[Total]:
    """Return the totals from `first` to `last`, both included, in order of day, account, traffic and currency.

    Closed days are read from `DailyTotal`; open days are counted through an index.
    """
    using = router.db_for_read(DailyTotal)
    while True:
        mark = closed_up_to(using)
        found = [*_written(first, last, using), *_counted_now(first, last, mark, using)]
        # A day that was closed in between may be missing or doubled.
        if closed_up_to(using) == mark:
            return sorted(found, key=lambda total: (total.day, total.account, total.traffic, total.currency))


def closed_up_to(using: str) -> date | None:
    """Return the last closed day; `None` if there is none. All days before it are closed too."""
    return ClosedDay.objects.using(using).order_by("-day").values_list("day", flat=True).first()


def counted_from(using: str) -> date | None:
    """Return the first day that is still counted from the rows; `None` if there is nothing to count."""
    return _first_open(closed_up_to(using), using)


def close(*, up_to: date | None = None, progress: Progress = no_progress) -> int:
    """Close each day that ended `SETTLED_AFTER` ago or earlier, in order. Return how many were closed.

    With `up_to`, also close the days up to it that are over. A day is closed once, even by concurrent processes, and
    its totals never change: no total includes later reports.
    """
    now, using = timezone.now(), router.db_for_write(DailyTotal)
    settled = day_of(now - SETTLED_AFTER) - DAY
    last = settled if up_to is None else max(settled, min(up_to, day_of(now) - DAY))
    first = _first_open(closed_up_to(using), using)
    days = [] if first is None else list(_days(first, last))
    return sum(_close_day(day, using) for day in progress(days, "days"))


def _close_day(day: date, using: str) -> bool:
    """Store the totals of a day. Return False if another process did."""
    # Counted before the transaction, which blocks all other writers in SQLite.
    written = [DailyTotal(**vars(total)) for total in _count(day, using)]
    closed = ClosedDay(day=day, closed_at=timezone.now())
    try:
        with transaction.atomic(using=using):
            closed.save(using=using, force_insert=True)
            DailyTotal.objects.using(using).bulk_create(written)
    except IntegrityError:
        if not ClosedDay.objects.using(using).filter(day=day).exists():
            raise
        return False
    return True


def _days(first: date, last: date) -> Iterator[date]:
    return (first + DAY * number for number in range((last - first).days + 1))


def _written(first: date, last: date, using: str) -> Iterator[Total]:
    for row in DailyTotal.objects.using(using).filter(day__gte=first, day__lte=last):
        yield Total(
            day=row.day,
            account=row.account,
            traffic=Traffic(row.traffic),
            currency=row.currency,
            count=row.count,
            succeeded=row.succeeded,
            debit=row.debit,
        )


def _counted_now(first: date, last: date, mark: date | None, using: str) -> Iterator[Total]:
    first_open = _first_open(mark, using)
    if first_open is not None:
        for day in _days(max(first, first_open), min(last, day_of(timezone.now()))):
            yield from _count(day, using)


def _first_open(mark: date | None, using: str) -> date | None:
    """Return the first day that is not closed; if none is closed, the day of the first transaction."""
    if mark is not None:
        return mark + DAY
    begun = [moment for counted in _COUNTED if (moment := _first_moment(counted.model, using)) is not None]
    return day_of(min(begun)) if begun else None


def _first_moment(model: type[Transaction], using: str) -> datetime | None:
    rows = model._default_manager.using(using).order_by("created_at").values_list("created_at", flat=True)
    # One index lookup each.
    moments = [moment for is_final in (False, True) if (moment := rows.filter(is_final=is_final).first())]
    return min(moments, default=None)


def _count(day: date, using: str) -> Iterator[Total]:
    for counted in _COUNTED:
        sums: dict[_Key, _Sum] = {}
        for key, total in _groups(counted, day, using):
            sums[key] = sums[key] + total if key in sums else total
        for (account, traffic, currency), total in sums.items():
            yield Total(
                day=day,
                account=account,
                traffic=Traffic(traffic),
                currency=currency,
                count=total.rows,
                succeeded=total.succeeded,
                debit=total.debit,
            )


# Account, traffic and currency.
_Key = tuple[str, str, str]


class _Sum(NamedTuple):
    rows: int
    succeeded: int
    debit: Decimal

    def __add__(self, other: _Sum) -> _Sum:  # type: ignore[override]  # of a tuple, it would append
        return _Sum(self.rows + other.rows, self.succeeded + other.succeeded, self.debit + other.debit)


def _groups(counted: _Counted, day: date, using: str) -> Iterator[tuple[_Key, _Sum]]:
    """Sum the rows of a day, grouped by debit: SQLite would sum debits as floats."""
    traffic = Case(When(counted.incoming, then=Value(counted.received.value)), default=Value(counted.sent.value))
    groups = (
        _rows_of(counted.model, day, using)
        .annotate(traffic=traffic)
        .values_list("account", "traffic", "currency", "debit")
        .annotate(rows=Count("pk"), succeeded=Count("pk", filter=counted.succeeded))
        .order_by()
    )
    for account, kind_of_it, currency, debit, rows, succeeded in groups:
        yield (account, kind_of_it, _code(currency)), _Sum(rows, succeeded, rows * (debit or Decimal(0)))


def _code(currency: str) -> str:
    """Normalize a currency. Some databases treat two as equal that differ only in case or spaces."""
    stripped = currency.strip()
    return stripped.upper() if stripped.isascii() else stripped


def _rows_of(model: type[Transaction], day: date, using: str) -> QuerySet[Transaction]:
    """Return the rows that began on a day."""
    return model._default_manager.using(using).filter(
        # For the index, where it stands before the date.
        is_final__in=(False, True),
        created_at__gte=_midnight(day),
        created_at__lt=_midnight(day + DAY),
    )


def _midnight(day: date) -> datetime:
    """Return the start of a day in the project's time zone, as UTC."""
    return datetime.combine(day, time.min, conf.time_zone).astimezone(datetime_timezone.utc)
