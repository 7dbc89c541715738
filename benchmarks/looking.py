"""The measured pages: those of the admin, and those of a plain ModelAdmin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db.models import QuerySet
from django.urls import reverse


@dataclass(frozen=True, kw_only=True)
class Look:
    """One page: its name, path and query."""

    name: str
    path: str
    query: dict[str, str] = field(default_factory=dict)


_NOTIFICATIONS, _CALLS, _SMS, _FAXES = (f"django_hoiio.{name}" for name in ("notification", "call", "sms", "fax"))
_FAILURES = "django_hoiio.receiverfailure"
_PLAIN = "benchmarks.plainnotification"

STOCK = "stock: first page"


def looks() -> Iterator[Look]:
    """Yield all pages, for the current rows."""
    half = apps.get_model(_PLAIN)._default_manager.count() // 50 // 2 or 1
    yield Look(name=STOCK, path=_list(_PLAIN))
    yield Look(name="stock: page in the middle", path=_list(_PLAIN), query={"p": str(half)})
    yield Look(name="stock: filter, kind that no row has", path=_list(_PLAIN), query={"kind__exact": "ivr_unhold"})
    yield Look(name="stock: search", path=_list(_PLAIN), query={"q": "AA-S-filled-9"})
    for name, model, query in (*_LISTS, *_within()):
        yield Look(name=f"{model.partition('.')[2]}: {name}", path=_list(model), query=query)
    yield from _of_one()
    yield Look(name="dashboard, 30 days", path=reverse("admin:app_list", args=["django_hoiio"]))
    yield Look(name="dashboard, 365 days", path=reverse("admin:app_list", args=["django_hoiio"]), query={"days": "365"})


def _list(model: str) -> str:
    return reverse(f"admin:{model.replace('.', '_')}_changelist")


def _page(model: str, key: int, page: str = "change") -> str:
    return reverse(f"admin:{model.replace('.', '_')}_{page}", args=[key])


def _of_one() -> Iterator[Look]:
    """Yield the pages of a row in the middle."""
    for model in (_CALLS, _SMS, _FAXES):
        key = _middle(model)
        name = model.partition(".")[2]
        yield Look(name=f"{name}: its page", path=_page(model, key))
        yield Look(name=f"{name}: its conversation", path=_page(model, key, "conversation"))
    yield Look(name="notification: its page", path=_page(_NOTIFICATIONS, _middle(_NOTIFICATIONS)))
    bulk = {"bulk_txn_ref": _rows(_SMS).exclude(bulk_txn_ref="").order_by("-pk")[0].bulk_txn_ref}
    yield Look(name="sms: the page of a bulk SMS", path=reverse("admin:django_hoiio_sms_bulk"), query=bulk)


def _rows(model: str) -> QuerySet[Any]:
    rows: QuerySet[Any] = apps.get_model(model)._default_manager.all()
    return rows


def _middle(model: str) -> int:
    """Return the key of the row in the middle."""
    keys = _rows(model).order_by("pk").values_list("pk", flat=True)
    middle: int = keys.filter(pk__gte=(keys[0] + keys.reverse()[0]) // 2)[0]
    return middle


def _within() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield the lists whose queries depend on the current rows."""
    middle = _middle(_NOTIFICATIONS)
    near = _rows(_NOTIFICATIONS).filter(pk__lte=middle, kind="sms_status").order_by("-pk")
    of_middle = _rows(_SMS).filter(txn_ref=near.values_list("txn_ref", flat=True)[0])[0]
    day = {"day": f"{of_middle.created_at:%Y-%m-%d}"}
    yield "deep page", _NOTIFICATIONS, {"older_than": str(middle)}
    yield "day", _NOTIFICATIONS, day
    yield "search, whole reference", _NOTIFICATIONS, {"q": of_middle.txn_ref}
    yield "search, whole number", _NOTIFICATIONS, {"q": of_middle.remote_number}
    yield "deep page", _SMS, {"older_than": str(of_middle.pk)}
    yield "day", _SMS, day
    yield "search, whole reference", _SMS, {"q": of_middle.txn_ref}
    yield "search, whole number", _SMS, {"q": of_middle.remote_number}
    yield "search, last 8 digits", _SMS, {"q": of_middle.remote_suffix}
    yield "search, tag", _SMS, {"q": of_middle.tag}


_LISTS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("first page", _NOTIFICATIONS, {}),
    ("oldest page", _NOTIFICATIONS, {"newer_than": "0"}),
    ("filter, kind that is common", _NOTIFICATIONS, {"kind__exact": "sms_status"}),
    ("filter, kind that is rare", _NOTIFICATIONS, {"kind__exact": "ivr_transfer"}),
    ("filter, kind that no row has", _NOTIFICATIONS, {"kind__exact": "ivr_unhold"}),
    ("filter, pending", _NOTIFICATIONS, {"pending": "yes"}),
    ("filter, failed receivers", _NOTIFICATIONS, {"failing": "yes"}),
    ("search, beginning that many have", _NOTIFICATIONS, {"q": "AA-S"}),
    ("search, beginning of a session", _NOTIFICATIONS, {"q": "S-filled-9"}),
    ("search, beginning that no row has", _NOTIFICATIONS, {"q": "nothing"}),
    ("search, tag that many have", _NOTIFICATIONS, {"q": "campaign"}),
    ("first page", _SMS, {}),
    ("filter, status that is common", _SMS, {"sms_status__exact": "delivered"}),
    ("filter, status that is rare", _SMS, {"sms_status__exact": "error"}),
    ("filter, status that no row has", _SMS, {"sms_status__exact": "bounced"}),
    ("filter, direction", _SMS, {"direction__exact": "incoming"}),
    ("filter, not final", _SMS, {"open": "yes"}),
    ("filter, overdue", _SMS, {"overdue": "yes"}),
    ("search, beginning of a bulk reference", _SMS, {"q": "AA-B-filled-9"}),
    ("search, beginning that many have", _SMS, {"q": "AA-S-filled-1"}),
    ("search, tag that many have", _SMS, {"q": "campaign"}),
    ("search, number that no row has", _SMS, {"q": "+6599999999"}),
    ("first page", _CALLS, {}),
    ("filter, state", _CALLS, {"call_state__exact": "ongoing"}),
    ("filter, outcome", _CALLS, {"outcome": "busy"}),
    ("filter, outcome that no row has", _CALLS, {"outcome": "failed"}),
    ("filter, missed", _CALLS, {"missed": "yes"}),
    ("search, session", _CALLS, {"q": "S-filled-9"}),
    ("first page", _FAXES, {}),
    ("filter, status that is rare", _FAXES, {"fax_status__exact": "failed"}),
    ("first page", _FAILURES, {}),
    ("filter, not resolved", _FAILURES, {"unresolved": "yes"}),
    ("search", _FAILURES, {"q": "AA-S-filled-9"}),
)
