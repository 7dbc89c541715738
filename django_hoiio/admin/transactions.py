"""The admin of calls, SMS and faxes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_hoiio.enums import CallOutcome, Direction, SmsStatus
from django_hoiio.keyset import Keys
from django_hoiio.models import CALL_STATUSES, Call, Fax, Notification, Sms, Transaction
from django_hoiio.search import own_number_q

from .actions import Action, reconcile
from .bulk import BulkPage
from .conversation import ConversationPage
from .export import export_as_csv
from .filters import AccountFilter, OpenFilter, OutcomeFilter, OverdueFilter, SmsStatusFilter
from .formatting import amount_text, label, optional_moment_text, sentence, statuses_of, value_text
from .menus import menus_of
from .sections import open_button
from .timeline import timeline_of

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

Column = Callable[[Any, Transaction], str]

# The first and last export columns of calls, SMS and faxes.
_FIRST_COLUMNS = ("id", "account", "txn_ref", "direction", "remote_number", "from_number", "to_number", "dest")
_LAST_COLUMNS = (
    "is_final",
    "date",
    "currency",
    "rate",
    "debit",
    "tag",
    "created_at",
    "updated_at",
    "redacted_at",
    "notification_uuid",
)


def _number(name: str, title: _StrOrPromise) -> Column:
    """Return a column that links a number to its conversation."""

    @admin.display(description=title)
    def show(self: ConversationPage, row: Transaction) -> str:
        return self.number_link(row, name)

    return show


def _text(name: str, title: _StrOrPromise) -> Column:
    """Return a column for a text that is not ours and may run from right to left."""

    @admin.display(description=title)
    def show(self: ConversationPage, row: Transaction) -> str:
        value = getattr(row, name)
        return format_html('<div class="hoiio-foreign" dir="auto">{}</div>', value) if value else ""

    return show


# Columns of our own do not inherit the help text of their field.
_HELP = {
    f"{field.name}_{column}": field.help_text
    for model in (Call, Sms, Fax)
    for field in model._meta.fields
    for column in ("link", "text")
}


class TransactionAdmin(ConversationPage):
    """Base class of the admins of calls, SMS and faxes."""

    # A narrow window shows the first columns only.
    list_display: Any = (
        "status_words",
        "remote_number_link",
        "created",
        "reference",
        "direction",
        "cost",
        "tag",
        "account",
    )
    list_filter: ClassVar[tuple[Any, ...]] = ("direction", OpenFilter, OverdueFilter, AccountFilter)
    search_fields: ClassVar[tuple[str, ...]] = ("txn_ref", "^tag", "remote_number")
    search_help_text = _(
        "The start of a reference or of a tag. Users with the permission “Can view phone numbers and message texts” can"
        " also search for a number, theirs or yours, or for 8 or more of its last digits."
    )
    actions = (reconcile, export_as_csv)
    moment = "created_at"
    change_form_template = "admin/django_hoiio/transaction.html"

    class Media:
        css = {"all": ("django_hoiio/timeline.css",)}

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, help_texts=_HELP, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Leave out fields without a value."""
        declared = super().get_fieldsets(request, obj)
        filled = [(title, [name for name in each["fields"] if self._has_value(name, obj)]) for title, each in declared]
        return [(title, {"fields": names}) for title, names in filled if names]

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        """Link the reference to the row, unless a project has other columns."""
        is_listed = "reference" in list_display and not self.list_display_links
        return ("reference",) if is_listed else super().get_list_display_links(request, list_display)

    def searches(self, request: HttpRequest, rows: QuerySet[Any], term: str) -> Iterable[tuple[Keys, Q]]:
        """Search for the project's own number as well, by a scan."""
        yield from super().searches(request, rows, term)
        own = own_number_q(request, self.model, term)
        if own is not None:
            yield Keys(keys=frozenset(), are_all=False), own

    def row_actions(self, row: Transaction) -> Iterable[Action]:
        return () if row.txn_ref is None else (reconcile,)

    def _has_value(self, name: Any, row: Model | None) -> bool:
        return (getattr(self, name)(row) if hasattr(self, name) else getattr(row, name)) not in (None, "")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = context["original"]
        # The replay needs texts that may be masked in `row`.
        unmasked = type(row)._default_manager.using(row._state.db).get(pk=row.pk)
        context["sentence"] = sentence(row)
        context["timeline"] = timeline_of(unmasked, request, partial(self.link_to, request))
        context["list_of_notifications"] = self._list_of_notifications(request, row)
        return super().render_change_form(request, context, *args, **kwargs)

    def _list_of_notifications(self, request: HttpRequest, row: Transaction) -> str:
        """Return the URL of all notifications with the row's reference; empty if the user may not view them."""
        if row.txn_ref is None or not self.can_open(request, Notification):
            return ""
        address = reverse("admin:django_hoiio_notification_changelist", current_app=self.admin_site.name)
        return f"{address}?{urlencode({'q': row.txn_ref})}"

    def since(self, rows: QuerySet[Any], moment: datetime) -> Iterable[QuerySet[Any]]:
        # The index is on (is_final, created_at). For the IN, see `overdue_q`.
        for is_final in (False, True):
            yield rows.filter(is_final__in=(is_final,), created_at__gte=moment).order_by("created_at")

    # Columns and fields.

    @admin.display(description=_("transaction reference"))
    def reference(self, row: Transaction) -> str:
        # Never empty, because it is the link to the row.
        return row.txn_ref or str(_("without a reference"))

    @admin.display(description=_("created"))
    def created(self, row: Transaction) -> str:
        return optional_moment_text(row.created_at)

    remote_number_link = _number("remote_number", _("phone number"))
    from_number_link = _number("from_number", _("from"))
    dest_link = _number("dest", _("destination"))
    to_number_text = _text("to_number", _("to"))
    tag_text = _text("tag", _("tag"))

    @admin.display(description=_("status"))
    def status_by_name(self, row: Transaction) -> str:
        statuses = list(statuses_of(row, self.statuses))
        if len(statuses) == 1:
            return statuses[0].word
        return format_html_join("\n", "<div>{}: {}</div>", ((each.title, each.word) for each in statuses))

    @admin.display(description=_("final"))
    def is_final_text(self, row: Transaction) -> str:
        """Neither a tick nor a cross: a failed fax is final too."""
        return value_text(row.is_final)

    @admin.display(description=_("cost"))
    def cost(self, row: Transaction) -> str:
        return amount_text(row.debit, row.currency)

    @admin.display(description=_("rate"))
    def price(self, row: Transaction) -> str:
        return amount_text(row.rate, row.currency)


