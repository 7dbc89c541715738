"""Scripts: what Hoiio posts in the course of a transaction, as data.

The sandbox plays those of SMS and faxes for what the application sends; `hoiio_trigger` plays any.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ..kinds import Kind
from .samples import CALLEE, CALLER, LINK, Params, Said, changed, written


class Step(NamedTuple):
    """One notification of a script: its kind, what it says unlike the sample, and which transaction it reports."""

    kind: Kind
    said: Said = MappingProxyType({})
    # From 0, where a script tells of several.
    of: int = 0


_FREE = {"duration": "0", "debit": "0.000"}
_ENDED = {"call_state": "ended"}
_MISSED = {**_ENDED, **_FREE}
_DIALLED = {"from": None, "to": None, "dest": CALLEE}


def played(step: Step, facts: Mapping[str, str]) -> Params:
    """What a step says of a transaction; what is a fact there, the script does not decide."""
    return written(step.kind, changed(step.said, facts))


def sms_script(*words: str) -> tuple[Step, ...]:
    """The reports of an SMS, one for each status word."""
    return tuple(Step(Kind.SMS_STATUS, {"sms_status": word}) for word in words)


def fax_script(word: str) -> tuple[Step, ...]:
    """The report of a fax that came out with this status word."""
    if word == "answered":
        return (Step(Kind.FAX_STATUS, {"fax_status": word}),)
    return (Step(Kind.FAX_STATUS, {"fax_status": word, "fax_error_code": "busy", "fax_pages": None, **_FREE}),)


def _call(first: str, second: str) -> tuple[Step, ...]:
    free = {} if second == "answered" else _FREE
    return (Step(Kind.CALL_ENDED, {"call_status_dest1": first, "call_status_dest2": second, **free}),)


def _leg(word: str, dest: str, of: int) -> Step:
    """A leg of a conference; Hoiio does not document its names, and these are likely."""
    others = dict.fromkeys(("dest1", "dest2", "call_status_dest1", "call_status_dest2"))
    free = {} if word == "answered" else _FREE
    return Step(Kind.CALL_ENDED, {**others, "dest": dest, "call_status": word, "room": "R1", **free}, of)


_TEXT = "A long text comes in parts of at most 152 characters, and nothing in them says which is the first. "

SCRIPTS: dict[str, tuple[Step, ...]] = {
    "sms_delivered": sms_script("queued", "delivered"),
    "sms_failed": sms_script("queued", "failed"),
    "sms_error": sms_script("error"),
    # The last word where the carrier gives no receipts.
    "sms_queued": sms_script("queued"),
    "sms_received": (Step(Kind.SMS_RECEIVED),),
    "long_sms": tuple(
        Step(Kind.SMS_RECEIVED, {"msg": text}, of) for of, text in enumerate(((_TEXT * 2)[:152], _TEXT, "The end."))
    ),
    "bulk_sms": (
        Step(Kind.BULK_SMS_STATUS, {"dest": CALLER}, of=0),
        Step(Kind.BULK_SMS_STATUS, {"dest": CALLEE}, of=1),
        # A refused message has no reference.
        Step(Kind.BULK_SMS_STATUS, {"status": "error_dest_not_supported", "txn_ref": None, "dest": "+6500000500"}),
        Step(Kind.SMS_STATUS, {"sms_status": "queued", "dest": CALLER}, of=0),
        Step(Kind.SMS_STATUS, {"sms_status": "queued", "dest": CALLEE}, of=1),
        Step(Kind.SMS_STATUS, {"sms_status": "delivered", "dest": CALLER}, of=0),
        Step(Kind.SMS_STATUS, {"sms_status": "failed", "dest": CALLEE}, of=1),
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
    "fax_received": (Step(Kind.FAX_RECEIVED),),
    # The caller hangs up while recording, so one notification brings the recording and the end.
    "ivr_voicemail": (Step(Kind.IVR_ANSWER), Step(Kind.IVR_PLAY), Step(Kind.IVR_RECORD, _ENDED)),
    "ivr_menu": (
        Step(Kind.IVR_ANSWER),
        # No key came in time, so the application asked again.
        Step(Kind.IVR_GATHER, {"digits": ""}),
        Step(Kind.IVR_GATHER, {"digits": "1"}),
        Step(Kind.IVR_TRANSFER),
    ),
    "ivr_hold": (Step(Kind.IVR_ANSWER), Step(Kind.IVR_UNHOLD), Step(Kind.IVR_HANGUP)),
    "ivr_monitor": (
        Step(Kind.IVR_ANSWER),
        Step(Kind.IVR_MONITOR),
        Step(Kind.IVR_ENDED),
        # The recording of the whole call is ready only after it.
        Step(Kind.IVR_MONITOR, {"call_state": None, "monitor_url": LINK.format("mon-1.mp3")}),
    ),
    "ivr_dial": (
        Step(Kind.IVR_DIAL),
        Step(Kind.IVR_PLAY, _DIALLED),
        Step(Kind.IVR_HANGUP, _DIALLED),
    ),
    "ivr_dial_unanswered": (Step(Kind.IVR_DIAL, {"dial_status": "unanswered", **_MISSED}),),
    # The caller gives up before the application has done anything.
    "ivr_missed": (Step(Kind.IVR_ANSWER), Step(Kind.IVR_ENDED, _MISSED)),
    # As in 2012, when blocks did not give their names.
    "ivr_unnamed": (
        Step(Kind.IVR_ANSWER, {"ivr_block": None}),
        Step(Kind.IVR_STEP),
        Step(Kind.IVR_GATHER, {"ivr_block": None}),
        Step(Kind.IVR_RECORD, {"ivr_block": None}),
        Step(Kind.IVR_ENDED),
    ),
}
