"""Query parameters of the lists."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime, timezone
from functools import cached_property
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Field, Q, QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django_filters import rest_framework as filters
from django_filters.constants import EMPTY_VALUES
from rest_framework import exceptions
from rest_framework.settings import api_settings

from django_hoiio.enums import CallOutcome, Direction, Kind, Route, Traffic
from django_hoiio.masking import VIEW_PERSONAL_DATA
from django_hoiio.models import LINKS, TRANSACTION_MODELS, Call, Fax, Notification, Sms
from django_hoiio.models.transactions import CALL_STATUSES
from django_hoiio.search import MAX_TERM_LENGTH, may_search, search_q

# The parameters that an index answers, and those that the index of the moment answers in its order. No index answers
# the others.
INDEXED = frozenset({"txn_ref", "session", "bulk_txn_ref", "number", "tag"})
SPAN = frozenset({"final", "created_from", "created_to", "received_from", "received_to"})


class FilterBackend(filters.DjangoFilterBackend):
    """Filter a list. Refuse parameters that it does not have, or that are given more than once."""

    def get_filterset(self, request: Any, queryset: QuerySet[Any], view: Any) -> Any:
        # The paginator needs it, too.
        view.filterset = super().get_filterset(request, queryset, view)
        return view.filterset

    def filter_queryset(self, request: Any, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        if view.detail:
            return queryset
        if errors := _errors(request, view):
            raise exceptions.ValidationError(errors)
        return super().filter_queryset(request, queryset, view)


def _errors(request: Any, view: Any) -> dict[str, list[str]]:
    """Return what is wrong with the names. A misspelt filter would otherwise list everything."""
    given, names = request.query_params, view.filterset_class.base_filters
    paging = [each["name"] for each in view.paginator.get_schema_operation_parameters(view)]
    known = {*names, *paging, api_settings.URL_FORMAT_OVERRIDE, api_settings.VERSION_PARAM}
    unknown = _("Unknown parameter. The parameters are %s.") % ", ".join(names)
    twice = {name: [str(_("It is given more than once."))] for name in given if len(given.getlist(name)) > 1}
    return twice | {name: [unknown] for name in given if name not in known}


# A "+" that the client did not encode was decoded as a space.
_LOST_PLUS = re.compile(r" (\d\d:?\d\d)$", re.ASCII)


class MomentField(forms.DateTimeField):
    """A date and time with its offset, converted to UTC."""

    default_error_messages = {
        "invalid": _("Write a moment with its offset from UTC, for example 2026-11-25T10:00:00+08:00.")
    }

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            moment = parse_datetime(_LOST_PLUS.sub(r"+\1", value).upper())
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        try:
            return moment.astimezone(timezone.utc)
        except OverflowError:
            # At the ends of the range of dates, where no row is.
            return moment.replace(tzinfo=timezone.utc)


class MomentFilter(filters.IsoDateTimeFilter):
    field_class: Any = MomentField


def text_filter(help_text: Any, **kwargs: Any) -> filters.CharFilter:
    """Return a filter for a whole text. Spaces may be part of it."""
    return filters.CharFilter(max_length=MAX_TERM_LENGTH, strip=False, help_text=help_text, **kwargs)


class Filters(filters.FilterSet):
    """Query parameters of the lists of rows. The filters of `Meta.fields` accept any text, as Hoiio may send any."""

    txn_ref = text_filter(_("Hoiio's reference of the call, SMS or fax, in full."))
    updated_since = MomentFilter(
        # Not a condition: the paginator follows the notifications.
        method=lambda rows, name, value: rows,
        label=_("Updated since"),
        help_text=_("New or changed since then, see the docs on polling. Rows may be repeated; none is missed."),
    )

    @classmethod
    def filter_for_field(cls, field: Field[Any, Any], field_name: str, lookup_expr: str | None = None) -> Any:
        words = ", ".join(str(value) for value, _label in field.choices or () if value)
        known = format_lazy("{} {} {}.", field.help_text, _("Known values:"), words) if words else field.help_text
        return text_filter(known, field_name=field_name)

    @cached_property
    def given(self) -> set[str]:
        """Names of the filters that have a value."""
        return {name for name, value in self.form.cleaned_data.items() if value not in EMPTY_VALUES}

    def narrowed(self, names: Collection[str]) -> Any:
        """Return the rows that the filters with these names alone leave."""
        rows: Any = self.queryset
        for name in names:
            rows = self.filters[name].filter(rows, self.form.cleaned_data[name])
        return rows


class NotificationFilters(Filters):
    txn_ref = text_filter(_("Hoiio's reference of the call, SMS or fax, in full."), method="of_transaction")
    kind = filters.ChoiceFilter(choices=Kind.choices, help_text=_("The kind of notification."))
    route = filters.ChoiceFilter(choices=Route.choices, help_text=_("The route that Hoiio posted to."))
    received_from = MomentFilter("received_at", "gte", help_text=_("Received at this time or later."))
    received_to = MomentFilter("received_at", "lt", help_text=_("Received before this time."))

    class Meta:
        model = Notification
        fields = ("account", "session")

    def of_transaction(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter(self._of_transaction)

    @cached_property
    def _of_transaction(self) -> Q:
        """Condition for a reference. The index of notifications has only those that no transaction contains."""
        # SQLite needs the reference in each part of the OR.
        named = {"txn_ref": self.form.cleaned_data["txn_ref"]}
        found = Q(**named, **dict.fromkeys(LINKS))
        for model in TRANSACTION_MODELS:
            keys = list(model._default_manager.filter(**named).values_list("pk", flat=True))
            found |= Q(**named, **{f"{model._meta.model_name}__in": keys})
        return found


class TransactionFilters(Filters):
    number = text_filter(
        _("The remote party's number in full, or 8 or more last digits. Needs the permission to view numbers."),
        method="of_number",
        label=_("Number"),
    )
    direction = filters.ChoiceFilter(choices=Direction.choices, help_text=_("The direction, as seen by the project."))
    final = filters.TypedChoiceFilter(
        "is_final",
        # Not `exact`, because no database uses an index for `NOT is_final`.
        "in",
        choices=[("", "---------"), ("true", _("yes")), ("false", _("no"))],
        coerce=lambda word: [word == "true"],
        help_text=_("Whether no further status is expected."),
    )
    created_from = MomentFilter("created_at", "gte", help_text=_("First seen at this time or later."))
    created_to = MomentFilter("created_at", "lt", help_text=_("First seen before this time."))

    def of_number(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Search as in the admin."""
        request: Any = self.request
        if not may_search(request, "remote_number"):
            message = _("Searching for a number needs the permission %s.") % VIEW_PERSONAL_DATA
            raise exceptions.PermissionDenied(message)
        found = search_q(request, ("remote_number",), value.strip())
        return rows.none() if found is None else rows.filter(found)


