"""Queueing for SQLite's lock.

Who finds it taken sleeps for a millisecond and longer, several times as long as it takes to keep a notification. So a
process that had to wait lately first takes a lock of the operating system's, on the folder of the database, for which
it looks more often. Nothing but speed depends on it: where it cannot be had, SQLite's own lock decides.
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

# All in seconds. Whose transaction takes longer than this to begin had to wait: SQLite sleeps for no less.
SLEEP = 0.001
# How long a process queues after that.
CROWDED = 1.0
# How long the lock is looked for all the time, which is enough where another process keeps a notification; the interval
# of the looks after that; and how long in all. Who has it for longer folds SQLite's log of writes back, waits for a
# transaction of the project's, or keeps it.
EAGERNESS = 0.0003
PAUSE = 0.0001
PATIENCE = 0.005
# How long nobody queues after that was in vain: longer each time, until the lock is had again.
FIRST_REST = 0.01
REST_GROWS_BY = 4
LONGEST_REST = 60.0

# Linux knows a way that costs less than sleeping for no time at all.
_let_others_run: Callable[[], None] = getattr(os, "sched_yield", partial(time.sleep, 0))


class Queued:
    """A context to write in; it does nothing on other databases, in memory, or in a transaction of the caller's."""

    __slots__ = ("_began", "_lock", "_queue")

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        queues = connection.vendor == "sqlite" and not connection.in_atomic_block
        self._queue = _queue_of(connection.settings_dict["NAME"]) if queues else None
        self._lock: int | None = None

    def __enter__(self) -> Queued:
        self._began = time.monotonic()
        if self._queue is not None and self._queue.rests_until < self._began < self._queue.crowded_until:
            self._lock = self._queue.lock()
        return self

    def has_begun(self) -> None:
        """To be called first thing after the transaction has begun: whether it had to wait."""
        now = time.monotonic()
        if self._queue is not None and now - self._began > SLEEP:
            self._queue.crowded_until = now + CROWDED

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            # Unlocked first, because a process that was forked in the meantime has it open as well.
            with suppress(OSError):
                locks.unlock(self._lock)
            with suppress(OSError):
                os.close(self._lock)


@dataclass
class _Queue:
    """What this process knows of the queue at a folder. The moments are of `time.monotonic`."""

    folder: str
    crowded_until: float = 0
    rests_until: float = 0
    next_rest: float = FIRST_REST

    def lock(self) -> int | None:
        """The folder, opened and locked; `None` where it cannot be."""
        try:
            lock = os.open(self.folder, os.O_RDONLY)
        except OSError:
            return None
        has_it = False
        try:
            has_it = _lock_in_time(lock)
        # A file system may know no such locks.
        except OSError:
            pass
        finally:
            if not has_it:
                os.close(lock)
        self._learn(has_it)
        return lock if has_it else None

    def _learn(self, has_it: bool) -> None:
        if has_it:
            self.next_rest = FIRST_REST
        else:
            self.rests_until = time.monotonic() + self.next_rest
            self.next_rest = min(LONGEST_REST, self.next_rest * REST_GROWS_BY)


@cache
def _queue_of(name: Any) -> _Queue | None:
    """The queue for a database, which it has in common with others in its folder; `None` where it has no folder."""
    folder = _folder_of(name)
    return None if folder is None else _queue_at(folder)


@cache
def _queue_at(folder: str) -> _Queue:
    return _Queue(folder)


def _folder_of(name: Any) -> str | None:
    """The folder of a database; `None` where it is in memory, named by a URI, or cannot be told."""
    try:
        text = os.fsdecode(name)
        return None if text == ":memory:" or text.startswith("file:") else str(Path(text).absolute().parent)
    except (OSError, TypeError, ValueError):
        return None


def _lock_in_time(lock: int) -> bool:
    """Lock what is open; False where somebody else has the lock for too long. Raises OSError."""
    began = time.monotonic()
    while not locks.lock(lock, locks.LOCK_EX | locks.LOCK_NB):
        waited = time.monotonic() - began
        if waited > PATIENCE:
            return False
        if waited < EAGERNESS:
            _let_others_run()
        else:
            time.sleep(PAUSE)
    return True
