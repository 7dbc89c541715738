"""The totals of the read API: days that are closed, and those that are counted now."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from django.test import Client

from django_hoiio.enums import Traffic
from django_hoiio.models import ClosedDay, DailyTotal, Sms
from tests.api.test_pagination import cursor
from tests.users import staff

pytestmark = pytest.mark.django_db

LIST = "/api/hoiio/totals/"
DAY = timedelta(days=1)
NOW = datetime.now(timezone.utc)
TODAY = NOW.date()


def closed(day: date, traffic: Traffic = Traffic.SMS_SENT, **fields: Any) -> None:
    """A day that is closed, with one total."""
    ClosedDay.objects.get_or_create(day=day, defaults={"closed_at": NOW})
    numbers = {"count": 3, "succeeded": 2, "debit": "0.096", "currency": "SGD", "account": "default"}
    DailyTotal.objects.create(day=day, traffic=traffic, **{**numbers, **fields})


def read(client: Client, address: str = LIST, **query: object) -> Any:
    response = client.get(address, query or None)
    assert response.status_code == 200, response.content
    return json.loads(response.content)


def days(client: Client, **query: object) -> list[str]:
    return [total["day"] for total in read(client, **query)["results"]]


def test_totals_of_closed_days_and_of_today() -> None:
    closed(TODAY - DAY)
    Sms.objects.create(txn_ref="AA-S-1", direction="outgoing", created_at=NOW, updated_at=NOW, debit="0.032")

    assert read(staff()) == {
        "next": None,
        "previous": None,
        "results": [
            {
                "day": str(TODAY - DAY),
                "account": "default",
                "traffic": "sms_sent",
                "currency": "SGD",
                "count": 3,
                "succeeded": 2,
                "debit": "0.096000",
            },
            {
                "day": str(TODAY),
                "account": "default",
                "traffic": "sms_sent",
                "currency": "",
                "count": 1,
                "succeeded": 0,
                "debit": "0.032000",
            },
        ],
    }


def test_filters() -> None:
    closed(TODAY - 3 * DAY)
    closed(TODAY - 2 * DAY, account="second")
    closed(TODAY - DAY, traffic=Traffic.CALLS_MADE)
    client = staff()

    assert days(client) == [str(TODAY - number * DAY) for number in (3, 2, 1)]
    assert days(client, day_from=TODAY - 2 * DAY) == [str(TODAY - number * DAY) for number in (2, 1)]
    assert days(client, day_to=TODAY - 2 * DAY) == [str(TODAY - number * DAY) for number in (3, 2)]
    assert days(client, account="second") == [str(TODAY - 2 * DAY)]
    assert days(client, traffic="calls_made") == [str(TODAY - DAY)]
    assert days(client, traffic="calls_made", account="second") == []
    assert days(client, day_from=TODAY, day_to=TODAY - DAY) == []


def test_page_has_31_days_and_links_to_the_days_before_and_after() -> None:
    for number in range(1, 71):
        closed(TODAY - number * DAY)
    client = staff()

    assert len(days(client)) == 30
    first = read(client, day_from=TODAY - 69 * DAY, day_to=TODAY - DAY)
    second = read(client, first["next"])
    third = read(client, second["next"])
    found = [[page["results"][0]["day"], page["results"][-1]["day"]] for page in (first, second, third)]
    assert found == [
        [str(TODAY - 31 * DAY), str(TODAY - DAY)],
        [str(TODAY - 62 * DAY), str(TODAY - 32 * DAY)],
        [str(TODAY - 69 * DAY), str(TODAY - 63 * DAY)],
    ]
    assert (first["previous"], third["next"]) == (None, None)
    assert read(client, third["previous"]) == second
    assert read(client, second["previous"])["results"] == first["results"]


@pytest.mark.parametrize(
    "query",
    [
        {"day_to": "0001-01-05"},
        {"day_from": "0001-01-01", "day_to": "0001-01-01"},
        {"day_from": "9999-12-31"},
        {"day_to": "9999-12-31"},
        {"cursor": cursor("0001-01-01")},
        {"cursor": cursor("9999-12-31")},
        {"day_from": "9999-12-01", "day_to": "9999-12-31", "cursor": cursor("9999-12-30")},
    ],
)
def test_days_outside_the_range_of_dates_have_no_totals(query: dict[str, str]) -> None:
    assert days(staff(), **query) == []
