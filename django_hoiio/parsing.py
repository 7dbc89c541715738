"""From the bytes of a request to what they say: no database, no request object and no clock.

Django's own `request.GET` and `request.POST` are not used. They replace bytes that are not UTF-8, stop at a thousand
fields, and read neither JSON nor a body whose content type is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes
from uuid import UUID

from .kinds import BLOCKS, WORDS, Direction, Kind, Origin, Proof, Rank, Route, rank_of, rank_of_acceptance

# Hoiio's dates bear no zone; its manual says GMT+8.
HOIIO_TIME = timezone(timedelta(hours=8), "GMT+8")


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A notification as it came, before anybody interprets it."""

    # Names this arrival and no other, so that keeping it twice is noticed.
    uuid: UUID
    received_at: datetime
    route: Route
    # Percent-encoded, without the question mark.
    query: str
    body: bytes
    # The few headers that are kept, by their usual names.
    headers: Mapping[str, str] = field(default_factory=dict)
    remote_addr: str = ""
    account: str = "default"
    proof: Proof = Proof.NONE
    origin: Origin = Origin.POST


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """What one notification says. Fields are named as in the models; `None` is what it does not say."""

    kind: Kind
    # How far the transaction has got.
    rank: Rank
    # Hoiio's own parameters and the project's, as text.
    params: Mapping[str, str]
    pass_on: Mapping[str, str]
    # Parameter → what is wrong with it.
    problems: Mapping[str, str]

    direction: Direction | None = None
    txn_ref: str | None = None
    session: str | None = None
    tag: str | None = None
    bulk_txn_ref: str | None = None
    status: str | None = None
    sms_status: str | None = None
    fax_status: str | None = None
    call_state: str | None = None
    call_status: str | None = None
    call_status_dest1: str | None = None
    call_status_dest2: str | None = None
    dial_status: str | None = None
    transfer_status: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    dest: str | None = None
    dest1: str | None = None
    dest2: str | None = None
    room: str | None = None
    msg: str | None = None
    split_count: int | None = None
    fax_pages: int | None = None
    fax_url: str | None = None
    fax_error_code: str | None = None
    date: datetime | None = None
    # Minutes.
    duration: int | None = None
    currency: str | None = None
    rate: Decimal | None = None
    debit: Decimal | None = None

    @property
    def other_number(self) -> str | None:
        """The other party: who called or wrote, or who was called or written to."""
        if self.direction == Direction.INCOMING:
            return self.from_number
        return self.dest2 or self.dest or self.dest1


def parse(arrival: Arrival) -> Parsed:
    """Read what a notification says. Nothing that came makes this fail: what cannot be read is named in `problems`."""
    said = {**dict(_urlencoded(arrival.query.encode())), **dict(_fields_of_body(arrival))}
    params = {name: value for name, value in said.items() if name in PARAMETERS}
    pass_on = {name: value for name, value in said.items() if name not in PARAMETERS}
    values, problems = _read(params)
    kind = _kind(params, arrival.route)
    if not said:
        problems["parameters"] = "there are none"
    elif not params:
        problems["parameters"] = "none of them is Hoiio's"
    elif kind == Kind.UNKNOWN:
        problems["kind"] = "nothing says what this is about"
    return Parsed(
        kind=kind,
        rank=_rank(kind, params),
        params=params,
        pass_on=pass_on,
        problems=problems,
        direction=_direction(params),
        **values,
    )


# The fields of a request.


def _fields_of_body(arrival: Arrival) -> Iterator[tuple[str, str]]:
    """Read the body by what it looks like: Hoiio's content type is not documented and may be wrong."""
    if arrival.body.lstrip()[:1] == b"{":
        from_json = _json(arrival.body)
        if from_json is not None:
            return iter(from_json.items())
    boundary = _BOUNDARY.search(arrival.headers.get("Content-Type", ""))
    if boundary:
        delimiter = b"--" + (boundary["quoted"] or boundary["plain"]).encode("latin-1", "replace")
        if delimiter in arrival.body:
            return _multipart(arrival.body, delimiter)
    return _urlencoded(arrival.body)


def _urlencoded(raw: bytes) -> Iterator[tuple[str, str]]:
    for pair in raw.split(b"&"):
        if pair:
            name, _, value = pair.replace(b"+", b" ").partition(b"=")
            yield _text(unquote_to_bytes(name)), _text(unquote_to_bytes(value))


_BOUNDARY = re.compile(r'^multipart/form-data\b.*?;\s*boundary=(?:"(?P<quoted>[^"]+)"|(?P<plain>[^\s;]+))', re.I)
_PART_NAME = re.compile(rb'content-disposition:.*?;\s*name=(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s;]+))', re.I)


# Longer part headers are not searched for a name, so that a crafted body cannot keep the worker busy.
_PART_HEAD = 4096


def _multipart(raw: bytes, delimiter: bytes) -> Iterator[tuple[str, str]]:
    """Read a form by RFC 7578; what stands before the first delimiter or bears no name is passed over."""
    for part in (b"\r\n" + raw).split(b"\r\n" + delimiter)[1:]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = _PART_NAME.search(head[:_PART_HEAD])
        if name:
            yield _text(name["quoted"] or name["plain"] or b""), _text(value)


