"""What a list is asked for, told apart by what the database has to do for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db.models import Q


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the parameters of a list ask for."""

    # Each finds its rows through an index.
    terms: Sequence[Q] = ()
    # The field that orders the rows by when they came, and the span of it that is asked for.
    moment: str
    begin: datetime | None = None
    end: datetime | None = None
    is_final: bool | None = None
    # What changed since.
    since: datetime | None = None
    # What can only be told by looking at each row.
    rest: Q = field(default_factory=Q)

    @property
    def span(self) -> Q:
        """The rows that came in the span."""
        bounds = {f"{self.moment}__gte": self.begin, f"{self.moment}__lt": self.end}
        return Q(**{name: bound for name, bound in bounds.items() if bound is not None})

    @property
    def has_span(self) -> bool:
        return self.begin is not None or self.end is not None

    @property
    def all(self) -> Q:
        """All that is asked for, but for what changed since."""
        final = Q() if self.is_final is None else finality(is_final=self.is_final)
        return self.span & final & self.rest & Q(*self.terms)


def finality(*, is_final: bool) -> Q:
    """The rows that are final, or not, said so that each database looks it up: `NOT is_final` is looked up by none."""
    return Q(is_final__in=[is_final])


# How many days a page of totals has.
DAYS = 31


@dataclass(frozen=True, kw_only=True)
class AskedDays:
    """What the parameters of the totals ask for."""

    first: date
    last: date
    # Empty for all.
    account: str = ""
    kind: str = ""

    def is_about(self, account: str, kind: str) -> bool:
        return self.account in ("", account) and self.kind in ("", kind)


def days_before(day: date, days: int) -> date:
    """The day so many days before, or the first that there is."""
    return day - min(timedelta(days=days), day - date.min)


def days_after(day: date, days: int) -> date:
    """The day so many days after, or the last that there is."""
    return day + min(timedelta(days=days), date.max - day)
