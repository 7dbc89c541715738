"""Measure the rows on PostgreSQL: bytes in the table and in each index, and the time to delete old ones.

python -m benchmarks.keeping --rows 1000000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

from django.apps import apps
from django.db import connection
from tqdm import tqdm

from .databases import made, use
from .growth import fill
from .tables import show

BATCH = 1000

_SIZES = """
    SELECT relname, pg_relation_size(oid) FROM pg_class
    WHERE oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = %s::regclass)
    ORDER BY relname
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.keeping", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="notifications; 1000000 by default")
    rows = parser.parse_args().rows
    use("postgres")
    with made():
        fill(rows)
        show(f"PostgreSQL, {rows:,} notifications and half as many SMS", ("what", "bytes a row"), list(_sizes()))
        _prune(rows // 2)


def _sizes() -> Iterator[tuple[str, str]]:
    with connection.cursor() as cursor:
        for name in ("Notification", "Sms"):
            model = apps.get_model("django_hoiio", name)
            table, rows = model._meta.db_table, model._default_manager.count()
            cursor.execute("SELECT pg_table_size(%s), pg_total_relation_size(%s)", [table, table])
            heap, total = cursor.fetchone()
            yield table, f"{heap / rows:.0f}"
            cursor.execute(_SIZES, [table])
            for index, size in cursor.fetchall():
                yield f"  {index}", f"{size / rows:.0f}"
            yield f"{name}, all", f"{total / rows:.0f}"


def _prune(rows: int) -> None:
    """Delete the oldest notifications through the ORM, a batch in each transaction."""
    notifications = apps.get_model("django_hoiio", "Notification")._default_manager.order_by("received_at")
    began = time.perf_counter()
    for _ in tqdm(range(0, rows, BATCH), desc="Deleting", leave=False, disable=None):
        notifications.filter(pk__in=list(notifications.values_list("pk", flat=True)[:BATCH])).delete()
    seconds = time.perf_counter() - began
    print(f"\nThe oldest {rows:,} deleted in batches of {BATCH:,}: {rows / seconds:,.0f} rows a second.")


if __name__ == "__main__":
    main()
