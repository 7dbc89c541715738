"""Measure a step of a phone menu, compared with a receiver that sends the same block.

    python -m benchmarks.menus --database postgres

Each request posts the key that a caller pressed and sends the next block with the client. Hoiio is an adapter of
`requests` that always accepts. Calls of both candidates alternate, so that noise affects both alike.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from django.db import connection
from requests.adapters import BaseAdapter
from tqdm import tqdm

from django_hoiio.signals import ivr_answer, ivr_flow, ivr_gather

from .databases import made, use
from .terminal import new_parser, show, show_versions
from .traffic import environ, post, signed_path

# The measured steps of each call.
STEPS = (3, 50)

NUMBER, TEXT = "+6500000001", "Press a key."
_CALL = "session=S{number}&txn_ref=AA-C-{number}&from=%2B6591234567&to=%2B6500000001"


def main() -> None:
    parser = new_parser("menus", __doc__)
    parser.add_argument("--calls", type=int, default=100, help="of each candidate; 100 by default")
    arguments = parser.parse_args()
    use(arguments.database)
    with made():
        show_versions()
        costs = _measure(arguments.calls)
    rows = []
    for step in STEPS:
        for name in CANDIDATES:
            cost, plain = costs[name, step], costs["plain receiver", step]
            more = cost.statements - plain.statements, (cost.seconds - plain.seconds) * 1e3
            figures = f"{cost.statements}", f"{cost.seconds * 1e3:.2f}", f"{more[0]}", f"{more[1]:.2f}"
            rows.append((f"{name}, step {step}", *figures, f"{cost.seconds / plain.seconds:.2f}"))
    head = ("candidate", "statements", "ms", "more statements", "more ms", "to the plain receiver")
    show(f"A step of a phone menu, {arguments.calls} calls", head, rows)


# The candidates.


def _plain(is_on: bool) -> None:
    """Connect a receiver that sends the block, or disconnect it."""
    for signal in (ivr_answer, ivr_gather):
        signal.connect(_send_block) if is_on else signal.disconnect(_send_block)


def _send_block(notification: Any, **arguments: Any) -> None:
    # The models are there after `use`.
    from django_hoiio.client import HoiioClient

    with HoiioClient(notification.account) as client:
        client.ivr.gather(session=notification.session, msg=TEXT, max_digits=1)


def _flow(is_on: bool) -> None:
    """Declare a flow that sends the block, or let it answer no call."""
    # The models are there after `use`.
    from django_hoiio import ivr
    from django_hoiio.models import Notification

    if is_on:
        ivr.flow(numbers=[NUMBER])(_menu)
    else:
        ivr_flow.disconnect(sender=Notification, dispatch_uid="django_hoiio.ivr")


async def _menu(call: Any) -> None:
    while True:
        await call.gather(TEXT, max_digits=1)


CANDIDATES: dict[str, Callable[[bool], None]] = {"plain receiver": _plain, "flow": _flow}


class _Hoiio(BaseAdapter):
    """Accepts all blocks, and stores the path of the last notify URL."""

    path = ""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self.path = urlsplit(parse_qs(str(request.body))["notify_url"][0]).path
        response = requests.Response()
        response.status_code, response._content = 200, b'{"status": "success_ok"}'
        return response

    def close(self) -> None:
        pass


# The measurement.


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Medians of one step."""

    statements: int
    seconds: float


def _measure(calls: int) -> dict[tuple[str, int], Cost]:
    from django_hoiio.client.connection import Session

    found: dict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
    Session.for_tests = hoiio = _Hoiio()
    for number in tqdm(range(calls), desc="Calls", leave=False, disable=None):
        for name in random.sample(list(CANDIDATES), len(CANDIDATES)):
            CANDIDATES[name](True)
            for step, cost in _call(f"{number}-{name[:1]}", hoiio):
                found[name, step].append(cost)
            CANDIDATES[name](False)
    return {
        each: Cost(statements=int(median(one for one, _ in costs)), seconds=median(one for _, one in costs))
        for each, costs in found.items()
    }


def _call(number: str, hoiio: _Hoiio) -> Iterator[tuple[int, tuple[int, float]]]:
    """Make a call, and yield the statements and seconds of each measured step."""
    call, path, result = _CALL.format(number=number), signed_path("ivr"), "ivr_block=answer&call_state=ringing"
    for step in range(1, max(STEPS) + 1):
        request = environ(path, f"{call}&{result}".encode())
        with _counted() as statements:
            began = time.perf_counter()
            post(request)
            seconds = time.perf_counter() - began
        if step in STEPS:
            yield step, (len(statements), seconds)
        path, result = hoiio.path, "ivr_block=gather&call_state=ongoing&digits=1"


@contextmanager
def _counted() -> Iterator[list[str]]:
    """Yield the statements of the block."""
    statements: list[str] = []

    def count(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        statements.append(sql)
        return execute(sql, *arguments)

    with connection.execute_wrapper(count):
        yield statements


if __name__ == "__main__":
    main()
