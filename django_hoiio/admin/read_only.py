"""Base class of the read-only admin pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, Q, QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.template.loader import get_template
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from django_hoiio.conf import conf
from django_hoiio.keyset import Keys, keys_of
from django_hoiio.masking import REVEALING, mask_rows
from django_hoiio.search import index_queries, may_search, row_by_row, search_q

from .actions import ActionAdmin
from .changelist import CappedPaginator, KeysetChangeList
from .sections import Section

# Rows imported from the spool have keys that are too high for their moment, so look at this many rows.
SPOOL_TOLERANCE = 50


class ReadOnlyAdmin(ActionAdmin):
    """Show rows without any way to change them, masked according to the user's permissions.

    A row is masked when it is loaded, before any column, field or template reads it. Masked values do not leak through
    sorting, which is off, or through filters and lookups.
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

    @property
    def has_themed_search(self) -> bool:
        """True if a theme or the project replaces Django's search form."""
        template: Any = get_template("admin/search_form.html")
        return not Path(template.origin.name).is_relative_to(Path(admin.__file__).parent)

    def get_list_display(self, request: HttpRequest) -> Any:
        """Leave out the account if the project has only one."""
        columns = super().get_list_display(request)
        return columns if len(conf.ACCOUNTS) > 1 else [each for each in columns if each != "account"]

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Leave out filters by which the user could guess a masked value, and the account if there is only one."""
        has_accounts = len(conf.ACCOUNTS) > 1
        return [
            each
            for each in super().get_list_filter(request)
            if _may_look_up(request, path := _path_of(each)) and (has_accounts or path != "account")
        ]

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Prepare the rows of a page of the list: mask them."""
        mask_rows(request, rows)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Allow what Django allows. Of fields that are masked for some users, allow only those in `list_filter`."""
        paths = [_path_of(each) for each in self.get_list_filter(request)]
        is_revealing = not REVEALING.keys().isdisjoint(lookup.split("__"))
        is_listed = any(lookup == path or lookup.startswith(f"{path}__") for path in paths if path)
        allowed: bool = super().lookup_allowed(lookup, value, request)
        return allowed and (is_listed or not is_revealing) and "\0" not in str(value)

    def to_field_allowed(self, request: HttpRequest, to_field: str) -> bool:
        """Allow only the primary key. Django's own check fails with an AttributeError for a reverse relation."""
        return to_field == self.opts.pk.name

    def search(self, request: HttpRequest, rows: QuerySet[Any], term: str) -> tuple[QuerySet[Any], Keys]:
        """Return the rows that match `term`, and the keys that indexes found. Unless these are all, it needs a scan."""
        searches = self._searches(request, rows, term)
        found = reduce(or_, (keys for keys, _condition in searches))
        if found.are_all:
            return rows.filter(pk__in=found.keys), found
        conditions = (Q(pk__in=keys.keys) if keys.are_all else condition for keys, condition in searches)
        known = frozenset[int]().union(*(keys.keys for keys, _condition in searches if keys.are_all))
        return row_by_row(rows, reduce(or_, conditions)), Keys(keys=known, are_all=False)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the matches for autocomplete. Some are enough, so there is no scan."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = reduce(or_, (keys for keys, _condition in self._searches(request, queryset, term)))
        return queryset.filter(pk__in=found.keys), False

    def _searches(self, request: HttpRequest, rows: QuerySet[Any], term: str) -> list[tuple[Keys, Q]]:
        """Search for the term as it is, and in upper case, as Hoiio writes references."""
        everything = self.model._default_manager.using(rows.db).all()
        spellings = dict.fromkeys((term, term.upper()))
        return [each for spelling in spellings for each in self.searches(request, everything, spelling)]

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

    def render_page(self, request: HttpRequest, template: str, title: str, context: dict[str, Any]) -> HttpResponse:
        """Render a page of its own, with the whole context of a row's page, which the templates of themes read."""
        form: Any = Form()
        page: Any = admin.ModelAdmin.render_change_form(
            self,
            request,
            {
                **self.admin_site.each_context(request),
                "title": title,
                "subtitle": None,
                "object_id": None,
                "original": title,
                "media": self.media,
                "adminform": AdminForm(form, [], {}, model_admin=self),
                "inline_admin_formsets": [],
                "errors": [],
                "preserved_filters": "",
                "is_popup": False,
                "to_field": None,
                "source_model": None,
                **context,
            },
        )
        return TemplateResponse(request, template, page.context_data)


def _path_of(list_filter: Any) -> str:
    """Return the field, or the parameter, of an entry of `list_filter`."""
    named = list_filter[0] if isinstance(list_filter, (list, tuple)) else list_filter
    return named if isinstance(named, str) else getattr(named, "parameter_name", None) or ""


def _may_look_up(request: HttpRequest, path: str) -> bool:
    return all(may_search(request, name) for name in path.split("__"))
