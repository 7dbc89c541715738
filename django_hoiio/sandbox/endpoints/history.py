"""`…/query_status` and `…/get_history`: the status of a transaction, and the history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django_hoiio.parsing.parameters import PARAMETERS
from django_hoiio.sandbox import wire
from django_hoiio.sandbox.errors import ApiError, ApiRequest
from django_hoiio.sandbox.records import SandboxTransaction

PAGE_SIZE = 100

_MONEY = ("currency", "rate", "debit")

# Fields of a transaction, by channel; unknown ones are left out.
RESPONSE_FIELDS: dict[str, tuple[str, ...]] = {
    "voice": (
        *("tag", "dest1", "dest2", "number", "room", "call_status_dest1", "call_status_dest2", "date", "duration"),
        *_MONEY,
    ),
    "sms": ("tag", "sms_status", "src", "dest", "msg", "date", "split_count", *_MONEY),
    "fax": ("tag", "src", "dest", "fax_status", "fax_pages", "fax_url", "date", *_MONEY),
}

# Never left out: SDKs refuse a whole list if an entry lacks one of them, or if its debit is not a number.
_CALL, _SMS, _FAX = {"dest2": "", "call_status_dest2": ""}, {"tag": ""}, {"fax_url": "", "debit": "0.000"}
_DEFAULTS: dict[str, dict[str, str]] = {"voice": _CALL, "sms": _SMS, "fax": _FAX}

_DIRECTIONS = {"incoming": (True,), "outgoing": (False,), "all": (True, False)}


def query_status(channel: str) -> Callable[[ApiRequest], Mapping[str, Any]]:
    """Return a handler for the status of a transaction."""
    return lambda request: _entry_of(transaction_of(request, channel))


def transaction_of(request: ApiRequest, channel: str) -> SandboxTransaction:
    transaction = request.exchange.transactions.get(request.text("txn_ref"))
    if transaction is None or transaction.channel != channel:
        raise ApiError("error_invalid_txn_ref")
    if transaction.account != request.account:
        raise ApiError("error_txn_ref_access_denied")
    return transaction


def get_history(channel: str) -> Callable[[ApiRequest], dict[str, Any]]:
    """Return a handler that lists transactions, oldest first, 100 on a page; `to` is exclusive."""

    def history(request: ApiRequest) -> dict[str, Any]:
        since, until = _moment(request, "from"), _moment(request, "to")
        if since and until and until < since:
            raise ApiError("error_to_before_from")
        directions = _DIRECTIONS.get(request.text("type", "all"), ()) if channel == "fax" else _DIRECTIONS["all"]
        if not directions:
            raise ApiError("error_invalid_type")
        found = [
            transaction
            for transaction in request.exchange.transactions.values()
            if (transaction.account, transaction.channel) == (request.account, channel)
            and transaction.is_incoming in directions
            and (since is None or transaction.at.replace(microsecond=0) >= since)
            and (until is None or transaction.at.replace(microsecond=0) < until)
        ]
        entries = [_entry_of(transaction) for transaction in found[request.page(PAGE_SIZE)]]
        counts = {"total_entries_count": str(len(found)), "entries_count": str(len(entries))}
        return {**counts, "entries": entries}

    return history


def _entry_of(transaction: SandboxTransaction) -> dict[str, str]:
    facts = {**_DEFAULTS[transaction.channel], **transaction.details, "date": wire.date(transaction.at)}
    fields = {name: facts[name] for name in RESPONSE_FIELDS[transaction.channel] if name in facts}
    return {"txn_ref": transaction.txn_ref, **fields}


def _moment(request: ApiRequest, name: str) -> datetime | None:
    """Read a date in Hoiio's format, in GMT+8."""
    if not request.text(name):
        return None
    try:
        moment: datetime = PARAMETERS["date"].read(request.text(name))
    except ValueError as error:
        raise ApiError(f"error_{name}_invalid") from error
    return moment
