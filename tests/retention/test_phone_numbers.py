"""Spellings in which a number is found, and those that are another number."""

from __future__ import annotations

from typing import Any

import pytest

from django_hoiio.retention.phone_numbers import NumberPatterns, digits_of

NUMBER = NumberPatterns(["+6561234567"])

SPELLED = [
    "+6561234567",
    "6561234567",
    "006561234567",
    "00 65 6123 4567",
    "+65 6123 4567",
    "+65-6123-4567",
    "+65 (6123) 4567",
    "(+65) 6123.4567",
    "+65/6123/4567",
    "65\u00a06123\u20114567",
    "%2B6561234567",
    "%2b6561234567",
    "%252B6561234567",
    "%206561234567",
    "%25206561234567",
    "+6561234567%20",
    "%2B65+6123+4567",
    "%2B65%206123%2D4567",
    "%252B65%25206123%252D4567",
    "%28%2B65%29+6123+4567",
    "\\u002B6561234567",
    "\\u002b65\\u00206123\\u002d4567",
    "65%C2%A061234567",
    "+65\u200961234567",
    "\u202a+65\u00a06123\u20114567\u202c",
    "+65\u30006123\u22124567",
    "+65\\u20116123\\u202F4567",
    "to=%2B6561234567&x=1",
    '{"to":"+6561234567"}',
    "tel:+6561234567",
    "n6561234567n",
    "%3D6561234567",
    "+65\\\\u20116123\\\\u002d4567",
    "+65 - (6123) 4567",
    "+65    6123    4567",
    "+65 \u2013 6123 \u2013 4567",
    "+65\n6123\n4567",
    "+65\r\n\t6123\u20284567",
    "+65\u00a0\u00a0\u00a0\u00a0\u00a061234567",
    "6\u200b5\u200b6\u200b1\u200b2\u200b3\u200b4\u200b5\u200b6\u200b7",
    "+65" + " " * 500 + "6123 4567",
    "+65 ... 6123 //// 4567",
    "+65 [6123] 4567",
    "65_6123_4567",
    "+65\\n6123\\t4567",
    "+65\\/6123\\/4567",
    "%2B65+-+%286123%29++++4567",
    "%2B65%20%2D%20%286123%29%0D%0A4567",
    "\\u002b65\\u0020\\u0020\\u0020\\u0020\\u002861234567",
    "order 7 6561234567",
]
# Encoded so that no pattern can find it.
HIDDEN = [
    "%36%35%36%31%32%33%34%35%36%37",
    "\\u00365\\u0036123\\u0034567",
    "65%E2%80%9161234567",
    "+65\\xa06123\\xad4567",
    "+65%5Cu20116123%5Cu002d4567",
    "+65\\u22126123\\u30004567",
    "６５６１２３４５６７",
    "＋６５（６１２３）４５６７",
]
OTHERS = [
    "+85261234567",
    "61234567",
    "+16561234567",
    "+65612345678",
    "+656123456",
    "+65612345670",
    "16561234567",
    "0001656123456700",
    "656123%264567",
    "65612345&67",
    "65x61234567",
    "%316561234567",
    "+6561234568",
    "+1 656 123 4567",
    "+852 65 6123 4567",
    "+65    6123    45678",
    "+65 - (6123) 456",
    "65, 6123, 4567",
    "",
    "hello",
    "\\u65612\\u3456\\x37",
    "１６５６１２３４５６７",
]


@pytest.mark.parametrize("text", [*SPELLED, *HIDDEN])
def test_spelling_is_found(text: str) -> None:
    assert (NUMBER.may_be_in(text), NUMBER.are_in(text)) == (True, True)


@pytest.mark.parametrize("text", OTHERS)
def test_unrelated_number_is_not_found_and_stays(text: str) -> None:
    assert (NUMBER.are_in(text), NUMBER.removed_from(text)) == (False, text)


@pytest.mark.parametrize("text", SPELLED)
def test_spelling_is_removed_and_the_surrounding_text_stays(text: str) -> None:
    rest = NUMBER.removed_from(f"a={text}&b=2")

    assert "removed" in rest
    assert rest.startswith("a=")
    assert rest.endswith("&b=2")
    assert not NUMBER.are_in(rest)


@pytest.mark.parametrize("text", HIDDEN)
def test_whole_text_is_removed_if_the_number_cannot_be_cut_out(text: str) -> None:
    assert NUMBER.removed_from(f"a={text}&b=2") == ""


@pytest.mark.parametrize(
    ("raw", "rest"),
    [
        (b"msg=%2B6561234567&x=\xe9", b"msg=removed&x=\xe9"),
        ("msg=+65 6123 4567 é".encode(), "msg=removed é".encode()),
        (b"\xff\x00\xfe", b"\xff\x00\xfe"),
    ],
)
def test_bytes_stay_as_they_are_around_it(raw: bytes, rest: bytes) -> None:
    assert NUMBER.removed_from_bytes(raw) == rest


@pytest.mark.parametrize(
    ("value", "rest"),
    [
        ({"to": "+6561234567", "n": [1, None, "6561234567"]}, {"to": "removed", "n": [1, None, "removed"]}),
        ({"6561234567": True}, {"removed": True}),
        ({"phone": 6561234567, "other": 65612345678}, {"phone": "removed", "other": 65612345678}),
        ([], []),
    ],
)
def test_all_levels_of_json_are_searched(value: Any, rest: Any) -> None:
    assert NUMBER.removed_from_json(value) == rest


def test_several_numbers_are_one_search() -> None:
    both = NumberPatterns(["+6561234567", "61234567", "+65 6123 4567"])

    assert both.digits == ["61234567", "6561234567"]
    assert both.removed_from("6123-4567, +65 6123 4567, +852 6123 4568") == "removed, removed, +852 6123 4568"


@pytest.mark.parametrize(
    ("written", "digits"),
    [("+6561234567", "6561234567"), ("00 65 6123-4567", "6561234567"), (" 65 (6123) 4567 ", "6561234567")],
)
def test_number_is_read_as_people_write_it(written: str, digits: str) -> None:
    assert digits_of(written) == digits


@pytest.mark.parametrize(
    "written", ["", "bob", "+65", "123456", "00123456", "+65 6123 4567 x", "65+61234567", "AA-S-1234567"]
)
def test_invalid_number_is_refused_without_quoting_it(written: str) -> None:
    with pytest.raises(ValueError, match=r"^is not a phone number with 7 or more digits$"):
        NumberPatterns([written])
