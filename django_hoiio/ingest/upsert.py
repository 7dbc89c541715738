"""Store a notification and the state of its transaction, both or neither.

Usually one statement brings the row up to date: an INSERT that becomes an UPDATE if the row exists and contains nothing
newer. A late report locks the row and changes what no newer one overwrites.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import count
from typing import Any

from django.db import IntegrityError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import JSONField, Model, Q

from django_hoiio.database import OpenTransaction, durable, is_idle, retry_transient
from django_hoiio.database_errors import Failure, classify
from django_hoiio.enums import Rank
from django_hoiio.logs import get_logger
from django_hoiio.models import LINKS, Notification, Transaction
from django_hoiio.parsing import ParsedNotification, RawNotification

from .reports import linked_report, notification_of, parameters_of, report_of
from .state import CERTAINTY, PARTY, Report, applicable, fill, overwritten, state_of

logger = get_logger(__name__)

# Stored reports that are read at once.
PAGE = 20


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A stored notification."""

    notification: Notification
    # False if this delivery was already stored: by another process, or by an attempt whose answer was lost.
    is_new: bool = True


def store(raw: RawNotification, parsed: ParsedNotification) -> Stored:
    """Store the notification and update its transaction, both or neither.

    If the state cannot be written, store the notification without it and note that in `state_error`. Raises
    `django.db.Error` if the database is unavailable or refuses, or a transaction is open. Then nothing is stored.
    """
    connection = connections[router.db_for_write(Notification)]
    notification = notification_of(raw, parsed)
    attempts = count(1)

    def write() -> None:
        report = report_of(raw, parsed, connection.alias)
        if report is None:
            _write_alone(notification, connection)
            return
        # One statement of PostgreSQL commits both rows. If it fails or the report is late, the block is used.
        is_at_once = connection.vendor == "postgresql" and next(attempts) == 1 and is_idle(connection)
        if not (is_at_once and _write_at_once(notification, report, connection)):
            _write_in_a_block(notification, report, connection)

    try:
        retry_transient(write, connection)
        return Stored(notification=notification)
    except OpenTransaction:
        raise
    # No error in the state may lose the only copy.
    except Exception as error:
        if classify(error, connection) is not Failure.DATA:
            raise
        notification.state_error = type(error).__name__
    return _store_without_state(notification, connection)


def _store_without_state(notification: Notification, connection: BaseDatabaseWrapper) -> Stored:
    try:
        retry_transient(lambda: _write_alone(notification, connection), connection)
    except IntegrityError:
        stored = Notification.objects.using(connection.alias).filter(uuid=notification.uuid).first()
        if stored is None:
            raise
        return Stored(notification=stored, is_new=False)
    logger.error("The state of notification %s could not be stored: %s.", notification.pk, notification.state_error)
    return Stored(notification=notification)


def link(notification: Notification, report: Report, connection: BaseDatabaseWrapper) -> Transaction | None:
    """Bring the row of a report up to date and link its stored notification to it, in the caller's transaction.

    If the notification was redacted, deleted or linked meanwhile, roll back and return `None`.
    """
    row = write_state(report, connection)
    stored = Notification.objects.using(connection.alias).unlinked().filter(pk=notification.pk, redacted_at=None)
    if not stored.update(**{_link_of(report.model): row, "state_error": ""}):
        transaction.set_rollback(True, using=connection.alias)
        return None
    setattr(notification, _link_of(report.model), row)
    notification.state_error = ""
    return row


# The ways to write. Each sets the keys of the notification.


def _write_at_once(notification: Notification, report: Report, connection: BaseDatabaseWrapper) -> bool:
    """Write both rows in one statement of PostgreSQL. If the report is late, write nothing and return False."""
    link = _link_of(report.model)
    upsert, state_params = _upsert(report, connection)
    insert, raw_params = _insert(notification, connection, id_of_state=link)
    statement = (
        f"WITH state AS ({upsert}), raw AS ({insert} FROM state RETURNING id) SELECT raw.id, state.* FROM raw, state"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*state_params, *raw_params])
        fetched = cursor.fetchone()
    if fetched is None:
        return False
    pk, *state = fetched
    setattr(notification, link, _row_of(report.model, state, connection))
    _set_stored(notification, pk, connection)
    return True


def _write_in_a_block(notification: Notification, report: Report, connection: BaseDatabaseWrapper) -> None:
    with durable(connection):
        setattr(notification, _link_of(report.model), write_state(report, connection))
        _write_raw(notification, connection)


def _write_alone(notification: Notification, connection: BaseDatabaseWrapper) -> None:
    for name in LINKS:
        setattr(notification, name, None)
    with durable(connection):
        _write_raw(notification, connection)


