"""Decode the responses that both of Hoiio's manuals document."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from decimal import Decimal

import pytest

from django_hoiio.client import HoiioClient, responses
from django_hoiio.client.responses import HoiioResponse
from tests import ROOT
from tests.client.test_client import CALLS, DEST, DEST1, DEST2, DONE, ask, fresh
from tests.fake_hoiio import Hoiio

pytestmark = pytest.mark.django_db


def test_conference_is_read_as_in_both_manuals(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    hoiio.says(
        {**DONE, "txn_refs": ["AA-C-1", "AA-C-2"], "room": "R123"},
        {**DONE, "txn_refs": "AA-C-1, AA-C-2,", "room": "R123"},
    )
    decode = [hoiio_client.conference.call(dest=[DEST1, DEST2]), hoiio_client.voice.conference(dest=[DEST1, DEST2])]

    assert decode == [responses.ConferenceResponse(status="success_ok", txn_refs=("AA-C-1", "AA-C-2"), room="R123")] * 2


@pytest.mark.parametrize("key", ["bulk_txn_ref", "txn_ref"])
def test_bulk_reference_is_read_under_both_names(hoiio: Hoiio, hoiio_client: HoiioClient, key: str) -> None:
    hoiio.says({**DONE, key: "AA-B-147"})

    assert hoiio_client.sms.bulk_send(dest=[DEST], msg="m").bulk_txn_ref == "AA-B-147"


@pytest.mark.parametrize("key", ["forward_sms_to", "forward_to_sms"])
def test_numbers_are_read_under_both_names(hoiio: Hoiio, hoiio_client: HoiioClient, key: str) -> None:
    entry = {
        "number": DEST,
        "forward_to": "https://a.example",
        key: "https://b.example",
        "mode": "voice",
        "expiry": "2026-12-31",
        "auto_extend_status": "enabled",
        "country": "SG",
        "state": "",
        "capabilities": ["VOICE", "SMS"],
    }
    hoiio.says({**DONE, "entries_count": "1", "entries": [entry]})

    number = responses.NumberResponse(
        number=DEST,
        forward_to="https://a.example",
        forward_sms_to="https://b.example",
        mode="voice",
        expiry=date(2026, 12, 31),
        auto_extend_status="enabled",
        country="SG",
        capabilities=("VOICE", "SMS"),
    )
    assert hoiio_client.number.get_active() == responses.NumbersResponse(
        status="success_ok", entries_count=1, entries=(number,)
    )


def test_user_is_read_with_caller_ids_as_a_list_or_as_text(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    given = {**DONE, "uid": "AA-1234", "name": "Bob", "prefix": 65, "user_status": "trial"}
    hoiio.says({**given, "caller_ids": [DEST, "p"]}, {**given, "caller_ids": f"{DEST},p"})

    expected = responses.UserResponse(
        status="success_ok", uid="AA-1234", name="Bob", prefix="65", user_status="trial", caller_ids=(DEST, "p")
    )
    assert [hoiio_client.user.get_info(), hoiio_client.user.get_info()] == [expected, expected]


def test_json_numbers_are_read_like_text_and_money_is_never_a_float(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    hoiio.says(
        b'{"status":"success_ok","total_entries_count":250,"entries_count":1,"entries":[{"rate":0.00001,"duration":7.0}]}'
    )

    history = hoiio_client.voice.get_history()

    assert history == responses.CallHistoryResponse(
        status="success_ok",
        total_entries_count=250,
        entries_count=1,
        entries=(responses.CallStatusResponse(rate=Decimal("0.00001"), duration=7),),
    )


def test_invalid_values_are_none_and_stay_in_the_raw_response(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    given = {
        **DONE,
        "txn_ref": "AA-S-1",
        "sms_status": "teleported",
        "date": "yesterday",
        "debit": "much",
        "split_count": None,
        "dest": "+545454",
        "novelty": "1",
        "msg": "a\0b",
    }
    hoiio.says(given)

    report = hoiio_client.sms.query_status(txn_ref="AA-S-1")

    assert report == responses.SmsStatusResponse(
        status="success_ok",
        txn_ref="AA-S-1",
        sms_status="teleported",
        dest="+545454",
        msg="a\N{REPLACEMENT CHARACTER}b",
    )
    assert report.raw == given
    assert "novelty" not in repr(report)


PAYLOADS = [json.loads(line) for line in (ROOT / "tests/payloads.jsonl").read_text("utf-8").splitlines()]
# Documented responses, in the order of the manuals.
READ: list[tuple[str, HoiioResponse]] = [
    (
        "voice/query_status",
        responses.CallStatusResponse(
            txn_ref="AA-S-141147",
            tag="id_1",
            dest1=DEST,
            dest2=DEST1,
            call_status_dest1="answered",
            call_status_dest2="answered",
            date=datetime(2010, 1, 1, 2, 10, tzinfo=timezone.utc),
            duration=7,
            currency="SGD",
            rate=Decimal("0.020"),
            debit=Decimal("0.140"),
        ),
    ),
    (
        "sms/query_status",
        responses.SmsStatusResponse(
            txn_ref="AA-S-141147",
            tag="id_1",
            sms_status="delivered",
            dest=DEST,
            date=datetime(2010, 1, 1, 2, 10, tzinfo=timezone.utc),
            split_count=2,
            currency="SGD",
            rate=Decimal("0.038"),
            debit=Decimal("0.076"),
        ),
    ),
    ("voice/call", responses.SentResponse(txn_ref="AA-S-141147")),
    ("sms/send", responses.SentResponse(txn_ref="AA-S-141147")),
    ("sms/bulk_send", responses.BulkSmsResponse(bulk_txn_ref="AA-B-147")),
    (
        "conference/call",
        responses.ConferenceResponse(txn_refs=("AA-C-141147", "AA-C-141148", "AA-C-141149"), room="R123"),
    ),
    (
        "voice/get_history",
        responses.CallHistoryResponse(
            entries_count=2,
            entries=(
                responses.CallStatusResponse(
                    dest1=DEST,
                    dest2=DEST1,
                    date=datetime(2010, 1, 1, 2, 10, tzinfo=timezone.utc),
                    duration=7,
                    currency="SGD",
                    rate=Decimal("0.020"),
                    debit=Decimal("0.140"),
                ),
                responses.CallStatusResponse(
                    dest1=DEST,
                    dest2=DEST2,
                    date=datetime(2010, 1, 1, 8, 10, tzinfo=timezone.utc),
                    duration=1,
                    currency="SGD",
                    rate=Decimal("0.020"),
                    debit=Decimal("0.040"),
                ),
            ),
        ),
    ),
    ("voice/query_status", responses.CallStatusResponse(txn_ref="TX-1234", call_status_dest1="ongoing")),
    ("voice/conference", responses.ConferenceResponse(txn_refs=("TX-1", "TX-2", "TX-3"), room="MY-ROOM")),
    ("sms/bulk_send", responses.BulkSmsResponse(bulk_txn_ref="AA-B-1234")),
    (
        "date-format",
        responses.SmsStatusResponse(date=datetime(2012, 1, 31, 4, 6, 15, tzinfo=timezone.utc)),
    ),
    ("ivr/start/dial", responses.DialResponse(txn_ref="TX-1234", session="S4643")),
    (
        "user/get_balance",
        responses.BalanceResponse(currency="USD", balance=Decimal("12.40"), points=Decimal(10), bonus=Decimal("2.40")),
    ),
]


def test_documented_responses_are_read(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    names = {call[1]: (call[0], {**call[2], **fresh(call[2])}) for call in CALLS}
    names["date-format"] = names["sms/query_status"]
    documented = [payload for payload in PAYLOADS if payload["kind"].startswith("api:")]
    decode = []
    for payload in documented:
        # Two of them leave out the status, because a program that printed them did.
        hoiio.says({**DONE, **payload["params"]})
        name, arguments = names[payload["kind"].removeprefix("api:")]
        response = ask(hoiio_client, name, **arguments)
        decode.append((payload["kind"].removeprefix("api:"), _without_status(response)))

    assert decode == READ


def _without_status(response: HoiioResponse) -> HoiioResponse:
    return type(response)(**{**vars(response), "status": ""})
