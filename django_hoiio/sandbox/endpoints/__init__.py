"""Endpoints of Hoiio's REST API by path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from django_hoiio.sandbox.errors import ApiRequest

from . import account, fax, history, ivr, number, sms, voice

# Parameter with a URL → error statuses for an invalid URL and for an unknown host.
Urls = Mapping[str, tuple[str, str]]

_NOTIFY_URL = ("error_invalid_notify_url", "error_unable_to_resolve_notify_url")
_NOTIFIED: Urls = {"notify_url": _NOTIFY_URL}
_MONITORED: Urls = {**_NOTIFIED, "monitor_notify_url": _NOTIFY_URL}
_FORWARDED: Urls = dict.fromkeys(
    ("forward_to", "forward_sms_to", "forward_to_sms"),
    ("error_forward_to_invalid", "error_unable_to_resolve_forward_to"),
)


class Endpoint(NamedTuple):
    """The handler of a path, run with the exchange locked. The API view adds `status` to its result."""

    act: Callable[[ApiRequest], Mapping[str, Any]]
    required: tuple[str, ...] = ()
    urls: Urls = _NOTIFIED


ENDPOINTS: dict[str, Endpoint] = {
    "voice/call": Endpoint(voice.call, ("dest2",)),
    # The older and the newer name.
    "voice/conference": Endpoint(voice.legacy_conference, ("dest",)),
    "conference/call": Endpoint(voice.conference, ("dest",)),
    "conference/moderate": Endpoint(voice.moderate, ("txn_ref", "action")),
    "voice/hangup": Endpoint(voice.hangup, ("txn_ref",)),
    "voice/get_rate": Endpoint(voice.get_rate, ("dest2",)),
    "sms/send": Endpoint(sms.send, ("dest", "msg")),
    "sms/bulk_send": Endpoint(sms.bulk_send, ("msg",)),
    "sms/get_rate": Endpoint(sms.get_rate),
    "fax/send": Endpoint(fax.send, ("dest", "file")),
    "fax/get_rate": Endpoint(fax.get_rate),
    **{
        f"{channel}/query_status": Endpoint(history.query_status(channel), ("txn_ref",))
        for channel in history.RESPONSE_FIELDS
    },
    **{f"{channel}/get_history": Endpoint(history.get_history(channel)) for channel in history.RESPONSE_FIELDS},
    "ivr/start/dial": Endpoint(ivr.dial, ("dest",)),
    "ivr/middle/play": Endpoint(ivr.block("play"), ("session",)),
    "ivr/middle/gather": Endpoint(ivr.block("gather"), ("session", "notify_url")),
    "ivr/middle/record": Endpoint(ivr.block("record"), ("session", "notify_url")),
    "ivr/middle/monitor": Endpoint(ivr.block("monitor"), ("session", "notify_url"), _MONITORED),
    "ivr/middle/hold": Endpoint(ivr.block("hold"), ("session",)),
    "ivr/middle/unhold": Endpoint(ivr.block("unhold"), ("session",)),
    "ivr/end/transfer": Endpoint(ivr.transfer, ("session", "dest")),
    "ivr/end/hangup": Endpoint(ivr.block("hangup"), ("session",)),
    "number/get_active": Endpoint(number.get_active),
    "number/update_forwarding": Endpoint(number.update_forwarding, ("number",), _FORWARDED),
    "number/get_countries": Endpoint(number.get_countries),
    "number/get_choices": Endpoint(number.get_choices, ("country",)),
    "number/get_rates": Endpoint(number.get_rates, ("country",)),
    "number/subscribe": Endpoint(number.subscribe, ("number", "duration")),
    "user/get_balance": Endpoint(account.get_balance),
    "user/get_info": Endpoint(account.get_info),
}
