"""Keyset pagination by primary key, newest first: a page costs the same however long the table is."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

# Keys that one page scans if no index answers the filter, and the factor for each further scan ("Search older").
SCAN_LIMIT = 5_000
SCAN_GROWTH = 4

# If an index finds at most this many keys, page over those keys.
MAX_KEYS = 500


@dataclass(frozen=True, kw_only=True)
class Page:
    """Rows in descending order of key, and the keys of the adjacent pages."""

    rows: list[Any]
    # The next page is older than this key; `None` if there are no older rows.
    older: int | None = None
    # The previous page is newer than this key; `None` if there are no newer rows.
    newer: int | None = None
    # The last key scanned, if the page ends at the scan limit before it is full.
    scanned_to: int | None = None


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Keys that index queries found."""

    keys: Set[int]
    # False if there are more than `MAX_KEYS`; `keys` then holds only some of them.
    are_all: bool

    def __or__(self, other: Keys) -> Keys:
        keys = self.keys | other.keys
        return Keys(keys=keys, are_all=self.are_all and other.are_all and len(keys) <= MAX_KEYS)


def page_of(
    rows: QuerySet[Any],
    *,
    size: int,
    older_than: int | None = None,
    newer_than: int | None = None,
    scan_limit: int = 0,
    known: Set[int] = frozenset(),
) -> Page:
    """Return the newest `size` rows, or those next to a key. With `scan_limit`, scan at most that many keys.

    The rows with `known` keys, which an index found, are returned even if they are older than what is scanned.
    Costs one query, and one for each end of the table that is needed. A key outside the table counts as the
    nearest end.
    """
    if newer_than is not None:
        return _upwards(rows, size, newer_than, scan_limit)
    return _downwards(rows, size, older_than, scan_limit, known)


def _downwards(rows: QuerySet[Any], size: int, older_than: int | None, scan_limit: int, known: Set[int]) -> Page:
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
        # The whole range is above the newest row: the key never existed, or its row was deleted.
        if not found and older_than is not None and floor > _newest(rows):
            return _downwards(rows, size, None, scan_limit, known)
        found += rows.filter(pk__in=[key for key in known if key < floor]).order_by("-pk")[: size + 1 - len(found)]
        older = found[size - 1].pk if len(found) > size else floor
        return Page(rows=found[:size], older=older, newer=newer, scanned_to=floor)
    return Page(rows=found, newer=newer)


def _upwards(rows: QuerySet[Any], size: int, newer_than: int, scan_limit: int) -> Page:
    oldest = _oldest(rows)
    # Keys below the oldest row are deleted and do not count as scanned.
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


def keys_of(queries: Iterable[QuerySet[Any]], column: str = "pk") -> Keys:
    """Return the keys that the queries find in a column. Each query must be in the order of its index."""
    keys: set[int] = set()
    for query in queries:
        found = query.values_list(column, flat=True)[: MAX_KEYS + 1]
        keys.update(found)
        if len(found) > MAX_KEYS:
            return Keys(keys=keys, are_all=False)
    return Keys(keys=keys, are_all=len(keys) <= MAX_KEYS)


def _oldest(rows: QuerySet[Any]) -> int:
    """Return the lowest key of the whole table; 0 if it is empty."""
    return _first_key(rows, "pk")


def _newest(rows: QuerySet[Any]) -> int:
    """Return the highest key of the whole table; 0 if it is empty."""
    return _first_key(rows, "-pk")


def _first_key(rows: QuerySet[Any], order: str) -> int:
    keys = rows.model._default_manager.using(rows.db).order_by(order).values_list("pk", flat=True)
    return keys.first() or 0