def _json(raw: bytes) -> dict[str, str] | None:
    """Read a JSON object, numbers as they are written; `None` where it is not one."""
    try:
        read = json.loads(_text(raw), parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    return {_mended(name): _mended(_json_value(value)) for name, value in read.items()}


def _json_value(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _text(raw: bytes) -> str:
    """Decode UTF-8, else Latin-1: incoming SMS may be either, and Hoiio does not say which."""
    try:
        return _mended(raw.decode())
    except UnicodeDecodeError:
        return _mended(raw.decode("latin-1"))


_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def _mended(text: str) -> str:
    """Replace what no database can store: NUL, and half a surrogate pair as JSON can spell it."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


# The values of Hoiio's parameters. A reader raises ValueError with what is wrong, and never quotes the value.


def _short(limit: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if len(text) > limit:
            raise ValueError(f"is longer than {limit} characters")
        return text

    return read


def _number(text: str) -> str:
    """Mend a phone number whose plus came doubly encoded, or unencoded and so as a space."""
    return _short(NUMBER_LENGTH)(re.sub(r"^(?:%2[Bb]| (?=\d))", "+", text))


def _whole(text: str) -> int:
    found = re.fullmatch(r"\s*([0-9]{1,9})(?:\.0*)?\s*", text)
    if not found:
        raise ValueError("is not a whole number")
    return int(found[1])


def _amount(text: str) -> Decimal:
    found = re.fullmatch(r"\s*(-?[0-9]{1,9}(?:\.[0-9]{1,6})?)\s*", text)
    if not found:
        raise ValueError("is not an amount")
    return Decimal(found[1])


_DATE = re.compile(r"\s*(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d*))?\s*", re.ASCII)


def _date(text: str) -> datetime:
    """Read `2012-06-06 11:15:20` and, as Hoiio really sends it, `2012-06-06 11:15:20.0`."""
    found = _DATE.fullmatch(text)
    if not found:
        raise ValueError("is not a date")
    try:
        date = datetime.fromisoformat(found[1])
    except ValueError as error:
        raise ValueError("is not a date") from error
    if not 1970 <= date.year <= 9998:
        raise ValueError("is not a date of our time")
    return date.replace(microsecond=int((found[2] or "")[:6].ljust(6, "0")), tzinfo=HOIIO_TIME)


TAG_LENGTH = 256
NUMBER_LENGTH = 64
WORD_LENGTH = 64
REFERENCE_LENGTH = 64


class Parameter(NamedTuple):
    """One of Hoiio's parameters: the field it goes to, if any, and how it is read."""

    field: str | None
    read: Callable[[str], Any] = str


# Hoiio's own names. Every other name is the project's, and comes back in `pass_on`.
PARAMETERS: dict[str, Parameter] = {
    "txn_ref": Parameter("txn_ref", _short(REFERENCE_LENGTH)),
    "bulk_txn_ref": Parameter("bulk_txn_ref", _short(REFERENCE_LENGTH)),
    "session": Parameter("session", _short(REFERENCE_LENGTH)),
    "tag": Parameter("tag", _short(TAG_LENGTH)),
    "status": Parameter("status", _short(WORD_LENGTH)),
    "sms_status": Parameter("sms_status", _short(WORD_LENGTH)),
    "fax_status": Parameter("fax_status", _short(WORD_LENGTH)),
    "call_state": Parameter("call_state", _short(WORD_LENGTH)),
    "call_status": Parameter("call_status", _short(WORD_LENGTH)),
    "call_status_dest1": Parameter("call_status_dest1", _short(WORD_LENGTH)),
    "call_status_dest2": Parameter("call_status_dest2", _short(WORD_LENGTH)),
    "dial_status": Parameter("dial_status", _short(WORD_LENGTH)),
    "transfer_status": Parameter("transfer_status", _short(WORD_LENGTH)),
    "from": Parameter("from_number", _number),
    "to": Parameter("to_number", _number),
    "dest": Parameter("dest", _number),
    "dest1": Parameter("dest1", _number),
    "dest2": Parameter("dest2", _number),
    "room": Parameter("room", _short(REFERENCE_LENGTH)),
    "msg": Parameter("msg"),
    "split_count": Parameter("split_count", _whole),
    "fax_pages": Parameter("fax_pages", _whole),
    "fax_url": Parameter("fax_url"),
    "fax_error_code": Parameter("fax_error_code", _short(WORD_LENGTH)),
    "date": Parameter("date", _date),
    "duration": Parameter("duration", _whole),
    "currency": Parameter("currency", _short(WORD_LENGTH)),
    "rate": Parameter("rate", _amount),
    "debit": Parameter("debit", _amount),
    # What a block brought is an event and no state: it stays with its notification.
    "ivr_block": Parameter(None),
    "digits": Parameter(None),
    "record_url": Parameter(None),
    "monitor_url": Parameter(None),
}


def _read(params: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Read each parameter that goes to a field. Empty equals absent: `tag=` is sent where no tag was set."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, text in params.items():
        parameter = PARAMETERS[name]
        if not text or parameter.field is None:
            continue
        try:
            values[parameter.field] = parameter.read(text)
        except ValueError as error:
            problems[name] = str(error)
        else:
            if name in WORDS and text not in WORDS[name].values:
                problems[name] = "is a word that Hoiio does not document"
    return values, problems


# What kind of notification it is. A name counts when it is present, even empty: `digits=` means that no key came.

Rule = tuple[Callable[[Mapping[str, str]], bool], Kind]


def _has(*names: str) -> Callable[[Mapping[str, str]], bool]:
    return lambda params: any(name in params for name in names)


_is_fax = _has("fax_status", "fax_url", "fax_error_code")
_came_in = _has("from", "to")
_is_accepted = _has("txn_ref", "dest", "bulk_txn_ref")

# Tried in this order, before a block that gives its name.
_BEFORE_BLOCKS: tuple[Rule, ...] = (
    (lambda params: _is_fax(params) and _came_in(params), Kind.FAX_RECEIVED),
    (_is_fax, Kind.FAX_STATUS),
    (_has("sms_status"), Kind.SMS_STATUS),
    (lambda params: "msg" in params and "call_state" not in params, Kind.SMS_RECEIVED),
    (_has("call_status_dest1", "call_status_dest2", "call_status"), Kind.CALL_ENDED),
)

# And these after it. Older notifications do not name their block, so what it brought tells.
_AFTER_BLOCKS: tuple[Rule, ...] = (
    (_has("monitor_url"), Kind.IVR_MONITOR),
    (_has("record_url"), Kind.IVR_RECORD),
    (_has("transfer_status"), Kind.IVR_TRANSFER),
    (_has("dial_status"), Kind.IVR_DIAL),
    (_has("digits"), Kind.IVR_GATHER),
    (lambda params: params.get("call_state") == "ringing", Kind.IVR_ANSWER),
    (lambda params: params.get("call_state") == "ended", Kind.IVR_ENDED),
    (_has("session", "call_state", "ivr_block"), Kind.IVR_STEP),
    (lambda params: "status" in params and _is_accepted(params), Kind.BULK_SMS_STATUS),
    (_has("bulk_txn_ref"), Kind.BULK_SMS_STATUS),
    # A refused message of a bulk SMS may say nothing else.
    (lambda params: params.get("status", "").startswith(("success_", "error_")), Kind.BULK_SMS_STATUS),
)

# What the route makes of a notification whose content leaves it open: coming in, and otherwise.
_BY_ROUTE: dict[Route, tuple[Kind, Kind]] = {
    Route.VOICE: (Kind.CALL_ENDED, Kind.CALL_ENDED),
    Route.SMS: (Kind.SMS_RECEIVED, Kind.SMS_STATUS),
    Route.FAX: (Kind.FAX_RECEIVED, Kind.FAX_STATUS),
    Route.IVR: (Kind.IVR_STEP, Kind.IVR_STEP),
    Route.ANY: (Kind.UNKNOWN, Kind.UNKNOWN),
}


def _kind(params: Mapping[str, str], route: Route) -> Kind:
    if not params:
        return Kind.UNKNOWN
    return (
        _first(_BEFORE_BLOCKS, params)
        or BLOCKS.get(params.get("ivr_block", ""))
        or _first(_AFTER_BLOCKS, params)
        or _BY_ROUTE[route][0 if _came_in(params) else 1]
    )


def _first(rules: tuple[Rule, ...], params: Mapping[str, str]) -> Kind | None:
    return next((kind for holds, kind in rules if holds(params)), None)


def _direction(params: Mapping[str, str]) -> Direction | None:
    """`from` and `to` come with what began as incoming, `dest` with what was sent; `from=` hides the caller."""
    if _came_in(params) or params.get("sms_status") == "received":
        return Direction.INCOMING
    if _has("dest", "dest1", "dest2")(params):
        return Direction.OUTGOING
    return None


# The parameters whose words say how far a transaction has got, and what to think where they are missing.
_RANKED_BY: dict[Kind, tuple[tuple[str, ...], Rank]] = {
    Kind.CALL_ENDED: (("call_status", "call_status_dest1", "call_status_dest2"), Rank.FINAL),
    Kind.SMS_RECEIVED: ((), Rank.FINAL),
    Kind.SMS_STATUS: (("sms_status",), Rank.ONGOING),
    Kind.FAX_RECEIVED: (("fax_status",), Rank.FINAL),
    Kind.FAX_STATUS: (("fax_status",), Rank.ONGOING),
    Kind.IVR_ANSWER: (("call_state",), Rank.BEGUN),
}


def _rank(kind: Kind, params: Mapping[str, str]) -> Rank:
    """Rank the transaction by its least advanced part: a call of which one leg is ongoing is not over."""
    if kind == Kind.BULK_SMS_STATUS:
        return rank_of_acceptance(params.get("status", ""))
    names, otherwise = _RANKED_BY.get(kind, (("call_state",), Rank.ONGOING))
    return min((rank_of(name, params[name]) for name in names if params.get(name)), default=otherwise)
