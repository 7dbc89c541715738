"""The cells of an export: as a program reads them back, and as no spreadsheet takes them for a formula."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID

# What makes a spreadsheet calculate, also in full width; and the apostrophe itself, so that it can be undone.
_CALCULATES = frozenset("'=+-@＝＋－＠")

# Where a text begins, as far as some spreadsheet thinks: one that splits at semicolons or tabs does not see the quotes.
_SPLITS = frozenset(";\t\r\n")
_BEGINS = _CALCULATES | frozenset("\t\r\n")
# Both match at every gap, so that a text of gaps alone takes no longer than another one.
_GAP = re.compile(r'[;\s"]+')
_MARKED_GAP = re.compile(r"""[;\s"]+'?""")


def guarded(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula: `'+6591231111`.

    That is before a text that begins with `=`, `+`, `-`, `@`, an apostrophe, a tab or the end of a line, and within it
    before such a sign that follows a semicolon, a tab or the end of a line, or the blanks at the beginning.
    """
    mark = "'" if text[:1] in _BEGINS else ""
    return mark + _GAP.sub(_guard, text)


def unguarded(text: str) -> str:
    """Take off the apostrophes of `guarded`, and no other."""
    return _MARKED_GAP.sub(_undo, text.removeprefix("'"))


def _guard(gap: re.Match[str]) -> str:
    follows = gap.string[gap.end() : gap.end() + 1]
    return gap[0] + "'" if follows in _CALCULATES and _splits(gap) else gap[0]


def _undo(gap: re.Match[str]) -> str:
    return gap[0].removesuffix("'") if _splits(gap) else gap[0]


def _splits(gap: re.Match[str]) -> bool:
    return gap.start() == 0 or not _SPLITS.isdisjoint(gap[0])


def cell_of(value: Any, zone: tzinfo) -> str:
    """Write a value: texts guarded, dates as ISO with the offset of the zone, money in plain decimals, `true`, `false`.

    Numbers are left to be numbers, also negative ones.
    """
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat()
    return _WRITERS.get(type(value), _as_json)(value)


def _as_json(value: Any) -> str:
    return guarded(json.dumps(value, ensure_ascii=False)) if value else ""


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: guarded,
    type(None): lambda value: "",
    bool: lambda value: str(value).lower(),
    int: str,
    date: date.isoformat,
    Decimal: lambda value: f"{value:f}",
    UUID: str,
}
