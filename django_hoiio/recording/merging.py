"""The one statement that merges a report into the row of its transaction.

An INSERT that turns into an UPDATE where the row is there. Each field bears a stamp in `stamps`: the rank of the report
that filled it, then when that came. The higher stamp stays, so that reports end in the same state in whatever order and
however often they come, and concurrent ones lose nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import Field

from ..models import Transaction

# A digit for the rank, sixteen for the microsecond of arrival.
STAMP_LENGTH = 17


class Dialect(NamedTuple):
    """How a database words an INSERT that becomes an UPDATE."""

    on_conflict: str
    new: str
    least: str
    greatest: str
    concat: Callable[[Iterable[str]], str]


_STANDARD = Dialect("ON CONFLICT ({key}) DO UPDATE SET", "excluded.{}", "LEAST", "GREATEST", " || ".join)
# The databases on which this works.
DIALECTS = {
    "sqlite": _STANDARD._replace(least="MIN", greatest="MAX"),
    "postgresql": _STANDARD,
    "mysql": Dialect(
        "ON DUPLICATE KEY UPDATE", "VALUES({})", "LEAST", "GREATEST", lambda parts: f"CONCAT({', '.join(parts)})"
    ),
}


def merge(model: type[Transaction], values: dict[str, Any], key: tuple[str, ...] | None, using: str) -> Transaction:
    """Insert the row, or merge it into the one with the same key; without a key, insert it or raise IntegrityError."""
    connection = connections[using]
    params = []
    for field in _fields(model):
        value = values.get(field.name)
        params.append(field.get_db_prep_save(field.get_default() if value is None else value, connection))
    (row,) = model._base_manager.using(using).raw(statement(model, key, using), params)
    return row


def _fields(model: type[Transaction]) -> list[Field[Any, Any]]:
    return [field for field in model._meta.concrete_fields if not field.primary_key]


@cache
def statement(model: type[Transaction], key: tuple[str, ...] | None, using: str) -> str:
    dialect, quote = DIALECTS[connections[using].vendor], connections[using].ops.quote_name
    columns = {field.name: quote(str(field.column)) for field in _fields(model)}
    table = quote(model._meta.db_table)
    names, marks = ", ".join(columns.values()), ", ".join(["%s"] * len(columns))
    insert = f"INSERT INTO {table} ({names}) VALUES ({marks})"
    if key is None:
        return f"{insert} RETURNING *"

    def old(name: str) -> str:
        return f"{table}.{columns[name]}"

    def new(name: str) -> str:
        return dialect.new.format(columns[name])

    def stamp(stamps: str, index: int) -> str:
        return f"SUBSTR({stamps}, {1 + index * STAMP_LENGTH}, {STAMP_LENGTH})"

    stamps = [(stamp(old("stamps"), index), stamp(new("stamps"), index)) for index in range(len(model.told))]
    merged = {
        name: f"CASE WHEN {new_stamp} >= {old_stamp} THEN {new(name)} ELSE {old(name)} END"
        for name, (old_stamp, new_stamp) in zip(model.told, stamps, strict=True)
    }
    merged["created_at"] = f"{dialect.least}({old('created_at')}, {new('created_at')})"
    merged["updated_at"] = f"{dialect.greatest}({old('updated_at')}, {new('updated_at')})"
    # Last, because MariaDB assigns from left to right and the lines above look at the old stamps.
    merged["stamps"] = dialect.concat(
        f"{dialect.greatest}({old_stamp}, {new_stamp})" for old_stamp, new_stamp in stamps
    )
    updates = ", ".join(f"{columns[name]} = {expression}" for name, expression in merged.items())
    on_conflict = dialect.on_conflict.format(key=", ".join(columns[name] for name in key))
    return f"{insert} {on_conflict} {updates} RETURNING *"
