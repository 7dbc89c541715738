"""Records of the exchange: numbers, transactions and log entries."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from django_hoiio.notify_urls import notify_url

from .samples import Params


@dataclass(kw_only=True)
class SandboxNumber:
    """A number of the application. A target of `None` was never set."""

    number: str
    account: str
    mode: str = "voice"
    forward_to: str | None = None
    forward_sms_to: str | None = None
    # The country and, if it has states, the state: `SG`, `US-CA`.
    place: str = "SG"
    # `None` means in a year.
    expiry: date | None = None
    is_auto_extended: bool = True

    def target(self, route: str) -> str:
        """Return the URL for this number's notifications: as set, or the project's signed notify URL of the route."""
        is_set = self.forward_sms_to if route == "sms" else self.forward_to
        if is_set is not None:
            return is_set
        try:
            return notify_url(route, account=self.account)
        # Without PUBLIC_URL, or without our URLs in the project, there is no URL to post to.
        except ImproperlyConfigured:
            return ""


@dataclass(kw_only=True)
class SandboxTransaction:
    """A call, SMS or fax, as status and history queries report it."""

    account: str
    # voice, sms or fax.
    channel: str
    txn_ref: str
    at: datetime
    is_incoming: bool = False
    # Of an SMS or fax that the application sent, and the link to the document of a fax.
    notify_url: str = ""
    document: str = ""
    details: Params = field(default_factory=dict)


class State(str, Enum):
    RINGING = "ringing"
    # Connected. An interactive call waits for its next block.
    ONGOING = "ongoing"
    PLAYING = "playing"
    HELD = "held"
    GATHERING = "gathering"
    RECORDING = "recording"
    # The other number rings.
    TRANSFERRING = "transferring"
    TRANSFERRED = "transferred"
    ENDED = "ended"


@dataclass(kw_only=True)
class LogEntry:
    """An event that the telephone page shows. A changed entry is sent again with a higher revision."""

    id: int
    revision: int
    at: datetime
    type: str
    details: dict[str, Any]
