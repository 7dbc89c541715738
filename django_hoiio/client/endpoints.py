"""Each call of Hoiio's API: its path, its answer, and what may be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from django_hoiio.enums import Kind, Route

from . import responses
from .encoding import MOST_RECIPIENTS, Writer, number_or_room, numbers, sms_text, text
from .responses import Answer

Answered = TypeVar("Answered", bound=Answer)


@dataclass(frozen=True, kw_only=True)
class Endpoint(Generic[Answered]):
    path: str
    answer: type[Answered]
    # True for status and history queries: to ask twice changes nothing and costs nothing.
    is_query: bool = False
    # The route of its notify URL, and the parameters that take one; no route where nothing is notified.
    route: Route | None = None
    notify_as: tuple[str, ...] = ("notify_url",)
    # The notification that a transaction which it begins waits for.
    awaits: Kind | None = None
    # The limits of its own.
    writers: Mapping[str, Writer] = field(default_factory=dict)


_conference: dict[str, Writer] = {"dest": numbers(most=8)}
_bulk: dict[str, Writer] = {"dest": numbers(most=MOST_RECIPIENTS), "msg": sms_text}
# Whether its markup counts is not documented. The older manual says 500.
_spoken: dict[str, Writer] = {"msg": text(least=1, most=1000)}

VOICE_CALL = Endpoint(path="voice/call", answer=responses.Sent, route=Route.VOICE, awaits=Kind.CALL_ENDED)
VOICE_CONFERENCE = Endpoint(
    path="voice/conference",
    answer=responses.Conference,
    route=Route.VOICE,
    awaits=Kind.CALL_ENDED,
    writers=_conference,
)
VOICE_HANGUP = Endpoint(path="voice/hangup", answer=Answer)
VOICE_QUERY_STATUS = Endpoint(path="voice/query_status", answer=responses.CallReport, is_query=True)
VOICE_GET_HISTORY = Endpoint(path="voice/get_history", answer=responses.CallHistory, is_query=True)
VOICE_GET_RATE = Endpoint(path="voice/get_rate", answer=responses.Rate)

CONFERENCE_CALL = Endpoint(
    path="conference/call",
    answer=responses.Conference,
    route=Route.VOICE,
    awaits=Kind.CALL_ENDED,
    writers=_conference,
)
CONFERENCE_MODERATE = Endpoint(path="conference/moderate", answer=Answer)

SMS_SEND = Endpoint(
    path="sms/send", answer=responses.Sent, route=Route.SMS, awaits=Kind.SMS_STATUS, writers={"msg": sms_text}
)
# Nothing is entered: the references of its messages come with their notifications.
SMS_BULK_SEND = Endpoint(path="sms/bulk_send", answer=responses.BulkSent, route=Route.SMS, writers=_bulk)
# How long a text a template makes, Hoiio alone knows.
SMS_BULK_SEND_TEMPLATE = replace(SMS_BULK_SEND, writers={})
SMS_QUERY_STATUS = Endpoint(path="sms/query_status", answer=responses.SmsReport, is_query=True)
SMS_GET_HISTORY = Endpoint(path="sms/get_history", answer=responses.SmsHistory, is_query=True)

FAX_SEND = Endpoint(path="fax/send", answer=responses.Sent, route=Route.FAX, awaits=Kind.FAX_STATUS)
FAX_QUERY_STATUS = Endpoint(path="fax/query_status", answer=responses.FaxReport, is_query=True)
FAX_GET_HISTORY = Endpoint(path="fax/get_history", answer=responses.FaxHistory, is_query=True)

IVR_DIAL = Endpoint(
    path="ivr/start/dial", answer=responses.Dialled, route=Route.IVR, awaits=Kind.IVR_DIAL, writers=_spoken
)
IVR_PLAY = Endpoint(path="ivr/middle/play", answer=Answer, route=Route.IVR, writers=_spoken)
IVR_GATHER = Endpoint(path="ivr/middle/gather", answer=Answer, route=Route.IVR, writers=_spoken)
IVR_RECORD = Endpoint(path="ivr/middle/record", answer=Answer, route=Route.IVR, writers=_spoken)
IVR_MONITOR = Endpoint(
    path="ivr/middle/monitor",
    answer=Answer,
    route=Route.IVR,
    notify_as=("notify_url", "monitor_notify_url"),
    writers=_spoken,
)
IVR_HOLD = Endpoint(path="ivr/middle/hold", answer=Answer, writers=_spoken)
IVR_UNHOLD = Endpoint(path="ivr/middle/unhold", answer=Answer, route=Route.IVR)
IVR_TRANSFER = Endpoint(
    path="ivr/end/transfer", answer=responses.Transferred, route=Route.IVR, writers={**_spoken, "dest": number_or_room}
)
IVR_HANGUP = Endpoint(path="ivr/end/hangup", answer=Answer, route=Route.IVR, writers=_spoken)

NUMBER_GET_ACTIVE = Endpoint(path="number/get_active", answer=responses.Numbers)
NUMBER_UPDATE_FORWARDING = Endpoint(path="number/update_forwarding", answer=Answer)
USER_GET_BALANCE = Endpoint(path="user/get_balance", answer=responses.Balance)
USER_GET_INFO = Endpoint(path="user/get_info", answer=responses.User)
