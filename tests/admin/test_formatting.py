"""Formatting of figures."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.utils.translation import override

from django_hoiio.admin.formatting import capped_number_text, day_text, money_text, number_text, percent_text


@pytest.mark.parametrize(
    ("number", "written"), [(0, "0"), (999, "999"), (1000, "1,000"), (1001, "1,000+"), (10**7, "1,000+")]
)
def test_count_that_stopped_at_the_limit_has_a_plus(number: int, written: str) -> None:
    assert capped_number_text(number) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("0", "0.000"),
        ("0.0325", "0.0325"),
        ("0.000001", "0.000001"),
        ("1234567.5", "1,234,567.500"),
        ("123456789012345.654321", "123,456,789,012,345.654321"),
        ("-3.25", "-3.250"),
    ],
)
def test_money_has_three_to_six_decimals(value: str, written: str) -> None:
    assert money_text(Decimal(value)) == written


@pytest.mark.parametrize(
    ("part", "whole", "written"),
    [
        (0, 3, "0 %"),
        (3, 3, "100 %"),
        (2, 3, "66.7 %"),
        (1, 2, "50.0 %"),
        (999_999, 1_000_000, "99.9 %"),
        (1, 1_000_000, "0.1 %"),
    ],
)
def test_only_all_is_100_percent_and_only_none_is_0_percent(part: int, whole: int, written: str) -> None:
    assert percent_text(part, whole) == written


def test_day_of_another_year_has_its_year() -> None:
    days = [date(2026, 11, 5), date(2025, 11, 26)]
    assert [day_text(day, date(2026, 11, 25)) for day in days] == ["5 Nov", "26 Nov 2025"]


def test_figures_are_formatted_in_the_users_language() -> None:
    with override("de"):
        assert (number_text(1234567), money_text(Decimal("1234.5")), percent_text(2, 3)) == (
            "1.234.567",
            "1.234,500",
            "66,7 %",
        )
