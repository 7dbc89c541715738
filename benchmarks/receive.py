"""Measure receiving a notification, compared with code that a project might have written itself.

    python -m benchmarks.receive --database sqlite
    python -m benchmarks.receive --database postgres --rows 0,100000,1000000

One request stores one notification and updates the row of one SMS. In process, the candidates run in small batches and
random order, so that noise affects all alike. Over HTTP, gunicorn serves them and `wrk` posts, also in turns.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.db import connection
from tqdm import tqdm

from django_hoiio.signals import sms_status

from .databases import environment, made, use
from .growth import fill
from .terminal import new_parser, numbers, show, show_versions
from .traffic import bodies, environ, post, signed_path

# In process.
BATCH = 20
# Not timed, because the caches hold the data of another candidate. This many, because
# psycopg prepares a statement at its sixth execution.
WARM_UP = 6

# Over HTTP.
WORKERS = 2
CONNECTIONS = 8
ROUNDS = 5

_HERE = Path(__file__).parent


def main() -> None:
    arguments = _parser().parse_args()
    if arguments.seconds and shutil.which("wrk") is None:
        sys.exit("wrk was not found; install it (Debian: apt-get install wrk), or leave HTTP out with --no-http.")
    use(arguments.database)
    with made():
        show_versions()
        _in_process(arguments.rows, arguments.requests)
        if arguments.seconds:
            _over_http(arguments.seconds)


def _parser() -> argparse.ArgumentParser:
    parser = new_parser("receive", __doc__)
    parser.add_argument(
        "--rows", type=numbers, default=[0], help="numbers of stored notifications, for example 0,100000"
    )
    parser.add_argument("--requests", type=int, default=2000, help="to each candidate; 2000 by default")
    parser.add_argument("--seconds", type=int, default=4, help="of each round over HTTP; 4 by default")
    parser.add_argument("--no-http", dest="seconds", action="store_const", const=0, help="in process alone")
    return parser


# The candidates.


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to receive a notification."""

    name: str
    path: Callable[[], str]
    # Whether a receiver is connected during its turn.
    has_receiver: bool = False
    # Changed settings of the connection.
    settings: Mapping[str, Any] = field(default_factory=dict)

    @contextmanager
    def on_turn(self) -> Iterator[None]:
        """Set up the receiver and the connection of this candidate, and restore them afterwards."""
        if self.has_receiver:
            sms_status.connect(_receiver)
        before = {name: connection.settings_dict[name] for name in self.settings}
        _set_up(self.settings)
        try:
            yield
        finally:
            _set_up(before)
            sms_status.disconnect(_receiver)


def _receiver(**arguments: Any) -> None:
    """Do nothing."""


def _set_up(settings: Mapping[str, Any]) -> None:
    """Change the settings of the connection and close it, so that the next one uses them."""
    if settings:
        connection.settings_dict.update(settings)
        connection.close()


EMPTY = Candidate(name="empty view", path=lambda: "/empty/")
RAW = Candidate(name="raw", path=lambda: "/raw/")
SAME_TABLES = Candidate(name="raw, on the tables of django_hoiio", path=lambda: "/same_tables/")
ORM = Candidate(name="ORM as most would write it", path=lambda: "/orm/")
NO_RECEIVER = Candidate(name="django_hoiio, no receiver", path=signed_path)
ONE_RECEIVER = Candidate(name="django_hoiio, one receiver", path=signed_path, has_receiver=True)


def _variant(candidate: Candidate, words: str, **settings: Any) -> Candidate:
    return replace(candidate, name=f"{candidate.name}, {words}", settings=settings)


ON_PERSISTENT_CONNECTION = (EMPTY, RAW, SAME_TABLES, ORM, NO_RECEIVER, ONE_RECEIVER)
# Django's default.
ON_NEW_CONNECTION = tuple(_variant(one, "CONN_MAX_AGE=0", CONN_MAX_AGE=0) for one in (RAW, ONE_RECEIVER))
# For databases with prepared statements: each is parsed and planned once per connection.
PREPARED = {
    "postgresql": tuple(
        _variant(one, "prepared", OPTIONS={"server_side_binding": True, "prepare_threshold": 5})
        for one in (RAW, NO_RECEIVER, ONE_RECEIVER)
    )
}
OVER_HTTP = (RAW, NO_RECEIVER, ONE_RECEIVER)


# In process.


