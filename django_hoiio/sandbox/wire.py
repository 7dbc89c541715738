"""How Hoiio writes dates, amounts and parts of an SMS, and what things cost in the sandbox."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil

from django_hoiio.parsing.parameters import HOIIO_TIME

CURRENCY = "SGD"

# Per minute, per part, per page; an incoming SMS or fax costs a flat amount.
CALL_RATE = Decimal("0.018")
SMS_RATE = Decimal("0.032")
FAX_RATE = Decimal("0.032")
INCOMING_PRICE = Decimal("0.013")

# Characters that one text holds alone, and as a part of a longer one; and the longest, in parts.
ASCII, ASCII_PART = 160, 153
UNICODE, UNICODE_PART = 70, 67
MOST_PARTS = 3
# An incoming text that comes whole, and a part of a longer one.
INCOMING, INCOMING_PART = 160, 152

# Those that count double in an outgoing text of ASCII.
_DOUBLE = set("\n[]\\^{}|€")


def date(moment: datetime) -> str:
    """Write a moment as the REST API does, in GMT+8."""
    return moment.astimezone(HOIIO_TIME).strftime("%Y-%m-%d %H:%M:%S")


def notified_date(moment: datetime) -> str:
    """Write a moment as notifications do: with a fraction that Hoiio's manual does not mention."""
    return f"{date(moment)}.0"


def amount(value: Decimal) -> str:
    return f"{value:.3f}"


def minutes(talked: timedelta) -> int:
    """Each minute that was begun counts, and an answered call lasts one at least."""
    return max(1, ceil(talked.total_seconds() / 60))


def parts_of(text: str) -> int:
    """In how many parts an outgoing text is sent; where Hoiio's manual is silent, in the fewest, as in the client."""
    if text.replace("€", "").isascii():
        length, alone, part = len(text) + sum(character in _DOUBLE for character in text), ASCII, ASCII_PART
    else:
        length, alone, part = len(text), UNICODE, UNICODE_PART
    return 1 if length <= alone else ceil(length / part)


def incoming_parts(text: str) -> list[str]:
    """The texts in which a long incoming SMS arrives; the first may be empty."""
    if len(text) <= INCOMING:
        return [text]
    return [text[start : start + INCOMING_PART] for start in range(0, len(text), INCOMING_PART)]
