"""Decode the responses that both of Hoiio's manuals document."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from decimal import Decimal

import pytest

from django_hoiio.client import HoiioClient, responses
from django_hoiio.client.responses import HoiioResponse
from django_hoiio.exceptions import ServerError
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


def test_empty_values_are_read_as_absent_ones_and_dates_with_a_fraction(
    hoiio: Hoiio, hoiio_client: HoiioClient
) -> None:
    at = datetime(2012, 6, 6, 3, 15, 20, tzinfo=timezone.utc)
    call = {"tag": "", "dest1": DEST, "dest2": "", "call_status_dest1": "ongoing", "call_status_dest2": ""}
    fax = {"tag": "", "dest": DEST, "fax_status": "ongoing", "fax_url": "", "debit": ""}
    date_ = {"date": "2012-06-06 11:15:20.0"}
    hoiio.says({**DONE, "entries": [{**call, **date_}]}, {**DONE, "entries": [{**fax, **date_}]})

    assert hoiio_client.voice.get_history().entries == (
        responses.CallStatusResponse(dest1=DEST, call_status_dest1="ongoing", date=at),
    )
    assert hoiio_client.fax.get_history().entries == (
        responses.FaxStatusResponse(dest=DEST, fax_status="ongoing", date=at),
    )


@pytest.mark.parametrize(
    ("reported", "is_unicode"),
    [(True, True), ("true", True), (False, False), ("false", False), (1, None), (None, None)],
)
def test_prices_of_an_sms_and_of_a_fax_are_read(
    hoiio: Hoiio, hoiio_client: HoiioClient, reported: object, is_unicode: bool | None
) -> None:
    price = {**DONE, "currency": "SGD", "rate": "0.032"}
    hoiio.says({**price, "split_count": "2", "total_cost": 0.064, "is_unicode": reported}, price)

    assert hoiio_client.sms.get_rate(dest=DEST, msg="你" * 71) == responses.SmsRateResponse(
        status="success_ok",
        currency="SGD",
        rate=Decimal("0.032"),
        split_count=2,
        total_cost=Decimal("0.064"),
        is_unicode=is_unicode,
    )
    assert hoiio_client.fax.get_rate(dest=DEST) == responses.RateResponse(
        status="success_ok", currency="SGD", rate=Decimal("0.032")
    )


def test_countries_are_read_with_their_states(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    states = [{"code": "AL", "name": "Alabama", "capability": ["VOICE", "SMS"]}]
    usa = {"code": "US", "name": "USA", "prefix": "1"}
    hoiio.says({**DONE, "entries_count": "2", "entries": [{**usa, "states": states}, {"code": "SG"}]})

    assert hoiio_client.number.get_countries() == responses.CountriesResponse(
        status="success_ok",
        entries_count=2,
        entries=(
            responses.CountryResponse(
                **usa, states=(responses.StateResponse(code="AL", name="Alabama", capabilities=("VOICE", "SMS")),)
            ),
            responses.CountryResponse(code="SG"),
        ),
    )


def test_states_that_are_no_list_of_objects_are_an_error(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    hoiio.says({**DONE, "entries": [{"code": "US", "states": ["Alabama"]}]})

    with pytest.raises(ServerError) as raised:
        hoiio_client.number.get_countries()
    assert str(raised.value) == (
        "Hoiio answered number/get_countries with states that are not a list of objects; try again later."
    )


def test_numbers_to_subscribe_to_and_their_prices_are_read(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    hoiio.says(
        {
            **DONE,
            "total_entries_count": "21",
            "entries_count": "1",
            "entries": [{"number": DEST, "capability": ["FAX"]}],
        },
        {**DONE, "currency": "SGD", "entries_count": 1, "entries": [{"duration": 3, "rate": "12.00"}]},
        # A Java SDK reads a time after the day.
        *({**DONE, "currency": "SGD", "debit": "4.00", "expiry": day} for day in ("2012-12-31", "2012-12-31 00:00:00")),
    )

    assert hoiio_client.number.get_choices(country="SG") == responses.NumbersResponse(
        status="success_ok",
        total_entries_count=21,
        entries_count=1,
        entries=(responses.NumberResponse(number=DEST, capabilities=("FAX",)),),
    )
    assert hoiio_client.number.get_rates(country="SG") == responses.NumberRatesResponse(
        status="success_ok",
        currency="SGD",
        entries_count=1,
        entries=(responses.NumberRateResponse(duration=3, rate=Decimal("12.00")),),
    )
    bought = [hoiio_client.number.subscribe(number=DEST, duration=1) for _ in range(2)]
    assert (
        bought
        == [
            responses.SubscriptionResponse(
                status="success_ok", currency="SGD", debit=Decimal("4.00"), expiry=date(2012, 12, 31)
            )
        ]
        * 2
    )


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
