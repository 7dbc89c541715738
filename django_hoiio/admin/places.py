"""Where in a list a page begins, as its address says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.http import QueryDict
from django.utils.timezone import make_aware

from django_hoiio.paging import FURTHER, REACH


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a page begins, and how far it may look. What an address says that means nothing is left out."""

    older_than: int | None = None
    newer_than: int | None = None
    # The page begins with the latest of this day.
    day: date | None = None
    # How often it was asked to look further.
    further: int = 0

    @classmethod
    def of(cls, address: QueryDict) -> Place:
        """Read the place from the parameters of an address."""
        read = {name: reader(address.get(name, "")) for name, reader in _READERS.items()}
        return cls(**{name: value for name, value in read.items() if value is not None})

    @property
    def reach(self) -> int:
        """How many keys the page may look through, where it has to look."""
        reach: int = REACH * FURTHER**self.further
        return reach

    @property
    def day_after(self) -> datetime | None:
        """When the day is over, in the time zone of the user."""
        return None if self.day is None else midnight(self.day + timedelta(days=1))


def midnight(day: date) -> datetime:
    """When a day begins, in the time zone of the user."""
    return make_aware(datetime.combine(day, time.min))


def _key(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else None


def _day(text: str) -> date | None:
    # The years that every database and every time zone can have.
    if not re.fullmatch(r"(19|20|21)\d\d-\d\d-\d\d", text, re.ASCII):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


_READERS: dict[str, Callable[[str], Any]] = {
    "older_than": _key,
    "newer_than": _key,
    "day": _day,
    # Further than any table reaches.
    "further": {str(times): times for times in range(13)}.get,
}
# The parameters that say where a page begins, and so filter nothing.
NAMES = tuple(_READERS)
