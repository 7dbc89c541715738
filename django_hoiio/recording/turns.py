"""Taking turns at SQLite's lock.

Who finds it taken sleeps for a millisecond and longer, several times as long as it takes to keep a notification. So who
had to wait lately first takes a lock of the operating system's, on the folder of the database, for which it looks more
often. Nothing but speed depends on it: where it cannot be had, SQLite's own lock decides.
"""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path

from django.core.files import locks
from django.db.backends.base.base import BaseDatabaseWrapper

# All in seconds. Whose transaction takes longer than this to begin had to wait: SQLite sleeps for no less.
SLEEP = 0.001
# How long turns are taken after that.
CROWDED = 1.0
# Between two looks at the lock, and how long it is looked for: who has it may wait for a transaction of the project's.
PAUSE = 0.0002
PATIENCE = 0.1

# Folder → until when turns are taken there, by `time.monotonic`.
_crowded_until: dict[str, float] = {}


class Turn:
    """A context to write in; it does nothing on other databases, in memory, or in a transaction of the caller's."""

    __slots__ = ("_began", "_folder", "_lock")

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        has_turns = connection.vendor == "sqlite" and not connection.in_atomic_block
        self._folder = _folder_of(connection.settings_dict["NAME"]) if has_turns else None
        self._lock: int | None = None

    def __enter__(self) -> Turn:
        self._began = time.monotonic()
        if self._folder is not None and self._began < _crowded_until.get(self._folder, 0):
            self._lock = _locked(self._folder)
            self._began = time.monotonic()
        return self

    def has_begun(self) -> None:
        """To be called first thing after the transaction has begun: whether it had to wait."""
        now = time.monotonic()
        if self._folder is not None and now - self._began > SLEEP:
            _crowded_until[self._folder] = now + CROWDED

    def __exit__(self, *error: object) -> None:
        # Opened for each turn, so that each thread and each fork has its own.
        if self._lock is not None:
            os.close(self._lock)


@cache
def _folder_of(name: str | Path) -> str | None:
    """The folder of a database; `None` where it is in memory, or named by a URI."""
    if name == ":memory:" or str(name).startswith("file:"):
        return None
    return str(Path(name).absolute().parent)


def _locked(folder: str) -> int | None:
    """The folder, opened and, unless time runs out, locked; `None` where it cannot be opened."""
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    give_up = time.monotonic() + PATIENCE
    try:
        while not locks.lock(lock, locks.LOCK_EX | locks.LOCK_NB) and time.monotonic() < give_up:
            time.sleep(PAUSE)
    # A file system may know no such locks.
    except OSError:
        pass
    except BaseException:
        os.close(lock)
        raise
    return lock
