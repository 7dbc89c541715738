from __future__ import annotations

import pytest

from django_hoiio import masking


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+6511111111", "+65••••1111"),
        ("+16201234567", "+16••••4567"),
        ("6511111111", "651••••1111"),
        ("", ""),
        ("+6512345", "••••"),
        ("private", "••••"),
        ("HOIIO", "••••"),
        ("+65 1111 1111", "••••"),
        ("room:R1234", "••••"),
    ],
)
def test_number_shows_where_it_belongs_and_its_end(number: str, shown: str) -> None:
    assert masking.number(number) == shown


@pytest.mark.parametrize(("text", "shown"), [("secret", "••••"), ("", "")])
def test_text_shows_that_there_is_one(text: str, shown: str) -> None:
    assert masking.text(text) == shown
