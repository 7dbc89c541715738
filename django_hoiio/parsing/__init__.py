"""From the bytes of a request to what they say: no database, no request object and no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django_hoiio.enums import Direction, Kind, Origin, Proof, Rank, Route, facts_of

from .classifying import direction_of, kind_of, rank_of_report
from .fields import fields_of_body, fields_of_query
from .history import as_notified
from .parameters import PARAMETERS, read


class Arrival(NamedTuple):
    """A notification as it came, before anybody interprets it."""

    # Names this arrival and no other, so that keeping it twice is noticed.
    uuid: UUID
    received_at: datetime
    route: Route
    # Percent-encoded, without the question mark.
    query: str
    body: bytes
    # The few headers that are kept, by their usual names.
    headers: Mapping[str, str] = {}
    remote_addr: str = ""
    account: str = "default"
    proof: Proof = Proof.NONE
    origin: Origin = Origin.POST
    # What the signed notify URL gave back, and what is wrong with the proofs.
    pass_on: Mapping[str, Any] = {}
    problems: Mapping[str, str] = {}


class Parsed(NamedTuple):
    """What one notification says. Fields are named as in the models; `None` is what it does not say."""

    kind: Kind
    # How far the transaction has got.
    rank: Rank
    # Hoiio's own parameters, as text.
    params: Mapping[str, str]
    # The project's, as text, or as it signed them; and the names of those that the proof does not cover.
    pass_on: Mapping[str, Any]
    unproved: Sequence[str]
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
    def facts(self) -> tuple[Kind, ...]:
        """The kinds of signal to send."""
        return facts_of(self.kind, self.params)

    @property
    def other_number(self) -> str | None:
        """The other party: who called or wrote, or who was called or written to."""
        if self.direction == Direction.INCOMING:
            return self.from_number
        return self.dest2 or self.dest or self.dest1


def parse(arrival: Arrival) -> Parsed:
    """Read what a notification says. Nothing that came makes this fail: what cannot be read is named in `problems`."""
    in_query = dict(fields_of_query(arrival.query))
    in_body = dict(fields_of_body(arrival.body, arrival.headers.get("Content-Type", "")))
    unproved: list[str] = []
    if arrival.proof == Proof.SIGNATURE:
        # Hoiio signs the body alone: what stands beside it may be anybody's.
        in_query = {name: text for name, text in in_query.items() if name not in PARAMETERS}
        unproved = [name for name in in_query if name not in in_body]
    said = {**in_query, **in_body}
    if arrival.origin == Origin.POLL:
        said = as_notified(said, arrival.route)
    params = {name: text for name, text in said.items() if name in PARAMETERS}
    pass_on = {name: text for name, text in said.items() if name not in PARAMETERS}
    values, problems = read(params)
    kind = kind_of(params, arrival.route)
    if not said:
        problems["parameters"] = "there are none"
    elif not params:
        problems["parameters"] = "none of them is Hoiio's"
    elif kind == Kind.UNKNOWN:
        problems["kind"] = "nothing says what this is about"
    return Parsed(
        kind=kind,
        rank=rank_of_report(kind, params),
        params=params,
        pass_on={**pass_on, **arrival.pass_on},
        unproved=unproved,
        problems={**problems, **arrival.problems},
        direction=direction_of(params),
        **values,
    )
