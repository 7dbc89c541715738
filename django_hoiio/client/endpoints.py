"""The endpoints of Hoiio's API: path, response, notify URL and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from django_hoiio.enums import Kind, Route

from . import responses
from .encoding import MAX_RECIPIENTS, Encoder, number_or_room, numbers, sms_text, text
from .responses import HoiioResponse

ResponseType = TypeVar("ResponseType", bound=HoiioResponse)


@dataclass(frozen=True, kw_only=True)
class Endpoint(Generic[ResponseType]):
    path: str
    response: type[ResponseType]
    # True for status and history queries: a second request changes nothing and costs nothing.
    is_read_only: bool = False
    # The route of the notify URL, `None` if Hoiio sends no notification, and the parameters that take the URL.
    route: Route | None = None
    notify_as: tuple[str, ...] = ("notify_url",)
    # The kind of the block of an interactive call, which is signed in the notify URL.
    block: Kind | None = None
    # Overrides of `ENCODERS`.
    encoders: Mapping[str, Encoder] = field(default_factory=dict)


# The notification that a started transaction waits for.
AWAITED: dict[Route | None, Kind] = {
    Route.VOICE: Kind.CALL_ENDED,
    Route.SMS: Kind.SMS_STATUS,
    Route.FAX: Kind.FAX_STATUS,
    Route.IVR: Kind.IVR_DIAL,
}

_conference: dict[str, Encoder] = {"dest": numbers(most=8)}
_bulk: dict[str, Encoder] = {"dest": numbers(most=MAX_RECIPIENTS), "msg": sms_text}
# Hoiio does not document whether markup counts. The older manual says 500.
_spoken: dict[str, Encoder] = {"msg": text(least=1, most=1000)}

VOICE_CALL = Endpoint(path="voice/call", response=responses.SentResponse, route=Route.VOICE)
VOICE_CONFERENCE = Endpoint(
    path="voice/conference",
    response=responses.ConferenceResponse,
    route=Route.VOICE,
    encoders=_conference,
)
VOICE_HANGUP = Endpoint(path="voice/hangup", response=HoiioResponse)
VOICE_QUERY_STATUS = Endpoint(path="voice/query_status", response=responses.CallStatusResponse, is_read_only=True)
VOICE_GET_HISTORY = Endpoint(path="voice/get_history", response=responses.CallHistoryResponse, is_read_only=True)
VOICE_GET_RATE = Endpoint(path="voice/get_rate", response=responses.RateResponse)

CONFERENCE_CALL = replace(VOICE_CONFERENCE, path="conference/call")
CONFERENCE_MODERATE = Endpoint(path="conference/moderate", response=HoiioResponse)

SMS_SEND = Endpoint(
    path="sms/send",
    response=responses.SentResponse,
    route=Route.SMS,
    encoders={"msg": sms_text},
)
# Stores no transaction: the txn_refs of the messages come with their notifications.
SMS_BULK_SEND = Endpoint(path="sms/bulk_send", response=responses.BulkSmsResponse, route=Route.SMS, encoders=_bulk)
# Only Hoiio knows the length of a rendered template.
SMS_BULK_SEND_TEMPLATE = replace(SMS_BULK_SEND, encoders={})
SMS_QUERY_STATUS = Endpoint(path="sms/query_status", response=responses.SmsStatusResponse, is_read_only=True)
SMS_GET_HISTORY = Endpoint(path="sms/get_history", response=responses.SmsHistoryResponse, is_read_only=True)
SMS_GET_RATE = Endpoint(path="sms/get_rate", response=responses.SmsRateResponse, encoders={"msg": sms_text})

FAX_SEND = Endpoint(path="fax/send", response=responses.SentResponse, route=Route.FAX)
FAX_QUERY_STATUS = Endpoint(path="fax/query_status", response=responses.FaxStatusResponse, is_read_only=True)
FAX_GET_HISTORY = Endpoint(path="fax/get_history", response=responses.FaxHistoryResponse, is_read_only=True)
FAX_GET_RATE = Endpoint(path="fax/get_rate", response=responses.RateResponse)

IVR_PLAY = Endpoint(
    path="ivr/middle/play", response=HoiioResponse, route=Route.IVR, block=Kind.IVR_PLAY, encoders=_spoken
)
IVR_GATHER = replace(IVR_PLAY, path="ivr/middle/gather", block=Kind.IVR_GATHER)
IVR_RECORD = replace(IVR_PLAY, path="ivr/middle/record", block=Kind.IVR_RECORD)
IVR_MONITOR = replace(
    IVR_PLAY, path="ivr/middle/monitor", block=Kind.IVR_MONITOR, notify_as=("notify_url", "monitor_notify_url")
)
IVR_HOLD = Endpoint(path="ivr/middle/hold", response=HoiioResponse, encoders=_spoken)
IVR_UNHOLD = Endpoint(path="ivr/middle/unhold", response=HoiioResponse, route=Route.IVR, block=Kind.IVR_UNHOLD)
IVR_HANGUP = replace(IVR_PLAY, path="ivr/end/hangup", block=Kind.IVR_HANGUP)
IVR_TRANSFER = Endpoint(
    path="ivr/end/transfer",
    response=responses.TransferResponse,
    route=Route.IVR,
    block=Kind.IVR_TRANSFER,
    encoders={**_spoken, "dest": number_or_room},
)
IVR_DIAL = Endpoint(
    path="ivr/start/dial",
    response=responses.DialResponse,
    route=Route.IVR,
    block=Kind.IVR_DIAL,
    encoders=_spoken,
)

NUMBER_GET_ACTIVE = Endpoint(path="number/get_active", response=responses.NumbersResponse)
NUMBER_UPDATE_FORWARDING = Endpoint(path="number/update_forwarding", response=HoiioResponse)
NUMBER_GET_COUNTRIES = Endpoint(path="number/get_countries", response=responses.CountriesResponse)
NUMBER_GET_CHOICES = Endpoint(path="number/get_choices", response=responses.NumbersResponse)
NUMBER_GET_RATES = Endpoint(path="number/get_rates", response=responses.NumberRatesResponse)
NUMBER_SUBSCRIBE = Endpoint(path="number/subscribe", response=responses.SubscriptionResponse)
USER_GET_BALANCE = Endpoint(path="user/get_balance", response=responses.BalanceResponse)
USER_GET_INFO = Endpoint(path="user/get_info", response=responses.UserResponse)
