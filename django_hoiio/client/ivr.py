"""Interactive calls: what a caller hears, presses and says."""

from __future__ import annotations

from typing import Literal

from . import endpoints
from .resource import PassOn, Resource
from .responses import DialResponse, HoiioResponse, TransferResponse


class IvrResource(Resource):
    """Interactive calls, block by block. When one is done, its notification comes, and the caller waits for the next.

    `msg` is plain text of up to 1,000 characters, with ``<speech language="zh-HK">…</speech>`` and ``<url>…</url>``.
    `session` is what a notification or `dial` named. A block that comes too early or too late raises `InvalidState`.
    """

    def dial(
        self,
        *,
        dest: str,
        msg: str | None = None,
        caller_id: str | None = None,
        max_duration: int | None = None,
        tag: str | None = None,
        pass_on: PassOn = None,
        notify: bool = True,
    ) -> DialResponse:
        """Call somebody and say `msg`. With `notify=False` the call is over after that. `max_duration` in seconds."""
        params = {"dest": dest, "msg": msg, "caller_id": caller_id, "max_duration": max_duration, "tag": tag}
        return self._request(endpoints.IVR_DIAL, params, pass_on=pass_on, notify=notify)

    def play(
        self, *, session: str, msg: str, tag: str | None = None, pass_on: PassOn = None, notify: bool = True
    ) -> HoiioResponse:
        """Say `msg`. With `notify=False` the call is over after that."""
        params = {"session": session, "msg": msg, "tag": tag}
        return self._request(endpoints.IVR_PLAY, params, pass_on=pass_on, notify=notify)

    def gather(
        self,
        *,
        session: str,
        msg: str | None = None,
        max_digits: int | None = None,
        timeout: int | None = None,
        attempts: int | None = None,
        tag: str | None = None,
        pass_on: PassOn = None,
    ) -> HoiioResponse:
        """Say `msg` and take up to 255 keys. Without `max_digits`, until # or `timeout` seconds without a key."""
        params = {
            "session": session,
            "msg": msg,
            "max_digits": max_digits,
            "timeout": timeout,
            "attempts": attempts,
            "tag": tag,
        }
        return self._request(endpoints.IVR_GATHER, params, pass_on=pass_on)

    def record(
        self,
        *,
        session: str,
        msg: str | None = None,
        max_duration: int | None = None,
        tag: str | None = None,
        pass_on: PassOn = None,
    ) -> HoiioResponse:
        """Say `msg` and record up to `max_duration` seconds; # ends it."""
        params = {"session": session, "msg": msg, "max_duration": max_duration, "tag": tag}
        return self._request(endpoints.IVR_RECORD, params, pass_on=pass_on)

    def monitor(
        self, *, session: str, msg: str | None = None, tag: str | None = None, pass_on: PassOn = None
    ) -> HoiioResponse:
        """Record the call from here on. It is notified twice: at once, and with the recording after the call."""
        params = {"session": session, "msg": msg, "tag": tag}
        return self._request(endpoints.IVR_MONITOR, params, pass_on=pass_on)

    def hold(self, *, session: str, msg: str | None = None, tag: str | None = None) -> HoiioResponse:
        """Say `msg` over and over, until `unhold`. Nothing is notified."""
        return self._request(endpoints.IVR_HOLD, {"session": session, "msg": msg, "tag": tag})

    def unhold(
        self, *, session: str, tag: str | None = None, pass_on: PassOn = None, notify: bool = True
    ) -> HoiioResponse:
        """End the hold; the notification asks for the next block."""
        return self._request(endpoints.IVR_UNHOLD, {"session": session, "tag": tag}, pass_on=pass_on, notify=notify)

    def transfer(
        self,
        *,
        session: str,
        dest: str,
        msg: str | None = None,
        caller_id: str | None = None,
        on_failure: Literal["hangup", "continue"] | None = None,
        tag: str | None = None,
        pass_on: PassOn = None,
        notify: bool = True,
    ) -> TransferResponse:
        """Hand the caller on to a number, to the conference room ``room:ID``, or to a new one, ``room:``.

        With `on_failure="continue"` the notification of a failure asks for another block; otherwise the call is over.
        """
        params = {
            "session": session,
            "dest": dest,
            "msg": msg,
            "caller_id": caller_id,
            "on_failure": on_failure,
            "tag": tag,
        }
        return self._request(endpoints.IVR_TRANSFER, params, pass_on=pass_on, notify=notify)

    def hangup(
        self,
        *,
        session: str,
        msg: str | None = None,
        force: bool = False,
        tag: str | None = None,
        pass_on: PassOn = None,
        notify: bool = True,
    ) -> HoiioResponse:
        """Say `msg` and hang up. `force` cuts the call at once, whatever block it is in, and can say nothing."""
        if force and msg is not None:
            raise ValueError("msg is not said where force cuts the call; leave out one of them.")
        params = {"session": session, "msg": msg, "force": "enabled" if force else None, "tag": tag}
        return self._request(endpoints.IVR_HANGUP, params, pass_on=pass_on, notify=notify)
