"""The pages of the lists: a cursor and a size come in, rows and two links go out."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any, TypeAlias

from django.utils.encoding import force_str
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from ..retention.totals import Total, totals
from .asking import DAYS, Asked, AskedDays, days_after, days_before
from .cursors import PATTERN, Cursor, read
from .moments import read_day
from .walks import Astray, Page, Rows, by_key, by_moment, by_term

Walk: TypeAlias = Callable[[Rows, Asked, Cursor | None, int], Page]


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

    def walk_of(self, rows: Rows, asked: Asked) -> Walk:
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
        return [total for total in totals(first, last) if asked.is_about(total.account, total.kind)]

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
