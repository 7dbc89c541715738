"""Keyset pagination by primary key, newest first: a page costs the same however long the table is."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

# How many keys one page looks through where a filter asks for what no index answers, and how many times as many the
# next look does.
SCAN_LIMIT = 5_000
SCAN_GROWTH = 4

# So many rows at most are taken for a few: their keys are asked of an index first, and the page is made of these alone.
MAX_KEYS = 500


@dataclass(frozen=True, kw_only=True)
class Page:
    """Rows of descending key, and where to go on from them."""

    rows: list[Any]
    # The page of what is older than this key; `None` where there is nothing older.
    older: int | None = None
    # The page of what is newer than this key; `None` where there is nothing newer.
    newer: int | None = None
    # Where it ends because it has looked through as many keys as it may, not because it is full: the last of them.
    scanned_to: int | None = None


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The keys of what was found, so far as it is few."""

    keys: Set[int]
    # False where there are more than a few, and these are some of them.
    are_all: bool

    def __or__(self, other: Keys) -> Keys:
        keys = self.keys | other.keys
        return Keys(keys=keys, are_all=self.are_all and other.are_all and len(keys) <= MAX_KEYS)


def page_of(
    rows: QuerySet[Any], *, size: int, older_than: int | None = None, newer_than: int | None = None, scan_limit: int = 0
) -> Page:
    """The newest `size` rows, or those next to a key. With `reach`, looks through so many keys and no more.

    One query, and one for each end of the table that bounds it. A key beyond the ends stands for the nearest end.
    """
    if newer_than is not None:
        return _upwards(rows, size, newer_than, scan_limit)
    return _downwards(rows, size, older_than, scan_limit)


def _downwards(rows: QuerySet[Any], size: int, older_than: int | None, scan_limit: int) -> Page:
    within, floor = rows, 0
    if older_than is not None:
        within = within.filter(pk__lt=older_than)
    if scan_limit:
        floor = (_newest(rows) + 1 if older_than is None else older_than) - scan_limit
        within = within.filter(pk__gte=floor)
    found = list(within.order_by("-pk")[: size + 1])
    newer = None if older_than is None else older_than - 1
    if len(found) > size:
        return Page(rows=found[:size], older=found[size - 1].pk, newer=newer)
    if scan_limit and floor > _oldest(rows):
        # There was nothing to look through: a key that no row has had, or has no longer.
        if not found and older_than is not None and floor > _newest(rows):
            return _downwards(rows, size, None, scan_limit)
        return Page(rows=found, older=floor, newer=newer, scanned_to=floor)
    return Page(rows=found, newer=newer)


def _upwards(rows: QuerySet[Any], size: int, newer_than: int, scan_limit: int) -> Page:
    oldest = _oldest(rows)
    # What was there before the oldest is gone, and is not looked through.
    ceiling = max(newer_than, oldest - 1) + scan_limit
    within = rows.filter(pk__gt=newer_than, pk__lte=ceiling) if scan_limit else rows.filter(pk__gt=newer_than)
    found = list(within.order_by("pk")[: size + 1])
    older = newer_than + 1 if 0 < oldest <= newer_than else None
    if len(found) > size:
        return Page(rows=found[:size][::-1], older=older, newer=found[size - 1].pk)
    newest = _newest(rows)
    if scan_limit and ceiling < newest:
        return Page(rows=found[::-1], older=older, newer=ceiling, scanned_to=ceiling)
    return Page(rows=found[::-1], older=older and min(older, newest + 1))


def keys_of(ways: Iterable[QuerySet[Any]]) -> Keys:
    """The keys of what the ways find, each of which is in the order of the index that answers it."""
    keys: set[int] = set()
    for way in ways:
        found = way.values_list("pk", flat=True)[: MAX_KEYS + 1]
        keys.update(found)
        if len(found) > MAX_KEYS:
            return Keys(keys=keys, are_all=False)
    return Keys(keys=keys, are_all=len(keys) <= MAX_KEYS)


def _oldest(rows: QuerySet[Any]) -> int:
    """The lowest key of the whole table; 0 where it is empty."""
    return _first_key(rows, "pk")


def _newest(rows: QuerySet[Any]) -> int:
    """The highest key of the whole table; 0 where it is empty."""
    return _first_key(rows, "-pk")


def _first_key(rows: QuerySet[Any], order: str) -> int:
    keys = rows.model._default_manager.using(rows.db).order_by(order).values_list("pk", flat=True)
    return keys.first() or 0
