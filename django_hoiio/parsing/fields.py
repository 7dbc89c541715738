"""Decode a query string or a body into names and texts, in order.

Django's `request.GET` and `request.POST` are not used. They replace bytes that are not UTF-8, reject more than a
thousand fields, and read neither JSON nor a body with a wrong content type.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

FORM_CONTENT_TYPE = "application/x-www-form-urlencoded"


def fields_of_query(query: str) -> Iterator[tuple[str, str]]:
    return _urlencoded(query.encode())


def fields_of_body(body: bytes, content_type: str) -> Iterator[tuple[str, str]]:
    """Detect the format from the body: Hoiio's content type is not documented and may be wrong."""
    body = _without_byte_order_mark(body)
    if body.lstrip()[:1] == b"{":
        from_json = _json(body)
        if from_json is not None:
            return iter(from_json.items())
    boundary = _BOUNDARY.search(content_type)
    if boundary:
        delimiter = b"--" + (boundary["quoted"] or boundary["plain"]).encode("latin-1", "replace")
        if delimiter in body:
            return _multipart(body, delimiter)
    return _urlencoded(body)


# UTF-32 before UTF-16, because the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def _without_byte_order_mark(body: bytes) -> bytes:
    """Remove the byte order mark that some programs put before JSON. Convert JSON in UTF-16 or UTF-32 to UTF-8."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            text = body[len(mark) :].decode(encoding, "replace")
            return text.encode() if text.lstrip().startswith("{") else body
    return body.removeprefix(codecs.BOM_UTF8)


def _urlencoded(raw: bytes) -> Iterator[tuple[str, str]]:
    # In Latin-1, each byte is a character.
    text = raw.decode("latin-1").replace("+", " ")
    for pair in filter(None, text.split("&")):
        name, _, value = pair.partition("=")
        yield _unquoted(name), _unquoted(value)


# Much faster than `unquote_to_bytes` for many short texts, or many percent signs that encode nothing.
_ENCODED = re.compile("(?:%[0-9A-Fa-f]{2})+")


def _unquoted(quoted: str) -> str:
    if "%" in quoted:
        quoted = _ENCODED.sub(_bytes_of, quoted)
    if quoted.isascii():
        return storable(quoted)
    return _text(quoted.encode("latin-1"))


def _bytes_of(encoded: re.Match[str]) -> str:
    return bytes.fromhex(encoded[0].replace("%", "")).decode("latin-1")


_BOUNDARY = re.compile(r'^multipart/form-data\b.*?;\s*boundary=(?:"(?P<quoted>[^"]+)"|(?P<plain>[^\s;]+))', re.I)
# Tried once per line, so that a crafted body cannot keep the worker busy.
_PART_NAME = re.compile(
    rb'^content-disposition:[^\n]*?;[ \t]*name=(?:"(?P<quoted>[^"\n]*)"|(?P<plain>[^\s;]+))', re.I | re.M
)


def _multipart(raw: bytes, delimiter: bytes) -> Iterator[tuple[str, str]]:
    """Read a form by RFC 7578. Skip text before the first delimiter and parts without a name."""
    for part in (b"\r\n" + raw).split(b"\r\n" + delimiter)[1:]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = _PART_NAME.search(head)
        if name:
            yield _text(name["quoted"] or name["plain"] or b""), _text(value)


def _json(raw: bytes) -> dict[str, str] | None:
    """Read a JSON object, with numbers as written; `None` if it is not one."""
    try:
        read = json.loads(_text(raw), parse_int=str, parse_float=str)
        return {storable(name): storable(_json_value(value)) for name, value in read.items()}
    except (ValueError, RecursionError):
        return None


def _json_value(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def text_of(raw: bytes | memoryview) -> str:
    """Decode UTF-8, else Latin-1: incoming SMS may be either, and Hoiio does not say which."""
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError:
        return str(raw, "latin-1")


def _text(raw: bytes) -> str:
    return storable(text_of(raw))


_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> str:
    """Replace characters that databases cannot store: NUL, and lone surrogates, which JSON can contain."""
    if text.isascii() and "\0" not in text:
        return text
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
