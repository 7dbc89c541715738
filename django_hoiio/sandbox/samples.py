"""Sample notifications of each kind, and scripts of whole transactions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from django_hoiio.enums import BLOCKS, Kind, Route

from .wire import CURRENCY

Params = dict[str, str]

_COST = ("date", "duration", "currency", "rate", "debit")
# Incoming calls have `from` and `to`, outgoing calls have `dest`. Only the last notification has the cost.
_IVR = ("ivr_block", "session", "txn_ref", "call_state", "tag", "from", "to", "dest")

# Parameters of each kind of notification, in the order in which the sandbox sends them.
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


def parameters_of(kind: Kind, facts: Mapping[str, str]) -> Params:
    """Return the facts that are parameters of this kind of notification; leave out others."""
    if kind in _BLOCK_OF:
        facts = {**facts, "ivr_block": _BLOCK_OF[kind]}
    return {name: facts[name] for name in NAMES[kind] if name in facts}


ROUTE_OF_KIND: dict[Kind, Route] = {
    Kind.CALL_ENDED: Route.VOICE,
    Kind.SMS_RECEIVED: Route.SMS,
    Kind.SMS_STATUS: Route.SMS,
    Kind.BULK_SMS_STATUS: Route.SMS,
    Kind.FAX_RECEIVED: Route.FAX,
    Kind.FAX_STATUS: Route.FAX,
    Kind.UNKNOWN: Route.ANY,
    **{kind: Route.IVR for kind in Kind if kind.is_ivr},
}

# Prefixes of `txn_ref`.
PREFIXES: dict[Kind, str] = {
    Kind.SMS_RECEIVED: "AA-SI-",
    Kind.SMS_STATUS: "AA-S-",
    Kind.BULK_SMS_STATUS: "AA-S-",
    **{kind: "AA-C-" for kind in Kind if ROUTE_OF_KIND[kind] in (Route.VOICE, Route.FAX, Route.IVR)},
    Kind.UNKNOWN: "AA-X-",
}

CALLER, CALLEE, NUMBER = "+6511111111", "+6522222222", "+6533333333"
_CALL = {"call_state": "ongoing", "tag": "", "from": CALLER, "to": NUMBER}
_DIALLED = {"call_state": "ongoing", "tag": "", "dest": CALLEE}
_ENDED = {**_CALL, "call_state": "ended"}
_END = {"duration": "1", "rate": "0.018", "debit": "0.018"}
SAMPLE_LINK = "https://files.hoiio.test/{}?Expires=1990000000&AWSAccessKeyId=SANDBOX&Signature=c2FuZGJveA%3D%3D"

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
        "fax_url": SAMPLE_LINK.format("fax-1.pdf"),
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
    Kind.IVR_RECORD: {**_CALL, "record_url": SAMPLE_LINK.format("rec-1.mp3")},
    Kind.IVR_MONITOR: _CALL,
    Kind.IVR_TRANSFER: {**_ENDED, "transfer_status": "answered"},
    Kind.IVR_HANGUP: _ENDED,
    Kind.IVR_UNHOLD: _CALL,
    Kind.IVR_STEP: _CALL,
    Kind.IVR_ENDED: _ENDED,
    Kind.UNKNOWN: {},
}


# Changes to parameters; `None` removes one.
Changes = Mapping[str, str | None]


def with_changes(params: Changes, changes: Changes) -> Params:
    """Return the changed parameters, with new names at the end."""
    return {name: text for name, text in {**params, **changes}.items() if text is not None}


def sample(kind: Kind, *, number: int, date: str, changes: Changes) -> Params:
    """Return a realistic notification with `number` in its references; `changes` replace, add or remove parameters.

    `date` is in Hoiio's format. An interactive call has a date and a cost only after its end.
    """
    references = {"txn_ref": f"{PREFIXES[kind]}{number}", "session": f"S{number}", "bulk_txn_ref": f"AA-B-{number}"}
    facts = {**_SAMPLES[kind], **references, "date": date, "currency": CURRENCY}
    if kind.is_ivr and (changes.get("call_state") or facts["call_state"]) == "ended":
        facts |= _END
    elif kind.is_ivr:
        facts = {name: text for name, text in facts.items() if name not in _COST}
    return with_changes(parameters_of(kind, facts), changes)


class ScriptStep(NamedTuple):
    """One notification of a script: its kind, its changes to the sample, and the transaction it reports."""

    kind: Kind
    changes: Changes = MappingProxyType({})
    # Counts from 0 if the script has several transactions.
    of: int = 0


_FREE = {"duration": "0", "debit": "0.000"}
_CALL_OVER = {"call_state": "ended"}
_MISSED = {**_CALL_OVER, **_FREE}
_TO_CALLEE = {"from": None, "to": None, "dest": CALLEE}


def step_parameters(step: ScriptStep, facts: Mapping[str, str]) -> Params:
    """Return the parameters of a step; the transaction's facts override the script."""
    return parameters_of(step.kind, with_changes(step.changes, facts))


def sms_script(*statuses: str) -> tuple[ScriptStep, ...]:
    """Return the reports of an SMS, one for each status."""
    return tuple(ScriptStep(Kind.SMS_STATUS, {"sms_status": status}) for status in statuses)


def fax_script(word: str) -> tuple[ScriptStep, ...]:
    """Return the report of a fax with this final status."""
    if word == "answered":
        return (ScriptStep(Kind.FAX_STATUS, {"fax_status": word}),)
    return (ScriptStep(Kind.FAX_STATUS, {"fax_status": word, "fax_error_code": "busy", "fax_pages": None, **_FREE}),)


