"""The filters at the side of the lists that are more than the choices of a field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_hoiio.kinds import CallStatus
from django_hoiio.models import OUTCOMES

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

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        found: QuerySet[Any] = getattr(queryset, str(self.parameter_name))() if self.value() == "yes" else queryset
        return found


class Overdue(Only):
    title = _("overdue")
    parameter_name = "overdue"


class Missed(Only):
    title = _("missed")
    parameter_name = "missed"
