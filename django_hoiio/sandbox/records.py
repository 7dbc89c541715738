"""What the exchange keeps: numbers, transactions, calls, the telephone's entries, and which faults are on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch

from django_hoiio.enums import Direction
from django_hoiio.notify_urls import notify_url

from .delivery import Delivery
from .samples import Params


@dataclass(kw_only=True)
class Number:
    """A number that belongs to the application. A target that is `None` was never set."""

    number: str
    account: str
    mode: str = "voice"
    forward_to: str | None = None
    forward_sms_to: str | None = None

    def target(self, route: str) -> str:
        """Where news of this number go: as set, else to the project's own signed notify URL of the route."""
        is_set = self.forward_sms_to if route == "sms" else self.forward_to
        if is_set is not None:
            return is_set
        try:
            return notify_url(route, account=self.account)
        # Without a PUBLIC_URL, or without our URLs in the project, there is nowhere to post to.
        except (ImproperlyConfigured, NoReverseMatch):
            return ""


@dataclass(kw_only=True)
class Transaction:
    """A call, SMS or fax, as the queries for its status and history tell it."""

    account: str
    # voice, sms or fax.
    channel: str
    txn_ref: str
    at: datetime
    is_incoming: bool = False
    said: Params = field(default_factory=dict)


class State(str, Enum):
    """Where a call stands."""

    RINGING = "ringing"
    # The line is open, and in an interactive call the next block is awaited.
    ONGOING = "ongoing"
    HELD = "held"
    GATHERING = "gathering"
    RECORDING = "recording"
    TRANSFERRED = "transferred"
    ENDED = "ended"


class CallHandlers(NamedTuple):
    """What a sort of call does when the other side answers, when it does not, and when it hangs up."""

    answered: Callable[[Call], None]
    # With the status word.
    refused: Callable[[Call, str], None]
    over: Callable[[Call], None]


@dataclass(kw_only=True)
class Call:
    """A call on the line, between two numbers or, if it has a session, between a person and the application."""

    transaction: Transaction
    direction: Direction
    conduct: CallHandlers
    # The application's number on the other side, for the eyes of the person.
    number: str
    session: str = ""
    # True where the person at the telephone takes part, and not a machine.
    is_at_handset: bool = False
    state: State = State.RINGING
    # Counts the changes of state, so that an alarm set before is known to be too late.
    step: int = 0
    answered_at: datetime | None = None
    # What the other side answers, and what is said to it before the first block.
    outcome: str = "answered"
    greeting: str = ""
    # Seconds; 0 is for ever.
    max_duration: float = 0
    # The parties, in the names of the notifications.
    parties: Params = field(default_factory=dict)
    # The block that runs or ran last, where it reports, and what it was asked to do.
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
    """A line in the telephone's list of what happened. It comes again, with a higher revision, when it changes."""

    id: int
    revision: int
    at: datetime
    type: str
    said: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class OutgoingNotification:
    """A notification that is to go out, and the entry that shows it."""

    entry: int
    delivery: Delivery
    # Seconds.
    delay: float
