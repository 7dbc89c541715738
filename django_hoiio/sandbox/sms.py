"""SMS in both directions and their notifications."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from django_hoiio.enums import Kind

from . import wire
from .errors import ApiError, ApiRequest
from .exchange import Exchange
from .records import SandboxNumber, SandboxTransaction
from .samples import parameters_of, sms_script, step_parameters


def accept(request: ApiRequest, dest: str, msg: str, *, sender: str) -> SandboxTransaction:
    """Accept an SMS and charge for it. An SMS to one of the application's numbers is also received there."""
    exchange, parts = request.exchange, wire.parts_of(msg)
    debit = wire.SMS_RATE * parts
    charge(exchange, request.account, debit)
    transaction = SandboxTransaction(
        account=request.account,
        channel="sms",
        txn_ref=exchange.reference("AA-S-"),
        at=exchange.now(),
        notify_url=request.text("notify_url"),
        details={
            "tag": request.text("tag"),
            "src": sender,
            "dest": dest,
            "msg": msg,
            "sms_status": "queued",
            "split_count": str(parts),
            "currency": wire.CURRENCY,
            "rate": wire.amount(wire.SMS_RATE),
            "debit": wire.amount(debit),
        },
    )
    person = {"person": dest} if exchange.line.is_person(dest) else {}
    exchange.write("sms_out", **{"from": sender, "to": dest, "msg": msg, "txn_ref": transaction.txn_ref, **person})
    own = exchange.number(dest)
    if own is not None and (own.mode == "voice" or own.forward_sms_to):
        receive(exchange, own, sender, msg)
    return exchange.begin(transaction)


def report(exchange: Exchange, transaction: SandboxTransaction, statuses: Sequence[str]) -> None:
    """Post the status reports of an SMS and store the last status."""
    details = transaction.details
    facts = {name: text for name, text in details.items() if name != "sms_status"}
    facts |= {"txn_ref": transaction.txn_ref, "date": wire.notified_date(transaction.at)}
    for step in sms_script(*statuses):
        exchange.notify(transaction.account, transaction.notify_url, step_parameters(step, facts))
    details["sms_status"] = statuses[-1] if statuses else details["sms_status"]


def receive(exchange: Exchange, number: SandboxNumber, sender: str, msg: str) -> None:
    """Receive an SMS on one of the application's numbers. Each part of a long SMS is a separate transaction."""
    for part in wire.incoming_parts(msg):
        txn_ref = exchange.reference("AA-SI-")
        price = wire.amount(wire.INCOMING_PRICE)
        details = {"src": sender, "dest": number.number, "msg": part, "sms_status": "received", "split_count": "1"}
        details |= {"currency": wire.CURRENCY, "rate": price, "debit": price}
        transaction = exchange.begin(
            SandboxTransaction(
                account=number.account,
                channel="sms",
                txn_ref=txn_ref,
                at=exchange.now(),
                is_incoming=True,
                details=details,
            )
        )
        exchange.spend(number.account, wire.INCOMING_PRICE)
        facts = {"from": sender, "to": number.number, "date": wire.notified_date(transaction.at), "txn_ref": txn_ref}
        exchange.notify(number.account, number.target("sms"), parameters_of(Kind.SMS_RECEIVED, {**details, **facts}))


def charge(exchange: Exchange, account: str, amount: Decimal) -> None:
    """Charge the account; raise `ApiError` if its credit is too low."""
    if sum(exchange.balance(account)) < amount:
        raise ApiError("error_insufficient_credit")
    exchange.spend(account, amount)
