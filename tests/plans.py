"""How a database means to answer a query: by which index, and whether it reads a whole table."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import Model, QuerySet

VENDOR = connection.vendor


def learn(*models: type[Model]) -> None:
    """Have the database look at how many rows there are, and at what is in them."""
    if VENDOR == "postgresql":
        with connection.cursor() as cursor:
            for model in models:
                cursor.execute(f"ANALYZE {model._meta.db_table}")


def plan_of(rows: QuerySet[Any]) -> str:
    """The plan in the database's own words."""
    if VENDOR != "mysql":
        return rows.explain()
    sql, params = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}", params)
        return "\n".join(map(str, cursor.fetchall()))


def is_answered_by(rows: QuerySet[Any], index: str, columns: str) -> bool:
    """True where the plan uses the index, and reads no table whole.

    SQLite does not name the index of a constraint, but the columns that it looks up, as `tag=?`. MariaDB decides by
    figures that it only gathers outside of a test, so there it is enough that the index could answer.
    """
    plan = plan_of(rows)
    if VENDOR == "sqlite":
        return f"({columns})" in plan and "SCAN" not in plan
    return index in plan and "Seq Scan" not in plan
