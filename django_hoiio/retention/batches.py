"""Work through a large table in short transactions that hold no lock for long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from django.db import connections, transaction
from django.db.models import Q, QuerySet

from django_hoiio.database import retry_transient

Result = TypeVar("Result")
Thing = TypeVar("Thing")

# Target for a transaction, in seconds. One may take longer than the one before, so this is far below the second that
# docs/guides/privacy.rst names.
TARGET_SECONDS = 0.1

INITIAL_SIZE, MAX_SIZE = 50, 1000


class BatchSize:
    """Number of rows in the next transaction: more after a fast transaction, fewer after a slow one."""

    def __init__(self) -> None:
        self.size = INITIAL_SIZE
        # Seconds of the slowest transaction.
        self.slowest = 0.0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Time the block, then sleep as long, so that a process that waits for the lock of SQLite gets it."""
        begun = time.monotonic()
        yield
        took = time.monotonic() - begun
        self.slowest = max(self.slowest, took)
        self.size = max(1, min(MAX_SIZE, self.size * 2, int(self.size * TARGET_SECONDS / max(took, 1e-6))))
        time.sleep(took)


def in_transaction(carry_out: Callable[[], Result], pace: BatchSize, using: str) -> Result:
    """Run `carry_out` in one transaction, and retry it after a deadlock or a lock timeout. Raises `django.db.Error`."""

    def carry_out_whole() -> Result:
        with transaction.atomic(using=using, durable=True):
            return carry_out()

    with pace.transaction():
        return retry_transient(carry_out_whole, connections[using])


def in_batches(things: Iterator[Thing], pace: BatchSize) -> Iterator[list[Thing]]:
    """Yield the items in batches of the current size."""
    while batch := list(islice(things, pace.size)):
        yield batch


# Rows per query.
KEYS_PER_PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Scan:
    """The rows of a queryset in order of an indexed column, as named tuples. Includes rows added at its end."""

    rows: QuerySet[Any]
    columns: tuple[str, ...]
    by: str = "pk"

    def __len__(self) -> int:
        """Return the number of rows, for a progress bar."""
        return self.rows.count()

    def __iter__(self) -> Iterator[Any]:
        for page in self.pages():
            yield from page

    def pages(self) -> Iterator[list[Any]]:
        ordered = self.rows.order_by(self.by, "pk").values_list(*{"pk": 0, self.by: 0}, *self.columns, named=True)
        page = list(ordered[:KEYS_PER_PAGE])
        while page:
            yield page
            page = list(ordered.filter(self._after(page[-1]))[:KEYS_PER_PAGE])

    def _after(self, last: Any) -> Q:
        if self.by == "pk":
            return Q(pk__gt=last.pk)
        # The first condition is for the index.
        moment = getattr(last, self.by)
        return Q(**{f"{self.by}__gte": moment}) & (Q(**{f"{self.by}__gt": moment}) | Q(pk__gt=last.pk))
