"""Hoiio's formats of dates and amounts, the parts of an SMS, and the sandbox's prices."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil

from django_hoiio.parsing.parameters import HOIIO_TIME

CURRENCY = "SGD"

# Per minute, per part, per page; an incoming SMS or fax has a fixed price.
CALL_RATE = Decimal("0.018")
SMS_RATE = Decimal("0.032")
FAX_RATE = Decimal("0.032")
INCOMING_PRICE = Decimal("0.013")

# Most characters of a single SMS and of each part of a long one, and most parts.
ASCII, ASCII_PART = 160, 153
UNICODE, UNICODE_PART = 70, 67
MAX_PARTS = 3
# The same for an incoming SMS.
INCOMING, INCOMING_PART = 160, 152

# Characters that count double in an outgoing SMS of ASCII and €.
_DOUBLE = set("\n[]\\^{}|€")


def date(moment: datetime) -> str:
    """Format a moment as the REST API does, in GMT+8."""
    return moment.astimezone(HOIIO_TIME).strftime("%Y-%m-%d %H:%M:%S")


def notified_date(moment: datetime) -> str:
    """Format a moment as notifications do: with a fraction that Hoiio's manual does not mention."""
    return f"{date(moment)}.0"


def amount(value: Decimal) -> str:
    return f"{value:.3f}"


def minutes(talked: timedelta) -> int:
    """Return the minutes to charge, rounded up and at least 1."""
    return max(1, ceil(talked.total_seconds() / 60))


def is_unicode(text: str) -> bool:
    return not text.replace("€", "").isascii()


def parts_of(text: str) -> int:
    """Count the parts of an outgoing SMS. If Hoiio's manual is unclear, count the fewest, as the client does."""
    if not is_unicode(text):
        length, alone, part = len(text) + sum(character in _DOUBLE for character in text), ASCII, ASCII_PART
    else:
        length, alone, part = len(text), UNICODE, UNICODE_PART
    return 1 if length <= alone else ceil(length / part)


def incoming_parts(text: str) -> list[str]:
    """Split an incoming SMS into its parts. An empty SMS is one part."""
    if len(text) <= INCOMING:
        return [text]
    return [text[start : start + INCOMING_PART] for start in range(0, len(text), INCOMING_PART)]
