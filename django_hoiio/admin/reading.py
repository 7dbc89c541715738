"""The read-only base: lists and pages that can be looked at, and not changed, sorted or filtered into giving hints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from django_hoiio.searching import found_by
from django_hoiio.veils import Veil

from .sections import Section

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Model]
else:
    ModelAdmin = admin.ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """Shows rows behind the veils that a user's permissions do not lift.

    A row is veiled when it is loaded, before any column, field or template sees it. What is veiled can neither be
    ordered by nor looked up: only the fields of `sortable_by` and `list_filter` can.
    """

    actions = None
    ordering = ("-pk",)
    sortable_by: ClassVar[tuple[str, ...]] = ()
    list_per_page = 50
    # Counting a million rows takes longer than reading a page of them.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    # Field → what lies over it.
    veils: ClassVar[Mapping[str, Veil]] = {}
    # What is too big to be loaded for a list that does not show it.
    unlisted: ClassVar[tuple[str, ...]] = ()

    class Media:
        css = {"all": ("django_hoiio/admin.css",)}

    def sections(self, request: HttpRequest, row: Any) -> Iterable[Section]:
        """What stands below the fields of the row's page."""
        return ()

    def related(self, request: HttpRequest, row: Any) -> Iterable[Model]:
        """The rows that the page links to at its top."""
        return ()

    def links(self, request: HttpRequest, row: Any) -> Iterable[str]:
        """What the page leads to, at its top."""
        return [self.link_to(request, related, _named(related)) for related in self.related(request, row)]

    def veil(self, request: HttpRequest, row: Model) -> None:
        """Replace in the loaded row, which is never saved, what the user may not see."""
        for name, veil in self.veils.items():
            if not veil.is_lifted(request):
                setattr(row, name, veil.mask(getattr(row, name)))

    def link_to(self, request: HttpRequest, row: Model, text: object = None) -> str:
        """Link to the page of another row, where this site has one that the user may open."""
        label = str(row if text is None else text)
        if not self._may_open(request, row):
            return label
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
        return format_html('<a href="{}">{}</a>', reverse(name, args=[row.pk], current_app=self.admin_site.name), label)

    def _may_open(self, request: HttpRequest, row: Model) -> bool:
        site, model = self.admin_site, type(row)
        return site.is_registered(model) and site.get_model_admin(model).has_view_permission(request, row)

    # What nobody may do.

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    # The list.

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return VeiledList

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allow what the filters at the side ask, and nothing else."""
        name, _, how = lookup.partition("__")
        return name in _names(self.list_filter) and how in _LOOKUPS and "\0" not in str(value)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        found = found_by(request, self.search_fields, term)
        return (queryset.none() if found is None else queryset.filter(found)), False

    # The page.

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Model | None:
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            self.veil(request, row)
        return row

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = context["original"]
        context["links"] = list(self.links(request, row))
        context["sections"] = [section for section in self.sections(request, row) if section.rows or section.text]
        return super().render_change_form(request, context, *args, **kwargs)


class VeiledList(ChangeList):
    """A list of veiled rows that only `sortable_by` sorts, also where somebody writes the address by hand."""

    model_admin: ReadOnlyAdmin

    def get_queryset(self, request: HttpRequest, exclude_parameters: list[str | None] | None = None) -> QuerySet[Any]:
        return super().get_queryset(request, exclude_parameters).defer(*self.model_admin.unlisted)

    def get_ordering_field(self, field_name: Any) -> Any:
        return super().get_ordering_field(field_name) if field_name in self.model_admin.sortable_by else None

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        for row in self.result_list:
            self.model_admin.veil(request, row)


# How the filters at the side ask.
_LOOKUPS = {"", "exact", "gte", "lt", "isnull", "isempty"}


def _names(filters: Iterable[Any]) -> set[str]:
    """The fields of `list_filter`, and the parameters of the filters that have no field."""
    return {getattr(each, "parameter_name", None) or (each if isinstance(each, str) else each[0]) for each in filters}


def _named(row: Model) -> str:
    return f"{row._meta.verbose_name} {row}"
