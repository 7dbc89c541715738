"""Actions of the user on the telephone page."""

from __future__ import annotations

import re

from django_hoiio.enums import Direction

from . import calls, interactive, sms
from .exchange import HANDSET, exchange, now
from .interactive import INTERACTIVE
from .records import LiveCall, SandboxNumber, SandboxTransaction, State
from .wire import CALL_RATE, CURRENCY, amount

_KEYS = re.compile(r"[0-9*#]{1,50}")

# Characters of an SMS or of a recording.
MAX_TEXT_LENGTH = 5000


class ActionRefused(Exception):
    """The action is impossible; the message tells the user why."""


def call(number: str) -> None:
    """Call one of the application's numbers and notify the application."""
    own = _own(number)
    if own.mode != "voice":
        raise ActionRefused(f"{number} is a fax number; call another one.")
    if not exchange.is_handset_free():
        raise ActionRefused("You are in a call; hang up first.")
    details = {"tag": "", "dest1": HANDSET, "number": number, "call_status_dest1": "ongoing"}
    transaction = SandboxTransaction(
        account=own.account,
        channel="voice",
        txn_ref=exchange.reference("AA-C-"),
        at=now(),
        is_incoming=True,
        details={**details, "currency": CURRENCY, "rate": amount(CALL_RATE)},
    )
    exchange.begin(transaction)
    exchange.write("call", text=f"You call {number}.")
    placed = LiveCall(
        transaction=transaction,
        direction=Direction.INCOMING,
        handlers=INTERACTIVE,
        number=number,
        session=exchange.reference("S"),
        is_at_handset=True,
        parties={"from": HANDSET, "to": number},
        notify_url=own.target("ivr"),
    )
    interactive.announce(exchange.connect(placed))


def text(number: str, msg: str) -> None:
    """Send an SMS to one of the application's numbers. A long SMS arrives in parts."""
    own = _own(number)
    if own.mode != "voice":
        raise ActionRefused(f"{number} is a fax number and cannot receive SMS; use another number.")
    if len(msg) > MAX_TEXT_LENGTH:
        raise ActionRefused(f"The text has {len(msg)} characters; at most {MAX_TEXT_LENGTH} are allowed.")
    exchange.write("sms_in", **{"from": HANDSET, "to": number, "msg": msg})
    sms.receive(own, HANDSET, msg)


def press(keys: str) -> None:
    """Press keys during a call."""
    if not _KEYS.fullmatch(keys):
        raise ActionRefused("The telephone has the keys 0 to 9, * and #.")
    current = _current()
    exchange.write("key", digits=keys)
    interactive.press(current, keys)


def speak(text: str) -> None:
    """Record a message."""
    current = _current()
    if current.state != State.RECORDING:
        raise ActionRefused("Nothing is being recorded.")
    interactive.speak(current, text[:MAX_TEXT_LENGTH])


def answer() -> None:
    """Answer a call from the application."""
    ringing = _ringing()
    exchange.write("call", text="You answer.")
    calls.answer(ringing)


def decline() -> None:
    """Refuse a call with the status `busy`."""
    ringing = _ringing()
    exchange.write("call", text="You decline.")
    calls.refuse(ringing, "busy")


def hang_up() -> None:
    current = _current()
    exchange.write("call", text="You hung up.")
    calls.hang_up(current)


def _own(number: str) -> SandboxNumber:
    own = exchange.number(number)
    if own is None:
        raise ActionRefused("That number is not the application's; HOIIO['ACCOUNTS'] needs APP_ID and ACCESS_TOKEN.")
    return own


def _current() -> LiveCall:
    current = exchange.call_at_handset()
    if current is None or current.is_over:
        raise ActionRefused("You are not in a call.")
    return current


def _ringing() -> LiveCall:
    current = exchange.call_at_handset()
    if current is None or current.state != State.RINGING or current.direction != Direction.OUTGOING:
        raise ActionRefused("The telephone is not ringing.")
    return current
