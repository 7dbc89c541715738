"""How figures are written: 1,234 and 0.032 and 97.2 %."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.utils.formats import date_format, number_format

# As many are counted, and no more.
MOST = 1_000

_TENTH = Decimal("0.1")


def grouped(number: int) -> str:
    return number_format(number, force_grouping=True)


def bounded(number: int) -> str:
    """A number that was counted no further than one above `MOST`: `1,000+`."""
    return f"{grouped(MOST)}+" if number > MOST else grouped(number)


def money(value: Decimal) -> str:
    """An amount with as many of its 6 decimals as it needs, and at least three."""
    digits = f"{value:.6f}"
    return number_format(digits[:-3] + digits[-3:].rstrip("0"), force_grouping=True)


def share(part: int, whole: int) -> str:
    """A part in percent, to a tenth. All is 100 % and none is 0 %, and nothing else is rounded to either."""
    if part in (0, whole):
        return f"{100 if part else 0} %"
    percent = (Decimal(100) * part / whole).quantize(_TENTH)
    return f"{number_format(min(max(percent, _TENTH), 100 - _TENTH))} %"


def on(day: date, today: date) -> str:
    """A day, with its year where that is not the year of today."""
    return date_format(day, "MONTH_DAY_FORMAT" if day.year == today.year else "DATE_FORMAT")
