"""A progress bar for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models import QuerySet
from tqdm import tqdm

# Rows that are read at a time.
PORTION = 500


def bar(things: Iterable[Any], what: str) -> Iterable[Any]:
    """Show on a terminal how far it is; elsewhere nothing. Rows come in portions, not all at once."""
    if isinstance(things, QuerySet):
        keys = list(things.values_list("pk", flat=True))
        return tqdm(_in_portions(things, keys), desc=what, total=len(keys), disable=None, leave=False)
    return tqdm(things, desc=what, disable=None, leave=False)


def _in_portions(rows: QuerySet[Any], keys: Sequence[Any]) -> Iterator[Any]:
    """Read rows by their keys, each portion whole.

    A cursor that is held open ends with the connection, which a receiver may close, and in SQLite it locks out others.
    """
    for start in range(0, len(keys), PORTION):
        yield from list(rows.filter(pk__in=keys[start : start + PORTION]))