class CallFilters(TransactionFilters):
    outcome = filters.ChoiceFilter(choices=CallOutcome.choices, help_text=_("The outcome of the whole call."))

    class Meta:
        model = Call
        fields = ("account", "tag", "session", "call_state", *CALL_STATUSES)


class SmsFilters(TransactionFilters):
    class Meta:
        model = Sms
        fields = ("account", "tag", "bulk_txn_ref", "sms_status", "status")


class FaxFilters(TransactionFilters):
    class Meta:
        model = Fax
        fields = ("account", "tag", "fax_status")


_DAY: dict[str, Any] = {
    "input_formats": ["%Y-%m-%d"],
    "error_messages": {"invalid": _("Write a day, for example 2026-11-25.")},
}


class TotalFilters(filters.FilterSet):
    """Query parameters of the totals. The paginator applies them, because some totals are not stored."""

    day_from = filters.DateFilter("day", "gte", help_text=_("The first day; by default 30 days earlier."), **_DAY)
    day_to = filters.DateFilter("day", "lte", help_text=_("The last day; by default today."), **_DAY)
    account = text_filter(_("The account in HOIIO['ACCOUNTS']."))
    traffic = filters.ChoiceFilter(choices=Traffic.choices, help_text=_("The kind of traffic that is counted."))
