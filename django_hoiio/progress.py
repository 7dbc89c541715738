"""Progress display of long operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

#: Takes items and a label, and yields the items one by one.
Progress = Callable[[Iterable[Any], str], Iterable[Any]]


def no_progress(things: Iterable[Any], what: str) -> Iterable[Any]:
    return things
