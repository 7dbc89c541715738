"""Classify database errors by SQLSTATE or error number.

The codes are from PostgreSQL's appendix A, MariaDB's error code reference and SQLite's result codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from django.db import DatabaseError, DataError, Error, IntegrityError, InterfaceError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper


class DeadlineExceeded(OperationalError):
    """The database did not answer in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:.0f} seconds")


class Failure(Enum):
    """Class of a database error. It decides how to handle the notification to store."""

    # Conflict with another transaction: a deadlock, a serialization failure, a lock or statement timeout. Retry.
    TRANSIENT = "transient"
    # The connection was lost. Retry on a new one.
    DISCONNECTED = "disconnected"
    # The database cannot store anything now: refused, read-only, not migrated, no permission, full. Use the spool.
    AWAY = "away"
    # The database refuses this content, or the statement is wrong. Store the notification without its state.
    DATA = "data"

    @property
    def is_retried(self) -> bool:
        return self in (Failure.TRANSIENT, Failure.DISCONNECTED)


def _table(codes: Mapping[Failure, str]) -> dict[str, Failure]:
    return {code: failure for failure, listed in codes.items() for code in listed.split()}


# A full SQLSTATE takes precedence over its class, the first two characters.
_POSTGRESQL = _table(
    {
        # Class 40 is transaction rollback; lock_not_available, query_canceled (statement_timeout).
        Failure.TRANSIENT: "40 55P03 57014",
        # Connection exceptions; terminated by an administrator, a crash or a timeout.
        Failure.DISCONNECTED: "08 57P01 57P02 57P05 25P03 25P04",
        # A prepared statement from before a migration; read-only; wrong password or database; missing table, column,
        # type, function, schema or unique index; permission; out of disk, memory or connections; starting up or
        # shutting down; I/O; internal errors.
        Failure.AWAY: "0A 25006 28 3D 3F 42P01 42703 42704 42883 42P10 42501 53 55 57 58 F0 HV XX",
    }
)
_MARIADB = _table(
    {
        # Record changed, lock wait, deadlock, interrupted, max_statement_time.
        Failure.TRANSIENT: "1020 1205 1213 1317 1969 3024",
        # Shutdown, aborted, killed, gone away, lost during a query, malformed packet, timeouts.
        Failure.DISCONNECTED: "1053 1152 1158 1159 1160 1161 1184 1927 2006 2013 2027 2055 4031",
        # Disk, memory and table full; handles; storage engine; too many connections; read-only; missing database,
        # table, column or index; permission; wrong password; hosts; no server.
        Failure.AWAY: (
            "3 5 20 28 1021 1030 1037 1041 1114 1135 1016 1017 1024 1026"
            " 1040 1203 1226 1290 1792 1836 1223 1036"
            " 1049 1146 1054 1176 1932"
            " 1044 1045 1142 1143 1227 1370 1698 1129 1130 1820 1862"
            " 2001 2002 2003 2004 2005 2012 2026"
        ),
    }
)
# Primary result codes.
_SQLITE = _table(
    {
        # BUSY, LOCKED, INTERRUPT, PROTOCOL (a lock of the write-ahead log), SCHEMA.
        Failure.TRANSIENT: "5 6 9 15 17",
        # ERROR (a missing table or column), PERM, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOLFS, AUTH, NOTADB.
        Failure.AWAY: "1 3 7 8 10 11 13 14 22 23 26",
    }
)
_TABLES = {"postgresql": _POSTGRESQL, "mysql": _MARIADB, "sqlite": _SQLITE}


def classify(error: BaseException, connection: BaseDatabaseWrapper) -> Failure:
    """Classify an error that was raised while writing through `connection`.

    An error that is not a database error is a bug, and is classified as DATA.
    """
    if not isinstance(error, Error):
        return Failure.DATA
    if isinstance(error, DeadlineExceeded):
        return Failure.AWAY
    table = _TABLES.get(connection.vendor, {})
    for code in _codes_of(error, connection.vendor):
        if code in table:
            return table[code]
    return _without_a_code(error, connection)


def _codes_of(error: Error, vendor: str) -> Iterable[str]:
    """Return the codes of an error, the most specific first."""
    cause = error.__cause__
    if vendor == "postgresql":
        # psycopg 3 and 2.
        sqlstate = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
        return (sqlstate, sqlstate[:2]) if sqlstate else ()
    if vendor == "sqlite":
        # Python 3.11 and later.
        code = getattr(cause, "sqlite_errorcode", None)
        return () if code is None else (str(code & 0xFF),)
    return (str(error.args[0]),) if error.args else ()


def _without_a_code(error: Error, connection: BaseDatabaseWrapper) -> Failure:
    """Classify an error whose code is missing or in no table."""
    if isinstance(error, (DataError, IntegrityError)):
        return Failure.DATA
    if connection.connection is None:
        # No connection could be opened, or a pool had none available.
        return Failure.AWAY
    if connection.vendor == "sqlite":
        return _sqlite_without_a_code(error)
    if isinstance(error, InterfaceError):
        # The driver's connection was already closed.
        return Failure.DISCONNECTED
    has_code = any(_codes_of(error, connection.vendor))
    return Failure.DISCONNECTED if isinstance(error, OperationalError) and not has_code else Failure.DATA


def _sqlite_without_a_code(error: Error) -> Failure:
    """Classify by the message: Python 3.10 has no error codes, and the driver's own errors have none."""
    text = str(error)
    if "is locked" in text:
        return Failure.TRANSIENT
    if "closed database" in text:
        return Failure.DISCONNECTED
    is_refusal = isinstance(error, OperationalError) or type(error) is DatabaseError
    return Failure.AWAY if is_refusal else Failure.DATA
