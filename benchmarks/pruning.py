"""Measure how pruning a year of old notifications delays new ones.

    python -m benchmarks.pruning --database sqlite
    python -m benchmarks.pruning --database mariadb --rows 1000000 --seconds 600

`hoiio_prune` runs in a separate process. Exits with 1 if a notification is lost, or if a request waits longer
than `--bound`.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from uuid import uuid4

from django.apps import apps
from django.db import connection

from .databases import environment, made, use
from .growth import fill
from .terminal import new_parser, show
from .traffic import bodies, environ, post, signed_path

# Maximum seconds that a request may wait for the pruning, as in docs/guides/privacy.rst.
BOUND = 1.0

# Of the stored year, the oldest quarter is deleted, and the next half is redacted.
RETENTION_DAYS = {"sms_status": (90, 270)}

# Average seconds between two requests of a client.
PAUSE = 0.01
CLIENTS = 2

_ROOT = Path(__file__).parent.parent


def main() -> None:
    arguments = _parser().parse_args()
    use(arguments.database)
    with made():
        fill(arguments.rows)
        before = _posting_while(lambda: time.sleep(arguments.quiet))
        reports: list[str] = []
        during = _posting_while(lambda: reports.append(_prune(arguments.seconds)))
        lost = len(before) + len(during) - _stored()
        show(
            f"{connection.display_name}, {arguments.rows:,} notifications there",
            ("requests", "number", "median ms", "99 % ms", "slowest ms"),
            [_figures("before", before), _figures("while it prunes", during)],
        )
        print(f"\n{reports[0]}\n{lost} notifications lost.")
    sys.exit(bool(lost) or max(during) > arguments.bound)


def _parser() -> argparse.ArgumentParser:
    parser = new_parser("pruning", __doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="stored notifications; 100000 by default")
    parser.add_argument("--seconds", type=int, default=120, help="after which it is stopped; 120 by default")
    parser.add_argument("--bound", type=float, default=BOUND, help="seconds that a request may wait; 1 by default")
    parser.add_argument("--quiet", type=int, default=5, help="seconds of requests before it begins; 5 by default")
    return parser


def _posting_while(work: Callable[[], object]) -> list[float]:
    """Post during the work and return the seconds that each request waited for its 200."""
    stop = threading.Event()
    waited: list[float] = []
    clients = [threading.Thread(target=_post_on, args=(stop, waited)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        work()
    finally:
        stop.set()
        for client in clients:
            client.join()
    return waited


def _post_on(stop: threading.Event, waited: list[float]) -> None:
    path = signed_path()
    try:
        for body in bodies(f"AA-S-new-{uuid4().hex[:8]}"):
            begun = time.perf_counter()
            post(environ(path, body))
            waited.append(time.perf_counter() - begun)
            if stop.wait(random.uniform(0, 2 * PAUSE)):
                return
    finally:
        connection.close()


def _prune(seconds: int) -> str:
    """Run the command, stop it after `seconds`, and return its report."""
    before, begun = _counts(), time.monotonic()
    command = subprocess.Popen(
        [sys.executable, "-m", "django", "hoiio_prune", "--verbosity", "2"],
        cwd=_ROOT,
        env=environment(HOIIO_BENCHMARK_RETENTION=json.dumps(RETENTION_DAYS)),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        printed, _ = command.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        command.kill()
        command.communicate()
        printed = f"Stopped after {seconds} seconds."
    took, after = time.monotonic() - begun, _counts()
    pruned = sum(abs(new - old) for old, new in zip(before, after, strict=True))
    return f"{printed.strip()}\n{pruned:,} notifications in {took:.0f} s, {pruned / took:,.0f} a second."


def _counts() -> tuple[int, int]:
    """Return the number of the old notifications, and how many of them are redacted."""
    old = apps.get_model("django_hoiio", "Notification")._default_manager.exclude(txn_ref__startswith="AA-S-new-")
    return old.count(), old.exclude(redacted_at=None).count()


def _stored() -> int:
    return (
        apps.get_model("django_hoiio", "Notification")._default_manager.filter(txn_ref__startswith="AA-S-new-").count()
    )


def _figures(name: str, waited: list[float]) -> tuple[str, ...]:
    milliseconds = [seconds * 1e3 for seconds in waited]
    most = quantiles(milliseconds, n=100)[-1]
    return name, f"{len(waited):,}", f"{median(milliseconds):.1f}", f"{most:.1f}", f"{max(milliseconds):.0f}"


if __name__ == "__main__":
    main()
