"""Bound how long a notification waits for the database.

SQLite and MariaDB have time-outs of the client (`timeout`, `read_timeout`, `write_timeout`). libpq waits for an answer
for ever, as long as something on the way, such as a proxy, keeps the TCP connection alive. So a thread watches over the
connections to PostgreSQL and cuts those that are overdue.
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

# Seconds until a connection is cut that has not answered. Servers like to kill a worker after 30.
LIMIT = 10.0

# Seconds between two looks at the connections.
_INTERVAL = 0.5

# A database that took at least this long to fail is passed by for a while. In seconds.
SLOW = 2.0
PASS_BY = 10.0


class DeadlineExceeded(OperationalError):
    """The database has not answered within `LIMIT` seconds."""

    def __init__(self) -> None:
        super().__init__(f"no answer within {LIMIT:.0f} seconds")


class _Watchdog:
    """The thread of one process, and the connections that it watches over."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._lock = threading.Lock()
        # A test of a project may replace `time.sleep`.
        self._never = threading.Event()
        self._due: dict[BaseDatabaseWrapper, float] = {}
        self._overdue: set[BaseDatabaseWrapper] = set()
        threading.Thread(target=self._watch, name="django_hoiio deadline", daemon=True).start()

    def add(self, connection: BaseDatabaseWrapper) -> None:
        with self._lock:
            self._due[connection] = time.monotonic() + LIMIT

    def remove(self, connection: BaseDatabaseWrapper) -> bool:
        """Stop watching over a connection; True if it was overdue."""
        with self._lock:
            del self._due[connection]
            overdue_q = connection in self._overdue
            self._overdue.discard(connection)
        return overdue_q

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
    """Shut the socket down, so that the thread that waits for an answer gets an error."""
    # There may be no connection yet, or no longer.
    with (
        suppress(Exception),
        socket.fromfd(connection.connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as end,
    ):
        end.shutdown(socket.SHUT_RDWR)


_watchdog: _Watchdog | None = None


@contextmanager
def deadline(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Cut the connection if the block is not over after `LIMIT` seconds; PostgreSQL only.

    The error that follows is raised as DeadlineExceeded.
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
    """Remember for this process that the database took long to fail, so that the next notification need not wait."""

    def __init__(self) -> None:
        self._until = 0.0

    def add(self, seconds: float) -> None:
        """Note that an attempt to use the database failed after so many seconds."""
        if seconds >= SLOW:
            self._until = time.monotonic() + PASS_BY

    def are_recent(self) -> bool:
        return time.monotonic() < self._until


slow_failures = SlowFailures()
