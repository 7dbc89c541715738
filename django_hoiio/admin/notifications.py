"""The admin of notifications."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_hoiio.keyset import Keys, keys_of
from django_hoiio.masking import LINK, RAW, RAW_FIELDS
from django_hoiio.models import LINKS, TRANSACTION_MODELS, Notification, Transaction
from django_hoiio.parsing.fields import text_of
from django_hoiio.search import index_queries, row_by_row, search_q

from .actions import Action, dispatch, retry_receivers
from .export import export_as_csv
from .filters import AccountFilter, FailedReceiversFilter, PendingFilter
from .formatting import optional_moment_text
from .inspector import MAX_PARAMETERS, command_line, parameter_rows, problems_of
from .read_only import ReadOnlyAdmin
from .sections import Section, open_button, table_of

# Parameters that hold a URL.
URL_PARAMETERS = {"record_url": _("Recording"), "monitor_url": _("Recording of the whole call"), "fax_url": _("Fax")}


class NotificationAdmin(ReadOnlyAdmin):
    """Notifications, with their raw request and their receivers."""

    list_display = ("received", "kind", "txn_ref", "session", "is_dispatched", "problem_names", "account")
    list_filter = ("kind", PendingFilter, FailedReceiversFilter, AccountFilter)
    search_fields = ("txn_ref", "session")
    search_help_text = _(
        "The start of a reference, of a session, or of the tag of the call, SMS or fax. Users with the permission “Can"
        " view phone numbers and message texts” can also search for a number, or for 8 or more of its last digits."
    )
    moment = "received_at"
    # They may hold a megabyte. No list shows them.
    deferred_fields = RAW_FIELDS
    actions = (retry_receivers, dispatch, export_as_csv)
    export_fields = (
        "id",
        "received_at",
        "kind",
        "account",
        "route",
        "source",
        "verified_by",
        "txn_ref",
        "session",
        "dispatched_at",
        "problems",
        "state_error",
        "remote_addr",
        "uuid",
    )
    fieldsets = (
        (None, {"fields": ("kind", "txn_ref", "session", "received_at")}),
        (_("Delivery"), {"fields": ("account", "route", "source", "verified_by", "block", "remote_addr", "uuid")}),
        (_("Dispatch"), {"fields": ("is_dispatched", "dispatched_at", "claimed_until")}),
    )

    class Media:
        js = ("django_hoiio/copy.js",)

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Leave out an empty block."""
        empty = () if getattr(obj, "block", None) else ("block",)
        declared = super().get_fieldsets(request, obj)
        return [(title, {"fields": [name for name in each["fields"] if name not in empty]}) for title, each in declared]

    def row_actions(self, row: Notification) -> Iterable[Action]:
        if row.dispatched_at is None:
            yield dispatch
        if row.failures.unresolved().exists():
            yield retry_receivers

    def since(self, rows: QuerySet[Any], moment: datetime) -> Iterable[QuerySet[Any]]:
        yield rows.filter(received_at__gte=moment).order_by("received_at")

    def searches(self, request: HttpRequest, rows: QuerySet[Any], term: str) -> Iterable[tuple[Keys, Q]]:
        return notification_searches(request, rows, term)

    # Columns and fields.

    @admin.display(description=_("received"))
    def received(self, row: Notification) -> str:
        return optional_moment_text(row.received_at)

    @admin.display(description=_("dispatched"), boolean=True)
    def is_dispatched(self, row: Notification) -> bool:
        return row.dispatched_at is not None

    @admin.display(description=_("problems"), empty_value="")
    def problem_names(self, row: Notification) -> str | None:
        problems = problems_of(row)
        return f"⚠ {', '.join(problems)}" if problems else None

    def links(self, request: HttpRequest, row: Notification) -> Iterable[str]:
        transaction = row.transaction
        if transaction is not None:
            yield self.link_to(request, transaction, f"{transaction._meta.verbose_name} {transaction}")

    def sections(self, request: HttpRequest, row: Notification) -> Iterable[Section]:
        yield table_of(_("Problems"), problems_of(row), columns=(_("Parameter"), _("Problem")))
        yield table_of(_("Recordings and faxes"), self._links(request, row), columns=(_("Type"), _("Link")))
        yield self._failures(request, row)
        if RAW.is_visible(request):
            yield from self._raw(row)

    def _links(self, request: HttpRequest, row: Notification) -> dict[str, str]:
        show = open_button if LINK.is_visible(request) else LINK.mask
        return {str(title): show(row.params[name]) for name, title in URL_PARAMETERS.items() if row.params.get(name)}

    def _failures(self, request: HttpRequest, row: Notification) -> Section:
        return Section(
            title=_("Failed receivers"),
            columns=(_("Receiver"), _("Attempts"), _("Failed"), _("Resolved")),
            rows=[
                (
                    self.link_to(request, failure),
                    failure.attempts,
                    failure.failed_at,
                    failure.resolved_at,
                )
                for failure in row.failures.order_by("pk").defer("traceback")
            ],
        )

    def _raw(self, row: Notification) -> Iterable[Section]:
        """Yield the raw data. Its numbers, texts and links cannot be masked separately."""
        lines = parameter_rows(row)
        yield Section(
            title=_("Parameters") if len(lines) < MAX_PARAMETERS else _("The first parameters"),
            columns=(_("Name"), _("In the query string"), _("In the body"), _("Value"), _("Stored as")),
            rows=[
                (each.name, *(_cell(each.name, text) for text in (each.query, each.body, each.used)), each.result)
                for each in lines
            ],
        )
        yield Section(title=_("Raw query string"), text=row.query)
        yield Section(title=_("Raw body"), text=text_of(row.body))
        yield table_of(_("Headers"), row.headers)
        if row.redacted_at is None:
            yield self._command_section(row)

    def _command_section(self, row: Notification) -> Section:
        """Return the command that posts the notification again."""
        line = command_line(row)
        note = _(
            "Posts the notification again, byte for byte, to the server on this machine. Add --url for another server."
        )
        too_long = _("It is too long for a command line.")
        return Section(
            title=_("Command to post it again"),
            text=line or str(too_long),
            note=note if line else "",
            is_copied=line is not None,
        )


