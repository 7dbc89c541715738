"""`ivr/…`: interactive calls and their blocks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django_hoiio.enums import Direction
from django_hoiio.sandbox import calls, errors, interactive
from django_hoiio.sandbox.errors import ApiError, ApiRequest
from django_hoiio.sandbox.exchange import HANDSET, exchange
from django_hoiio.sandbox.interactive import INTERACTIVE
from django_hoiio.sandbox.records import Call

from .voice import LONGEST_CALL, check_caller_id, check_lines, line_of

# Integer parameters of blocks and their maximum; times are in seconds.
_NUMBERS = {"max_digits": 255, "timeout": 600, "attempts": 10, "max_duration": LONGEST_CALL}

_ROOM = re.compile(r"room:([A-Za-z0-9._]{0,32})")


def dial(asked: ApiRequest) -> dict[str, Any]:
    """Call a number and play a message when it answers."""
    dest = asked.number("dest")
    greeting = interactive.spoken_text(asked.text("msg"))
    _check_numbers(asked)
    check_caller_id(asked)
    check_lines(asked, 1)
    is_free = exchange.is_handset_free()
    placed = Call(
        transaction=line_of(asked, {"dest1": dest, "call_status_dest1": "ongoing"}),
        direction=Direction.OUTGOING,
        conduct=INTERACTIVE,
        number=next((own.number for own in exchange.numbers() if own.account == asked.account), ""),
        session=exchange.reference("S"),
        is_at_handset=dest == HANDSET and is_free,
        outcome="busy" if dest == HANDSET and not is_free else errors.call_outcome(dest),
        greeting=greeting,
        max_duration=int(asked.text("max_duration", "0")),
        parties={"dest": dest},
        block="dial",
        notify_url=asked.text("notify_url"),
    )
    calls.ring(exchange.connect(placed))
    return {"session": placed.session, "txn_ref": placed.transaction.txn_ref}


def block(name: str) -> Callable[[ApiRequest], dict[str, Any]]:
    """Return a handler that begins this block in a session."""

    def begin(asked: ApiRequest) -> dict[str, Any]:
        placed = _call(asked)
        _check_numbers(asked)
        if asked.text("force") == "enabled" and asked.text("msg"):
            raise ApiError("error_malformed_params")
        interactive.begin(placed, name, asked.params)
        return {}

    return begin


def transfer(asked: ApiRequest) -> dict[str, Any]:
    """Transfer the caller to a number or, with `room:`, to a conference room."""
    if asked.text("on_failure", "hangup") not in ("hangup", "continue"):
        raise ApiError("error_on_failure_invalid")
    check_caller_id(asked)
    room = _ROOM.fullmatch(asked.text("dest"))
    if not room:
        asked.number("dest")
    block("transfer")(asked)
    return {"room": room[1] or exchange.reference("R")} if room else {}


def _call(asked: ApiRequest) -> Call:
    session = asked.text("session")
    placed = next((call for call in reversed(exchange.calls.values()) if call.session == session), None)
    if not session or placed is None:
        raise ApiError("error_invalid_session")
    if placed.transaction.account != asked.account:
        raise ApiError("error_session_access_denied")
    return placed


def _check_numbers(asked: ApiRequest) -> None:
    for name, most in _NUMBERS.items():
        asked.whole(name, 0, most, status=f"error_invalid_{name}")
