"""What pruning a year of old notifications costs those that come in meanwhile.

    python -m benchmarks.pruning --database sqlite
    python -m benchmarks.pruning --database mariadb --rows 1000000 --seconds 600

`hoiio_prune` runs in a process of its own. Exits with 1 where a notification is lost, or where a request waits longer
than `--bound`.
"""

from __future__ import annotations

import argparse
import json
import os
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

from .databases import DATABASES, made, use
from .growth import fill
from .posting import environ, post
from .tables import show
from .traffic import bodies, signed_path

# Seconds that a request waits at most for what the pruning holds, as docs/privacy.rst says.
BOUND = 1.0

# Of the year that is there, the oldest quarter goes, and the half after it is blanked.
RETENTION_DAYS = {"sms_status": (90, 270)}

# Seconds that a client rests between two requests, on average.
REST = 0.01
CLIENTS = 2

_ROOT = Path(__file__).parent.parent


def main() -> None:
    arguments = _parser().parse_args()
    use(arguments.database)
    with made():
        fill(arguments.rows)
        before = _posting_while(lambda: time.sleep(arguments.quiet))
        said: list[str] = []
        during = _posting_while(lambda: said.append(_prune(arguments.seconds)))
        lost = len(before) + len(during) - _kept()
        show(
            f"{connection.display_name}, {arguments.rows:,} notifications there",
            ("requests", "number", "median ms", "99 % ms", "slowest ms"),
            [_figures("before", before), _figures("while it prunes", during)],
        )
        print(f"\n{said[0]}\n{lost} notifications lost.")
    sys.exit(bool(lost) or max(during) > arguments.bound)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pruning", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--rows", type=int, default=100_000, help="notifications that are there; 100000 without it")
    parser.add_argument("--seconds", type=int, default=120, help="after which it is stopped; 120 without it")
    parser.add_argument("--bound", type=float, default=BOUND, help="seconds that a request may wait; 1 without it")
    parser.add_argument("--quiet", type=int, default=5, help="seconds of requests before it begins; 5 without it")
    return parser


def _posting_while(work: Callable[[], object]) -> list[float]:
    """Post as long as the work takes; the seconds that each request waited for its 200."""
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
            if stop.wait(random.uniform(0, 2 * REST)):
                return
    finally:
        connection.close()


def _prune(seconds: int) -> str:
    """Run the command to its end, or stop it; what it did."""
    environment = {
        **os.environ,
        # The name of the database as the settings know it.
        "HOIIO_BENCHMARK_NAME": Path(str(connection.settings_dict["NAME"])).stem,
        "HOIIO_BENCHMARK_RETENTION": json.dumps(RETENTION_DAYS),
    }
    before, begun = _counts(), time.monotonic()
    command = subprocess.Popen(
        [sys.executable, "-m", "django", "hoiio_prune", "--verbosity", "2"],
        cwd=_ROOT,
        env=environment,
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
    """How many of the old notifications are there, and how many of them are blanked."""
    old = apps.get_model("django_hoiio", "Notification")._default_manager.exclude(txn_ref__startswith="AA-S-new-")
    return old.count(), old.exclude(redacted_at=None).count()


def _kept() -> int:
    return (
        apps.get_model("django_hoiio", "Notification")._default_manager.filter(txn_ref__startswith="AA-S-new-").count()
    )


def _figures(name: str, waited: list[float]) -> tuple[str, ...]:
    milliseconds = [seconds * 1e3 for seconds in waited]
    most = quantiles(milliseconds, n=100)[-1]
    return name, f"{len(waited):,}", f"{median(milliseconds):.1f}", f"{most:.1f}", f"{max(milliseconds):.0f}"


if __name__ == "__main__":
    main()