def _in_process(sizes: list[int], requests: int) -> None:
    """Print a table for each size; the first also measures new connections."""
    first: dict[str, float] = {}
    for rows in sizes:
        fill(rows)
        title = f"In process, {rows:,} notifications there"
        seconds = _take_turns((*ON_PERSISTENT_CONNECTION, *PREPARED.get(connection.vendor, ())), requests, title)
        if not first:
            seconds |= _take_turns(ON_NEW_CONNECTION, requests // 4, "CONN_MAX_AGE=0")
        first = first or seconds
        show(
            title,
            ("candidate", "µs", "to raw", f"to {sizes[0]:,} rows"),
            [
                (name, f"{one * 1e6:.0f}", f"{one / seconds[RAW.name]:.2f}", f"{one / first[name]:.2f}")
                for name, one in seconds.items()
            ],
        )


def _take_turns(candidates: Sequence[Candidate], requests: int, title: str) -> dict[str, float]:
    """Return the seconds per request by the candidate's name: the median of its batches, `requests` in all."""
    traffic = {candidate.name: bodies(f"AA-S-{uuid4().hex[:8]}") for candidate in candidates}
    batches: dict[str, list[float]] = {candidate.name: [] for candidate in candidates}
    with tqdm(total=requests, desc=title, unit=" requests each", leave=False, disable=None) as progress:
        for _ in range(-(-requests // BATCH)):
            for candidate in random.sample(candidates, len(candidates)):
                batches[candidate.name].append(_batch(candidate, traffic[candidate.name]))
            progress.update(BATCH)
    return {name: median(seconds) for name, seconds in batches.items()}


def _batch(candidate: Candidate, traffic: Iterator[bytes]) -> float:
    """Post a batch and return the seconds that each request took."""
    path = candidate.path()
    requests = [environ(path, next(traffic)) for _ in range(WARM_UP + BATCH)]
    with candidate.on_turn():
        connection.ensure_connection()
        for request in requests[:WARM_UP]:
            post(request)
        began = time.perf_counter()
        for request in requests[WARM_UP:]:
            post(request)
        return (time.perf_counter() - began) / BATCH


# Over HTTP.


def application() -> WSGIHandler:
    """Return the WSGI application for gunicorn. With `HOIIO_BENCHMARK_RECEIVER`, a receiver is connected."""
    if os.environ.get("HOIIO_BENCHMARK_RECEIVER"):
        sms_status.connect(_receiver)
    return get_wsgi_application()


def _over_http(seconds: int) -> None:
    """Print a table with the median of the rounds of each candidate, of `seconds` each."""
    rounds: dict[str, list[float]] = {candidate.name: [] for candidate in OVER_HTTP}
    with ExitStack() as servers:
        ports = {each: servers.enter_context(_serving(has_receiver=each)) for each in (False, True)}
        for candidate in OVER_HTTP:
            _wrk(candidate, ports[candidate.has_receiver], 1)
        for _ in tqdm(range(ROUNDS), desc="Over HTTP", unit="round", leave=False, disable=None):
            for candidate in random.sample(OVER_HTTP, len(OVER_HTTP)):
                rounds[candidate.name].append(_wrk(candidate, ports[candidate.has_receiver], seconds))
    rates = {name: median(figures) for name, figures in rounds.items()}
    show(
        f"Over HTTP, gunicorn with {WORKERS} workers, {CONNECTIONS} connections",
        ("candidate", "requests/s", "to raw"),
        [(name, f"{one:.0f}", f"{one / rates[RAW.name]:.2f}") for name, one in rates.items()],
    )


@contextmanager
def _serving(*, has_receiver: bool) -> Iterator[int]:
    """Run gunicorn on a free port during the block."""
    port = _free_port()
    command = [sys.executable, "-m", "gunicorn", "--workers", str(WORKERS), "--log-level", "error"]
    server = subprocess.Popen(
        [*command, "--bind", f"127.0.0.1:{port}", "benchmarks.receive:application()"],
        cwd=_HERE.parent,
        env=environment(HOIIO_BENCHMARK_RECEIVER="yes" if has_receiver else ""),
    )
    try:
        _wait_for(port, server)
        yield port
    finally:
        server.terminate()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"gunicorn does not answer on port {port}; its own message is above.")


def _wrk(candidate: Candidate, port: int, seconds: int) -> float:
    """Post for this many seconds and return the requests per second."""
    url = f"http://127.0.0.1:{port}{candidate.path()}"
    command = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s"]
    # A slow disk may delay requests for seconds, which is not a failure.
    command += ["--timeout", "30s"]
    command += ["--script", str(_HERE / "post.lua"), url, "--", f"AA-S-{uuid4().hex[:8]}"]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    requests, microseconds, failures = (int(figure) for figure in printed.splitlines()[-1].split())
    if failures:
        raise RuntimeError(f"{failures} of {requests} requests to {candidate.name} failed.")
    return requests / microseconds * 1e6


if __name__ == "__main__":
    main()
