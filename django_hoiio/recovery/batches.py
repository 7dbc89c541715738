"""Limit the work of one request of the admin."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from django.db.models import Model, QuerySet

Thing = TypeVar("Thing")
Row = TypeVar("Row", bound=Model)

# Items per batch, even if time is left.
MAX_ITEMS = 200


class TimeBudget:
    """The budget of one web request: `MAX_ITEMS` items, and no further item after `seconds`.

    It always allows one item. Web servers interrupt a request that takes too long.
    """

    def __init__(self, seconds: float) -> None:
        self.is_cut = False
        self._give_up = time.monotonic() + seconds
        self._left = MAX_ITEMS

    def take(self, things: Iterable[Thing]) -> Iterator[Thing]:
        """Yield items within the budget, then set `is_cut` if some are left."""
        for thing in things:
            is_late = self._left < MAX_ITEMS and time.monotonic() >= self._give_up
            if is_late or not self._left:
                self.is_cut = True
                return
            self._left -= 1
            yield thing

    def rows(self, rows: QuerySet[Row]) -> Iterator[Row]:
        """Yield rows by primary key. Read each at the last moment, because another process may have handled it."""
        for key in self.take(rows.order_by("pk").values_list("pk", flat=True)[: MAX_ITEMS + 1]):
            yield from rows.filter(pk=key)
