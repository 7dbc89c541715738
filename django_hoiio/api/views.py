"""List and detail views. To admit users other than staff, subclass a view and route it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ValidationError
from rest_framework.mixins import RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.settings import api_settings
from rest_framework.viewsets import GenericViewSet

from django_hoiio.masking import mask_rows
from django_hoiio.models import Call, DailyTotal, Fax, Notification, Sms

from .change_feed import ChangeFeedPagination
from .filters import CallFilters, FaxFilters, FilterBackend, Filters, NotificationFilters, SmsFilters, TotalFilters
from .pagination import DayPagination
from .permissions import STAFF_WITH_VIEW_PERMISSION
from .serializers import (
    DETAIL_FIELDS,
    CallSerializer,
    FaxSerializer,
    NotificationDetailSerializer,
    NotificationSerializer,
    SmsSerializer,
    TotalSerializer,
)

__all__ = [
    "CallViewSet",
    "FaxViewSet",
    "NotificationViewSet",
    "SmsViewSet",
    "TotalViewSet",
]


class ModelNamedViewSet(GenericViewSet[Any]):
    """Base class of all views. It names the pages of the browsable API as the admin does."""

    # The project's versions are those of its own API.
    versioning_class = None
    queryset: QuerySet[Any]

    def get_view_name(self) -> str:
        # Not `get_queryset()`: a project's own may fail for a user who is refused.
        names = self.queryset.model._meta
        return capfirst(str(names.verbose_name if self.detail else names.verbose_name_plural))


class ReadOnlyViewSet(RetrieveModelMixin, ModelNamedViewSet):
    """Base class of the views. It checks permissions and masks rows before they are serialized."""

    permission_classes: Any = STAFF_WITH_VIEW_PERMISSION
    # Match invalid keys too, so that the API answers 404 and not Django's HTML page.
    lookup_value_regex = "[^/]+"
    filter_backends: Any = (FilterBackend,)
    pagination_class: Any = ChangeFeedPagination
    filterset_class: ClassVar[type[Filters]]

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a page of rows, newest first."""
        pages: Any = self.paginator
        query = valid_filters(self, {pages.cursor_query_param, pages.page_size_query_param}).query()
        rows = pages.page_of(self.listed(), query, request)
        mask_rows(request, rows)
        response: Response = pages.get_paginated_response(self.get_serializer(rows, many=True).data)
        return response

    def listed(self) -> QuerySet[Any]:
        """Return the rows of the list, without columns that it does not show."""
        return self.get_queryset()

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Do not filter a single row."""
        return queryset

    def get_object(self) -> Model:
        row: Model = super().get_object()
        mask_rows(self.request, [row])
        return row


class NotificationViewSet(ReadOnlyViewSet):
    """Notifications from Hoiio."""

    queryset = Notification._default_manager.all()
    filterset_class = NotificationFilters
    serializer_class = NotificationDetailSerializer

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return NotificationSerializer if self.action == "list" else super().get_serializer_class()

    def listed(self) -> QuerySet[Any]:
        return self.get_queryset().defer(*DETAIL_FIELDS)


class CallViewSet(ReadOnlyViewSet):
    """The latest state of each call."""

    queryset = Call._default_manager.all()
    filterset_class = CallFilters
    serializer_class = CallSerializer


class SmsViewSet(ReadOnlyViewSet):
    """The latest state of each SMS, sent or received."""

    queryset = Sms._default_manager.all()
    filterset_class = SmsFilters
    serializer_class = SmsSerializer


class FaxViewSet(ReadOnlyViewSet):
    """The latest state of each fax, sent or received."""

    queryset = Fax._default_manager.all()
    filterset_class = FaxFilters
    serializer_class = FaxSerializer


class TotalViewSet(ModelNamedViewSet):
    """Totals of each day."""

    queryset = DailyTotal._default_manager.all()
    permission_classes: Any = STAFF_WITH_VIEW_PERMISSION
    filter_backends: Any = (FilterBackend,)
    filterset_class = TotalFilters
    serializer_class = TotalSerializer
    pagination_class: Any = DayPagination

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the totals of up to 31 days, in order of days."""
        pages: Any = self.paginator
        query = valid_filters(self, {pages.cursor_query_param}).query()
        rows = pages.page_of(query, request)
        response: Response = pages.get_paginated_response(self.get_serializer(rows, many=True).data)
        return response


def valid_filters(view: GenericViewSet[Any], others: set[str]) -> Any:
    """Return the filter set of a list, validated with the parameters of the request.

    Raises `ValidationError`, also for an unknown name: a misspelt filter would otherwise list everything.
    """
    filters: Any = FilterBackend().get_filterset(view.request, view.get_queryset(), view)
    known = {*filters.filters, *others, api_settings.URL_FORMAT_OVERRIDE, api_settings.VERSION_PARAM}
    given = view.request.query_params
    odd = {name: [str(_NO_PARAMETER % ", ".join(filters.filters))] for name in given if name not in known}
    odd |= {name: [str(_TWICE)] for name in given if name in known and len(given.getlist(name)) > 1}
    if odd:
        raise ValidationError(odd)
    if not filters.is_valid():
        raise ValidationError({name: list(reasons) for name, reasons in filters.errors.items()})
    return filters


_NO_PARAMETER = _("Unknown parameter. The parameters are %s.")
_TWICE = _("It is given more than once.")
