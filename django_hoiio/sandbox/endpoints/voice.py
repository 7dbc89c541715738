"""`voice/…` and `conference/…`: calls between two numbers, and conferences."""

from __future__ import annotations

import re
from typing import Any

from django_hoiio.enums import Direction
from django_hoiio.sandbox import calls
from django_hoiio.sandbox.calls import PLAIN
from django_hoiio.sandbox.errors import ApiError, ApiRequest
from django_hoiio.sandbox.exchange import HANDSET, LiveCall
from django_hoiio.sandbox.records import SandboxTransaction
from django_hoiio.sandbox.samples import Params
from django_hoiio.sandbox.wire import CALL_RATE, CURRENCY, amount

from .account import check_credit, check_frequency
from .history import transaction_of

# Concurrent calls of one account. A fax needs a free line, too.
MAX_CALLS = 8
MAX_PARTIES = 8

# Seconds.
MAX_CALL_SECONDS = 86400

_ROOM = re.compile(r"[A-Za-z0-9._]{1,32}")
_ACTIONS = ("kick", "mute", "unmute")


def call(request: ApiRequest) -> dict[str, Any]:
    """Connect two numbers, `dest1` first. It defaults to the account's own number."""
    parties = {"dest1": request.number("dest1", HANDSET), "dest2": request.number("dest2")}
    if parties["dest1"] == parties["dest2"]:
        raise ApiError("error_same_dest1_dest2")
    max_duration = request.whole("max_duration", 0, MAX_CALL_SECONDS, status="error_max_duration_invalid")
    check_caller_id(request)
    check_lines(request, 1)
    details = {**parties, "call_status_dest1": "ongoing", "call_status_dest2": "ongoing"}
    placed = _place(request, details, parties, max_duration)
    return {"txn_ref": placed.transaction.txn_ref}


def conference(request: ApiRequest) -> dict[str, Any]:
    """Call several numbers into a room. `txn_refs` are in the order of the numbers."""
    dests = request.numbers("dest", MAX_PARTIES)
    room = request.text("room") or request.exchange.reference("R")
    if not _ROOM.fullmatch(room):
        raise ApiError("error_invalid_room")
    check_caller_id(request)
    check_lines(request, len(dests))
    legs = [
        _place(
            request,
            {"dest1": dest, "room": room, "call_status_dest1": "ongoing"},
            {"dest": dest, "room": room},
        )
        for dest in dests
    ]
    return {"txn_refs": [leg.transaction.txn_ref for leg in legs], "room": room}


def legacy_conference(request: ApiRequest) -> dict[str, Any]:
    """Start a conference and return `txn_refs` as one comma-separated text, as in Hoiio's older manual."""
    answer = conference(request)
    return {**answer, "txn_refs": ",".join(answer["txn_refs"])}


def moderate(request: ApiRequest) -> dict[str, Any]:
    """Remove a participant from a room. Muting has no effect in the sandbox."""
    check_frequency(request, "conference/moderate")
    action = request.text("action")
    if action not in _ACTIONS:
        raise ApiError("error_malformed_params")
    leg = _live_call(request)
    if "room" not in leg.parties:
        raise ApiError("error_invalid_txn_ref")
    if action == "kick":
        calls.hang_up(leg)
    return {}


def hangup(request: ApiRequest) -> dict[str, Any]:
    """End a call or one leg of a conference."""
    live = _live_call(request)
    live.write("call", text="The application hung up.")
    calls.hang_up(live)
    return {}


def get_rate(request: ApiRequest) -> dict[str, Any]:
    """Return the rate per minute, and the minutes that the credit pays for."""
    request.number("dest2")
    talktime = sum(request.exchange.balance(request.account)) // CALL_RATE
    return {"currency": CURRENCY, "rate": amount(CALL_RATE), "talktime": str(int(talktime))}


def check_caller_id(request: ApiRequest) -> None:
    """Accept the account's own number, one of its Hoiio Numbers, or `private`."""
    own = [number.number for number in request.exchange.numbers() if number.account == request.account]
    if request.text("caller_id", "private") not in ("private", HANDSET, *own):
        raise ApiError("error_caller_id_invalid")


def check_lines(request: ApiRequest, more: int) -> None:
    """Raise `ApiError` if there is no credit or not enough free lines."""
    check_credit(request)
    if len(request.exchange.live_calls(request.account)) + more > MAX_CALLS:
        raise ApiError("error_concurrent_call_limit_reached")


def line_of(request: ApiRequest, details: Params) -> SandboxTransaction:
    """Store a new call for status and history queries."""
    money = {"currency": CURRENCY, "rate": amount(CALL_RATE)}
    return request.exchange.begin(
        SandboxTransaction(
            account=request.account,
            channel="voice",
            txn_ref=request.exchange.reference("AA-C-"),
            at=request.exchange.now(),
            details={"tag": request.text("tag"), **details, **money},
        )
    )


def _place(request: ApiRequest, details: Params, parties: Params, max_duration: int = 0) -> LiveCall:
    numbers = [number for name, number in parties.items() if name != "room"]
    person, outcome = calls.who_answers(request.exchange, *numbers)
    placed = LiveCall(
        exchange=request.exchange,
        transaction=line_of(request, details),
        direction=Direction.OUTGOING,
        handlers=PLAIN,
        number=next((number for number in numbers if number != person), ""),
        person=person,
        outcome=outcome,
        parties=parties,
        notify_url=request.text("notify_url"),
        max_duration=max_duration,
    )
    calls.ring(request.exchange.connect(placed))
    return placed


def _live_call(request: ApiRequest) -> LiveCall:
    live = request.exchange.calls.get(transaction_of(request, "voice").txn_ref)
    if live is None or live.is_over:
        raise ApiError("error_invalid_txn_ref")
    return live
