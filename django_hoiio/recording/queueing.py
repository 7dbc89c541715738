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
# of the looks after that; and how long in all: who has it may wait for a transaction of the project's.
EAGERNESS = 0.0003
PAUSE = 0.0001
PATIENCE = 0.1
# How long nobody queues after that was in vain: the lock may be somebody's who keeps it.
REST = 60.0

# Linux knows a way that costs less than sleeping for no time at all.
_let_others_run: Callable[[], None] = getattr(os, "sched_yield", partial(time.sleep, 0))

# Folder → until when it is queued there, and until when it is not, by `time.monotonic`.
_crowded_until: dict[str, float] = {}
_rests_until: dict[str, float] = {}


class Queued:
    """A context to write in; it does nothing on other databases, in memory, or in a transaction of the caller's."""

    __slots__ = ("_began", "_folder", "_lock")

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        queues = connection.vendor == "sqlite" and not connection.in_atomic_block
        self._folder = _folder_of(connection.settings_dict["NAME"]) if queues else None
        self._lock: int | None = None

    def __enter__(self) -> Queued:
        self._began = time.monotonic()
        if self._folder is not None and _is_crowded(self._folder, self._began):
            self._lock = _locked(self._folder)
        return self

    def has_begun(self) -> None:
        """To be called first thing after the transaction has begun: whether it had to wait."""
        now = time.monotonic()
        if self._folder is not None and now - self._began > SLEEP:
            _crowded_until[self._folder] = now + CROWDED

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            # Unlocked first, because a process that was forked in the meantime has it open as well.
            with suppress(OSError):
                locks.unlock(self._lock)
            with suppress(OSError):
                os.close(self._lock)


@cache
def _folder_of(name: Any) -> str | None:
    """The folder of a database; `None` where it is in memory, named by a URI, or cannot be told."""
    try:
        text = os.fsdecode(name)
        return None if text == ":memory:" or text.startswith("file:") else str(Path(text).absolute().parent)
    except (OSError, TypeError, ValueError):
        return None


def _is_crowded(folder: str, now: float) -> bool:
    return _rests_until.get(folder, 0) < now < _crowded_until.get(folder, 0)


def _locked(folder: str) -> int | None:
    """The folder, opened and locked; `None` where it cannot be."""
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    has_it = False
    began = time.monotonic()
    try:
        while not (has_it := locks.lock(lock, locks.LOCK_EX | locks.LOCK_NB)):
            waited = time.monotonic() - began
            if waited > PATIENCE:
                break
            _let_others_run() if waited < EAGERNESS else time.sleep(PAUSE)
    # A file system may know no such locks.
    except OSError:
        pass
    finally:
        if not has_it:
            _rests_until[folder] = time.monotonic() + REST
            os.close(lock)
    return lock if has_it else None
