"""Queueing for a SQLite database in its own folder, with any test database."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.core.files import locks
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from django_hoiio import recording
from django_hoiio.recording import committing, queueing
from django_hoiio.recording.queueing import Queued
from tests.conftest import Post


@pytest.fixture(autouse=True)
def no_queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # Allow for slow machines.
    monkeypatch.setattr(queueing, "SLEEP", 3600)
    forget()
    yield
    forget()


def forget() -> None:
    """Forget the cached queues and folders."""
    queueing._queue_at.cache_clear()
    queueing._queue_of.cache_clear()


@pytest.fixture
def sqlite(tmp_path: Path) -> BaseDatabaseWrapper:
    return connection_to(tmp_path / "db.sqlite3")


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let a process have waited recently."""
    monkeypatch.setattr(queueing, "CROWDED", 3600)
    monkeypatch.setattr(queueing, "SLEEP", -1)
    with Queued(connection_to(tmp_path / "other.sqlite3")) as queued:
        queued.note_begin()


def connection_to(name: Any) -> BaseDatabaseWrapper:
    return ConnectionHandler({"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": name}})["default"]


@contextmanager
def another(folder: Path) -> Iterator[Callable[[], bool]]:
    """Start another process. Yield a function that tries to acquire the lock there and returns whether it succeeded."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        yield lambda: locks.lock(lock, locks.LOCK_EX | locks.LOCK_NB)
    finally:
        os.close(lock)


def descriptors() -> int:
    """Return the number of open files; a constant if the system does not report it."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_process_that_did_not_wait_does_not_queue(sqlite: BaseDatabaseWrapper, tmp_path: Path) -> None:
    with Queued(sqlite) as queued:
        queued.note_begin()

    with another(tmp_path) as takes_it, Queued(sqlite):
        assert takes_it()


@pytest.mark.usefixtures("crowd")
def test_process_that_had_to_wait_queues_next_time(sqlite: BaseDatabaseWrapper, tmp_path: Path) -> None:
    with another(tmp_path) as takes_it:
        for _ in range(2):
            with Queued(sqlite):
                assert not takes_it()

        assert takes_it()


@pytest.mark.usefixtures("crowd")
def test_lock_is_released_at_the_end_of_the_block_after_any_exception(
    sqlite: BaseDatabaseWrapper, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit), Queued(sqlite):
        raise SystemExit

    with another(tmp_path) as takes_it:
        assert takes_it()


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize(
    ("eagerness", "between"), [(3600, "lets others run"), (0, f"sleeps for {queueing.PAUSE} seconds")]
)
def test_lock_is_polled_until_the_other_process_releases_it(
    sqlite: BaseDatabaseWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eagerness: float, between: str
) -> None:
    pauses = []
    monkeypatch.setattr(queueing, "LOCK_TIMEOUT", 3600)
    monkeypatch.setattr(queueing, "EAGERNESS", eagerness)
    other = os.open(tmp_path, os.O_RDONLY)
    assert locks.lock(other, locks.LOCK_EX | locks.LOCK_NB)

    def pause(how: str) -> None:
        pauses.append(how)
        if len(pauses) == 3:
            os.close(other)

    monkeypatch.setattr(queueing, "_let_others_run", lambda: pause("lets others run"))
    monkeypatch.setattr(queueing.time, "sleep", lambda seconds: pause(f"sleeps for {seconds} seconds"))
    with another(tmp_path) as takes_it, Queued(sqlite):
        assert not takes_it()

    assert pauses == [between] * 3


