"""Work through a large table in short transactions that hold no lock for long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import connections, transaction
from django.db.models import Q, QuerySet

from django_hoiio.recording.retries import retry_transient

Result = TypeVar("Result")

# Seconds that a transaction aims to take. One may take longer than the one before it, and it is some way from here to
# the second that docs/privacy.rst names.
AIM = 0.1

FIRST, MOST = 50, 1000


class BatchSize:
    """How many rows go into the next transaction: more where the one before was quick, fewer where it was slow."""

    def __init__(self) -> None:
        self.size = FIRST
        # Seconds that the slowest has taken.
        self.slowest = 0.0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Time what is done within, and rest as long after it: who waits for the lock of SQLite gets it then."""
        begun = time.monotonic()
        yield
        took = time.monotonic() - begun
        self.slowest = max(self.slowest, took)
        self.size = max(1, min(MOST, self.size * 2, int(self.size * AIM / max(took, 1e-6))))
        time.sleep(took)


def in_transaction(carry_out: Callable[[], Result], pace: BatchSize, using: str) -> Result:
    """Do it in one transaction, and again where a deadlock or a lock comes in between. Raises `django.db.Error`."""

    def carry_out_whole() -> Result:
        with transaction.atomic(using=using, durable=True):
            return carry_out()

    with pace.transaction():
        return retry_transient(carry_out_whole, connections[using])


# Rows that are read at a time.
PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Scan:
    """The rows of a queryset in order of an indexed column, as named tuples; what is added at its end comes too."""

    rows: QuerySet[Any]
    columns: tuple[str, ...]
    by: str = "pk"

    def __len__(self) -> int:
        """How many there are before it begins; a progress bar asks."""
        return self.rows.count()

    def __iter__(self) -> Iterator[Any]:
        for page in self.pages():
            yield from page

    def pages(self) -> Iterator[list[Any]]:
        ordered = self.rows.order_by(self.by, "pk").values_list(*{"pk": 0, self.by: 0}, *self.columns, named=True)
        page = list(ordered[:PAGE])
        while page:
            yield page
            page = list(ordered.filter(self._after(page[-1]))[:PAGE])

    def _after(self, last: Any) -> Q:
        if self.by == "pk":
            return Q(pk__gt=last.pk)
        # The first part is for the index.
        moment = getattr(last, self.by)
        return Q(**{f"{self.by}__gte": moment}) & (Q(**{f"{self.by}__gt": moment}) | Q(pk__gt=last.pk))
