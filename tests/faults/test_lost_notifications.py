"""A sandbox that drops three of ten notifications of all channels, and one reconciliation that ingests them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from django_hoiio import reconciliation
from django_hoiio.client import HoiioClient
from django_hoiio.enums import Source
from django_hoiio.models import Call, Fax, Notification, Sms
from django_hoiio.reconciliation import reconcile
from django_hoiio.sandbox import handset
from django_hoiio.sandbox.real_time import exchange, line
from django_hoiio.sandbox.records import SandboxTransaction
from tests.clients import FAX, HANDSET, NUMBER
from tests.conftest import values

# The server and the sandbox's thread need committed rows.
pytestmark = pytest.mark.django_db(transaction=True)

PDF = b"%PDF-1.4\n/Type /Page"

# A number that answers, and those that fail, are busy or do not answer.
DESTS = ["+6511111111", "+6500000100", "+6500000200", "+6500000300"]

# Rounds of transactions. The sandbox posts over a thousand notifications of them.
ROUNDS = 65


@pytest.fixture
def client(live_server: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[HoiioClient]:
    """Return a client of a sandbox that drops three of ten notifications."""
    settings.HOIIO = {
        "ACCOUNTS": {"default": {"APP_ID": "app", "ACCESS_TOKEN": "token"}},
        "PUBLIC_URL": live_server.url,
        "API_URL": f"{live_server.url}/sandbox/open/",
        "RECONCILE_REQUESTS_PER_MINUTE": 1000,
    }
    # Include transactions that have just begun.
    monkeypatch.setattr(reconciliation, "MIN_AGE", timedelta(seconds=-2))
    exchange.reset()
    exchange.switch(drop_rate=0.3)
    with HoiioClient() as client:
        yield client
    line.close()
    assert line.wait(30)


def everything_happens(client: HoiioClient, rounds: int) -> None:
    """Make calls, SMS and faxes in both directions, conferences and interactive calls, successful and failed."""
    for number in range(rounds):
        dest = DESTS[number % len(DESTS)]
        client.sms.send(dest=dest, msg="hello", tag=f"order-{number}")
        client.sms.bulk_send(dest=[DESTS[0], dest], msg="hello", tag="campaign")
        client.sms.send(dest=NUMBER, msg=f"text {number}", notify=False)
        client.voice.call(dest1=DESTS[0] if number % 2 else dest, dest2="+6522222222", tag="t")
        client.conference.call(dest=[DESTS[0], dest])
        client.fax.send(dest=dest if number % 2 else FAX, file=PDF)
        client.ivr.dial(dest=dest, msg="hello")
        act(lambda: handset.call(exchange, HANDSET, NUMBER))
        act(lambda: handset.hang_up(handset.current_call(exchange, HANDSET)))
        assert line.run_alarms(60)
    assert exchange.wait(60)


def act(action: Any) -> None:
    """Do something on the telephone."""
    with exchange.locked() as notices:
        action()
    exchange.send(notices)


MODELS: dict[str, type[Call | Sms | Fax]] = {"voice": Call, "sms": Sms, "fax": Fax}

# The reported fields of each sort of transaction.
REPORTED = {
    "sms out": ("sms_status", "dest", "tag", "split_count"),
    "sms in": ("msg",),
    "fax out": ("fax_status", "dest", "fax_pages"),
    "fax in": ("fax_status", "fax_url"),
    "voice": ("call_status_dest1", "call_status_dest2", "dest1", "dest2", "tag", "duration"),
    "leg": ("room", "duration"),
    "interactive": ("duration",),
}


def sort_of(transaction: SandboxTransaction) -> str:
    if transaction.channel != "voice":
        return f"{transaction.channel} {'in' if transaction.is_incoming else 'out'}"
    if exchange.calls[transaction.txn_ref].session:
        return "interactive"
    return "leg" if "room" in transaction.details else "voice"


def as_reported(sort: str, transaction: SandboxTransaction) -> dict[str, Any]:
    """Return the fields of a transaction of the sandbox, with the names of the models."""
    params = transaction.details
    fields: dict[str, Any] = {name: params[name] for name in REPORTED[sort]}
    fields |= {name: int(fields[name]) for name in ("duration", "split_count", "fax_pages") if name in fields}
    fields |= {"debit": Decimal(params["debit"]), "is_final": True, "date": transaction.at.replace(microsecond=0)}
    fields["direction"] = "incoming" if transaction.is_incoming else "outgoing"
    if sort.endswith(" in"):
        fields |= {"from_number": params["src"], "to_number": params["dest"]}
    elif sort == "leg":
        fields |= {"dest": params["dest1"], "call_status": params["call_status_dest1"]}
    elif sort == "interactive":
        party = {"from_number": params["dest1"]} if transaction.is_incoming else {"dest": params["dest1"]}
        fields |= {"call_state": "ended"} | party
    return fields


def stored(sort: str, transaction: SandboxTransaction) -> dict[str, Any] | None:
    """Return the same fields of the row."""
    row = MODELS[transaction.channel]._base_manager.filter(txn_ref=transaction.txn_ref).first()
    return None if row is None else {name: getattr(row, name) for name in as_reported(sort, transaction)}


def differing() -> dict[str, str]:
    """Return the transactions whose rows differ from the sandbox, with their sort."""
    sorts = {ref: sort_of(transaction) for ref, transaction in exchange.transactions.items()}
    return {
        ref: sort
        for ref, sort in sorts.items()
        if stored(sort, exchange.transactions[ref]) != as_reported(sort, exchange.transactions[ref])
    }


def test_reconciliation_after_losses_updates_all_rows_and_dispatches_each_notification_once(
    client: HoiioClient, heard: list[tuple[str, dict[str, Any]]]
) -> None:
    everything_happens(client, ROUNDS)
    posted = exchange.count("notification") - 1
    assert posted >= 1000
    unfinished = differing()
    assert set(unfinished.values()) == set(REPORTED)

    report = reconcile()

    assert report.failures == []
    assert differing() == {}
    polled = Counter(Notification.objects.filter(source=Source.POLL).values_list("txn_ref", flat=True))
    assert polled == dict.fromkeys(unfinished, 1)
    dispatched = Counter(arguments["notification"].pk for name, arguments in heard if name == "notification_received")
    assert dispatched == dict.fromkeys(Notification.objects.values_list("pk", flat=True), 1)
    ends = Counter(
        arguments["notification"].txn_ref
        for name, arguments in heard
        if name in ("call_ended", "ivr_ended", "sms_received", "fax_received", "fax_status")
        or (arguments["notification"].params.get("sms_status") in ("delivered", "failed") and name == "sms_status")
    )
    # An unanswered call that was dialled reports its block and its end together.
    assert ends == dict.fromkeys(exchange.transactions, 1)

    before = [[values(row) for row in model._base_manager.order_by("pk")] for model in (Call, Sms, Fax, Notification)]
    calls_before = len(heard)
    second = reconcile()

    assert second.failures == []
    assert second.overdue == 0
    after = [[values(row) for row in model._base_manager.order_by("pk")] for model in (Call, Sms, Fax, Notification)]
    assert (after, len(heard)) == (before, calls_before)
