"""The states of a call: ringing, answered or refused, ended."""

from __future__ import annotations

from collections.abc import Callable

from django_hoiio.enums import Kind

from . import errors, outbox, wire
from .exchange import HANDSET, exchange, now
from .records import CallHandlers, LiveCall, State
from .samples import Params, parameters_of
from .scheduler import Scheduler

# Seconds.
RINGING = 30

_alarms = Scheduler("hoiio sandbox alarm")


def ring(call: LiveCall) -> None:
    """Call the other side. The telephone page's user decides; for any other number, its outcome applies at once."""
    if call.is_at_handset:
        exchange.write("call", text=f"{call.number} calls you.")
        after(RINGING, call, lambda missed: refuse(missed, "unanswered"))
    elif call.outcome in ("answered", "ongoing"):
        answer(call)
    else:
        refuse(call, call.outcome)


def answer(call: LiveCall) -> None:
    """Answer the call and start its maximum duration."""
    call.answered_at = now()
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
    exchange.touch()


def close(call: LiveCall, status: str = "answered") -> None:
    """End a call and charge for it. An unanswered call costs nothing."""
    minutes = wire.minutes(now() - call.answered_at) if call.answered_at else 0
    debit = wire.CALL_RATE * minutes
    exchange.spend(call.transaction.account, debit)
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
    step = call.step

    def due() -> None:
        with exchange.locked() as notices:
            is_known = exchange.calls.get(call.transaction.txn_ref) is call
            if is_known and not call.is_over and (in_any_step or call.step == step):
                action(call)
        outbox.send(notices)

    _alarms.schedule(due, after=seconds)


def run_now(seconds: float) -> bool:
    """Run all alarms now; return False if they take longer than `seconds`."""
    return _alarms.run_now(seconds)


def cancel_all() -> None:
    """Cancel all alarms."""
    _alarms.cancel_all()


_STATUSES = ("call_status_dest1", "call_status_dest2")


def _answered(call: LiveCall) -> None:
    """End a simulated call at once, unless the outcome of its number is `ongoing`."""
    if not call.is_at_handset and call.outcome != "ongoing":
        hang_up(call)


def _refused(call: LiveCall, status: str) -> None:
    """Report a refused call. `dest2` is called only after `dest1` has answered."""
    details = call.transaction.details
    if "dest2" in call.parties:
        is_first = refuses(call.parties["dest1"]) or call.parties["dest1"] == HANDSET
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
    facts = {**references, **call.parties, **_statuses(call), **cost(call)}
    exchange.notify(call.transaction.account, call.notify_url, parameters_of(Kind.CALL_ENDED, facts))


def _statuses(call: LiveCall) -> Params:
    """Return the status of each party. A conference leg has one party."""
    details = call.transaction.details
    if "dest" in call.parties:
        return {"call_status": details["call_status_dest1"]}
    return {name: details[name] for name in _STATUSES}


def refuses(number: str) -> bool:
    """True if a call to the number is not answered."""
    return errors.call_outcome(number) not in ("answered", "ongoing")


PLAIN = CallHandlers(answered=_answered, refused=_refused, over=_over)
