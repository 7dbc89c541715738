"""Daily totals of closed days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from django_hoiio.models import DailyTotal

from .export import export_as_csv
from .filters import AccountFilter
from .formatting import money_text, number_text
from .read_only import ReadOnlyAdmin


class DailyTotalAdmin(ReadOnlyAdmin):
    """The totals of closed days."""

    list_display = ("day", "account", "traffic", "currency", "how_many", "how_many_succeeded", "spent")
    list_filter = ("traffic", AccountFilter)
    fields = list_display
    actions = (export_as_csv,)
    export_fields = ("id", "day", "account", "traffic", "currency", "count", "succeeded", "debit")
    moment = "day"

    def get_list_display(self, request: HttpRequest) -> Any:
        return self.list_display

    def since(self, rows: QuerySet[Any], moment: datetime) -> Iterable[QuerySet[Any]]:
        yield rows.filter(day__gte=localtime(moment).date()).order_by("day")

    @admin.display(description=_("count"))
    def how_many(self, row: DailyTotal) -> str:
        return number_text(row.count)

    @admin.display(description=_("succeeded"))
    def how_many_succeeded(self, row: DailyTotal) -> str:
        return number_text(row.succeeded)

    @admin.display(description=_("debit"))
    def spent(self, row: DailyTotal) -> str:
        return money_text(row.debit)
