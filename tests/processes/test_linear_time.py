"""Every function that reads text from outside takes time in proportion to its length.

A quadratic function takes hours for a mebibyte, so a limit of a second distinguishes the two on any machine.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from django_hoiio import masking, spool
from django_hoiio.enums import Route
from django_hoiio.parsing import parse
from django_hoiio.retention.forgetting import without
from django_hoiio.retention.phone_numbers import NumberPatterns
from django_hoiio.verification import SEPARATOR, verify
from tests.conftest import raw_notification

SIZE = 1024 * 1024
SECONDS = 1.0

# Pieces that begin what a pattern looks for and do not end it, to be repeated to a mebibyte.
OF_ANY_TEXT = ["A", "%", "%25", "\\", '"', " ", "1", "é"]
OF_A_LOG = [
    "a~",
    "a" * 30 + "~" + "b" * 19 + " ",
    '"msg":',
    "'msg':\"",
    '"msg"\\',
    'msg=["',
    "msg%25",
    "('msg',",
    "+1 (",
]
OF_A_NUMBER = ["+", "+ ", "00", "6 ", "6+", "651111111", "65-1-1-1-1-1-1-1-", "%20", "\\u0020", "%7"]
OF_A_BODY = ["&", "a=b&", "\r\n", "\r\n--b", ";name=", "content-disposition:;", '{"a":', "[", "\0", "%2B"]

NUMBER = NumberPatterns(["+6511111111", "+85291234567"])


def slow_pieces(read: Callable[[str], Any], pieces: Iterable[str], beginning: str = "") -> list[str]:
    """Return the pieces for which `read` takes too much processor time, three times in a row."""
    return [piece for piece in pieces if all(_is_slow(read, piece, beginning) for _ in range(3))]


# The result of `_pace` on the quiet machine for which SECONDS is meant.
QUIET = 0.08


def _pace() -> float:
    """Return the seconds for a fixed task of a similar kind, to scale the limit on a busy or slow machine."""
    begun = time.process_time()
    re.sub("b", lambda found: "", "ab" * (SIZE // 2))
    return time.process_time() - begun


def _is_slow(read: Callable[[str], Any], piece: str, beginning: str) -> bool:
    limit = SECONDS * max(1.0, _pace() / QUIET)
    text = beginning + piece * ((SIZE - len(beginning)) // len(piece.encode()))
    begun = time.process_time()
    read(text)
    return time.process_time() - begun > limit


@pytest.mark.parametrize("beginning", ["", '"msg":"', "msg=["])
def test_masking_of_a_log_line_is_linear(beginning: str) -> None:
    assert slow_pieces(masking.line, [*OF_ANY_TEXT, *OF_A_LOG], beginning) == []


@pytest.mark.parametrize("beginning", ["", "6511111111 6"])
def test_search_for_a_number_to_forget_is_linear(beginning: str) -> None:
    assert slow_pieces(NUMBER.removed_from, [*OF_ANY_TEXT, *OF_A_NUMBER], beginning) == []


@pytest.mark.parametrize("content_type", ["", "multipart/form-data; boundary=b"])
@pytest.mark.parametrize("beginning", ["", "{", "--b\r\ncontent-disposition: form-data; "])
def test_reading_of_a_body_is_linear(beginning: str, content_type: str) -> None:
    def read(text: str) -> None:
        parse(raw_notification("any", "", text, headers={"Content-Type": content_type}))

    assert slow_pieces(read, [*OF_ANY_TEXT, *OF_A_BODY], beginning) == []


@pytest.mark.parametrize("name", ["from", "date", "debit", "duration", "txn_ref", "call_state", "x"])
def test_reading_of_a_value_is_linear(name: str) -> None:
    def read(text: str) -> None:
        parse(raw_notification("any", f"{name}={text}"))

    assert slow_pieces(read, [" ", "0", "+", "%2B", "."]) == []
    assert slow_pieces(read, [" ", "0"], "2026-01-01 10:00:00.") == []


def test_reading_of_a_content_type_is_linear() -> None:
    def read(text: str) -> None:
        parse(raw_notification("any", "", b"x", headers={"Content-Type": "multipart/form-data" + text}))

    assert slow_pieces(read, ["; ", ";", " ", ";boundary="], "; ") == []


def test_verification_is_linear() -> None:
    def read(text: str) -> None:
        verify(Route.SMS, text + SEPARATOR + text, text.encode(), text)

    assert slow_pieces(read, ["A", "~", ".", "é", " "]) == []


def test_forgetting_in_a_spool_file_is_linear(tmp_path: Path) -> None:
    def read(text: str) -> None:
        without(spool.load(spool.store(raw_notification("any", "", text), tmp_path)), NUMBER)

    assert slow_pieces(read, ["\\", "%", "+", "6 ", "A"], "x=6511111111&y=") == []


def test_reading_of_an_invalid_spool_file_is_linear(tmp_path: Path) -> None:
    path = tmp_path / "x.json"

    def read(text: str) -> None:
        path.write_text(text)
        with pytest.raises(ValueError, match=r"."):
            spool.load(path)

    assert slow_pieces(read, ["[", '{"a":', "1", "\\", '"', " "]) == []