@pytest.mark.usefixtures("crowd")
def test_writer_continues_without_the_lock_after_the_timeout(
    sqlite: BaseDatabaseWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr(queueing, "LOCK_TIMEOUT", 0.01)
    with another(tmp_path) as takes_it:
        assert takes_it()
        with Queued(sqlite):
            written.append("a notification")

    assert written == ["a notification"]


@pytest.mark.usefixtures("crowd")
def test_lock_of_a_killed_process_is_free(sqlite: BaseDatabaseWrapper, tmp_path: Path) -> None:
    holds = (
        "import os, sys; from django.core.files import locks; lock = os.open(sys.argv[1], os.O_RDONLY);"
        "print(locks.lock(lock, locks.LOCK_EX), flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holds, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process, another(tmp_path) as takes_it:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert not takes_it()

        process.kill()
        process.wait()

        with Queued(sqlite):
            assert not takes_it()
        assert takes_it()


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("name", [":memory:", "file:shared?mode=memory&cache=shared", "/nowhere/at/all/db.sqlite3"])
def test_a_database_without_a_folder_is_not_queued_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []
    monkeypatch.setattr(locks, "lock", lambda *arguments: attempts.append(arguments))

    for _ in range(2):
        with Queued(connection_to(name)) as queued:
            queued.note_begin()

    assert attempts == []


@pytest.mark.usefixtures("crowd")
def test_writer_continues_if_the_file_system_has_no_locks(
    sqlite: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lock(*arguments: Any) -> bool:
        raise OSError("no locks available")

    written = []
    monkeypatch.setattr(locks, "lock", lock)
    opened = descriptors()
    with Queued(sqlite):
        written.append("a notification")

    assert (written, descriptors()) == (["a notification"], opened)


@pytest.mark.usefixtures("crowd")
def test_exception_while_polling_leaves_no_open_file(
    sqlite: BaseDatabaseWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def let_others_run() -> None:
        raise SystemExit

    monkeypatch.setattr(queueing, "EAGERNESS", 3600)
    monkeypatch.setattr(queueing, "_let_others_run", let_others_run)
    with another(tmp_path) as takes_it:
        assert takes_it()
        opened = descriptors()
        with pytest.raises(SystemExit), Queued(sqlite):
            pass
        assert descriptors() == opened


@pytest.mark.usefixtures("crowd")
def test_does_not_queue_in_a_transaction_which_holds_the_lock_already(
    sqlite: BaseDatabaseWrapper, tmp_path: Path
) -> None:
    sqlite.in_atomic_block = True

    with another(tmp_path) as takes_it, Queued(sqlite):
        assert takes_it()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="the others have locks that can be waited for")
def test_each_commit_records_when_its_transaction_began(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queueing, "SLEEP", -1)
    queue = queueing._queue_at(str(Path(connection.settings_dict["NAME"]).parent))

    assert queue.crowded_until == 0
    with committing.committed(connection):
        assert queue.crowded_until > 0


@pytest.mark.usefixtures("crowd")
def test_process_stops_queueing_after_a_while_without_waiting(
    sqlite: BaseDatabaseWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queueing, "CROWDED", -1)
    with Queued(sqlite) as queued:
        queued.note_begin()

    with another(tmp_path) as takes_it, Queued(sqlite):
        assert takes_it()


class Clock:
    """Replaces the module `time` in tests that poll once and do not sleep."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_time_without_queueing_grows_with_each_failure_until_the_lock_is_acquired(
    sqlite: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    looks: list[float] = []

    def lock(*arguments: Any) -> bool:
        looks.append(clock.now)
        # Free once.
        return len(looks) == 11

    monkeypatch.setattr(queueing, "time", clock)
    monkeypatch.setattr(queueing, "LOCK_TIMEOUT", -1)
    monkeypatch.setattr(queueing, "SLEEP", -1)
    monkeypatch.setattr(queueing.locks, "lock", lock)
    monkeypatch.setattr(queueing.locks, "unlock", lambda *arguments: None)
    while len(looks) < 14:
        with Queued(sqlite) as queued:
            queued.note_begin()
        clock.now += 0.003

    pauses = [after - before for before, after in pairwise(looks)]
    longer = [0.01, 0.04, 0.16, 0.64, 2.56, 10.24, 40.96, 60, 60, 60]
    assert pauses == pytest.approx([*longer, 0, 0.01, 0.04], abs=0.004)


@pytest.mark.usefixtures("crowd")
def test_fork_does_not_hold_the_lock_of_its_parent(sqlite: BaseDatabaseWrapper, tmp_path: Path) -> None:
    with another(tmp_path) as takes_it:
        with Queued(sqlite) as queued:
            assert queued._lock is not None
            # A fork has the same open folder.
            copy = os.dup(queued._lock)
        assert takes_it()
    os.close(copy)


@pytest.mark.usefixtures("crowd")
def test_failure_to_unlock_masks_no_error(sqlite: BaseDatabaseWrapper) -> None:
    def lose_it_and_fail() -> None:
        with Queued(sqlite) as queued:
            assert queued._lock is not None
            os.close(queued._lock)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        lose_it_and_fail()


@pytest.mark.parametrize("vendor", ["postgresql", "mysql"])
@pytest.mark.usefixtures("crowd")
def test_other_databases_are_not_queued_for(
    vendor: str, sqlite: BaseDatabaseWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "vendor", vendor)
    with another(tmp_path) as takes_it, Queued(sqlite):
        assert takes_it()


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("name", ["db.sqlite3", Path("db.sqlite3"), b"db.sqlite3"])
def test_a_relative_name_is_in_the_working_folder(name: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with another(tmp_path) as takes_it, Queued(connection_to(name)):
        assert not takes_it()


@pytest.mark.usefixtures("crowd")
def test_a_name_may_be_bytes(tmp_path: Path) -> None:
    with another(tmp_path) as takes_it, Queued(connection_to(os.fsencode(tmp_path / "db.sqlite3"))):
        assert not takes_it()


def test_writer_continues_without_a_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    def getcwd() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(os, "getcwd", getcwd)
    written = []
    with Queued(connection_to("db.sqlite3")):
        written.append("a notification")

    assert written == ["a notification"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="the others have locks that can be waited for")
def test_waiting_for_the_lock_of_sqlite_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queueing, "SLEEP", 0.001)
    connection.ensure_connection()
    holder = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    ends = threading.Timer(0.1, holder.rollback)
    ends.start()

    with committing.committed(connection):
        pass

    ends.join()
    holder.close()
    assert queueing._queue_at(str(Path(connection.settings_dict["NAME"]).parent)).crowded_until > 0


class Seen(Queued):
    """Records whether it holds the queue while a statement runs."""

    inside: ClassVar[list[bool]] = []
    entered = 0

    def __enter__(self) -> Queued:
        type(self).entered += not connection.in_atomic_block
        self.inside.append(True)
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        self.inside.pop()
        super().__exit__(*error)


@pytest.mark.parametrize(
    ("query", "is_heard", "times_queued"),
    [
        ("txn_ref=AA-S-1&sms_status=delivered", False, 1),
        # Once more to mark it as dispatched.
        ("txn_ref=AA-S-1&sms_status=delivered", True, 2),
        ("txn_ref=AA-S-1&from=%2B6591111111&to=%2B6592222222&msg=Hi", True, 2),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_notification_is_stored_and_marked_in_the_queue(
    query: str, is_heard: bool, times_queued: int, post: Post, request: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_heard:
        request.getfixturevalue("heard")
    monkeypatch.setattr(Seen, "entered", 0)
    for module in (recording, committing):
        monkeypatch.setattr(module, "Queued", Seen)
    writes: list[bool] = []

    def watch(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith(("WITH", "INSERT", "UPDATE")):
            writes.append(bool(Seen.inside))
        return execute(sql, *arguments)

    with connection.execute_wrapper(watch):
        post(f"any?{query}")

    assert (Seen.entered, set(writes)) == (times_queued, {True})
