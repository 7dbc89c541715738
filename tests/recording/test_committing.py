"""Real transactions, on a connection of their own where it matters: a TestCase's would hide what is left open."""

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


def keep(cursor: CursorWrapper) -> int:
    """Insert a notification, and return its primary key."""
    came = raw_notification("any", "", "txn_ref=AA-S-1&sms_status=delivered")
    cursor.execute(*insert_of(row_of(came, parse(came), {}), connection.alias))
    return pk_of(cursor)


def keep_and_raise(error: BaseException) -> None:
    with committed(connection) as cursor:
        keep(cursor)
        raise error


def kept_elsewhere() -> list[int]:
    """The notifications that another connection sees."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT id FROM django_hoiio_notification ORDER BY id")
            return [pk for (pk,) in cursor.fetchall()]
    finally:
        other.close()


def test_what_was_written_is_there_for_all_when_the_block_ends() -> None:
    with committed(connection) as cursor:
        pk = keep(cursor)

    assert kept_elsewhere() == [pk]


@has_begin
def test_nobody_sees_a_part_of_it_before() -> None:
    with committed(connection) as cursor:
        pks = [keep(cursor)]
        assert kept_elsewhere() == []
        pks.append(keep(cursor))

    assert kept_elsewhere() == pks


@has_begin
@pytest.mark.parametrize("error", [ValueError("x"), IntegrityError("x"), SystemExit(1), KeyboardInterrupt()])
def test_whatever_ends_the_block_takes_all_of_it_back(error: BaseException) -> None:
    with pytest.raises(type(error)):
        keep_and_raise(error)

    assert kept_elsewhere() == []
    # And nothing is left open for the next one to be lost in.
    with connection.cursor() as cursor:
        pk = keep(cursor)
    assert kept_elsewhere() == [pk]


@has_begin
def test_what_cannot_be_committed_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    execute = CursorWrapper.execute

    def fail_to_commit(cursor: CursorWrapper, sql: str, params: Any = None) -> Any:
        if sql == "COMMIT":
            raise OperationalError("disk I/O error")
        return execute(cursor, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", fail_to_commit)
    with pytest.raises(OperationalError, match="disk"), committed(connection) as cursor:
        keep(cursor)
    monkeypatch.undo()

    with connection.cursor() as cursor:
        pk = keep(cursor)
    assert kept_elsewhere() == [pk]


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
        keep_and_raise(ValueError("first"))

    assert repr(caught.value) == raised
    assert connection.connection is None
    assert kept_elsewhere() == []


@has_begin
@pytest.mark.parametrize("error", [OperationalError("x"), SystemExit(1)])
def test_whatever_comes_while_it_begins_leaves_nothing_open(error: BaseException) -> None:
    def begin_and_raise(execute: Any, sql: str, *arguments: Any) -> Any:
        execute(sql, *arguments)
        raise error

    with pytest.raises(type(error)), connection.execute_wrapper(begin_and_raise), committed(connection):
        pass

    with connection.cursor() as cursor:
        pk = keep(cursor)
    assert kept_elsewhere() == [pk]


@pytest.mark.skipif(connection.vendor == "mysql", reason="MariaDB commits it when the next one begins")
def test_it_is_refused_where_somebody_has_begun_a_transaction_by_a_statement() -> None:
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")

    with pytest.raises(NotSupportedError, match="a transaction is open that Django has not begun; use `atomic`"):
        keep_and_raise(AssertionError())

    connection.close()
    assert kept_elsewhere() == []


@pytest.mark.skipif(connection.vendor != "mysql", reason="the others would commit none of it")
def test_transaction_that_somebody_has_begun_by_a_statement_does_not_swallow_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")

    with committed(connection) as cursor:
        pk = keep(cursor)

    assert kept_elsewhere() == [pk]


@has_begin
def test_connection_stays_where_the_database_has_rolled_back_by_itself() -> None:
    """As SQLite does where the disk is full, and MariaDB with a deadlock."""

    def keep_and_lose() -> None:
        with committed(connection) as cursor:
            keep(cursor)
            cursor.execute("ROLLBACK")
            raise OperationalError("database or disk is full")

    connection.ensure_connection()
    before = connection.connection
    with pytest.raises(OperationalError, match="disk is full"):
        keep_and_lose()

    assert connection.connection is before
    assert kept_elsewhere() == []


def test_it_is_refused_where_another_transaction_could_take_it_back() -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"), committed(connection) as cursor:
        keep(cursor)

    assert Notification.objects.count() == 0


@pytest.mark.parametrize(
    "begin", [{"sqlite": ["BEGIN IMMEDIATE"], "mysql": ["START TRANSACTION"]}.get(connection.vendor, [])]
)
def test_it_costs_a_begin_and_a_commit_where_it_takes_several_statements(begin: list[str]) -> None:
    with CaptureQueriesContext(connection) as queries, committed(connection) as cursor:
        keep(cursor)

    said = [query["sql"] for query in queries if not query["sql"].startswith("INSERT")]
    assert said == [*begin, *["COMMIT" for _ in begin]]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the others lock rows, when they are written")
def test_lock_of_sqlite_is_taken_when_it_begins_so_that_others_wait_for_it() -> None:
    other = connection.copy()
    other.settings_dict = {**other.settings_dict, "OPTIONS": {"timeout": 0}}
    try:
        with committed(connection), pytest.raises(OperationalError, match="locked"), committed(other):
            pass
    finally:
        other.close()
