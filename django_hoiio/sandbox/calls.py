"""The states of a call: ringing, answered or refused, ended."""

from __future__ import annotations

from collections.abc import Callable

from django_hoiio.enums import Kind

from . import wire
from .exchange import CallHandlers, Exchange, LiveCall
from .records import State
from .samples import Params, parameters_of

# Seconds.
RINGING = 30

# Outcomes of a call that is answered. `ongoing` lasts until it is hung up.
_ANSWERED = ("answered", "ongoing")


def who_answers(exchange: Exchange, *numbers: str) -> tuple[str, str]:
    """Return the person who is called, or empty, and the outcome of a call without a person.

    The numbers are called one after the other. A person who is in another call is busy.
    """
    outcomes = [exchange.line.call_outcome(number) for number in numbers]
    outcome = next((each for each in outcomes if each and each not in _ANSWERED), outcomes[-1])
    people = [number for number in numbers if exchange.line.is_person(number)]
    if not all(map(exchange.is_free, people)):
        return "", "busy"
    return (people[0] if people and outcome in ("", *_ANSWERED) else "", outcome)


def ring(call: LiveCall) -> None:
    """Call the other side. A person decides; for any other number, its outcome applies at once."""
    if call.person:
        call.write("call", text=f"{call.number} calls you.")
        after(RINGING, call, lambda missed: refuse(missed, "unanswered"))
    elif call.outcome in _ANSWERED:
        answer(call)
    else:
        refuse(call, call.outcome)


def answer(call: LiveCall) -> None:
    """Answer the call and start its maximum duration."""
    call.answered_at = call.exchange.now()
    move(call, State.ONGOING)
    if call.max_duration:
        after(call.max_duration, call, hang_up, in_any_step=True)
    call.handlers.answered(call)


def refuse(call: LiveCall, status: str) -> None:
    """End a call that was not answered; `status` is the reason."""
    close(call, status)
    call.handlers.refused(call, status)


def hang_up(call: LiveCall) -> None:
    """Hang up from the other side."""
    call.handlers.over(call)


def move(call: LiveCall, state: State) -> None:
    """Change the state, which disables earlier alarms."""
    call.state = state
    call.step += 1
    call.is_ready = False
    call.exchange.touch()


def close(call: LiveCall, status: str = "answered") -> None:
    """End a call and charge for it. An unanswered call costs nothing."""
    minutes = wire.minutes(call.exchange.now() - call.answered_at) if call.answered_at else 0
    debit = wire.CALL_RATE * minutes
    call.exchange.spend(call.transaction.account, debit)
    details = call.transaction.details
    details.update({name: status for name, word in details.items() if word == "ongoing"})
    details |= {"duration": str(minutes), "debit": wire.amount(debit)}
    move(call, State.ENDED)


def cost(call: LiveCall) -> Params:
    """Return the date and cost for the notification of the end."""
    details = call.transaction.details
    names = ("duration", "currency", "rate", "debit")
    return {"date": wire.notified_date(call.transaction.at), **{name: details[name] for name in names}}


def after(seconds: float, call: LiveCall, action: Callable[[LiveCall], None], *, in_any_step: bool = False) -> None:
    """Run `action` later if the call is still at the same step or, with `in_any_step`, if it is not over."""
    step, exchange = call.step, call.exchange

    def due() -> None:
        with exchange.locked() as notices:
            is_known = exchange.calls.get(call.transaction.txn_ref) is call
            if is_known and not call.is_over and (in_any_step or call.step == step):
                action(call)
        exchange.send(notices)

    exchange.line.schedule(due, after=seconds)


_STATUSES = ("call_status_dest1", "call_status_dest2")


def _answered(call: LiveCall) -> None:
    """End a simulated call at once, unless the outcome of its number is `ongoing`."""
    if not call.person and call.outcome != "ongoing":
        hang_up(call)


def _refused(call: LiveCall, status: str) -> None:
    """Report a refused call. `dest2` is called only after `dest1` has answered."""
    details = call.transaction.details
    if "dest2" in call.parties:
        is_first = call.person == call.parties["dest1"] or refuses(call.exchange, call.parties["dest1"])
        statuses = (status, "unanswered") if is_first else ("answered", status)
        details.update(zip(_STATUSES, statuses, strict=True))
    _notify(call)


def _over(call: LiveCall) -> None:
    if call.answered_at is None:
        close(call, "unanswered")
        _refused(call, "unanswered")
    else:
        close(call)
        _notify(call)


def _notify(call: LiveCall) -> None:
    references = {"txn_ref": call.transaction.txn_ref, "tag": call.transaction.details["tag"]}
    facts = {**references, **_parties(call), **cost(call)}
    call.exchange.notify(call.transaction.account, call.notify_url, parameters_of(Kind.CALL_ENDED, facts))


def _parties(call: LiveCall) -> Params:
    """Return each party with its status. A conference leg has one; SDKs refuse it without an empty second."""
    details = call.transaction.details
    if "dest" not in call.parties:
        return {**call.parties, **{name: details[name] for name in _STATUSES}}
    dest, status, room = call.parties["dest"], details["call_status_dest1"], call.parties["room"]
    if call.exchange.faults.short_legs:
        return {"dest": dest, "call_status": status, "room": room}
    return {"dest1": dest, "dest2": "", "call_status_dest1": status, "call_status_dest2": "", "room": room}


def refuses(exchange: Exchange, number: str) -> bool:
    """True if a call to the number is not answered, or its person is in another call."""
    return who_answers(exchange, number)[1] not in ("", *_ANSWERED)


PLAIN = CallHandlers(answered=_answered, refused=_refused, over=_over)
