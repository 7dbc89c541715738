"""Columns of a table and the conversion of their values, for raw statements.

Django's ORM computes this for each row. Here it is computed once per database.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from functools import cache, lru_cache, partial
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    BinaryField,
    BooleanField,
    CharField,
    DateTimeField,
    DecimalField,
    Field,
    IntegerField,
    JSONField,
    Model,
    TextField,
    UUIDField,
)
from django.db.models.base import ModelState
from django.db.models.expressions import Col
from django.db.models.signals import post_init, pre_init
from django.utils.dateparse import parse_datetime

Result = TypeVar("Result", bound=Model)

# Like `json.loads`, without skipping surrounding white space.
_decode = json.JSONDecoder().raw_decode

# Every driver accepts and returns values of these fields unchanged. Other fields need conversion.
_PLAIN = (CharField, TextField, IntegerField)
# Immutable values that are equal in many rows.
_SHARED = (BooleanField, DateTimeField, DecimalField)
# JSON that is equal in the notifications of a burst; how many values are cached, and the maximum length of each.
_REPEATED = ("pass_on", "headers", "receivers")
_MOST_REMEMBERED = 64
_LONGEST_REMEMBERED = 1000


class _UnchangedSql(str):
    """A statement with SQLite's own placeholders, which Django must not convert each time."""

    __slots__ = ()

    def __mod__(self, names: object) -> str:
        return self


class Statement(NamedTuple):
    """A statement that takes the values of a row by name."""

    # The SQL for Django's cursor.
    sql: str
    # The parameter names in order, and the converters of some of them.
    names: Sequence[str]
    writers: Sequence[tuple[str, Callable[[Any], Any]]]

    def params(self, values: Iterable[Any]) -> dict[str, Any]:
        """Return the parameters for the driver."""
        params = dict(zip(self.names, values, strict=True))
        for name, write in self.writers:
            params[name] = write(params[name])
        return params


