"""Lists as CSV files: read by key, and written as they are read, so that the memory is that of a thousand rows."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.contrib import admin
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.timezone import get_current_timezone, localtime
from django.utils.translation import gettext_lazy

from django_hoiio.logs import get_logger
from django_hoiio.veils import FIELDS

from .cells import cell_of

if TYPE_CHECKING:
    from .reading import ReadOnlyAdmin

logger = get_logger(__name__)

# So many rows are in memory at a time.
CHUNK = 1_000

# Excel takes a file without it for one of the machine's own code page, and spoils what is not English.
BOM = "\ufeff"

# A column is headed by the name on the wire; where that is not the name of the field.
HEADINGS = {"from_number": "from", "to_number": "to", "notification__txn_ref": "txn_ref"}

Write = Callable[[Any], str]


@admin.action(description=gettext_lazy("Export as CSV"), permissions=["export"])
def export_as_csv(model_admin: ReadOnlyAdmin, request: HttpRequest, rows: QuerySet[Any]) -> StreamingHttpResponse:
    """Send the rows as a CSV file, newest first, veiled as on the screen; who took how many is logged at its end."""
    writes = [_writer(request, name) for name in model_admin.exported]
    lines = _logged(request, rows, _chunks(rows, model_admin.exported), writes)
    header = [HEADINGS.get(name, name) for name in model_admin.exported]
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
    zone, veil = get_current_timezone(), FIELDS.get(name)
    if veil is None or veil.is_lifted(request):
        return lambda value: cell_of(value, zone)
    return lambda value: cell_of(veil.mask(value), zone)


def _chunks(rows: QuerySet[Any], names: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    """Read by descending key: what comes meanwhile has a higher one. Each row begins with its key."""
    found = rows.order_by("-pk").values_list("pk", *names)
    chunk = list(found[:CHUNK])
    while chunk:
        yield chunk
        chunk = list(found.filter(pk__lt=chunk[-1][0])[:CHUNK]) if len(chunk) == CHUNK else []


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
