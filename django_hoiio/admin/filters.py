"""The filters at the side of the lists that are more than the choices of a field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_hoiio.kinds import CallStatus
from django_hoiio.models import OUTCOMES, ReceiverFailure
from django_hoiio.paging import FEW, Keys, keys_of

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


class AnyStatus(admin.SimpleListFilter):
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


class Only(admin.SimpleListFilter):
    """Finds everything, or what the queryset's method of the parameter's name finds."""

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, _StrOrPromise]]:
        return [("yes", _("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return self.only(queryset) if self.value() == "yes" else queryset

    def only(self, rows: Any) -> QuerySet[Any]:
        found: QuerySet[Any] = getattr(rows, str(self.parameter_name))()
        return found


class Missed(Only):
    title = _("missed")
    parameter_name = "missed"


class Few(Only):
    """Finds what is mostly little by its keys, which an index knows; where it is not little, as any other filter."""

    # The order of the index.
    order: ClassVar[tuple[str, ...]]
    # True where what it finds is little.
    is_few = False

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "yes":
            return queryset
        found = self.found(queryset.model._default_manager.using(queryset.db))
        self.is_few = found.are_all
        return queryset.filter(pk__in=found.keys) if self.is_few else self.only(queryset)

    def found(self, rows: Any) -> Keys:
        return keys_of([self.only(rows).order_by(*self.order)])


class Open(Few):
    title = _("not final")
    parameter_name = "open"
    order = ("-created_at",)

    def only(self, rows: Any) -> QuerySet[Any]:
        found: QuerySet[Any] = rows.filter(is_final=False)
        return found


class Overdue(Few):
    title = _("overdue")
    parameter_name = "overdue"
    order = ("-created_at",)


class Untold(Few):
    """Finds what `claimed_until`, which alone has an index, says is not told yet."""

    title = _("not told")
    parameter_name = "untold"
    order = ("claimed_until",)

    def only(self, rows: Any) -> QuerySet[Any]:
        found: QuerySet[Any] = rows.filter(claimed_until__isnull=False)
        return found


class Unmended(Few):
    title = _("not mended")
    parameter_name = "unmended"
    order = ("mended_at",)


class Failing(Few):
    """Finds the notifications that a receiver failed with, and has not succeeded with since."""

    title = _("failed receivers")
    parameter_name = "failing"

    def only(self, rows: Any) -> QuerySet[Any]:
        found: QuerySet[Any] = rows.filter(
            Exists(ReceiverFailure.objects.unmended().filter(notification=OuterRef("pk")))
        )
        return found

    def found(self, rows: Any) -> Keys:
        """Ask the ledger, which is short; several receivers may have failed with one notification."""
        failures = ReceiverFailure.objects.using(rows.db).unmended().order_by("mended_at")
        keys = list(failures.values_list("notification", flat=True)[: FEW + 1])
        return Keys(keys=set(keys), are_all=len(keys) <= FEW)
