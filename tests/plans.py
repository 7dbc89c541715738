"""Query plans: check which index a query uses, and that it scans no whole table."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import Model, QuerySet

VENDOR = connection.vendor
# Enough rows for PostgreSQL and MariaDB to use an index. Without statistics, SQLite decides by the query alone.
ROWS = 10 if VENDOR == "sqlite" else 1_000
ANALYZE = {"postgresql": "ANALYZE {}", "mysql": "ANALYZE TABLE {}"}


def learn(*models: type[Model]) -> None:
    """Update the planner's statistics. MariaDB would commit a transaction, so there it is done outside of one only."""
    if VENDOR == "postgresql" or (VENDOR == "mysql" and not connection.in_atomic_block):
        with connection.cursor() as cursor:
            for model in models:
                cursor.execute(ANALYZE[VENDOR].format(model._meta.db_table))


def plan_of(rows: QuerySet[Any]) -> str:
    """Return the plan as text of the database."""
    if VENDOR != "mysql":
        return rows.explain()
    sql, params = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}", params)
        return "\n".join(map(str, cursor.fetchall()))


def is_answered_by(rows: QuerySet[Any], index: str, columns: str) -> bool:
    """Return whether the plan uses the index and scans no whole table.

    For the index of a constraint, SQLite reports only the columns, as `tag=?`. MariaDB decides by statistics that it
    does not gather during a test, so there it is enough that the index is a candidate.
    """
    plan = plan_of(rows)
    if VENDOR == "sqlite":
        return f"({columns})" in plan and "SCAN" not in plan
    return index in plan and "Seq Scan" not in plan
