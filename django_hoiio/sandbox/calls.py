"""The life of a call: it rings, is answered or refused, and is hung up."""

from __future__ import annotations

from collections.abc import Callable

from django_hoiio.enums import Kind

from . import errors, outbox, wire
from .exchange import HANDSET, exchange, now
from .records import Call, CallHandlers, State
from .samples import Params, parameters_of
from .scheduler import Scheduler

# Seconds.
RINGING = 30

_alarms = Scheduler("hoiio sandbox alarm")


def ring(call: Call) -> None:
    """Call the other side. At the telephone a person decides; elsewhere the number does, and at once."""
    if call.is_at_handset:
        exchange.write("call", text=f"{call.number} calls you.")
        after(RINGING, call, lambda missed: refuse(missed, "unanswered"))
    elif call.outcome in ("answered", "ongoing"):
        answer(call)
    else:
        refuse(call, call.outcome)


def answer(call: Call) -> None:
    """It is answered; from then on its longest duration counts."""
    call.answered_at = now()
    move(call, State.ONGOING)
    if call.max_duration:
        after(call.max_duration, call, hang_up, whatever_happens=True)
    call.conduct.answered(call)


def refuse(call: Call, status: str) -> None:
    """It is not answered; the status word says why."""
    close(call, status)
    call.conduct.refused(call, status)


def hang_up(call: Call) -> None:
    """The other side hangs up."""
    call.conduct.over(call)


def move(call: Call, state: State) -> None:
    """Change the state, which makes alarms that were set before pointless."""
    call.state = state
    call.step += 1
    exchange.touch()


def close(call: Call, status: str = "answered") -> None:
    """End a call and charge for it; one that nobody answered costs nothing."""
    minutes = wire.minutes(now() - call.answered_at) if call.answered_at else 0
    debit = wire.CALL_RATE * minutes
    exchange.spend(call.transaction.account, debit)
    said = call.transaction.said
    said.update({name: status for name, word in said.items() if word == "ongoing"})
    said |= {"duration": str(minutes), "debit": wire.amount(debit)}
    move(call, State.ENDED)


def cost(call: Call) -> Params:
    """What a notification of the end says of date and cost."""
    said = call.transaction.said
    names = ("duration", "currency", "rate", "debit")
    return {"date": wire.notified_date(call.transaction.at), **{name: said[name] for name in names}}


def after(seconds: float, call: Call, deed: Callable[[Call], None], *, whatever_happens: bool = False) -> None:
    """Do it in so many seconds, if the call is then where it is now or, whatever happens, if it is not over."""
    step = call.step

    def due() -> None:
        with exchange.locked() as notices:
            is_known = exchange.calls.get(call.transaction.txn_ref) is call
            if is_known and not call.is_over and (whatever_happens or call.step == step):
                deed(call)
        outbox.send(notices)

    _alarms.schedule(due, after=seconds)


def hurry(seconds: float) -> bool:
    """Let all alarms ring now, as if their time had come; false when they have not in so many seconds."""
    return _alarms.hurry(seconds)


def forget() -> None:
    """Let no alarm ring any more."""
    _alarms.forget()


_STATUSES = ("call_status_dest1", "call_status_dest2")


def _answered(call: Call) -> None:
    """A machine has said all at once, unless its number says that it goes on."""
    if not call.is_at_handset and call.outcome != "ongoing":
        hang_up(call)


def _refused(call: Call, status: str) -> None:
    """Of two parties, the second is called when the first has answered."""
    said = call.transaction.said
    if "dest2" in call.parties:
        is_first = refuses(call.parties["dest1"]) or call.parties["dest1"] == HANDSET
        words = (status, "unanswered") if is_first else ("answered", status)
        said.update(zip(_STATUSES, words, strict=True))
    _tell(call)


def _over(call: Call) -> None:
    if call.answered_at is None:
        close(call, "unanswered")
        _refused(call, "unanswered")
    else:
        close(call)
        _tell(call)


def _tell(call: Call) -> None:
    references = {"txn_ref": call.transaction.txn_ref, "tag": call.transaction.said["tag"]}
    facts = {**references, **call.parties, **_statuses(call), **cost(call)}
    exchange.notify(call.transaction.account, call.notify_url, parameters_of(Kind.CALL_ENDED, facts))


def _statuses(call: Call) -> Params:
    """How each party came out; a leg of a conference is one party."""
    said = call.transaction.said
    if "dest" in call.parties:
        return {"call_status": said["call_status_dest1"]}
    return {name: said[name] for name in _STATUSES}


def refuses(number: str) -> bool:
    """True where a call to the number is not answered."""
    return errors.call_outcome(number) not in ("answered", "ongoing")


PLAIN = CallHandlers(answered=_answered, refused=_refused, over=_over)