def _write_raw(notification: Notification, connection: BaseDatabaseWrapper) -> None:
    insert, params = _insert(notification, connection)
    with connection.cursor() as cursor:
        cursor.execute(f"{insert} RETURNING id", params)
        ((pk,),) = cursor.fetchall()
    _set_stored(notification, pk, connection)


def _set_stored(notification: Notification, pk: int, connection: BaseDatabaseWrapper) -> None:
    notification.pk = pk
    notification._state.adding, notification._state.db = False, connection.alias


def _link_of(model: type[Transaction]) -> str:
    """Return the foreign key of notifications to a model."""
    return str(model._meta.model_name)


# The state.


def write_state(report: Report, connection: BaseDatabaseWrapper) -> Transaction:
    """Bring the row of a report up to date and return it. The caller's transaction must have read nothing before."""
    with connection.cursor() as cursor:
        # This locks the row, whether it changes it or not.
        cursor.execute(*_upsert(report, connection))
        for fetched in cursor.fetchall():
            row = _row_of(report.model, fetched, connection)
            # MariaDB returns the row also if it has changed nothing.
            if row.version == report.version:
                return row
    return _write_late(report, connection)


def _write_late(report: Report, connection: BaseDatabaseWrapper) -> Transaction:
    """Write what a report changes in a row that contains newer ones."""
    rows = report.model._base_manager.using(connection.alias)
    row = rows.select_for_update().get(**report.key)
    changes = changes_by(report, row) | {
        "created_at": min(row.created_at, report.moment),
        "updated_at": max(row.updated_at, report.moment),
    }
    rows.filter(pk=row.pk).update(**changes)
    return rows.get(pk=row.pk)


def changes_by(report: Report, row: Transaction) -> dict[str, Any]:
    """Return the values that a row has after a report, of the fields that the report changes."""
    state, is_late = state_of(row), report.version < row.version
    # A request that was sent precedes all reports, so it fills what they left empty.
    if is_late and (report.rank == Rank.SENT or not row.history_is_whole):
        return fill(report, state, row.personal if row.redacted_at else ())
    values = applicable(report, state)
    if is_late:
        for name in _overwritten_by_newer(report, row, values):
            del values[name]
    return values


def _overwritten_by_newer(report: Report, row: Transaction, names: Iterable[str]) -> set[str]:
    """Return those of `names` that a newer report in the row overwrites. Reads the newest reports first."""
    # The newest has decided `is_final`. If a field is empty, no report has filled it. A remote party is one value.
    filled = {name for name in names if name == "is_final" or getattr(row, name) not in ("", None)}
    left = filled | ({*PARTY} & {*names} if filled & {*PARTY} else set())
    found = {"is_final"} & left
    stored = Notification.objects.using(row._state.db).filter(**{_link_of(report.model): row.pk})
    newer = stored.filter(version__gt=report.version).order_by("-version", "-pk")
    while left - found:
        page = list(newer.filter(params__has_any_keys=parameters_of(left - found))[:PAGE])
        for notification in page:
            found |= left & overwritten(report, linked_report(notification, row))
        if len(page) < PAGE:
            break
        last = page[-1]
        newer = newer.filter(Q(version__lt=last.version) | Q(version=last.version, pk__lt=last.pk))
    return found


# The SQL. There is one statement for each set of columns, of which there are a few dozen.


