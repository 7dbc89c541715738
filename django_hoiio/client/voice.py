"""Calls between phones, and conferences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Literal

from . import endpoints
from .endpoints import Endpoint
from .resource import PassOn, Resource, period
from .responses import (
    CallHistoryResponse,
    CallStatusResponse,
    ConferenceResponse,
    HoiioResponse,
    RateResponse,
    SentResponse,
)


class ConferenceCalls(Resource):
    """Calling people into a room, which the two manuals put under different paths."""

    _endpoint: ClassVar[Endpoint[ConferenceResponse]]

    def _confer(
        self,
        *,
        dest: Sequence[str],
        room: str | None = None,
        caller_id: str | None = None,
        tag: str | None = None,
        pass_on: PassOn = None,
        notify: bool = True,
    ) -> ConferenceResponse:
        """Call up to 8 people into a room: into one that is there already, too. Without `room`, Hoiio makes one up.

        Each person is a transaction of his own, in the order of `dest`.
        """
        params = {"dest": dest, "room": room, "caller_id": caller_id, "tag": tag}
        return self._request(self._endpoint, params, pass_on=pass_on, notify=notify)


class VoiceResource(ConferenceCalls):
    """Calls between phones. Numbers are E.164, as +6591234567."""

    _endpoint = endpoints.VOICE_CONFERENCE
    conference = ConferenceCalls._confer

    def call(
        self,
        *,
        dest2: str,
        dest1: str | None = None,
        caller_id: str | None = None,
        max_duration: int | None = None,
        tag: str | None = None,
        pass_on: PassOn = None,
        notify: bool = True,
    ) -> SentResponse:
        """Call `dest1`, then `dest2`, and connect them. `dest1` is the account's own number where it is left out.

        `caller_id` is what `dest2` sees: a registered number, a Hoiio Number or `private`. `max_duration` counts
        seconds from the moment `dest2` answers.
        """
        if dest1 is not None and dest1 == dest2:
            raise ValueError("dest1 and dest2 are the same number.")
        params = {"dest1": dest1, "dest2": dest2, "caller_id": caller_id, "max_duration": max_duration, "tag": tag}
        return self._request(endpoints.VOICE_CALL, params, pass_on=pass_on, notify=notify)

    def hangup(self, *, txn_ref: str) -> HoiioResponse:
        """End a call; of a conference, one person's."""
        return self._request(endpoints.VOICE_HANGUP, {"txn_ref": txn_ref})

    def query_status(self, *, txn_ref: str) -> CallStatusResponse:
        """How a call stands: one between phones, in a conference or interactive."""
        return self._request(endpoints.VOICE_QUERY_STATUS, {"txn_ref": txn_ref})

    def get_history(
        self, *, from_: datetime | None = None, to: datetime | None = None, page: int = 1
    ) -> CallHistoryResponse:
        """The calls that began at `from_` or later and before `to`; both need a time zone."""
        return self._request(endpoints.VOICE_GET_HISTORY, period(from_, to, page))

    def get_rate(self, *, dest2: str, dest1: str | None = None) -> RateResponse:
        """What a minute of a call would cost."""
        return self._request(endpoints.VOICE_GET_RATE, {"dest1": dest1, "dest2": dest2})


class ConferenceResource(ConferenceCalls):
    """Conferences, as the newer manual has them; `voice.conference` is the older one's."""

    _endpoint = endpoints.CONFERENCE_CALL
    call = ConferenceCalls._confer

    def moderate(self, *, txn_ref: str, action: Literal["kick", "mute", "unmute"]) -> HoiioResponse:
        """Put one person out of the conference, or silence him. At most 60 times a minute; nothing is notified."""
        return self._request(endpoints.CONFERENCE_MODERATE, {"txn_ref": txn_ref, "action": action})
