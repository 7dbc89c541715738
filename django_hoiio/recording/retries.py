"""Retry after transient errors: a deadlock, a lock or statement timeout, a lost connection."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from django_hoiio.database_errors import Failure, classify
from django_hoiio.deadline import LIMIT, DeadlineExceeded, deadline, slow_failures

# Maximum number of attempts. None starts after `LIMIT` seconds.
TRIES = 20

Result = TypeVar("Result")


class Conflict(Exception):
    """Another connection has just written the row that this one found missing."""


def retry_transient(write: Callable[[], Result], connection: BaseDatabaseWrapper) -> Result:
    """Call `write`, and again while its failure passes by itself; raise its last error."""
    begun = time.monotonic()
    try:
        with deadline(connection):
            return _retried(write, connection, begun + LIMIT)
    except Error as error:
        if classify(error, connection) in (Failure.AWAY, Failure.DISCONNECTED):
            slow_failures.add(time.monotonic() - begun)
        raise


def _retried(write: Callable[[], Result], connection: BaseDatabaseWrapper, give_up: float) -> Result:
    for attempt in range(1, TRIES + 1):
        # Do not retry if the database cannot be reached: the notification goes to the spool.
        connection.ensure_connection()
        # The driver's connection. If it is replaced, Django's stays the same object.
        before = connection.connection
        try:
            return write()
        except (Conflict, Error) as error:
            failure = Failure.TRANSIENT if isinstance(error, Conflict) else _failure(error, connection, before)
            if attempt == TRIES or not failure.is_retried:
                raise
            if time.monotonic() > give_up:
                if failure is Failure.DISCONNECTED:
                    raise DeadlineExceeded from error
                raise
        time.sleep(random.uniform(0, 0.005 * attempt))
    raise AssertionError  # pragma: no cover


def _failure(error: Error, connection: BaseDatabaseWrapper, before: object) -> Failure:
    """Classify an error by its code and by the state of the connection. Close a broken connection."""
    failure = classify(error, connection)
    if failure is Failure.TRANSIENT or connection.in_atomic_block:
        return failure
    if failure is Failure.DISCONNECTED or connection.connection is not before or not connection.is_usable():
        connection.close()
        return Failure.DISCONNECTED
    return failure
