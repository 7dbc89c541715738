"""INSERT statements that overwrite the row with the same key, for each database."""

from __future__ import annotations

from collections.abc import Sequence

_CONFLICT = {
    "sqlite": (" ON CONFLICT ({}) DO UPDATE SET ", "{0} = excluded.{0}"),
    "postgresql": (" ON CONFLICT ({}) DO UPDATE SET ", "{0} = excluded.{0}"),
    "mysql": (" ON DUPLICATE KEY UPDATE ", "{0} = VALUES({0})"),
}


def insert(table: str, columns: Sequence[str]) -> str:
    """Return an INSERT with a placeholder for each column."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"


def upsert(table: str, columns: Sequence[str], key: Sequence[str], vendor: str) -> str:
    """Return an INSERT that overwrites the other columns if the key exists."""
    conflict, assignment = _CONFLICT[vendor]
    assignments = ", ".join(assignment.format(column) for column in columns if column not in key)
    return insert(table, columns) + conflict.format(", ".join(key)) + assignments
