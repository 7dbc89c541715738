"""Cursor pagination that finds each page through an index."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
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

from .filters import DAYS, Asked, AskedDays, days_after, days_before, finality, read_day

# A way to go on; a moment in microseconds where rows are in order of moments; a primary key.
PATTERN = r"^(older|newer|told|sent)(\.[0-9]{1,16})?\.[0-9]{1,18}$"

# No cursor has a higher key.
LAST_KEY = 10**18 - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Way(str, Enum):
    """From where a list goes on, and in which direction."""

    # What is older, and what is newer, than a row.
    OLDER = "older"
    NEWER = "newer"
    # What changed: told of by notifications older than one, and then what was sent before a row.
    TOLD = "told"
    SENT = "sent"


class Place(NamedTuple):
    """Where a row stands among rows in order of moment and key."""

    moment: datetime
    key: int


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """A place in a list. Where rows are in order of keys alone, there is no moment."""

    way: Way
    key: int
    moment: datetime | None = None

    def __str__(self) -> str:
        if self.moment is None:
            return f"{self.way.value}.{self.key}"
        return f"{self.way.value}.{(self.moment - _EPOCH) // timedelta(microseconds=1)}.{self.key}"

    @property
    def place(self) -> Place | None:
        return None if self.moment is None else Place(self.moment, self.key)


def read(text: str) -> Cursor | None:
    """The cursor that a text is; `None` where it is none."""
    if not re.fullmatch(PATTERN, text):
        return None
    way, *moment, key = text.split(".")
    return Cursor(
        way=Way(way), key=int(key), moment=_EPOCH + timedelta(microseconds=int(moment[0])) if moment else None
    )


Rows: TypeAlias = QuerySet[Any]


@dataclass(frozen=True, kw_only=True)
class Page:
    """Rows, the newest first, and where the list goes on."""

    rows: Sequence[Any]
    next: Cursor | None = None
    previous: Cursor | None = None


class Astray(Exception):
    """The cursor is of a list that was asked for something else."""


def by_key(rows: Rows, asked: Asked, cursor: Cursor | None, size: int, *, above: int = 0) -> Page:
    """The rows in order of their keys, but for those up to the key `above`."""
    _require(cursor, has_moment=False)
    ends = {} if cursor is None else {_ENDS[cursor.way]: cursor.key}
    page = page_of(rows.filter(asked.rest, pk__gt=above), size=size, scan_limit=SCAN_LIMIT if asked.rest else 0, **ends)
    older = None if page.older is None or page.older <= above + 1 else Cursor(way=Way.OLDER, key=page.older)
    newer = None if page.newer is None else Cursor(way=Way.NEWER, key=max(page.newer, 0))
    return Page(rows=page.rows, next=older, previous=newer)


_ENDS = {Way.OLDER: "older_than", Way.NEWER: "newer_than"}


def by_term(rows: Rows, asked: Asked, cursor: Cursor | None, size: int) -> Page:
    """The rows that an index finds. What it finds too often is looked for row by row: some of it will be near."""
    for term in asked.terms:
        keys = list(rows.filter(term).order_by().values_list("pk", flat=True)[: SCAN_LIMIT + 1])
        if len(keys) <= SCAN_LIMIT:
            return _among(rows.filter(asked.all), keys, cursor, size)
    return by_key(rows, Asked(moment=asked.moment, rest=asked.all), cursor, size)


def by_moment(rows: Rows, asked: Asked, cursor: Cursor | None, size: int) -> Page:
    """The rows in order of when they came, those that are final merged with those that are not."""
    _require(cursor, has_moment=True)
    order = _Order(asked.moment, Way.OLDER if cursor is None else cursor.way)
    streams = [order.beyond(stream.filter(asked.span), cursor) for stream in _streams(rows, asked)]
    end = None
    if asked.rest:
        end = order.nearest(order.place_at(stream, SCAN_LIMIT - 1) for stream in streams)
        streams = [order.up_to(stream, end).filter(asked.rest) for stream in streams]
    found = order.merged(row for stream in streams for row in order.sorted(stream)[: size + 1])
    if len(found) > size:
        end = order.place(found[size - 1])
    return _page(found[:size], cursor, end and Cursor(way=order.way, moment=end.moment, key=end.key))


def _streams(rows: Rows, asked: Asked) -> list[Rows]:
    """The rows by what stands before the moment in its index."""
    if "is_final" not in {field.name for field in rows.model._meta.get_fields()}:
        return [rows]
    wanted = (True, False) if asked.is_final is None else (asked.is_final,)
    return [rows.filter(finality(is_final=each)) for each in wanted]


@dataclass(frozen=True)
class _Order:
    """Rows by their moment and then their key, away from the newest or towards it."""

    moment: str
    way: Way

    @property
    def is_older(self) -> bool:
        return self.way == Way.OLDER

    def place(self, row: Any) -> Place:
        return Place(getattr(row, self.moment), row.pk)

    def sorted(self, rows: Rows) -> Rows:
        sign = "-" if self.is_older else ""
        return rows.order_by(f"{sign}{self.moment}", f"{sign}pk")

    def merged(self, rows: Iterable[Any]) -> list[Any]:
        return sorted(rows, key=self.place, reverse=self.is_older)

    def beyond(self, rows: Rows, cursor: Cursor | None) -> Rows:
        """What comes after the cursor."""
        if cursor is None or cursor.place is None:
            return rows
        how, same = ("lte", "gte") if self.is_older else ("gte", "lte")
        return self._cut(rows, cursor.place, how, same)

    def up_to(self, rows: Rows, limit: Place | None) -> Rows:
        """What comes before the limit, and it."""
        if limit is None:
            return rows
        how, same = ("gte", "lt") if self.is_older else ("lte", "gt")
        return self._cut(rows, limit, how, same)

    def _cut(self, rows: Rows, place: Place, how: str, same: str) -> Rows:
        # The span is for the index; what is as old as the place is told apart by its key.
        within = Q(**{f"{self.moment}__{how}": place.moment})
        return rows.filter(within, ~Q(**{self.moment: place.moment, f"pk__{same}": place.key}))

    def place_at(self, rows: Rows, number: int) -> Place | None:
        """Where the row of that number stands; `None` where there are not so many."""
        found = self.sorted(rows).values_list(self.moment, "pk")[number : number + 1]
        return next((Place(*each) for each in found), None)

    def nearest(self, places: Iterable[Place | None]) -> Place | None:
        """The one of them that is met first."""
        met = [place for place in places if place is not None]
        return (max if self.is_older else min)(met, default=None)


def _among(rows: Rows, keys: list[int], cursor: Cursor | None, size: int) -> Page:
    """The rows of a few keys, in order of them."""
    _require(cursor, has_moment=False)
    way = Way.OLDER if cursor is None else cursor.way
    if cursor is not None:
        keys = [key for key in keys if (key < cursor.key if way == Way.OLDER else key > cursor.key)]
    found = list(rows.filter(pk__in=keys).order_by("-pk" if way == Way.OLDER else "pk")[: size + 1])
    return _page(found[:size], cursor, Cursor(way=way, key=found[size - 1].pk) if len(found) > size else None)


def _page(found: list[Any], cursor: Cursor | None, ahead: Cursor | None) -> Page:
    """The page of what was found in the direction of the cursor, in which it goes on `ahead`."""
    if cursor is None:
        return Page(rows=found, next=ahead)
    # Behind the page, the first row is that which the cursor is of.
    if cursor.way == Way.OLDER:
        return Page(rows=found, next=ahead, previous=replace(cursor, way=Way.NEWER, key=max(cursor.key - 1, 0)))
    behind = replace(cursor, way=Way.OLDER, key=min(cursor.key + 1, LAST_KEY))
    return Page(rows=found[::-1], next=behind, previous=ahead)


def _require(cursor: Cursor | None, *, has_moment: bool) -> None:
    if cursor is None:
        return
    if cursor.way not in (Way.OLDER, Way.NEWER) or (cursor.moment is not None) != has_moment:
        raise Astray


Scan: TypeAlias = Callable[[Rows, Asked, Cursor | None, int], Page]


class LinkedPagination(CursorPagination):
    """Pages that say where to go on by two links; nothing is counted."""

    cursor_query_description: Any = _("Where to go on: leave it to the links `next` and `previous`.")
    invalid_cursor_message: Any = _(
        "This list has no such cursor; follow the links of its pages, with all other parameters."
    )

    base_url: str
    # What follows the page, and what stands before it.
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
    """Pages of rows, newest first, each at the same cost."""

    page_size = 100
    max_page_size = 500
    page_size_query_param = "page_size"
    page_size_query_description: Any = _("How many rows a page has at most.")

    def page_of(self, rows: Rows, asked: Asked, request: Request) -> list[Any]:
        """The rows of the page that a request asks for. Raises `ValidationError` and `NotFound`."""
        self.request, self.base_url = request, request.build_absolute_uri()
        try:
            page = self.walk_of(rows, asked)(rows, asked, self._cursor(request), self._size(request))
        except Astray as error:
            raise NotFound(self.invalid_cursor_message) from error
        self.ahead, self.back = page.next, page.previous
        return list(page.rows)

    def walk_of(self, rows: Rows, asked: Asked) -> Scan:
        """The index query that finds the rows fastest."""
        if asked.terms:
            return by_term
        if asked.has_span or asked.is_final is not None:
            return by_moment
        return by_key

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        size = {"type": "integer", "minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        return [
            _parameter(self.cursor_query_param, self.cursor_query_description, {"type": "string", "pattern": PATTERN}),
            _parameter(str(self.page_size_query_param), self.page_size_query_description, size),
        ]

    def _cursor(self, request: Request) -> Cursor | None:
        text = request.query_params.get(self.cursor_query_param, "")
        cursor = read(text)
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
    """Pages of totals, a month of days each, the newest days first."""

    def page_of(self, asked: AskedDays, request: Request) -> list[Total]:
        """The totals of the page that a request asks for, in order of days. Raises `ValidationError`."""
        self.request, self.base_url = request, request.build_absolute_uri()
        last = self._cursor(request) or asked.last
        first = max(asked.first, days_before(last, DAYS - 1))
        self.ahead = days_before(first, 1) if first > asked.first else None
        self.back = min(asked.last, days_after(last, DAYS)) if last < asked.last else None
        return [total for total in totals(first, last) if asked.is_about(total.account, total.traffic)]

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            _parameter(self.cursor_query_param, self.cursor_query_description, {"type": "string", "format": "date"})
        ]

    def _cursor(self, request: Request) -> date | None:
        text = request.query_params.get(self.cursor_query_param, "")
        day = read_day(text)
        if text and day is None:
            raise self._no_such_cursor()
        return day


def _parameter(name: str, description: object, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "allowEmptyValue": True,
        "description": force_str(description),
        "schema": schema,
    }
