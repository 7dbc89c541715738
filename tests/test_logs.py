from __future__ import annotations

import builtins
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from django.views.debug import ExceptionReporter

from django_hoiio.logs import MAX_EXCEPTIONS, masked_exception

NUMBER = "+6511111111"


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    """Return the exception as it is caught."""
    try:
        raise error from cause
    except BaseException as caught:
        return caught


def last_lines(error: BaseException) -> list[str]:
    """Return the lines of an exception and its notes."""
    return "".join(traceback.format_exception_only(error)).splitlines()


class BuildsItsMessage(Exception):
    def __init__(self, number: str) -> None:
        self.number = number

    def __str__(self) -> str:
        return f"nobody has {self.number}"


class CannotBePrinted(Exception):
    def __str__(self) -> str:
        raise RuntimeError(NUMBER)


class CannotBeMade(Exception):
    def __new__(cls, *args: object) -> CannotBeMade:
        return super().__new__(cls)

    def __str__(self) -> str:
        return f"nobody has {self.args[0]}" if len(self.args[0]) == 11 else self.args[1]


class CannotBeCopied(Exception):
    @property
    def __notes__(self) -> Any:
        raise RuntimeError(NUMBER)


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (lambda: LookupError(f"nobody has {NUMBER}"), ["LookupError: nobody has +••••"]),
        (lambda: KeyError(NUMBER), ["KeyError: '+••••'"]),
        (lambda: BuildsItsMessage(NUMBER), ["tests.test_logs.BuildsItsMessage: nobody has +••••"]),
        (lambda: CannotBeMade(NUMBER), ["tests.test_logs.CannotBeMade: nobody has +••••"]),
        (lambda: CannotBePrinted(NUMBER), ["tests.test_logs.CannotBePrinted: <RuntimeError in str()>"]),
        (lambda: CannotBeCopied(NUMBER), ["tests.test_logs.CannotBeCopied"]),
    ],
)
def test_copy_has_the_class_and_the_masked_message(error: Callable[[], BaseException], lines: list[str]) -> None:
    assert last_lines(masked_exception(raised(error()))) == lines


def test_words_of_private_texts_are_masked() -> None:
    error = LookupError("no dish is called Secret, see secrets")

    assert str(masked_exception(error, ["a secret"])) == "no dish is called ••••, see secrets"


def test_causes_are_masked_too() -> None:
    copy = masked_exception(raised(LookupError("x"), cause=raised(ValueError(NUMBER))))

    assert last_lines(copy.__cause__) == ["ValueError: +••••"]


def test_circle_of_causes_is_copied() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first

    copy = masked_exception(first)

    assert (str(copy), str(copy.__cause__)) == ("first", "second")
    assert copy is not first
    assert copy.__cause__.__cause__ is copy


def test_long_chain_of_causes_is_cut() -> None:
    error = ValueError("0")
    for number in range(1, 2 * MAX_EXCEPTIONS):
        error = raised(ValueError(str(number)), cause=error)

    copy, count = masked_exception(error), 0
    while copy is not None:
        copy, count = copy.__cause__, count + 1

    assert count == MAX_EXCEPTIONS


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups and notes are new in Python 3.11")
def test_members_of_a_group_and_notes_are_masked() -> None:
    group_of: Any = vars(builtins)["ExceptionGroup"]
    group = group_of("two", [ValueError(NUMBER), group_of("one", [KeyError(NUMBER)])])
    group.add_note(f"called by {NUMBER}")

    copy = masked_exception(raised(group))

    assert last_lines(copy) == ["ExceptionGroup: two (2 sub-exceptions)", "called by +••••"]
    first, second = copy.exceptions
    assert (last_lines(first), last_lines(second.exceptions[0])) == (["ValueError: +••••"], ["KeyError: '+••••'"])


def find(number: str) -> None:
    raise LookupError


def copied_from_find() -> BaseException:
    try:
        find(NUMBER)
    except LookupError as error:
        return masked_exception(error)
    raise AssertionError


def test_frames_have_their_place_and_no_local_variables() -> None:
    frames = [frame for frame, _ in traceback.walk_tb(copied_from_find().__traceback__)]

    assert [frame.f_code.co_name for frame in frames] == ["copied_from_find", "find"]
    assert NUMBER not in repr([frame.f_locals for frame in frames])


def test_traceback_has_the_lines_of_the_original_and_underlines_nothing() -> None:
    first = find.__code__.co_firstlineno

    lines = traceback.format_exception(copied_from_find())

    assert lines[1:-1] == [
        f'  File "{__file__}", line {first + 6}, in copied_from_find\n    find(NUMBER)\n',
        f'  File "{__file__}", line {first + 1}, in find\n    raise LookupError\n',
    ]


def test_copy_can_be_shown_by_the_error_report_of_django() -> None:
    copy = copied_from_find()
    first = find.__code__.co_firstlineno

    report = ExceptionReporter(None, type(copy), copy, copy.__traceback__, is_email=True)

    assert [frame["lineno"] for frame in report.get_traceback_data()["frames"]] == [first + 6, first + 1]
    assert f"line {first + 1}, in find" in report.get_traceback_text()
