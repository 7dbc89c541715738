"""Change lists with keyset pagination and masked rows. Nothing is counted or sorted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.timezone import make_aware
from django.utils.translation import gettext_lazy as _

from django_hoiio.keyset import MAX_KEYS, SCAN_GROWTH, SCAN_LIMIT, Page, page_of
from django_hoiio.masking import mask_rows

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    AnyPaginator = Paginator[Any]
else:
    AnyPaginator = Paginator


@dataclass(frozen=True, kw_only=True)
class PagePosition:
    """Where a page begins, and how far it may look. What an address says that means nothing is left out."""

    older_than: int | None = None
    newer_than: int | None = None
    # The page begins with the latest of this day.
    day: date | None = None
    # How often it was asked to look further.
    scans: int = 0

    @classmethod
    def of(cls, address: QueryDict) -> PagePosition:
        """Read the place from the parameters of an address."""
        read = {name: reader(address.get(name, "")) for name, reader in _READERS.items()}
        return cls(**{name: value for name, value in read.items() if value is not None})

    @property
    def scan_limit(self) -> int:
        """How many keys the page may look through, where it has to look."""
        scan_limit: int = SCAN_LIMIT * SCAN_GROWTH**self.scans
        return scan_limit

    @property
    def day_after(self) -> datetime | None:
        """When the day is over, in the time zone of the user."""
        return None if self.day is None else midnight(self.day + timedelta(days=1))


def midnight(day: date) -> datetime:
    """When a day begins, in the time zone of the user."""
    return make_aware(datetime.combine(day, time.min))


def _key(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else None


def _day(text: str) -> date | None:
    # The years that every database and every time zone can have.
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
    # Further than any table reaches.
    "scans": {str(times): times for times in range(13)}.get,
}
# The parameters that say where a page begins, and so filter nothing.
POSITION_PARAMETERS = tuple(_READERS)


@dataclass(frozen=True, kw_only=True)
class PageLink:
    """A link to another page of the list; without an address where there is no such page."""

    label: _StrPromise
    rel: str
    address: str | None


class KeysetChangeList(ChangeList):
    """A list of veiled rows, newest first by key.

    Where a filter or a search is answered by no index, a page looks through a bounded reach of keys, and says so.
    """

    model_admin: Any
    page: Page
    position: PagePosition
    # The key that the page begins below; `None` where it begins with the newest.
    older_than: int | None
    # True where what is asked for is looked for among a reach of keys.
    is_scanned: bool

    def get_queryset(self, request: HttpRequest, exclude_parameters: list[str | None] | None = None) -> QuerySet[Any]:
        for name in POSITION_PARAMETERS:
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        # Searched here, and not by the list of Django, which does not hear whether few were found.
        term, self.query = self.query, ""
        rows = super().get_queryset(request, exclude_parameters).defer(*self.model_admin.deferred_fields)
        self.query = term
        is_few = any(getattr(each, "is_few", False) for each in self.filter_specs)
        if term.strip():
            rows, is_found = self.model_admin.search(request, rows, term.strip())
            is_few = is_few or is_found
        self.is_scanned = self.is_filtered and not is_few
        return rows

    @property
    def is_filtered(self) -> bool:
        """True where something is asked for, by a filter or by the search."""
        return bool(self.query.strip()) or any(each.used_parameters for each in self.filter_specs)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        self.position = PagePosition.of(request.GET)
        self.older_than = self._older_than()
        self.page = self._page(older_than=self.older_than, newer_than=self.position.newer_than)
        if self.position.newer_than is not None and self.page.newer is None:
            # Nothing is newer: the first page has these rows, and is full.
            self.page = self._page()
        self.result_list = self.page.rows
        mask_rows(request, self.page.rows)
        # What Django asks of a list beside its rows. They are not counted: these are the rows of the page.
        self.result_count = self.full_result_count = len(self.page.rows)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = True

    def _page(self, *, older_than: int | None = None, newer_than: int | None = None) -> Page:
        scan_limit = self.position.scan_limit if self.is_scanned else 0
        return page_of(
            self.queryset, size=self.list_per_page, older_than=older_than, newer_than=newer_than, scan_limit=scan_limit
        )

    def _older_than(self) -> int | None:
        moment = self.position.day_after
        if moment is None:
            return self.position.older_than
        first: int | None = self.model_admin.first_since(self.root_queryset, moment)
        return first

    # What the templates say of the page.

    @property
    def is_ascending(self) -> bool:
        """True where the page looked towards newer rows, and not to their end."""
        return self.page.scanned_to is not None and self.page.scanned_to == self.page.newer

    @property
    def unsearched(self) -> str:
        """The list without search and day, as the filters leave it."""
        return self.get_query_string(remove=[SEARCH_VAR])

    @property
    def page_links(self) -> Iterator[PageLink]:
        """The pages to go on to. Beside a button that looks further there is no step in the same direction."""
        page = self.page
        newer = None if page.scanned_to and self.is_ascending else page.newer
        older = None if page.scanned_to and not self.is_ascending else page.older
        yield self._page_link(_("Newest"), "first", page.newer, {})
        yield self._page_link(_("Newer"), "prev", newer, {"newer_than": newer})
        yield self._page_link(_("Older"), "next", older, {"older_than": older})
        yield self._page_link(_("Oldest"), "last", page.older, {"newer_than": 0})

    def _page_link(self, label: _StrPromise, rel: str, key: int | None, position: dict[str, int | None]) -> PageLink:
        address = None if key is None else self.get_query_string({**position, "scans": self.position.scans or None})
        return PageLink(label=label, rel=rel, address=address)

    @property
    def scans(self) -> str:
        """The same page, looking through several times as many keys."""
        position = {"older_than": self.older_than, "newer_than": self.position.newer_than}
        return self.get_query_string({**position, "scans": self.position.scans + 1})

    @property
    def scanned_to(self) -> datetime | None:
        """When the last row came that the page looked at."""
        beside, order = ("pk__lte", "-pk") if self.is_ascending else ("pk__gte", "pk")
        rows = self.root_queryset.filter(**{beside: self.page.scanned_to}).order_by(order)
        moment = rows.values_list(self.model_admin.moment, flat=True).first()
        return moment if moment is None or isinstance(moment, datetime) else midnight(moment)


class CappedPaginator(AnyPaginator):
    """Pages of what is offered while somebody types: of a few rows at most, so that the table is not counted."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return len(rows.values_list("pk")[:MAX_KEYS])
