"""`fax/…`: a fax and its price."""

from __future__ import annotations

import base64
import binascii
import re
from decimal import Decimal
from typing import Any

from django_hoiio.enums import Kind
from django_hoiio.sandbox import sms, wire
from django_hoiio.sandbox.errors import ApiError, ApiRequest
from django_hoiio.sandbox.exchange import HANDSET, Exchange
from django_hoiio.sandbox.records import SandboxNumber, SandboxTransaction
from django_hoiio.sandbox.samples import fax_script, parameters_of, step_parameters

from .number import is_incoming_rate
from .voice import check_caller_id, check_lines

# Bytes.
MAX_FILE_SIZE = 2 * 1024 * 1024
# Characters.
MAX_HEADER_LENGTH = 100

# URL-safe Base64, and standard Base64 whose plus was not encoded and so became a space; line breaks are skipped.
_BASE64 = str.maketrans("-_ ", "+/+", "\r\n\t")
_PAGE = re.compile(rb"/Type\s*/Page\b")


def send(request: ApiRequest) -> dict[str, Any]:
    """Send a fax. `file` is a PDF in Base64."""
    exchange, dest = request.exchange, request.number("dest")
    document = _document(request.text("file"))
    if len(request.text("fax_header")) > MAX_HEADER_LENGTH:
        raise ApiError("error_malformed_params")
    check_caller_id(request)
    check_lines(request, 1)
    status = exchange.line.call_outcome(dest)
    transaction = _begin(request, dest, document)
    if status == "answered":
        sms.charge(exchange, request.account, _price(transaction))
    exchange.begin(transaction)
    exchange.write("fax_out", to=dest, txn_ref=transaction.txn_ref)
    # Hoiio sends no notification of a fax before it is delivered or has failed.
    if status not in ("", "ongoing"):
        finish(exchange, transaction, status)
    return {"txn_ref": transaction.txn_ref}


def get_rate(request: ApiRequest) -> dict[str, Any]:
    """Return the price of a page or, with `incoming`, of an incoming fax."""
    rate = wire.INCOMING_PRICE if is_incoming_rate(request) else wire.FAX_RATE
    return {"currency": wire.CURRENCY, "rate": wire.amount(rate)}


def _document(file: str) -> bytes:
    try:
        raw = base64.b64decode(file.translate(_BASE64), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApiError("error_file_invalid") from error
    if not raw.startswith(b"%PDF"):
        raise ApiError("error_file_invalid")
    if len(raw) > MAX_FILE_SIZE:
        raise ApiError("error_file_too_big")
    return raw


def _begin(request: ApiRequest, dest: str, document: bytes) -> SandboxTransaction:
    pages = max(1, len(_PAGE.findall(document)))
    details = {"tag": request.text("tag"), "src": "", "dest": dest, "fax_status": "ongoing", "fax_pages": str(pages)}
    exchange = request.exchange
    return SandboxTransaction(
        account=request.account,
        channel="fax",
        txn_ref=exchange.reference("AA-C-"),
        at=exchange.now(),
        notify_url=request.text("notify_url"),
        document=exchange.store_file(f"{exchange.reference('fax-')}.pdf", "application/pdf", document),
        details={**details, "currency": wire.CURRENCY, "rate": wire.amount(wire.FAX_RATE)},
    )


def _price(transaction: SandboxTransaction) -> Decimal:
    return wire.FAX_RATE * int(transaction.details["fax_pages"])


def finish(exchange: Exchange, transaction: SandboxTransaction, status: str) -> None:
    """Deliver a fax or give up, and post the report."""
    details, is_delivered = transaction.details, status == "answered"
    debit = wire.amount(_price(transaction) if is_delivered else Decimal(0))
    facts = {**details, "txn_ref": transaction.txn_ref, "date": wire.notified_date(transaction.at)}
    facts |= {"debit": debit, "duration": details["fax_pages"] if is_delivered else "0"}
    del facts["fax_status"]
    details |= {"fax_status": status, "fax_url": transaction.document, "debit": debit}
    for step in fax_script(status):
        exchange.notify(transaction.account, transaction.notify_url, step_parameters(step, facts))
    own = exchange.number(details["dest"])
    if own is not None and own.mode == "fax":
        receive(exchange, own, sender=HANDSET, link=transaction.document, pages=details["fax_pages"])


def receive(exchange: Exchange, number: SandboxNumber, *, sender: str, link: str, pages: str) -> None:
    """Receive a fax on one of the application's numbers."""
    price = wire.amount(wire.INCOMING_PRICE)
    details = {"src": sender, "dest": number.number, "fax_status": "answered", "fax_pages": pages, "fax_url": link}
    transaction = exchange.begin(
        SandboxTransaction(
            account=number.account,
            channel="fax",
            txn_ref=exchange.reference("AA-C-"),
            at=exchange.now(),
            is_incoming=True,
            details={**details, "tag": "", "currency": wire.CURRENCY, "rate": price, "debit": price},
        )
    )
    exchange.spend(number.account, wire.INCOMING_PRICE)
    facts = {"txn_ref": transaction.txn_ref, "from": sender, "to": number.number, "duration": pages}
    facts["date"] = wire.notified_date(transaction.at)
    params = parameters_of(Kind.FAX_RECEIVED, {**transaction.details, **facts})
    exchange.notify(number.account, number.target("fax"), params)
