"""Trying again what passes by itself: a deadlock, a lock time-out, a connection that the server had closed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

# How often, and for how many seconds, a deadlock, a serialization failure or a lock time-out is tried again.
TRIES = 20
PATIENCE = 10.0

Kept = TypeVar("Kept")


class Crossed(Exception):
    """Another connection has just written the row that this one found missing."""


def patiently(keep: Callable[[], Kept], connection: BaseDatabaseWrapper) -> Kept:
    """Call `keep`, and again while what keeps it from succeeding passes; raises its last error."""
    give_up = time.monotonic() + PATIENCE
    for attempt in range(1, TRIES + 1):
        # What the driver calls a connection; Django's stays when that is replaced.
        before = None
        try:
            connection.ensure_connection()
            before = connection.connection
            return keep()
        except (Crossed, Error) as error:
            passes = is_passing(error) or _is_cut_off(connection, before)
            if attempt == TRIES or time.monotonic() > give_up or not passes:
                raise
        time.sleep(random.uniform(0, 0.005 * attempt))
    raise AssertionError  # pragma: no cover


_PASSING_SQLSTATES = {"40001", "40P01", "55P03"}
_PASSING_MYSQL_ERRORS = {1020, 1205, 1213}


def is_passing(error: Exception) -> bool:
    """True for a deadlock, a serialization failure and a lock time-out, as PostgreSQL, MariaDB and SQLite put it."""
    if not isinstance(error, Error):
        return isinstance(error, Crossed)
    cause = error.__cause__
    return (
        # psycopg 3 and 2.
        getattr(cause, "sqlstate", getattr(cause, "pgcode", None)) in _PASSING_SQLSTATES
        or (error.args[:1] != () and error.args[0] in _PASSING_MYSQL_ERRORS)
        or "is locked" in str(error)
    )


def _is_cut_off(connection: BaseDatabaseWrapper, before: object) -> bool:
    """True where the server has closed the connection, which is open again by now or with the next statement."""
    if before is None or connection.in_atomic_block:
        return False
    if connection.connection is before and connection.is_usable():
        return False
    connection.close()
    return True
