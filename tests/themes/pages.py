"""Every page of the console, and what each theme must show on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db.models import Model
from django.urls import reverse

from django_hoiio.models import Call, DailyTotal, Fax, Notification, ReceiverFailure, Sms
from tests.browser.workshop import BULK, MEI


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page, and the CSS selectors of what must be on it."""

    path: Callable[[], str]
    shows: Iterable[str] = ()


def _list(name: str, query: str = "") -> Callable[[], str]:
    return lambda: f"/admin/django_hoiio/{name}/{query}"


def _page(find: Callable[[], Model], page: str = "change") -> Callable[[], str]:
    def path() -> str:
        row = find()
        return reverse(f"admin:django_hoiio_{row._meta.model_name}_{page}", args=[row.pk])

    return path


def sms() -> Sms:
    return Sms.objects.get(txn_ref="AA-SI-9004")


SEARCH = "input[name=q]:not([type=hidden])"
DAY = "input[type=date][name=day]"
EXPORT = ".hoiio-tool button"
LABEL = ".hoiio-label.hoiio-success"
TOOL = ".hoiio-tool a"

PAGES: dict[str, Page] = {
    "index": Page(path=lambda: "/admin/"),
    "dashboard": Page(
        path=lambda: "/admin/django_hoiio/?days=7",
        shows=(".hoiio-figure.hoiio-alarm", ".hoiio-picture .hoiio-succeeded", ".hoiio-choices a[aria-current]"),
    ),
    "notifications": Page(path=_list("notification"), shows=(SEARCH, DAY, EXPORT)),
    "calls": Page(path=_list("call"), shows=(SEARCH, DAY, EXPORT, LABEL)),
    "messages": Page(path=_list("sms"), shows=(SEARCH, DAY, EXPORT, LABEL)),
    "faxes": Page(path=_list("fax"), shows=(SEARCH, DAY, EXPORT, LABEL)),
    "failures": Page(path=_list("receiverfailure"), shows=(SEARCH, EXPORT)),
    "totals": Page(path=_list("dailytotal"), shows=(DAY, EXPORT)),
    "search": Page(path=_list("sms", "?q=order 3117"), shows=(SEARCH, LABEL, ".field-reference")),
    "no match": Page(path=_list("sms", "?q=AA-nothing"), shows=(SEARCH, ".hoiio-empty a")),
    "bulk found": Page(path=_list("sms", f"?q={BULK}"), shows=(SEARCH, LABEL)),
    "message": Page(
        path=_page(lambda: Sms.objects.get(txn_ref="AA-S-9003")),
        shows=(TOOL, ".hoiio-sentence", ".hoiio-event .hoiio-caution", ".hoiio-event .hoiio-success"),
    ),
    "received message": Page(path=_page(sms), shows=(TOOL, ".hoiio-event .hoiio-error", ".hoiio-event summary")),
    "call": Page(
        path=_page(lambda: Call.objects.get(remote_number=MEI, direction="incoming")),
        shows=(TOOL, ".hoiio-results a.button"),
    ),
    "fax": Page(path=_page(lambda: Fax.objects.get(remote_number=MEI)), shows=(TOOL, ".hoiio-event")),
    "notification": Page(
        path=_page(lambda: Notification.objects.get(txn_ref="AA-SI-9004")),
        shows=(TOOL, ".hoiio-section table", ".hoiio-section pre"),
    ),
    "failure": Page(
        path=_page(lambda: ReceiverFailure.objects.unresolved().earliest("pk")), shows=(".hoiio-section pre",)
    ),
    "total": Page(path=_page(lambda: DailyTotal.objects.earliest("pk"))),
    "conversation": Page(
        path=_page(sms, "conversation"), shows=(".hoiio-message.hoiio-incoming", ".hoiio-message.hoiio-current", LABEL)
    ),
    "bulk": Page(
        path=lambda: f"/admin/django_hoiio/sms/bulk/?bulk_txn_ref={BULK}",
        shows=(".hoiio-bar rect.hoiio-success", ".hoiio-figure.hoiio-error", ".hoiio-section table", "#hoiio-numbers"),
    ),
}
