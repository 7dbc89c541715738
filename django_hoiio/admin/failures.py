"""The admin of the failure log."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_hoiio.keyset import Keys, keys_of
from django_hoiio.masking import RAW_FIELDS
from django_hoiio.models import Notification, ReceiverFailure
from django_hoiio.search import search_q

from .actions import Action, retry_receivers
from .export import export_as_csv
from .filters import NotificationAccountFilter, UnresolvedFilter
from .formatting import optional_moment_text
from .notifications import notification_searches
from .read_only import ReadOnlyAdmin
from .sections import Section


class ReceiverFailureAdmin(ReadOnlyAdmin):
    """The failure log, with the action that retries."""

    list_display = ("failed", "notification", "signal", "receiver", "attempts", "is_resolved", "account")
    list_filter = (UnresolvedFilter, NotificationAccountFilter)
    search_fields = ("notification__txn_ref", "notification__session")
    search_help_text = _("The start of a transaction reference or of a session.")
    actions = (retry_receivers, export_as_csv)
    export_fields = (
        "id",
        "failed_at",
        "notification_id",
        "notification__txn_ref",
        "signal",
        "receiver",
        "attempts",
        "resolved_at",
    )
    moment = "failed_at"
    has_date_navigation = False
    deferred_fields = tuple(f"notification__{name}" for name in RAW_FIELDS)
    fieldsets = ((None, {"fields": ("notification", "signal", "receiver", "attempts", "failed_at", "resolved_at")}),)

    def searches(self, request: HttpRequest, rows: QuerySet[Any], term: str) -> Iterable[tuple[Keys, Q]]:
        """Search by the references and sessions of the notifications."""
        notifications = Notification.objects.using(rows.db).all()
        named = reduce(or_, (keys for keys, _condition in notification_searches(request, notifications, term, ())))
        found = keys_of([rows.filter(notification__in=named.keys).order_by("notification")])
        condition = search_q(request, self.search_fields, term) or Q()
        yield found | Keys(keys=frozenset(), are_all=named.are_all), condition

    def row_actions(self, row: ReceiverFailure) -> Iterable[Action]:
        return () if row.resolved_at else (retry_receivers,)

    @admin.display(description=_("failed"))
    def failed(self, row: ReceiverFailure) -> str:
        return optional_moment_text(row.failed_at)

    @admin.display(description=_("resolved"), boolean=True)
    def is_resolved(self, row: ReceiverFailure) -> bool:
        return row.resolved_at is not None

    @admin.display(description=_("account"))
    def account(self, row: ReceiverFailure) -> str:
        return row.notification.account

    def sections(self, request: HttpRequest, row: ReceiverFailure) -> Iterable[Section]:
        yield Section(title=_("Traceback of the latest failure"), text=row.traceback)
