"""Determine the kind, direction and rank of a notification.

A parameter counts if it is present, even if empty: `digits=` means that no key was pressed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django_hoiio.enums import BLOCKS, Direction, Kind, Rank, Route, rank_of, rank_of_acceptance

Rule = tuple[Callable[[Mapping[str, str]], bool], Kind]


def _has(*names: str) -> Callable[[Mapping[str, str]], bool]:
    wanted = frozenset(names)
    return lambda params: not wanted.isdisjoint(params)


_is_fax = _has("fax_status", "fax_url", "fax_error_code")
_is_incoming = _has("from", "to")
_is_outgoing = _has("dest", "dest1", "dest2")
_is_accepted = _has("txn_ref", "dest", "bulk_txn_ref")

# Tried in this order, before the name of the block.
_BEFORE_BLOCKS: tuple[Rule, ...] = (
    (lambda params: _is_fax(params) and _is_incoming(params), Kind.FAX_RECEIVED),
    (_is_fax, Kind.FAX_STATUS),
    (_has("sms_status"), Kind.SMS_STATUS),
    (lambda params: "msg" in params and "call_state" not in params, Kind.SMS_RECEIVED),
    (_has("call_status_dest1", "call_status_dest2", "call_status"), Kind.CALL_ENDED),
)

# Tried after the name of the block. Older notifications do not name their block, so its result identifies it.
_AFTER_BLOCKS: tuple[Rule, ...] = (
    (_has("monitor_url"), Kind.IVR_MONITOR),
    (_has("record_url"), Kind.IVR_RECORD),
    (_has("transfer_status"), Kind.IVR_TRANSFER),
    (_has("dial_status"), Kind.IVR_DIAL),
    (_has("digits"), Kind.IVR_GATHER),
    (lambda params: params.get("call_state") == "ringing", Kind.IVR_ANSWER),
    (lambda params: params.get("call_state") == "ended", Kind.IVR_ENDED),
    (_has("session", "call_state", "ivr_block"), Kind.IVR_STEP),
    (lambda params: "status" in params and _is_accepted(params), Kind.BULK_SMS_STATUS),
    (_has("bulk_txn_ref"), Kind.BULK_SMS_STATUS),
    # A refused message of a bulk SMS may have no other parameter.
    (lambda params: params.get("status", "").startswith(("success_", "error_")), Kind.BULK_SMS_STATUS),
)

# The kind by route, if the parameters are ambiguous: incoming, and otherwise.
_BY_ROUTE: dict[Route, tuple[Kind, Kind]] = {
    Route.VOICE: (Kind.CALL_ENDED, Kind.CALL_ENDED),
    Route.SMS: (Kind.SMS_RECEIVED, Kind.SMS_STATUS),
    Route.FAX: (Kind.FAX_RECEIVED, Kind.FAX_STATUS),
    Route.IVR: (Kind.IVR_STEP, Kind.IVR_STEP),
    Route.ANY: (Kind.UNKNOWN, Kind.UNKNOWN),
}


def kind_of(params: Mapping[str, str], route: Route, block: Mapping[str, Any] = {}) -> Kind:
    """Return the kind by the parameters. If these do not name the block that ended, `block` of the notify URL does."""
    if not params:
        return Kind.UNKNOWN
    kind = (
        _first(_BEFORE_BLOCKS, params)
        or BLOCKS.get(params.get("ivr_block", ""))
        or _first(_AFTER_BLOCKS, params)
        or _BY_ROUTE[route][0 if _is_incoming(params) else 1]
    )
    is_unnamed = kind in (Kind.IVR_STEP, Kind.IVR_ENDED)
    return next((each for each in BLOCKS.values() if is_unnamed and each == block.get("kind")), kind)


def _first(rules: tuple[Rule, ...], params: Mapping[str, str]) -> Kind | None:
    return next((kind for holds, kind in rules if holds(params)), None)


def direction_of(params: Mapping[str, str]) -> Direction | None:
    """Return the direction: `from` or `to` means incoming, `dest` outgoing. An empty `from` is a hidden caller."""
    if _is_incoming(params) or params.get("sms_status") == "received":
        return Direction.INCOMING
    if _is_outgoing(params):
        return Direction.OUTGOING
    return None


# The status parameters of a kind, and the rank if they are missing.
_RANKED_BY: dict[Kind, tuple[tuple[str, ...], Rank]] = {
    Kind.CALL_ENDED: (("call_status", "call_status_dest1", "call_status_dest2"), Rank.FINAL),
    Kind.SMS_RECEIVED: ((), Rank.FINAL),
    Kind.SMS_STATUS: (("sms_status",), Rank.ONGOING),
    Kind.FAX_RECEIVED: (("fax_status",), Rank.FINAL),
    Kind.FAX_STATUS: (("fax_status",), Rank.ONGOING),
    Kind.IVR_ANSWER: (("call_state",), Rank.BEGUN),
}


def rank_of_report(kind: Kind, params: Mapping[str, str]) -> Rank:
    """Rank the transaction by its least advanced part: a call with an ongoing leg is not over."""
    if kind == Kind.BULK_SMS_STATUS:
        return rank_of_acceptance(params.get("status", ""))
    names, otherwise = _RANKED_BY.get(kind, (("call_state",), Rank.ONGOING))
    return min((rank_of(name, params[name]) for name in names if params.get(name)), default=otherwise)
