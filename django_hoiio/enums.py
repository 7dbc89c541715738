"""Enumerations and tables of Hoiio's words: routes, kinds, statuses and their rank."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Route(TextChoices):
    """The URLs under which notifications come in; the route settles what the content leaves open."""

    VOICE = "voice", _("voice")
    SMS = "sms", _("SMS")
    FAX = "fax", _("fax")
    IVR = "ivr", _("IVR")
    ANY = "any", _("any")


class Channel(TextChoices):
    """The parts of Hoiio, each with a history of its own."""

    VOICE = "voice", _("voice")
    SMS = "sms", _("SMS")
    FAX = "fax", _("fax")


class Kind(TextChoices):
    """What a notification is about. The signals bear the same names."""

    # A call between two numbers is over; also a leg of a conference.
    CALL_ENDED = "call_ended", _("call ended")
    # Somebody texted one of our numbers.
    SMS_RECEIVED = "sms_received", _("SMS received")
    # How far an SMS of ours has got.
    SMS_STATUS = "sms_status", _("SMS status")
    # Whether one message of a bulk SMS was accepted, and under which reference.
    BULK_SMS_STATUS = "bulk_sms_status", _("bulk SMS status")
    # Somebody faxed one of our numbers.
    FAX_RECEIVED = "fax_received", _("fax received")
    # How far a fax of ours has got.
    FAX_STATUS = "fax_status", _("fax status")
    # Somebody calls one of our numbers; it rings until the application does something.
    IVR_ANSWER = "ivr_answer", _("IVR: incoming call")
    # The blocks of an interactive voice response call, each when it is finished.
    IVR_DIAL = "ivr_dial", _("IVR: dialled")
    IVR_PLAY = "ivr_play", _("IVR: message played")
    IVR_GATHER = "ivr_gather", _("IVR: keys gathered")
    IVR_RECORD = "ivr_record", _("IVR: voice recorded")
    IVR_MONITOR = "ivr_monitor", _("IVR: call monitored")
    IVR_TRANSFER = "ivr_transfer", _("IVR: transferred")
    IVR_HANGUP = "ivr_hangup", _("IVR: hung up")
    IVR_UNHOLD = "ivr_unhold", _("IVR: taken off hold")
    # A finished block that does not say which one it was.
    IVR_STEP = "ivr_step", _("IVR: unnamed step")
    # The interactive call is over.
    IVR_ENDED = "ivr_ended", _("IVR: call ended")
    # Nothing in it says what it is; it is kept all the same.
    UNKNOWN = "unknown", _("unknown")

    @property
    def is_ivr(self) -> bool:
        """True where a caller may be waiting for what comes next."""
        return self.startswith("ivr_")


# What Hoiio calls a finished block in `ivr_block`.
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
    """How a notification reached the app."""

    WEBHOOK = "webhook", _("webhook")
    # The database was away when the webhook arrived.
    SPOOL = "spool", _("webhook, imported from the spool")
    # Read from Hoiio's history or from a status query.
    POLL = "poll", _("read from Hoiio's API")


class VerifiedBy(TextChoices):
    """How the sender of a notification was verified."""

    NONE = "", _("not verified")
    URL = "url", _("signed notify URL")
    SIGNATURE = "signature", _("signature header")


class Direction(TextChoices):
    """Which way a transaction went, seen from the application."""

    INCOMING = "incoming", _("incoming")
    OUTGOING = "outgoing", _("outgoing")


class Traffic(TextChoices):
    """What is counted for each day: a channel and a direction."""

    CALLS_MADE = "calls_made", _("calls made")
    # Also those of which no notification has told the direction.
    CALLS_RECEIVED = "calls_received", _("calls received")
    SMS_SENT = "sms_sent", _("SMS sent")
    SMS_RECEIVED = "sms_received", _("SMS received")
    FAXES_SENT = "faxes_sent", _("faxes sent")
    FAXES_RECEIVED = "faxes_received", _("faxes received")


class Rank(IntEnum):
    """How far a transaction has got; a report of lower rank never undoes one of higher rank."""

    SENT = 1
    BEGUN = 2
    ONGOING = 3
    FINAL = 4


class SmsStatus(TextChoices):
    # Also the last word where the carrier gives no receipts.
    QUEUED = "queued", _("queued")
    # Reached the recipient's operator, not the handset.
    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("failed")
    ERROR = "error", _("error")
    # An incoming SMS, in Hoiio's history.
    RECEIVED = "received", _("received")


class CallStatus(TextChoices):
    """How a call, one leg of it, a dialled number or a transfer came out."""

    ONGOING = "ongoing", _("ongoing")
    ANSWERED = "answered", _("answered")
    UNANSWERED = "unanswered", _("unanswered")
    FAILED = "failed", _("failed")
    BUSY = "busy", _("busy")


class FaxStatus(TextChoices):
    ONGOING = "ongoing", _("ongoing")
    ANSWERED = "answered", _("answered")
    UNANSWERED = "unanswered", _("unanswered")
    FAILED = "failed", _("failed")
    BUSY = "busy", _("busy")


class CallState(TextChoices):
    """The state of an interactive call."""

    # Incoming, before the application has done anything.
    RINGING = "ringing", _("ringing")
    # A block is finished and the caller waits for the next one.
    ONGOING = "ongoing", _("ongoing")
    ENDED = "ended", _("ended")


# The parameters that hold one of a set of words. The sets are open: Hoiio may send a word that is not listed.
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
    """The kinds of signal to send: its own, and `ivr_ended` where a block and the call ended together."""
    if kind.is_ivr and kind != Kind.IVR_ENDED and params.get("call_state") == CallState.ENDED:
        return (kind, Kind.IVR_ENDED)
    return (kind,)


_NOT_FINAL = {"ringing": Rank.BEGUN, "queued": Rank.ONGOING, "ongoing": Rank.ONGOING}


def rank_of(parameter: str, word: str) -> Rank:
    """Rank a status word of a parameter in `KNOWN_STATUSES`; a word that is not listed there is not final."""
    if word not in KNOWN_STATUSES[parameter]:
        return Rank.ONGOING
    return _NOT_FINAL.get(word, Rank.FINAL)


def rank_of_acceptance(status: str) -> Rank:
    """Rank the `status` of a message in a bulk SMS: a refusal is final, an acceptance is a beginning."""
    if status.startswith("error_"):
        return Rank.FINAL
    return Rank.BEGUN
