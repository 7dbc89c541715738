"""Cursor pagination that finds each page through an index."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

from django.db.models import Q, QuerySet
from django.utils.encoding import force_str
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from django_hoiio.keyset import SCAN_LIMIT, page_of
from django_hoiio.retention.totals import Total, totals

from .filters import DAYS_PER_PAGE, DayQuery, ListQuery, days_after, days_before, is_final_q, read_day

# The type; the moment in microseconds, if it orders the rows; the primary key.
CURSOR_PATTERN = r"^(older|newer|reported|sent)(\.[0-9]{1,16})?\.[0-9]{1,18}$"

# The highest key that matches CURSOR_PATTERN.
LAST_KEY = 10**18 - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class CursorType(str, Enum):
    """Direction of a list, or phase of the change feed."""

    # Rows older or newer than a row.
    OLDER = "older"
    NEWER = "newer"
    # The change feed: first rows reported by notifications older than one, then rows that were sent before a row.
    REPORTED = "reported"
    SENT = "sent"


class Position(NamedTuple):
    """Position of a row in the order of moment and key."""

    moment: datetime
    key: int


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """A position in a list. `moment` is `None` if rows are ordered by key alone."""

    type: CursorType
    key: int
    moment: datetime | None = None

    def __str__(self) -> str:
        if self.moment is None:
            return f"{self.type.value}.{self.key}"
        return f"{self.type.value}.{(self.moment - _EPOCH) // timedelta(microseconds=1)}.{self.key}"

    @property
    def position(self) -> Position | None:
        return None if self.moment is None else Position(self.moment, self.key)


def parse_cursor(text: str) -> Cursor | None:
    """Parse a cursor; `None` if the text is not one."""
    if not re.fullmatch(CURSOR_PATTERN, text):
        return None
    name, *moment, key = text.split(".")
    return Cursor(
        type=CursorType(name), key=int(key), moment=_EPOCH + timedelta(microseconds=int(moment[0])) if moment else None
    )


Rows: TypeAlias = QuerySet[Any]


@dataclass(frozen=True, kw_only=True)
class CursorPage:
    """Rows, newest first, and the cursors of the adjacent pages."""

    rows: Sequence[Any]
    next: Cursor | None = None
    previous: Cursor | None = None


class CursorMismatch(Exception):
    """The cursor belongs to a list with other parameters."""


def by_key(rows: Rows, query: ListQuery, cursor: Cursor | None, size: int, *, above: int = 0) -> CursorPage:
    """Return rows in order of key, without those up to the key `above`."""
    _require(cursor, has_moment=False)
    ends = {} if cursor is None else {_ENDS[cursor.type]: cursor.key}
    page = page_of(
        rows.filter(query.other_filters, pk__gt=above),
        size=size,
        scan_limit=SCAN_LIMIT if query.other_filters else 0,
        **ends,
    )
    older = None if page.older is None or page.older <= above + 1 else Cursor(type=CursorType.OLDER, key=page.older)
    newer = None if page.newer is None else Cursor(type=CursorType.NEWER, key=max(page.newer, 0))
    return CursorPage(rows=page.rows, next=older, previous=newer)


_ENDS = {CursorType.OLDER: "older_than", CursorType.NEWER: "newer_than"}


def by_term(rows: Rows, query: ListQuery, cursor: Cursor | None, size: int) -> CursorPage:
    """Return the rows that an index finds. Scan row by row if every term matches too many: some will be near."""
    for term in query.terms:
        keys = list(rows.filter(term).order_by().values_list("pk", flat=True)[: SCAN_LIMIT + 1])
        if len(keys) <= SCAN_LIMIT:
            return _page_of_keys(rows.filter(query.all), keys, cursor, size)
    return by_key(rows, ListQuery(moment=query.moment, other_filters=query.all), cursor, size)


def by_moment(rows: Rows, query: ListQuery, cursor: Cursor | None, size: int) -> CursorPage:
    """Return rows in order of the date field; final rows are merged with the others."""
    _require(cursor, has_moment=True)
    order = _Order(query.moment, CursorType.OLDER if cursor is None else cursor.type)
    streams = [order.beyond(stream.filter(query.span), cursor) for stream in _streams(rows, query)]
    end = None
    if query.other_filters:
        end = order.nearest(order.position_at(stream, SCAN_LIMIT - 1) for stream in streams)
        streams = [order.up_to(stream, end).filter(query.other_filters) for stream in streams]
    found = order.merged(row for stream in streams for row in order.sorted(stream)[: size + 1])
    if len(found) > size:
        end = order.position(found[size - 1])
    return _page(found[:size], cursor, end and Cursor(type=order.type, moment=end.moment, key=end.key))


def _streams(rows: Rows, query: ListQuery) -> list[Rows]:
    """Return one queryset for each value of `is_final`, which stands before the date field in the index."""
    if "is_final" not in {field.name for field in rows.model._meta.get_fields()}:
        return [rows]
    wanted = (True, False) if query.is_final is None else (query.is_final,)
    return [rows.filter(is_final_q(is_final=each)) for each in wanted]


@dataclass(frozen=True)
class _Order:
    """The order by moment and key: descending for older rows, ascending for newer rows."""

    moment: str
    type: CursorType

    @property
    def is_older(self) -> bool:
        return self.type == CursorType.OLDER

    def position(self, row: Any) -> Position:
        return Position(getattr(row, self.moment), row.pk)

    def sorted(self, rows: Rows) -> Rows:
        sign = "-" if self.is_older else ""
        return rows.order_by(f"{sign}{self.moment}", f"{sign}pk")

    def merged(self, rows: Iterable[Any]) -> list[Any]:
        return sorted(rows, key=self.position, reverse=self.is_older)

    def beyond(self, rows: Rows, cursor: Cursor | None) -> Rows:
        """Return the rows after the cursor."""
        if cursor is None or cursor.position is None:
            return rows
        how, same = ("lte", "gte") if self.is_older else ("gte", "lte")
        return self._cut(rows, cursor.position, how, same)

    def up_to(self, rows: Rows, limit: Position | None) -> Rows:
        """Return the rows up to and including the limit."""
        if limit is None:
            return rows
        how, same = ("gte", "lt") if self.is_older else ("lte", "gt")
        return self._cut(rows, limit, how, same)

    def _cut(self, rows: Rows, position: Position, how: str, same: str) -> Rows:
        # The range is for the index. Rows of the same moment are compared by key.
        within = Q(**{f"{self.moment}__{how}": position.moment})
        return rows.filter(within, ~Q(**{self.moment: position.moment, f"pk__{same}": position.key}))

    def position_at(self, rows: Rows, number: int) -> Position | None:
        """Return the position of the row with this index, from 0; `None` if there are fewer rows."""
        found = self.sorted(rows).values_list(self.moment, "pk")[number : number + 1]
        return next((Position(*each) for each in found), None)

    def nearest(self, positions: Iterable[Position | None]) -> Position | None:
        """Return the position that comes first in this order."""
        met = [position for position in positions if position is not None]
        return (max if self.is_older else min)(met, default=None)


def _page_of_keys(rows: Rows, keys: list[int], cursor: Cursor | None, size: int) -> CursorPage:
    """Return the rows with these keys, in order of key."""
    _require(cursor, has_moment=False)
    cursor_type = CursorType.OLDER if cursor is None else cursor.type
    if cursor is not None:
        keys = [key for key in keys if (key < cursor.key if cursor_type == CursorType.OLDER else key > cursor.key)]
    found = list(rows.filter(pk__in=keys).order_by("-pk" if cursor_type == CursorType.OLDER else "pk")[: size + 1])
    return _page(found[:size], cursor, Cursor(type=cursor_type, key=found[size - 1].pk) if len(found) > size else None)


def _page(found: list[Any], cursor: Cursor | None, ahead: Cursor | None) -> CursorPage:
    """Return the page of rows found in the direction of the cursor. `ahead` continues in that direction."""
    if cursor is None:
        return CursorPage(rows=found, next=ahead)
    # The page in the other direction begins with the row that the cursor names.
    if cursor.type == CursorType.OLDER:
        return CursorPage(
            rows=found, next=ahead, previous=replace(cursor, type=CursorType.NEWER, key=max(cursor.key - 1, 0))
        )
    behind = replace(cursor, type=CursorType.OLDER, key=min(cursor.key + 1, LAST_KEY))
    return CursorPage(rows=found[::-1], next=behind, previous=ahead)


def _require(cursor: Cursor | None, *, has_moment: bool) -> None:
    if cursor is None:
        return
    if cursor.type not in (CursorType.OLDER, CursorType.NEWER) or (cursor.moment is not None) != has_moment:
        raise CursorMismatch


IndexQuery: TypeAlias = Callable[[Rows, ListQuery, Cursor | None, int], CursorPage]


class LinkedPagination(CursorPagination):
    """Pages with a `next` and a `previous` link, without a count."""

    cursor_query_description: Any = _("The position in the list; taken from the links `next` and `previous`.")
    invalid_cursor_message: Any = _(
        "This cursor does not belong to this list; follow the links of its pages, with all other parameters."
    )

    base_url: str
    # The cursors of the next and the previous page.
    ahead: object = None
    back: object = None

    def get_next_link(self) -> str | None:
        return self._link(self.ahead)

    def get_previous_link(self) -> str | None:
        return self._link(self.back)

    def _link(self, cursor: object) -> str | None:
        return None if cursor is None else replace_query_param(self.base_url, self.cursor_query_param, str(cursor))

    def _no_such_cursor(self) -> ValidationError:
        return ValidationError({self.cursor_query_param: [self.invalid_cursor_message]})


class KeyPagination(LinkedPagination):
    """Pages of rows, newest first. Every page costs the same."""

    page_size = 100
    max_page_size = 500
    page_size_query_param = "page_size"
    page_size_query_description: Any = _("The maximum number of rows on a page.")

    def page_of(self, rows: Rows, query: ListQuery, request: Request) -> list[Any]:
        """Return the rows of the requested page. Raises `ValidationError` and `NotFound`."""
        self.request, self.base_url = request, request.build_absolute_uri()
        try:
            page = self.index_query(rows, query)(rows, query, self._cursor(request), self._size(request))
        except CursorMismatch as error:
            raise NotFound(self.invalid_cursor_message) from error
        self.ahead, self.back = page.next, page.previous
        return list(page.rows)

    def index_query(self, rows: Rows, query: ListQuery) -> IndexQuery:
        """Return the fastest index query for the parameters."""
        if query.terms:
            return by_term
        if query.has_span or query.is_final is not None:
            return by_moment
        return by_key

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        size = {"type": "integer", "minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        return [
            query_parameter(
                self.cursor_query_param, self.cursor_query_description, {"type": "string", "pattern": CURSOR_PATTERN}
            ),
            query_parameter(str(self.page_size_query_param), self.page_size_query_description, size),
        ]

    def _cursor(self, request: Request) -> Cursor | None:
        text = request.query_params.get(self.cursor_query_param, "")
        cursor = parse_cursor(text)
        if text and cursor is None:
            raise self._no_such_cursor()
        return cursor

    def _size(self, request: Request) -> int:
        text = request.query_params.get(self.page_size_query_param, "") or str(self.page_size)
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not 1 <= int(text) <= self.max_page_size:
            message = _("A page has 1 to %(most)d rows.") % {"most": self.max_page_size}
            raise ValidationError({str(self.page_size_query_param): [message]})
        return int(text)


class DayPagination(LinkedPagination):
    """Pages of totals, 31 days each, newest days first."""

    def page_of(self, query: DayQuery, request: Request) -> list[Total]:
        """Return the totals of the requested page, in order of days. Raises `ValidationError`."""
        self.request, self.base_url = request, request.build_absolute_uri()
        last = self._cursor(request) or query.last
        first = max(query.first, days_before(last, DAYS_PER_PAGE - 1))
        self.ahead = days_before(first, 1) if first > query.first else None
        self.back = min(query.last, days_after(last, DAYS_PER_PAGE)) if last < query.last else None
        return [total for total in totals(first, last) if query.is_about(total.account, total.traffic)]

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            query_parameter(
                self.cursor_query_param, self.cursor_query_description, {"type": "string", "format": "date"}
            )
        ]

    def _cursor(self, request: Request) -> date | None:
        text = request.query_params.get(self.cursor_query_param, "")
        day = read_day(text)
        if text and day is None:
            raise self._no_such_cursor()
        return day


def query_parameter(name: str, description: object, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Describe an optional query parameter for the schema."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        # The form of the browsable API sends empty parameters.
        "allowEmptyValue": True,
        "description": force_str(description),
        "schema": dict(schema),
    }
