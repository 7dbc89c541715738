"""Query parameters of the lists, and the database queries they make."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, ClassVar

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import PermissionDenied

from django_hoiio.enums import CallState, CallStatus, Direction, FaxStatus, Kind, Route, SmsStatus, Traffic
from django_hoiio.masking import VIEW_PERSONAL_DATA
from django_hoiio.models import LINKS, TRANSACTION_MODELS
from django_hoiio.retention.totals import day_of
from django_hoiio.search import MAX_TERM_LENGTH, may_search, search_q

if TYPE_CHECKING:
    from django.db.models import TextChoices
    from django.utils.functional import _StrPromise


@dataclass(frozen=True, kw_only=True)
class ListQuery:
    """Parsed query parameters of a list."""

    # Conditions that an index answers.
    terms: Sequence[Q] = ()
    # The date field that orders the rows, and the requested range of it.
    moment: str
    begin: datetime | None = None
    end: datetime | None = None
    is_final: bool | None = None
    # Only rows that changed since then.
    since: datetime | None = None
    # Conditions that no index answers.
    other_filters: Q = field(default_factory=Q)

    @property
    def span(self) -> Q:
        """Condition for the rows in the range."""
        bounds = {f"{self.moment}__gte": self.begin, f"{self.moment}__lt": self.end}
        return Q(**{name: bound for name, bound in bounds.items() if bound is not None})

    @property
    def has_span(self) -> bool:
        return self.begin is not None or self.end is not None

    @property
    def all(self) -> Q:
        """All conditions except `since`."""
        final = Q() if self.is_final is None else is_final_q(is_final=self.is_final)
        return self.span & final & self.other_filters & Q(*self.terms)


def is_final_q(*, is_final: bool) -> Q:
    """Return a condition on `is_final`. It uses `IN`, because no database uses an index for `NOT is_final`."""
    return Q(is_final__in=[is_final])


# Page size of the totals, in days.
DAYS_PER_PAGE = 31


@dataclass(frozen=True, kw_only=True)
class DayQuery:
    """Parsed query parameters of the totals."""

    first: date
    last: date
    # Empty for no filter.
    account: str = ""
    traffic: str = ""

    def is_about(self, account: str, traffic: str) -> bool:
        return self.account in ("", account) and self.traffic in ("", traffic)


def days_before(day: date, days: int) -> date:
    """Subtract days, but do not go below `date.min`."""
    return day - min(timedelta(days=days), day - date.min)


def days_after(day: date, days: int) -> date:
    """Add days, but do not go above `date.max`."""
    return day + min(timedelta(days=days), date.max - day)


# The range that every database can store.
EARLIEST = datetime.min.replace(tzinfo=timezone.utc)
LATEST = datetime.max.replace(tzinfo=timezone.utc)

# A "+" that the client did not encode was decoded as a space.
_LOST_PLUS = re.compile(r" (\d\d:?\d\d)$", re.ASCII)


def read_moment(text: str) -> datetime | None:
    """Parse a moment into UTC, or the nearest that can be stored; `None` if it is invalid or has no offset."""
    try:
        moment = parse_datetime(_LOST_PLUS.sub(r"+\1", text).upper())
    except ValueError:
        return None
    if moment is None or moment.tzinfo is None:
        return None
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError:
        return EARLIEST if moment.year == 1 else LATEST


def read_day(text: str) -> date | None:
    """Parse a day; `None` if it is invalid."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


class FilterBackend(DjangoFilterBackend):
    """Describe the parameters in the browsable API and the schema. The lists apply their filters themselves."""


