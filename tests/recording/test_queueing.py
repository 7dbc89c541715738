"""Queueing for a database of SQLite's in a folder of its own, whatever database the tests are run with."""

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
def nobody_had_to_wait(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # A machine may be slow.
    monkeypatch.setattr(queueing, "SLEEP", 3600)
    forget()
    yield
    forget()


def forget() -> None:
    """What is known of queues, and where a relative name was found to be."""
    queueing._queue_at.cache_clear()
    queueing._queue_of.cache_clear()


@pytest.fixture
def sqlite(tmp_path: Path) -> BaseDatabaseWrapper:
    return connection_to(tmp_path / "db.sqlite3")


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Somebody had to wait."""
    monkeypatch.setattr(queueing, "CROWDED", 3600)
    monkeypatch.setattr(queueing, "SLEEP", -1)
    with Queued(connection_to(tmp_path / "other.sqlite3")) as queued:
        queued.has_begun()


def connection_to(name: Any) -> BaseDatabaseWrapper:
    return ConnectionHandler({"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": name}})["default"]


@contextmanager
def another(folder: Path) -> Iterator[Callable[[], bool]]:
    """Another process; what is yielded takes the lock, if it is free, and tells whether it has it."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        yield lambda: locks.lock(lock, locks.LOCK_EX | locks.LOCK_NB)
    finally:
        os.close(lock)


def descriptors() -> int:
    """How many are open; the same as any other number where the system does not tell."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_who_did_not_have_to_wait_does_not_queue(sqlite: BaseDatabaseWrapper, tmp_path: Path) -> None:
    with Queued(sqlite) as queued:
        queued.has_begun()

    with another(tmp_path) as takes_it, Queued(sqlite):
        assert takes_it()


@pytest.mark.usefixtures("crowd")
def test_who_had_to_wait_queues_from_then_on(sqlite: BaseDatabaseWrapper, tmp_path: Path) -> None:
    with another(tmp_path) as takes_it:
        for _ in range(2):
            with Queued(sqlite):
                assert not takes_it()

        assert takes_it()


@pytest.mark.usefixtures("crowd")
def test_the_lock_is_given_back_with_the_block_whatever_ends_it(sqlite: BaseDatabaseWrapper, tmp_path: Path) -> None:
    with pytest.raises(SystemExit), Queued(sqlite):
        raise SystemExit

    with another(tmp_path) as takes_it:
        assert takes_it()


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize(
    ("eagerness", "between"), [(3600, "lets others run"), (0, f"sleeps for {queueing.PAUSE} seconds")]
)
def test_looks_again_until_the_other_is_done(
    sqlite: BaseDatabaseWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eagerness: float, between: str
) -> None:
    rests = []
    monkeypatch.setattr(queueing, "PATIENCE", 3600)
    monkeypatch.setattr(queueing, "EAGERNESS", eagerness)
    other = os.open(tmp_path, os.O_RDONLY)
    assert locks.lock(other, locks.LOCK_EX | locks.LOCK_NB)

    def rest(how: str) -> None:
        rests.append(how)
        if len(rests) == 3:
            os.close(other)

    monkeypatch.setattr(queueing, "_let_others_run", lambda: rest("lets others run"))
    monkeypatch.setattr(queueing.time, "sleep", lambda seconds: rest(f"sleeps for {seconds} seconds"))
    with another(tmp_path) as takes_it, Queued(sqlite):
        assert not takes_it()

    assert rests == [between] * 3


@pytest.mark.usefixtures("crowd")
def test_goes_on_without_when_the_other_takes_too_long(
    sqlite: BaseDatabaseWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr(queueing, "PATIENCE", 0.01)
    with another(tmp_path) as takes_it:
        assert takes_it()
        with Queued(sqlite):
            written.append("a notification")

    assert written == ["a notification"]


@pytest.mark.usefixtures("crowd")
def test_a_killed_process_leaves_the_lock_to_the_next(sqlite: BaseDatabaseWrapper, tmp_path: Path) -> None:
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
    asked = []
    monkeypatch.setattr(locks, "lock", lambda *arguments: asked.append(arguments))

    for _ in range(2):
        with Queued(connection_to(name)) as queued:
            queued.has_begun()

    assert asked == []


@pytest.mark.usefixtures("crowd")
def test_goes_on_where_the_file_system_knows_no_locks(
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
def test_who_is_ended_while_it_looks_leaves_nothing_open(
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
def test_whoever_commits_says_when_it_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queueing, "SLEEP", -1)
    queue = queueing._queue_at(str(Path(connection.settings_dict["NAME"]).parent))

    assert queue.crowded_until == 0
    with committing.committed(connection):
        assert queue.crowded_until > 0


@pytest.mark.usefixtures("crowd")
def test_queues_no_more_when_nobody_had_to_wait_for_a_while(
    sqlite: BaseDatabaseWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queueing, "CROWDED", -1)
    with Queued(sqlite) as queued:
        queued.has_begun()

    with another(tmp_path) as takes_it, Queued(sqlite):
        assert takes_it()


class Clock:
    """In place of the module `time`, for what looks once and does not sleep."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_rests_longer_each_time_that_it_looked_in_vain_until_it_has_the_lock_again(
    sqlite: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    looks: list[float] = []

    def lock(*arguments: Any) -> bool:
        looks.append(clock.now)
        # Free once.
        return len(looks) == 11

    monkeypatch.setattr(queueing, "time", clock)
    monkeypatch.setattr(queueing, "PATIENCE", -1)
    monkeypatch.setattr(queueing, "SLEEP", -1)
    monkeypatch.setattr(queueing.locks, "lock", lock)
    monkeypatch.setattr(queueing.locks, "unlock", lambda *arguments: None)
    while len(looks) < 14:
        with Queued(sqlite) as queued:
            queued.has_begun()
        clock.now += 0.003

    rests = [after - before for before, after in pairwise(looks)]
    longer = [0.01, 0.04, 0.16, 0.64, 2.56, 10.24, 40.96, 60, 60, 60]
    assert rests == pytest.approx([*longer, 0, 0.01, 0.04], abs=0.004)


@pytest.mark.usefixtures("crowd")
def test_a_fork_does_not_keep_what_its_parent_had(sqlite: BaseDatabaseWrapper, tmp_path: Path) -> None:
    with another(tmp_path) as takes_it:
        with Queued(sqlite) as queued:
            assert queued._lock is not None
            # What a fork has of it: the same open folder.
            kept = os.dup(queued._lock)
        assert takes_it()
    os.close(kept)


@pytest.mark.usefixtures("crowd")
def test_what_becomes_of_the_lock_masks_no_error(sqlite: BaseDatabaseWrapper) -> None:
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


def test_a_working_folder_that_is_gone_keeps_nobody_from_writing(monkeypatch: pytest.MonkeyPatch) -> None:
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
    """Knows whether it is in the queue while a statement is run."""

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
        # Once more to mark it as told.
        ("txn_ref=AA-S-1&sms_status=delivered", True, 2),
        ("txn_ref=AA-S-1&from=%2B6591111111&to=%2B6592222222&msg=Hi", True, 2),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_a_notification_is_kept_and_marked_in_the_queue(
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
