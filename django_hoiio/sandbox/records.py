"""Records of the exchange: numbers, transactions, calls, log entries and outgoing notifications."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured

from django_hoiio.enums import Direction
from django_hoiio.notify_urls import notify_url

from .delivery import Delivery
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
    details: Params = field(default_factory=dict)


class State(str, Enum):
    RINGING = "ringing"
    # Connected. An interactive call waits for its next block.
    ONGOING = "ongoing"
    HELD = "held"
    GATHERING = "gathering"
    RECORDING = "recording"
    TRANSFERRED = "transferred"
    ENDED = "ended"


class CallHandlers(NamedTuple):
    """Callbacks for a call that the other side answers, refuses or hangs up."""

    answered: Callable[[LiveCall], None]
    # With the status word.
    refused: Callable[[LiveCall, str], None]
    over: Callable[[LiveCall], None]


@dataclass(kw_only=True)
class LiveCall:
    """A call between two numbers or, if it has a session, between a remote party and the application."""

    transaction: SandboxTransaction
    direction: Direction
    handlers: CallHandlers
    # The number that the telephone page shows for the other side.
    number: str
    session: str = ""
    # True if the user of the telephone page takes part. Otherwise the sandbox simulates the remote party.
    is_at_handset: bool = False
    state: State = State.RINGING
    # Counts the changes of state. An alarm of an earlier step does nothing.
    step: int = 0
    answered_at: datetime | None = None
    # How the other side reacts to the call, and the message it hears when it answers.
    outcome: str = "answered"
    greeting: str = ""
    # Seconds; 0 means no limit.
    max_duration: float = 0
    # By the parameter names of notifications.
    parties: Params = field(default_factory=dict)
    # The current or last block, its notify URL and its parameters.
    block: str = "answer"
    notify_url: str = ""
    block_params: Mapping[str, str] = field(default_factory=dict)
    digits: str = ""
    max_digits: int = 0
    attempts: int = 1
    monitor_url: str = ""

    @property
    def is_over(self) -> bool:
        return self.state == State.ENDED


@dataclass(kw_only=True)
class LogEntry:
    """An event that the telephone page shows. A changed entry is sent again with a higher revision."""

    id: int
    revision: int
    at: datetime
    type: str
    details: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class OutgoingNotification:
    """A notification to post, and the ID of the log entry that shows it."""

    entry: int
    delivery: Delivery
    # Seconds.
    delay: float
