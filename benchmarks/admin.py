"""Measure the pages of the admin, compared with a plain ModelAdmin.

    python -m benchmarks.admin --database sqlite --rows 1000,1000000
    python -m benchmarks.admin --database postgres --rows 1000,1000000

One request is one page, from the request to the last byte of the HTML, for a superuser who is logged in.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse
from tqdm import tqdm

from .databases import made_for, turn_to, use
from .growth import mix
from .terminal import new_parser, numbers, show, show_versions

# Maximum seconds for all requests of one page. A slow page has fewer turns.
TIME_LIMIT = 20

USERNAME = "reader"


def main() -> None:
    arguments = _parser().parse_args()
    use(arguments.database, with_admin=True)
    with made_for(arguments.rows, _fill) as names:
        turn_to(names[arguments.rows[0]])
        show_versions()
        _show(_take_turns(names, arguments.turns))


def _parser() -> argparse.ArgumentParser:
    parser = new_parser("admin", __doc__)
    parser.add_argument(
        "--rows", type=numbers, default=[1000], help="numbers of stored notifications, for example 1000,1000000"
    )
    parser.add_argument("--turns", type=int, default=15, help="of each page; 15 by default")
    return parser


# The measured pages.


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page: its name, path and query."""

    name: str
    path: str
    query: dict[str, str] = field(default_factory=dict)


_NOTIFICATIONS, _CALLS, _SMS, _FAXES = (f"django_hoiio.{name}" for name in ("notification", "call", "sms", "fax"))
_FAILURES = "django_hoiio.receiverfailure"
_PLAIN = "benchmarks.plainnotification"

PLAIN_LIST = "plain: first page"


def _pages() -> Iterator[Page]:
    """Yield all pages, for the current rows."""
    half = apps.get_model(_PLAIN)._default_manager.count() // 50 // 2 or 1
    yield Page(name=PLAIN_LIST, path=_list(_PLAIN))
    yield Page(name="plain: page in the middle", path=_list(_PLAIN), query={"p": str(half)})
    yield Page(name="plain: filter, kind that no row has", path=_list(_PLAIN), query={"kind__exact": "ivr_unhold"})
    yield Page(name="plain: search", path=_list(_PLAIN), query={"q": "AA-S-filled-9"})
    for name, model, query in (*_LISTS, *_lists_by_row()):
        yield Page(name=f"{model.partition('.')[2]}: {name}", path=_list(model), query=query)
    yield from _pages_of_one()
    yield Page(name="dashboard, 30 days", path=reverse("admin:app_list", args=["django_hoiio"]))
    yield Page(name="dashboard, 365 days", path=reverse("admin:app_list", args=["django_hoiio"]), query={"days": "365"})


def _list(model: str) -> str:
    return reverse(f"admin:{model.replace('.', '_')}_changelist")


def _page(model: str, key: int, page: str = "change") -> str:
    return reverse(f"admin:{model.replace('.', '_')}_{page}", args=[key])


def _pages_of_one() -> Iterator[Page]:
    """Yield the pages of a row in the middle."""
    for model in (_CALLS, _SMS, _FAXES):
        key = _middle(model)
        name = model.partition(".")[2]
        yield Page(name=f"{name}: its page", path=_page(model, key))
        yield Page(name=f"{name}: its conversation", path=_page(model, key, "conversation"))
    yield Page(name="notification: its page", path=_page(_NOTIFICATIONS, _middle(_NOTIFICATIONS)))
    bulk = {"bulk_txn_ref": _rows(_SMS).exclude(bulk_txn_ref="").order_by("-pk")[0].bulk_txn_ref}
    yield Page(name="sms: the page of a bulk SMS", path=reverse("admin:django_hoiio_sms_bulk"), query=bulk)


def _rows(model: str) -> QuerySet[Any]:
    rows: QuerySet[Any] = apps.get_model(model)._default_manager.all()
    return rows


