"""Numbers, texts and links for eyes and logs that may not see them whole."""

from __future__ import annotations

import logging
import re

HIDDEN = "••••"

_INTERNATIONAL = re.compile(r"\+\d{10,}", re.ASCII)
_LOCAL = re.compile(r"\+?\d{8,}", re.ASCII)


def number(text: str) -> str:
    """Show where an international number belongs and its last four digits, `+65••••1111`; of others, less."""
    if _INTERNATIONAL.fullmatch(text):
        return text[:3] + HIDDEN + text[-4:]
    if _LOCAL.fullmatch(text):
        return HIDDEN + text[-4:]
    return HIDDEN if text else ""


def text(text: str) -> str:
    """Show that there is a text, and nothing of it."""
    return HIDDEN if text else ""


# The token of a signed notify URL, also with its separator percent-encoded.
_TOKEN = re.compile(r"(?<![\w.-])[\w.-]{8,}(?:~|%(?:25){0,3}7[Ee])[\w-]{20,}", re.ASCII)

# A number anywhere, its plus percent-encoded or escaped as in JSON, and not an offset of a time zone such as +1000.
_GAP = r"(?:[ \t\u00a0().\-/]|%(?:25){0,2}20)"
_OFFSET = r"(?:1[0-4]00|1[01]30|1245)(?![0-9])"
_NUMBER = re.compile(
    rf"(?:\+|%(?:25){{0,2}}2[Bb]|\\u002[Bb]){_GAP}{{0,3}}(?!{_OFFSET})[1-9](?:{_GAP}{{0,3}}[0-9]){{4,14}}"
)

# The parameters and fields whose values no log line may show.
_PRIVATE_NAMES = (
    "msg|from|to|dest[12]?|number|digits|record_url|monitor_url|fax_url|access_token|recipients"
    "|(?:from|to|other|remote)_number|other_tail|remote_suffix|caller_id"
)
# As a key of JSON or of a Python dict, whose quotes a text around it may have escaped; as the first of a pair.
_KEY = rf"""["'](?:{_PRIVATE_NAMES})\\*["']\s*:|\(\s*["'](?:{_PRIVATE_NAMES})["']\s*,"""
# As a parameter of a form or a URL, percent-encoded or not, and as a keyword in the repr of an object.
_PARAMETER = rf"(?:\b|(?<=26)|(?<=3[Ff])|(?<=\\[nrt]))(?:{_PRIVATE_NAMES})(?:=|(?P<encoded>%(?:25)*3[Dd]))"
_PRIVATE = re.compile(rf"(?P<key>(?:{_KEY})\s*)|{_PARAMETER}")

_OPENING = re.compile(r"""[bu]?(\\*)(["'])|[\[(]""")
# A quote within a value of a form is followed by more of it.
_END_OF_VALUE = re.compile(r"""[&\s]|["'](?![\w+%])""")
_END_OF_ENCODED_VALUE = re.compile(r"""[&\s"']|%(?:25)*26""")
_END_OF_SCALAR = re.compile(r"[\s,;)\]}>]")
# Up to its closing bracket; a text that is cut off goes to the end.
_LIST = re.compile(r"""(?:[^"'\])]+|"(?:[^"\\]|\\.)*(?:"|\\?\Z)|'(?:[^'\\]|\\.)*(?:'|\\?\Z))*""", re.S)


def line(text: str) -> str:
    """A log line without tokens, phone numbers, message texts and links to recordings and faxes. Takes linear time."""
    return _NUMBER.sub(f"+{HIDDEN}", _without_private_values(_TOKEN.sub(HIDDEN, text)))


def _without_private_values(text: str) -> str:
    parts, done = [], 0
    while found := _PRIVATE.search(text, done):
        parts.append(text[done : found.end()])
        shown, done = _masked_value(text, found)
        parts.append(shown)
    return "".join([*parts, text[done:]])


def _masked_value(text: str, name: re.Match[str]) -> tuple[str, int]:
    """What is shown for the value that follows a private name, and where the value ends."""
    opening = _OPENING.match(text, name.end())
    if opening is None or name["encoded"]:
        end_of_value = _END_OF_ENCODED_VALUE if name["encoded"] else _END_OF_SCALAR if name["key"] else _END_OF_VALUE
        end = _position(end_of_value, text, name.end())
        value = text[name.end() : end]
        return (value if value in ("", "None", "null") else HIDDEN), end
    if opening[2]:
        end = _end_of_string(text, opening)
        # What is cut off has no closing quote.
        closing = opening[1] + opening[2] if text.endswith(opening[2], opening.end(), end) else ""
        return f"{opening[0]}{HIDDEN if end > opening.end() + len(closing) else ''}{closing}", end
    found = _LIST.match(text, opening.end())
    return f"{opening[0]}{HIDDEN}", len(text) if found is None else found.end()


def _end_of_string(text: str, opening: re.Match[str]) -> int:
    """Where a quoted text ends, its closing quote included. Those within it have more backslashes before them."""
    escapes = len(opening[1])
    position = opening.end()
    while (position := text.find(opening[2], position)) >= 0:
        before = position
        while text[before - 1] == "\\" and before > opening.end():
            before -= 1
        backslashes = position - before
        position += 1
        if backslashes <= escapes if escapes else backslashes % 2 == 0:
            return position
    return len(text)


def _position(end: re.Pattern[str], text: str, start: int) -> int:
    found = end.search(text, start)
    return len(text) if found is None else found.start()


class MaskingFilter(logging.Filter):
    """Masks what passes through the handler or logger that it is set on. Drops nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            record.msg, record.args = line(record.getMessage()), ()
        except (TypeError, ValueError):
            # Arguments that do not fit the message: the handler reports that itself.
            return True
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = line(record.exc_text)
        if record.stack_info:
            record.stack_info = line(record.stack_info)
        return True
