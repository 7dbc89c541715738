"""Bound the work that a request of the admin may start."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from django.db.models import Model, QuerySet

Thing = TypeVar("Thing")
Row = TypeVar("Row", bound=Model)

# So many things in one turn, whatever the time.
MAX_ITEMS = 200


class TimeBudget:
    """What one web request may do: `AT_ONCE` things, and after so many seconds none but the first.

    Servers end a request that takes long, in the middle of whatever it does.
    """

    def __init__(self, seconds: float) -> None:
        self.is_cut = False
        self._give_up = time.monotonic() + seconds
        self._left = MAX_ITEMS

    def take(self, things: Iterable[Thing]) -> Iterator[Thing]:
        """Yield what there is time for; `is_cut` says afterwards whether something was left."""
        for thing in things:
            is_late = self._left < MAX_ITEMS and time.monotonic() >= self._give_up
            if is_late or not self._left:
                self.is_cut = True
                return
            self._left -= 1
            yield thing

    def rows(self, rows: QuerySet[Row]) -> Iterator[Row]:
        """Yield rows, the oldest first, each read just before: another process may have had it by then."""
        for key in self.take(rows.order_by("pk").values_list("pk", flat=True)[: MAX_ITEMS + 1]):
            yield from rows.filter(pk=key)
