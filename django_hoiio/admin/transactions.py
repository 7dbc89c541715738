"""Calls, SMS and faxes: where each stands, and what came about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.html import format_html_join
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from django_hoiio.models import OUTCOMES, Notification, ReceiverFailure, Transaction
from django_hoiio.veils import LINK, NUMBER, TEXT

from .filters import AnyStatus, Missed, Open, Overdue
from .labels import label, minute
from .notifications import HEAVY
from .reading import ReadOnlyAdmin
from .sections import Section, in_words, open_button


def amount(value: Decimal | None, currency: str) -> str:
    """Say an amount with as many decimals as it needs, and at least three: `0.032 SGD`."""
    if value is None:
        return ""
    digits = f"{value:.6f}"
    return f"{number_format(digits[:-3] + digits[-3:].rstrip('0'))} {currency}".rstrip()


class TransactionAdmin(ReadOnlyAdmin):
    """What the lists and pages of calls, SMS and faxes have in common."""

    list_display = ("txn_ref", "came", "direction", "other_number", "status_words", "cost", "tag")
    list_filter: ClassVar[tuple[Any, ...]] = ("direction", Open, Overdue)
    search_fields: ClassVar[tuple[str, ...]] = ("txn_ref", "tag", "other_number")
    search_help_text = _(
        "A reference or its beginning, a whole tag, or a whole number. "
        "Those who may see numbers find them by the last 8 digits too."
    )
    veils = dict.fromkeys(("other_number", "from_number", "to_number", "dest"), NUMBER)
    unlisted = ("stamps",)
    moment = "created_at"

    # The fields whose words say where it stands.
    statuses: ClassVar[tuple[str, ...]]

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Leave out what Hoiio has not told."""
        declared = super().get_fieldsets(request, obj)
        told = [(title, [name for name in each["fields"] if self._is_told(name, obj)]) for title, each in declared]
        return [(title, {"fields": names}) for title, names in told if names]

    def _is_told(self, name: Any, row: Model | None) -> bool:
        return (getattr(self, name)(row) if hasattr(self, name) else getattr(row, name)) not in (None, "")

    def sections(self, request: HttpRequest, row: Transaction) -> Iterable[Section]:
        failures = Prefetch("failures", ReceiverFailure.objects.using(row._state.db).defer("traceback"))
        notifications = row.notifications.defer(*HEAVY).prefetch_related(failures)
        yield Section(
            title=_("Notifications, in order of arrival"),
            columns=(_("Received"), _("Kind"), _("Problems"), _("Failed receivers")),
            rows=[self._line(request, notification) for notification in notifications],
        )

    def _line(self, request: HttpRequest, notification: Notification) -> tuple[object, ...]:
        return (
            localtime(notification.received_at).isoformat(" ", "seconds"),
            self.link_to(request, notification, notification.get_kind_display()),
            in_words(notification.problems),
            ", ".join(str(failure) for failure in notification.failures.all()),
        )

    def since(self, rows: QuerySet[Any], moment: datetime) -> Iterable[QuerySet[Any]]:
        # The index has the moment after this; and see `is_overdue`.
        for is_final in (False, True):
            yield rows.filter(is_final__in=(is_final,), created_at__gte=moment).order_by("created_at")

    # Columns and fields.

    @admin.display(description=_("came"))
    def came(self, row: Transaction) -> str:
        return minute(row.created_at)

    @admin.display(description=_("status"))
    def status_words(self, row: Transaction) -> str:
        """Each word once, so that two legs that were answered are one answered call."""
        words = {getattr(row, name): word for name, (_title, word) in self._words(row)}
        return format_html_join(" ", "{}", ((label(raw, word),) for raw, word in self.listed(words).items()))

    def listed(self, words: dict[str, str]) -> dict[str, str]:
        """The words, of those that are told, that the list shows."""
        return words

    @admin.display(description=_("status"))
    def status_by_name(self, row: Transaction) -> str:
        words = [told for _name, told in self._words(row)]
        return words[0][1] if len(words) == 1 else format_html_join("\n", "<div>{}: {}</div>", words)

    def _words(self, row: Transaction) -> Iterator[tuple[str, tuple[str, str]]]:
        """Each status that is told, by its field: the title of the field, and the word."""
        # Django's own display of a field with choices says nothing of a word that is not among them.
        fields = {field.name: field for field in row._meta.fields}
        for name in self.statuses:
            word = getattr(row, name)
            if word:
                yield name, (str(fields[name].verbose_name), str(dict(fields[name].flatchoices).get(word, word)))

    @admin.display(description=_("cost"))
    def cost(self, row: Transaction) -> str:
        return amount(row.debit, row.currency)

    @admin.display(description=_("rate"))
    def price(self, row: Transaction) -> str:
        return amount(row.rate, row.currency)


class CallAdmin(TransactionAdmin):
    list_filter = ("call_state", AnyStatus, Missed, *TransactionAdmin.list_filter)
    search_fields = (*TransactionAdmin.search_fields, "session")
    statuses = ("call_state", *OUTCOMES)
    veils = {**TransactionAdmin.veils, "dest1": NUMBER, "dest2": NUMBER}
    fieldsets = (
        (None, {"fields": ("txn_ref", "direction", "status_by_name", "is_final", "tag")}),
        (_("Numbers"), {"fields": ("from_number", "to_number", "dest", "dest1", "dest2", "room")}),
        (_("Cost"), {"fields": ("cost", "price", "duration")}),
        (_("Time"), {"fields": ("date", "created_at", "updated_at")}),
        (_("References"), {"fields": ("account", "session", "arrival")}),
    )


class SmsAdmin(TransactionAdmin):
    list_filter = ("sms_status", *TransactionAdmin.list_filter)
    search_fields = (*TransactionAdmin.search_fields, "bulk_txn_ref")
    statuses = ("sms_status", "status")
    # The part is a digest of the text, by which a short text can be guessed.
    veils = {**TransactionAdmin.veils, "msg": TEXT, "part": TEXT}
    fieldsets = (
        (None, {"fields": ("txn_ref", "direction", "status_by_name", "is_final", "tag")}),
        (_("Message"), {"fields": ("from_number", "to_number", "dest", "msg")}),
        (_("Cost"), {"fields": ("cost", "price", "split_count")}),
        (_("Time"), {"fields": ("date", "created_at", "updated_at")}),
        (_("References"), {"fields": ("account", "bulk_txn_ref", "part", "arrival")}),
    )

    def listed(self, words: dict[str, str]) -> dict[str, str]:
        """Leave out that it was accepted, once it has got further."""
        return dict(list(words.items())[:1])


class FaxAdmin(TransactionAdmin):
    list_filter = ("fax_status", *TransactionAdmin.list_filter)
    statuses = ("fax_status", "fax_error_code")
    veils = {**TransactionAdmin.veils, "fax_url": LINK}
    fieldsets = (
        (None, {"fields": ("txn_ref", "direction", "status_by_name", "is_final", "tag")}),
        (_("Fax"), {"fields": ("from_number", "to_number", "dest", "document", "fax_pages")}),
        (_("Cost"), {"fields": ("cost", "price", "duration")}),
        (_("Time"), {"fields": ("date", "created_at", "updated_at")}),
        (_("References"), {"fields": ("account", "arrival")}),
    )

    @admin.display(description=_("document"))
    def document(self, row: Any) -> str:
        return open_button(row.fax_url)
