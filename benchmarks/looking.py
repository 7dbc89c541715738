"""The pages that are measured: those of django_hoiio's lists, and those of a list as most would have written it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.apps import apps
from django.urls import reverse


@dataclass(frozen=True, kw_only=True)
class Look:
    """One page, as its address asks for it."""

    name: str
    model: str
    query: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return reverse(f"admin:{self.model.replace('.', '_')}_changelist")


_NOTIFICATIONS, _CALLS, _SMS = "django_hoiio.notification", "django_hoiio.call", "django_hoiio.sms"
_PLAIN = "benchmarks.plainnotification"

STOCK = Look(name="stock: first page", model=_PLAIN)


def looks() -> Iterator[Look]:
    """All pages, on what is in the tables now."""
    yield STOCK
    pages = apps.get_model(_PLAIN)._default_manager.count() // 50
    yield Look(name="stock: page in the middle", model=_PLAIN, query={"p": str(pages // 2 or 1)})
    yield Look(name="stock: filter, kind that no row has", model=_PLAIN, query={"kind__exact": "ivr_unhold"})
    yield Look(name="stock: search", model=_PLAIN, query={"q": "AA-S-filled-9"})
    for name, model, query in (*_ASKED, *_within()):
        yield Look(name=f"{model.partition('.')[2]}: {name}", model=model, query=query)


def _within() -> Iterator[tuple[str, str, dict[str, str]]]:
    """What depends on the rows that are there."""
    keys = apps.get_model(_NOTIFICATIONS)._default_manager.order_by("pk").values_list("pk", flat=True)
    middle = (keys[0] + keys.reverse()[0]) // 2
    rows = apps.get_model(_NOTIFICATIONS)._default_manager.filter(pk__lte=middle)
    of_middle = apps.get_model(_SMS)._default_manager.filter(
        txn_ref=rows.filter(kind="sms_status").order_by("-pk").values_list("txn_ref", flat=True)[0]
    )[0]
    yield "deep page", _NOTIFICATIONS, {"older_than": str(middle)}
    yield "day", _NOTIFICATIONS, {"day": f"{of_middle.created_at:%Y-%m-%d}"}
    yield "search, whole reference", _NOTIFICATIONS, {"q": of_middle.txn_ref}
    yield "search, whole number", _NOTIFICATIONS, {"q": of_middle.other_number}
    yield "day", _SMS, {"day": f"{of_middle.created_at:%Y-%m-%d}"}
    yield "search, whole reference", _SMS, {"q": of_middle.txn_ref}
    yield "search, whole number", _SMS, {"q": of_middle.other_number}
    yield "search, last 8 digits", _SMS, {"q": of_middle.other_tail}
    yield "search, tag", _SMS, {"q": of_middle.tag}


_ASKED: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("first page", _NOTIFICATIONS, {}),
    ("oldest page", _NOTIFICATIONS, {"newer_than": "0"}),
    ("filter, kind that is common", _NOTIFICATIONS, {"kind__exact": "sms_status"}),
    ("filter, kind that is rare", _NOTIFICATIONS, {"kind__exact": "ivr_transfer"}),
    ("filter, kind that no row has", _NOTIFICATIONS, {"kind__exact": "ivr_unhold"}),
    ("filter, not told", _NOTIFICATIONS, {"untold": "yes"}),
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
    ("first page", "django_hoiio.fax", {}),
    ("filter, status that is rare", "django_hoiio.fax", {"fax_status__exact": "failed"}),
    ("first page", "django_hoiio.receiverfailure", {}),
    ("filter, not mended", "django_hoiio.receiverfailure", {"unmended": "yes"}),
    ("search", "django_hoiio.receiverfailure", {"q": "AA-S-filled-9"}),
)
