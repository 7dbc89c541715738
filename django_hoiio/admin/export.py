"""Export lists as CSV. Rows are streamed by key, so memory does not grow with the list."""

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
from django_hoiio.masking import FIELD_MASKS

if TYPE_CHECKING:
    from .read_only import ReadOnlyAdmin

logger = get_logger(__name__)

# Rows in memory at a time.
CHUNK_SIZE = 1_000

# Without it, Excel decodes the file with the machine's code page and garbles text that is not ASCII.
BOM = "\ufeff"

# A column has the name on the wire. These are not the names of the fields.
HEADINGS = {"from_number": "from", "to_number": "to", "notification__txn_ref": "txn_ref"}

Write = Callable[[Any], str]


@admin.action(description=gettext_lazy("Export as CSV"), permissions=["export"])
def export_as_csv(model_admin: ReadOnlyAdmin, request: HttpRequest, rows: QuerySet[Any]) -> StreamingHttpResponse:
    """Stream the rows as a CSV file, newest first and masked as on the screen. Log the user and the row count."""
    writes = [_writer(request, name) for name in model_admin.export_fields]
    lines = _logged(request, rows, _chunks(rows, model_admin.export_fields), writes)
    header = [HEADINGS.get(name, name) for name in model_admin.export_fields]
    content = _file(header, lines)
    response = StreamingHttpResponse(
        # Under ASGI, Django reads a synchronous iterator to its end before it sends anything.
        _asynchronously(content) if isinstance(request, ASGIRequest) else content,
        content_type="text/csv; charset=utf-8",
    )
    response["Content-Disposition"] = f'attachment; filename="{_file_name(rows)}"'
    return response


def _file_name(rows: QuerySet[Any]) -> str:
    return f"hoiio-{rows.model._meta.model_name}-{localtime():%Y%m%d-%H%M%S}.csv"


def _writer(request: HttpRequest, name: str) -> Write:
    """Return a function that writes a cell of a column, for this user and in the current time zone."""
    zone, field_mask = get_current_timezone(), FIELD_MASKS.get(name)
    if field_mask is None or field_mask.is_visible(request):
        return lambda value: cell_of(value, zone)
    return lambda value: cell_of(field_mask.hide(value), zone)


def _chunks(rows: QuerySet[Any], names: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    """Yield chunks by descending key: rows added meanwhile have higher keys. Each row starts with its key."""
    found = rows.order_by("-pk").values_list("pk", *names)
    chunk = list(found[:CHUNK_SIZE])
    while chunk:
        yield chunk
        chunk = list(found.filter(pk__lt=chunk[-1][0])[:CHUNK_SIZE]) if len(chunk) == CHUNK_SIZE else []


def _logged(
    request: HttpRequest, rows: QuerySet[Any], chunks: Iterator[list[tuple[Any, ...]]], writes: Sequence[Write]
) -> Generator[list[list[str]], None, None]:
    """Yield the cells, and log the export at the end, even if the download is aborted."""
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


# Characters that start a formula, also in full width. The apostrophe is one so that the original can be restored.
_CALCULATES = frozenset("'=+-@＝＋－＠")

# A new cell may also start after these: a spreadsheet that splits at semicolons or tabs ignores the quotes.
_SPLITS = frozenset(";\t\r\n")
_BEGINS = _CALCULATES | frozenset("\t\r\n")
# Matches a whole gap at once, so the time is linear even for a text of gaps alone.
_GAP = re.compile(r'[;\s"]+')


def guarded(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would read as a formula: `'+6591231111`.

    This is text that starts with `=`, `+`, `-`, `@`, an apostrophe, a tab or a line end. Inside a text, it is such a
    sign after a semicolon, a tab or a line end, or after leading blanks.
    """
    mark = "'" if text[:1] in _BEGINS else ""
    return mark + _GAP.sub(_guard, text)


def _guard(gap: re.Match[str]) -> str:
    follows = gap.string[gap.end() : gap.end() + 1]
    is_split = gap.start() == 0 or not _SPLITS.isdisjoint(gap[0])
    return gap[0] + "'" if follows in _CALCULATES and is_split else gap[0]


def cell_of(value: Any, zone: tzinfo) -> str:
    """Format a value: guarded text, ISO dates with the offset of `zone`, plain decimals, `true`, `false`.

    Numbers stay numbers, also negative ones.
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
