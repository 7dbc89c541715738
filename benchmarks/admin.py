"""Measure the pages of the admin, compared with a plain ModelAdmin.

    python -m benchmarks.admin --database sqlite --rows 1000,1000000
    python -m benchmarks.admin --database postgres --rows 1000,1000000

One request is one page, from the request to the last byte of the HTML, for a superuser who is logged in.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import time
from dataclasses import dataclass, field
from statistics import median

import django
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import Client
from tqdm import tqdm

from .databases import DATABASES, made_for, turn_to, use
from .looking import STOCK, Look, looks
from .mixture import mix
from .tables import show

# Maximum seconds for all requests of one page. A slow page has fewer turns.
TIME_LIMIT = 20


def main() -> None:
    arguments = _parser().parse_args()
    use(arguments.database, settings="benchmarks.console_settings")
    with made_for(arguments.rows, _fill) as names:
        turn_to(names[arguments.rows[0]])
        connection.ensure_connection()
        version = ".".join(str(part) for part in connection.get_database_version())
        python, load = platform.python_version(), os.getloadavg()[0]
        print(f"{connection.display_name} {version}, Django {django.__version__}, Python {python}, load {load:.2f}")
        _show(_take_turns(names, arguments.turns))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.admin", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument(
        "--rows", type=_numbers, default=[1000], help="numbers of stored notifications, for example 1000,1000000"
    )
    parser.add_argument("--turns", type=int, default=15, help="of each page; 15 by default")
    return parser


def _numbers(text: str) -> list[int]:
    return sorted(int(number) for number in text.split(","))


def _fill(rows: int) -> None:
    mix(rows)
    # Nothing is due for deletion, but it closes days, as it does each night.
    call_command("hoiio_prune", verbosity=0)
    get_user_model()._default_manager.create_superuser("looking")


@dataclass(kw_only=True)
class Seen:
    """The seconds of each request of one page, and the number of its rows."""

    seconds: list[float] = field(default_factory=list)
    rows: int = 0


def _take_turns(names: dict[int, str], turns: int) -> dict[int, dict[str, Seen]]:
    """Measure sizes and pages in random order, in turns. Return the results by size and page name."""
    seen: dict[int, dict[str, Seen]] = {size: {} for size in names}
    for _ in tqdm(range(turns), desc="Looking", unit="turn", leave=False, disable=None):
        for size, name in random.sample(list(names.items()), len(names)):
            turn_to(name)
            _turn(seen[size])
    return seen


def _turn(seen: dict[str, Seen]) -> None:
    """Open each page once."""
    client = Client()
    client.force_login(get_user_model()._default_manager.get(username="looking"))
    pages = list(looks())
    # Not timed: the connection is new.
    _look(client, pages[-1], Seen())
    for page in pages:
        seen.setdefault(page.name, Seen())
    for page in random.sample(pages, len(pages)):
        if sum(seen[page.name].seconds) < TIME_LIMIT:
            _look(client, page, seen[page.name])


def _look(client: Client, page: Look, seen: Seen) -> None:
    """Open a page and record its time and rows."""
    began = time.perf_counter()
    response = client.get(page.path, page.query)
    seen.seconds.append(time.perf_counter() - began)
    if response.status_code != 200:
        raise RuntimeError(f"{page.name} answered {response.status_code}.")
    _before, _start, table = response.content.partition(b'id="result_list"')
    seen.rows = max(0, table.partition(b"</table>")[0].count(b"</tr>") - 1)


def _show(seen: dict[int, dict[str, Seen]]) -> None:
    """Print a table for each size, with the ratios to the first stock page and to the smallest size."""
    least = min(seen)
    for size, pages in seen.items():
        took = {name: median(page.seconds) for name, page in pages.items()}
        show(
            f"{size:,} notifications there",
            ("page", "rows", "ms", "to stock", f"to {least:,}"),
            [
                (
                    *(name, str(page.rows), f"{took[name] * 1e3:.1f}"),
                    f"{took[name] / took[STOCK]:.3f}",
                    f"{took[name] / median(seen[least][name].seconds):.2f}",
                )
                for name, page in pages.items()
            ],
        )


if __name__ == "__main__":
    main()
