"""Where a list goes on: what the links `next` and `previous` say, as text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import NamedTuple

# A way to go on; a moment in microseconds where rows are in order of moments; a primary key.
PATTERN = r"^(older|newer|told|sent)(\.[0-9]{1,16})?\.[0-9]{1,18}$"

# No cursor has a higher key.
LAST_KEY = 10**18 - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Way(str, Enum):
    """From where a list goes on, and in which direction."""

    # What is older, and what is newer, than a row.
    OLDER = "older"
    NEWER = "newer"
    # What changed: told of by notifications older than one, and then what was sent before a row.
    TOLD = "told"
    SENT = "sent"


class Place(NamedTuple):
    """Where a row stands among rows in order of moment and key."""

    moment: datetime
    key: int


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """A place in a list. Where rows are in order of keys alone, there is no moment."""

    way: Way
    key: int
    moment: datetime | None = None

    def __str__(self) -> str:
        if self.moment is None:
            return f"{self.way.value}.{self.key}"
        return f"{self.way.value}.{(self.moment - _EPOCH) // timedelta(microseconds=1)}.{self.key}"

    @property
    def place(self) -> Place | None:
        return None if self.moment is None else Place(self.moment, self.key)


def read(text: str) -> Cursor | None:
    """The cursor that a text is; `None` where it is none."""
    if not re.fullmatch(PATTERN, text):
        return None
    way, *moment, key = text.split(".")
    return Cursor(
        way=Way(way), key=int(key), moment=_EPOCH + timedelta(microseconds=int(moment[0])) if moment else None
    )
