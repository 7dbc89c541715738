"""Actions of the user on the telephone page."""

from __future__ import annotations

import re

from django_hoiio.enums import Direction

from . import calls, interactive, sms
from .exchange import Exchange, LiveCall
from .interactive import INTERACTIVE
from .records import SandboxNumber, SandboxTransaction, State
from .wire import CALL_RATE, CURRENCY, amount

_KEYS = re.compile(r"[0-9*#]{1,50}")

# Characters of an SMS or of a recording.
MAX_TEXT_LENGTH = 5000


class ActionRefused(Exception):
    """The action is impossible; the message tells the user why."""


def call(exchange: Exchange, person: str, number: str) -> LiveCall:
    """Call one of the application's numbers and notify the application."""
    own = _own(exchange, number)
    if own.mode != "voice":
        raise ActionRefused(f"{number} is a fax number; call another one.")
    if not exchange.is_free(person):
        raise ActionRefused("You are in a call; hang up first.")
    details = {"tag": "", "dest1": person, "number": number, "call_status_dest1": "ongoing"}
    transaction = SandboxTransaction(
        account=own.account,
        channel="voice",
        txn_ref=exchange.reference("AA-C-"),
        at=exchange.now(),
        is_incoming=True,
        details={**details, "currency": CURRENCY, "rate": amount(CALL_RATE)},
    )
    placed = LiveCall(
        exchange=exchange,
        transaction=exchange.begin(transaction),
        direction=Direction.INCOMING,
        handlers=INTERACTIVE,
        number=number,
        session=exchange.reference("S"),
        person=person,
        parties={"from": person, "to": number},
        notify_url=own.target("ivr"),
    )
    placed.write("call", text=f"You call {number}.")
    interactive.announce(exchange.connect(placed))
    return placed


def text(exchange: Exchange, person: str, number: str, msg: str) -> None:
    """Send an SMS to one of the application's numbers. A long SMS arrives in parts."""
    own = _own(exchange, number)
    if own.mode != "voice":
        raise ActionRefused(f"{number} is a fax number and cannot receive SMS; use another number.")
    if len(msg) > MAX_TEXT_LENGTH:
        raise ActionRefused(f"The text has {len(msg)} characters; at most {MAX_TEXT_LENGTH} are allowed.")
    exchange.write("sms_in", **{"person": person, "from": person, "to": number, "msg": msg})
    sms.receive(exchange, own, person, msg)


def press(call: LiveCall, keys: str) -> None:
    """Press keys during a call."""
    if not _KEYS.fullmatch(keys):
        raise ActionRefused("The telephone has the keys 0 to 9, * and #.")
    call.write("key", digits=keys)
    interactive.press(call, keys)


def speak(call: LiveCall, text: str) -> None:
    """Record a message."""
    if call.state != State.RECORDING:
        raise ActionRefused("Nothing is being recorded.")
    interactive.speak(call, text[:MAX_TEXT_LENGTH])


def answer(call: LiveCall) -> None:
    """Answer a call from the application."""
    _check_rings(call)
    call.write("call", text="You answer.")
    calls.answer(call)


def decline(call: LiveCall) -> None:
    """Refuse a call with the status `busy`."""
    _check_rings(call)
    call.write("call", text="You decline.")
    calls.refuse(call, "busy")


def hang_up(call: LiveCall) -> None:
    call.write("call", text="You hung up.")
    calls.hang_up(call)


def current_call(exchange: Exchange, person: str) -> LiveCall:
    """Return the call of a person. Raise `ActionRefused` if there is none."""
    call = exchange.call_of(person)
    if call is None or call.is_over:
        raise ActionRefused("You are not in a call.")
    return call


def _own(exchange: Exchange, number: str) -> SandboxNumber:
    own = exchange.number(number)
    if own is None:
        raise ActionRefused("That number is not the application's; HOIIO['ACCOUNTS'] needs APP_ID and ACCESS_TOKEN.")
    return own


def _check_rings(call: LiveCall) -> None:
    if call.state != State.RINGING or call.direction != Direction.OUTGOING:
        raise ActionRefused("The telephone is not ringing.")
