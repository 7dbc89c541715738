"""Export lists as CSV, streamed by key, so that memory does not grow with the list."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import closing
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib import admin
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.timezone import get_current_timezone, localtime
from django.utils.translation import gettext_lazy

from django_hoiio.logs import get_logger
from django_hoiio.masking import FIELDS

if TYPE_CHECKING:
    from .read_only import ReadOnlyAdmin

logger = get_logger(__name__)

# So many rows are in memory at a time.
CHUNK_SIZE = 1_000

# Excel takes a file without it for one of the machine's own code page, and spoils what is not English.
BOM = "\ufeff"

# A column is headed by the name on the wire; where that is not the name of the field.
HEADINGS = {"from_number": "from", "to_number": "to", "notification__txn_ref": "txn_ref"}

Write = Callable[[Any], str]


@admin.action(description=gettext_lazy("Export as CSV"), permissions=["export"])
def export_as_csv(model_admin: ReadOnlyAdmin, request: HttpRequest, rows: QuerySet[Any]) -> StreamingHttpResponse:
    """Send the rows as a CSV file, newest first, veiled as on the screen; who took how many is logged at its end."""
    writes = [_writer(request, name) for name in model_admin.export_fields]
    lines = _logged(request, rows, _chunks(rows, model_admin.export_fields), writes)
    header = [HEADINGS.get(name, name) for name in model_admin.export_fields]
    content = _file(header, lines)
    response = StreamingHttpResponse(
        # A server of the asynchronous kind would read the whole of a plain iterator before it sends any.
        _asynchronously(content) if isinstance(request, ASGIRequest) else content,
        content_type="text/csv; charset=utf-8",
    )
    response["Content-Disposition"] = f'attachment; filename="{_file_name(rows)}"'
    return response


def _file_name(rows: QuerySet[Any]) -> str:
    return f"hoiio-{rows.model._meta.model_name}-{localtime():%Y%m%d-%H%M%S}.csv"


def _writer(request: HttpRequest, name: str) -> Write:
    """What writes the cells of a column, for this user and in the time zone that holds now."""
    zone, mask_rows = get_current_timezone(), FIELDS.get(name)
    if mask_rows is None or mask_rows.is_visible(request):
        return lambda value: cell_of(value, zone)
    return lambda value: cell_of(mask_rows.mask(value), zone)


def _chunks(rows: QuerySet[Any], names: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    """Read by descending key: what comes meanwhile has a higher one. Each row begins with its key."""
    found = rows.order_by("-pk").values_list("pk", *names)
    chunk = list(found[:CHUNK_SIZE])
    while chunk:
        yield chunk
        chunk = list(found.filter(pk__lt=chunk[-1][0])[:CHUNK_SIZE]) if len(chunk) == CHUNK_SIZE else []


def _logged(
    request: HttpRequest, rows: QuerySet[Any], chunks: Iterator[list[tuple[Any, ...]]], writes: Sequence[Write]
) -> Generator[list[list[str]], None, None]:
    """The cells; and at the end, also an early one, a log line."""
    count = 0
    try:
        for chunk in chunks:
            count += len(chunk)
            yield [[write(value) for write, value in zip(writes, values[1:], strict=True)] for values in chunk]
    finally:
        logger.info("User %s exported %s rows of %s.", request.user.pk, count, rows.model._meta.label)


def _file(header: list[str], lines: Generator[list[list[str]], None, None]) -> Generator[bytes, None, None]:
    with closing(lines):
        yield (BOM + _csv([header])).encode()
        for some in lines:
            yield _csv(some).encode()


def _csv(lines: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()


async def _asynchronously(content: Generator[bytes, None, None]) -> AsyncIterator[bytes]:
    with closing(content):
        while (piece := await sync_to_async(lambda: next(content, b""))()) != b"":
            yield piece


# What makes a spreadsheet calculate, also in full width; and the apostrophe itself, so that it can be undone.
_CALCULATES = frozenset("'=+-@＝＋－＠")

# Where a text begins, as far as some spreadsheet thinks: one that splits at semicolons or tabs does not see the quotes.
_SPLITS = frozenset(";\t\r\n")
_BEGINS = _CALCULATES | frozenset("\t\r\n")
# Both match at every gap, so that a text of gaps alone takes no longer than another one.
_GAP = re.compile(r'[;\s"]+')
_MARKED_GAP = re.compile(r"""[;\s"]+'?""")


def guarded(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula: `'+6591231111`.

    That is before a text that begins with `=`, `+`, `-`, `@`, an apostrophe, a tab or the end of a line, and within it
    before such a sign that follows a semicolon, a tab or the end of a line, or the blanks at the beginning.
    """
    mark = "'" if text[:1] in _BEGINS else ""
    return mark + _GAP.sub(_guard, text)


def unguarded(text: str) -> str:
    """Take off the apostrophes of `guarded`, and no other."""
    return _MARKED_GAP.sub(_undo, text.removeprefix("'"))


def _guard(gap: re.Match[str]) -> str:
    follows = gap.string[gap.end() : gap.end() + 1]
    return gap[0] + "'" if follows in _CALCULATES and _splits(gap) else gap[0]


def _undo(gap: re.Match[str]) -> str:
    return gap[0].removesuffix("'") if _splits(gap) else gap[0]


def _splits(gap: re.Match[str]) -> bool:
    return gap.start() == 0 or not _SPLITS.isdisjoint(gap[0])


def cell_of(value: Any, zone: tzinfo) -> str:
    """Write a value: texts guarded, dates as ISO with the offset of the zone, money in plain decimals, `true`, `false`.

    Numbers are left to be numbers, also negative ones.
    """
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat()
    return _WRITERS.get(type(value), _as_json)(value)


def _as_json(value: Any) -> str:
    return guarded(json.dumps(value, ensure_ascii=False)) if value else ""


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: guarded,
    type(None): lambda value: "",
    bool: lambda value: str(value).lower(),
    int: str,
    date: date.isoformat,
    Decimal: lambda value: f"{value:f}",
    UUID: str,
}
