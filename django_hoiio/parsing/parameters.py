"""Hoiio's own parameters: the model field of each, and how to read its text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from django_hoiio.enums import KNOWN_STATUSES, Direction

# Hoiio's dates have no time zone; its manual says GMT+8.
HOIIO_TIME = timezone(timedelta(hours=8), "GMT+8")

ACCOUNT_LENGTH = 64
TAG_LENGTH = 256
NUMBER_LENGTH = 64
WORD_LENGTH = 64
REFERENCE_LENGTH = 64

# Cache size of a reader, and the longest text that it caches.
_CACHE_SIZE = 256
_MAX_CACHED_LENGTH = 32

Read = TypeVar("Read")

# A reader raises ValueError with the problem, and never quotes the value.


def _remembering(read: Callable[[str], Read]) -> Callable[[str], Read]:
    """Cache the results of a reader: the SMS of a burst share prices and dates."""
    read_once = lru_cache(maxsize=_CACHE_SIZE)(read)
    return lambda text: read_once(text) if len(text) <= _MAX_CACHED_LENGTH else read(text)


def _short(limit: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if len(text) > limit:
            raise ValueError(f"is longer than {limit} characters")
        return text

    return read


_short_number = _short(NUMBER_LENGTH)
_LOST_PLUS = re.compile(r"^(?:%2[Bb]| (?=\d))")


def _number(text: str) -> str:
    """Restore the plus of a phone number if it was encoded twice, or not at all and so became a space."""
    return _short_number(_LOST_PLUS.sub("+", text))


# Search also matches the last digits of a number, because people leave out the country code.
SUFFIX_LENGTH = 8
_NO_DIGIT = re.compile(r"\D", re.ASCII)


def suffix_of(number: str) -> str:
    """Return the last 8 digits of a phone number; empty if it has fewer, as a sender name has."""
    digits = _NO_DIGIT.sub("", number)
    return digits[-SUFFIX_LENGTH:] if len(digits) >= SUFFIX_LENGTH else ""


def remote_party(direction: str | None, from_number: str | None, *dests: str | None) -> tuple[str, str]:
    """Return the number of the remote party and its last digits: the caller, or else the first of `dests`."""
    number = from_number if direction == Direction.INCOMING else next(filter(None, dests), None)
    return number or "", suffix_of(number or "")


_WHOLE = re.compile(r"\s*([0-9]{1,9})(?:\.0*)?\s*")


def _whole(text: str) -> int:
    found = _WHOLE.fullmatch(text)
    if not found:
        raise ValueError("is not a whole number")
    return int(found[1])


_AMOUNT = re.compile(r"\s*(-?[0-9]{1,9}(?:\.[0-9]{1,6})?)\s*")


@_remembering
def _amount(text: str) -> Decimal:
    found = _AMOUNT.fullmatch(text)
    if not found:
        raise ValueError("is not an amount")
    return Decimal(found[1])


_DATE = re.compile(r"\s*(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d*))?\s*", re.ASCII)


@_remembering
def _date(text: str) -> datetime:
    """Read `2012-06-06 11:15:20` and, as Hoiio really sends it, `2012-06-06 11:15:20.0`."""
    found = _DATE.fullmatch(text)
    if not found:
        raise ValueError("is not a date")
    try:
        date = datetime.fromisoformat(found[1])
    except ValueError as error:
        raise ValueError("is not a date") from error
    if not 1970 <= date.year <= 9998:
        raise ValueError("is a date before 1970 or after 9998")
    return date.replace(microsecond=int((found[2] or "")[:6].ljust(6, "0")), tzinfo=HOIIO_TIME)


class Parameter(NamedTuple):
    """One of Hoiio's parameters: the model field, if any, and the reader."""

    field: str | None
    read: Callable[[str], Any] = str


# Hoiio's own names. Every other name is the project's, and goes to `pass_on`.
PARAMETERS: dict[str, Parameter] = {
    "txn_ref": Parameter("txn_ref", _short(REFERENCE_LENGTH)),
    "bulk_txn_ref": Parameter("bulk_txn_ref", _short(REFERENCE_LENGTH)),
    "session": Parameter("session", _short(REFERENCE_LENGTH)),
    "tag": Parameter("tag", _short(TAG_LENGTH)),
    "status": Parameter("status", _short(WORD_LENGTH)),
    "sms_status": Parameter("sms_status", _short(WORD_LENGTH)),
    "fax_status": Parameter("fax_status", _short(WORD_LENGTH)),
    "call_state": Parameter("call_state", _short(WORD_LENGTH)),
    "call_status": Parameter("call_status", _short(WORD_LENGTH)),
    "call_status_dest1": Parameter("call_status_dest1", _short(WORD_LENGTH)),
    "call_status_dest2": Parameter("call_status_dest2", _short(WORD_LENGTH)),
    "dial_status": Parameter("dial_status", _short(WORD_LENGTH)),
    "transfer_status": Parameter("transfer_status", _short(WORD_LENGTH)),
    "from": Parameter("from_number", _number),
    "to": Parameter("to_number", _number),
    "dest": Parameter("dest", _number),
    "dest1": Parameter("dest1", _number),
    "dest2": Parameter("dest2", _number),
    "room": Parameter("room", _short(REFERENCE_LENGTH)),
    "msg": Parameter("msg"),
    "split_count": Parameter("split_count", _whole),
    "fax_pages": Parameter("fax_pages", _whole),
    "fax_url": Parameter("fax_url"),
    "fax_error_code": Parameter("fax_error_code", _short(WORD_LENGTH)),
    "date": Parameter("date", _date),
    "duration": Parameter("duration", _whole),
    "currency": Parameter("currency", _short(WORD_LENGTH)),
    "rate": Parameter("rate", _amount),
    "debit": Parameter("debit", _amount),
    # The result of a block is an event and not state: it stays with its notification.
    "ivr_block": Parameter(None),
    "digits": Parameter(None),
    "record_url": Parameter(None),
    "monitor_url": Parameter(None),
}


# The fields of a conference leg, whose only party may be reported like the first of two.
LEG_FIELDS = {"dest1": "dest", "call_status_dest1": "call_status"}
_NOT_OF_A_LEG = ("dest2", "call_status_dest2", "dest", "call_status")


def field_of(name: str, params: Mapping[str, str]) -> str | None:
    """Return the model field of one of Hoiio's parameters, beside the others of its notification."""
    if name in LEG_FIELDS and params.keys() >= LEG_FIELDS.keys() and not any(map(params.get, _NOT_OF_A_LEG)):
        return LEG_FIELDS[name]
    return PARAMETERS[name].field


def read(params: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Read each parameter that has a field. Empty means absent: Hoiio sends `tag=` if no tag was set."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, text in params.items():
        field, read_text = field_of(name, params), PARAMETERS[name].read
        if not text or field is None:
            continue
        try:
            values[field] = read_text(text)
        except ValueError as error:
            problems[name] = str(error)
        else:
            if name in KNOWN_STATUSES and text not in KNOWN_STATUSES[name]:
                problems[name] = "is not a value that Hoiio documents"
    return values, problems