class CallAdmin(TransactionAdmin):
    """Calls, each with its notifications in order."""

    list_display: Any = (
        "status_words",
        "remote_number_link",
        "created",
        "direction",
        "length",
        "recorded",
        "own_number",
        "reference",
        "cost",
        "tag",
        "account",
    )
    list_filter = (OutcomeFilter, *TransactionAdmin.list_filter)
    search_fields = (*TransactionAdmin.search_fields, "session")
    statuses = ("call_state", *CALL_STATUSES)
    export_fields = (
        *_FIRST_COLUMNS,
        "dest1",
        "dest2",
        "session",
        "room",
        "outcome",
        *statuses,
        "duration",
        *_LAST_COLUMNS,
    )
    fieldsets = (
        (None, {"fields": ("txn_ref", "direction", "status_words", "status_by_name", "is_final_text", "tag_text")}),
        (
            _("Numbers"),
            {"fields": ("from_number_link", "to_number_text", "dest_link", "dest1_link", "dest2_link", "room_text")},
        ),
        (_("Cost"), {"fields": ("cost", "price", "duration")}),
        (_("Time"), {"fields": ("date", "created_at", "updated_at")}),
        (_("References"), {"fields": ("account", "session", "notification_uuid")}),
    )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["menus"] = menus_of(context["original"], request)
        return super().render_change_form(request, context, *args, **kwargs)

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        super().prepare(request, rows)
        recorded = Notification.objects.filter(call__in=rows, params__has_any_keys=["record_url", "monitor_url"])
        calls = set(recorded.values_list("call", flat=True))
        for row in rows:
            row.is_recorded = row.pk in calls

    @admin.display(description=_("outcome"))
    def status_words(self, row: Any) -> str:
        return label(row.outcome, str(CallOutcome(row.outcome).label))

    @admin.display(description=_("own number"))
    def own_number(self, row: Any) -> str:
        number: str = row.to_number if row.direction == Direction.INCOMING else row.from_number
        return number

    @admin.display(description=_("duration"))
    def length(self, row: Any) -> str:
        return "" if row.duration is None else gettext("%d\u00a0min") % row.duration

    @admin.display(description=_("recording"))
    def recorded(self, row: Any) -> str:
        return gettext("recorded") if row.is_recorded else ""

    dest1_link = _number("dest1", _("first destination"))
    dest2_link = _number("dest2", _("second destination"))
    room_text = _text("room", _("room"))


class SmsAdmin(BulkPage, TransactionAdmin):
    """SMS, each with its notifications in order."""

    list_filter = (SmsStatusFilter, *TransactionAdmin.list_filter)
    search_fields = (*TransactionAdmin.search_fields, "bulk_txn_ref")
    statuses = ("sms_status", "status")
    export_fields = (*_FIRST_COLUMNS, *statuses, "bulk_txn_ref", "part", "msg", "split_count", *_LAST_COLUMNS)
    fieldsets = (
        (None, {"fields": ("txn_ref", "direction", "status_by_name", "is_final_text", "tag_text")}),
        (_("Message"), {"fields": ("from_number_link", "to_number_text", "dest_link", "msg_text")}),
        (_("Cost"), {"fields": ("cost", "price", "split_count")}),
        (_("Time"), {"fields": ("date", "created_at", "updated_at")}),
        (_("References"), {"fields": ("account", "bulk_txn_ref", "part_text", "notification_uuid")}),
    )

    msg_text = _text("msg", _("text"))
    part_text = _text("part", _("part"))

    @admin.display(description=_("status"))
    def status_words(self, row: Any) -> str:
        """Show the delivery status, or else the acceptance. An incoming SMS was received."""
        statuses = list(statuses_of(row, self.statuses))
        if not statuses and row.direction == Direction.INCOMING:
            return label(SmsStatus.RECEIVED, str(SmsStatus.RECEIVED.label))
        return label(statuses[0].raw, statuses[0].word) if statuses else ""


class FaxAdmin(TransactionAdmin):
    """Faxes, each with its notifications in order."""

    list_filter = ("fax_status", *TransactionAdmin.list_filter)
    statuses = ("fax_status", "fax_error_code")
    export_fields = (*_FIRST_COLUMNS, *statuses, "fax_pages", "fax_url", "duration", *_LAST_COLUMNS)
    fieldsets = (
        (None, {"fields": ("txn_ref", "direction", "status_by_name", "is_final_text", "tag_text")}),
        (_("Fax"), {"fields": ("from_number_link", "to_number_text", "dest_link", "document", "fax_pages")}),
        (_("Cost"), {"fields": ("cost", "price", "duration")}),
        (_("Time"), {"fields": ("date", "created_at", "updated_at")}),
        (_("References"), {"fields": ("account", "notification_uuid")}),
    )

    @admin.display(description=_("document"))
    def document(self, row: Any) -> str:
        return open_button(row.fax_url)
