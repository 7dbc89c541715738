"""How the rows of a page are found, by way of an index, so that a page costs the same however long the table is.

Where a list is asked for what no index answers, a page looks through a bounded reach of rows, and may come back short.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from django.db.models import Q, QuerySet

from ..paging import REACH, page_of
from .asking import Asked, finality
from .cursors import LAST_KEY, Cursor, Place, Way

Rows: TypeAlias = QuerySet[Any]


@dataclass(frozen=True, kw_only=True)
class Page:
    """Rows, the newest first, and where the list goes on."""

    rows: Sequence[Any]
    next: Cursor | None = None
    previous: Cursor | None = None


class Astray(Exception):
    """The cursor is of a list that was asked for something else."""


def by_key(rows: Rows, asked: Asked, cursor: Cursor | None, size: int, *, above: int = 0) -> Page:
    """The rows in order of their keys, but for those up to the key `above`."""
    _require(cursor, has_moment=False)
    ends = {} if cursor is None else {_ENDS[cursor.way]: cursor.key}
    page = page_of(rows.filter(asked.rest, pk__gt=above), size=size, reach=REACH if asked.rest else 0, **ends)
    older = None if page.older is None or page.older <= above + 1 else Cursor(way=Way.OLDER, key=page.older)
    newer = None if page.newer is None else Cursor(way=Way.NEWER, key=max(page.newer, 0))
    return Page(rows=page.rows, next=older, previous=newer)


_ENDS = {Way.OLDER: "older_than", Way.NEWER: "newer_than"}


def by_term(rows: Rows, asked: Asked, cursor: Cursor | None, size: int) -> Page:
    """The rows that an index finds. What it finds too often is looked for row by row: some of it will be near."""
    for term in asked.terms:
        keys = list(rows.filter(term).order_by().values_list("pk", flat=True)[: REACH + 1])
        if len(keys) <= REACH:
            return _among(rows.filter(asked.all), keys, cursor, size)
    return by_key(rows, Asked(moment=asked.moment, rest=asked.all), cursor, size)


def by_moment(rows: Rows, asked: Asked, cursor: Cursor | None, size: int) -> Page:
    """The rows in order of when they came, those that are final merged with those that are not."""
    _require(cursor, has_moment=True)
    order = _Order(asked.moment, Way.OLDER if cursor is None else cursor.way)
    streams = [order.beyond(stream.filter(asked.span), cursor) for stream in _streams(rows, asked)]
    end = None
    if asked.rest:
        end = order.nearest(order.place_at(stream, REACH - 1) for stream in streams)
        streams = [order.up_to(stream, end).filter(asked.rest) for stream in streams]
    found = order.merged(row for stream in streams for row in order.sorted(stream)[: size + 1])
    if len(found) > size:
        end = order.place(found[size - 1])
    return _page(found[:size], cursor, end and Cursor(way=order.way, moment=end.moment, key=end.key))


def _streams(rows: Rows, asked: Asked) -> list[Rows]:
    """The rows by what stands before the moment in its index."""
    if "is_final" not in {field.name for field in rows.model._meta.get_fields()}:
        return [rows]
    wanted = (True, False) if asked.is_final is None else (asked.is_final,)
    return [rows.filter(finality(is_final=each)) for each in wanted]


@dataclass(frozen=True)
class _Order:
    """Rows by their moment and then their key, away from the newest or towards it."""

    moment: str
    way: Way

    @property
    def is_older(self) -> bool:
        return self.way == Way.OLDER

    def place(self, row: Any) -> Place:
        return Place(getattr(row, self.moment), row.pk)

    def sorted(self, rows: Rows) -> Rows:
        sign = "-" if self.is_older else ""
        return rows.order_by(f"{sign}{self.moment}", f"{sign}pk")

    def merged(self, rows: Iterable[Any]) -> list[Any]:
        return sorted(rows, key=self.place, reverse=self.is_older)

    def beyond(self, rows: Rows, cursor: Cursor | None) -> Rows:
        """What comes after the cursor."""
        if cursor is None or cursor.place is None:
            return rows
        how, same = ("lte", "gte") if self.is_older else ("gte", "lte")
        return self._cut(rows, cursor.place, how, same)

    def up_to(self, rows: Rows, limit: Place | None) -> Rows:
        """What comes before the limit, and it."""
        if limit is None:
            return rows
        how, same = ("gte", "lt") if self.is_older else ("lte", "gt")
        return self._cut(rows, limit, how, same)

    def _cut(self, rows: Rows, place: Place, how: str, same: str) -> Rows:
        # The span is for the index; what is as old as the place is told apart by its key.
        within = Q(**{f"{self.moment}__{how}": place.moment})
        return rows.filter(within, ~Q(**{self.moment: place.moment, f"pk__{same}": place.key}))

    def place_at(self, rows: Rows, number: int) -> Place | None:
        """Where the row of that number stands; `None` where there are not so many."""
        found = self.sorted(rows).values_list(self.moment, "pk")[number : number + 1]
        return next((Place(*each) for each in found), None)

    def nearest(self, places: Iterable[Place | None]) -> Place | None:
        """The one of them that is met first."""
        met = [place for place in places if place is not None]
        return (max if self.is_older else min)(met, default=None)


def _among(rows: Rows, keys: list[int], cursor: Cursor | None, size: int) -> Page:
    """The rows of a few keys, in order of them."""
    _require(cursor, has_moment=False)
    way = Way.OLDER if cursor is None else cursor.way
    if cursor is not None:
        keys = [key for key in keys if (key < cursor.key if way == Way.OLDER else key > cursor.key)]
    found = list(rows.filter(pk__in=keys).order_by("-pk" if way == Way.OLDER else "pk")[: size + 1])
    return _page(found[:size], cursor, Cursor(way=way, key=found[size - 1].pk) if len(found) > size else None)


def _page(found: list[Any], cursor: Cursor | None, ahead: Cursor | None) -> Page:
    """The page of what was found in the direction of the cursor, in which it goes on `ahead`."""
    if cursor is None:
        return Page(rows=found, next=ahead)
    # Behind the page, the first row is that which the cursor is of.
    if cursor.way == Way.OLDER:
        return Page(rows=found, next=ahead, previous=replace(cursor, way=Way.NEWER, key=max(cursor.key - 1, 0)))
    behind = replace(cursor, way=Way.OLDER, key=min(cursor.key + 1, LAST_KEY))
    return Page(rows=found[::-1], next=behind, previous=ahead)


def _require(cursor: Cursor | None, *, has_moment: bool) -> None:
    if cursor is None:
        return
    if cursor.way not in (Way.OLDER, Way.NEWER) or (cursor.moment is not None) != has_moment:
        raise Astray
