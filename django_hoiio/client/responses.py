"""Responses of Hoiio's API. Fields are named as on the wire; a missing one is `""`, `None` or an empty tuple."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

# A transaction that a request began: its reference, and what is known of it.
Started = tuple[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class HoiioResponse:
    """That Hoiio has done what it was asked to."""

    status: str = ""
    # All that was answered, by Hoiio's names, also what has no field here.
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def started(self, request: Mapping[str, str]) -> Iterator[Started]:
        """The transactions that the request has begun."""
        yield from ()


# What was begun.


@dataclass(frozen=True, kw_only=True)
class SentResponse(HoiioResponse):
    """A call, an SMS or a fax is on its way."""

    txn_ref: str

    def started(self, request: Mapping[str, str]) -> Iterator[Started]:
        yield self.txn_ref, request


@dataclass(frozen=True, kw_only=True)
class DialResponse(SentResponse):
    """An interactive call is on its way."""

    session: str

    def started(self, request: Mapping[str, str]) -> Iterator[Started]:
        yield self.txn_ref, {**request, "session": self.session}


@dataclass(frozen=True, kw_only=True)
class ConferenceResponse(HoiioResponse):
    """People are called into a room: a transaction for each, in the order in which they were named."""

    txn_refs: tuple[str, ...]
    room: str = ""

    def started(self, request: Mapping[str, str]) -> Iterator[Started]:
        dests = request["dest"].split(",")
        # With more or fewer references than people, whose is whose would be a guess.
        dests = dests if len(dests) == len(self.txn_refs) else [""] * len(self.txn_refs)
        for txn_ref, dest in zip(self.txn_refs, dests, strict=True):
            yield txn_ref, {**request, "dest": dest, "room": self.room or request.get("room", "")}


@dataclass(frozen=True, kw_only=True)
class BulkSmsResponse(HoiioResponse):
    """A bulk SMS is taken. Whether each message was accepted, and its txn_ref, come in notifications."""

    bulk_txn_ref: str


@dataclass(frozen=True, kw_only=True)
class TransferResponse(HoiioResponse):
    """A call is handed on; `room` says where to, if it is a conference room."""

    room: str = ""


# How something stands.


@dataclass(frozen=True, kw_only=True)
class CallStatusResponse(HoiioResponse):
    """How a call stands. While it runs it has neither duration nor debit."""

    txn_ref: str = ""
    tag: str = ""
    dest1: str = ""
    dest2: str = ""
    # The Hoiio Number that took part.
    number: str = ""
    call_status_dest1: str = ""
    call_status_dest2: str = ""
    date: datetime | None = None
    # Minutes.
    duration: int | None = None
    currency: str = ""
    rate: Decimal | None = None
    debit: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class SmsStatusResponse(HoiioResponse):
    """How an SMS stands. The status `received` tells one that came in."""

    txn_ref: str = ""
    tag: str = ""
    sms_status: str = ""
    # A number, or the name that it was sent under.
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
    """How a fax stands. Whoever holds `fax_url` can read it."""

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

    # What each of `entries` is.
    entry: ClassVar[type[HoiioResponse]]

    # On this page.
    entries_count: int | None = None


@dataclass(frozen=True, kw_only=True)
class HistoryResponse(ListResponse):
    """A page of at most 100; in which order is not documented."""

    # On all pages.
    total_entries_count: int | None = None


@dataclass(frozen=True, kw_only=True)
class CallHistoryResponse(HistoryResponse):
    entry = CallStatusResponse
    entries: tuple[CallStatusResponse, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SmsHistoryResponse(HistoryResponse):
    entry = SmsStatusResponse
    entries: tuple[SmsStatusResponse, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FaxHistoryResponse(HistoryResponse):
    entry = FaxStatusResponse
    entries: tuple[FaxStatusResponse, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Number(HoiioResponse):
    """A Hoiio Number of the account, and what it is set to."""

    number: str
    # Where calls or faxes, and SMS, are notified. Whoever holds a signed URL can post to it.
    forward_to: str = field(default="", repr=False)
    forward_sms_to: str = field(default="", repr=False)
    # `voice` or `fax`.
    mode: str = ""
    expiry: date | None = None
    # `enabled` or `disabled`.
    auto_extend_status: str = ""
    country: str = ""
    state: str = ""
    # Of `VOICE`, `FAX` and `SMS`.
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NumbersResponse(ListResponse):
    entry = Number
    entries: tuple[Number, ...] = ()


# The account.


@dataclass(frozen=True, kw_only=True)
class RateResponse(HoiioResponse):
    """What a call would cost a minute, and how many minutes the credit lasts."""

    currency: str = ""
    rate: Decimal | None = None
    talktime: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class BalanceResponse(HoiioResponse):
    """The credit: `balance` is `points` and `bonus` together, and the bonus is spent first."""

    currency: str = ""
    balance: Decimal | None = None
    points: Decimal | None = None
    bonus: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class UserResponse(HoiioResponse):
    """Whose account it is, and what it may do."""

    uid: str = ""
    name: str = ""
    mobile_number: str = ""
    # What may be given as `caller_id`.
    caller_ids: tuple[str, ...] = ()
    email: str = ""
    country: str = ""
    prefix: str = ""
    currency: str = ""
    time_zone: str = ""
    # `trial` or `active`.
    user_status: str = ""
    sms_rebrand_status: str = ""
    call_rebrand_status: str = ""
