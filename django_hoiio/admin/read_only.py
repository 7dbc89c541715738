"""Base class of the read-only admin pages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from django_hoiio.keyset import Keys, keys_of
from django_hoiio.masking import mask_rows
from django_hoiio.search import index_queries, row_by_row, search_q

from .actions import ActionAdmin
from .changelist import CappedPaginator, KeysetChangeList
from .sections import Section

# Rows imported from the spool have keys that are too high for their moment, so look at this many rows.
SPOOL_TOLERANCE = 50


class ReadOnlyAdmin(ActionAdmin):
    """Show rows without any way to change them, masked according to the user's permissions.

    A row is masked when it is loaded, before any column, field or template reads it. Masked values do not leak through
    sorting, which is off, or through lookups, which are limited to `list_filter`.
    """

    ordering = ("-pk",)
    sortable_by = ()
    list_per_page = 50
    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    # The field that dates a row.
    moment: ClassVar[str]
    # True if an index finds the rows since a day.
    has_date_navigation = True

    # Large fields that lists do not load.
    deferred_fields: ClassVar[tuple[str, ...]] = ()
    # The columns of an export.
    export_fields: ClassVar[tuple[str, ...]] = ()

    class Media:
        css = {"all": ("django_hoiio/theme.css", "django_hoiio/lists.css", "django_hoiio/pages.css")}

    def sections(self, request: HttpRequest, row: Any) -> Iterable[Section]:
        """Return the sections below the fields of the row's page."""
        return ()

    def links(self, request: HttpRequest, row: Any) -> Iterable[str]:
        """Return the links at the top of the row's page."""
        return ()

    def link_to(self, request: HttpRequest, row: Model, text: object = None) -> str:
        """Link to the page of another row, if the user may open it on this site."""
        label = str(row if text is None else text)
        if not self.can_open(request, type(row), row):
            return label
        return format_html('<a href="{}">{}</a>', self.url_of(row), label)

    def url_of(self, row: Model) -> str:
        """Return the URL of a row's page on this site."""
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
        return reverse(name, args=[row.pk], current_app=self.admin_site.name)

    def can_open(self, request: HttpRequest, model: type[Model], row: Model | None = None) -> bool:
        """Return whether the model is registered on this site and the user may view it, or `row`."""
        site = self.admin_site
        return site.is_registered(model) and site.get_model_admin(model).has_view_permission(request, row)

    # Permissions.

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    # The list.

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetChangeList

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allow only the lookups of `list_filter`."""
        return lookup in _lookups_of(self.list_filter) and "\0" not in str(value)

    def to_field_allowed(self, request: HttpRequest, to_field: str) -> bool:
        """Allow only the primary key. Django's own check fails with an AttributeError for a reverse relation."""
        return to_field == self.opts.pk.name

    def search(self, request: HttpRequest, rows: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """Return the rows that match `term`, and whether indexes found all of them, so that no scan is needed."""
        searches = list(self.searches(request, self._all(rows), term))
        found = reduce(or_, (keys for keys, _condition in searches))
        if found.are_all:
            return rows.filter(pk__in=found.keys), True
        conditions = (Q(pk__in=keys.keys) if keys.are_all else condition for keys, condition in searches)
        return row_by_row(rows, reduce(or_, conditions)), False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the matches for autocomplete. Some are enough, so there is no scan."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = reduce(or_, (keys for keys, _condition in self.searches(request, self._all(queryset), term)))
        return queryset.filter(pk__in=found.keys), False

    def _all(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return self.model._default_manager.using(rows.db).all()

    def searches(self, request: HttpRequest, rows: QuerySet[Any], term: str) -> Iterable[tuple[Keys, Q]]:
        """Yield the keys that indexes find for `term`, and a condition for a scan if these are not all."""
        condition = search_q(request, self.search_fields, term)
        yield keys_of(index_queries(rows, request, self.search_fields, term)), condition or Q()

    def first_since(self, rows: QuerySet[Any], moment: datetime) -> int | None:
        """Return the lowest key of the rows since `moment`, or None if there are none."""
        keys = [
            key for query in self.since(rows, moment) for key in query.values_list("pk", flat=True)[:SPOOL_TOLERANCE]
        ]
        return min(keys, default=None)

    def since(self, rows: QuerySet[Any], moment: datetime) -> Iterable[QuerySet[Any]]:
        """Return queries for the rows since `moment`, oldest first. An index must answer each."""
        return ()

    # The page.

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Model | None:
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            mask_rows(request, [row])
        return row

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = context["original"]
        context["links"] = list(self.links(request, row))
        context["sections"] = [section for section in self.sections(request, row) if section.rows or section.text]
        return super().render_change_form(request, context, *args, **kwargs)


def _lookups_of(filters: Iterable[Any]) -> set[str]:
    """Return the lookup parameters of `list_filter`."""
    return {parameter for each in filters for parameter in _parameters(each)}


def _parameters(each: Any) -> tuple[str, ...]:
    return (f"{each}__exact", f"{each}__isnull") if isinstance(each, str) else (each.parameter_name,)
