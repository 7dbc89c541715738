"""`ivr/…`: interactive calls and their blocks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django_hoiio.enums import Direction
from django_hoiio.sandbox import calls, interactive
from django_hoiio.sandbox.errors import ApiError, ApiRequest
from django_hoiio.sandbox.exchange import LiveCall
from django_hoiio.sandbox.interactive import INTERACTIVE

from .voice import MAX_CALL_SECONDS, check_caller_id, check_lines, line_of

# Integer parameters of blocks and their maximum; times are in seconds.
_NUMBERS = {"max_digits": 255, "timeout": 600, "attempts": 10, "max_duration": MAX_CALL_SECONDS}

_ROOM = re.compile(r"room:([A-Za-z0-9._]{0,32})")


def dial(request: ApiRequest) -> dict[str, Any]:
    """Call a number and play a message when it answers."""
    dest = request.number("dest")
    greeting = interactive.spoken_text(request.text("msg"))
    _check_numbers(request)
    check_caller_id(request)
    check_lines(request, 1)
    person, outcome = calls.who_answers(request.exchange, dest)
    placed = LiveCall(
        exchange=request.exchange,
        transaction=line_of(request, {"dest1": dest, "call_status_dest1": "ongoing"}),
        direction=Direction.OUTGOING,
        handlers=INTERACTIVE,
        number=next((own.number for own in request.exchange.numbers() if own.account == request.account), ""),
        session=request.exchange.reference("S"),
        person=person,
        outcome=outcome,
        greeting=greeting,
        max_duration=int(request.text("max_duration", "0")),
        parties={"dest": dest},
        block="dial",
        notify_url=request.text("notify_url"),
    )
    calls.ring(request.exchange.connect(placed))
    return {"session": placed.session, "txn_ref": placed.transaction.txn_ref}


def block(name: str) -> Callable[[ApiRequest], dict[str, Any]]:
    """Return a handler that begins this block in a session."""

    def begin(request: ApiRequest) -> dict[str, Any]:
        placed = _call(request)
        _check_numbers(request)
        if request.text("force") == "enabled" and request.text("msg"):
            raise ApiError("error_malformed_params")
        interactive.begin(placed, name, request.params)
        return {}

    return begin


def transfer(request: ApiRequest) -> dict[str, Any]:
    """Transfer the caller to a number or, with `room:`, to a conference room."""
    if request.text("on_failure", "hangup") not in ("hangup", "continue"):
        raise ApiError("error_on_failure_invalid")
    check_caller_id(request)
    room = _ROOM.fullmatch(request.text("dest"))
    if not room:
        request.number("dest")
    block("transfer")(request)
    return {"room": room[1] or request.exchange.reference("R")} if room else {}


def _call(request: ApiRequest) -> LiveCall:
    session = request.text("session")
    placed = next((call for call in reversed(request.exchange.calls.values()) if call.session == session), None)
    if not session or placed is None:
        raise ApiError("error_invalid_session")
    if placed.transaction.account != request.account:
        raise ApiError("error_session_access_denied")
    return placed


def _check_numbers(request: ApiRequest) -> None:
    for name, most in _NUMBERS.items():
        request.whole(name, 0, most, status=f"error_invalid_{name}")
