"""Find every spelling of one phone number in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

# Replaces a number. It is not longer than any number, so that it fits into the column.
REPLACEMENT = "removed"

# Fewer digits would match texts that are not phone numbers.
MIN_DIGITS = 7

_WRITTEN = re.compile(r"\+?[\d\s().\-/]+", re.ASCII)

# Any number of these characters may stand between two digits: spaces, line ends, hyphens, dots, slashes, brackets and
# invisible characters. They may be decoded, percent-encoded, or escaped as in JSON and Python.
_BETWEEN = (
    " \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u00a0\u1680\u180e\u205f\u3000"
    "-._()[]/+\u00ad\u00b7\u200b\u2212\u2215\ufe58\ufe63\ufeff"
    + "".join(map(chr, range(0x2000, 0x2030)))
    + "".join(map(chr, range(0x2060, 0x2070)))
)
_SQUEEZED = re.compile(f"[{re.escape(_BETWEEN)}]+")
_PERCENT = r"%(?:25)?(?:20|2[89BDEFbdef]|0[9A-Da-d]|5[BDFbdf]|[Cc]2%(?:25)?[Aa]0)"
_ESCAPE = r"\\+(?:[nrtfv/]|u(?:00(?:20|[Aa]0|2[89BDEFbdef])|20[0-2][0-9A-Fa-f]))"
# Each character matches in one way only, so that a run of them takes linear time.
_GAP = rf"[{re.escape(_BETWEEN)}]*(?:(?:{_PERCENT}|{_ESCAPE})[{re.escape(_BETWEEN)}]*)*"
# A prefix before the first digit, searched in the few characters before it.
_PREFIX = re.compile(rf"(?:\+|%(?:25)?2[Bb]|\\+u002[Bb]|00)(?:[{re.escape(_BETWEEN)}]|{_PERCENT}){{0,3}}\Z")
_LONGEST_PREFIX = 32
# A digit before it makes another number, unless that digit ends an escape, as in `%206511111111`. So does another
# country code. Checked after the first digit, so that the search looks at digits only, which is several times faster.
_BEGIN = r"(?:(?<![0-9])|(?<=%[0-24-9A-Fa-f][0-9])|(?<=%25[0-24-9A-Fa-f][0-9])|(?<=\\u00[0-24-9A-Fa-f][0-9]))"
_COUNTRY = r"(?<!\+[1-9][ .-][0-9])(?<!\+[1-9][0-9][ .-][0-9])(?<!\+[1-9][0-9][0-9][ .-][0-9])"
_BEGINS = rf"(?:(?<={_BEGIN}[0-9])|(?<={_BEGIN}00[0-9])){_COUNTRY}"
_ENCODED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
# A character as JSON and Python escape it, also in nested texts. The match starts at the first backslash.
_ESCAPED = re.compile(r"(?<!\\)\\+(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))")
_ESCAPED_GAP = re.compile(r"(?<!\\)\\+[nrtfv/]")
# Full-width characters, as typed in East Asia.
_FULL_WIDTH = {0xFF00 + code - 0x20: chr(code) for code in map(ord, "0123456789+-.()/")}
_IS_FULL_WIDTH = re.compile(f"[{''.join(map(chr, _FULL_WIDTH))}]")


def digits_of(number: str) -> str:
    """Return the digits of a phone number. Raises ValueError if it is not one, and never quotes it."""
    digits = re.sub(r"\D", "", number, flags=re.ASCII)
    digits = digits.removeprefix("00")
    if not _WRITTEN.fullmatch(number.strip()) or len(digits) < MIN_DIGITS:
        raise ValueError(f"is not a phone number with {MIN_DIGITS} or more digits")
    return digits


class NumberPatterns:
    """All spellings of some phone numbers. Raises ValueError if one is not a phone number."""

    def __init__(self, numbers: Iterable[str]) -> None:
        self.digits = sorted({digits_of(number) for number in numbers})
        spelled = "|".join(digits[0] + _BEGINS + _GAP + _GAP.join(digits[1:]) + "(?![0-9])" for digits in self.digits)
        self._spelled = re.compile(spelled)

    def may_be_in(self, text: str) -> bool:
        """Return whether the text may contain one of the numbers. Fast; False is always right."""
        squeezed = _SQUEEZED.sub("", _decoded(text))
        return any(digits in squeezed for digits in self.digits)

    def are_in(self, text: str) -> bool:
        """Return whether the text contains one of the numbers, encoded or not."""
        if self._spelled.search(text):
            return True
        decoded = _decoded(text)
        return decoded != text and self._spelled.search(decoded) is not None

    def removed_from(self, text: str) -> str:
        """Return the text without the numbers; empty if the encoding hides the position of one."""
        parts, done = [], 0
        for found in self._spelled.finditer(text):
            prefix = _PREFIX.search(text[max(done, found.start() - _LONGEST_PREFIX) : found.start()])
            parts += [text[done : found.start() - len(prefix[0] if prefix else "")], REPLACEMENT]
            done = found.end()
        cleaned = "".join([*parts, text[done:]])
        return "" if self.are_in(cleaned) else cleaned

    def removed_from_bytes(self, raw: bytes) -> bytes:
        """Return the bytes without the numbers; unchanged if they contain none."""
        encoding = _encoding_of(raw)
        text = raw.decode(encoding)
        cleaned = self.removed_from(text)
        return raw if cleaned == text else cleaned.encode(encoding)

    def removed_from_json(self, value: Any) -> Any:
        """Return a JSON value without the numbers, in texts, numbers and keys."""
        if isinstance(value, dict):
            return {self.removed_from(name): self.removed_from_json(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.removed_from_json(item) for item in value]
        if isinstance(value, str):
            return self.removed_from(value)
        return REPLACEMENT if self.are_in(str(value)) else value


def _encoding_of(raw: bytes) -> str:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _decoded(text: str) -> str:
    for _ in range(2):
        text = _ENCODED.sub(_unquoted, text)
    text = _ESCAPED_GAP.sub(" ", _ESCAPED.sub(_unescaped, text))
    return text.translate(_FULL_WIDTH) if _IS_FULL_WIDTH.search(text) else text


def _unquoted(run: re.Match[str]) -> str:
    # Much faster than `unquote` for many short runs.
    return bytes.fromhex(run[0].replace("%", "")).decode(errors="replace")


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1] or escape[2], 16))
