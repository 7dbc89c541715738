"""`voice/…` and `conference/…`: calls between two numbers, and conferences."""

from __future__ import annotations

import re
from typing import Any

from django_hoiio.enums import Direction
from django_hoiio.sandbox import calls, errors
from django_hoiio.sandbox.calls import PLAIN, refuses
from django_hoiio.sandbox.errors import ApiError, ApiRequest
from django_hoiio.sandbox.exchange import HANDSET, exchange, now
from django_hoiio.sandbox.records import Call, Transaction
from django_hoiio.sandbox.samples import Params
from django_hoiio.sandbox.wire import CALL_RATE, CURRENCY, amount

from .account import check_credit, check_frequency

# Concurrent calls of one account. A fax needs a free line, too.
MOST_CALLS = 8
MOST_PARTIES = 8

# Seconds.
LONGEST_CALL = 86400

_ROOM = re.compile(r"[A-Za-z0-9._]{1,32}")
_ACTIONS = ("kick", "mute", "unmute")


def call(asked: ApiRequest) -> dict[str, Any]:
    """Connect two numbers, `dest1` first. It defaults to the account's own number."""
    parties = {"dest1": asked.number("dest1", HANDSET), "dest2": asked.number("dest2")}
    if parties["dest1"] == parties["dest2"]:
        raise ApiError("error_same_dest1_dest2")
    max_duration = asked.whole("max_duration", 0, LONGEST_CALL, status="error_max_duration_invalid")
    check_caller_id(asked)
    check_lines(asked, 1)
    asked_for = {**parties, "call_status_dest1": "ongoing", "call_status_dest2": "ongoing"}
    first, second = (errors.call_outcome(number) for number in parties.values())
    placed = _place(asked, asked_for, parties, first if refuses(parties["dest1"]) else second, max_duration)
    return {"txn_ref": placed.transaction.txn_ref}


def conference(asked: ApiRequest) -> dict[str, Any]:
    """Call several numbers into a room. `txn_refs` are in the order of the numbers."""
    dests = asked.numbers("dest", MOST_PARTIES)
    room = asked.text("room") or exchange.reference("R")
    if not _ROOM.fullmatch(room):
        raise ApiError("error_invalid_room")
    check_caller_id(asked)
    check_lines(asked, len(dests))
    legs = [
        _place(
            asked,
            {"dest1": dest, "room": room, "call_status_dest1": "ongoing"},
            {"dest": dest, "room": room},
            errors.call_outcome(dest),
        )
        for dest in dests
    ]
    return {"txn_refs": [leg.transaction.txn_ref for leg in legs], "room": room}


def conference_of_old(asked: ApiRequest) -> dict[str, Any]:
    """Start a conference and return `txn_refs` as one comma-separated text, as in Hoiio's older manual."""
    answer = conference(asked)
    return {**answer, "txn_refs": ",".join(answer["txn_refs"])}


def moderate(asked: ApiRequest) -> dict[str, Any]:
    """Remove a participant from a room. Muting has no effect in the sandbox."""
    check_frequency(asked.account, "conference/moderate")
    action = asked.text("action")
    if action not in _ACTIONS:
        raise ApiError("error_malformed_params")
    leg = _live_call(asked)
    if "room" not in leg.parties:
        raise ApiError("error_invalid_txn_ref")
    if action == "kick":
        calls.hang_up(leg)
    return {}


def hangup(asked: ApiRequest) -> dict[str, Any]:
    """End a call or one leg of a conference."""
    live = _live_call(asked)
    if live.is_at_handset:
        exchange.write("call", text="The application hung up.")
    calls.hang_up(live)
    return {}


def get_rate(asked: ApiRequest) -> dict[str, Any]:
    """Return the rate per minute, and the minutes that the credit pays for."""
    asked.number("dest2")
    talktime = sum(exchange.balance(asked.account)) // CALL_RATE
    return {"currency": CURRENCY, "rate": amount(CALL_RATE), "talktime": str(int(talktime))}


def check_caller_id(asked: ApiRequest) -> None:
    """Accept the account's own number, one of its Hoiio Numbers, or `private`."""
    own = [number.number for number in exchange.numbers() if number.account == asked.account]
    if asked.text("caller_id", "private") not in ("private", HANDSET, *own):
        raise ApiError("error_caller_id_invalid")


def check_lines(asked: ApiRequest, more: int) -> None:
    """Raise `ApiError` if there is no credit or not enough free lines."""
    check_credit(asked.account)
    if len(exchange.live_calls(asked.account)) + more > MOST_CALLS:
        raise ApiError("error_concurrent_call_limit_reached")


def line_of(asked: ApiRequest, said: Params, *, is_incoming: bool = False) -> Transaction:
    """Store a new call for status and history queries."""
    money = {"currency": CURRENCY, "rate": amount(CALL_RATE)}
    return exchange.begin(
        Transaction(
            account=asked.account,
            channel="voice",
            txn_ref=exchange.reference("AA-C-"),
            at=now(),
            is_incoming=is_incoming,
            said={"tag": asked.text("tag"), **said, **money},
        )
    )


def _place(asked: ApiRequest, said: Params, parties: Params, outcome: str, max_duration: int = 0) -> Call:
    is_wanted = HANDSET in parties.values()
    placed = Call(
        transaction=line_of(asked, said),
        direction=Direction.OUTGOING,
        conduct=PLAIN,
        number=next((number for name, number in parties.items() if name != "room" and number != HANDSET), ""),
        is_at_handset=is_wanted and exchange.is_handset_free() and outcome in ("answered", "ongoing"),
        outcome="busy" if is_wanted and not exchange.is_handset_free() else outcome,
        parties=parties,
        notify_url=asked.text("notify_url"),
        max_duration=max_duration,
    )
    calls.ring(exchange.connect(placed))
    return placed


def _live_call(asked: ApiRequest) -> Call:
    transaction = exchange.transactions.get(asked.text("txn_ref"))
    if transaction is None or transaction.channel != "voice":
        raise ApiError("error_invalid_txn_ref")
    if transaction.account != asked.account:
        raise ApiError("error_txn_ref_access_denied")
    live = exchange.calls.get(transaction.txn_ref)
    if live is None or live.is_over:
        raise ApiError("error_invalid_txn_ref")
    return live
