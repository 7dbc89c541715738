"""Change lists with keyset pagination and masked rows. They do not count the table and cannot be sorted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.core.paginator import Paginator
from django.db import Error
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.timezone import make_aware
from django.utils.translation import gettext_lazy as _

from django_hoiio.keyset import MAX_KEYS, SCAN_GROWTH, SCAN_LIMIT, Page, page_of

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    AnyPaginator = Paginator[Any]
else:
    AnyPaginator = Paginator


@dataclass(frozen=True, kw_only=True)
class PagePosition:
    """The start of a page and its scan limit. Invalid URL parameters are ignored."""

    older_than: int | None = None
    newer_than: int | None = None
    # The page starts with the newest row of this day.
    day: date | None = None
    # How often the user raised the scan limit.
    scans: int = 0

    @classmethod
    def of(cls, address: QueryDict) -> PagePosition:
        """Parse the parameters of a URL."""
        read = {name: reader(address.get(name, "")) for name, reader in _READERS.items()}
        return cls(**{name: value for name, value in read.items() if value is not None})

    @property
    def scan_limit(self) -> int:
        """Maximum number of keys that the page scans, if it has to scan."""
        scan_limit: int = SCAN_LIMIT * SCAN_GROWTH**self.scans
        return scan_limit

    @property
    def day_after(self) -> datetime | None:
        """End of the day in the current time zone."""
        return None if self.day is None else midnight(self.day + timedelta(days=1))


def midnight(day: date) -> datetime:
    """Return the start of a day in the current time zone."""
    return make_aware(datetime.combine(day, time.min))


def _key(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else None


def _day(text: str) -> date | None:
    # Every database and every time zone supports these years.
    if not re.fullmatch(r"(19|20|21)\d\d-\d\d-\d\d", text, re.ASCII):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


_READERS: dict[str, Callable[[str], Any]] = {
    "older_than": _key,
    "newer_than": _key,
    "day": _day,
    # 5,000 × 4¹² keys are more than any table has.
    "scans": {str(times): times for times in range(13)}.get,
}
# These parameters position the page. They are no filters.
POSITION_PARAMETERS = tuple(_READERS)


@dataclass(frozen=True, kw_only=True)
class PageLink:
    """A link to another page of the list. The address is None if there is no such page."""

    label: _StrPromise
    rel: str
    address: str | None


class KeysetChangeList(ChangeList):
    """A list of masked rows, by descending primary key.

    If no index answers a filter or search, a page scans a limited range of keys and says so.
    """

    model_admin: Any
    page: Page
    position: PagePosition
    # The page starts below this key; None means with the newest row.
    older_than: int | None
    # True if an index found all matches of a filter or of the search.
    is_few: bool
    # Keys that an index found for the search.
    known: Set[int]

    def get_queryset(self, request: HttpRequest, exclude_parameters: list[str | None] | None = None) -> QuerySet[Any]:
        for name in POSITION_PARAMETERS:
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        # Search here: Django's change list would not learn whether an index found all matches.
        term, self.query = self.query, ""
        rows = super().get_queryset(request, exclude_parameters).defer(*self.model_admin.deferred_fields)
        self.query = term
        self.is_few = any(getattr(each, "is_few", False) for each in self.filter_specs)
        self.known = frozenset()
        if term.strip():
            rows, found = self.model_admin.search(request, rows, term.strip())
            self.known, self.is_few = found.keys, self.is_few or found.are_all
        return rows

    @property
    def is_filtered(self) -> bool:
        """True if a filter or a search is active."""
        return bool(self.queryset.query.where != self.root_queryset.query.where)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        self.position = PagePosition.of(request.GET)
        self.older_than = self._older_than()
        try:
            self.page = self._page(older_than=self.older_than, newer_than=self.position.newer_than)
        except (Error, ValueError, TypeError, OverflowError, NotImplementedError) as error:
            # Django and the database reject some lookups late, such as an invalid regular expression.
            if not self.get_filters_params():
                raise
            raise IncorrectLookupParameters(error) from error
        if self.position.newer_than is not None and self.page.newer is None:
            # No row is newer: show the first page, which is full and includes these rows.
            self.page = self._page()
        self.result_list = self.page.rows
        self.model_admin.prepare(request, self.page.rows)
        # Django's admin needs these counts. They count the page, not the table.
        self.result_count = self.full_result_count = len(self.page.rows)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = True

    def _page(self, *, older_than: int | None = None, newer_than: int | None = None) -> Page:
        scan_limit = self.position.scan_limit if self.is_filtered and not self.is_few else 0
        return page_of(
            self.queryset,
            size=self.list_per_page,
            older_than=older_than,
            newer_than=newer_than,
            scan_limit=scan_limit,
            known=self.known,
        )

    def _older_than(self) -> int | None:
        moment = self.position.day_after
        if moment is None:
            return self.position.older_than
        first: int | None = self.model_admin.first_since(self.root_queryset, moment)
        return first

    # For the templates.

    @property
    def is_ascending(self) -> bool:
        """True if the page scanned towards newer rows and reached its scan limit."""
        return self.page.scanned_to is not None and self.page.scanned_to == self.page.newer

    @property
    def unsearched(self) -> str:
        """Query string with the filters, without the search and the position."""
        return self.get_query_string(remove=[SEARCH_VAR])

    @property
    def page_links(self) -> Iterator[PageLink]:
        """Links to other pages. The button that raises the scan limit replaces the link in its direction."""
        page = self.page
        newer = None if page.scanned_to and self.is_ascending else page.newer
        older = None if page.scanned_to and page.scanned_to == page.older else page.older
        yield self._page_link(_("Newest"), "first", page.newer, {})
        yield self._page_link(_("Newer"), "prev", newer, {"newer_than": newer})
        yield self._page_link(_("Older"), "next", older, {"older_than": older})
        yield self._page_link(_("Oldest"), "last", page.older, {"newer_than": 0})

    def _page_link(self, label: _StrPromise, rel: str, key: int | None, position: dict[str, int | None]) -> PageLink:
        address = None if key is None else self.get_query_string({**position, "scans": self.position.scans or None})
        return PageLink(label=label, rel=rel, address=address)

    @property
    def scans(self) -> str:
        """Query string of the same page with the next higher scan limit."""
        position = {"older_than": self.older_than, "newer_than": self.position.newer_than}
        return self.get_query_string({**position, "scans": self.position.scans + 1})

    @property
    def scanned_to(self) -> datetime | None:
        """Moment of the last row that the page scanned."""
        beside, order = ("pk__lte", "-pk") if self.is_ascending else ("pk__gte", "pk")
        rows = self.root_queryset.filter(**{beside: self.page.scanned_to}).order_by(order)
        moment = rows.values_list(self.model_admin.moment, flat=True).first()
        return moment if moment is None or isinstance(moment, datetime) else midnight(moment)


class CappedPaginator(AnyPaginator):
    """Paginator for autocomplete. It counts at most `MAX_KEYS` rows instead of the whole table."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return len(rows.values_list("pk")[:MAX_KEYS])
