"""A progress bar for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from tqdm import tqdm


def bar(things: Iterable[Any], what: str) -> Iterable[Any]:
    """Show on a terminal how far it is; elsewhere nothing. Rows come in portions, not all at once."""
    if isinstance(things, QuerySet):
        return tqdm(things.iterator(chunk_size=500), desc=what, total=things.count(), disable=None, leave=False)
    return tqdm(things, desc=what, disable=None, leave=False)
