"""A table as a statement needs it: its columns, and how values go in and come out.

Django's ORM works all of this out anew for each row. Here its fields are asked once for each database.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache, partial
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    BooleanField,
    CharField,
    DateTimeField,
    DecimalField,
    Field,
    IntegerField,
    JSONField,
    Model,
    TextField,
)
from django.db.models.base import ModelState
from django.db.models.expressions import Col
from django.db.models.signals import post_init, pre_init

Kept = TypeVar("Kept", bound=Model)

# What every driver takes and gives as it is; other fields say what they need.
_PLAIN = (CharField, TextField, IntegerField)
# What many rows have the same of, and nobody can change in place.
_SHARED = (BooleanField, DateTimeField, DecimalField)


class _InOwnWords(str):
    """A statement of SQLite's that has SQLite's own marks; Django would make them of its own anew each time."""

    __slots__ = ()

    def __mod__(self, names: object) -> str:
        return self


class Table(Generic[Kept]):
    """The columns of a model on one database. The primary key is given by the database."""

    def __init__(self, model: type[Kept], using: str) -> None:
        # A connection that keeps nothing open, because this outlives the thread that first needs it.
        connection = connections.create_connection(using)
        connection.inc_thread_sharing()
        # MariaDB is asked for it, and that is not to happen in several threads at once.
        _ = connection.features.has_native_uuid_field
        fields = model._meta.concrete_fields
        self.model = model
        self.using = using
        self.vendor = connection.vendor
        self.name = connection.ops.quote_name(model._meta.db_table)
        self.columns = {field.name: connection.ops.quote_name(str(field.column)) for field in fields}
        self._empty = {field.name: empty for field in fields if (empty := _empty(field)) is not None}
        # Where a statement takes the values of a row; two tables may share a statement.
        self.marks = {field.name: self.mark(f"{model._meta.model_name}_{field.name}") for field in fields}
        self._names = [field.attname for field in fields]
        self._writers = {
            field.name: (f"{model._meta.model_name}_{field.name}", _writer(field, connection)) for field in fields
        }
        self._readers = {field.attname: read for field in fields if (read := _reader(field, connection)) is not None}

    def mark(self, name: str) -> str:
        """Where a statement takes a parameter."""
        return f":{name}" if self.vendor == "sqlite" else f"%({name})s"

    def statement(self, words: str) -> str:
        """The words as Django's cursor is to be given them."""
        return _InOwnWords(words) if self.vendor == "sqlite" else words

    def insert(self, names: Iterable[str], into: str = "INSERT INTO {}") -> str:
        """The INSERT of a row of which these fields are said; text and JSON of which nothing is said are empty."""
        said = {**self._empty, **{name: self.marks[name] for name in names}}
        columns = ", ".join(self.columns[name] for name in said)
        return f"{into.format(self.name)} ({columns}) VALUES ({', '.join(said.values())})"

    def said(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values that `insert` cannot know by itself."""
        return {name: value for name, value in values.items() if value or name not in self._empty}

    def params(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What the driver is given for the marks of these fields."""
        params = {}
        for name, value in values.items():
            mark, write = self._writers[name]
            params[mark] = value if value is None or write is None else write(value)
        return params

    def instance(self, fetched: Sequence[Any]) -> Kept:
        """The model of a row, from all of its columns in the model's order."""
        values = dict(zip(self._names, fetched, strict=True))
        for name, read in self._readers.items():
            if values[name] is not None:
                values[name] = read(values[name])
        return instance_of(self.model, values, self.using)


def instance_of(model: type[Kept], values: Mapping[str, Any], using: str) -> Kept:
    """The model of a row that is kept, from the values of all its fields, in the model's order.

    Put together as unpickling does it: `__init__`, which looks at each field, takes four times as long.
    """
    if pre_init.receivers or post_init.receivers:
        return model.from_db(using, list(values), list(values.values()))
    instance = model.__new__(model)
    instance.__dict__.update(values)
    instance._state = ModelState()
    instance._state.adding, instance._state.db = False, using
    return instance


class Row(NamedTuple):
    """A row as the database gave it back, which becomes a model only when it is asked for."""

    table: Table[Any]
    fetched: Sequence[Any]

    def instance(self) -> Any:
        return self.table.instance(self.fetched)


@cache
def table_of(model: type[Kept], using: str) -> Table[Kept]:
    return Table(model, using)


def _empty(field: Field[Any, Any]) -> str | None:
    """How SQL writes what a text or a JSON is where nothing is said; `None` for what is NULL then, or always said."""
    if field.null:
        return None
    if isinstance(field, JSONField):
        return f"'{json.dumps(field.get_default())}'"
    return "''" if isinstance(field, (CharField, TextField)) else None


def _writer(field: Field[Any, Any], connection: BaseDatabaseWrapper) -> Callable[[Any], Any] | None:
    if isinstance(field, (*_PLAIN, BooleanField)):
        return None
    if isinstance(field, DateTimeField):
        # One moment goes into several columns.
        return lru_cache(maxsize=16)(connection.ops.adapt_datetimefield_value)
    if isinstance(field, JSONField):
        return partial(connection.ops.adapt_json_value, encoder=field.encoder)
    if isinstance(field, DecimalField):
        return partial(
            connection.ops.adapt_decimalfield_value, max_digits=field.max_digits, decimal_places=field.decimal_places
        )
    return partial(field.get_db_prep_save, connection=connection)


def _reader(field: Field[Any, Any], connection: BaseDatabaseWrapper) -> Callable[[Any], Any] | None:
    column = Col(field.model._meta.db_table, field)
    converters = [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
    if isinstance(field, _PLAIN) or not converters:
        return None

    def read(value: Any) -> Any:
        for convert in converters:
            value = convert(value, column, connection)
        return value

    # The SMS of a burst share their dates and prices.
    return lru_cache(maxsize=256)(read) if isinstance(field, _SHARED) else read
