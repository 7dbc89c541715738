"""Interactive calls (IVR)."""

from __future__ import annotations

from typing import Literal

from . import endpoints
from .resource import PassOn, Resource
from .responses import DialResponse, HoiioResponse, TransferResponse


class IvrResource(Resource):
    """Interactive calls, block by block. Hoiio notifies the end of a block, and the caller waits for the next one.

    `msg` is plain text of up to 1,000 characters, with ``<speech language="zh-HK">…</speech>`` and ``<url>…</url>``.
    `session` comes from a notification or from `dial`. A block that is too early or too late raises `InvalidState`.
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
        """Call a number and play `msg`. With `notify=False`, the call then ends. `max_duration` is in seconds."""
        params = {"dest": dest, "msg": msg, "caller_id": caller_id, "max_duration": max_duration, "tag": tag}
        return self._request(endpoints.IVR_DIAL, params, pass_on=pass_on, notify=notify)

    def play(
        self, *, session: str, msg: str, tag: str | None = None, pass_on: PassOn = None, notify: bool = True
    ) -> HoiioResponse:
        """Play `msg`. With `notify=False`, the call then ends."""
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
        """Play `msg` and collect up to 255 digits. Without `max_digits`, stop at # or after `timeout` idle seconds."""
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
        """Play `msg` and record up to `max_duration` seconds; # ends the recording."""
        params = {"session": session, "msg": msg, "max_duration": max_duration, "tag": tag}
        return self._request(endpoints.IVR_RECORD, params, pass_on=pass_on)

    def monitor(
        self, *, session: str, msg: str | None = None, tag: str | None = None, pass_on: PassOn = None
    ) -> HoiioResponse:
        """Record the rest of the call. Hoiio notifies twice: at once, and with the recording after the call."""
        params = {"session": session, "msg": msg, "tag": tag}
        return self._request(endpoints.IVR_MONITOR, params, pass_on=pass_on)

    def hold(self, *, session: str, msg: str | None = None, tag: str | None = None) -> HoiioResponse:
        """Repeat `msg` until `unhold`. Hoiio sends no notification."""
        return self._request(endpoints.IVR_HOLD, {"session": session, "msg": msg, "tag": tag})

    def unhold(
        self, *, session: str, tag: str | None = None, pass_on: PassOn = None, notify: bool = True
    ) -> HoiioResponse:
        """End the hold. The notification asks for the next block."""
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
        """Transfer the caller to a number, to the conference room ``room:ID``, or to a new one, ``room:``.

        With `on_failure="continue"`, a failed transfer asks for another block; otherwise the call ends.
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
        """Play `msg` and hang up. `force` ends the call at once, in any block, and cannot play `msg`."""
        if force and msg is not None:
            raise ValueError("msg cannot be played if force ends the call; leave out one of them.")
        params = {"session": session, "msg": msg, "force": "enabled" if force else None, "tag": tag}
        return self._request(endpoints.IVR_HANGUP, params, pass_on=pass_on, notify=notify)
