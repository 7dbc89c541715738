"""Measure how long it takes to forget a number: every row is read once.

python -m benchmarks.forgetting --database postgres --rows 1000000
"""

from __future__ import annotations

import argparse
import time
from importlib import import_module

from django.apps import apps
from django.db import connection

from .databases import DATABASES, made, use
from .growth import fill
from .tables import show


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.forgetting", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--rows", type=int, default=100_000, help="stored notifications; 100000 by default")
    arguments = parser.parse_args()
    use(arguments.database)
    with made():
        fill(arguments.rows)
        _measure(arguments.rows)


def _measure(rows: int) -> None:
    # Imported late, because it needs the settings that are chosen above.
    forget = import_module("django_hoiio.retention.forgetting").forget
    numbers = apps.get_model("django_hoiio", "Sms")._default_manager.order_by("pk").values_list("dest", flat=True)
    begun = time.monotonic()
    report = forget([numbers[rows // 4]])
    seconds = time.monotonic() - begun
    show(
        f"{connection.display_name}, {rows:,} notifications and half as many SMS",
        ("what", "figure"),
        [
            ("seconds", f"{seconds:.0f}"),
            ("notifications a second", f"{rows / seconds:,.0f}"),
            ("notifications redacted", str(report.notifications)),
        ],
    )


if __name__ == "__main__":
    main()
