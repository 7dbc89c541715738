"""Arguments that are refused before a request is sent."""

from __future__ import annotations

import io
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from django_hoiio.client import HoiioClient
from django_hoiio.client.encoding import sms_text
from django_hoiio.sandbox import wire
from tests.client.test_client import ask
from tests.fake_hoiio import SUCCESS, Hoiio

pytestmark = pytest.mark.django_db

DEST, DEST2 = "+6511111111", "+6522222222"
NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
NAIVE = NOON.replace(tzinfo=None)
CALL, SMS, FAX = {"dest2": DEST2}, {"dest": DEST, "msg": "m"}, {"dest": DEST, "file": b"%PDF-1.4"}
SESSION = {"session": "S1"}
PDF = b"%PDF-1.4\n"
MEGABYTES = 2 * 1024 * 1024

# Methods that check the text unchanged.
SAME_TEXT: list[tuple[str, dict[str, Any]]] = [("sms.send", {"dest": DEST}), ("sms.bulk_send", {"dest": [DEST]})]

# A text that is too long, its counted length, the limit and the encoding.
TOO_LONG: list[tuple[str, int, int, str]] = [
    ("m" * 460, 460, 459, "ASCII"),
    ("`" * 460, 460, 459, "ASCII"),
    *((double * 230, 460, 459, "ASCII") for double in "\n[]\\^{}|€"),
    ("你" * 202, 202, 201, "Unicode"),
    ("é" * 202, 202, 201, "Unicode"),
    ("m" * 201 + "é", 202, 201, "Unicode"),
]

# The invalid argument, and the arguments of the period.
NO_PERIODS: list[tuple[str, dict[str, Any]]] = [
    ("from_", {"from_": NAIVE}),
    ("from_", {"from_": NAIVE, "to": NOON}),
    ("from_", {"from_": NAIVE, "to": NAIVE}),
    ("from_", {"from_": NOON.date(), "to": NOON}),
    ("from_", {"from_": "2026-01-31 12:00:00", "to": NOON}),
    ("to", {"to": NOON.date()}),
    ("to", {"from_": NOON, "to": NAIVE}),
]

