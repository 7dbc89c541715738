"""Moments and days as they stand in a URL."""

from __future__ import annotations

import re
from datetime import date, datetime, timezone

from django.utils.dateparse import parse_datetime

# What each database can keep.
FIRST = datetime.min.replace(tzinfo=timezone.utc)
LAST = datetime.max.replace(tzinfo=timezone.utc)

# A "+" that nobody encoded is a space by now.
_LOST_PLUS = re.compile(r" (\d\d:?\d\d)$", re.ASCII)


def read_moment(text: str) -> datetime | None:
    """The moment in UTC, or the nearest that can be kept; `None` where it is none, or has no offset."""
    try:
        moment = parse_datetime(_LOST_PLUS.sub(r"+\1", text).upper())
    except ValueError:
        return None
    if moment is None or moment.tzinfo is None:
        return None
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError:
        return FIRST if moment.year == 1 else LAST


def read_day(text: str) -> date | None:
    """The day; `None` where it is none."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
