"""How one phone number may be spelled, and where a text holds it.

A number is its digits, country code and all. It may begin with a plus, `00` or neither, have any number of blanks,
hyphens, dots, slashes and brackets in between, be percent-encoded once or twice, and be escaped as JSON and Python do
it. Other digits right before or after it make it another number. Its last digits alone are another number too: Hong
Kong and Singapore share theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

# What stands in the place of a number; no longer than one, so that it fits into the column.
FORGOTTEN = "removed"

# With fewer, it would be found in what is no number at all.
FEWEST_DIGITS = 7

_WRITTEN = re.compile(r"\s*\+?[\d\s().\-/]+", re.ASCII)

# What may stand between two digits, decoded and not.
_BETWEEN = " \t\r\n\u00a0\u3000-.()/+\u00ad\u2212\u2060\ufeff" + "".join(map(chr, range(0x2000, 0x2030)))
_GAP = re.compile(f"[{re.escape(_BETWEEN)}]+")
_PERCENT = r"%(?:25)?(?:20|2[89BDEFbdef]|0[9ADad]|[Cc]2%(?:25)?[Aa]0)"
_JSON = r"\\u(?:00(?:20|[Aa]0|2[89BDEFbdef])|20[0-2][0-9A-Fa-f])"
_SEPARATOR = rf"(?:[{re.escape(_BETWEEN)}]|{_PERCENT}|{_JSON})"
# A digit before makes it another number, unless it is the end of an escape, as in `%206511111111`, or of the prefix 00.
_ESCAPES = (r"(?<![0-9])", r"%[0-24-9A-Fa-f][0-9]", r"%25[0-24-9A-Fa-f][0-9]", r"\\u00[0-24-9A-Fa-f][0-9]")
_PREFIX = re.compile(rf"(?:\+|%(?:25)?2[Bb]|\\u002[Bb]|00){_SEPARATOR}{{0,3}}\Z")
_LONGEST_PREFIX = 32
# As JSON and Python write a character, in a text in such a text, too.
_ESCAPED = re.compile(r"(?<!\\)\\+(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))")
# As they are typed in East Asia.
_FULL_WIDTH = re.compile("[\uff08-\uff19]")


def digits_of(number: str) -> str:
    """The digits of a number as somebody writes it. Raises ValueError where it is none, and never quotes it."""
    digits = re.sub(r"\D", "", number, flags=re.ASCII)
    digits = digits.removeprefix("00")
    if not _WRITTEN.fullmatch(number) or len(digits) < FEWEST_DIGITS:
        raise ValueError(f"is no phone number with {FEWEST_DIGITS} digits or more")
    return digits


class Spellings:
    """All spellings of some numbers. Raises ValueError where one is no number."""

    def __init__(self, numbers: Iterable[str]) -> None:
        self.digits = sorted({digits_of(number) for number in numbers})
        self._spelled = re.compile("|".join(map(_spelled, self.digits)))

    def may_be_in(self, text: str) -> bool:
        """Whether it is worth looking closer: quick, and never wrong where it says no."""
        squeezed = _GAP.sub("", _decoded(text))
        return any(digits in squeezed for digits in self.digits)

    def are_in(self, text: str) -> bool:
        """Whether a text holds one of the numbers, encoded or not."""
        return self.may_be_in(text) and bool(self._spelled.search(text) or self._spelled.search(_decoded(text)))

    def removed_from(self, text: str) -> str:
        """The text without the numbers; nothing of it where one is encoded in a way that hides where it stands."""
        if not self.may_be_in(text):
            return text
        rest = self._without(text)
        return "" if self.are_in(rest) else rest

    def _without(self, text: str) -> str:
        """The text without the numbers that stand there as they are, each with the plus before it."""
        parts, done = [], 0
        for found in self._spelled.finditer(text):
            before = text[done : found.start()]
            prefix = _PREFIX.search(before, max(0, len(before) - _LONGEST_PREFIX))
            parts += [before[: prefix.start()] if prefix else before, FORGOTTEN]
            done = found.end()
        return "".join([*parts, text[done:]])

    def removed_from_bytes(self, raw: bytes) -> bytes:
        """The same of bytes, of which those that hold no number stay as they are."""
        encoding = _encoding_of(raw)
        text = raw.decode(encoding)
        return self.removed_from(text).encode(encoding) if self.are_in(text) else raw

    def removed_from_json(self, value: Any) -> Any:
        """The same of each text and each number in what JSON can hold, and of the names."""
        if isinstance(value, dict):
            return {self.removed_from(name): self.removed_from_json(held) for name, held in value.items()}
        if isinstance(value, list):
            return [self.removed_from_json(held) for held in value]
        if isinstance(value, str):
            return self.removed_from(value)
        return FORGOTTEN if self.are_in(str(value)) else value


def _spelled(digits: str) -> str:
    """A pattern of the spellings of a number; it begins with a digit, for which a text is searched quickly."""
    first, *others = digits
    begin = "|".join(f"(?<={escape}{prefix}{first})" for escape in _ESCAPES for prefix in ("", "00"))
    return f"{first}(?:{begin}){''.join(f'{_SEPARATOR}*{digit}' for digit in others)}(?![0-9])"


def text_of(raw: bytes) -> str:
    """The bytes of a body as text."""
    return raw.decode(_encoding_of(raw))


def _encoding_of(raw: bytes) -> str:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _decoded(text: str) -> str:
    if "%" in text:
        text = _unquoted(_unquoted(text))
    if "\\" in text:
        text = _ESCAPED.sub(lambda escape: chr(int(escape[1] or escape[2], 16)), text)
    return text if text.isascii() else _FULL_WIDTH.sub(lambda found: chr(ord(found[0]) - 0xFEE0), text)


_PERCENT_ENCODED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")


def _unquoted(text: str) -> str:
    """As `urllib.parse.unquote`, and as quick with a text of percent signs alone."""
    return _PERCENT_ENCODED.sub(lambda found: bytes.fromhex(found[0].replace("%", "")).decode(errors="replace"), text)
