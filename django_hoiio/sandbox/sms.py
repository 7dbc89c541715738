"""SMS in both directions and their notifications."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from django_hoiio.enums import Kind

from . import errors, wire
from .errors import ApiError
from .exchange import exchange, now
from .records import SandboxNumber, SandboxTransaction
from .samples import parameters_of, sms_script, step_parameters


def accept(account: str, dest: str, msg: str, *, tag: str, sender: str) -> SandboxTransaction:
    """Accept an SMS and charge for it. An SMS to one of the application's numbers is also received there."""
    parts = wire.parts_of(msg)
    debit = wire.SMS_RATE * parts
    charge(account, debit)
    details = {"tag": tag, "src": sender, "dest": dest, "msg": msg, "sms_status": "queued", "split_count": str(parts)}
    money = {"currency": wire.CURRENCY, "rate": wire.amount(wire.SMS_RATE), "debit": wire.amount(debit)}
    txn_ref = exchange.reference("AA-S-")
    transaction = exchange.begin(
        SandboxTransaction(account=account, channel="sms", txn_ref=txn_ref, at=now(), details={**details, **money})
    )
    exchange.write("sms_out", **{"from": sender, "to": dest, "msg": msg, "txn_ref": txn_ref})
    own = exchange.number(dest)
    if own is not None and (own.mode == "voice" or own.forward_sms_to):
        receive(own, sender, msg)
    return transaction


def report(transaction: SandboxTransaction, notify_url: str) -> None:
    """Post the status reports of an SMS and store the last status."""
    details = transaction.details
    statuses: Sequence[str] = errors.sms_outcome(details["dest"])
    facts = {name: text for name, text in details.items() if name != "sms_status"}
    facts |= {"txn_ref": transaction.txn_ref, "date": wire.notified_date(transaction.at)}
    for step in sms_script(*statuses):
        exchange.notify(transaction.account, notify_url, step_parameters(step, facts))
    details["sms_status"] = statuses[-1]


def receive(number: SandboxNumber, sender: str, msg: str) -> None:
    """Receive an SMS on one of the application's numbers. Each part of a long SMS is a separate transaction."""
    for part in wire.incoming_parts(msg):
        txn_ref = exchange.reference("AA-SI-")
        price = wire.amount(wire.INCOMING_PRICE)
        details = {"src": sender, "dest": number.number, "msg": part, "sms_status": "received", "split_count": "1"}
        details |= {"currency": wire.CURRENCY, "rate": price, "debit": price}
        transaction = exchange.begin(
            SandboxTransaction(
                account=number.account, channel="sms", txn_ref=txn_ref, at=now(), is_incoming=True, details=details
            )
        )
        exchange.spend(number.account, wire.INCOMING_PRICE)
        facts = {"from": sender, "to": number.number, "date": wire.notified_date(transaction.at), "txn_ref": txn_ref}
        exchange.notify(number.account, number.target("sms"), parameters_of(Kind.SMS_RECEIVED, {**details, **facts}))


def charge(account: str, amount: Decimal) -> None:
    """Charge the account; raise `ApiError` if its credit is too low."""
    if sum(exchange.balance(account)) < amount:
        raise ApiError("error_insufficient_credit")
    exchange.spend(account, amount)
