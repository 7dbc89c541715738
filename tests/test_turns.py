"""Taking turns, at a database of SQLite's in a folder of its own, whatever database the tests are run with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.files import locks
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from django_hoiio import recording
from django_hoiio.recording import committing, turns
from django_hoiio.recording.turns import Turn

from .conftest import Post


@pytest.fixture(autouse=True)
def nobody_had_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_crowded_until", {})
    # A machine may be slow.
    monkeypatch.setattr(turns, "SLEEP", 3600)


@pytest.fixture
def sqlite(tmp_path: Path) -> BaseDatabaseWrapper:
    return connection_to(tmp_path / "db.sqlite3")


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Somebody had to wait."""
    monkeypatch.setattr(turns, "CROWDED", 3600)
    monkeypatch.setattr(turns, "SLEEP", -1)
    with Turn(connection_to(tmp_path / "other.sqlite3")) as turn:
        turn.has_begun()


def connection_to(name: Any) -> BaseDatabaseWrapper:
    return ConnectionHandler({"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": name}})["default"]


@contextmanager
def another(folder: Path) -> Iterator[Callable[[], bool]]:
    """Another process's turn; what is yielded takes it, if it is free, and tells whether it has it."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        yield lambda: locks.lock(lock, locks.LOCK_EX | locks.LOCK_NB)
    finally:
        os.close(lock)


def test_who_did_not_have_to_wait_takes_no_turn(sqlite: BaseDatabaseWrapper, tmp_path: Path) -> None:
    with Turn(sqlite) as turn:
        turn.has_begun()

    with another(tmp_path) as takes_it, Turn(sqlite):
        assert takes_it()


@pytest.mark.usefixtures("crowd")
def test_who_had_to_wait_takes_turns_from_then_on(sqlite: BaseDatabaseWrapper, tmp_path: Path) -> None:
    with another(tmp_path) as takes_it:
        for _ in range(2):
            with Turn(sqlite):
                assert not takes_it()

        assert takes_it()


@pytest.mark.usefixtures("crowd")
def test_the_turn_ends_with_the_block_whatever_ends_it(sqlite: BaseDatabaseWrapper, tmp_path: Path) -> None:
    with pytest.raises(SystemExit), Turn(sqlite):
        raise SystemExit

    with another(tmp_path) as takes_it:
        assert takes_it()


@pytest.mark.usefixtures("crowd")
def test_looks_again_until_the_other_is_done(
    sqlite: BaseDatabaseWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    monkeypatch.setattr(turns, "PATIENCE", 3600)
    other = os.open(tmp_path, os.O_RDONLY)
    assert locks.lock(other, locks.LOCK_EX | locks.LOCK_NB)

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            os.close(other)

    monkeypatch.setattr(turns.time, "sleep", sleep)
    with another(tmp_path) as takes_it, Turn(sqlite):
        assert not takes_it()

    assert looks == [turns.PAUSE] * 3


@pytest.mark.usefixtures("crowd")
def test_goes_on_without_when_the_other_takes_too_long(
    sqlite: BaseDatabaseWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr(turns, "PATIENCE", 0.01)
    with another(tmp_path) as takes_it:
        assert takes_it()
        with Turn(sqlite):
            written.append("a notification")

    assert written == ["a notification"]


@pytest.mark.usefixtures("crowd")
def test_a_killed_process_leaves_its_turn_to_the_next(sqlite: BaseDatabaseWrapper, tmp_path: Path) -> None:
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

        with Turn(sqlite):
            assert not takes_it()
        assert takes_it()


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("name", [":memory:", "file:shared?mode=memory&cache=shared", "/nowhere/at/all/db.sqlite3"])
def test_a_database_without_a_folder_has_no_turns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(locks, "lock", lambda *arguments: asked.append(arguments))

    for _ in range(2):
        with Turn(connection_to(name)) as turn:
            turn.has_begun()

    assert asked == []


@pytest.mark.usefixtures("crowd")
def test_goes_on_where_the_file_system_knows_no_locks(
    sqlite: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lock(*arguments: Any) -> bool:
        raise OSError("no locks available")

    written = []
    monkeypatch.setattr(locks, "lock", lock)
    with Turn(sqlite):
        written.append("a notification")

    assert written == ["a notification"]


@pytest.mark.usefixtures("crowd")
def test_who_is_ended_while_it_looks_leaves_nothing_open(
    sqlite: BaseDatabaseWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(seconds: float) -> None:
        raise SystemExit

    monkeypatch.setattr(turns.time, "sleep", sleep)
    with another(tmp_path) as takes_it:
        assert takes_it()
        opened = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(SystemExit), Turn(sqlite):
            pass
        assert len(list(Path("/proc/self/fd").iterdir())) == opened


@pytest.mark.usefixtures("crowd")
def test_takes_no_turn_in_a_transaction_which_holds_the_lock_already(
    sqlite: BaseDatabaseWrapper, tmp_path: Path
) -> None:
    sqlite.in_atomic_block = True

    with another(tmp_path) as takes_it, Turn(sqlite):
        assert takes_it()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="the others have locks that can be waited for")
def test_whoever_commits_says_when_it_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    crowded: dict[str, float] = {}
    monkeypatch.setattr(turns, "_crowded_until", crowded)
    monkeypatch.setattr(turns, "SLEEP", -1)

    with committing.committed(connection):
        assert list(crowded) == [str(Path(connection.settings_dict["NAME"]).parent)]


class Counted(Turn):
    taken = 0

    def __enter__(self) -> Turn:
        type(self).taken += 1
        return super().__enter__()


@pytest.mark.parametrize(
    ("query", "is_heard", "turns_taken"),
    [
        ("txn_ref=AA-S-1&sms_status=delivered", False, 1),
        # Once more to mark it as told.
        ("txn_ref=AA-S-1&sms_status=delivered", True, 2),
        ("txn_ref=AA-S-1&from=%2B6591111111&to=%2B6592222222&msg=Hi", True, 2),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_a_notification_is_kept_and_marked_in_turns(
    query: str, is_heard: bool, turns_taken: int, post: Post, request: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_heard:
        request.getfixturevalue("heard")
    monkeypatch.setattr(Counted, "taken", 0)
    for module in (recording, committing):
        monkeypatch.setattr(module, "Turn", Counted)

    post(f"any?{query}")

    assert Counted.taken == turns_taken
