"""The commit of what is kept: all of it or nothing, and nobody's to take back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import Error, NotSupportedError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from .queueing import Queued

# How a transaction of several statements begins. SQLite's takes the lock at once: one that began without could not wait
# for it. PostgreSQL can say it all in one statement, which is a transaction by itself.
_BEGIN = {"sqlite": "BEGIN IMMEDIATE", "mysql": "START TRANSACTION"}

# As libpq counts them: active, in a transaction, in one that has failed.
_IN_TRANSACTION = (1, 2, 3)


def refuse_what_nobody_commits(connection: BaseDatabaseWrapper) -> None:
    """Raise NotSupportedError where a 200 would be false: with autocommit off, or in a hidden transaction."""
    if connection.in_atomic_block:
        return
    if not connection.get_autocommit():
        raise NotSupportedError(f"AUTOCOMMIT of the database {connection.alias!r} is off; remove it from DATABASES.")
    if has_hidden_transaction(connection):
        raise NotSupportedError(
            f"On the database {connection.alias!r} a transaction is open that Django has not begun; use `atomic`."
        )


def has_hidden_transaction(connection: Any) -> bool:
    """Whether somebody has begun a transaction by a statement, outside of any that Django has begun.

    In MariaDB the driver does not say; there the next one that begins commits it.
    """
    driver = connection.connection
    if driver is None:
        return False
    if connection.vendor == "postgresql":
        return driver.info.transaction_status in _IN_TRANSACTION
    try:
        return connection.vendor == "sqlite" and bool(driver.in_transaction)
    # Closed behind Django's back, which the next statement finds out.
    except connection.Database.ProgrammingError:
        return False


@contextmanager
def committed(connection: BaseDatabaseWrapper) -> Iterator[CursorWrapper]:
    """A cursor, of which the statements are committed when the block ends; on PostgreSQL, the one statement.

    Costs less than `atomic`, which turns autocommit off and on: on MariaDB a round trip. Django does not know of the
    transaction, so there must be nothing in the block but these statements. Raises NotSupportedError where something is
    open that nobody would commit.
    """
    refuse_what_nobody_commits(connection)
    if connection.in_atomic_block:
        # Refuses what a transaction around it may roll back; that of a TestCase gets a savepoint.
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
            queued.has_begun()
            yield cursor
            cursor.execute("COMMIT")
        # Also SystemExit, by which a server stops its workers, wherever it comes.
        except BaseException:
            _roll_back(connection)
            raise


def _roll_back(connection: BaseDatabaseWrapper) -> None:
    try:
        connection.rollback()
    # The connection is gone, and the transaction with it.
    except Error:
        connection.close()
    except BaseException:
        connection.close()
        raise