class Table(Generic[Result]):
    """The columns of a model on one database. The primary key is given by the database."""

    def __init__(self, model: type[Result], using: str) -> None:
        connection = _closed_connection(using)
        fields = model._meta.concrete_fields
        self.model = model
        self.using = using
        self.vendor = connection.vendor
        self.name = connection.ops.quote_name(model._meta.db_table)
        self.columns = {field.name: connection.ops.quote_name(str(field.column)) for field in fields}
        self._empty = {field.name: empty for field in fields if (empty := _empty(field)) is not None}
        # Parameter names include the model, because two tables may share a statement.
        self._params = {field.name: f"{model._meta.model_name}_{field.name}" for field in fields}
        self.marks = {name: self.mark(param) for name, param in self._params.items()}
        # All columns, as a statement returns them for `instance`. SQLite's driver would look up a converter for each
        # column of each row. JSON is one column, and can contain all types but bytes.
        columns = ", ".join(self.columns.values())
        self.whole_row = f"json_array({columns})" if self.vendor == "sqlite" else columns
        self._names = [field.attname for field in fields]
        self._writers = {field.name: write for field in fields if (write := _writer(field, connection)) is not None}
        self._readers = {field.attname: read for field in fields if (read := _reader(field, connection)) is not None}

    def mark(self, name: str) -> str:
        """Return the placeholder of a parameter."""
        return f":{name}" if self.vendor == "sqlite" else f"%({name})s"

    def statement(self, sql: str, names: Collection[str]) -> Statement:
        """Return a statement with this SQL and a placeholder for each field."""
        return Statement(
            sql=_UnchangedSql(sql) if self.vendor == "sqlite" else sql,
            names=[self._params[name] for name in names],
            writers=[(self._params[name], self._writers[name]) for name in names if name in self._writers],
        )

    def insert(self, names: Iterable[str], into: str = "INSERT INTO {}") -> str:
        """Return the INSERT of a row with these fields. Other fields are NULL, or empty if they cannot be NULL."""
        marks = {**self._empty, **{name: self.marks[name] for name in names}}
        columns = ", ".join(self.columns[name] for name in marks)
        return f"{into.format(self.name)} ({columns}) VALUES ({', '.join(marks.values())})"

    def without_defaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values that differ from the defaults of `insert`."""
        return {
            name: value for name, value in values.items() if value or (value is not None and name not in self._empty)
        }

    def instance(self, fetched: Sequence[Any]) -> Result:
        """Return the model instance of a row that a statement returned."""
        columns = _decode(fetched[0])[0] if self.vendor == "sqlite" else fetched
        values = dict(zip(self._names, columns, strict=True))
        for name, read in self._readers.items():
            if values[name] is not None:
                values[name] = read(values[name])
        return instance_of(self.model, values, self.using)


def instance_of(model: type[Result], values: Mapping[str, Any], using: str) -> Result:
    """Return the model instance of a stored row, from the values of all its fields in the model's order.

    Built as unpickling does it. `__init__`, which processes each field, takes four times as long.
    """
    if pre_init.receivers or post_init.receivers:
        return model.from_db(using, list(values), list(values.values()))
    instance = model.__new__(model)
    instance.__dict__ = dict(values)
    instance._state = ModelState()
    instance._state.adding, instance._state.db = False, using
    return instance


class Row(NamedTuple):
    """A row as returned by the database. It becomes a model instance only on demand."""

    table: Table[Any]
    fetched: Sequence[Any]

    def instance(self) -> Any:
        return self.table.instance(self.fetched)


@cache
def table_of(model: type[Result], using: str) -> Table[Result]:
    return Table(model, using)


@cache
def _closed_connection(using: str) -> BaseDatabaseWrapper:
    """Return an unopened connection for metadata, which outlives the thread that first needs it."""
    connection = connections.create_connection(using)
    connection.inc_thread_sharing()
    # On MariaDB this needs a query, which must not run in several threads at once.
    _ = connection.features.has_native_uuid_field
    return connection


def _empty(field: Field[Any, Any]) -> str | None:
    """Return the SQL literal of an empty text or JSON field. `None` if the field is nullable or always has a value."""
    if field.null:
        return None
    if isinstance(field, JSONField):
        return f"'{json.dumps(field.get_default())}'"
    return "''" if isinstance(field, (CharField, TextField)) else None


def _writer(field: Field[Any, Any], connection: BaseDatabaseWrapper) -> Callable[[Any], Any] | None:
    if isinstance(field, (*_PLAIN, BooleanField, BinaryField)):
        return None
    if isinstance(field, UUIDField):
        return None if connection.features.has_native_uuid_field else attrgetter("hex")
    if isinstance(field, DateTimeField):
        return _moment_writer(connection)
    if isinstance(field, JSONField):
        write = partial(connection.ops.adapt_json_value, encoder=field.encoder)
        # psycopg gets the value itself, which may be changed later.
        return _remembering(write) if field.name in _REPEATED and isinstance(write({}), str) else write
    if isinstance(field, DecimalField):
        return partial(
            connection.ops.adapt_decimalfield_value, max_digits=field.max_digits, decimal_places=field.decimal_places
        )
    return partial(field.get_db_prep_save, connection=connection)


def _remembering(write: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return a JSON writer that caches recent values."""
    written: dict[str, str] = {}

    def write_once(value: Any) -> str:
        # repr() is much faster than writing JSON, and distinguishes the equal values 1, 1.0 and True.
        key = repr(value)
        known = written.get(key)
        if known is None:
            known = write(value)
            if len(written) >= _MOST_REMEMBERED:
                written.clear()
            if len(key) <= _LONGEST_REMEMBERED:
                written[key] = known
        return known

    return write_once


@cache
def _moment_writer(connection: BaseDatabaseWrapper) -> Callable[[Any], Any]:
    """Return one writer for all columns: a notification and its transaction share a moment."""
    adapt, zone = connection.ops.adapt_datetimefield_value, connection.timezone
    if connection.features.supports_timezones:
        return adapt

    # Django does the same, but reads the settings three times.
    @lru_cache(maxsize=16)
    def write(moment: datetime) -> Any:
        return str(moment.astimezone(zone).replace(tzinfo=None))

    return write


def _reader(field: Field[Any, Any], connection: BaseDatabaseWrapper) -> Callable[[Any], Any] | None:
    if isinstance(field, DateTimeField) and connection.vendor == "sqlite":
        return lru_cache(maxsize=256)(partial(_moment_of, zone=connection.timezone))
    column = Col(field.model._meta.db_table, field)
    converters = [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
    if isinstance(field, _PLAIN) or not converters:
        return None

    def read(value: Any) -> Any:
        for convert in converters:
            value = convert(value, column, connection)
        return value

    # The SMS of a burst have equal dates and prices.
    return lru_cache(maxsize=256)(read) if isinstance(field, _SHARED) else read


def _moment_of(text: str, zone: tzinfo | None) -> datetime | None:
    """Parse a datetime that SQLite stores as text. Django does the same, but reads the settings twice."""
    moment = parse_datetime(text)
    return moment.replace(tzinfo=zone) if moment and moment.tzinfo is None else moment