# Method, arguments, error message.
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("voice.call", {"dest1": DEST, "dest2": DEST}, "dest1 and dest2 are the same number."),
    ("voice.call", {"dest2": ""}, "dest2 is empty."),
    ("voice.call", {"dest2": 6591234567}, "dest2 is of type int; use a string."),
    ("voice.call", {**CALL, "tag": "t" * 257}, "tag has 257 characters; Hoiio takes at most 256."),
    ("voice.call", {**CALL, "max_duration": 0}, "max_duration is 0; Hoiio takes 1 or more."),
    ("voice.call", {**CALL, "max_duration": 1.5}, "max_duration is of type float; write a whole number."),
    ("voice.call", {**CALL, "max_duration": True}, "max_duration is of type bool; write a whole number."),
    ("voice.call", {**CALL, "caller_id": ""}, "caller_id is empty."),
    *(
        refused
        for name in ("voice.conference", "conference.call")
        for refused in (
            (name, {"dest": DEST}, "dest is a single text; write a list of numbers."),
            (name, {"dest": []}, "dest has 0 entries; Hoiio takes 1 to 8."),
            (name, {"dest": [DEST] * 9}, "dest has 9 entries; Hoiio takes 1 to 8."),
            (name, {"dest": [f"{DEST},{DEST2}"]}, "dest has a number with a comma in it; write a list of numbers."),
            (name, {"dest": [DEST, ""]}, "dest is empty."),
            *(
                (
                    name,
                    {"dest": [DEST], "room": room},
                    "room is not a valid room name; use up to 32 of a-z, A-Z, 0-9, the dot and the underscore.",
                )
                for room in ("r" * 33, "a-b", "a b", "ä", "a\n")
            ),
        )
    ),
    ("conference.moderate", {"txn_ref": "x", "action": "shout"}, "action must be one of kick, mute, unmute."),
    ("voice.hangup", {"txn_ref": ""}, "txn_ref is empty."),
    ("sms.send", {**SMS, "dest": ""}, "dest is empty."),
    ("sms.send", {**SMS, "msg": ""}, "msg is empty."),
    *(
        (
            name,
            {**to, "msg": msg},
            f"msg counts {length} characters; an SMS takes at most {most} of {alphabet}.",
        )
        for name, to in SAME_TEXT
        for msg, length, most, alphabet in TOO_LONG
    ),
    ("sms.bulk_send", {"msg": "", "recipients": [{"dest": DEST}]}, "msg is empty."),
    ("sms.send", {**SMS, "msg": "a\ud800"}, "msg contains a lone surrogate, which UTF-8 cannot encode."),
    ("sms.send", {**SMS, "sender_name": "ab"}, "sender_name has 2 characters; Hoiio takes 3 or more."),
    ("sms.send", {**SMS, "sender_name": "a" * 12}, "sender_name has 12 characters; Hoiio takes at most 11."),
    ("sms.send", {**SMS, "sender_name": 12345}, "sender_name is of type int; use a string."),
    *(
        (f"{group}.get_rate", numbers, "dest and incoming: give one of them.")
        for group in ("sms", "fax")
        for numbers in ({}, {"dest": DEST, "incoming": DEST})
    ),
    ("number.subscribe", {"number": DEST, "duration": 0}, "duration is 0; Hoiio takes 1 or more."),
    ("number.subscribe", {"number": DEST, "duration": "3"}, "duration is of type str; write a whole number."),
    ("sms.bulk_send", {"msg": "m"}, "dest and recipients: give one of them."),
    (
        "sms.bulk_send",
        {"msg": "m", "dest": [DEST], "recipients": [{"dest": DEST}]},
        "dest and recipients: give one of them.",
    ),
    ("sms.bulk_send", {"msg": "m", "dest": [DEST] * 1001}, "dest has 1001 entries; Hoiio takes 1 to 1000."),
    (
        "sms.bulk_send",
        {"msg": "m", "recipients": [{"dest": DEST}] * 1001},
        "recipients has 1001 entries; Hoiio takes 1 to 1000.",
    ),
    ("sms.bulk_send", {"msg": "m", "recipients": []}, "recipients has 0 entries; Hoiio takes 1 to 1000."),
    ("sms.bulk_send", {"msg": "m", "dest": 5}, "dest is of type int; write a list."),
    ("sms.bulk_send", {"msg": "m", "recipients": 5}, "recipients is of type int; write a list."),
    ("sms.bulk_send", {"msg": "m", "recipients": [DEST]}, "recipients has an entry that is not a dict."),
    *(
        (
            "sms.bulk_send",
            {"msg": "m", "recipients": [{"dest": DEST}, recipient]},
            "recipients has an entry whose dest is missing or not a string.",
        )
        for recipient in ({"name": "Bob"}, {"dest": ""}, {"dest": 6591234567}, {"dest": NOON})
    ),
    *(
        (
            "sms.bulk_send",
            {"msg": "m", "recipients": [{"dest": DEST, "value": value}]},
            "recipients has an entry that JSON cannot hold; write its values as strings.",
        )
        for value in (NOON, Decimal(1), float("nan"), b"m")
    ),
    ("fax.send", {**FAX, "file": b""}, "file is not a PDF; give its bytes, or the file opened in binary mode."),
    ("fax.send", {**FAX, "file": b"PNG"}, "file is not a PDF; give its bytes, or the file opened in binary mode."),
    (
        "fax.send",
        {**FAX, "file": "report.pdf"},
        "file is not a PDF; give its bytes, or the file opened in binary mode.",
    ),
    (
        "fax.send",
        {**FAX, "file": io.StringIO("%PDF-1.4")},
        "file is not a PDF; give its bytes, or the file opened in binary mode.",
    ),
    (
        "fax.send",
        {**FAX, "file": PDF + bytes(MEGABYTES)},
        f"file has {MEGABYTES + 9} bytes; Hoiio takes at most {MEGABYTES}.",
    ),
    ("fax.send", {**FAX, "fax_header": "h" * 101}, "fax_header has 101 characters; Hoiio takes at most 100."),
    ("fax.get_history", {"type": "sent"}, "type must be one of incoming, outgoing, all."),
    *(
        (name, period, f"{wrong} is not a datetime with a time zone; use for example django.utils.timezone.now().")
        for name in ("voice.get_history", "sms.get_history", "fax.get_history")
        for wrong, period in NO_PERIODS
    ),
    *(
        refused
        for name in ("voice.get_history", "sms.get_history", "fax.get_history")
        for refused in (
            (name, {"page": 0}, "page is 0; Hoiio takes 1 or more."),
            (name, {"from_": NOON, "to": NOON}, "from_ is not before to."),
            (
                name,
                {"from_": NOON, "to": datetime.max.replace(tzinfo=timezone.utc)},
                "to is outside the supported date range; use an earlier or later date.",
            ),
        )
    ),
    *(
        refused
        for name, arguments in (
            ("ivr.dial", {"dest": DEST}),
            ("ivr.play", SESSION),
            ("ivr.gather", SESSION),
            ("ivr.record", SESSION),
            ("ivr.monitor", SESSION),
            ("ivr.hold", SESSION),
            ("ivr.transfer", {**SESSION, "dest": DEST}),
            ("ivr.hangup", SESSION),
        )
        for refused in (
            (name, {**arguments, "msg": "m" * 1001}, "msg has 1001 characters; Hoiio takes at most 1000."),
            (name, {**arguments, "msg": ""}, "msg is empty."),
            (name, {**arguments, "msg": "m", "tag": "t" * 257}, "tag has 257 characters; Hoiio takes at most 256."),
        )
    ),
    ("ivr.unhold", {"session": ""}, "session is empty."),
    ("ivr.gather", {**SESSION, "max_digits": 256}, "max_digits is 256; Hoiio takes 0 to 255."),
    ("ivr.gather", {**SESSION, "max_digits": -1}, "max_digits is -1; Hoiio takes 0 to 255."),
    ("ivr.gather", {**SESSION, "timeout": 0}, "timeout is 0; Hoiio takes 1 or more."),
    ("ivr.gather", {**SESSION, "attempts": 0}, "attempts is 0; Hoiio takes 1 or more."),
    (
        "ivr.transfer",
        {**SESSION, "dest": "room:a b"},
        "dest is not a valid room name; use up to 32 of a-z, A-Z, 0-9, the dot and the underscore.",
    ),
    ("ivr.transfer", {**SESSION, "dest": DEST, "on_failure": "cry"}, "on_failure must be one of hangup, continue."),
    (
        "ivr.hangup",
        {**SESSION, "msg": "bye", "force": True},
        "msg cannot be played if force ends the call; leave out one of them.",
    ),
    (
        "number.update_forwarding",
        {"number": DEST, "forward_to": "u" * 4001},
        "forward_to has 4001 characters; Hoiio takes at most 4000.",
    ),
    (
        "number.update_forwarding",
        {"number": DEST, "forward_sms_to": "u" * 4001},
        "forward_sms_to has 4001 characters; Hoiio takes at most 4000.",
    ),
    ("number.update_forwarding", {"number": DEST, "mode": "telex"}, "mode must be one of voice, fax."),
    ("number.update_forwarding", {"number": ""}, "number is empty."),
    (
        "sms.send",
        {**SMS, "pass_on": {"a": "b" * 4000}},
        "The notify URL would have .* characters and Hoiio takes 4000; pass on less.*",
    ),
]

