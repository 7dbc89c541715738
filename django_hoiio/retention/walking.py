"""Going through a table from its beginning, in pages that are read quickly and hold nothing open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

# Rows that are read at a time.
PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Walk:
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