def _cell(name: str, text: str | None) -> str | None:
    """Return a value to display; a link becomes a button that does not show its URL."""
    return open_button(text) if text and name in URL_PARAMETERS else text


# If too many transactions match, look up only this many: Django's autocomplete has 20 rows per page.
MAX_AUTOCOMPLETE = 20


def notification_searches(
    request: HttpRequest, rows: QuerySet[Any], term: str, of_viewed: tuple[str, ...] = ("remote_number", "^tag")
) -> Iterator[tuple[Keys, Q]]:
    """Search for notifications by reference and session, and by more fields of transactions that the user may view.

    Yields the keys that indexes find, and a condition for a scan if these are not all.
    """
    # The index on references has only the notifications that no transaction contains.
    for field, searched in (("txn_ref", rows.filter(**dict.fromkeys(LINKS))), ("session", rows)):
        condition = search_q(request, (field,), term) or Q()
        yield keys_of(index_queries(searched, request, (field,), term)), condition
    for model in TRANSACTION_MODELS:
        may_view = request.user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}")
        fields = ("txn_ref", *of_viewed) if may_view else ("txn_ref",)
        linked = Q(pk=OuterRef(f"{model._meta.model_name}_id"))
        same = model._default_manager.filter(linked)
        # Repeat the link inside the CASE: otherwise PostgreSQL hashes the whole table to look up a few rows.
        condition = (search_q(request, fields, term) or Q(pk__in=())) & linked
        yield _matching_keys(model, request, fields, rows, term), Q(Exists(row_by_row(same, condition)))


def _matching_keys(
    model: type[Transaction], request: HttpRequest, fields: Iterable[str], rows: QuerySet[Any], term: str
) -> Keys:
    transactions = model._default_manager.using(rows.db).all()
    keys = keys_of(index_queries(transactions, request, fields, term))
    some = keys.keys if keys.are_all else sorted(keys.keys)[:MAX_AUTOCOMPLETE]
    link = str(model._meta.model_name)
    return keys_of([rows.filter(**{f"{link}__in": some}).order_by(link)]) | Keys(keys=frozenset(), are_all=keys.are_all)