def _upsert(report: Report, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
    """Return the upsert of a row, which returns it unless it contains a newer report, and its parameters."""
    values = {
        "account": report.account,
        **report.key,
        **report.values,
        "created_at": report.moment,
        "updated_at": report.moment,
        "version": report.version,
    }
    statement = _upsert_sql(report.model, tuple(values), tuple(report.key), tuple(report.values), connection.alias)
    return statement, _prepared(report.model, values, connection)


def _insert(
    notification: Notification, connection: BaseDatabaseWrapper, *, id_of_state: str = ""
) -> tuple[str, list[Any]]:
    """Return the INSERT of a notification up to its SELECT list, and its parameters.

    With `id_of_state`, that link is the column `id` of the SELECT's FROM clause.
    """
    values = {field.name: getattr(notification, field.attname) for field in Notification._meta.concrete_fields[1:]}
    # The others are empty. The body is always a parameter, because SQLite would store a literal as text.
    values = {name: value for name, value in values.items() if (value or name == "body") and name != id_of_state}
    return _insert_sql(tuple(values), id_of_state, connection.alias), _prepared(Notification, values, connection)


def _prepared(model: type[Model], values: Mapping[str, Any], connection: BaseDatabaseWrapper) -> list[Any]:
    """Return the values of fields as parameters of a statement, in the order of `_columns`."""
    return [
        field.get_db_prep_save(values[field.name], connection)
        for field in model._meta.concrete_fields
        if field.name in values
    ]


def _columns(model: type[Model], given: Iterable[str], using: str) -> dict[str, str]:
    """Return the columns of a new row with their values in SQL: a parameter if it is given, else empty or NULL."""
    quote = connections[using].ops.quote_name
    columns = {}
    for field in model._meta.concrete_fields:
        if field.name in given:
            columns[quote(str(field.column))] = "%s"
        elif not (field.null or field.primary_key or field.generated):
            empty = json.dumps(field.get_default()) if isinstance(field, JSONField) else field.get_default()
            columns[quote(str(field.column))] = f"'{empty}'" if isinstance(empty, str) else str(empty)
    return columns


@lru_cache(maxsize=256)
def _insert_sql(given: tuple[str, ...], id_of_state: str, using: str) -> str:
    columns = _columns(Notification, given, using)
    if id_of_state:
        columns[connections[using].ops.quote_name(f"{id_of_state}_id")] = "id"
    return f"INSERT INTO django_hoiio_notification ({', '.join(columns)}) SELECT {', '.join(columns.values())}"


def _row_of(model: type[Transaction], fetched: Iterable[Any], connection: BaseDatabaseWrapper) -> Transaction:
    """Return the instance of a row that a statement returned."""
    names, values = [field.attname for field in model._meta.concrete_fields], list(fetched)
    for index, column in _converted_columns(model, connection.alias):
        for convert in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection)):
            values[index] = convert(values[index], column, connection)
    return model.from_db(connection.alias, names, values)


@cache
def _converted_columns(model: type[Transaction], using: str) -> list[tuple[int, Any]]:
    """Return the columns whose values Django converts, with their index."""
    columns: Any = [field.get_col(model._meta.db_table) for field in model._meta.concrete_fields]
    connection = connections[using]
    return [
        (index, column)
        for index, column in enumerate(columns)
        if connection.ops.get_db_converters(column) or column.get_db_converters(connection)
    ]


@lru_cache(maxsize=256)
def _upsert_sql(
    model: type[Transaction],
    given: tuple[str, ...],
    key: tuple[str, ...],
    reported: tuple[str, ...],
    using: str,
) -> str:
    connection = connections[using]
    quote, is_mariadb = connection.ops.quote_name, connection.vendor == "mysql"
    table = quote(model._meta.db_table)
    least, greatest = ("MIN", "MAX") if connection.vendor == "sqlite" else ("LEAST", "GREATEST")

    def old(name: str) -> str:
        return f"{table}.{quote(name)}"

    def new(name: str) -> str:
        return f"VALUES({quote(name)})" if is_mariadb else f"excluded.{quote(name)}"

    is_newer = f"{new('version')} >= {old('version')}"
    knows_party_better = f"{_certainty_sql(new)} >= {_certainty_sql(old)}"

    def assignment(name: str) -> str:
        conditions = [is_newer] * is_mariadb + [knows_party_better] * (name in PARTY)
        if not conditions:
            return f"{quote(name)} = {new(name)}"
        return f"{quote(name)} = CASE WHEN {' AND '.join(conditions)} THEN {new(name)} ELSE {old(name)} END"

    # MariaDB assigns from left to right, and the conditions look at the direction and the number.
    last = [*(name for name in reversed(PARTY) if name in reported), "version"]
    assignments = [
        f"created_at = {least}({old('created_at')}, {new('created_at')})",
        f"updated_at = {greatest}({old('updated_at')}, {new('updated_at')})",
        *(assignment(name) for name in reported if name not in PARTY),
        *map(assignment, last),
    ]
    columns = _columns(model, given, using)
    if is_mariadb:
        update = f"ON DUPLICATE KEY UPDATE {', '.join(assignments)}"
    else:
        update = f"ON CONFLICT ({', '.join(map(quote, key))}) DO UPDATE SET {', '.join(assignments)} WHERE {is_newer}"
    insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(columns.values())})"
    return f"{insert} {update} RETURNING {', '.join(quote(str(field.column)) for field in model._meta.concrete_fields)}"


def _certainty_sql(column: Callable[[str], str]) -> str:
    """Return SQL for `certainty`."""
    directions = " ".join(f"WHEN '{direction}' THEN {points}" for direction, points in CERTAINTY.items())
    number = f"CASE {column('remote_number')} WHEN '' THEN 0 ELSE 1 END"
    return f"(CASE {column('direction')} {directions} ELSE 0 END + {number})"