# Calls at the very limit.
TAKEN: list[tuple[str, dict[str, Any]]] = [
    ("voice.call", {**CALL, "tag": "t" * 256, "max_duration": 1}),
    ("voice.conference", {"dest": [DEST] * 8, "room": "r" * 32}),
    ("sms.send", {**SMS, "msg": "m" * 459}),
    ("sms.send", {**SMS, "msg": "`" * 459}),
    ("sms.send", {**SMS, "msg": "€" * 229 + "m"}),
    ("sms.send", {**SMS, "msg": "\n" * 229}),
    ("sms.send", {**SMS, "msg": "é" * 201}),
    ("sms.send", {**SMS, "msg": "你" * 201}),
    ("sms.bulk_send", {"msg": "m" * 459, "dest": [DEST]}),
    ("sms.bulk_send", {"msg": "你" * 201, "dest": [DEST]}),
    ("sms.send", {**SMS, "sender_name": "abc"}),
    ("sms.send", {**SMS, "sender_name": "a" * 11}),
    ("sms.send", {**SMS, "sender_name": "+659123456789012"}),
    ("sms.bulk_send", {"msg": "{{text}}" * 100, "recipients": [{"dest": DEST, "text": "x"}] * 1000}),
    ("fax.send", {**FAX, "file": io.BytesIO(PDF + bytes(MEGABYTES - 9)), "fax_header": "h" * 100}),
    ("fax.send", {**FAX, "file": b"junk before it\n" + PDF}),
    ("ivr.gather", {**SESSION, "msg": "m" * 1000, "max_digits": 255, "timeout": 1, "attempts": 1}),
    ("ivr.transfer", {**SESSION, "dest": "room:" + "r" * 32}),
    ("voice.get_history", {"from_": NOON, "to": NOON + timedelta(seconds=1)}),
    ("voice.get_history", {"from_": datetime.min.replace(tzinfo=timezone.utc), "to": NOON}),
    ("number.update_forwarding", {"number": DEST, "forward_to": "u" * 4000}),
]


@pytest.mark.parametrize(
    ("name", "arguments", "message"), REFUSED, ids=[f"{name}: {message}" for name, _, message in REFUSED]
)
def test_invalid_argument_is_named_and_nothing_is_sent(
    hoiio: Hoiio, hoiio_client: HoiioClient, name: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=r"\S") as raised:
        ask(hoiio_client, name, **arguments)
    shown = str(raised.value)
    assert shown == message or re.fullmatch(message, shown)
    assert not [value for value in arguments.values() if isinstance(value, str) and len(value) > 3 and value in shown]
    assert hoiio.requests == []


@pytest.mark.parametrize(("name", "arguments"), TAKEN, ids=[f"{name} {list(arguments)}" for name, arguments in TAKEN])
def test_argument_at_the_limit_is_sent(
    hoiio: Hoiio, hoiio_client: HoiioClient, name: str, arguments: dict[str, Any]
) -> None:
    hoiio.says(SUCCESS)

    ask(hoiio_client, name, **arguments)

    assert len(hoiio.requests) == 1


@pytest.mark.parametrize("most", [201, 229, 459])
@pytest.mark.parametrize("character", ["m", "`", "\r", "\n", "[", "€", "é", "ß", "Ω", "你", "😀", "[你", "€é"])
def test_sandbox_refuses_the_sms_that_the_client_refuses(character: str, most: int) -> None:
    for length in (most, most + 1):
        msg = (character * length)[:length]
        assert is_taken(msg) == (wire.parts_of(msg) <= wire.MAX_PARTS)


def is_taken(msg: str) -> bool:
    try:
        sms_text(msg)
    except ValueError:
        return False
    return True
