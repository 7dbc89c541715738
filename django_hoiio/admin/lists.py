"""A list in pages by key, behind the veils: no page counts, sorts or reads more than itself, however long the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_hoiio.paging import FEW, Page, page_of
from django_hoiio.veils import veil

from .places import NAMES, Place, midnight

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from .reading import ReadOnlyAdmin

    AnyPaginator = Paginator[Any]
else:
    AnyPaginator = Paginator


@dataclass(frozen=True, kw_only=True)
class Step:
    """A link to another page of the list; without an address where there is no such page."""

    label: _StrPromise
    rel: str
    address: str | None


class KeyedList(ChangeList):
    """A list of veiled rows, newest first by key.

    Where a filter or a search is answered by no index, a page looks through a bounded reach of keys, and says so.
    """

    model_admin: ReadOnlyAdmin
    page: Page
    place: Place
    # The key that the page begins below; `None` where it begins with the newest.
    older_than: int | None
    # True where what is asked for is looked for among a reach of keys.
    is_looked_for: bool

    def get_queryset(self, request: HttpRequest, exclude_parameters: list[str | None] | None = None) -> QuerySet[Any]:
        for name in NAMES:
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        # Searched here, and not by the list of Django, which does not hear whether few were found.
        term, self.query = self.query, ""
        rows = super().get_queryset(request, exclude_parameters).defer(*self.model_admin.unlisted)
        self.query = term
        is_few = any(getattr(each, "is_few", False) for each in self.filter_specs)
        if term.strip():
            rows, is_found = self.model_admin.search(request, rows, term.strip())
            is_few = is_few or is_found
        self.is_looked_for = self.is_narrowed and not is_few
        return rows

    @property
    def is_narrowed(self) -> bool:
        """True where something is asked for, by a filter or by the search."""
        return bool(self.query.strip()) or any(each.used_parameters for each in self.filter_specs)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        self.place = Place.of(request.GET)
        self.older_than = self._older_than()
        self.page = self._page(older_than=self.older_than, newer_than=self.place.newer_than)
        if self.place.newer_than is not None and self.page.newer is None:
            # Nothing is newer: the first page has these rows, and is full.
            self.page = self._page()
        self.result_list = self.page.rows
        veil(request, self.page.rows)
        # What Django asks of a list beside its rows. They are not counted: these are the rows of the page.
        self.result_count = self.full_result_count = len(self.page.rows)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = True

    def _page(self, *, older_than: int | None = None, newer_than: int | None = None) -> Page:
        reach = self.place.reach if self.is_looked_for else 0
        return page_of(
            self.queryset, size=self.list_per_page, older_than=older_than, newer_than=newer_than, reach=reach
        )

    def _older_than(self) -> int | None:
        moment = self.place.day_after
        if moment is None:
            return self.place.older_than
        return self.model_admin.first_since(self.root_queryset, moment)

    # What the templates say of the page.

    @property
    def is_upwards(self) -> bool:
        """True where the page looked towards newer rows, and not to their end."""
        return self.page.looked_to is not None and self.page.looked_to == self.page.newer

    @property
    def unsearched(self) -> str:
        """The list without search and day, as the filters leave it."""
        return self.get_query_string(remove=[SEARCH_VAR])

    @property
    def steps(self) -> Iterator[Step]:
        """The pages to go on to. Beside a button that looks further there is no step in the same direction."""
        page = self.page
        newer = None if page.looked_to and self.is_upwards else page.newer
        older = None if page.looked_to and not self.is_upwards else page.older
        yield self._step(_("Newest"), "first", page.newer, {})
        yield self._step(_("Newer"), "prev", newer, {"newer_than": newer})
        yield self._step(_("Older"), "next", older, {"older_than": older})
        yield self._step(_("Oldest"), "last", page.older, {"newer_than": 0})

    def _step(self, label: _StrPromise, rel: str, key: int | None, place: dict[str, int | None]) -> Step:
        address = None if key is None else self.get_query_string({**place, "further": self.place.further or None})
        return Step(label=label, rel=rel, address=address)

    @property
    def further(self) -> str:
        """The same page, looking through several times as many keys."""
        place = {"older_than": self.older_than, "newer_than": self.place.newer_than}
        return self.get_query_string({**place, "further": self.place.further + 1})

    @property
    def looked_to(self) -> datetime | None:
        """When the last row came that the page looked at."""
        beside, order = ("pk__lte", "-pk") if self.is_upwards else ("pk__gte", "pk")
        rows = self.root_queryset.filter(**{beside: self.page.looked_to}).order_by(order)
        moment = rows.values_list(self.model_admin.moment, flat=True).first()
        return moment if moment is None or isinstance(moment, datetime) else midnight(moment)


class Uncounted(AnyPaginator):
    """Pages of what is offered while somebody types: of a few rows at most, so that the table is not counted."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return len(rows.values_list("pk")[:FEW])
