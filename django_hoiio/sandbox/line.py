"""What connects the sandbox to the world: time, the way of a notification, and the people who answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Event
from typing import NamedTuple, Protocol, TypeAlias

from .delivery import Delivery

Job: TypeAlias = Callable[[], None]


class PostResult(NamedTuple):
    # `None` if there was no response.
    status: int | None
    # Why the notification is lost; empty after a 200.
    error: str = ""


class Line(Protocol):
    """The telephone in the browser is one line, the test kit another. Seconds are those of `now`."""

    def now(self) -> datetime:
        """Return the time."""

    def schedule(self, job: Job, *, after: float) -> None:
        """Run a job after so many seconds, unless the line is closed before."""

    def deliver(self, job: Job, *, after: float, once: Event | None) -> None:
        """Run a job that posts a notification, after so many seconds and not before the event. One runs at a time."""

    def post(self, delivery: Delivery) -> PostResult:
        """Post a notification and return the response."""

    def check_url(self, url: str) -> None:
        """Raise `InvalidUrl` or `UnknownHost` unless notifications can be posted to the URL."""

    def file_url(self, name: str) -> str:
        """Return the link to a recording or document."""

    def speaking_time(self, text: str) -> float:
        """Return the seconds that it takes to speak a text to a person."""

    def is_person(self, number: str) -> bool:
        """Return whether a person answers calls to the number. Otherwise the sandbox simulates the remote party."""

    def call_outcome(self, number: str) -> str:
        """Return how a call or fax to the number ends: a call status, or empty if a person decides."""

    def sms_outcome(self, number: str) -> Sequence[str]:
        """Return the statuses of an SMS to report, in order."""
