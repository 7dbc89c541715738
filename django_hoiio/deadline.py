"""Limit how long a notification waits for the database.

SQLite and MariaDB have client timeouts (`timeout`, `read_timeout`, `write_timeout`). libpq waits for an answer forever
while something, such as a proxy, keeps the TCP connection alive. So a thread monitors the connections to PostgreSQL and
shuts down those that are overdue.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import Error, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

# Seconds until a connection without an answer is shut down. Servers often kill a worker after 30.
LIMIT = 10.0

# Seconds between two checks of the connections.
_INTERVAL = 0.5

# Seconds. A database that took at least `SLOW_AFTER` to fail is skipped for `SKIP_FOR`.
SLOW_AFTER = 2.0
SKIP_FOR = 10.0


class DeadlineExceeded(OperationalError):
    """The database did not answer within `LIMIT` seconds."""

    def __init__(self) -> None:
        super().__init__(f"no answer within {LIMIT:.0f} seconds")


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
            raise DeadlineExceeded from failure


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
