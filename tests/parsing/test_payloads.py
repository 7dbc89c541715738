"""Post real payloads in the query, in the body and in both, and compare whole rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from django_hoiio.enums import Kind
from django_hoiio.models import Call, Fax, Sms, Transaction
from tests import ROOT
from tests.conftest import FORM, Post, values

PAYLOADS = [json.loads(line) for line in (ROOT / "tests/payloads.jsonl").read_text("utf-8").splitlines()]
# One link ends in %3D in its `params`, where its `query` spells an equals sign: the query is what Hoiio sends.
for payload in PAYLOADS:
    if "fax_url" in payload["params"]:
        payload["params"]["fax_url"] = payload["params"]["fax_url"].replace("%3D", "=")
NOTIFICATIONS = [payload for payload in PAYLOADS if not payload["kind"].startswith("api:")]


class Expected(NamedTuple):
    """The kinds of signal of a payload, and the row that it creates."""

    signal_kinds: list[Kind]
    row: dict[str, Any] | None


def at(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=timezone.utc)  # type: ignore[misc, arg-type]


# In the order of the file.
EXPECTED = [
    Expected(
        [Kind.SMS_STATUS],
        {
            "model": "Sms",
            "account": "default",
            "txn_ref": "AA-S-471804",
            "direction": "outgoing",
            "remote_number": "+6500000000",
            "remote_suffix": "00000000",
            "is_final": True,
            "dest": "+6500000000",
            "date": at(2012, 6, 6, 3, 15, 20),
            "currency": "SGD",
            "rate": Decimal("0.032"),
            "debit": Decimal("0.032"),
            "sms_status": "delivered",
            "split_count": 1,
        },
    ),  # sms_delivery
    Expected(
        [Kind.CALL_ENDED],
        {
            "model": "Call",
            "account": "default",
            "txn_ref": "AA-C-2517398",
            "direction": "outgoing",
            "remote_number": "+6500000000",
            "remote_suffix": "00000000",
            "is_final": True,
            "date": at(2012, 6, 6, 3, 10, 36),
            "currency": "SGD",
            "rate": Decimal("0.036"),
            "debit": Decimal("0"),
            "call_status_dest1": "answered",
            "call_status_dest2": "failed",
            "dest1": "+6500000000",
            "dest2": "+6500000000",
            "duration": 0,
            "outcome": "failed",
        },
    ),  # voice_call
    Expected(
        [Kind.IVR_RECORD],
        {
            "model": "Call",
            "account": "default",
            "txn_ref": "AA-C-2507650",
            "direction": "outgoing",
            "remote_number": "+6500000000",
            "remote_suffix": "00000000",
            "is_final": False,
            "dest": "+6500000000",
            "session": "S3839",
            "call_state": "ongoing",
            "outcome": "in_progress",
        },
    ),  # ivr_record
    Expected(
        [Kind.SMS_RECEIVED],
        {
            "model": "Sms",
            "account": "default",
            "txn_ref": "AA-SI-85",
            "direction": "incoming",
            "remote_number": "+16201234567",
            "remote_suffix": "01234567",
            "is_final": True,
            "from_number": "+16201234567",
            "to_number": "+16501234567",
            "date": at(2012, 10, 30, 4, 20, 50),
            "currency": "SGD",
            "debit": Decimal("0.013"),
            "msg": "hoiio world",
            "part": "8c2c6210f99d9a825c7b9994f9426d20",
        },
    ),  # sms_incoming
    Expected(
        [Kind.FAX_RECEIVED],
        {
            "model": "Fax",
            "account": "default",
            "txn_ref": "AA-C-3060997",
            "direction": "incoming",
            "remote_number": "+6511111111",
            "remote_suffix": "11111111",
            "is_final": True,
            "from_number": "+6511111111",
            "to_number": "+6500000000",
            "date": at(2012, 10, 30, 4, 20, 50),
            "currency": "SGD",
            "debit": Decimal("0.013"),
            "fax_status": "answered",
            "fax_url": "https://hoiio.s3.amazonaws.com/infax/fax-1.pdf?Expires=1640069813&AWSAccessKeyId=XXXX&Signature=XXXX=",
            "duration": 1,
        },
    ),  # fax_incoming
    Expected(
        [Kind.FAX_RECEIVED],
        {
            "model": "Fax",
            "account": "default",
            "txn_ref": "AA-C-3060998",
            "direction": "incoming",
            "remote_number": "+6511111111",
            "remote_suffix": "11111111",
            "is_final": True,
            "from_number": "+6511111111",
            "to_number": "+6500000000",
            "date": at(2012, 10, 30, 4, 20, 50),
            "currency": "SGD",
            "debit": Decimal("0"),
            "fax_status": "failed",
            "fax_error_code": "busy",
            "duration": 0,
        },
    ),  # fax_incoming
    Expected(
        [Kind.IVR_ANSWER],
        {
            "model": "Call",
            "account": "default",
            "txn_ref": "AA-C-2507650",
            "direction": "incoming",
            "remote_number": "+6511111111",
            "remote_suffix": "11111111",
            "is_final": False,
            "from_number": "+6511111111",
            "to_number": "+6500000000",
            "session": "S3839",
            "outcome": "in_progress",
        },
    ),  # ivr_answer
    Expected([Kind.IVR_MONITOR, Kind.IVR_ENDED], None),  # ivr_monitor_ended
    Expected(
        [Kind.IVR_ANSWER],
        {
            "model": "Call",
            "account": "default",
            "txn_ref": "AA-C-2507650",
            "direction": "incoming",
            "remote_number": "+6511111111",
            "remote_suffix": "11111111",
            "is_final": False,
            "from_number": "+6511111111",
            "to_number": "+6500000000",
            "session": "S3839",
            "call_state": "ringing",
            "outcome": "in_progress",
        },
    ),  # ivr_answer
    Expected([Kind.IVR_ENDED], None),  # ivr_ended
    Expected(
        [Kind.IVR_GATHER],
        {
            "model": "Call",
            "account": "default",
            "txn_ref": "AA-C-2507650",
            "direction": "incoming",
            "remote_number": "+6511111111",
            "remote_suffix": "11111111",
            "is_final": False,
            "from_number": "+6511111111",
            "to_number": "+6500000000",
            "session": "S3839",
            "call_state": "ongoing",
            "outcome": "in_progress",
        },
    ),  # ivr_gather
    Expected(
        [Kind.IVR_GATHER],
        {
            "model": "Call",
            "account": "default",
            "txn_ref": "AA-C-2507650",
            "direction": "incoming",
            "remote_number": "+6511111111",
            "remote_suffix": "11111111",
            "is_final": False,
            "from_number": "+6511111111",
            "to_number": "+6500000000",
            "session": "S3839",
            "call_state": "ongoing",
            "outcome": "in_progress",
        },
    ),  # ivr_gather
    Expected([Kind.IVR_RECORD, Kind.IVR_ENDED], None),  # ivr_ended
    Expected(
        [Kind.CALL_ENDED],
        {
            "model": "Call",
            "account": "default",
            "txn_ref": "AA-C-2517399",
            "direction": "outgoing",
            "remote_number": "+6522222222",
            "remote_suffix": "22222222",
            "is_final": True,
            "date": at(2012, 6, 6, 3, 10, 36),
            "currency": "SGD",
            "rate": Decimal("0.018"),
            "debit": Decimal("0.036"),
            "call_status_dest1": "answered",
            "call_status_dest2": "answered",
            "dest1": "+6511111111",
            "dest2": "+6522222222",
            "duration": 2,
            "outcome": "answered",
        },
    ),  # voice_call
    Expected(
        [Kind.SMS_STATUS],
        {
            "model": "Sms",
            "account": "default",
            "txn_ref": "AA-S-471805",
            "direction": "outgoing",
            "remote_number": "+6511111111",
            "remote_suffix": "11111111",
            "is_final": False,
            "dest": "+6511111111",
            "date": at(2012, 6, 6, 3, 15, 20),
            "currency": "SGD",
            "rate": Decimal("0.032"),
            "debit": Decimal("0.032"),
            "sms_status": "queued",
            "split_count": 1,
        },
    ),  # sms_delivery
    Expected(
        [Kind.IVR_DIAL, Kind.IVR_ENDED],
        {
            "model": "Call",
            "account": "default",
            "txn_ref": "AA-C-2507650",
            "direction": "outgoing",
            "remote_number": "+6511111111",
            "remote_suffix": "11111111",
            "is_final": True,
            "dest": "+6511111111",
            "date": at(2012, 6, 6, 3, 10, 36),
            "currency": "SGD",
            "rate": Decimal("0.018"),
            "debit": Decimal("0"),
            "session": "S3839",
            "call_state": "ended",
            "dial_status": "unanswered",
            "duration": 0,
            "outcome": "missed",
        },
    ),  # ivr_dial
    Expected(
        [Kind.BULK_SMS_STATUS],
        {
            "model": "Sms",
            "account": "default",
            "txn_ref": "AA-S-471806",
            "direction": "outgoing",
            "remote_number": "+6511111111",
            "remote_suffix": "11111111",
            "is_final": False,
            "dest": "+6511111111",
            "status": "success_ok",
            "bulk_txn_ref": "AA-B-147",
        },
    ),  # sms_bulk_transaction
    Expected([Kind.BULK_SMS_STATUS], None),  # sms_bulk_transaction
    Expected(
        [Kind.SMS_STATUS],
        {
            "model": "Sms",
            "account": "default",
            "txn_ref": "AA-S-471806",
            "tag": "myapp",
            "direction": "outgoing",
            "remote_number": "+6511111111",
            "remote_suffix": "11111111",
            "is_final": True,
            "dest": "+6511111111",
            "date": at(2014, 1, 23, 6, 44, 31),
            "currency": "SGD",
            "rate": Decimal("0.032"),
            "debit": Decimal("0.032"),
            "sms_status": "delivered",
            "split_count": 1,
        },
    ),  # sms_delivery
]

# Path and body of the POST.
TRANSPORTS: dict[str, Callable[[str], tuple[str, str]]] = {
    "query": lambda content: (f"any?{content}", ""),
    "body": lambda content: ("any", content),
    "both": lambda content: (f"any/?{content}", content),
}


def test_every_notification_has_an_expectation() -> None:
    assert len(NOTIFICATIONS) == len(EXPECTED)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("payload", "expected"),
    list(zip(NOTIFICATIONS, EXPECTED, strict=True)),
    ids=[f"{number}-{payload['kind']}" for number, payload in enumerate(NOTIFICATIONS)],
)
def test_payload_becomes_its_rows(
    post: Post, heard: list[Any], payload: dict[str, Any], expected: Expected, transport: str
) -> None:
    path, body = TRANSPORTS[transport](payload["query"])
    pass_on = payload.get("pass_on", [])

    notification = post(path, body)

    assert values(notification) == {
        name: value
        for name, value in {
            "kind": expected.signal_kinds[0],
            "route": "any",
            "account": "default",
            "txn_ref": payload["params"].get("txn_ref"),
            "session": payload["params"].get("session"),
            "params": {name: value for name, value in payload["params"].items() if name not in pass_on},
            "pass_on": {name: payload["params"][name] for name in pass_on},
            "query": path.partition("?")[2],
            "body": body.encode(),
            "headers": {"Content-Type": FORM} if body else {},
            "source": "webhook",
            "receivers": [[name, "tests.heard"] for name in (*expected.signal_kinds, "notification_received")],
        }.items()
        if value
    }
    rows: list[Transaction] = [*Call.objects.all(), *Sms.objects.all(), *Fax.objects.all()]
    assert [{"model": type(row).__name__, **values(row)} for row in rows] == ([expected.row] if expected.row else [])

    called = [name for name, _ in heard]
    assert called == [*(fact.value for fact in expected.signal_kinds), "notification_received"]
    for _, arguments in heard:
        given = {name: arguments[name] for name in ("call", "sms", "fax")}
        changed = expected.row["model"].lower() if expected.row else None
        assert {name: row for name, row in given.items() if row} == ({changed: rows[0]} if changed else {})
        assert (arguments["sender"], arguments["notification"], arguments["attempt"]) == (
            type(notification),
            notification,
            1,
        )
