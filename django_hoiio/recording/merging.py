"""The one statement that merges a report into the row of its transaction.

An INSERT that turns into an UPDATE where the row is there. Each field bears a stamp in `stamps`: the rank of the report
that filled it, then when that came. The higher stamp stays, so that reports end in the same state in whatever order and
however often they come, and concurrent ones lose nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

from django.db.backends.utils import CursorWrapper

from ..kinds import Rank
from ..models import Transaction
from .tables import Row, Table, table_of

# A digit for the rank, sixteen for the microsecond of arrival.
STAMP_LENGTH = 17
UNTOLD = "0" * STAMP_LENGTH

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a notification says of one row."""

    model: type[Transaction]
    # What it says, and what the row is called, by field. What is not said is not there.
    values: dict[str, Any]
    # The fields that find the row; without them a new one is made.
    key: tuple[str, ...] | None
    received_at: datetime
    rank: Rank
    # How sure it is of the other party; see `Transaction.party`.
    party_rank: Rank
    # Whether the row is asked for: reading it back costs as much as writing a third of it.
    wants_row: bool = True


class Dialect(NamedTuple):
    """How a database words an INSERT that becomes an UPDATE."""

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
# The databases on which this works.
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
    cursor.execute(*statement_of(change, cursor.db.alias))
    return merged_row(change, cursor.fetchone(), cursor.db.alias)


def merged_row(change: Change, fetched: Sequence[Any], using: str) -> Row | None:
    """What a change made of its row, from what the statement gave back."""
    return Row(table_of(change.model, using), fetched) if change.wants_row else None


def stamp_of(change: Change, rank: Rank) -> str:
    """The stamp of what a change says at a rank; it overwrites what bears the same or a lower one."""
    # What was sent comes before all that Hoiio tells of it, whatever the clocks say.
    moment = 0 if change.rank == Rank.SENT else (change.received_at - _EPOCH) // timedelta(microseconds=1)
    return f"{rank:d}{moment:016d}"


def statement_of(change: Change, using: str) -> tuple[str, dict[str, Any]]:
    """The statement of a change, which gives back the row or its primary key, and its parameters."""
    model, values = change.model, change.values
    stamp, party_stamp = stamp_of(change, change.rank), stamp_of(change, change.party_rank)
    stamps = [(party_stamp if name in model.party else stamp) if name in values else UNTOLD for name in model.told]
    row = {
        **values,
        "created_at": change.received_at,
        "updated_at": change.received_at,
        "stamps": "".join(stamps),
    }
    params = table_of(model, using).params(row)
    sql = statement(model, change.key, tuple(row), change.wants_row, using)
    return sql, {**params, "stamp": stamp, "party_stamp": party_stamp}


# For each set of fields that notifications tell together; there are a few dozen.
@lru_cache(maxsize=256)
def statement(
    model: type[Transaction], key: tuple[str, ...] | None, names: tuple[str, ...], wants_row: bool, using: str
) -> str:
    table = table_of(model, using)
    dialect = DIALECTS[table.vendor]
    words = [table.insert(names, dialect.insert)]
    if key is not None:
        words.append(dialect.on_conflict.format(", ".join(table.columns[name] for name in key)))
        words.append(", ".join(_assignments(model, names, table, dialect)))
    words.append(f"RETURNING {', '.join(table.columns.values()) if wants_row else table.columns['id']}")
    return table.statement(" ".join(words))


def _assignments(
    model: type[Transaction], names: tuple[str, ...], table: Table[Transaction], dialect: Dialect
) -> Iterator[str]:
    """What a row that is there already takes over."""

    def old(name: str) -> str:
        return dialect.old.format(table.columns[name])

    def new(name: str) -> str:
        return dialect.new.format(table.columns[name])

    def old_stamps(place: int, count: int) -> str:
        return f"SUBSTR({old('stamps')}, {1 + place * STAMP_LENGTH}, {count * STAMP_LENGTH})"

    stamps = []
    for is_told, fields in groupby(enumerate(model.told), lambda field: field[1] in names):
        run = list(fields)
        if not is_told:
            stamps.append(old_stamps(run[0][0], len(run)))
            continue
        for place, name in run:
            old_stamp = old_stamps(place, 1)
            new_stamp = table.mark("party_stamp" if name in model.party else "stamp")
            yield (
                f"{table.columns[name]} = CASE WHEN {new_stamp} >= {old_stamp} THEN {new(name)} ELSE {old(name)} END"
            )
            stamps.append(f"{dialect.greatest}({old_stamp}, {new_stamp})")
    yield f"{table.columns['created_at']} = {dialect.least}({old('created_at')}, {new('created_at')})"
    yield f"{table.columns['updated_at']} = {dialect.greatest}({old('updated_at')}, {new('updated_at')})"
    # Last, because MariaDB assigns from left to right and the lines above look at the old stamps.
    yield f"{table.columns['stamps']} = {dialect.concat(stamps)}"
