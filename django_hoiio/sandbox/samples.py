"""What Hoiio posts, as data: the names in each kind of notification, and a realistic sample of each."""

from __future__ import annotations

from collections.abc import Mapping

from ..kinds import BLOCKS, Kind, Route
from .wire import CURRENCY

Params = dict[str, str]

_COST = ("date", "duration", "currency", "rate", "debit")
# A call that began as incoming has `from` and `to`, one that was dialled has `dest`; the cost comes with the end.
_IVR = ("ivr_block", "session", "txn_ref", "call_state", "tag", "from", "to", "dest")

# The names in each kind of notification, in the order in which the sandbox writes them.
NAMES: dict[Kind, tuple[str, ...]] = {
    Kind.CALL_ENDED: (
        *("txn_ref", "tag", "dest1", "dest2", "call_status_dest1", "call_status_dest2"),
        # A leg of a conference.
        *("dest", "call_status", "room"),
        *_COST,
    ),
    Kind.SMS_RECEIVED: ("txn_ref", "msg", "from", "to", "date", "currency", "debit"),
    Kind.SMS_STATUS: ("sms_status", "txn_ref", "tag", "dest", "date", "split_count", "currency", "rate", "debit"),
    Kind.BULK_SMS_STATUS: ("status", "txn_ref", "dest", "bulk_txn_ref"),
    Kind.FAX_RECEIVED: (
        *("txn_ref", "fax_status", "from", "to", "fax_url", "date", "duration", "currency", "debit"),
        "fax_error_code",
    ),
    Kind.FAX_STATUS: ("txn_ref", "tag", "dest", "fax_status", "fax_pages", *_COST, "fax_error_code"),
    Kind.IVR_DIAL: (*_IVR, "dial_status", *_COST),
    Kind.IVR_GATHER: (*_IVR, "digits", *_COST),
    Kind.IVR_RECORD: (*_IVR, "record_url", *_COST),
    Kind.IVR_MONITOR: (*_IVR, "monitor_url", *_COST),
    Kind.IVR_TRANSFER: (*_IVR, "transfer_status", *_COST),
    **dict.fromkeys((Kind.IVR_ANSWER, Kind.IVR_PLAY, Kind.IVR_HANGUP, Kind.IVR_UNHOLD), (*_IVR, *_COST)),
    **dict.fromkeys((Kind.IVR_STEP, Kind.IVR_ENDED), (*_IVR[1:], *_COST)),
    Kind.UNKNOWN: ("txn_ref", "date"),
}

_BLOCK_OF = {kind: block for block, kind in BLOCKS.items()}


def written(kind: Kind, facts: Mapping[str, str]) -> Params:
    """Of the facts, what a notification of this kind says, in Hoiio's names; others are left out."""
    if kind in _BLOCK_OF:
        facts = {**facts, "ivr_block": _BLOCK_OF[kind]}
    return {name: facts[name] for name in NAMES[kind] if name in facts}


# Which route of the project a kind belongs to.
ROUTES: dict[Kind, Route] = {
    Kind.CALL_ENDED: Route.VOICE,
    Kind.SMS_RECEIVED: Route.SMS,
    Kind.SMS_STATUS: Route.SMS,
    Kind.BULK_SMS_STATUS: Route.SMS,
    Kind.FAX_RECEIVED: Route.FAX,
    Kind.FAX_STATUS: Route.FAX,
    Kind.UNKNOWN: Route.ANY,
    **{kind: Route.IVR for kind in Kind if kind.is_ivr},
}

# Before the number, in the reference of a transaction.
PREFIXES: dict[Kind, str] = {
    Kind.SMS_RECEIVED: "AA-SI-",
    Kind.SMS_STATUS: "AA-S-",
    Kind.BULK_SMS_STATUS: "AA-S-",
    **{kind: "AA-C-" for kind in Kind if ROUTES[kind] in (Route.VOICE, Route.FAX, Route.IVR)},
    Kind.UNKNOWN: "AA-X-",
}

CALLER, CALLEE, NUMBER = "+6511111111", "+6522222222", "+6533333333"
_CALL = {"call_state": "ongoing", "tag": "", "from": CALLER, "to": NUMBER}
_DIALLED = {"call_state": "ongoing", "tag": "", "dest": CALLEE}
_ENDED = {**_CALL, "call_state": "ended"}
_END = {"duration": "1", "rate": "0.018", "debit": "0.018"}
LINK = "https://files.hoiio.test/{}?Expires=1990000000&AWSAccessKeyId=SANDBOX&Signature=c2FuZGJveA%3D%3D"

_SAMPLES: dict[Kind, Params] = {
    Kind.CALL_ENDED: {
        "tag": "",
        "dest1": CALLER,
        "dest2": CALLEE,
        "call_status_dest1": "answered",
        "call_status_dest2": "answered",
        "duration": "2",
        "rate": "0.018",
        "debit": "0.036",
    },
    Kind.SMS_RECEIVED: {"from": CALLER, "to": NUMBER, "msg": "hoiio world", "debit": "0.013"},
    Kind.SMS_STATUS: {
        "sms_status": "delivered",
        "tag": "",
        "dest": CALLER,
        "split_count": "1",
        "rate": "0.032",
        "debit": "0.032",
    },
    Kind.BULK_SMS_STATUS: {"status": "success_ok", "dest": CALLER},
    Kind.FAX_RECEIVED: {
        "fax_status": "answered",
        "from": CALLER,
        "to": NUMBER,
        "fax_url": LINK.format("fax-1.pdf"),
        "duration": "1",
        "debit": "0.013",
    },
    Kind.FAX_STATUS: {
        "fax_status": "answered",
        "tag": "",
        "dest": CALLEE,
        "fax_pages": "3",
        "duration": "2",
        "rate": "0.032",
        "debit": "0.096",
    },
    Kind.IVR_ANSWER: {**_CALL, "call_state": "ringing"},
    Kind.IVR_DIAL: {**_DIALLED, "dial_status": "answered"},
    Kind.IVR_PLAY: _CALL,
    Kind.IVR_GATHER: {**_CALL, "digits": "1"},
    Kind.IVR_RECORD: {**_CALL, "record_url": LINK.format("rec-1.mp3")},
    Kind.IVR_MONITOR: _CALL,
    Kind.IVR_TRANSFER: {**_ENDED, "transfer_status": "answered"},
    Kind.IVR_HANGUP: _ENDED,
    Kind.IVR_UNHOLD: _CALL,
    Kind.IVR_STEP: _CALL,
    Kind.IVR_ENDED: _ENDED,
    Kind.UNKNOWN: {},
}


# What a notification says unlike another; `None` takes a name out.
Said = Mapping[str, str | None]


def changed(params: Said, said: Said) -> Params:
    """The parameters with what is said instead, new names at the end."""
    return {name: text for name, text in {**params, **said}.items() if text is not None}


def sample(kind: Kind, *, number: int, date: str, said: Said) -> Params:
    """A realistic notification whose references bear the number; `said` replaces, adds or takes out parameters.

    `date` is written as Hoiio writes it. An interactive call has it, and its cost, only once it has ended.
    """
    references = {"txn_ref": f"{PREFIXES[kind]}{number}", "session": f"S{number}", "bulk_txn_ref": f"AA-B-{number}"}
    facts = {**_SAMPLES[kind], **references, "date": date, "currency": CURRENCY}
    if kind.is_ivr and (said.get("call_state") or facts["call_state"]) == "ended":
        facts |= _END
    elif kind.is_ivr:
        facts = {name: text for name, text in facts.items() if name not in _COST}
    return changed(written(kind, facts), said)
