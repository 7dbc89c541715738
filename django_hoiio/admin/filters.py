"""Custom filters of the change lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_hoiio.enums import CallStatus
from django_hoiio.keyset import Keys, keys_of
from django_hoiio.models import OUTCOMES, ReceiverFailure, missed_q, overdue_q
from django_hoiio.search import row_by_row

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


class OutcomeFilter(admin.SimpleListFilter):
    """Find calls with this outcome, of the whole call or of a leg."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, _StrOrPromise]]:
        return list(CallStatus.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        word = self.value()
        if word is None:
            return queryset
        return queryset.filter(Q(*((field, word) for field in OUTCOMES), _connector=Q.OR))


class YesFilter(admin.SimpleListFilter):
    """Show all rows, or those that meet the condition."""

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, _StrOrPromise]]:
        return [("yes", _("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return self.only(queryset) if self.value() == "yes" else queryset

    @classmethod
    def condition(cls) -> Q:
        """Return the condition of the rows to show."""
        raise NotImplementedError

    def only(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return row_by_row(rows, self.condition())


class MissedFilter(YesFilter):
    title = _("missed")
    parameter_name = "missed"

    @classmethod
    def condition(cls) -> Q:
        return missed_q()


class IndexedFilter(YesFilter):
    """A filter that usually matches few rows. An index finds their keys; if there are many, the page scans."""

    # The order of the index.
    order: ClassVar[tuple[str, ...]]
    # True if the index found all matches.
    is_few = False

    def only(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        found = self.found(rows.model._default_manager.using(rows.db))
        self.is_few = found.are_all
        return rows.filter(pk__in=found.keys) if found.are_all else super().only(rows)

    @classmethod
    def found(cls, rows: Any) -> Keys:
        """Return the keys of the matches, from the index."""
        return keys_of([rows.filter(cls.condition()).order_by(*cls.order)])


class OpenFilter(IndexedFilter):
    title = _("not final")
    parameter_name = "open"
    order = ("-created_at",)

    @classmethod
    def condition(cls) -> Q:
        # IN instead of an equality, for the index: see `overdue_q`.
        return Q(is_final__in=(False,))


class OverdueFilter(IndexedFilter):
    title = _("overdue")
    parameter_name = "overdue"
    order = ("-created_at",)

    @classmethod
    def condition(cls) -> Q:
        return overdue_q()


class PendingFilter(IndexedFilter):
    """Find pending notifications by `claimed_until`, because `dispatched_at` has no index."""

    title = _("pending")
    parameter_name = "pending"
    order = ("claimed_until",)

    @classmethod
    def condition(cls) -> Q:
        return Q(claimed_until__isnull=False)


class UnresolvedFilter(IndexedFilter):
    title = _("unresolved")
    parameter_name = "unresolved"
    order = ("resolved_at",)

    @classmethod
    def condition(cls) -> Q:
        return Q(resolved_at=None)


class FailedReceiversFilter(IndexedFilter):
    """Find notifications with an unresolved receiver failure."""

    title = _("failed receivers")
    parameter_name = "failing"

    @classmethod
    def condition(cls) -> Q:
        return Q(Exists(ReceiverFailure.objects.unresolved().filter(notification=OuterRef("pk"))))

    @classmethod
    def found(cls, rows: Any) -> Keys:
        """Query the failure log, which is short. A notification may have several failed receivers."""
        failures = ReceiverFailure.objects.using(rows.db).unresolved().order_by("resolved_at")
        return keys_of([failures], column="notification")
