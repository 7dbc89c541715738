"""Parse a raw notification without database, request object or clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django_hoiio.enums import Direction, Kind, Rank, Route, Source, VerifiedBy

from .classifying import direction_of, kind_of, rank_of_report
from .fields import fields_of_body, fields_of_query
from .history import as_notified
from .parameters import PARAMETERS, read, remote_party


class RawNotification(NamedTuple):
    """A notification as received, before it is parsed."""

    # Identifies this delivery, so that a retry of the same delivery never makes a second row.
    uuid: UUID
    received_at: datetime
    route: Route
    # Percent-encoded, without the question mark.
    query: str
    body: bytes
    # The few stored headers, by their usual names.
    headers: Mapping[str, str] = {}
    remote_addr: str = ""
    account: str = "default"
    verified_by: VerifiedBy = VerifiedBy.NONE
    source: Source = Source.WEBHOOK
    # The pass-on parameters of the signed notify URL, and the block that its request started.
    pass_on: Mapping[str, Any] = {}
    block: Mapping[str, Any] = {}
    # The problems of the verification.
    problems: Mapping[str, str] = {}


class ParsedNotification(NamedTuple):
    """The parameters of one notification. Field names match the models; `None` means not reported."""

    kind: Kind
    # Progress of the transaction.
    rank: Rank
    # Hoiio's own parameters, as text.
    params: Mapping[str, str]
    # The project's, as text or as it signed them; and the names that the verification does not cover.
    pass_on: Mapping[str, Any]
    unverified_params: Sequence[str]
    # The problem of each parameter.
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
    def remote_party(self) -> tuple[str, str]:
        """The number of the remote party, the caller or the recipient, and its last digits."""
        return remote_party(self.direction, self.from_number, self.dest2, self.dest, self.dest1)


def parse(raw: RawNotification) -> ParsedNotification:
    """Parse a notification. No input makes this fail: parameters that cannot be read are in `problems`."""
    in_query = dict(fields_of_query(raw.query))
    in_body = dict(fields_of_body(raw.body, raw.headers.get("Content-Type", "")))
    unverified_params: list[str] = []
    if raw.verified_by == VerifiedBy.SIGNATURE:
        # Hoiio signs the body only. Anybody can add query parameters.
        in_query = {name: text for name, text in in_query.items() if name not in PARAMETERS}
        unverified_params = [name for name in in_query if name not in in_body]
    received_params = {**in_query, **in_body}
    if raw.source == Source.POLL:
        received_params = as_notified(received_params, raw.route)
    params = {name: text for name, text in received_params.items() if name in PARAMETERS}
    pass_on = {name: text for name, text in received_params.items() if name not in PARAMETERS}
    values, problems = read(params)
    kind = kind_of(params, raw.route, raw.block)
    if not received_params:
        problems["parameters"] = "there are no parameters"
    elif not params:
        problems["parameters"] = "none of the parameters is Hoiio's"
    elif kind == Kind.UNKNOWN:
        problems["kind"] = "the kind of the notification cannot be recognised"
    return ParsedNotification(
        kind=kind,
        rank=rank_of_report(kind, params),
        params=params,
        pass_on={**pass_on, **raw.pass_on},
        unverified_params=unverified_params,
        problems={**problems, **raw.problems},
        direction=direction_of(params),
        **values,
    )
