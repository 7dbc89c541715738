"""Prices, and numbers to subscribe to."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from tests.clients import FAX, HANDSET, NUMBER, SandboxClient

DEST, SINGAPORE, CALIFORNIA = "+6511111111", "+6561230001", "+14155550101"
OTHER = {"app_id": "other-app", "access_token": "other-token"}
DONE = {"status": "success_ok"}


# In Singapore it is 2026-03-02 already.
NOW = datetime(2026, 3, 1, 20, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_hoiio.sandbox.exchange.Exchange.now", lambda exchange: NOW)


def own(sandbox_client: SandboxClient, number: str) -> dict[str, Any]:
    entries = sandbox_client.call_api("number/get_active")["entries"]
    return next(entry for entry in entries if entry["number"] == number)


# Prices.


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"dest": DEST}, {"rate": "0.032"}),
        (
            {"dest": DEST, "msg": "Hoiio World " * 26},
            {"rate": "0.032", "split_count": "3", "total_cost": "0.096", "is_unicode": False},
        ),
        (
            {"dest": DEST, "msg": "你好"},
            {"rate": "0.032", "split_count": "1", "total_cost": "0.032", "is_unicode": True},
        ),
        (
            {"dest": DEST, "msg": "€", "incoming": ""},
            {"rate": "0.032", "split_count": "1", "total_cost": "0.032", "is_unicode": False},
        ),
        ({"incoming": NUMBER}, {"rate": "0.013", "split_count": "1", "total_cost": "0.013", "is_unicode": False}),
        # The length of an incoming SMS does not matter.
        (
            {"incoming": NUMBER, "msg": "你" * 300},
            {"rate": "0.013", "split_count": "1", "total_cost": "0.013", "is_unicode": True},
        ),
    ],
)
def test_price_of_an_sms(sandbox_client: SandboxClient, params: dict[str, str], expected: dict[str, Any]) -> None:
    assert sandbox_client.call_api("sms/get_rate", **params) == {**DONE, "currency": "SGD", **expected}


@pytest.mark.parametrize(("params", "rate"), [({"dest": DEST}, "0.032"), ({"dest": "", "incoming": FAX}, "0.013")])
def test_price_of_a_fax(sandbox_client: SandboxClient, params: dict[str, str], rate: str) -> None:
    assert sandbox_client.call_api("fax/get_rate", **params) == {**DONE, "currency": "SGD", "rate": rate}


@pytest.mark.parametrize("path", ["sms/get_rate", "fax/get_rate"])
@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, "error_dest_incoming_both_missing"),
        ({"dest": "", "incoming": ""}, "error_dest_incoming_both_missing"),
        ({"dest": DEST, "incoming": NUMBER}, "error_dest_incoming_both_present"),
        ({"dest": "x"}, "error_dest_invalid"),
        ({"dest": "+6500000500"}, "error_dest_not_supported"),
        ({"incoming": "x"}, "error_incoming_invalid"),
        ({"incoming": DEST}, "error_number_not_assigned"),
        ({"incoming": "+6531234569"}, "error_number_not_assigned"),
    ],
)
def test_price_is_that_of_one_number(
    sandbox_client: SandboxClient, path: str, params: dict[str, str], status: str
) -> None:
    assert sandbox_client.call_api(path, **params) == {"status": status}


def test_text_that_is_too_long_has_no_price(sandbox_client: SandboxClient) -> None:
    assert sandbox_client.call_api("sms/get_rate", dest=DEST, msg="x" * 460) == {"status": "error_msg_too_big"}


# Numbers to subscribe to.


def test_countries_have_a_list_of_states_even_if_it_is_empty(sandbox_client: SandboxClient) -> None:
    states = [{"code": "CA", "name": "California", "capability": ["VOICE", "FAX", "SMS"]}]
    assert sandbox_client.call_api("number/get_countries") == {
        **DONE,
        "entries_count": "2",
        "entries": [
            {"code": "SG", "name": "Singapore", "prefix": "65", "states": []},
            {"code": "US", "name": "USA", "prefix": "1", "states": states},
        ],
    }


@pytest.mark.parametrize(
    ("place", "first"), [({"country": "SG", "state": ""}, SINGAPORE), ({"country": "US", "state": "CA"}, CALIFORNIA)]
)
def test_choices_are_read_page_by_page_until_one_is_empty(
    sandbox_client: SandboxClient, place: dict[str, str], first: str
) -> None:
    pages = [sandbox_client.call_api("number/get_choices", **place, page=page) for page in (1, 2, 3)]

    assert [(page["total_entries_count"], page["entries_count"]) for page in pages] == [
        ("25", "20"),
        ("25", "5"),
        ("25", "0"),
    ]
    assert [entry for page in pages for entry in page["entries"]] == [
        {"number": f"+{int(first) + at}", "capability": ["VOICE", "FAX", "SMS"]} for at in range(25)
    ]


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("get_choices", {"country": "US"}, "error_state_param_missing"),
        ("get_choices", {"country": "US", "state": "AL"}, "error_no_number_available"),
        ("get_choices", {"country": "XX"}, "error_no_number_available"),
        ("get_choices", {"country": "SG", "page": "0"}, "error_page_invalid"),
        ("get_rates", {"country": "XX"}, "error_no_number_available"),
        ("subscribe", {"number": "x", "duration": "1"}, "error_number_invalid"),
        ("subscribe", {"number": DEST, "duration": "1"}, "error_number_not_available"),
        ("subscribe", {"number": "+6531234569", "duration": "1"}, "error_number_not_available"),
        ("subscribe", {"number": SINGAPORE, "duration": "60"}, "error_invalid_duration"),
        ("subscribe", {"number": "+6500000700", "duration": "1"}, "error_not_allowed_for_trial"),
    ],
)
def test_invalid_choice_is_refused(
    sandbox_client: SandboxClient, path: str, params: dict[str, str], status: str
) -> None:
    assert sandbox_client.call_api(f"number/{path}", **params) == {"status": status}


@pytest.mark.parametrize(
    ("country", "prices"), [("SG", ["5.000", "15.000", "60.000"]), ("US", ["4.000", "12.000", "48.000"])]
)
def test_prices_of_a_subscription_are_those_of_all_its_months(
    sandbox_client: SandboxClient, country: str, prices: list[str]
) -> None:
    assert sandbox_client.call_api("number/get_rates", country=country) == {
        **DONE,
        "currency": "SGD",
        "entries_count": "3",
        "entries": [
            {"duration": duration, "rate": rate} for duration, rate in zip(("1", "3", "12"), prices, strict=True)
        ],
    }


@pytest.mark.parametrize(
    ("number", "place", "debit"),
    [(SINGAPORE, {"country": "SG", "state": ""}, "15.000"), (CALIFORNIA, {"country": "US", "state": "CA"}, "12.000")],
)
def test_number_is_the_accounts_once_it_is_subscribed(
    sandbox_client: SandboxClient, number: str, place: dict[str, str], debit: str
) -> None:
    bought = sandbox_client.call_api("number/subscribe", number=number, duration=3)

    assert bought == {**DONE, "currency": "SGD", "debit": debit, "expiry": "2026-05-31"}
    base = sandbox_client.application.partition("?")[0]
    entry = own(sandbox_client, number)
    assert entry.pop("forward_to").startswith(f"{base}ivr/")
    assert entry.pop("forward_sms_to").startswith(f"{base}sms/")
    assert entry == {
        **place,
        "number": number,
        "mode": "voice",
        "expiry": "2026-05-31",
        "auto_extend_status": "disabled",
        "capabilities": ["VOICE", "SMS"],
    }
    choices = sandbox_client.call_api("number/get_choices", **place)
    assert (choices["total_entries_count"], number in [each["number"] for each in choices["entries"]]) == ("24", False)
    assert number in sandbox_client.state()["numbers"]
    assert sandbox_client.call_api("number/subscribe", number=number, duration=1, **OTHER) == {
        "status": "error_number_not_available"
    }


def test_call_and_sms_to_a_subscribed_number_reach_the_application(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api("number/subscribe", number=CALIFORNIA, duration=1)

    sandbox_client.do("call", to=CALIFORNIA)
    sandbox_client.do("text", to=CALIFORNIA, msg="hello")

    called, texted = sandbox_client.heard()
    assert (called["from"], called["to"], called["call_state"]) == (HANDSET, CALIFORNIA, "ringing")
    assert (texted["from"], texted["to"], texted["msg"]) == (HANDSET, CALIFORNIA, "hello")


def test_subscription_is_extended_and_paid_for_again(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api("number/subscribe", number=SINGAPORE, duration=1)
    again = sandbox_client.call_api("number/subscribe", number=SINGAPORE, duration="auto_extend")

    assert again == {**DONE, "currency": "SGD", "debit": "5.000", "expiry": "2026-05-01"}
    entry = own(sandbox_client, SINGAPORE)
    assert (entry["expiry"], entry["auto_extend_status"]) == ("2026-05-01", "enabled")
    assert sandbox_client.call_api("user/get_balance")["balance"] == "994.650"


def test_first_numbers_expire_in_a_year_and_can_be_extended(sandbox_client: SandboxClient) -> None:
    assert own(sandbox_client, NUMBER)["expiry"] == "2027-03-02"

    assert sandbox_client.call_api("number/subscribe", number=NUMBER, duration=12)["expiry"] == "2028-02-25"

    entry = own(sandbox_client, NUMBER)
    assert (entry["expiry"], entry["auto_extend_status"]) == ("2028-02-25", "enabled")


def test_number_that_is_too_expensive_stays_free(
    sandbox_client: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_hoiio.sandbox.exchange.POINTS", 0)

    assert sandbox_client.call_api("number/subscribe", number=SINGAPORE, duration=1) == {
        "status": "error_insufficient_credit"
    }
    assert sandbox_client.call_api("number/get_active")["entries_count"] == "2"
    assert sandbox_client.call_api("number/get_choices", country="SG")["total_entries_count"] == "25"
