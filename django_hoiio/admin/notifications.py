"""The admin of notifications."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_hoiio import masking
from django_hoiio.keyset import FEW, Keys, keys_of
from django_hoiio.masking import LINK, RAW
from django_hoiio.models import Call, Fax, Notification, Sms, Transaction
from django_hoiio.search import found_by, one_by_one, ways_to

from .actions import Action, dispatch, run_receivers
from .export import export_as_csv
from .filters import Failing, Untold
from .formatting import minute
from .inspector import MOST, command_line, inspected
from .read_only import ReadOnlyAdmin
from .sections import Section, open_button, readable, table_of

# The columns that may hold a megabyte, or secrets, and that no list shows.
HEAVY = ("query", "body", "headers", "params", "pass_on", "unproved")

# The parameters that hold a link to a recording or a fax.
LINKS = {"record_url": _("Recording"), "monitor_url": _("Recording of the whole call"), "fax_url": _("Fax")}


class NotificationAdmin(ReadOnlyAdmin):
    list_display = ("came", "kind", "txn_ref", "session", "is_told", "misread", "account")
    list_filter = ("kind", Untold, Failing)
    search_fields = ("txn_ref", "session")
    search_help_text = _(
        "A reference or a session, or its beginning; or a whole tag of its call, SMS or fax. Users with the permission"
        " “Can see phone numbers and message texts” also find its number, or 8 or more of its last digits."
    )
    moment = "received_at"
    unlisted = HEAVY
    actions = (run_receivers, dispatch, export_as_csv)
    exported = (
        "id",
        "received_at",
        "kind",
        "account",
        "route",
        "origin",
        "proof",
        "txn_ref",
        "session",
        "dispatched_at",
        "problems",
        "remote_addr",
        "arrival",
    )
    fieldsets = (
        (None, {"fields": ("kind", "txn_ref", "session", "received_at")}),
        (_("How it came"), {"fields": ("account", "route", "origin", "proof", "remote_addr", "arrival")}),
        (_("Telling the project"), {"fields": ("is_told", "dispatched_at", "claimed_until")}),
    )

    class Media:
        js = ("django_hoiio/copy.js",)

    def fitting_actions(self, row: Notification) -> Iterable[Action]:
        if row.dispatched_at is None:
            yield dispatch
        if row.failures.unmended().exists():
            yield run_receivers

    def since(self, rows: QuerySet[Any], moment: datetime) -> Iterable[QuerySet[Any]]:
        yield rows.filter(received_at__gte=moment).order_by("received_at")

    def searches(self, request: HttpRequest, rows: QuerySet[Any], term: str) -> Iterable[tuple[Keys, Q]]:
        yield from super().searches(request, rows, term)
        yield from searches_about(request, rows, term)

    # Columns and fields.

    @admin.display(description=_("came"))
    def came(self, row: Notification) -> str:
        return minute(row.received_at)

    @admin.display(description=_("told"), boolean=True)
    def is_told(self, row: Notification) -> bool:
        return row.dispatched_at is not None

    @admin.display(description=_("problems"), empty_value="")
    def misread(self, row: Notification) -> str | None:
        return f"⚠ {', '.join(row.problems)}" if row.problems else None

    def links(self, request: HttpRequest, row: Notification) -> Iterable[str]:
        transaction = row.transaction
        if transaction is not None:
            yield self.link_to(request, transaction, f"{transaction._meta.verbose_name} {transaction}")

    def sections(self, request: HttpRequest, row: Notification) -> Iterable[Section]:
        yield table_of(_("Problems"), row.problems, columns=(_("Parameter"), _("Problem")))
        yield table_of(_("Recordings and faxes"), self._links(request, row), columns=(_("What"), _("Link")))
        yield self._failures(request, row)
        if RAW.is_lifted(request):
            yield from self._raw(row)

    def _links(self, request: HttpRequest, row: Notification) -> dict[str, str]:
        show = open_button if LINK.is_lifted(request) else masking.text
        return {str(title): show(row.params[name]) for name, title in LINKS.items() if row.params.get(name)}

    def _failures(self, request: HttpRequest, row: Notification) -> Section:
        return Section(
            title=_("Failed receivers"),
            columns=(_("Receiver"), _("Attempts"), _("Failed"), _("Mended")),
            rows=[
                (
                    self.link_to(request, failure),
                    failure.attempts,
                    failure.failed_at,
                    failure.mended_at,
                )
                for failure in row.failures.order_by("pk").defer("traceback")
            ],
        )

    def _raw(self, row: Notification) -> Iterable[Section]:
        """What holds numbers, texts and links that cannot be told apart."""
        lines = inspected(row)
        yield Section(
            title=_("Parameters") if len(lines) < MOST else _("The first of the parameters"),
            columns=(_("Name"), _("In the query string"), _("In the body"), _("Taken"), _("Went to")),
            rows=[
                (each.name, *(_cell(each.name, text) for text in (each.query, each.body, each.taken)), each.went)
                for each in lines
            ],
        )
        yield Section(title=_("Query string, as it came"), text=row.query)
        yield Section(title=_("Body, as it came"), text=readable(row.body))
        yield table_of(_("Headers"), row.headers)
        if row.blanked_at is None:
            yield self._as_test(row)

    def _as_test(self, row: Notification) -> Section:
        """What posts it again; not for a row of which nothing is left to post."""
        line = command_line(row)
        note = _("Posts it again as it came, to the server on this machine; with --url to another one.")
        too_long = _("It is too long for a command line.")
        return Section(
            title=_("Copy as a test"), text=line or str(too_long), note=note if line else "", is_copied=line is not None
        )


def _cell(name: str, text: str | None) -> str | None:
    """A value that came; a link can be followed and is not read."""
    return open_button(text) if text and name in LINKS else text


_FIELDS = ("other_number", "tag")

# Of transactions that are too many to be named, so many are: Django offers as many rows while somebody types.
OFFERED = 20

# What a notification and its transaction have in common, beside the account.
_NAMES: Mapping[type[Transaction], tuple[str, ...]] = {
    Call: ("txn_ref", "session", "arrival"),
    Sms: ("txn_ref", "arrival"),
    Fax: ("txn_ref", "arrival"),
}


def searches_about(request: HttpRequest, rows: QuerySet[Any], term: str) -> Iterator[tuple[Keys, Q]]:
    """What answers to the term by being about a call, an SMS or a fax, of those that the user may view.

    For each the keys, by indexes; and what tells a notification about such a one from others, where these are not all.
    """
    for model in _NAMES:
        if request.user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}"):
            same = _same(model, request, term)
            yield _keys_about(model, request, rows, term), Q(*map(Exists, same), _connector=Q.OR)


def _keys_about(model: type[Transaction], request: HttpRequest, rows: QuerySet[Any], term: str) -> Keys:
    transactions = model._default_manager.using(rows.db)
    keys = keys_of(ways_to(transactions.all(), request, _FIELDS, term))
    found = Keys(keys=frozenset(), are_all=keys.are_all)
    some = keys.keys if keys.are_all else sorted(keys.keys)[:OFFERED]
    for name in _NAMES[model] if some else ():
        named = set(transactions.filter(pk__in=some).values_list("account", name))
        found |= _named(rows, name, named)
    return found


def _named(rows: QuerySet[Any], name: str, named: set[tuple[str, Any]]) -> Keys:
    """The keys of the notifications that bear one of the names, each of an account."""
    values = {value for _account, value in named if value}
    same = rows.filter(**{f"{name}__in": values}).order_by(name).values_list("pk", "account", name)[: FEW + 1]
    keys = {pk for pk, account, value in same if (account, value) in named}
    return Keys(keys=keys, are_all=len(same) <= FEW)


def _same(model: type[Transaction], request: HttpRequest, term: str) -> Iterator[QuerySet[Any]]:
    """The transaction of each notification, by each name, where it answers to the term."""
    condition = found_by(request, _FIELDS, term) or Q(pk__in=())
    for name in _NAMES[model]:
        same = model._default_manager.filter(**{"account": OuterRef("account"), name: OuterRef(name)})
        # The account is said in the case, too: else PostgreSQL reads the whole table into a hash, to look up few.
        yield one_by_one(same, condition & Q(account=OuterRef("account")))
