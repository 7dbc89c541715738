"""Charts and tables of daily volumes and costs. The charts are inline SVG without scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_hoiio.enums import Traffic
from django_hoiio.retention.totals import Total

from .formatting import day_text, money_text, number_text, percent_text

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

# The word for success. A received SMS cannot fail.
SUCCESS: dict[Traffic, _StrOrPromise] = {
    Traffic.CALLS_MADE: gettext_lazy("answered"),
    Traffic.CALLS_RECEIVED: gettext_lazy("answered"),
    Traffic.SMS_SENT: gettext_lazy("delivered"),
    Traffic.FAXES_SENT: gettext_lazy("answered"),
    Traffic.FAXES_RECEIVED: gettext_lazy("answered"),
}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A chart, with its total above and its highest day below."""

    title: str
    total: str
    note: str
    chart: Chart
    highest: str


@dataclass(frozen=True, kw_only=True)
class ChartTable:
    """The figures of the charts: a row for each day, and the sums."""

    title: str
    columns: Sequence[str]
    # Heading and cells, newest day first.
    rows: Sequence[tuple[str, Sequence[str]]]
    sums: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class _Series:
    """The values of a chart, one for each day."""

    title: str
    days: Sequence[date]
    # The days as text.
    names: Sequence[str]
    values: Sequence[Decimal]
    succeeded: Sequence[Decimal]
    # Format a value.
    written: Callable[[Decimal], str]
    # The word for success; empty if nothing can fail.
    success: str

    @property
    def total_value(self) -> Decimal:
        return sum(self.values, Decimal(0))

    def in_words(self, total_value: Decimal, succeeded: Decimal) -> str:
        """Format a value with its successes: `12, 11 delivered`."""
        text = self.written(total_value)
        return f"{text}, {self.written(succeeded)} {self.success}" if self.success and total_value else text

    def words_of_all(self) -> str:
        return self.in_words(self.total_value, sum(self.succeeded, Decimal(0)))


@dataclass(frozen=True, kw_only=True)
class DailyCharts:
    """Charts and tables of the totals of `days`."""

    days: Sequence[date]
    totals: Sequence[Total]

    def volumes(self) -> tuple[list[Panel], ChartTable]:
        """Return a chart for each kind of traffic that occurred, and their table."""
        series = [each for kind in Traffic if (each := self._volume(kind)).total_value]
        panels = [_panel(f"hoiio-volume-{place}", each, _succeeded(each)) for place, each in enumerate(series)]
        return panels, _table(_("Calls, SMS and faxes by day"), series)

    def spend(self) -> tuple[list[Panel], ChartTable]:
        """Return a chart for each currency that Hoiio charged in, and their table. Currencies are never added."""
        currencies = sorted({total.currency for total in self.totals if total.debit})
        series = [self._debit(currency) for currency in currencies]
        panels = [
            _panel(f"hoiio-spend-{place}", each, self._by_kind(currency))
            for place, (currency, each) in enumerate(zip(currencies, series, strict=True))
        ]
        return panels, _table(_("Spend by day"), series)

    def _volume(self, kind: Traffic) -> _Series:
        totals = [total for total in self.totals if total.traffic == kind]
        return _Series(
            title=_capitalized(str(kind.label)),
            days=self.days,
            names=self._names,
            values=self._each_day((total.day, Decimal(total.count)) for total in totals),
            succeeded=self._each_day((total.day, Decimal(total.succeeded)) for total in totals),
            written=lambda number: number_text(int(number)),
            success=str(SUCCESS.get(kind, "")),
        )

    def _debit(self, currency: str) -> _Series:
        spent = self._each_day((total.day, total.debit) for total in self.totals if total.currency == currency)
        return _Series(
            title=currency or _("no currency"),
            days=self.days,
            names=self._names,
            values=spent,
            succeeded=spent,
            written=money_text,
            success="",
        )

    @cached_property
    def _names(self) -> list[str]:
        return [day_text(day, self.days[-1]) for day in self.days]

    def _each_day(self, amounts: Iterable[tuple[date, Decimal]]) -> list[Decimal]:
        sums = dict.fromkeys(self.days, Decimal(0))
        for day, amount in amounts:
            sums[day] += amount
        return list(sums.values())

    def _by_kind(self, currency: str) -> str:
        """List the cost of each kind of traffic, highest first."""
        sums = {kind: Decimal(0) for kind in Traffic}
        for total in self.totals:
            if total.currency == currency:
                sums[total.traffic] += total.debit
        dearest = sorted((kind for kind in sums if sums[kind]), key=lambda kind: -sums[kind])
        return ", ".join(f"{kind.label} {money_text(sums[kind])}" for kind in dearest)


