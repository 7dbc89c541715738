"""Enumerations of Hoiio's values: routes, kinds, statuses and their rank."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

__all__ = [
    "CallOutcome",
    "CallState",
    "CallStatus",
    "Channel",
    "Direction",
    "FaxStatus",
    "Kind",
    "Rank",
    "Route",
    "SmsStatus",
    "Source",
    "Traffic",
    "VerifiedBy",
]


class Route(TextChoices):
    """The URLs that receive notifications. The route decides the kind only if the parameters are ambiguous."""

    VOICE = "voice", _("voice")
    SMS = "sms", _("SMS")
    FAX = "fax", _("fax")
    IVR = "ivr", _("IVR")
    ANY = "any", _("any")


class Channel(TextChoices):
    """The parts of Hoiio. Each has its own history."""

    VOICE = "voice", _("voice")
    SMS = "sms", _("SMS")
    FAX = "fax", _("fax")


class Kind(TextChoices):
    """Kind of a notification. The signals have the same names."""

    #: A call between two numbers, or a leg of a conference, has ended.
    CALL_ENDED = "call_ended", _("call ended")
    #: One of your numbers received an SMS.
    SMS_RECEIVED = "sms_received", _("SMS received")
    #: Delivery status of an SMS that you sent.
    SMS_STATUS = "sms_status", _("SMS status")
    #: One message of a bulk SMS was accepted (with its reference) or refused.
    BULK_SMS_STATUS = "bulk_sms_status", _("bulk SMS status")
    #: One of your numbers received a fax.
    FAX_RECEIVED = "fax_received", _("fax received")
    #: Status of a fax that you sent.
    FAX_STATUS = "fax_status", _("fax status")
    #: One of your numbers is called. It rings until the application sends a block.
    IVR_ANSWER = "ivr_answer", _("IVR: incoming call")
    #: A block of an interactive voice response call has ended.
    IVR_DIAL = "ivr_dial", _("IVR: dialled")
    IVR_PLAY = "ivr_play", _("IVR: message played")
    IVR_GATHER = "ivr_gather", _("IVR: keys gathered")
    IVR_RECORD = "ivr_record", _("IVR: voice recorded")
    IVR_MONITOR = "ivr_monitor", _("IVR: call monitored")
    IVR_TRANSFER = "ivr_transfer", _("IVR: transferred")
    IVR_HANGUP = "ivr_hangup", _("IVR: hung up")
    IVR_UNHOLD = "ivr_unhold", _("IVR: taken off hold")
    #: A block ended that neither Hoiio nor the notify URL names.
    IVR_STEP = "ivr_step", _("IVR: unnamed step")
    #: The interactive call has ended.
    IVR_ENDED = "ivr_ended", _("IVR: call ended")
    #: The parameters match no kind. The notification is stored anyway.
    UNKNOWN = "unknown", _("unknown")

    @property
    def is_ivr(self) -> bool:
        """True if a caller may be waiting for the next block."""
        return self.startswith("ivr_")


# Hoiio's names of blocks in `ivr_block`.
BLOCKS = {
    "answer": Kind.IVR_ANSWER,
    "dial": Kind.IVR_DIAL,
    "play": Kind.IVR_PLAY,
    "gather": Kind.IVR_GATHER,
    "record": Kind.IVR_RECORD,
    "monitor": Kind.IVR_MONITOR,
    "transfer": Kind.IVR_TRANSFER,
    "hangup": Kind.IVR_HANGUP,
    "unhold": Kind.IVR_UNHOLD,
}


class Source(TextChoices):
    """Source of a notification."""

    WEBHOOK = "webhook", _("webhook")
    #: The database was unavailable when the webhook was called.
    SPOOL = "spool", _("webhook, imported from the spool")
    #: Read from Hoiio's history or from a status query.
    POLL = "poll", _("read from Hoiio's API")


class VerifiedBy(TextChoices):
    """Method by which the sender of a notification was verified."""

    NONE = "", _("not verified")
    URL = "url", _("signed notify URL")
    SIGNATURE = "signature", _("signature header")


class Direction(TextChoices):
    """Direction of a transaction, seen from the application."""

    INCOMING = "incoming", _("incoming")
    OUTGOING = "outgoing", _("outgoing")


class Traffic(TextChoices):
    """A channel and a direction. Daily totals are counted for each."""

    CALLS_MADE = "calls_made", _("calls made")
    #: Includes calls whose direction no notification reported.
    CALLS_RECEIVED = "calls_received", _("calls received")
    SMS_SENT = "sms_sent", _("SMS sent")
    SMS_RECEIVED = "sms_received", _("SMS received")
    FAXES_SENT = "faxes_sent", _("faxes sent")
    FAXES_RECEIVED = "faxes_received", _("faxes received")


class Rank(IntEnum):
    """Progress of a transaction. A report of lower rank never overwrites one of higher rank."""

    SENT = 1
    BEGUN = 2
    ONGOING = 3
    FINAL = 4


class SmsStatus(TextChoices):
    """Status of an SMS."""

    #: Also the last status if the carrier sends no delivery receipts.
    QUEUED = "queued", _("queued")
    #: The SMS reached the recipient's operator, not necessarily the handset.
    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("failed")
    ERROR = "error", _("error")
    #: An incoming SMS, in Hoiio's history.
    RECEIVED = "received", _("received")


class CallStatus(TextChoices):
    """Status of a call, one of its legs, a dialled number or a transfer."""

    ONGOING = "ongoing", _("ongoing")
    ANSWERED = "answered", _("answered")
    UNANSWERED = "unanswered", _("unanswered")
    FAILED = "failed", _("failed")
    BUSY = "busy", _("busy")


# Hoiio uses the same words for faxes.
FaxStatus = CallStatus


class CallOutcome(TextChoices):
    """Outcome of a whole call, from its direction, its statuses and its duration: see `Call.outcome`."""

    IN_PROGRESS = "in_progress", _("in progress")
    ANSWERED = "answered", _("answered")
    MISSED = "missed", _("missed")
    #: Outgoing calls only. An incoming call that is not answered is missed.
    BUSY = "busy", _("busy")
    FAILED = "failed", _("failed")
    #: Over, and Hoiio reported neither a duration nor a documented status.
    UNKNOWN = "unknown", _("unknown")


class CallState(TextChoices):
    """The state of an interactive call."""

    #: Incoming, before the application sends a block.
    RINGING = "ringing", _("ringing")
    #: A block ended and the caller waits for the next one.
    ONGOING = "ongoing", _("ongoing")
    ENDED = "ended", _("ended")


# The known values of the status parameters. Hoiio may also send values that are not listed.
KNOWN_STATUSES: dict[str, frozenset[str]] = {
    "sms_status": frozenset(SmsStatus.values),
    "fax_status": frozenset(FaxStatus.values),
    "call_state": frozenset(CallState.values),
    "call_status": frozenset(CallStatus.values),
    "call_status_dest1": frozenset(CallStatus.values),
    "call_status_dest2": frozenset(CallStatus.values),
    "dial_status": frozenset(CallStatus.values),
    "transfer_status": frozenset(CallStatus.values),
}


def signal_kinds(kind: Kind, params: Mapping[str, str]) -> tuple[Kind, ...]:
    """Return the kinds of signals to send: the kind itself, and `ivr_ended` if the call ended with the block."""
    if kind.is_ivr and kind != Kind.IVR_ENDED and params.get("call_state") == CallState.ENDED:
        return (kind, Kind.IVR_ENDED)
    return (kind,)


_NOT_FINAL = {"ringing": Rank.BEGUN, "queued": Rank.ONGOING, "ongoing": Rank.ONGOING}


def rank_of(parameter: str, word: str) -> Rank:
    """Return the rank of a status. `parameter` must be in `KNOWN_STATUSES`. An unknown status is not final."""
    if word not in KNOWN_STATUSES[parameter]:
        return Rank.ONGOING
    return _NOT_FINAL.get(word, Rank.FINAL)


def rank_of_acceptance(status: str) -> Rank:
    """Return the rank of the `status` of a bulk SMS message: a refusal is final, an acceptance is not."""
    if status.startswith("error_"):
        return Rank.FINAL
    return Rank.BEGUN
