"""Cursor pagination that finds each page through an index, or scans a bounded number of rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from datetime import timezone as datetime_timezone
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from django_hoiio.keyset import SCAN_LIMIT, page_of
from django_hoiio.models import Notification
from django_hoiio.retention.totals import DAY, day_of, totals

from .filters import INDEXED, SPAN, Filters, TotalFilters

Rows: TypeAlias = QuerySet[Any]

EPOCH = datetime(1970, 1, 1, tzinfo=datetime_timezone.utc)
_POSITION = re.compile(r"([a-z_]+)\.([0-9]{1,16})\.([0-9]{1,19})")


class Position(NamedTuple):
    """The place of a row in an order, by its moment, which some orders do not have, and by its key."""

    order: str
    key: int
    moment: datetime = EPOCH

    def __str__(self) -> str:
        return f"{self.order}.{(self.moment - EPOCH) // timedelta(microseconds=1)}.{self.key}"

    @classmethod
    def of(cls, text: str) -> Position:
        """Parse a position. Raises `ValueError`."""
        if not (found := _POSITION.fullmatch(text)):
            raise ValueError("No position.")
        return cls(found[1], int(found[3]), EPOCH + timedelta(microseconds=int(found[2])))


class CursorPage(NamedTuple):
    """Rows, newest first, and the positions at which the adjacent pages start."""

    rows: Iterable[Any]
    next: object = None
    previous: object = None


class PositionPagination(CursorPagination):
    """Cursors of unique positions, without an offset. A subclass finds the rows."""

    invalid_cursor_message: Any = _(
        "This cursor does not belong to this list; follow the links of its pages, with all other parameters."
    )
    cursor: Any
    # Parses a position, or raises `ValueError`.
    position_of: Callable[[str], Any]
    find: Callable[[Rows, Any], CursorPage]

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request, self.base_url = request, request.build_absolute_uri()
        self.cursor = self.decode_cursor(request)
        rows, after, before = self.find(queryset, view.filterset)
        # Without rows in `page`, REST framework makes the links of these positions.
        self.page = []
        self.has_next, self.next_position = after is not None, str(after)
        self.has_previous, self.previous_position = before is not None, str(before)
        return list(rows)

    def decode_cursor(self, request: Request) -> Any:
        """Return the cursor with its position, which is `None` for the first page."""
        if not request.query_params.get(self.cursor_query_param):
            return Cursor(0, False, None)
        cursor: Any = super().decode_cursor(request)
        try:
            return cursor._replace(position=self.position_of(cursor.position or ""))
        except ValueError as error:
            raise NotFound(self.invalid_cursor_message) from error


class RowPagination(PositionPagination):
    """Pages of rows, newest first. Every page costs the same: without an index, it scans a bounded number of rows."""

    position_of = Position.of
    page_size = 100
    max_page_size = 500
    page_size_query_param = "page_size"

    def find(self, rows: Rows, filters: Filters) -> CursorPage:
        """Return a page through the index that answers the filters."""
        if filters.given & SPAN and not filters.given & INDEXED:
            scanned = filters.narrowed(filters.given & SPAN) if filters.given - SPAN else rows.none()
            field = "received_at" if rows.model is Notification else "created_at"
            return self.by_moment(field, _streams(rows, filters), _streams(scanned, filters))
        for name in filters.given & INDEXED:
            keys = list(filters.narrowed([name]).order_by().values_list("pk", flat=True)[: SCAN_LIMIT + 1])
            if len(keys) <= SCAN_LIMIT:
                return self.by_key(rows.filter(pk__in=keys))
        # Every indexed parameter matches many rows, so some will be near.
        return self.by_key(rows, is_scan=bool(filters.given))

    def by_key(self, rows: Rows, *, is_scan: bool = False, above: int = 0, order: str = "pk") -> CursorPage:
        """Return rows in order of key, without those up to the key `above`."""
        start, size = self.start(order), self.get_page_size(self.request)
        end: dict[str, Any] = {"newer_than" if self.cursor.reverse else "older_than": start and start.key}
        within = rows.filter(pk__gt=above) if above else rows
        page = page_of(within, size=size, scan_limit=SCAN_LIMIT if is_scan else 0, **end)
        older = None if page.older is None or page.older <= above + 1 else Position(order, page.older)
        newer = None if page.newer is None else Position(order, max(page.newer, 0))
        return CursorPage(page.rows, older, newer)

    def by_moment(self, field: str, streams: list[Rows], scanned: list[Rows], *, order: str = "") -> CursorPage:
        """Return rows of all streams in order of a date field, as far as `SCAN_LIMIT` rows of one of `scanned`."""
        start, size, reverse = self.start(order or field), self.get_page_size(self.request), self.cursor.reverse
        place = attrgetter(field, "pk")
        reached = [self._ahead(rows, field, start).values_list(field, "pk")[SCAN_LIMIT - 1 :][:1] for rows in scanned]
        end = (min if reverse else max)(chain.from_iterable(reached), default=None)
        ahead = [row for rows in streams for row in self._ahead(rows, field, start, end)[: size + 1]]
        found = sorted(ahead, key=place, reverse=not reverse)
        if len(found) > size:
            end = place(found[size - 1])
        onwards = end and Position(order or field, end[1], end[0])
        # A page in the other direction has the row at this position.
        back = start and start._replace(key=max(start.key + (1 if reverse else -1), 0))
        return CursorPage(found[:size][::-1], back, onwards) if reverse else CursorPage(found[:size], onwards, back)

    def _ahead(self, rows: Rows, field: str, start: Position | None, end: Any = None) -> Rows:
        """Return the rows after the start, up to the end if there is one, in the direction of the cursor."""
        after, before, sign = ("gt", "lt", "") if self.cursor.reverse else ("lt", "gt", "-")
        # The ranges are for the index. Rows of the same moment are compared by key.
        if start is not None:
            passed = Q(**{field: start.moment, f"pk__{before}e": start.key})
            rows = rows.filter(~passed, **{f"{field}__{after}e": start.moment})
        if end is not None:
            moment, key = end
            beyond = Q(**{field: moment, f"pk__{after}": key})
            rows = rows.filter(~beyond, **{f"{field}__{before}e": moment})
        return rows.order_by(f"{sign}{field}", f"{sign}pk")

    def start(self, order: str) -> Position | None:
        """Return the position of the cursor. Raises `NotFound` if it is in another order."""
        position: Position | None = self.cursor.position
        if position is not None and position.order != order:
            raise NotFound(self.invalid_cursor_message)
        return position

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get(self.page_size_query_param) or str(self.page_size)
        if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= self.max_page_size:
            message = _("A page has 1 to %(most)d rows.") % {"most": self.max_page_size}
            raise ValidationError({self.page_size_query_param: [message]})
        return int(text)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        cursor, size = super().get_schema_operation_parameters(view)
        size["schema"] |= {"minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        return [cursor, size]


def _streams(rows: Rows, filters: Filters) -> list[Rows]:
    """Return the rows for each value of `is_final`, which stands before the date field in the index."""
    if rows.model is Notification or "final" in filters.given:
        return [rows]
    return [rows.filter(is_final__in=[is_final]) for is_final in (True, False)]


class DayPagination(PositionPagination):
    """A page has 31 days, ordered by day, account, traffic and currency; `next` leads to earlier days.

    A day is recounted until it is closed.
    """

    position_of = date.fromisoformat
    span = 30 * DAY

    def find(self, rows: Rows, filters: TotalFilters) -> CursorPage:
        """Return totals in order of days, also of days that are still counted."""
        given = filters.form.cleaned_data
        end = given["day_to"] or day_of(timezone.now())
        begin = given["day_from"] or end - min(self.span, end - date.min)
        last = self.cursor.position or end
        first = last - min(self.span, last - begin)
        wanted = {name: given[name] for name in ("account", "traffic") if given[name]}
        found = totals(first, last)
        return CursorPage(
            [total for total in found if all(getattr(total, name) == wanted[name] for name in wanted)],
            next=first - DAY if first > begin else None,
            previous=last + min(self.span + DAY, end - last) if last < end else None,
        )
