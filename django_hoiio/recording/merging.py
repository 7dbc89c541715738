"""The one statement that merges a report into the row of its transaction.

An INSERT that turns into an UPDATE where the row is there. Each field bears a stamp in `stamps`: the rank of the report
that filled it, then when that came. The higher stamp stays, so that reports end in the same state in whatever order and
however often they come, and concurrent ones lose nothing.
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

# A digit for the rank, sixteen for the microsecond of arrival.
STAMP_LENGTH = 17
NO_STAMP = "0" * STAMP_LENGTH
# Where a change has its two; see `stamps_of`.
_STAMP, _PARTY_STAMP = "s", "p"

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


class Change(NamedTuple):
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
    return merge_of(change, cursor.db.alias).run(cursor)


class Merge(NamedTuple):
    """The statement of a change with its values, ready to be run."""

    table: Table[Transaction]
    statement: str
    params: dict[str, Any]
    wants_row: bool

    def run(self, cursor: CursorWrapper) -> Row | None:
        """Make the change; what became of the row where it is asked for."""
        cursor.execute(self.statement, self.params)
        return self.row(cursor.fetchone() if self.wants_row else ())

    def row(self, fetched: Sequence[Any]) -> Row | None:
        """What became of the row, from what the statement gave back."""
        return Row(self.table, fetched) if self.wants_row else None


def stamps_of(change: Change) -> tuple[str, str]:
    """The stamp of what a change says, and that of what it says of the other party.

    What it says overwrites what bears the same stamp or a lower one.
    """
    # What was sent comes before all that Hoiio tells of it, whatever the clocks say.
    moment = 0 if change.rank == Rank.SENT else (change.received_at - _EPOCH) // _MICROSECOND
    digits = f"{moment:016d}"
    return f"{change.rank:d}{digits}", f"{change.party_rank:d}{digits}"


def merge_of(change: Change, using: str) -> Merge:
    """The statement that makes a change, which gives back the row where it is asked for."""
    stamp, party_stamp = stamps_of(change)
    names = tuple(change.values)
    statement = statement_of(change.model, change.key, names, change.wants_row, using)
    stamps = _stamps(change.model, names).replace(_STAMP, stamp).replace(_PARTY_STAMP, party_stamp)
    params = statement.params((*change.values.values(), change.received_at, change.received_at, stamps))
    params["stamp"], params["party_stamp"] = stamp, party_stamp
    return Merge(table_of(change.model, using), statement.words, params, change.wants_row)


@lru_cache(maxsize=256)
def _stamps(model: type[Transaction], names: tuple[str, ...]) -> str:
    """The stamps of a row of which these fields are told, with places for the two that a change has."""
    stamps = {name: _PARTY_STAMP if name in model.party else _STAMP for name in names}
    return "".join(stamps.get(name, NO_STAMP) for name in model.reported)


# For each set of fields that notifications tell together; there are a few dozen.
@lru_cache(maxsize=256)
def statement_of(
    model: type[Transaction], key: tuple[str, ...] | None, names: tuple[str, ...], wants_row: bool, using: str
) -> Statement:
    """What merges a row: takes these fields, `created_at`, `updated_at` and `stamps`, and the two stamps by name."""
    table = table_of(model, using)
    row = (*names, "created_at", "updated_at", "stamps")
    dialect = DIALECTS[table.vendor]
    words = [table.insert(row, dialect.insert)]
    if key is not None:
        words.append(dialect.on_conflict.format(", ".join(table.columns[name] for name in key)))
        words.append(", ".join(_assignments(model, names, table, dialect)))
    if wants_row:
        words.append(f"RETURNING {table.whole_row}")
    return table.statement(" ".join(words), row)


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
    for is_told, fields in groupby(enumerate(model.reported), lambda field: field[1] in names):
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