def _call(first: str, second: str) -> tuple[ScriptStep, ...]:
    free = {} if second == "answered" else _FREE
    return (ScriptStep(Kind.CALL_ENDED, {"call_status_dest1": first, "call_status_dest2": second, **free}),)


def _leg(word: str, dest: str, of: int) -> ScriptStep:
    """Return a leg of a conference. Hoiio does not document its parameters; SDKs read these names."""
    second = {"dest2": "", "call_status_dest2": ""}
    free = {} if word == "answered" else _FREE
    return ScriptStep(Kind.CALL_ENDED, {"dest1": dest, "call_status_dest1": word, **second, "room": "R1", **free}, of)


_TEXT = "A long text comes in parts of at most 152 characters, and nothing in them shows which is the first. "

SCRIPTS: dict[str, tuple[ScriptStep, ...]] = {
    "sms_delivered": sms_script("queued", "delivered"),
    "sms_failed": sms_script("queued", "failed"),
    "sms_error": sms_script("error"),
    # The last status if the carrier sends no delivery receipts.
    "sms_queued": sms_script("queued"),
    "sms_received": (ScriptStep(Kind.SMS_RECEIVED),),
    "long_sms": tuple(
        ScriptStep(Kind.SMS_RECEIVED, {"msg": text}, of)
        for of, text in enumerate(((_TEXT * 2)[:152], _TEXT, "The end."))
    ),
    "bulk_sms": (
        ScriptStep(Kind.BULK_SMS_STATUS, {"dest": CALLER}, of=0),
        ScriptStep(Kind.BULK_SMS_STATUS, {"dest": CALLEE}, of=1),
        # A refused message has no `txn_ref`.
        ScriptStep(
            Kind.BULK_SMS_STATUS, {"status": "error_dest_not_supported", "txn_ref": None, "dest": "+6500000500"}
        ),
        ScriptStep(Kind.SMS_STATUS, {"sms_status": "queued", "dest": CALLER}, of=0),
        ScriptStep(Kind.SMS_STATUS, {"sms_status": "queued", "dest": CALLEE}, of=1),
        ScriptStep(Kind.SMS_STATUS, {"sms_status": "delivered", "dest": CALLER}, of=0),
        ScriptStep(Kind.SMS_STATUS, {"sms_status": "failed", "dest": CALLEE}, of=1),
    ),
    "call": _call("answered", "answered"),
    "call_failed": _call("answered", "failed"),
    "call_busy": _call("answered", "busy"),
    "call_unanswered": _call("answered", "unanswered"),
    "call_never_begun": _call("unanswered", "unanswered"),
    "conference": (_leg("answered", CALLER, 0), _leg("answered", CALLEE, 1), _leg("busy", "+6500000200", 2)),
    "fax_answered": fax_script("answered"),
    "fax_failed": fax_script("failed"),
    "fax_busy": fax_script("busy"),
    "fax_unanswered": fax_script("unanswered"),
    "fax_received": (ScriptStep(Kind.FAX_RECEIVED),),
    # The caller hangs up while recording, so one notification reports the recording and the end.
    "ivr_voicemail": (ScriptStep(Kind.IVR_ANSWER), ScriptStep(Kind.IVR_PLAY), ScriptStep(Kind.IVR_RECORD, _CALL_OVER)),
    "ivr_menu": (
        ScriptStep(Kind.IVR_ANSWER),
        # The caller pressed no key in time, so the application gathers again.
        ScriptStep(Kind.IVR_GATHER, {"digits": ""}),
        ScriptStep(Kind.IVR_GATHER, {"digits": "1"}),
        ScriptStep(Kind.IVR_TRANSFER),
    ),
    "ivr_hold": (ScriptStep(Kind.IVR_ANSWER), ScriptStep(Kind.IVR_UNHOLD), ScriptStep(Kind.IVR_HANGUP)),
    "ivr_monitor": (
        ScriptStep(Kind.IVR_ANSWER),
        ScriptStep(Kind.IVR_MONITOR),
        ScriptStep(Kind.IVR_ENDED),
        # The recording of the whole call is ready only after the call.
        ScriptStep(Kind.IVR_MONITOR, {"call_state": None, "monitor_url": SAMPLE_LINK.format("mon-1.mp3")}),
    ),
    "ivr_dial": (
        ScriptStep(Kind.IVR_DIAL),
        ScriptStep(Kind.IVR_PLAY, _TO_CALLEE),
        ScriptStep(Kind.IVR_HANGUP, _TO_CALLEE),
    ),
    "ivr_dial_unanswered": (ScriptStep(Kind.IVR_DIAL, {"dial_status": "unanswered", **_MISSED}),),
    # The caller hangs up before the application requests a block.
    "ivr_missed": (ScriptStep(Kind.IVR_ANSWER), ScriptStep(Kind.IVR_ENDED, _MISSED)),
    # In 2012, notifications did not name their block.
    "ivr_unnamed": (
        ScriptStep(Kind.IVR_ANSWER, {"ivr_block": None}),
        ScriptStep(Kind.IVR_STEP),
        ScriptStep(Kind.IVR_GATHER, {"ivr_block": None}),
        ScriptStep(Kind.IVR_RECORD, {"ivr_block": None}),
        ScriptStep(Kind.IVR_ENDED),
    ),
}