class ParsedField(forms.CharField):
    """A text field that `read` parses. The value is `None` if the text is empty."""

    def __init__(self, *, read: Callable[[str], Any], refusal: _StrPromise, **kwargs: Any) -> None:
        self.read, self.refusal = read, refusal
        super().__init__(**kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        read = self.read(text)
        if text and read is None:
            raise ValidationError(self.refusal)
        return read


class ListFilter(django_filters.Filter):
    """Base class of filters, with the data for the schema. Its label is its name in the URL."""

    schema: Mapping[str, Any]
    example: Any

    label = property(lambda self: self.field_name, lambda self, label: None)


class TextFilter(ListFilter, django_filters.CharFilter):
    """A text that must match exactly, compared row by row."""

    schema: Mapping[str, Any] = {"type": "string", "maxLength": MAX_TERM_LENGTH, "pattern": r"^[^\u0000]*$"}

    def __init__(self, help_text: _StrPromise, example: str) -> None:
        self.example = example
        # Spaces may be part of the value.
        super().__init__(help_text=help_text, max_length=MAX_TERM_LENGTH, strip=False)


class IndexedTextFilter(TextFilter):
    """A text that must match exactly, found through an index."""

    def rows_of(self, request: HttpRequest, value: str) -> Q:
        return Q(**{str(self.field_name): value})


class NotificationReferenceFilter(IndexedTextFilter):
    """The reference of a notification. Its index has only those that no transaction contains."""

    def rows_of(self, request: HttpRequest, value: str) -> Q:
        # SQLite needs the reference in each part of the OR.
        named = Q(**dict.fromkeys(LINKS), txn_ref=value)
        for model in TRANSACTION_MODELS:
            keys = list(model._default_manager.filter(txn_ref=value).values_list("pk", flat=True))
            named |= Q(**{f"{model._meta.model_name}__in": keys}, txn_ref=value)
        return named


class NumberFilter(IndexedTextFilter):
    """The number of the remote party, searched as in the admin."""

    def rows_of(self, request: HttpRequest, value: str) -> Q:
        if not may_search(request, "remote_number"):
            raise PermissionDenied(_("Searching for a number needs the permission %s.") % VIEW_PERSONAL_DATA)
        return search_q(request, ("remote_number",), value.strip()) or _NONE


_NONE = Q(pk__in=[])


class ChoiceFilter(ListFilter, django_filters.ChoiceFilter):
    """One of the app's own values."""

    def __init__(self, help_text: _StrPromise, choices: type[TextChoices], example: str) -> None:
        self.schema = {"type": "string", "enum": list(choices.values)}
        self.example = example
        super().__init__(help_text=help_text, choices=choices.choices)


class BooleanFilter(ListFilter, django_filters.TypedChoiceFilter):
    schema: Mapping[str, Any] = {"type": "boolean"}
    example = False

    def __init__(self, help_text: _StrPromise) -> None:
        choices = [("", "---------"), ("true", _("yes")), ("false", _("no"))]
        super().__init__(help_text=help_text, choices=choices, coerce=lambda word: word == "true", empty_value=None)


class _ParsedText(ListFilter, django_filters.CharFilter):
    """A text that `read` must be able to parse."""

    field_class = ParsedField
    read: Callable[[str], Any]
    refusal: _StrPromise

    def __init__(self, help_text: _StrPromise) -> None:
        super().__init__(help_text=help_text, read=self.read, refusal=self.refusal)


class MomentFilter(_ParsedText):
    """A date and time with its offset from UTC."""

    read = staticmethod(read_moment)
    refusal = _("Write a moment with its offset from UTC, for example 2026-11-25T10:00:00+08:00.")
    schema: Mapping[str, Any] = {"type": "string", "format": "date-time"}
    example = "2026-11-25T10:00:00+08:00"


class DayFilter(_ParsedText):
    """A date in ISO 8601 format."""

    read = staticmethod(read_day)
    refusal = _("Write a day, for example 2026-11-25.")
    schema: Mapping[str, Any] = {"type": "string", "format": "date"}
    example = "2026-11-25"


class Filters(django_filters.FilterSet):
    """Query parameters of all lists."""

    # The date field that orders the rows, and the parameters that set a range of it.
    moment: ClassVar[str]
    span: ClassVar[tuple[str, str]]

    account = TextFilter(_("The account in HOIIO['ACCOUNTS']."), "default")
    txn_ref = IndexedTextFilter(_("Hoiio's reference of the call, SMS or fax, in full."), "AA-S-471804")
    updated_since = MomentFilter(
        _("New or changed rows since then; see the documentation on polling. Rows may be repeated; none is missed.")
    )

    def query(self) -> ListQuery:
        """Return the parsed parameters. Call `is_valid()` first."""
        given = {name: value for name, value in self.form.cleaned_data.items() if value not in (None, "")}
        return ListQuery(
            terms=[each.rows_of(self.request, given[name]) for name, each in self._given(IndexedTextFilter, given)],
            moment=self.moment,
            begin=given.get(self.span[0]),
            end=given.get(self.span[1]),
            is_final=given.get("final"),
            since=given.get("updated_since"),
            other_filters=Q(
                **{
                    name: given[name]
                    for name, each in self._given((TextFilter, ChoiceFilter), given)
                    if not isinstance(each, IndexedTextFilter)
                }
            ),
        )

    def _given(self, of: Any, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        return ((name, self.filters[name]) for name in given if isinstance(self.filters[name], of))


class NotificationFilters(Filters):
    moment = "received_at"
    span = ("received_from", "received_to")

    txn_ref = NotificationReferenceFilter(_("Hoiio's reference of the call, SMS or fax, in full."), "AA-S-471804")
    kind = ChoiceFilter(_("The kind of notification."), Kind, "sms_status")
    route = ChoiceFilter(_("The route that Hoiio posted to."), Route, "sms")
    session = IndexedTextFilter(_("Hoiio's session of an interactive call, in full."), "S3839")
    received_from = MomentFilter(_("Received at this time or later."))
    received_to = MomentFilter(_("Received before this time."))


class TransactionFilters(Filters):
    moment = "created_at"
    span = ("created_from", "created_to")

    number = NumberFilter(
        _(
            "The number of the remote party: the complete number, with or without its plus, or 8 or more of its"
            " last digits. It needs the permission to view numbers."
        ),
        "+6591231111",
    )
    tag = IndexedTextFilter(_("The project's own label, in full."), "order 77")
    direction = ChoiceFilter(_("The direction, as seen by the project."), Direction, "outgoing")
    final = BooleanFilter(_("Whether no further status is expected."))
    created_from = MomentFilter(_("First seen at this time or later."))
    created_to = MomentFilter(_("First seen before this time."))


def _status_filter(name: _StrPromise, choices: type[TextChoices], example: str) -> TextFilter:
    """Return a filter for one of Hoiio's statuses. It accepts unknown values too."""
    return TextFilter(format_lazy("{} {}", name, ", ".join(choices.values)), example)


class CallFilters(TransactionFilters):
    session = IndexedTextFilter(_("Hoiio's session of an interactive call, in full."), "S3839")
    call_state = _status_filter(_("The state of interactive calls. Known values:"), CallState, "ringing")
    call_status = _status_filter(_("The result of calls with a single leg. Known values:"), CallStatus, "answered")
    call_status_dest1 = _status_filter(_("The result of the first leg. Known values:"), CallStatus, "answered")
    call_status_dest2 = _status_filter(_("The result of the second leg. Known values:"), CallStatus, "busy")
    dial_status = _status_filter(_("The result of the dialled call. Known values:"), CallStatus, "answered")
    transfer_status = _status_filter(_("The result of the transfer. Known values:"), CallStatus, "busy")


class SmsFilters(TransactionFilters):
    bulk_txn_ref = IndexedTextFilter(_("Hoiio's reference of the bulk SMS, in full."), "AA-B-147")
    sms_status = _status_filter(_("The latest status. Known values:"), SmsStatus, "delivered")
    status = TextFilter(_("The answer to messages of a bulk SMS: success_ok, or the error."), "success_ok")


class FaxFilters(TransactionFilters):
    fax_status = _status_filter(_("The latest status. Known values:"), FaxStatus, "answered")


class TotalFilters(django_filters.FilterSet):
    """Query parameters of the totals."""

    day_from = DayFilter(_("The first day; by default 30 days before the last."))
    day_to = DayFilter(_("The last day; by default today."))
    account = TextFilter(_("The account in HOIIO['ACCOUNTS']."), "default")
    traffic = ChoiceFilter(_("The kind of traffic that is counted."), Traffic, "sms_sent")

    def query(self) -> DayQuery:
        """Return the parsed parameters. Call `is_valid()` first."""
        given = self.form.cleaned_data
        last = given["day_to"] or day_of(datetime.now(timezone.utc))
        return DayQuery(
            first=given["day_from"] or days_before(last, DAYS_PER_PAGE - 1),
            last=last,
            account=given["account"],
            traffic=given["traffic"],
        )
