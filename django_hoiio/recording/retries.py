"""Retry what passes by itself: a deadlock, a lock or statement time-out, a connection that broke."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from django_hoiio.database_errors import Failure, classify
from django_hoiio.deadline import LIMIT, DeadlineExceeded, deadline, slow_failures

# How many attempts are made. None begins after `LIMIT` seconds.
TRIES = 20

Result = TypeVar("Result")


class Conflict(Exception):
    """Another connection has just written the row that this one found missing."""


def retry_transient(keep: Callable[[], Result], connection: BaseDatabaseWrapper) -> Result:
    """Call `keep`, and again while its failure passes by itself; raise its last error."""
    begun = time.monotonic()
    try:
        with deadline(connection):
            return _retried(keep, connection, begun + LIMIT)
    except Error as error:
        if classify(error, connection) in (Failure.AWAY, Failure.DISCONNECTED):
            slow_failures.add(time.monotonic() - begun)
        raise


def _retried(keep: Callable[[], Result], connection: BaseDatabaseWrapper, give_up: float) -> Result:
    for attempt in range(1, TRIES + 1):
        # A database that cannot be reached is not asked again: the spool takes what it would have got.
        connection.ensure_connection()
        # The driver's connection; Django's stays if that is replaced.
        before = connection.connection
        try:
            return keep()
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
    """Classify an error by what it says and by what it left; a connection that broke is closed, to be replaced."""
    failure = classify(error, connection)
    if failure is Failure.TRANSIENT or connection.in_atomic_block:
        return failure
    if failure is Failure.DISCONNECTED or connection.connection is not before or not connection.is_usable():
        connection.close()
        return Failure.DISCONNECTED
    return failure
