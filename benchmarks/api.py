"""Measure the pages of the read API, with different numbers of rows in the tables.

    python -m benchmarks.api --database sqlite
    python -m benchmarks.api --database postgres --rows 1000,1000000

One request is a page of 100 SMS, or of notifications, as JSON: the queries, the masking and the writing.
"""

from __future__ import annotations

import argparse
import random
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from statistics import median
from typing import Any

from django.apps import apps
from django.test import Client
from tqdm import tqdm

from .databases import made, use
from .growth import YEAR, fill
from .terminal import new_parser, numbers, show, show_versions


def main() -> None:
    arguments = _parser().parse_args()
    use(arguments.database)
    with made():
        show_versions()
        _measure(arguments.rows, arguments.requests)


def _parser() -> argparse.ArgumentParser:
    parser = new_parser("api", __doc__)
    parser.add_argument(
        "--rows", type=numbers, default=[1000], help="numbers of stored notifications, for example 1000,1000000"
    )
    parser.add_argument("--requests", type=int, default=50, help="of each kind; 50 by default")
    return parser


def _measure(sizes: Sequence[int], requests: int) -> None:
    """Print a table for each size, compared with the first."""
    first: dict[str, float] = {}
    for rows in sizes:
        fill(rows)
        seconds = _take_turns(_Filled(), requests, f"{rows:,} notifications")
        first = first or seconds
        show(
            f"A page, {rows:,} notifications and half as many SMS there",
            ("asked for", "µs", f"to {sizes[0]:,} rows"),
            [(name, f"{one * 1e6:.0f}", f"{one / first[name]:.2f}") for name, one in seconds.items()],
        )


class _Filled:
    """Random requests for the rows of the tables."""

    def __init__(self) -> None:
        self.sms = apps.get_model("django_hoiio", "Sms")._default_manager
        self.notifications = apps.get_model("django_hoiio", "Notification")._default_manager
        self.count = self.sms.count()
        self.last: int = self.sms.order_by("-pk").values_list("pk", flat=True)[0]

    def row(self) -> Any:
        return self.sms.filter(pk__lte=random.randint(1, self.last)).order_by("-pk")[0]

    def span(self, name: str, rows: int) -> dict[str, str]:
        """Return a time span that contains this many SMS."""
        width, end = (
            self.gap * rows,
            datetime.now(timezone.utc) - self.gap * random.randint(min(rows, self.count), self.count),
        )
        return {f"{name}_from": (end - width).isoformat(), f"{name}_to": end.isoformat()}

    def since(self, rows: int) -> dict[str, str]:
        """Return the moment since which this many SMS changed."""
        return {"updated_since": (datetime.now(timezone.utc) - self.gap * rows).isoformat()}

    @property
    def gap(self) -> timedelta:
        """Return the time between two SMS."""
        return timedelta(seconds=YEAR) / self.count


Query = Callable[[_Filled], dict[str, Any]]


def _cursor(key: int) -> dict[str, str]:
    """Return the cursor of the page below a key."""
    return {"cursor": b64encode(f"p=pk.0.{key}".encode()).decode()}


# Name in the table → request. A tag and a reference are those of one SMS.
_SMS: dict[str, Query] = {
    "the newest": lambda filled: {},
    "anywhere": lambda filled: _cursor(random.randint(min(200, filled.last), filled.last)),
    "number": lambda filled: {"number": filled.row().remote_number},
    "last 8 digits": lambda filled: {"number": filled.row().remote_suffix},
    "tag": lambda filled: {"tag": filled.row().tag},
    "txn_ref": lambda filled: {"txn_ref": filled.row().txn_ref},
    "bulk_txn_ref, none": lambda filled: {"bulk_txn_ref": "AA-B-0"},
    "final": lambda filled: {"final": "true"},
    "not final, none": lambda filled: {"final": "false"},
    "a span": lambda filled: filled.span("created", 150),
    "a span of those that are final": lambda filled: {"final": "true", **filled.span("created", 150)},
    "a span and a direction": lambda filled: {"direction": "outgoing", **filled.span("created", 150)},
    "updated_since": lambda filled: filled.since(100),
    "updated_since and a direction": lambda filled: {"direction": "outgoing", **filled.since(100)},
    "sms_status, all": lambda filled: {"sms_status": "delivered"},
    "sms_status, none": lambda filled: {"sms_status": "failed"},
    "a span and a sms_status, none": lambda filled: {"sms_status": "failed", "created_from": "2000-01-01T00:00:00Z"},
}
_NOTIFICATIONS: dict[str, Query] = {
    "the newest": lambda filled: {},
    "anywhere": lambda filled: _cursor(2 * random.randint(min(200, filled.last), filled.last)),
    "txn_ref": lambda filled: {"txn_ref": filled.row().txn_ref},
    "session, none": lambda filled: {"session": "S0"},
    "a span": lambda filled: filled.span("received", 80),
    "updated_since": lambda filled: filled.since(60),
    "kind, all": lambda filled: {"kind": "sms_status"},
    "kind, none": lambda filled: {"kind": "call_ended"},
}
_PATHS = {
    f"{name}: {asked}": (f"/api/{name}/", query)
    for name, queries in (("sms", _SMS), ("notifications", _NOTIFICATIONS))
    for asked, query in queries.items()
}


def _take_turns(filled: _Filled, requests: int, title: str) -> dict[str, float]:
    """Return the median seconds of each request, by name."""
    taken: dict[str, list[float]] = {name: [] for name in _PATHS}
    client = Client()
    for _ in tqdm(range(requests), desc=title, unit=" requests each", leave=False, disable=None):
        for name in random.sample(list(_PATHS), len(_PATHS)):
            path, query = _PATHS[name]
            asked = query(filled)
            # Not timed, because the caches hold the data of another request.
            _get(client, path, asked)
            began = time.perf_counter()
            _get(client, path, asked)
            taken[name].append(time.perf_counter() - began)
    return {name: median(seconds) for name, seconds in taken.items()}


def _get(client: Client, path: str, query: dict[str, Any]) -> None:
    """Let the project answer a request. Raises RuntimeError if the status is not 200."""
    status = client.get(path, query).status_code
    if status != 200:
        raise RuntimeError(f"{path} with {', '.join(query)} was answered with {status}.")


if __name__ == "__main__":
    main()