def _middle(model: str) -> int:
    """Return the key of the row in the middle."""
    keys = _rows(model).order_by("pk").values_list("pk", flat=True)
    middle: int = keys.filter(pk__gte=(keys[0] + keys.reverse()[0]) // 2)[0]
    return middle


def _lists_by_row() -> Iterator[tuple[str, str, dict[str, str]]]:
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
    ("filter, status that is common", _SMS, {"sms_status": "delivered"}),
    ("filter, status that is rare", _SMS, {"sms_status": "error"}),
    ("filter, status that no row has", _SMS, {"sms_status": "bounced"}),
    ("filter, direction", _SMS, {"direction__exact": "incoming"}),
    ("filter, not final", _SMS, {"open": "yes"}),
    ("filter, overdue", _SMS, {"overdue": "yes"}),
    ("search, beginning of a bulk reference", _SMS, {"q": "AA-B-filled-9"}),
    ("search, beginning that many have", _SMS, {"q": "AA-S-filled-1"}),
    ("search, tag that many have", _SMS, {"q": "campaign"}),
    ("search, number that no row has", _SMS, {"q": "+6599999999"}),
    ("first page", _CALLS, {}),
    ("filter, outcome", _CALLS, {"outcome": "busy"}),
    ("filter, outcome that no row has", _CALLS, {"outcome": "failed"}),
    ("search, session", _CALLS, {"q": "S-filled-9"}),
    ("first page", _FAXES, {}),
    ("filter, status that is rare", _FAXES, {"fax_status__exact": "failed"}),
    ("first page", _FAILURES, {}),
    ("filter, not resolved", _FAILURES, {"unresolved": "yes"}),
    ("search", _FAILURES, {"q": "AA-S-filled-9"}),
)


# Measuring.


def _fill(rows: int) -> None:
    mix(rows)
    # Nothing is due for deletion, but it closes days, as it does each night.
    call_command("hoiio_prune", verbosity=0)
    get_user_model()._default_manager.create_superuser(USERNAME)


@dataclass(kw_only=True)
class Measured:
    """The seconds of each request of one page, and the number of its rows."""

    seconds: list[float] = field(default_factory=list)
    rows: int = 0


def _take_turns(names: dict[int, str], turns: int) -> dict[int, dict[str, Measured]]:
    """Measure sizes and pages in random order, in turns. Return the results by size and page name."""
    measured: dict[int, dict[str, Measured]] = {size: {} for size in names}
    for _ in tqdm(range(turns), desc="Pages", unit="turn", leave=False, disable=None):
        for size, name in random.sample(list(names.items()), len(names)):
            turn_to(name)
            _turn(measured[size])
    return measured


def _turn(measured: dict[str, Measured]) -> None:
    """Open each page once."""
    client = Client()
    client.force_login(get_user_model()._default_manager.get(username=USERNAME))
    pages = list(_pages())
    # Not timed: the connection is new.
    _open(client, pages[-1], Measured())
    for page in pages:
        measured.setdefault(page.name, Measured())
    for page in random.sample(pages, len(pages)):
        if sum(measured[page.name].seconds) < TIME_LIMIT:
            _open(client, page, measured[page.name])


def _open(client: Client, page: Page, measured: Measured) -> None:
    """Open a page and record its time and rows."""
    began = time.perf_counter()
    response = client.get(page.path, page.query)
    measured.seconds.append(time.perf_counter() - began)
    if response.status_code != 200:
        raise RuntimeError(f"{page.name} answered {response.status_code}.")
    _before, _start, table = response.content.partition(b'id="result_list"')
    measured.rows = max(0, table.partition(b"</table>")[0].count(b"</tr>") - 1)


def _show(measured: dict[int, dict[str, Measured]]) -> None:
    """Print a table for each size: pages compared with the plain list, and with the smallest size."""
    least = min(measured)
    for size, pages in measured.items():
        took = {name: median(page.seconds) for name, page in pages.items()}
        show(
            f"{size:,} notifications there",
            ("page", "rows", "ms", "to plain", f"to {least:,}"),
            [
                (
                    *(name, str(page.rows), f"{took[name] * 1e3:.1f}"),
                    f"{took[name] / took[PLAIN_LIST]:.3f}",
                    f"{took[name] / median(measured[least][name].seconds):.2f}",
                )
                for name, page in pages.items()
            ],
        )


if __name__ == "__main__":
    main()
