"""Commit in real transactions: those of a TestCase would hide an open one."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, NotSupportedError, OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.test.utils import CaptureQueriesContext

from django_hoiio.models import Notification
from django_hoiio.parsing import parse
from django_hoiio.recording.committing import committed
from django_hoiio.recording.raw import insert_of, pk_of, row_of
from tests.conftest import raw_notification

pytestmark = pytest.mark.django_db(transaction=True)

has_begin = pytest.mark.skipif(
    connection.vendor == "postgresql", reason="PostgreSQL keeps all with one statement, which is a transaction"
)


def insert(cursor: CursorWrapper) -> int:
    """Insert a notification and return its primary key."""
    raw = raw_notification("any", "", "txn_ref=AA-S-1&sms_status=delivered")
    cursor.execute(*insert_of(row_of(raw, parse(raw), {}), connection.alias))
    return pk_of(cursor)


def insert_and_raise(error: BaseException) -> None:
    with committed(connection) as cursor:
        insert(cursor)
        raise error


def seen_by_others() -> list[int]:
    """Return the keys of the notifications that another connection reads."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT id FROM django_hoiio_notification ORDER BY id")
            return [pk for (pk,) in cursor.fetchall()]
    finally:
        other.close()


def test_other_connections_read_the_rows_after_the_block() -> None:
    with committed(connection) as cursor:
        pk = insert(cursor)

    assert seen_by_others() == [pk]


@has_begin
def test_other_connections_read_nothing_before_the_commit() -> None:
    with committed(connection) as cursor:
        pks = [insert(cursor)]
        assert seen_by_others() == []
        pks.append(insert(cursor))

    assert seen_by_others() == pks


@has_begin
@pytest.mark.parametrize("error", [ValueError("x"), IntegrityError("x"), SystemExit(1), KeyboardInterrupt()])
def test_any_exception_in_the_block_rolls_back(error: BaseException) -> None:
    with pytest.raises(type(error)):
        insert_and_raise(error)

    assert seen_by_others() == []
    # No transaction is left open that would include the next one.
    with connection.cursor() as cursor:
        pk = insert(cursor)
    assert seen_by_others() == [pk]


@has_begin
def test_failed_commit_is_rolled_back(monkeypatch: pytest.MonkeyPatch) -> None:
    execute = CursorWrapper.execute

    def fail_to_commit(cursor: CursorWrapper, sql: str, params: Any = None) -> Any:
        if sql == "COMMIT":
            raise OperationalError("disk I/O error")
        return execute(cursor, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", fail_to_commit)
    with pytest.raises(OperationalError, match="disk"), committed(connection) as cursor:
        insert(cursor)
    monkeypatch.undo()

    with connection.cursor() as cursor:
        pk = insert(cursor)
    assert seen_by_others() == [pk]


@has_begin
@pytest.mark.parametrize(
    ("error", "raised"),
    [(OperationalError("server has gone away"), "ValueError('first')"), (SystemExit(1), "SystemExit(1)")],
)
def test_connection_that_cannot_even_roll_back_is_closed(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, raised: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(connection, "_rollback", fail)
    with pytest.raises((ValueError, SystemExit)) as caught:
        insert_and_raise(ValueError("first"))

    assert repr(caught.value) == raised
    assert connection.connection is None
    assert seen_by_others() == []


@has_begin
@pytest.mark.parametrize("error", [OperationalError("x"), SystemExit(1)])
def test_exception_while_it_begins_leaves_no_open_transaction(error: BaseException) -> None:
    def begin_and_raise(execute: Any, sql: str, *arguments: Any) -> Any:
        execute(sql, *arguments)
        raise error

    with pytest.raises(type(error)), connection.execute_wrapper(begin_and_raise), committed(connection):
        pass

    with connection.cursor() as cursor:
        pk = insert(cursor)
    assert seen_by_others() == [pk]


@pytest.mark.skipif(connection.vendor == "mysql", reason="MariaDB commits it when the next one begins")
def test_it_is_refused_in_a_hidden_transaction() -> None:
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")

    with pytest.raises(NotSupportedError, match="a transaction is open that Django has not begun; use `atomic`"):
        insert_and_raise(AssertionError())

    connection.close()
    assert seen_by_others() == []


@pytest.mark.skipif(connection.vendor != "mysql", reason="the others would commit none of it")
def test_hidden_transaction_cannot_roll_it_back() -> None:
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")

    with committed(connection) as cursor:
        pk = insert(cursor)

    assert seen_by_others() == [pk]


@has_begin
def test_connection_stays_open_if_the_database_rolled_back_itself() -> None:
    """Roll back like SQLite if the disk is full, and like MariaDB after a deadlock."""

    def insert_and_fail() -> None:
        with committed(connection) as cursor:
            insert(cursor)
            cursor.execute("ROLLBACK")
            raise OperationalError("database or disk is full")

    connection.ensure_connection()
    before = connection.connection
    with pytest.raises(OperationalError, match="disk is full"):
        insert_and_fail()

    assert connection.connection is before
    assert seen_by_others() == []


def test_it_is_refused_if_another_transaction_could_roll_it_back() -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"), committed(connection) as cursor:
        insert(cursor)

    assert Notification.objects.count() == 0


@pytest.mark.parametrize(
    "begin", [{"sqlite": ["BEGIN IMMEDIATE"], "mysql": ["START TRANSACTION"]}.get(connection.vendor, [])]
)
def test_several_statements_cost_a_begin_and_a_commit(begin: list[str]) -> None:
    with CaptureQueriesContext(connection) as queries, committed(connection) as cursor:
        insert(cursor)

    statements = [query["sql"] for query in queries if not query["sql"].startswith("INSERT")]
    assert statements == [*begin, *["COMMIT" for _ in begin]]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the others lock rows, when they are written")
def test_lock_of_sqlite_is_acquired_at_the_beginning_and_others_wait_for_it() -> None:
    other = connection.copy()
    other.settings_dict = {**other.settings_dict, "OPTIONS": {"timeout": 0}}
    try:
        with committed(connection), pytest.raises(OperationalError, match="locked"), committed(other):
            pass
    finally:
        other.close()
