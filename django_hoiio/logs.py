"""Log failures without numbers, texts and tokens, regardless of the project's LOGGING."""

from __future__ import annotations

import ast
import logging
import re
import sys
from collections.abc import Callable, Iterable
from types import FrameType, TracebackType
from typing import Any

from .masking import HIDDEN, MaskingFilter, line

# An exception may have a long chain of causes, or be its own cause.
MAX_EXCEPTIONS = 50

_WORD = re.compile(r"\w+")


def get_logger(name: str) -> logging.Logger:
    """Return the logger of a module of this package.

    A filter on a parent does not see the records of its children, and a project may replace all handlers. So each
    logger masks its own records.
    """
    logger = logging.getLogger(name)
    logger.addFilter(_FILTER)
    return logger


class _PackageFilter(MaskingFilter):
    """Mask a record's message, traceback and exception. Some handlers send the exception object elsewhere."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1] is not None:
            error = masked_exception(record.exc_info[1])
            record.exc_info = (type(error), error, error.__traceback__)
            record.exc_text = None
        return super().filter(record)


_FILTER = _PackageFilter()


def masked_exception(error: BaseException, private: Iterable[str] = ()) -> BaseException:
    """Copy an exception and its chain, with masked messages and without the local variables of its frames.

    Words of the `private` texts are masked too, because an exception often quotes the part that it could not use.
    Never raises.
    """
    words = {word.casefold() for text in private for word in _WORD.findall(text)}

    def mask(text: str) -> str:
        masked = line(text)
        return _WORD.sub(lambda word: HIDDEN if word[0].casefold() in words else word[0], masked) if words else masked

    try:
        return _copy(error, mask, {}) or _of_same_name(error, "")
    # Copying an exception may run any code of its class.
    except Exception:
        return _of_same_name(error, "")


def _copy(
    error: BaseException | None, mask: Callable[[str], str], copies: dict[int, BaseException | None]
) -> BaseException | None:
    """Copy an exception. Return `None` for `None`, for one that is already being copied, or if there are too many."""
    if error is None or id(error) in copies or len(copies) == MAX_EXCEPTIONS:
        return copies.get(id(error))
    copies[id(error)] = None
    members = [copy for each in _members(error) if (copy := _copy(each, mask, copies))]
    copy = copies[id(error)] = _of_same_class(error, mask, members)
    copy.__cause__ = _copy(error.__cause__, mask, copies)
    copy.__context__ = _copy(error.__context__, mask, copies)
    copy.__suppress_context__ = error.__suppress_context__
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, list):
        copy.__notes__ = [mask(_str(note)) for note in notes]
    return copy.with_traceback(_without_locals(error.__traceback__))


def _members(error: BaseException) -> Iterable[BaseException]:
    """Return the exceptions of a group, or nothing for any other exception."""
    # Groups are new in Python 3.11.
    members = getattr(error, "exceptions", ())
    return members if isinstance(members, tuple) and all(isinstance(each, BaseException) for each in members) else ()


def _of_same_class(error: BaseException, mask: Callable[[str], str], members: list[BaseException]) -> BaseException:
    """Return an exception of the same class with masked arguments, or one of the same name if that fails."""
    args: tuple[object, ...] = tuple(mask(_str(argument)) for argument in error.args)
    if members:
        args = (*args[:1], members)
    builtin: Any = next(base for base in type(error).__mro__ if base.__module__ == "builtins")
    try:
        # The class's own `__init__` might fail on the masked arguments.
        copy: BaseException = builtin.__new__(type(error), *args)
        if bool(str(copy)) == bool(_str(error)):
            return copy
    except Exception:  # noqa: S110  # the class builds its own message
        pass
    return _of_same_name(error, mask(_str(error)))


def _of_same_name(error: BaseException, text: str) -> BaseException:
    kind = type(error)
    named = {"__module__": str(kind.__module__), "__qualname__": str(kind.__qualname__)}
    copy: BaseException = type(str(kind.__name__), (Exception,), named)(*([text] if text else []))
    return copy


def _str(value: object) -> str:
    try:
        return str.__str__(str(value))
    except Exception as error:
        return f"<{type(error).__name__} in str()>"


_CALL = ast.parse("frame()", mode="eval")
for _node in ast.walk(_CALL):
    # Without columns, nothing is underlined in the line of the original.
    vars(_node).update(col_offset=-1, end_col_offset=-1)
_FRAME = compile(_CALL, "", "eval")


def _without_locals(traceback: TracebackType | None) -> TracebackType | None:
    """Copy a traceback with frames that contain only their location."""
    entries = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    copy = None
    for entry in reversed(entries):
        frame = _bare_frame(entry.tb_frame, entry.tb_lineno)
        copy = TracebackType(copy, frame, frame.f_lasti, entry.tb_lineno)
    return copy


def _bare_frame(frame: FrameType, line_number: int) -> FrameType:
    code = _FRAME.replace(
        co_filename=frame.f_code.co_filename, co_name=frame.f_code.co_name, co_firstlineno=line_number
    )
    if sys.version_info >= (3, 11):
        code = code.replace(co_qualname=frame.f_code.co_qualname)
    # These globals are needed to find the source of the file.
    known: dict[str, Any] = {name: frame.f_globals.get(name) for name in ("__name__", "__file__", "__loader__")}
    bare: FrameType = eval(code, {**known, "frame": sys._getframe}, {})  # noqa: S307  # the code is `_FRAME`
    return bare
