"""The page of a bulk SMS: outcomes and costs of its messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_hoiio.enums import SmsStatus
from django_hoiio.masking import NUMBER, mask_rows
from django_hoiio.models import Sms
from django_hoiio.search import MAX_TERM_LENGTH

from .conversation import ConversationPage
from .formatting import amount_text

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

# Hoiio accepts 1,000 recipients per bulk SMS. A refused message without a reference gets a row per notification.
MAX_MESSAGES = 2_000

# Failed messages shown with a link. The list of numbers to copy has all.
MAX_LISTED = 200


@dataclass(frozen=True, kw_only=True)
class Share:
    """A segment of the bar: the messages with one outcome."""

    name: str
    title: _StrOrPromise
    tone: str
    count: int
    # In thousandths of the bar.
    start: float = 0
    width: float = 0


@dataclass(frozen=True, kw_only=True)
class Bulk:
    """Outcomes and costs of the messages of a bulk SMS."""

    rows: Sequence[Sms]
    counts: Mapping[str, int]
    # By currency. Amounts in different currencies are not added.
    costs: Mapping[str, Decimal]
    # Messages whose cost Hoiio has not reported yet.
    unpriced: int
    failed: Sequence[Sms]

    @property
    def accepted(self) -> int:
        return len(self.rows) - self.counts["refused"]


# Outcome → title and colour class, as in `formatting.label`.
_OUTCOMES: dict[str, tuple[_StrOrPromise, str]] = {
    "delivered": (_("Delivered"), "success"),
    "waiting": (_("Waiting"), "pending"),
    "failed": (_("Failed"), "error"),
    "refused": (_("Refused"), "warning"),
}
_OUTCOME_OF_STATUS = {
    SmsStatus.DELIVERED.value: "delivered",
    SmsStatus.FAILED.value: "failed",
    SmsStatus.ERROR.value: "failed",
}


def outcome_of(sms: Sms) -> str:
    """Return the outcome of a message: its delivery status, or else whether Hoiio accepted it.

    The two reports arrive in any order, and either can create the row. An undocumented status counts as waiting.
    """
    if sms.sms_status:
        return _OUTCOME_OF_STATUS.get(sms.sms_status, "waiting")
    return "refused" if sms.status.startswith("error_") else "waiting"


def bulk_of(rows: Sequence[Sms]) -> Bulk:
    """Count the outcomes and add up the costs."""
    costs: dict[str, Decimal] = {}
    for sms in rows:
        if sms.debit is not None:
            costs[sms.currency] = costs.get(sms.currency, Decimal(0)) + sms.debit
    outcomes = [outcome_of(sms) for sms in rows]
    return Bulk(
        rows=rows,
        counts=Counter({name: outcomes.count(name) for name in _OUTCOMES}),
        costs=costs,
        unpriced=sum(sms.debit is None for sms in rows),
        failed=[sms for sms, outcome in zip(rows, outcomes, strict=True) if outcome in ("failed", "refused")],
    )


def shares_of(bulk: Bulk) -> list[Share]:
    """Return the segments of the bar, from left to right."""
    shares, start = [], 0.0
    for name, (title, tone) in _OUTCOMES.items():
        count = bulk.counts[name]
        width = round(1000 * count / (len(bulk.rows) or 1), 2)
        shares.append(Share(name=name, title=title, tone=tone, count=count, start=round(start, 2), width=width))
        start += width
    return shares


class BulkPage(ConversationPage):
    """Add the page of a bulk SMS, with links from each of its messages and from the search."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.bulk_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_bulk"
        return [path("bulk/", view, name=name), *super().get_urls()]

    def links(self, request: HttpRequest, row: Any) -> Iterable[str]:
        yield from super().links(request, row)
        if row.bulk_txn_ref:
            yield self._bulk_link(row.account, row.bulk_txn_ref)

    def _bulk_link(self, account: str, reference: str) -> str:
        url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_bulk", current_app=self.admin_site.name)
        query = urlencode({"account": account, "bulk_txn_ref": reference})
        return format_html('<a href="{}?{}">{}</a>', url, query, gettext("Bulk SMS %s") % reference)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        term = request.GET.get("q", "").strip()
        if term and self.has_view_permission(request):
            self._offer(request, term)
        return super().changelist_view(request, extra_context)

    def _offer(self, request: HttpRequest, term: str) -> None:
        """Link to the page of a bulk SMS if `term` is its whole reference."""
        if len(term) > MAX_TERM_LENGTH or "\0" in term:
            return
        found = self.get_queryset(request).filter(bulk_txn_ref=term).order_by()
        # Count in Python, and at most as many rows as the page shows.
        for account, count in Counter(found.values_list("account", flat=True)[:MAX_MESSAGES]).most_common(5):
            text = gettext("{count} of these belong to one bulk SMS: {link}")
            messages.info(request, format_html(text, count=count, link=self._bulk_link(account, term)))

    def bulk_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        account, reference = request.GET.get("account", "default"), request.GET.get("bulk_txn_ref", "")
        rows = self._messages_of(request, account, reference)
        bulk = bulk_of(rows[:MAX_MESSAGES])
        context = {
            "account": account,
            "reference": reference,
            "bulk": bulk,
            "is_cut": len(rows) > MAX_MESSAGES,
            "most": MAX_MESSAGES,
            "shares": shares_of(bulk),
            "costs": [amount_text(cost, currency) for currency, cost in sorted(bulk.costs.items())],
            "failed": [self._line(request, sms) for sms in bulk.failed[:MAX_LISTED]],
            "listed": MAX_LISTED,
            "numbers": "\n".join(dict.fromkeys(sms.remote_number for sms in bulk.failed if sms.remote_number)),
            "may_copy": NUMBER.is_visible(request),
        }
        title = gettext("Bulk SMS %s") % reference
        return self.render_page(request, "admin/django_hoiio/bulk.html", title, context)

    def _line(self, request: HttpRequest, sms: Sms) -> tuple[str, str, str]:
        return self.link_to(request, sms), self.number_link(sms, "remote_number"), self.status_words(sms)

    def _messages_of(self, request: HttpRequest, account: str, reference: str) -> list[Sms]:
        if not reference or "\0" in reference + account or len(reference) > MAX_TERM_LENGTH:
            raise Http404("There is no such bulk SMS.")
        found: Any = self.get_queryset(request).filter(bulk_txn_ref=reference, account=account)
        rows: list[Sms] = list(found.order_by("pk")[: MAX_MESSAGES + 1])
        if not rows:
            raise Http404("There is no such bulk SMS.")
        mask_rows(request, rows)
        return rows
