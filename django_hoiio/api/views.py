"""List and detail views. To admit users other than staff, subclass a view and route it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.text import capfirst
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.permissions import IsAdminUser
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from django_hoiio.masking import RAW_FIELDS, mask_rows
from django_hoiio.models import Call, DailyTotal, Fax, Notification, Sms

from . import filters, serializers
from .change_feed import ChangeFeedPagination
from .pagination import DayPagination
from .permissions import CanView

__all__ = ["CallViewSet", "FaxViewSet", "NotificationViewSet", "SmsViewSet", "TotalViewSet"]


class ListViewSet(ListModelMixin, GenericViewSet[Any]):
    """Base class of all views. It checks permissions and masks rows before they are serialized."""

    # The project's versions are those of its own API.
    versioning_class = None
    queryset: QuerySet[Any]
    # Staff only, as in the admin.
    permission_classes: Any = (IsAdminUser, CanView)
    filter_backends: Any = (filters.FilterBackend,)

    def get_view_name(self) -> str:
        """Name the pages of the browsable API as the admin does."""
        # Not `get_queryset()`: a project's own may fail for a user who is refused.
        names = self.queryset.model._meta
        return capfirst(str(names.verbose_name if self.detail else names.verbose_name_plural))

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        mask_rows(self.request, queryset if page is None else page)
        return page

    def get_object(self) -> Any:
        row = super().get_object()
        mask_rows(self.request, [row])
        return row


class RowViewSet(RetrieveModelMixin, ListViewSet):
    """Base class of the views of rows."""

    pagination_class: Any = ChangeFeedPagination
    # Match invalid keys too, so that the API answers 404 and not Django's HTML page.
    lookup_value_regex = "[^/]+"


class NotificationViewSet(RowViewSet):
    """Notifications that Hoiio posted; the raw request is on the page of each."""

    queryset = Notification._default_manager.all()
    filterset_class = filters.NotificationFilters
    serializer_class = serializers.NotificationDetailSerializer

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return serializers.NotificationSerializer if self.action == "list" else super().get_serializer_class()

    def get_queryset(self) -> QuerySet[Any]:
        """Leave out the columns that the list does not show. They may hold a megabyte."""
        rows = super().get_queryset()
        return rows.defer(*RAW_FIELDS) if self.action == "list" else rows


class CallViewSet(RowViewSet):
    """Calls, each with its latest state."""

    queryset = Call._default_manager.all()
    filterset_class = filters.CallFilters
    serializer_class = serializers.CallSerializer


class SmsViewSet(RowViewSet):
    """SMS, sent and received, each with its latest state."""

    queryset = Sms._default_manager.all()
    filterset_class = filters.SmsFilters
    serializer_class = serializers.SmsSerializer


class FaxViewSet(RowViewSet):
    """Faxes, sent and received, each with its latest state."""

    queryset = Fax._default_manager.all()
    filterset_class = filters.FaxFilters
    serializer_class = serializers.FaxSerializer


class TotalViewSet(ListViewSet):
    """Daily totals: the number of calls, SMS and faxes, and the cost."""

    queryset = DailyTotal._default_manager.all()
    pagination_class: Any = DayPagination
    filterset_class = filters.TotalFilters
    serializer_class = serializers.TotalSerializer
