"""Measure receiving a notification, compared with code that a project might have written itself.

    python -m benchmarks.receive --database sqlite
    python -m benchmarks.receive --database postgres --rows 0,100000,1000000

One request keeps one notification for good and brings the row of one SMS up to date.
"""

from __future__ import annotations

import argparse
import os
import platform

import django
from django.db import connection

from .candidates import ON_NEW_CONNECTION, ON_PERSISTENT_CONNECTION, PREPARED, RAW
from .databases import DATABASES, made, use
from .growth import fill
from .over_http import CONNECTIONS, WORKERS, requests_a_second, require_wrk
from .tables import show
from .turns import take_turns


def main() -> None:
    arguments = _parser().parse_args()
    if arguments.seconds:
        require_wrk()
    use(arguments.database)
    with made():
        connection.ensure_connection()
        version = ".".join(str(part) for part in connection.get_database_version())
        python, load = platform.python_version(), os.getloadavg()[0]
        print(f"{connection.display_name} {version}, Django {django.__version__}, Python {python}, load {load:.2f}")
        _in_process(arguments.rows, arguments.requests)
        if arguments.seconds:
            _over_http(arguments.seconds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.receive", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument(
        "--rows", type=_numbers, default=[0], help="numbers of stored notifications, for example 0,100000"
    )
    parser.add_argument("--requests", type=int, default=2000, help="to each candidate; 2000 by default")
    parser.add_argument("--seconds", type=int, default=4, help="of each round over HTTP; 4 by default")
    parser.add_argument("--no-http", dest="seconds", action="store_const", const=0, help="in process alone")
    return parser


def _numbers(text: str) -> list[int]:
    return sorted(int(number) for number in text.split(","))


def _in_process(sizes: list[int], requests: int) -> None:
    """Print a table for each size; the first also measures new connections."""
    first: dict[str, float] = {}
    for rows in sizes:
        fill(rows)
        title = f"In process, {rows:,} notifications there"
        seconds = take_turns((*ON_PERSISTENT_CONNECTION, *PREPARED.get(connection.vendor, ())), requests, title)
        if not first:
            seconds |= take_turns(ON_NEW_CONNECTION, requests // 4, "CONN_MAX_AGE=0")
        first = first or seconds
        show(
            title,
            ("candidate", "µs", "to raw", f"to {sizes[0]:,} rows"),
            [
                (name, f"{one * 1e6:.0f}", f"{one / seconds[RAW.name]:.2f}", f"{one / first[name]:.2f}")
                for name, one in seconds.items()
            ],
        )


def _over_http(seconds: int) -> None:
    served = requests_a_second(seconds)
    show(
        f"Over HTTP, gunicorn with {WORKERS} workers, {CONNECTIONS} connections",
        ("candidate", "requests/s", "to raw"),
        [(name, f"{one:.0f}", f"{one / served[RAW.name]:.2f}") for name, one in served.items()],
    )


if __name__ == "__main__":
    main()
