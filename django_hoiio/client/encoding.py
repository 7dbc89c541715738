"""Check the arguments of a request and encode them as parameters. Error messages never quote a value."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django_hoiio.notify_urls import MAX_URL_LENGTH
from django_hoiio.parsing.parameters import HOIIO_TIME, TAG_LENGTH

# Returns the text to send. Raises ValueError with a message that continues after the argument's name.
Encoder = Callable[[Any], str]

Recipients = Sequence[Mapping[str, str]]


def encode(params: Mapping[str, Any], encoders: Mapping[str, Encoder]) -> dict[str, str]:
    """Encode each parameter that is not `None`. Raises `ValueError`, with the name, if Hoiio would reject a value."""
    written = {}
    for name, value in params.items():
        if value is None:
            continue
        try:
            written[name] = (encoders.get(name) or ENCODERS[name])(value)
        except ValueError as error:
            raise ValueError(f"{_ARGUMENTS.get(name, name)} {error}.") from error
    return written


# Texts.


def text(*, least: int = 0, most: int | None = None) -> Encoder:
    """Return an encoder for text of `least` to `most` characters."""

    def encode(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"is of type {type(value).__name__}; use a string")
        if re.search("[\ud800-\udfff]", value):
            raise ValueError("contains a lone surrogate, which UTF-8 cannot encode")
        if len(value) < least:
            raise ValueError("is empty" if not value else f"has {len(value)} characters; Hoiio takes {least} or more")
        if most is not None and len(value) > most:
            raise ValueError(f"has {len(value)} characters; Hoiio takes at most {most}")
        return value

    return encode


def one_of(*choices: str) -> Encoder:
    def encode(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return str(value)

    return encode


_given = text(least=1)
_ROOM = re.compile(r"[A-Za-z0-9._]{1,32}")


def _room(value: Any) -> str:
    if not _ROOM.fullmatch(_given(value)):
        raise ValueError("is not a valid room name; use up to 32 of a-z, A-Z, 0-9, the dot and the underscore")
    return str(value)


def number_or_room(value: Any) -> str:
    """Encode a phone number, `room:ID`, or `room:` for a room that Hoiio names."""
    if _given(value).startswith("room:") and value != "room:":
        _room(value.removeprefix("room:"))
    return str(value)


def _sender_name(value: Any) -> str:
    """Encode a name of 3 to 11 characters, or a number, whose limits are not documented."""
    return _given(value) if re.fullmatch(r"\+?\d+", str(value)) else text(least=3, most=11)(value)


# Characters that count double in an ASCII SMS.
_DOUBLE = "\n[]\\^{}|€"
_MAX_ASCII, _MAX_UNICODE = 459, 201


def sms_text(value: Any) -> str:
    """Encode the text of an SMS, which Hoiio splits into at most three parts.

    Hoiio documents the limits of ASCII and of Unicode, and the characters that count double. It does not document
    whether the euro sign makes a text Unicode, whether any character counts double in Unicode, or whether an emoji
    counts as two. Assume no, so as not to reject a text that Hoiio might accept. The sandbox counts in the same way.
    """
    _given(value)
    if value.replace("€", "").isascii():
        length, most, alphabet = len(value) + sum(map(value.count, _DOUBLE)), _MAX_ASCII, "ASCII"
    else:
        length, most, alphabet = len(value), _MAX_UNICODE, "Unicode"
    if length > most:
        raise ValueError(f"counts {length} characters; an SMS takes at most {most} of {alphabet}")
    return str(value)


# Lists.


def numbers(*, most: int) -> Encoder:
    """Return an encoder for a list of at most `most` phone numbers, as comma-separated text."""

    def encode(value: Any) -> str:
        if isinstance(value, str):
            raise ValueError("is a single text; write a list of numbers")
        each = [_given(number) for number in _listed(value)]
        _check_count(each, most)
        if any("," in number for number in each):
            raise ValueError("has a number with a comma in it; write a list of numbers")
        return ",".join(each)

    return encode


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, Iterable):
        raise ValueError(f"is of type {type(value).__name__}; write a list")
    return list(value)


def _check_count(each: Sequence[Any], most: int) -> None:
    if not 1 <= len(each) <= most:
        raise ValueError(f"has {len(each)} entries; Hoiio takes 1 to {most}")


MAX_RECIPIENTS = 1000


def _recipients(value: Any) -> str:
    """Encode the recipients of a bulk SMS, each with a `dest` and the variables of the template."""
    each = _listed(value)
    _check_count(each, MAX_RECIPIENTS)
    if not all(isinstance(one, Mapping) for one in each):
        raise ValueError("has an entry that is not a dict")
    if not all(one.get("dest") and isinstance(one["dest"], str) for one in each):
        raise ValueError("has an entry whose dest is missing or not a string")
    return _json([dict(one) for one in each])


def _json(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError("has an entry that JSON cannot hold; write its values as strings") from error


# Integers, datetimes, files.


def whole(*, least: int, most: int | None = None) -> Encoder:
    """Return an encoder for an integer from `least` to `most`."""

    def encode(value: Any) -> str:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"is of type {type(value).__name__}; write a whole number")
        if value < least or (most is not None and value > most):
            raise ValueError(f"is {value}; Hoiio takes " + (f"{least} to {most}" if most else f"{least} or more"))
        return str(value)

    return encode


def _moment(value: Any) -> str:
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise ValueError("is not a datetime with a time zone; use for example django.utils.timezone.now()")
    try:
        return value.astimezone(HOIIO_TIME).replace(tzinfo=None).isoformat(" ", "seconds")
    except OverflowError as error:
        raise ValueError("is outside the supported date range; use an earlier or later date") from error


_MAX_FILE_SIZE = 2 * 1024 * 1024
# PDF readers accept the header anywhere in this many bytes.
_HEAD = 1024


def _pdf(value: Any) -> str:
    data = value.read() if hasattr(value, "read") else value
    if not isinstance(data, bytes) or b"%PDF-" not in data[:_HEAD]:
        raise ValueError("is not a PDF; give its bytes, or the file opened in binary mode")
    if len(data) > _MAX_FILE_SIZE:
        raise ValueError(f"has {len(data)} bytes; Hoiio takes at most {_MAX_FILE_SIZE}")
    return base64.b64encode(data).decode()


# Arguments that have another name than the parameter.
_ARGUMENTS = {"from": "from_"}

_seconds = whole(least=1)

# By parameter name; `endpoints` overrides some.
ENCODERS: dict[str, Encoder] = {
    "action": one_of("kick", "mute", "unmute"),
    "attempts": whole(least=1),
    "caller_id": _given,
    "country": _given,
    "dest": _given,
    "dest1": _given,
    "dest2": _given,
    # Months. SDKs name 1, 3 and 12; Hoiio may have others.
    "duration": lambda value: value if value == "auto_extend" else whole(least=1)(value),
    "fax_header": text(most=100),
    "file": _pdf,
    "filename": _given,
    "force": one_of("enabled"),
    "forward_sms_to": text(most=MAX_URL_LENGTH),
    "forward_to": text(most=MAX_URL_LENGTH),
    "from": _moment,
    "incoming": _given,
    "max_digits": whole(least=0, most=255),
    "max_duration": _seconds,
    "mode": one_of("voice", "fax"),
    "msg": _given,
    "number": _given,
    "on_failure": one_of("hangup", "continue"),
    "page": whole(least=1),
    "recipients": _recipients,
    "room": _room,
    "sender_name": _sender_name,
    "session": _given,
    "state": _given,
    "tag": text(most=TAG_LENGTH),
    "timeout": _seconds,
    "to": _moment,
    "txn_ref": _given,
    "type": one_of("incoming", "outgoing", "all"),
}
