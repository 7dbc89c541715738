"""Commit all or nothing, outside of any transaction that could be rolled back later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import Error, NotSupportedError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from .queueing import Queued

# The statements that begin a transaction. SQLite's takes the lock at once, because it could not wait for it later.
# PostgreSQL needs none: there all is one statement, which is a transaction by itself.
_BEGIN = {"sqlite": "BEGIN IMMEDIATE", "mysql": "START TRANSACTION"}

# libpq's codes: active, in a transaction, in a failed transaction.
_IN_TRANSACTION = (1, 2, 3)


def refuse_what_nobody_commits(connection: BaseDatabaseWrapper) -> None:
    """Raise NotSupportedError if nobody would commit: with autocommit off, or in a hidden transaction."""
    if connection.in_atomic_block:
        return
    if not connection.get_autocommit():
        raise NotSupportedError(f"AUTOCOMMIT of the database {connection.alias!r} is off; remove it from DATABASES.")
    if has_hidden_transaction(connection):
        raise NotSupportedError(
            f"On the database {connection.alias!r} a transaction is open that Django has not begun; use `atomic`."
        )


def has_hidden_transaction(connection: Any) -> bool:
    """Return whether a statement has started a transaction that Django does not know.

    MariaDB's driver does not report this. There the next transaction commits it.
    """
    driver = connection.connection
    if driver is None:
        return False
    if connection.vendor == "postgresql":
        return driver.info.transaction_status in _IN_TRANSACTION
    try:
        return connection.vendor == "sqlite" and bool(driver.in_transaction)
    # The connection is closed and Django does not know yet. The next statement will fail.
    except connection.Database.ProgrammingError:
        return False


@contextmanager
def committed(connection: BaseDatabaseWrapper) -> Iterator[CursorWrapper]:
    """Yield a cursor and commit its statements when the block ends. On PostgreSQL only one statement is allowed.

    Cheaper than `atomic`, which turns autocommit off and on: on MariaDB that is a round trip. Django does not know the
    transaction, so the block must contain only these statements. Raises NotSupportedError if nobody would commit.
    """
    refuse_what_nobody_commits(connection)
    if connection.in_atomic_block:
        # `durable` refuses an outer transaction, except that of a TestCase.
        with transaction.atomic(using=connection.alias, durable=True), connection.cursor() as cursor:
            yield cursor
        return
    begin = _BEGIN.get(connection.vendor)
    with Queued(connection) as queued, connection.cursor() as cursor:
        if begin is None:
            yield cursor
            return
        try:
            cursor.execute(begin)
            queued.note_begin()
            yield cursor
            cursor.execute("COMMIT")
        # Also SystemExit, with which a server stops its workers at any point.
        except BaseException:
            _roll_back(connection)
            raise


def _roll_back(connection: BaseDatabaseWrapper) -> None:
    try:
        connection.rollback()
    # The connection is lost, and so is the transaction.
    except Error:
        connection.close()
    except BaseException:
        connection.close()
        raise
