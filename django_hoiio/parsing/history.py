"""Convert an entry of Hoiio's history into the parameters of a notification.

History names the parties differently, has its own status for an incoming SMS, and does not say that a call is
interactive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django_hoiio.enums import CallState, CallStatus, Rank, Route, SmsStatus, rank_of

from .parameters import PARAMETERS

# Prefix of the txn_ref of an incoming SMS; a hint for an entry without a status.
INCOMING_SMS = "AA-SI-"

LEGS = ("call_status", "call_status_dest1", "call_status_dest2")

# Replacement parameters; `None` removes a name.
_Said = Mapping[str, str | None]


def as_notified(said: Mapping[str, str], route: Route) -> dict[str, str]:
    """Return an entry as notification parameters, without others such as the sender of an outgoing SMS.

    The route of a call is `ivr` if it is known to be interactive, `any` if it is unknown and looks incoming, and
    `voice` otherwise.
    """
    put = {**said, **_PUT[route](said)}
    return {name: text for name, text in put.items() if name in PARAMETERS and text is not None}


def is_over(said: Mapping[str, str]) -> bool:
    """Return whether a call is over: it has a duration or final statuses, and no leg is `ongoing`."""
    words = [(name, said[name]) for name in LEGS if said.get(name)]
    if any(word == CallStatus.ONGOING for _, word in words):
        return False
    return bool(said.get("duration")) or (words != [] and all(rank_of(*word) == Rank.FINAL for word in words))


def looks_incoming(said: Mapping[str, str]) -> bool:
    """Return whether a call names one party and the Hoiio Number, as an incoming call does."""
    return bool(said.get("number")) and not (said.get("dest1") and said.get("dest2"))


def _sms(said: Mapping[str, str]) -> _Said:
    word = said.get("sms_status")
    if word == SmsStatus.RECEIVED or (not word and said.get("txn_ref", "").startswith(INCOMING_SMS)):
        return {"sms_status": None, **_parties(said)}
    return {}


def _fax(said: Mapping[str, str]) -> _Said:
    # An outgoing fax has no `src`.
    return _parties(said) if said.get("src") else {}


def _parties(said: Mapping[str, str]) -> _Said:
    return {"from": said.get("src", ""), "to": said.get("dest", ""), "dest": None}


def _call(said: Mapping[str, str]) -> _Said:
    """Rename the parameters of a conference leg: it has one party, and notifications use `dest` for it."""
    if not said.get("dest1") or said.get("dest2") or said.get("call_status_dest2"):
        return {}
    leg = {"dest": said["dest1"], "call_status": said.get("call_status_dest1")}
    return {**leg, "dest1": None, "call_status_dest1": None}


def _interactive(said: Mapping[str, str]) -> _Said:
    """Drop the parties: they are known from the notifications, which name them differently."""
    state = CallState.ENDED if is_over(said) else CallState.ONGOING
    return {"call_state": state.value, **dict.fromkeys((*LEGS, "dest", "dest1", "dest2"))}


def _came_in(said: Mapping[str, str]) -> _Said:
    return {**_interactive(said), "from": said.get("dest1") or said.get("dest2", ""), "to": said["number"]}


def _any(said: Mapping[str, str]) -> _Said:
    return _came_in(said) if looks_incoming(said) else _call(said)


_PUT: dict[Route, Callable[[Mapping[str, str]], _Said]] = {
    Route.VOICE: _call,
    Route.IVR: _interactive,
    Route.SMS: _sms,
    Route.FAX: _fax,
    Route.ANY: _any,
}
