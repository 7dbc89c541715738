"""The daily totals that are closed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_hoiio.models import DailyTotal

from .exporting import export_as_csv
from .figures import grouped, money
from .reading import ReadOnlyAdmin


class DailyTotalAdmin(ReadOnlyAdmin):
    list_display = ("day", "account", "kind", "currency", "how_many", "how_many_succeeded", "spent")
    list_filter = ("kind",)
    fields = list_display
    actions = (export_as_csv,)
    exported = ("id", "day", "account", "kind", "currency", "count", "succeeded", "debit")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """There is nothing to search by, also for who writes a term into the address."""
        return queryset, False

    @admin.display(description=_("count"))
    def how_many(self, row: DailyTotal) -> str:
        return grouped(row.count)

    @admin.display(description=_("succeeded"))
    def how_many_succeeded(self, row: DailyTotal) -> str:
        return grouped(row.succeeded)

    @admin.display(description=_("debit"))
    def spent(self, row: DailyTotal) -> str:
        return money(row.debit)
