"""The one statement that merges a report into the row of its transaction.

An INSERT that becomes an UPDATE if the row exists. Each field has a stamp in `stamps`: the rank of the report that
filled it, then its time of receipt. The higher stamp wins, so reports lead to the same state in any order and number,
and concurrent reports lose nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

from django.db.backends.utils import CursorWrapper

from django_hoiio.enums import Rank
from django_hoiio.models import Transaction

from .tables import Row, Statement, Table, table_of

# One digit for the rank, sixteen for the microsecond of receipt.
STAMP_LENGTH = 17
NO_STAMP = "0" * STAMP_LENGTH
# Where a change has its two; see `stamps_of`.
_STAMP, _PARTY_STAMP = "s", "p"

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


class Change(NamedTuple):
    """The change that a notification makes to one row."""

    model: type[Transaction]
    # The reported values and the values of the key, by field. Values that are not reported are missing.
    values: dict[str, Any]
    # The fields that identify the row. Without them a new row is inserted.
    key: tuple[str, ...] | None
    received_at: datetime
    rank: Rank
    # How reliably it identifies the remote party; see `Transaction.remote_party_fields`.
    party_rank: Rank
    # True to return the row. Reading it back costs a third of writing it.
    wants_row: bool = True


class Dialect(NamedTuple):
    """SQL of a database for an INSERT that becomes an UPDATE."""

    insert: str
    on_conflict: str
    old: str
    new: str
    least: str
    greatest: str
    concat: Callable[[Iterable[str]], str]


_STANDARD = Dialect(
    "INSERT INTO {} AS old",
    "ON CONFLICT ({}) DO UPDATE SET",
    "old.{}",
    "excluded.{}",
    "LEAST",
    "GREATEST",
    " || ".join,
)
# The supported databases.
DIALECTS = {
    "sqlite": _STANDARD._replace(least="MIN", greatest="MAX"),
    "postgresql": _STANDARD,
    "mysql": Dialect(
        "INSERT INTO {}",
        "ON DUPLICATE KEY UPDATE",
        "{}",
        "VALUES({})",
        "LEAST",
        "GREATEST",
        lambda parts: f"CONCAT({', '.join(parts)})",
    ),
}


def merge(change: Change, cursor: CursorWrapper) -> Row | None:
    """Insert the row, or merge it into the one with the same key; without a key, insert or raise IntegrityError."""
    return merge_of(change, cursor.db.alias).run(cursor)


class Merge(NamedTuple):
    """The statement of a change with its values."""

    table: Table[Transaction]
    statement: str
    params: dict[str, Any]
    wants_row: bool

    def run(self, cursor: CursorWrapper) -> Row | None:
        """Execute the change. Return the row if `wants_row`."""
        cursor.execute(self.statement, self.params)
        return self.row(cursor.fetchone() if self.wants_row else ())

    def row(self, fetched: Sequence[Any]) -> Row | None:
        """Return the row from the result of the statement."""
        return Row(self.table, fetched) if self.wants_row else None


def stamps_of(change: Change) -> tuple[str, str]:
    """Return the stamp of a change's values, and the stamp of its values about the remote party.

    A value overwrites one with the same or a lower stamp.
    """
    # Sent values rank before all reports by Hoiio, regardless of clocks.
    moment = 0 if change.rank == Rank.SENT else (change.received_at - _EPOCH) // _MICROSECOND
    digits = f"{moment:016d}"
    return f"{change.rank:d}{digits}", f"{change.party_rank:d}{digits}"


def merge_of(change: Change, using: str) -> Merge:
    """Return the statement of a change. It returns the row if `change.wants_row`."""
    stamp, party_stamp = stamps_of(change)
    names = tuple(change.values)
    statement = statement_of(change.model, change.key, names, change.wants_row, using)
    stamps = _stamps(change.model, names).replace(_STAMP, stamp).replace(_PARTY_STAMP, party_stamp)
    params = statement.params((*change.values.values(), change.received_at, change.received_at, stamps))
    params["stamp"], params["party_stamp"] = stamp, party_stamp
    return Merge(table_of(change.model, using), statement.sql, params, change.wants_row)


@lru_cache(maxsize=256)
def _stamps(model: type[Transaction], names: tuple[str, ...]) -> str:
    """Return the stamps of a row with these fields, with placeholders for the two stamps of a change."""
    stamps = {name: _PARTY_STAMP if name in model.remote_party_fields else _STAMP for name in names}
    return "".join(stamps.get(name, NO_STAMP) for name in model.reported)


# One per set of fields that notifications report together. There are a few dozen.
@lru_cache(maxsize=256)
def statement_of(
    model: type[Transaction], key: tuple[str, ...] | None, names: tuple[str, ...], wants_row: bool, using: str
) -> Statement:
    """Return the merge statement. It takes `names`, `created_at`, `updated_at`, `stamps` and the two new stamps."""
    table = table_of(model, using)
    row = (*names, "created_at", "updated_at", "stamps")
    dialect = DIALECTS[table.vendor]
    sql = [table.insert(row, dialect.insert)]
    if key is not None:
        sql.append(dialect.on_conflict.format(", ".join(table.columns[name] for name in key)))
        sql.append(", ".join(_assignments(model, names, table, dialect)))
    if wants_row:
        sql.append(f"RETURNING {table.whole_row}")
    return table.statement(" ".join(sql), row)


def _assignments(
    model: type[Transaction], names: tuple[str, ...], table: Table[Transaction], dialect: Dialect
) -> Iterator[str]:
    """Yield the assignments that update an existing row."""

    def old(name: str) -> str:
        return dialect.old.format(table.columns[name])

    def new(name: str) -> str:
        return dialect.new.format(table.columns[name])

    def old_stamps(position: int, count: int) -> str:
        return f"SUBSTR({old('stamps')}, {1 + position * STAMP_LENGTH}, {count * STAMP_LENGTH})"

    stamps = []
    for is_told, fields in groupby(enumerate(model.reported), lambda field: field[1] in names):
        run = list(fields)
        if not is_told:
            stamps.append(old_stamps(run[0][0], len(run)))
            continue
        for position, name in run:
            old_stamp = old_stamps(position, 1)
            new_stamp = table.mark("party_stamp" if name in model.remote_party_fields else "stamp")
            yield (
                f"{table.columns[name]} = CASE WHEN {new_stamp} >= {old_stamp} THEN {new(name)} ELSE {old(name)} END"
            )
            stamps.append(f"{dialect.greatest}({old_stamp}, {new_stamp})")
    yield f"{table.columns['created_at']} = {dialect.least}({old('created_at')}, {new('created_at')})"
    yield f"{table.columns['updated_at']} = {dialect.greatest}({old('updated_at')}, {new('updated_at')})"
    # Last, because MariaDB assigns from left to right and the assignments above need the old stamps.
    yield f"{table.columns['stamps']} = {dialect.concat(stamps)}"
