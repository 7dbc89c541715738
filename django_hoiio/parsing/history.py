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
_Replacements = Mapping[str, str | None]


def as_notified(entry: Mapping[str, str], route: Route) -> dict[str, str]:
    """Return an entry as notification parameters, without others such as the sender of an outgoing SMS.

    The route of a call is `ivr` if it is known to be interactive, `any` if it is unknown and looks incoming, and
    `voice` otherwise.
    """
    converted = {**entry, **_CONVERTERS[route](entry)}
    return {name: text for name, text in converted.items() if name in PARAMETERS and text is not None}


def is_over(entry: Mapping[str, str]) -> bool:
    """Return whether a call is over: it has a duration or final statuses, and no leg is `ongoing`."""
    statuses = [(name, entry[name]) for name in LEGS if entry.get(name)]
    if any(word == CallStatus.ONGOING for _, word in statuses):
        return False
    return bool(entry.get("duration")) or (statuses != [] and all(rank_of(*word) == Rank.FINAL for word in statuses))


def looks_incoming(entry: Mapping[str, str]) -> bool:
    """Return whether a call names one party and the Hoiio Number, as an incoming call does."""
    return bool(entry.get("number")) and not (entry.get("dest1") and entry.get("dest2"))


def _sms(entry: Mapping[str, str]) -> _Replacements:
    word = entry.get("sms_status")
    if word == SmsStatus.RECEIVED or (not word and entry.get("txn_ref", "").startswith(INCOMING_SMS)):
        return {"sms_status": None, **_parties(entry)}
    return {}


def _fax(entry: Mapping[str, str]) -> _Replacements:
    # An outgoing fax has no `src`.
    return _parties(entry) if entry.get("src") else {}


def _parties(entry: Mapping[str, str]) -> _Replacements:
    return {"from": entry.get("src", ""), "to": entry.get("dest", ""), "dest": None}


def _interactive(entry: Mapping[str, str]) -> _Replacements:
    """Drop the parties: they are known from the notifications, which name them differently."""
    state = CallState.ENDED if is_over(entry) else CallState.ONGOING
    return {"call_state": state.value, **dict.fromkeys((*LEGS, "dest", "dest1", "dest2"))}


def _incoming_call(entry: Mapping[str, str]) -> _Replacements:
    return {**_interactive(entry), "from": entry.get("dest1") or entry.get("dest2", ""), "to": entry["number"]}


def _any(entry: Mapping[str, str]) -> _Replacements:
    return _incoming_call(entry) if looks_incoming(entry) else {}


_CONVERTERS: dict[Route, Callable[[Mapping[str, str]], _Replacements]] = {
    Route.VOICE: lambda entry: {},
    Route.IVR: _interactive,
    Route.SMS: _sms,
    Route.FAX: _fax,
    Route.ANY: _any,
}
