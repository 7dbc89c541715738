"""Write to the database within a deadline, in a transaction of our own, and retry after transient errors.

Transient are a deadlock, a serialization failure, a lock or statement timeout and a lost connection.

SQLite and MariaDB have client timeouts (`timeout`, `read_timeout`, `write_timeout`). libpq waits for an answer forever
while something, such as a proxy, keeps the TCP connection alive. So a thread monitors the connections to PostgreSQL and
shuts down those that are overdue.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from django.db import Error, NotSupportedError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from .conf import conf
from .database_errors import DeadlineExceeded, Failure, classify

Result = TypeVar("Result")

# Maximum number of attempts. None starts after `LIMIT` seconds.
TRIES = 60

# Seconds within which connecting is retried: a server that ends sessions may end a new one, too.
CONNECT_WITHIN = 0.1

# Seconds. The pause before each attempt is random, and at most this much longer than before the one before.
LONGER_BY = 0.005


def retry_transient(write: Callable[[], Result], connection: BaseDatabaseWrapper) -> Result:
    """Call `write`, and again after a transient error; raise its last error."""
    begun = time.monotonic()
    try:
        with deadline(connection):
            return _retried(write, connection, begun)
    except Error as error:
        if classify(error, connection) in (Failure.AWAY, Failure.DISCONNECTED):
            slow_failures.add(time.monotonic() - begun)
        raise


def _retried(write: Callable[[], Result], connection: BaseDatabaseWrapper, begun: float) -> Result:
    for attempt in range(1, TRIES + 1):
        # The driver's connection. If it is replaced, Django's stays the same object.
        before = None
        try:
            connection.ensure_connection()
            before = connection.connection
            return write()
        except Error as error:
            failure, seconds = _failure(error, connection, before), time.monotonic() - begun
            # Do not wait for a database that cannot be reached: the notification goes to the spool.
            is_away = before is None and seconds > CONNECT_WITHIN
            if is_away or attempt == TRIES or not failure.is_retried:
                raise
            if seconds > LIMIT:
                if failure is Failure.DISCONNECTED:
                    raise DeadlineExceeded(LIMIT) from error
                raise
        time.sleep(random.uniform(0, LONGER_BY * attempt))
    raise AssertionError  # pragma: no cover


def _failure(error: Error, connection: BaseDatabaseWrapper, before: object) -> Failure:
    """Classify an error by its code and by the state of the connection. Close a broken connection."""
    failure = classify(error, connection)
    if before is None:
        return Failure.DISCONNECTED
    if failure is Failure.TRANSIENT or connection.in_atomic_block:
        return failure
    if failure is Failure.DISCONNECTED or connection.connection is not before or not connection.is_usable():
        connection.close()
        return Failure.DISCONNECTED
    return failure


class OpenTransaction(NotSupportedError):
    """A transaction that could be rolled back later is open, so nothing was stored."""


@contextmanager
def durable(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Run the block in a transaction of its own. In it, PostgreSQL waits for a locked row and then reads it anew.

    Raises `OpenTransaction` if another transaction could roll it back.
    """
    _refuse_open_transaction(connection)
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(using=connection.alias, durable=True):
        if connection.vendor == "postgresql" and is_outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        yield


_OPEN = (
    "On the database %r a transaction was already open, which could roll the notification back. Exempt the webhook from"
    " the middleware or decorator that opens it%s: docs/reference/checks.rst, W016."
)
_OFF = "AUTOCOMMIT of the database %r is off; remove it from DATABASES."


def _refuse_open_transaction(connection: BaseDatabaseWrapper) -> None:
    if connection.in_atomic_block:
        try:
            # Django allows the transaction of a TestCase.
            with transaction.atomic(using=connection.alias, durable=True):
                return
        except RuntimeError as error:
            raise _open_transaction(connection) from error
    if not connection.get_autocommit():
        raise OpenTransaction(_OFF % connection.alias)
    if not is_idle(connection):
        raise _open_transaction(connection)


def _open_transaction(connection: BaseDatabaseWrapper) -> OpenTransaction:
    others = [path for path in conf.middleware if not path.startswith("django.")]
    return OpenTransaction(_OPEN % (connection.alias, f", perhaps {' or '.join(others)}" if others else ""))


def is_idle(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a statement would be a transaction of its own."""
    return not connection.in_atomic_block and connection.get_autocommit() and not has_hidden_transaction(connection)


# libpq's codes: active, in a transaction, in a failed transaction.
_IN_TRANSACTION = (1, 2, 3)


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


# The deadline.

# Seconds until a connection without an answer is shut down. Servers often kill a worker after 30.
LIMIT = 10.0

# Seconds between two checks of the connections.
_INTERVAL = 0.5

# Seconds. A database that took at least `SLOW_AFTER` to fail is skipped for `SKIP_FOR`.
SLOW_AFTER = 2.0
SKIP_FOR = 10.0


class _Watchdog:
    """The monitoring thread of one process, and the connections that it monitors."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._lock = threading.Lock()
        # Used for waiting, because a project's tests may replace `time.sleep`.
        self._never = threading.Event()
        self._due: dict[BaseDatabaseWrapper, float] = {}
        self._overdue: set[BaseDatabaseWrapper] = set()
        threading.Thread(target=self._watch, name="django_hoiio deadline", daemon=True).start()

    def add(self, connection: BaseDatabaseWrapper) -> None:
        with self._lock:
            self._due[connection] = time.monotonic() + LIMIT

    def remove(self, connection: BaseDatabaseWrapper) -> bool:
        """Stop monitoring a connection. Return whether it was overdue."""
        with self._lock:
            del self._due[connection]
            was_overdue = connection in self._overdue
            self._overdue.discard(connection)
        return was_overdue

    def _watch(self) -> None:
        while True:
            self._never.wait(_INTERVAL)
            now = time.monotonic()
            with self._lock:
                for connection, due in self._due.items():
                    if due < now:
                        self._overdue.add(connection)
                        _cut(connection)


def _cut(connection: BaseDatabaseWrapper) -> None:
    """Shut down the socket, so that the thread that waits for an answer gets an error."""
    # The connection may not be open yet, or may already be closed.
    with (
        suppress(Exception),
        socket.fromfd(connection.connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as end,
    ):
        end.shutdown(socket.SHUT_RDWR)


_watchdog: _Watchdog | None = None


@contextmanager
def deadline(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Shut down the connection if the block takes longer than `LIMIT` seconds (PostgreSQL only).

    Raises DeadlineExceeded from the resulting error.
    """
    global _watchdog
    if connection.vendor != "postgresql":
        yield
        return
    watchdog = _watchdog
    if watchdog is None or watchdog.pid != os.getpid():
        # A thread does not survive a fork.
        _watchdog = watchdog = _Watchdog()
    watchdog.add(connection)
    failure = None
    try:
        yield
    except Error as error:
        failure = error
        raise
    finally:
        if watchdog.remove(connection) and failure is not None:
            raise DeadlineExceeded(LIMIT) from failure


class SlowFailures:
    """Remember in this process that the database failed slowly, so that the next notification does not wait for it."""

    def __init__(self) -> None:
        self._until = 0.0

    def add(self, seconds: float) -> None:
        """Record that the database failed after `seconds`."""
        if seconds >= SLOW_AFTER:
            self._until = time.monotonic() + SKIP_FOR

    def are_recent(self) -> bool:
        return time.monotonic() < self._until


slow_failures = SlowFailures()
