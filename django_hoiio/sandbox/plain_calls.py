"""Calls between two numbers, and the legs of a conference: the application hears of them when they are over."""

from __future__ import annotations

from ..kinds import Kind
from . import outcomes
from .calls import close, cost, hang_up
from .exchange import HANDSET, exchange
from .records import Call, Conduct
from .samples import Params, written

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
    exchange.notify(call.transaction.account, call.notify_url, written(Kind.CALL_ENDED, facts))


def _statuses(call: Call) -> Params:
    """How each party came out; a leg of a conference is one party."""
    said = call.transaction.said
    if "dest" in call.parties:
        return {"call_status": said["call_status_dest1"]}
    return {name: said[name] for name in _STATUSES}


def refuses(number: str) -> bool:
    """True where a call to the number is not answered."""
    return outcomes.of_call(number) not in ("answered", "ongoing")


PLAIN = Conduct(answered=_answered, refused=_refused, over=_over)
