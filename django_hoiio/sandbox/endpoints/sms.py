"""`sms/…`: an SMS to one number or to many, and its price."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from django_hoiio.enums import Kind
from django_hoiio.sandbox import sms, wire
from django_hoiio.sandbox.errors import ApiError, ApiRequest, phone_number
from django_hoiio.sandbox.exchange import HANDSET
from django_hoiio.sandbox.records import SandboxTransaction
from django_hoiio.sandbox.samples import parameters_of

from .number import is_incoming_rate

MAX_RECIPIENTS = 1000

_SENDER = re.compile(r"[A-Za-z0-9 ]{3,11}|\+[0-9]{5,15}")
_PLACE = re.compile(r"\{\{\{?\s*(\w+)\s*\}?\}\}")


def send(request: ApiRequest) -> dict[str, Any]:
    dest, sender = request.number("dest"), _sender(request)
    msg = _checked(request.text("msg"))
    transaction = sms.accept(request, dest, msg, sender=sender)
    _report(request, transaction)
    return {"txn_ref": transaction.txn_ref}


def bulk_send(request: ApiRequest) -> dict[str, Any]:
    """Send an SMS to several recipients. A notification for each reports whether it was accepted."""
    recipients = _recipients(request)
    if len(recipients) > MAX_RECIPIENTS:
        raise ApiError("error_dest_too_many")
    sender, template = _sender(request), request.text("msg")
    # Check the length of the filled texts, not of the template.
    if not request.text("recipients"):
        _checked(template)
    bulk_txn_ref = request.exchange.reference("AA-B-")
    for recipient in recipients:
        _send_one(request, recipient, template, sender, bulk_txn_ref)
    return {"bulk_txn_ref": bulk_txn_ref}


def get_rate(request: ApiRequest) -> dict[str, Any]:
    """Return the price of a part or, with `incoming`, of an incoming SMS, and of the whole `msg`."""
    is_incoming, msg = is_incoming_rate(request), request.text("msg")
    rate = wire.INCOMING_PRICE if is_incoming else wire.SMS_RATE
    answer = {"currency": wire.CURRENCY, "rate": wire.amount(rate)}
    if not (msg or is_incoming):
        return answer
    parts = 1 if is_incoming else wire.parts_of(_checked(msg))
    total = {"split_count": str(parts), "total_cost": wire.amount(rate * parts)}
    return {**answer, **total, "is_unicode": wire.is_unicode(msg)}


def _send_one(request: ApiRequest, recipient: Mapping[str, str], template: str, sender: str, bulk_txn_ref: str) -> None:
    facts = {"dest": recipient["dest"], "bulk_txn_ref": bulk_txn_ref}
    try:
        dest = phone_number(recipient["dest"], "dest")
        msg = _checked(_PLACE.sub(lambda place: recipient.get(place[1], ""), template))
        transaction = sms.accept(request, dest, msg, sender=sender)
    except ApiError as refused:
        _notify(request, {**facts, "status": refused.status})
        return
    _notify(request, {**facts, "status": "success_ok", "txn_ref": transaction.txn_ref})
    _report(request, transaction)


def _report(request: ApiRequest, transaction: SandboxTransaction) -> None:
    sms.report(request.exchange, transaction, request.exchange.line.sms_outcome(transaction.details["dest"]))


def _notify(request: ApiRequest, facts: Mapping[str, str]) -> None:
    request.exchange.notify(request.account, request.text("notify_url"), parameters_of(Kind.BULK_SMS_STATUS, facts))


def _recipients(request: ApiRequest) -> list[dict[str, str]]:
    """Return the recipients, from comma-separated numbers or from JSON with the template's values."""
    if request.text("recipients"):
        return _from_json(request.text("recipients"))
    if not request.text("dest"):
        raise ApiError("error_dest_param_missing")
    return [{"dest": text.strip()} for text in request.text("dest").split(",")]


def _from_json(text: str) -> list[dict[str, str]]:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ApiError("error_malformed_params") from error
    if not isinstance(read, list) or not all(isinstance(each, dict) and "dest" in each for each in read):
        raise ApiError("error_malformed_params")
    return [{name: str(value) for name, value in each.items()} for each in read]


def _checked(msg: str) -> str:
    if not msg:
        raise ApiError("error_msg_empty")
    if wire.parts_of(msg) > wire.MAX_PARTS:
        raise ApiError("error_msg_too_big")
    return msg


def _sender(request: ApiRequest) -> str:
    sender = request.text("sender_name", HANDSET)
    if not _SENDER.fullmatch(sender):
        raise ApiError("error_invalid_sender_name")
    return sender
