"""`fax/send`."""

from __future__ import annotations

import base64
import binascii
import re
from decimal import Decimal
from typing import Any

from django_hoiio.enums import Kind
from django_hoiio.sandbox import errors, sms, wire
from django_hoiio.sandbox.errors import ApiError, ApiRequest
from django_hoiio.sandbox.exchange import HANDSET, exchange, now
from django_hoiio.sandbox.records import Number, Transaction
from django_hoiio.sandbox.samples import fax_script, parameters_of, step_parameters

from .voice import check_caller_id, check_lines

# Bytes.
LARGEST = 2 * 1024 * 1024
# Characters.
LONGEST_HEADER = 100

_PAGE = re.compile(rb"/Type\s*/Page\b")


def send(asked: ApiRequest) -> dict[str, Any]:
    """Send a fax. `file` is a PDF in Base64."""
    dest = asked.number("dest")
    document = _document(asked.text("file"))
    if len(asked.text("fax_header")) > LONGEST_HEADER:
        raise ApiError("error_malformed_params")
    check_caller_id(asked)
    check_lines(asked, 1)
    pages = max(1, len(_PAGE.findall(document)))
    status = errors.call_outcome(dest)
    debit = wire.FAX_RATE * pages if status == "answered" else Decimal(0)
    sms.charge(asked.account, debit)
    transaction = _begin(asked, dest, pages)
    exchange.write("fax_out", to=dest, txn_ref=transaction.txn_ref)
    # Hoiio sends no notification of a fax before it is delivered or has failed.
    if status != "ongoing":
        _finish(asked, transaction, status, debit, document)
    return {"txn_ref": transaction.txn_ref}


def _document(file: str) -> bytes:
    try:
        raw = base64.b64decode("".join(file.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApiError("error_file_invalid") from error
    if not raw.startswith(b"%PDF"):
        raise ApiError("error_file_invalid")
    if len(raw) > LARGEST:
        raise ApiError("error_file_too_big")
    return raw


def _begin(asked: ApiRequest, dest: str, pages: int) -> Transaction:
    said = {"tag": asked.text("tag"), "src": "", "dest": dest, "fax_status": "ongoing", "fax_pages": str(pages)}
    return exchange.begin(
        Transaction(
            account=asked.account,
            channel="fax",
            txn_ref=exchange.reference("AA-C-"),
            at=now(),
            said={**said, "currency": wire.CURRENCY, "rate": wire.amount(wire.FAX_RATE)},
        )
    )


def _finish(asked: ApiRequest, transaction: Transaction, status: str, debit: Decimal, document: bytes) -> None:
    said = transaction.said
    facts = {**said, "txn_ref": transaction.txn_ref, "date": wire.notified_date(transaction.at)}
    facts |= {"debit": wire.amount(debit), "duration": said["fax_pages"] if status == "answered" else "0"}
    del facts["fax_status"]
    link = exchange.keep_file(f"{exchange.reference('fax-')}.pdf", "application/pdf", document)
    said |= {"fax_status": status, "fax_url": link, "debit": wire.amount(debit)}
    for step in fax_script(status):
        exchange.notify(asked.account, asked.text("notify_url"), step_parameters(step, facts))
    own = exchange.number(said["dest"])
    if own is not None and own.mode == "fax":
        _bring_in(own, link, said["fax_pages"])


def _bring_in(number: Number, link: str, pages: str) -> None:
    """Receive a fax on one of the application's numbers."""
    price = wire.amount(wire.INCOMING_PRICE)
    said = {"src": HANDSET, "dest": number.number, "fax_status": "answered", "fax_pages": pages, "fax_url": link}
    transaction = exchange.begin(
        Transaction(
            account=number.account,
            channel="fax",
            txn_ref=exchange.reference("AA-C-"),
            at=now(),
            is_incoming=True,
            said={**said, "tag": "", "currency": wire.CURRENCY, "rate": price, "debit": price},
        )
    )
    exchange.spend(number.account, wire.INCOMING_PRICE)
    facts = {"txn_ref": transaction.txn_ref, "from": HANDSET, "to": number.number, "duration": pages}
    facts["date"] = wire.notified_date(transaction.at)
    params = parameters_of(Kind.FAX_RECEIVED, {**transaction.said, **facts})
    exchange.notify(number.account, number.target("fax"), params)
