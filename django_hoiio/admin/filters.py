"""Custom filters of the change lists."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_hoiio.conf import conf
from django_hoiio.enums import CallOutcome, Direction, SmsStatus
from django_hoiio.keyset import Keys, keys_of
from django_hoiio.models import ReceiverFailure, overdue_q
from django_hoiio.search import row_by_row

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


class AccountFilter(admin.SimpleListFilter):
    """Show the rows of one account."""

    title = _("account")
    parameter_name = "account"
    # Not `field`, which grappelli expects to be a model field.
    path: ClassVar[str] = "account"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, _StrOrPromise]]:
        return [(name, name) for name in conf.ACCOUNTS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        name = self.value()
        return queryset if name is None else queryset.filter(**{self.path: name})


class NotificationAccountFilter(AccountFilter):
    path = "notification__account"


class OutcomeFilter(admin.SimpleListFilter):
    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, _StrOrPromise]]:
        return list(CallOutcome.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        outcome = self.value()
        return queryset if outcome is None else queryset.filter(outcome=outcome)


class SmsStatusFilter(admin.SimpleListFilter):
    """Find SMS by Hoiio's status. An incoming SMS has none, and counts as received."""

    title = _("status")
    parameter_name = "sms_status"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, _StrOrPromise]]:
        return list(SmsStatus.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        status = self.value()
        if status is None:
            return queryset
        is_received = Q(direction=Direction.INCOMING) if status == SmsStatus.RECEIVED else Q()
        return queryset.filter(Q(sms_status=status) | is_received)


class YesFilter(admin.SimpleListFilter):
    """Show all rows, or those that meet the condition."""

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, _StrOrPromise]]:
        return [("yes", _("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return self.only(queryset) if self.value() == "yes" else queryset

    @classmethod
    @abstractmethod
    def condition(cls) -> Q:
        """Return the condition of the rows to show."""

    def only(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return row_by_row(rows, self.condition())


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
