"""The filters at the side of the lists that are more than the choices of a field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_hoiio.enums import CallStatus
from django_hoiio.keyset import MAX_KEYS, Keys, keys_of
from django_hoiio.models import OUTCOMES, ReceiverFailure, missed_q, overdue_q
from django_hoiio.search import row_by_row

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


class OutcomeFilter(admin.SimpleListFilter):
    """Finds the calls of which a leg, or the whole, came out so."""

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
    """Finds everything, or what meets the condition."""

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, _StrOrPromise]]:
        return [("yes", _("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return self.only(queryset) if self.value() == "yes" else queryset

    @classmethod
    def condition(cls) -> Q:
        """What tells a row that it finds from others."""
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
    """Finds what is mostly little by its keys, which an index knows; where it is not little, as any other filter."""

    # The order of the index.
    order: ClassVar[tuple[str, ...]]
    # True where what it finds is little.
    is_few = False

    def only(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        found = self.found(rows.model._default_manager.using(rows.db))
        self.is_few = found.are_all
        return rows.filter(pk__in=found.keys) if found.are_all else super().only(rows)

    @classmethod
    def found(cls, rows: Any) -> Keys:
        """The keys of what it finds, by the index."""
        return keys_of([rows.filter(cls.condition()).order_by(*cls.order)])


class OpenFilter(IndexedFilter):
    title = _("not final")
    parameter_name = "open"
    order = ("-created_at",)

    @classmethod
    def condition(cls) -> Q:
        # As in `overdue_q`, for the index.
        return Q(is_final__in=(False,))


class OverdueFilter(IndexedFilter):
    title = _("overdue")
    parameter_name = "overdue"
    order = ("-created_at",)

    @classmethod
    def condition(cls) -> Q:
        return overdue_q()


class PendingFilter(IndexedFilter):
    """Finds what `claimed_until`, which alone has an index, says is not told yet."""

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
    """Finds the notifications that a receiver failed with, and has not succeeded with since."""

    title = _("failed receivers")
    parameter_name = "failing"

    @classmethod
    def condition(cls) -> Q:
        return Q(Exists(ReceiverFailure.objects.unresolved().filter(notification=OuterRef("pk"))))

    @classmethod
    def found(cls, rows: Any) -> Keys:
        """Ask the ledger, which is short; several receivers may have failed with one notification."""
        failures = ReceiverFailure.objects.using(rows.db).unresolved().order_by("resolved_at")
        keys = list(failures.values_list("notification", flat=True)[: MAX_KEYS + 1])
        return Keys(keys=set(keys), are_all=len(keys) <= MAX_KEYS)
