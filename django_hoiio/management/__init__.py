"""Helpers of the management commands: the `--since` argument and the progress bar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.db.models import QuerySet
from django.utils import timezone
from tqdm import tqdm

# Rows per query.
PORTION = 500


def progress_bar(things: Iterable[Any], what: str) -> Iterable[Any]:
    """Show a progress bar, on a terminal only. A queryset is read in portions, not all at once."""
    if isinstance(things, QuerySet):
        keys = list(things.values_list("pk", flat=True))
        return tqdm(_in_portions(things, keys), desc=what, total=len(keys), disable=None, leave=False)
    return tqdm(things, desc=what, disable=None, leave=False)


def _in_portions(rows: QuerySet[Any], keys: Sequence[Any]) -> Iterator[Any]:
    """Yield rows by primary key, with one query per portion.

    An open cursor would end if a receiver closes the connection, and in SQLite it would lock out other processes.
    """
    for start in range(0, len(keys), PORTION):
        yield from list(rows.filter(pk__in=keys[start : start + PORTION]))


def since(text: str) -> datetime:
    """Parse the value of `--since`, by default in the project's time zone. Raises `CommandError`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--since is {text!r}; write it as 2026-01-31 or 2026-01-31T12:00.") from error
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