def _succeeded(series: _Series) -> str:
    """Format the successes: `11 delivered, 91.7 %`."""
    if not series.success:
        return ""
    succeeded = int(sum(series.succeeded))
    return f"{number_text(succeeded)} {series.success}, {percent_text(succeeded, int(series.total_value))}"


def _panel(name: str, series: _Series, note: str) -> Panel:
    each = list(zip(series.names, series.values, series.succeeded, strict=True))
    day, highest, _part = max(each, key=lambda one: one[1])
    peak = _("peak %(number)s on %(day)s") % {"day": day, "number": series.written(highest)}
    return Panel(
        title=series.title,
        total=series.written(series.total_value),
        note=note,
        highest=peak,
        chart=Chart(
            name=name,
            title=_("%(what)s by day") % {"what": series.title},
            description=f"{series.words_of_all()}; {peak}.",
            bars=[
                Bar(value=total_value, succeeded=part, text=f"{day}: {series.in_words(total_value, part)}")
                for day, total_value, part in each
            ],
        ),
    )


def _table(title: str, series: Sequence[_Series]) -> ChartTable:
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
    return ChartTable(title=title, columns=columns, rows=rows[::-1], sums=sums)


def _columns(series: _Series) -> Iterable[tuple[str, Sequence[Decimal]]]:
    yield series.title, series.values
    if series.success:
        yield _("of these %(succeeded)s") % {"succeeded": series.success}, series.succeeded


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


# Height of the SVG in user units. A day is one unit wide.
HEIGHT = 100
# Between two days. If there are more days, a gap would be narrower than a pixel.
GAP = Decimal("0.2")
NO_GAP_ABOVE = 100
# Keeps small values visible.
MIN_BAR_HEIGHT = Decimal(2)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A day of a chart: total, successes, and a text of both."""

    value: Decimal
    succeeded: Decimal
    text: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A bar for each day: the successes at the bottom, the rest on top."""

    # Prefix of element ids, unique on the page.
    name: str
    title: str
    description: str
    bars: Sequence[Bar]

    @property
    def svg(self) -> SafeString:
        highest = max(bar.value for bar in self.bars)
        heights = [_bar_heights(bar, highest) for bar in self.bars]
        return format_html(
            '<svg class="hoiio-picture" role="img" aria-labelledby="{name}-title" aria-describedby="{name}-desc"'
            ' viewBox="0 0 {width} {height}" preserveAspectRatio="none">'
            '<title id="{name}-title">{title}</title><desc id="{name}-desc">{description}</desc>'
            '<path class="hoiio-succeeded" d="{succeeded}"/><path class="hoiio-rest" d="{rest}"/>{days}</svg>',
            name=self.name,
            title=self.title,
            description=self.description,
            width=len(self.bars),
            height=HEIGHT,
            succeeded=self._path((Decimal(0), bottom) for bottom, _rest in heights),
            rest=self._path(heights),
            days=format_html_join(
                "",
                '<rect x="{}" width="1" height="{}"><title>{}</title></rect>',
                ((place, HEIGHT, bar.text) for place, bar in enumerate(self.bars)),
            ),
        )

    def _path(self, heights: Iterable[tuple[Decimal, Decimal]]) -> str:
        """Draw a column for each day, from (bottom, height) pairs."""
        width = 1 if len(self.bars) > NO_GAP_ABOVE else 1 - GAP
        return "".join(
            f"M{place} {HEIGHT - below:.1f}v{-height:.1f}h{width}v{height:.1f}z"
            for place, (below, height) in enumerate(heights)
            if height
        )


def _bar_heights(bar: Bar, highest: Decimal) -> tuple[Decimal, Decimal]:
    """Return the height of the successes and the height of the rest."""
    if bar.value <= 0:
        return Decimal(0), Decimal(0)
    height = max(MIN_BAR_HEIGHT, HEIGHT * bar.value / highest)
    failed_share = (bar.value - bar.succeeded) / bar.value
    rest = max(MIN_BAR_HEIGHT, height * failed_share) if failed_share else Decimal(0)
    return height - rest, rest
