"""Responses of Hoiio's API. Fields have Hoiio's names; a missing value is `""`, `None` or an empty tuple."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

__all__ = [
    "BalanceResponse",
    "BulkSmsResponse",
    "CallHistoryResponse",
    "CallStatusResponse",
    "ConferenceResponse",
    "CountriesResponse",
    "CountryResponse",
    "DialResponse",
    "FaxHistoryResponse",
    "FaxStatusResponse",
    "HistoryResponse",
    "HoiioResponse",
    "ListResponse",
    "NumberRateResponse",
    "NumberRatesResponse",
    "NumberResponse",
    "NumbersResponse",
    "RateResponse",
    "SentResponse",
    "SmsHistoryResponse",
    "SmsRateResponse",
    "SmsStatusResponse",
    "Started",
    "StateResponse",
    "SubscriptionResponse",
    "TransferResponse",
    "UserResponse",
]

#: A transaction that a request started: its txn_ref and its known parameters.
Started = tuple[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class HoiioResponse:
    """A successful response."""

    #: Fields that are lists of objects, and the type of the objects.
    lists: ClassVar[Mapping[str, type[HoiioResponse]]] = {}

    status: str = ""
    #: The whole response by Hoiio's names, including values without a field.
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def started(self, request: Mapping[str, str]) -> Iterator[Started]:
        """Yield the transactions that the request started."""
        yield from ()


# Started transactions.


@dataclass(frozen=True, kw_only=True)
class SentResponse(HoiioResponse):
    """A started call, SMS or fax."""

    txn_ref: str

    def started(self, request: Mapping[str, str]) -> Iterator[Started]:
        yield self.txn_ref, request


@dataclass(frozen=True, kw_only=True)
class DialResponse(SentResponse):
    """A started interactive call."""

    session: str

    def started(self, request: Mapping[str, str]) -> Iterator[Started]:
        yield self.txn_ref, {**request, "session": self.session}


@dataclass(frozen=True, kw_only=True)
class ConferenceResponse(HoiioResponse):
    """A started conference: a transaction for each person, in the order of `dest`."""

    txn_refs: tuple[str, ...]
    room: str = ""

    def started(self, request: Mapping[str, str]) -> Iterator[Started]:
        dests = request["dest"].split(",")
        # If the counts differ, we cannot know which txn_ref belongs to which person.
        dests = dests if len(dests) == len(self.txn_refs) else [""] * len(self.txn_refs)
        for txn_ref, dest in zip(self.txn_refs, dests, strict=True):
            yield txn_ref, {**request, "dest": dest, "room": self.room or request.get("room", "")}


@dataclass(frozen=True, kw_only=True)
class BulkSmsResponse(HoiioResponse):
    """An accepted bulk SMS. Notifications report the status and the txn_ref of each message."""

    bulk_txn_ref: str


@dataclass(frozen=True, kw_only=True)
class TransferResponse(HoiioResponse):
    """A transferred call; `room` is empty unless the target is a conference room."""

    room: str = ""


# Statuses.


@dataclass(frozen=True, kw_only=True)
class CallStatusResponse(HoiioResponse):
    """The status of a call. An ongoing call has no duration and no debit."""

    txn_ref: str = ""
    tag: str = ""
    dest1: str = ""
    dest2: str = ""
    #: The Hoiio Number that took part.
    number: str = ""
    call_status_dest1: str = ""
    call_status_dest2: str = ""
    date: datetime | None = None
    #: Minutes.
    duration: int | None = None
    currency: str = ""
    rate: Decimal | None = None
    debit: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class SmsStatusResponse(HoiioResponse):
    """The status of an SMS. An incoming SMS has the status `received`."""

    txn_ref: str = ""
    tag: str = ""
    sms_status: str = ""
    #: A number or a sender name.
    src: str = ""
    dest: str = ""
    msg: str = ""
    date: datetime | None = None
    split_count: int | None = None
    currency: str = ""
    rate: Decimal | None = None
    debit: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class FaxStatusResponse(HoiioResponse):
    """The status of a fax. Anybody who has `fax_url` can read the fax."""

    txn_ref: str = ""
    tag: str = ""
    fax_status: str = ""
    src: str = ""
    dest: str = ""
    fax_pages: int | None = None
    fax_url: str = field(default="", repr=False)
    date: datetime | None = None
    currency: str = ""
    rate: Decimal | None = None
    debit: Decimal | None = None


# Lists.


@dataclass(frozen=True, kw_only=True)
class ListResponse(HoiioResponse):
    """A page of a list."""

    #: On this page, and on all pages if the list has several.
    entries_count: int | None = None
    total_entries_count: int | None = None


@dataclass(frozen=True, kw_only=True)
class HistoryResponse(ListResponse):
    """A page of at most 100 entries. Hoiio does not document their order."""


@dataclass(frozen=True, kw_only=True)
class CallHistoryResponse(HistoryResponse):
    """A page of calls."""

    lists = {"entries": CallStatusResponse}
    entries: tuple[CallStatusResponse, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SmsHistoryResponse(HistoryResponse):
    """A page of SMS."""

    lists = {"entries": SmsStatusResponse}
    entries: tuple[SmsStatusResponse, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FaxHistoryResponse(HistoryResponse):
    """A page of faxes."""

    lists = {"entries": FaxStatusResponse}
    entries: tuple[FaxStatusResponse, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NumberResponse(HoiioResponse):
    """A Hoiio Number of the account and its settings, or one to subscribe to, which has none."""

    number: str
    #: Notify URLs for calls or faxes, and for SMS. Anybody who has a signed URL can post to it.
    forward_to: str = field(default="", repr=False)
    forward_sms_to: str = field(default="", repr=False)
    #: `voice` or `fax`.
    mode: str = ""
    expiry: date | None = None
    #: `enabled` or `disabled`.
    auto_extend_status: str = ""
    country: str = ""
    state: str = ""
    #: Of `VOICE`, `FAX` and `SMS`.
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NumbersResponse(ListResponse):
    """The account's numbers, or numbers to subscribe to."""

    lists = {"entries": NumberResponse}
    entries: tuple[NumberResponse, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StateResponse(HoiioResponse):
    """A state with numbers to subscribe to, and what they can do."""

    code: str = ""
    name: str = ""
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CountryResponse(HoiioResponse):
    """A country with numbers to subscribe to. `code` is as in ISO 3166-1; `prefix` is the calling code."""

    lists = {"states": StateResponse}
    code: str = ""
    name: str = ""
    prefix: str = ""
    states: tuple[StateResponse, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CountriesResponse(ListResponse):
    """Countries with numbers to subscribe to."""

    lists = {"entries": CountryResponse}
    entries: tuple[CountryResponse, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NumberRateResponse(HoiioResponse):
    """What a subscription of `duration` months costs as a whole."""

    duration: int | None = None
    rate: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class NumberRatesResponse(ListResponse):
    """The prices of a number."""

    lists = {"entries": NumberRateResponse}
    entries: tuple[NumberRateResponse, ...] = ()
    currency: str = ""


@dataclass(frozen=True, kw_only=True)
class SubscriptionResponse(HoiioResponse):
    """A started or extended subscription: what it cost, and its last day."""

    currency: str = ""
    debit: Decimal | None = None
    expiry: date | None = None


# The account.


@dataclass(frozen=True, kw_only=True)
class SmsRateResponse(HoiioResponse):
    """The price of a part of an SMS or, for `incoming`, of an incoming SMS."""

    currency: str = ""
    rate: Decimal | None = None
    #: Parts, price and alphabet of the `msg` of the request; `None` without one.
    split_count: int | None = None
    total_cost: Decimal | None = None
    is_unicode: bool | None = None


@dataclass(frozen=True, kw_only=True)
class RateResponse(HoiioResponse):
    """The price of a call or fax per minute; for a call, also the minutes that the credit lasts."""

    currency: str = ""
    rate: Decimal | None = None
    talktime: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class BalanceResponse(HoiioResponse):
    """The credit. `balance` is the sum of `points` and `bonus`; Hoiio spends the bonus first."""

    currency: str = ""
    balance: Decimal | None = None
    points: Decimal | None = None
    bonus: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class UserResponse(HoiioResponse):
    """The account's owner, settings and permissions."""

    uid: str = ""
    name: str = ""
    mobile_number: str = ""
    #: Values that `caller_id` accepts.
    caller_ids: tuple[str, ...] = ()
    email: str = ""
    country: str = ""
    prefix: str = ""
    currency: str = ""
    time_zone: str = ""
    #: `trial` or `active`.
    user_status: str = ""
    sms_rebrand_status: str = ""
    call_rebrand_status: str = ""
