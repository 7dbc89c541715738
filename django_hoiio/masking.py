"""Mask phone numbers, texts and links in log lines, in the admin and in the API."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.text import get_text_list
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

__all__ = [
    "MaskingFilter",
]

HIDDEN = "••••"

_INTERNATIONAL = re.compile(r"\+\d{10,}", re.ASCII)
_LOCAL = re.compile(r"\+?\d{8,}", re.ASCII)


def number(text: str) -> str:
    """Mask an international number as `+65••••1111`, a local number except its last four digits, others completely."""
    if _INTERNATIONAL.fullmatch(text):
        return text[:3] + HIDDEN + text[-4:]
    if _LOCAL.fullmatch(text):
        return HIDDEN + text[-4:]
    return HIDDEN if text else ""


def text(text: str) -> str:
    """Mask a text completely. An empty text stays empty."""
    return HIDDEN if text else ""


# Every pattern takes linear time: a match can start only at the first character of a run, and no character is scanned
# twice.

# The token of a signed notify URL. Its separator, `~`, and its other characters may be percent-encoded or escaped.
_TOKEN = re.compile(r"(?<![\w.%-])[\w.%-]{8,}(?:~|%(?:25)*7E|\\+(?:x|u00)7E)[\w%-]{20,}", re.I | re.ASCII)

# Names whose values must not appear in the log: parameters, model fields and client arguments.
_NAMES = (
    "msg|digits|from|to|dest[12]?|number|caller_id|(?:from|to|remote)_number|remote_suffix"
    "|record_url|monitor_url|fax_url|access_token"
)
_QUOTE = r"(?:[\"']|&quot;|&\#0*3[49];|&\#x0*2[27];|%(?:25)*2[27])"
_BACKSLASHES = r"(?:\\|%(?:25)*5C)*"
_BLANKS = r"(?:\s|%(?:25)*20|\+)*"
_NAMED = re.compile(
    rf"""(?:(?<!\w)|(?<=%[0-9A-F]{{2}})|(?<=\\[nrt]))(?P<name>{_NAMES})(?:
        # A key of JSON or of a dict, and the first of a pair, but not the first of some names.
        (?P<key>{_BACKSLASHES}{_QUOTE}{_BLANKS}(?::|%(?:25)*3A|,(?!\s*\\*["'](?:{_NAMES})\\*["'])){_BLANKS})
        # A part of a form.
        | (?P<part>\\*["'](?:\r?\n|\\+r\\+n|\\+n){{2}})
        # A parameter of a form that is percent-encoded, as a parameter of another URL is.
        | (?P<encoded>%(?:25)*3D)
        # A parameter of a form or a URL, and a field in a repr.
        | (?P<assigned>=(?!=)|\s+=\s+(?=[bru]{{0,2}}\\*["']))
    )""",
    re.I | re.X,
)
_LITERAL = re.compile(rf"[bruf]{{0,2}}(?P<backslashes>{_BACKSLASHES})(?P<quote>{_QUOTE})", re.I)
_NEXT_QUOTE = re.compile(rf"(?<!\\)(?<!%5C)(?P<backslashes>{_BACKSLASHES})(?P<quote>{_QUOTE})", re.I)

# Brackets around a whole value. `(91) 23-45-67` starts with a bracket but is a number.
_GROUP = re.compile(r"[\w.]*(?P<opening>\((?!\d+\)[\d\s.\-])|[\[{])|(?P<angle><)")
_NEXT_IN_GROUP = {
    opening: re.compile(
        rf"(?P<opening>\{opening})|(?P<closing>\{closing})|(?P<backslashes>)(?P<quote>[\"'])|(?P<next>&)"
    )
    for opening, closing in ("()", "[]", "{}", "<>")
}
_PLAIN_IN_GROUP = re.compile(r"(?:'[^'\\]*'(?!\w)|\"[^\"\\]*\"(?!\w)|[^\\'\"()\[\]{}<>&]+)*")

# A value without quotes: after a key, in a form that is encoded twice, and in any other form.
_BARE = re.compile(r"[^\s,;&\"'\\)\]}]*")
_ENCODED = re.compile(r"(?:(?!%(?:25)*26)[^\s&\"'\\<>])*")
_WORD = re.compile(r"(?:[^\s&\"'\\<>]|\\*[\"'](?=\w)|\\+(?![\"'\\nrt]))*")
_PART_END = re.compile(r"(?:\r?\n|\\+r\\+n|\\+n)--")

# The end of a text without quotes: the next parameter, or the protocol after the URL in an access log.
_TEXT_END = re.compile(
    r"(?P<end>&|\sHTTP/\d)|(?P<soft>[\r\n]|\s(?=[A-Za-z_][\w.]*=))|(?<!\\)(?P<backslashes>\\*)(?P<quote>[\"'])"
)
_LAST_PARAMETER = re.compile(r".*(?=&[\w.%-]+=)", re.S)

# A phone number anywhere else. Its plus and the separators between its digits may be encoded.
_APART = r"\s().\-/\u00ad\u2010-\u2015\u2060\u200b-\u200f\u202a-\u202e\u2212\ufeff"
_APART_ENCODED = r"%(?:25)*(?:20|2[89DEF]|C2%(?:25)*A0)|\\+(?:u00(?:a0|20|2d)|u20[0-2][0-9a-f]|xa0|[tnr])"
_NUMBER = re.compile(
    rf"(?P<plus>\+|\uff0b|(?<!\\)\\+u002b|&\#43;)(?:\d{{8,}}|(?:[\d{_APART}]+|{_APART_ENCODED})+)"
    rf"|(?P<encoded_plus>%(?:25)*2B)(?:\d{{8,}}|(?:[\d+{_APART}]+|{_APART_ENCODED})+)",
    re.I,
)
_LOCAL_NUMBER = re.compile(rf"(?:\+|%(?:25)*2B)?(?:\d{{8,}}|(?:[\d+{_APART}]+|{_APART_ENCODED})*)", re.I)
_ENCODINGS = re.compile(_APART_ENCODED, re.I)
_UP_TO_LAST_DIGITS = re.compile(r".*\d\d", re.S)
# With fewer digits, in a row or separated, it is not a phone number.
_FEWEST_DIGITS, _FEWEST_APART = 5, 7
_DATE = re.compile(r"(?:19|20)\d\d-[01]\d-[0-3]\d")
_FIRST_DIGITS = re.compile(r"\A[\s(]*(\d*)")
_OFFSET = re.compile(r"1[0-4][0-5]\d(?!\d)")
_TIME_BEFORE = re.compile(r":\d\d(?:[.,]\d{1,9})?\s?$")
_LONGEST_TIME = 14


def line(text: str) -> str:
    """Mask tokens, phone numbers, message texts and links to recordings and faxes in a log line."""
    return _NUMBER.sub(_hide_number, _Line(_TOKEN.sub(HIDDEN, text)).without_named_values())


class _Line:
    """A text that contains named values as written in forms, JSON and reprs."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.first_quotes = {quote: text.find(quote) for quote in ('"', "'")}
        # Before this position, a text without quotes continues up to the next parameter, even over line breaks.
        self.last_parameter = self._end_of(_LAST_PARAMETER, 0)

    def without_named_values(self) -> str:
        shown, end = [], 0
        while named := _NAMED.search(self.text, end):
            start, value_end = self._value(named)
            shown += [self.text[end:start], HIDDEN]
            end = value_end
        return "".join([*shown, self.text[end:]])

    def _value(self, named: re.Match[str]) -> tuple[int, int]:
        """Return the start and end of the value, without its quotes or brackets."""
        start = named.end()
        if named["part"]:
            return start, self._start_of(_PART_END.search(self.text, start))
        if named["encoded"]:
            return start, self._end_of(_ENCODED, start)
        if literal := _LITERAL.match(self.text, start):
            return literal.end(), self._start_of(self._closing_quote(literal))
        if group := _GROUP.match(self.text, start):
            end = self._end_of_group(group, is_form=bool(named["assigned"]))
            is_over = named["key"] or named["name"].lower() != "msg"
            return group.end(), end if is_over else self._end_of_text(end)
        if named["key"]:
            return start, self._end_of(_BARE, start)
        if named["name"].lower() == "msg":
            return start, self._end_of_text(start)
        number = self.text[start : self._end_of(_LOCAL_NUMBER, start)]
        return start, self._end_of(_WORD, start + _length_of_number(number))

    def _start_of(self, found: re.Match[str] | None) -> int:
        return found.start() if found else len(self.text)

    def _end_of(self, pattern: re.Pattern[str], start: int) -> int:
        found = pattern.match(self.text, start)
        return found.end() if found else start

    def _closing_quote(self, opening: re.Match[str]) -> re.Match[str] | None:
        """Return the next same quote without more backslashes and not before a letter, as in `'it's'`."""
        for found in _NEXT_QUOTE.finditer(self.text, opening.end()):
            is_same = found["quote"].lower() == opening["quote"].lower()
            is_escaped = len(found["backslashes"]) > len(opening["backslashes"])
            if is_same and not is_escaped and not self._goes_on_at(found.end()):
                return found
        return None

    def _goes_on_at(self, position: int) -> bool:
        return self.text[position : position + 1].isalnum()

    def _end_of_group(self, group: re.Match[str], *, is_form: bool) -> int:
        pattern = _NEXT_IN_GROUP[group["opening"] or group["angle"]]
        depth, position = 1, group.end()
        while found := pattern.search(self.text, self._end_of(_PLAIN_IN_GROUP, position)):
            position = found.end()
            if found["quote"]:
                closing = self._closing_quote(found)
                position = closing.end() if closing else len(self.text)
            elif found["next"]:
                if is_form:
                    return found.start()
            else:
                depth += 1 if found["opening"] else -1
                if not depth:
                    return found.start()
        return len(self.text)

    def _end_of_text(self, start: int) -> int:
        for found in _TEXT_END.finditer(self.text, start):
            is_soft = found["soft"] and found.start() >= self.last_parameter
            if found["end"] or is_soft or (found["quote"] and self._is_around(found, start)):
                return found.start()
        return len(self.text)

    def _is_around(self, quote: re.Match[str], start: int) -> bool:
        """Return whether a quote closes one that was opened before the text, and is not part of the text."""
        follows = self.text[quote.end() : quote.end() + 1]
        is_escaped_in_text = quote["backslashes"] and follows.isspace()
        return self.first_quotes[quote["quote"]] < start and not follows.isalnum() and not is_escaped_in_text


def _hide_number(found: re.Match[str]) -> str:
    run, plus = found[0], found["plus"] or found["encoded_plus"]
    length = _length_of_number(run)
    digits = _ENCODINGS.sub(" ", run[len(plus) : length])
    (first,) = _FIRST_DIGITS.findall(digits)
    in_a_row, count = len(first), sum(map(str.isdigit, digits))
    is_sum = digits[:1] == " " and in_a_row == count
    if is_sum or (in_a_row < _FEWEST_DIGITS and (count < _FEWEST_APART or _is_offset(digits, found))):
        return run
    return f"+{HIDDEN}{run[length:]}"


def _is_offset(digits: str, found: re.Match[str]) -> bool:
    """Return whether a plus starts the offset of a time, such as `+0800`, and not a country code."""
    if digits[0] == "0":
        return not digits.startswith("00")
    time = _TIME_BEFORE.search(found.string, found.start() - _LONGEST_TIME, found.start())
    return _OFFSET.match(digits) is not None and time is not None


def _length_of_number(run: str) -> int:
    """Return the length of the number in a run of digits and separators: up to a date or the last adjacent digits."""
    date = _DATE.search(run)
    if date and "+" not in run[date.end() :]:
        run = run[: date.start()]
    last = _UP_TO_LAST_DIGITS.match(run)
    return last.end() if last else 0


class MaskingFilter(logging.Filter):
    """Mask the records of a handler or logger. Drops none of them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the message and the traceback of a record. Always returns True."""
        try:
            record.msg, record.args = line(record.getMessage()), ()
        except (TypeError, ValueError):
            # The arguments do not fit the message. The handler reports that itself.
            return True
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = line(record.exc_text)
        if record.stack_info:
            record.stack_info = line(record.stack_info)
        return True


VIEW_PERSONAL_DATA = "django_hoiio.view_personal_data"
VIEW_RECORDINGS = "django_hoiio.view_recordings"
VIEW_RAW = "django_hoiio.view_raw"
PERMISSION_NAMES = {
    VIEW_PERSONAL_DATA: _("Can view phone numbers and message texts"),
    VIEW_RECORDINGS: _("Can view recordings and faxes"),
    VIEW_RAW: _("Can view raw requests"),
}


class MaskedText(str):
    """A masked value. In HTML, its title names the permissions that show the value."""

    __slots__ = ("permissions",)
    permissions: tuple[str, ...]

    def __html__(self) -> str:
        return self.titled(str(self))

    def titled(self, content: str) -> str:
        """Return `content`, such as a link with this text, with the title."""
        names = get_text_list([f"“{PERMISSION_NAMES[each]}”" for each in self.permissions], gettext("and"))
        title = ngettext("Needs the permission %s.", "Needs the permissions %s.", len(self.permissions)) % names
        return format_html('<span class="hoiio-masked" title="{}">{}</span>', title, content)


@dataclass(frozen=True, kw_only=True)
class FieldMask:
    """Hide a field from users who lack any of `permissions`."""

    permissions: tuple[str, ...]
    hide: Callable[[str], str] = text

    def is_visible(self, request: HttpRequest) -> bool:
        return request.user.has_perms(self.permissions)

    def mask(self, value: str) -> str:
        """Return the masked value. An empty one stays empty."""
        masked = MaskedText(self.hide(value))
        masked.permissions = self.permissions
        return masked or ""


NUMBER = FieldMask(permissions=(VIEW_PERSONAL_DATA,), hide=number)
TEXT = FieldMask(permissions=(VIEW_PERSONAL_DATA,))
LINK = FieldMask(permissions=(VIEW_RECORDINGS,))
# A raw request, or the traceback of a receiver that read it, contains numbers, texts and links that cannot be
# distinguished. So it needs the permissions for all of them.
RAW = FieldMask(permissions=(VIEW_RAW, VIEW_PERSONAL_DATA, VIEW_RECORDINGS))

# The masked fields of all models. `part` is a digest of the text, from which a short text could be guessed.
FIELD_MASKS: dict[str, FieldMask] = {
    **dict.fromkeys(("remote_number", "from_number", "to_number", "dest", "dest1", "dest2"), NUMBER),
    **dict.fromkeys(("msg", "part"), TEXT),
    "fax_url": LINK,
    "traceback": RAW,
}

# A raw request is not masked but left out.
RAW_FIELDS = ("query", "body", "headers", "params", "pass_on", "unverified_params")
# Fields that would reveal a masked value to a user who filters or searches by them.
REVEALING = {**FIELD_MASKS, "remote_suffix": NUMBER, **dict.fromkeys(RAW_FIELDS, RAW)}


def mask_rows(request: HttpRequest, rows: Iterable[Model]) -> None:
    """Mask fields that the user has no permission to view. The rows must never be saved afterwards."""
    masks = {name: each.mask for name, each in FIELD_MASKS.items() if not each.is_visible(request)}
    for row in rows:
        for name in masks.keys() & vars(row).keys():
            setattr(row, name, masks[name](getattr(row, name)))
