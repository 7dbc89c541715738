"""The list of the daily totals."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from django_hoiio.admin import changelist
from django_hoiio.enums import Traffic
from django_hoiio.models import DailyTotal
from tests.plans import is_answered_by, learn, plan_of
from tests.users import list_of, look, staff, text, url

pytestmark = pytest.mark.django_db

FIRST = date(2026, 3, 1)


def totals(days: int, **fields: Any) -> None:
    DailyTotal.objects.bulk_create(
        DailyTotal(
            **{
                "day": FIRST + timedelta(days=number),
                "account": "default",
                "traffic": Traffic.SMS_SENT,
                "currency": "SGD",
                "count": 1200 + number,
                "succeeded": 1100,
                "debit": "1234.5",
                **fields,
            }
        )
        for number in range(days)
    )


def listed(query: dict[str, str]) -> list[str]:
    response = staff().get(list_of(DailyTotal), query)
    assert response.status_code == 200
    return [str(row.day) for row in response.context["cl"].result_list]


def test_figures_are_grouped_and_money_has_three_decimals() -> None:
    totals(1)
    row = DailyTotal.objects.get()
    assert "March 1, 2026 default SMS sent SGD 1,200 1,100 1,234.500" in text(look(staff(), list_of(DailyTotal)))
    page = text(look(staff(), url(row)))
    assert [word in page for word in ("March 1, 2026", "1,200", "1,100", "1,234.500")] == [True] * 4


@pytest.mark.parametrize("zone", ["Asia/Singapore", "America/New_York"])
def test_page_starts_with_the_day_in_every_time_zone(settings: Any, zone: str) -> None:
    settings.TIME_ZONE = zone
    totals(60)
    assert listed({"day": "2026-03-10"})[:2] == ["2026-03-10", "2026-03-09"]
    assert listed({"day": "2026-12-31"})[0] == "2026-04-29"


def test_day_is_found_by_an_index() -> None:
    totals(1_000)
    learn(DailyTotal)
    query = DailyTotal.objects.filter(day__gte=FIRST + timedelta(days=900)).order_by("day").values_list("pk")[:50]
    assert is_answered_by(query, "hoiio_total_day", "day>?"), plan_of(query)


def test_filter_by_traffic_scans_and_shows_how_far(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TIME_ZONE = "Asia/Singapore"
    monkeypatch.setattr(changelist, "SCAN_LIMIT", 10)
    totals(1, traffic=Traffic.FAXES_SENT)
    totals(30)

    page = staff().get(list_of(DailyTotal), {"traffic__exact": "faxes_sent"})

    assert "Searched back to 21 Mar 2026, 00:00. All matches up to there are shown." in text(page.content.decode())
    scans = dict(parse_qsl(page.context["cl"].scans[1:]))
    assert listed(scans) == ["2026-03-01"]


def test_list_has_no_search() -> None:
    totals(1)
    assert 'name="q"' not in look(staff(), list_of(DailyTotal))
    assert listed({"q": "2026"}) == []
