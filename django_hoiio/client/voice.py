"""Calls between phones, and conferences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Literal

from . import endpoints, responses
from .endpoints import Endpoint
from .resource import PassOn, Resource, period


class ConferenceCalls(Resource):
    """Conference calls, which Hoiio's two manuals document under different paths."""

    _endpoint: ClassVar[Endpoint[responses.ConferenceResponse]]

    def _confer(
        self,
        *,
        dest: Sequence[str],
        room: str | None = None,
        caller_id: str | None = None,
        tag: str | None = None,
        pass_on: PassOn = None,
        notify: bool = True,
    ) -> responses.ConferenceResponse:
        """Call up to 8 people into a new or existing room. Without `room`, Hoiio names a new one.

        Each person is a separate transaction, in the order of `dest`.
        """
        params = {"dest": dest, "room": room, "caller_id": caller_id, "tag": tag}
        return self._request(self._endpoint, params, pass_on=pass_on, notify=notify)


class VoiceResource(ConferenceCalls):
    """Calls between phones. Numbers are in E.164 format, such as +6591234567."""

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
    ) -> responses.SentResponse:
        """Call `dest1`, then `dest2`, and connect them. `dest1` defaults to the account's own number.

        `dest2` sees `caller_id`: a registered number, a Hoiio Number or `private`. `max_duration` is in seconds, from
        the moment `dest2` answers.
        """
        if dest1 is not None and dest1 == dest2:
            raise ValueError("dest1 and dest2 are the same number.")
        params = {"dest1": dest1, "dest2": dest2, "caller_id": caller_id, "max_duration": max_duration, "tag": tag}
        return self._request(endpoints.VOICE_CALL, params, pass_on=pass_on, notify=notify)

    def hangup(self, *, txn_ref: str) -> responses.HoiioResponse:
        """End a call, or one person's call in a conference."""
        return self._request(endpoints.VOICE_HANGUP, {"txn_ref": txn_ref})

    def query_status(self, *, txn_ref: str) -> responses.CallStatusResponse:
        """Return the status of a call: between phones, in a conference or interactive."""
        return self._request(endpoints.VOICE_QUERY_STATUS, {"txn_ref": txn_ref})

    def get_history(
        self, *, from_: datetime | None = None, to: datetime | None = None, page: int = 1
    ) -> responses.CallHistoryResponse:
        """Return calls that began from `from_` on and before `to`. Both moments need a time zone."""
        return self._request(endpoints.VOICE_GET_HISTORY, period(from_, to, page))

    def get_rate(self, *, dest2: str, dest1: str | None = None) -> responses.RateResponse:
        """Return the price of a call per minute."""
        return self._request(endpoints.VOICE_GET_RATE, {"dest1": dest1, "dest2": dest2})


class ConferenceResource(ConferenceCalls):
    """Conferences as in Hoiio's newer manual; `voice.conference` is in the older one."""

    _endpoint = endpoints.CONFERENCE_CALL
    call = ConferenceCalls._confer

    def moderate(self, *, txn_ref: str, action: Literal["kick", "mute", "unmute"]) -> responses.HoiioResponse:
        """Remove, mute or unmute one person. Hoiio allows 60 requests a minute and sends no notification."""
        return self._request(endpoints.CONFERENCE_MODERATE, {"txn_ref": txn_ref, "action": action})
