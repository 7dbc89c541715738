"""Queueing for SQLite's lock.

A process that finds the lock taken sleeps for at least a millisecond, several times as long as storing a notification
takes. So a process that had to wait recently first takes a lock of the operating system on the folder of the database,
which it polls more often. This only improves speed: if that lock is unavailable, SQLite's own lock decides.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from django.core.files import locks
from django.db.backends.base.base import BaseDatabaseWrapper

# All in seconds. A transaction that takes longer than this to begin had to wait: SQLite never sleeps for less.
SLEEP = 0.001
# Time for which a process queues after that.
CROWDED = 1.0
# Busy polling for the lock, long enough for another process to store a notification; the polling interval after that;
# and the total time. A process that holds it longer runs a checkpoint, waits for the project's transaction, or hangs.
EAGERNESS = 0.0003
PAUSE = 0.0001
LOCK_TIMEOUT = 0.005
# Time without queueing after the lock was not acquired. It grows until the lock is acquired again.
MIN_DELAY = 0.01
BACKOFF_FACTOR = 4
MAX_DELAY = 60.0

# On Linux this is cheaper than sleeping for zero seconds.
_let_others_run: Callable[[], None] = getattr(os, "sched_yield", partial(time.sleep, 0))


class Queued:
    """Context manager for writing. It does nothing on other databases, in memory, or in the caller's transaction."""

    __slots__ = ("_began", "_lock", "_queue")

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        queues = connection.vendor == "sqlite" and not connection.in_atomic_block
        self._queue = _queue_of(connection.settings_dict["NAME"]) if queues else None
        self._lock: int | None = None

    def __enter__(self) -> Queued:
        self._began = time.monotonic()
        if self._queue is not None and self._queue.paused_until < self._began < self._queue.crowded_until:
            self._lock = self._queue.lock()
        return self

    def note_begin(self) -> None:
        """Record whether the transaction had to wait. Call this right after it has begun."""
        now = time.monotonic()
        if self._queue is not None and now - self._began > SLEEP:
            self._queue.crowded_until = now + CROWDED

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            # Unlock first, because a process that was forked meanwhile has the file open too.
            with suppress(OSError):
                locks.unlock(self._lock)
            with suppress(OSError):
                os.close(self._lock)


@dataclass
class _Queue:
    """State of the queue at a folder in this process. Moments are values of `time.monotonic`."""

    folder: str
    crowded_until: float = 0
    paused_until: float = 0
    next_delay: float = MIN_DELAY

    def lock(self) -> int | None:
        """Open and lock the folder. Return `None` if that fails."""
        try:
            lock = os.open(self.folder, os.O_RDONLY)
        except OSError:
            return None
        has_it = False
        try:
            has_it = _lock_in_time(lock)
        # The file system may not support such locks.
        except OSError:
            pass
        finally:
            if not has_it:
                os.close(lock)
        self._learn(has_it)
        return lock if has_it else None

    def _learn(self, has_it: bool) -> None:
        if has_it:
            self.next_delay = MIN_DELAY
        else:
            self.paused_until = time.monotonic() + self.next_delay
            self.next_delay = min(MAX_DELAY, self.next_delay * BACKOFF_FACTOR)


@cache
def _queue_of(name: Any) -> _Queue | None:
    """Return the queue of a database, shared by the databases in its folder. `None` if it has no folder."""
    folder = _folder_of(name)
    return None if folder is None else _queue_at(folder)


@cache
def _queue_at(folder: str) -> _Queue:
    return _Queue(folder)


def _folder_of(name: Any) -> str | None:
    """Return the folder of a database. `None` if it is in memory, named by a URI, or unknown."""
    try:
        text = os.fsdecode(name)
        return None if text == ":memory:" or text.startswith("file:") else str(Path(text).absolute().parent)
    except (OSError, TypeError, ValueError):
        return None


def _lock_in_time(lock: int) -> bool:
    """Lock an open file. Return False if another process holds the lock too long. Raises OSError."""
    began = time.monotonic()
    while not locks.lock(lock, locks.LOCK_EX | locks.LOCK_NB):
        waited = time.monotonic() - began
        if waited > LOCK_TIMEOUT:
            return False
        if waited < EAGERNESS:
            _let_others_run()
        else:
            time.sleep(PAUSE)
    return True
