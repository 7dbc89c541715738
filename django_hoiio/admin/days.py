"""What the last days came to: volumes by kind, and what was spent in each currency, as pictures and as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_hoiio.kinds import Traffic
from django_hoiio.retention.totals import Total

from .drawing import Bar, Picture
from .figures import grouped, money, on, share

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

# What it is called that succeeded. An SMS that was received cannot fail.
SUCCESS: dict[Traffic, _StrOrPromise] = {
    Traffic.CALLS_MADE: gettext_lazy("answered"),
    Traffic.CALLS_RECEIVED: gettext_lazy("answered"),
    Traffic.SMS_SENT: gettext_lazy("delivered"),
    Traffic.FAXES_SENT: gettext_lazy("answered"),
    Traffic.FAXES_RECEIVED: gettext_lazy("answered"),
}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A picture, with what it comes to above it and its busiest day below it."""

    title: str
    total: str
    note: str
    picture: Picture
    highest: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """The figures of the pictures, a row for each day and one for all of them."""

    title: str
    columns: Sequence[str]
    # A heading, and the cells after it; the newest day first.
    rows: Sequence[tuple[str, Sequence[str]]]
    sums: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class _Series:
    """What one thing came to on each of the days, in their order."""

    title: str
    days: Sequence[date]
    # The days as they are written.
    names: Sequence[str]
    wholes: Sequence[Decimal]
    succeeded: Sequence[Decimal]
    # How a number of it is written.
    written: Callable[[Decimal], str]
    # What it is called that succeeded; empty where nothing fails.
    success: str

    @property
    def whole(self) -> Decimal:
        return sum(self.wholes, Decimal(0))

    def in_words(self, whole: Decimal, succeeded: Decimal) -> str:
        """`12, 11 delivered`."""
        said = self.written(whole)
        return f"{said}, {self.written(succeeded)} {self.success}" if self.success and whole else said

    def words_of_all(self) -> str:
        return self.in_words(self.whole, sum(self.succeeded, Decimal(0)))


@dataclass(frozen=True, kw_only=True)
class Days:
    """The days that are shown, and what they came to."""

    days: Sequence[date]
    totals: Sequence[Total]

    def volumes(self) -> tuple[list[Panel], Table]:
        """How many calls, SMS and faxes there were of each kind of which there were any."""
        series = [each for kind in Traffic if (each := self._volume(kind)).whole]
        panels = [_panel(f"hoiio-volume-{place}", each, _succeeded(each)) for place, each in enumerate(series)]
        return panels, _table(_("Calls, SMS and faxes by day"), series)

    def spend(self) -> tuple[list[Panel], Table]:
        """What Hoiio charged, in each currency in which it charged anything; currencies are never added."""
        currencies = sorted({total.currency for total in self.totals if total.debit})
        series = [self._debit(currency) for currency in currencies]
        panels = [
            _panel(f"hoiio-spend-{place}", each, self._by_kind(currency))
            for place, (currency, each) in enumerate(zip(currencies, series, strict=True))
        ]
        return panels, _table(_("Spend by day"), series)

    def _volume(self, kind: Traffic) -> _Series:
        totals = [total for total in self.totals if total.kind == kind]
        return _Series(
            title=_capital(str(kind.label)),
            days=self.days,
            names=self._names,
            wholes=self._each_day((total.day, Decimal(total.count)) for total in totals),
            succeeded=self._each_day((total.day, Decimal(total.succeeded)) for total in totals),
            written=lambda number: grouped(int(number)),
            success=str(SUCCESS.get(kind, "")),
        )

    def _debit(self, currency: str) -> _Series:
        spent = self._each_day((total.day, total.debit) for total in self.totals if total.currency == currency)
        return _Series(
            title=currency or _("No currency told"),
            days=self.days,
            names=self._names,
            wholes=spent,
            succeeded=spent,
            written=money,
            success="",
        )

    @cached_property
    def _names(self) -> list[str]:
        return [on(day, self.days[-1]) for day in self.days]

    def _each_day(self, amounts: Iterable[tuple[date, Decimal]]) -> list[Decimal]:
        sums = dict.fromkeys(self.days, Decimal(0))
        for day, amount in amounts:
            sums[day] += amount
        return list(sums.values())

    def _by_kind(self, currency: str) -> str:
        """What the kinds cost, the dearest first."""
        sums = {kind: Decimal(0) for kind in Traffic}
        for total in self.totals:
            if total.currency == currency:
                sums[total.kind] += total.debit
        dearest = sorted((kind for kind in sums if sums[kind]), key=lambda kind: -sums[kind])
        return ", ".join(f"{kind.label} {money(sums[kind])}" for kind in dearest)


def _succeeded(series: _Series) -> str:
    """`11 delivered, 91.7 %`."""
    if not series.success:
        return ""
    succeeded = int(sum(series.succeeded))
    return f"{grouped(succeeded)} {series.success}, {share(succeeded, int(series.whole))}"


def _panel(name: str, series: _Series, note: str) -> Panel:
    each = list(zip(series.names, series.wholes, series.succeeded, strict=True))
    day, highest, _part = max(each, key=lambda one: one[1])
    words = _("most on %(day)s: %(number)s") % {"day": day, "number": series.written(highest)}
    return Panel(
        title=series.title,
        total=series.written(series.whole),
        note=note,
        highest=words,
        picture=Picture(
            name=name,
            title=_("%(what)s by day") % {"what": series.title},
            description=f"{series.words_of_all()}; {words}.",
            bars=[
                Bar(whole=whole, succeeded=part, words=f"{day}: {series.in_words(whole, part)}")
                for day, whole, part in each
            ],
        ),
    )


def _table(title: str, series: Sequence[_Series]) -> Table:
    columns: list[str] = []
    cells: list[list[str]] = []
    sums: list[str] = []
    for each in series:
        for heading, amounts in _columns(each):
            columns.append(heading)
            cells.append([each.written(amount) for amount in amounts])
            sums.append(each.written(sum(amounts, Decimal(0))))
    days = series[0].days if series else ()
    rows = [(day.isoformat(), row) for day, row in zip(days, zip(*cells, strict=True), strict=True)]
    return Table(title=title, columns=columns, rows=rows[::-1], sums=sums)


def _columns(series: _Series) -> Iterable[tuple[str, Sequence[Decimal]]]:
    yield series.title, series.wholes
    if series.success:
        yield _("of these %(succeeded)s") % {"succeeded": series.success}, series.succeeded


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
