"""Provoke each real database error: no notification is lost."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import InterfaceError, connection, connections
from django.test import Client

from django_hoiio import database, recovery, spool
from django_hoiio.database_errors import Failure, classify
from django_hoiio.models import Notification, Sms
from django_hoiio.recovery import recover
from tests.conftest import FORM

pytestmark = pytest.mark.django_db(transaction=True)

STATUS = b"txn_ref=AA-S-1&sms_status=delivered&dest=%2B6511111111"
NOBODY = "hoiio_nobody"

Fault = Callable[[], AbstractContextManager[Any]]


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.HOIIO = {"REQUIRE_VERIFICATION": False, "SPOOL_DIR": tmp_path / "spool"}
    return tmp_path / "spool"


@pytest.fixture(autouse=True)
def _no_slow_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database.slow_failures, "_until", 0.0)


@pytest.fixture(autouse=True)
def _connection_as_found() -> Iterator[None]:
    """Reset the connection, so that no fault affects the next test."""
    before = dict(connection.settings_dict)
    yield
    connection.close()
    connection.settings_dict.update(before)


@pytest.fixture
def classified(monkeypatch: pytest.MonkeyPatch) -> set[Failure]:
    """Collect the classifications of the errors."""
    failures: set[Failure] = set()
    original = database.classify

    def classify(*args: Any) -> Failure:
        failure = original(*args)
        failures.add(failure)
        return failure

    monkeypatch.setattr(database, "classify", classify)
    monkeypatch.setattr(recovery, "classify", classify)
    return failures


def post(body: bytes = STATUS) -> int:
    return Client().generic("POST", "/hoiio/sms/", body, content_type=FORM).status_code


def rows_and_files(folder: Path) -> tuple[int, list[str]]:
    """Return the number of rows and the suffixes of the files."""
    return Notification.objects.count(), sorted(path.suffix for path in folder.glob("*"))


def run(*statements: str, using: str = "default") -> None:
    with connections[using].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def another_connection() -> Iterator[Any]:
    """Open a second connection to the same database."""
    other = connection.copy()
    try:
        yield other
    finally:
        other.close()


def connect_as(user: str) -> None:
    connection.close()
    connection.settings_dict["USER"] = user


# The database stores nothing for now.


@contextmanager
def read_only() -> Iterator[None]:
    """Make the database read-only, like a standby."""
    switch = {
        "postgresql": ("SET default_transaction_read_only = on", "SET default_transaction_read_only = off"),
        "mysql": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION TRANSACTION READ WRITE"),
        "sqlite": ("PRAGMA query_only = 1", "PRAGMA query_only = 0"),
    }[connection.vendor]
    run(switch[0])
    yield
    run(switch[1])


@contextmanager
def no_table() -> Iterator[None]:
    """Remove the table, as before `migrate`."""
    run("ALTER TABLE django_hoiio_notification RENAME TO put_away")
    yield
    run("ALTER TABLE put_away RENAME TO django_hoiio_notification")


@contextmanager
def no_column() -> Iterator[None]:
    """Remove a column, as after a deploy before `migrate`."""
    run("ALTER TABLE django_hoiio_sms RENAME COLUMN sms_status TO put_away")
    yield
    run("ALTER TABLE django_hoiio_sms RENAME COLUMN put_away TO sms_status")


@contextmanager
def no_permission() -> Iterator[None]:
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        connection.connection.set_authorizer(
            lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_INSERT else sqlite3.SQLITE_OK
        )
        yield
        connection.close()
        return
    with temporary_user("GRANT SELECT ON {tables} TO {user}"):
        yield


@contextmanager
def too_many_connections() -> Iterator[None]:
    limit = "CONNECTION LIMIT 0" if connection.vendor == "postgresql" else "WITH MAX_USER_CONNECTIONS 1"
    with temporary_user("GRANT ALL ON {tables} TO {user}", limit=limit):
        if connection.vendor == "postgresql":
            yield
            return
        with another_connection() as other:
            other.ensure_connection()
            yield


@contextmanager
def temporary_user(grant: str, limit: str = "") -> Iterator[None]:
    """Connect as a user with restricted permissions."""
    is_postgres = connection.vendor == "postgresql"
    # Roles belong to the server, which other test runs share.
    user = f"{NOBODY}_{connection.settings_dict['NAME']}"[:60]
    owner, name = connection.settings_dict["USER"], user if is_postgres else f"`{user}`@`%`"
    tables = "ALL TABLES IN SCHEMA public" if is_postgres else f"`{connection.settings_dict['NAME']}`.*"
    run(f"CREATE {'ROLE' if is_postgres else 'USER'} {name} {'LOGIN' if is_postgres else ''} {limit}")
    run(grant.format(tables=tables, user=name))
    connect_as(user)
    try:
        yield
    finally:
        connect_as(owner)
        if is_postgres:
            run(f"DROP OWNED BY {name}")
        run(f"DROP {'ROLE' if is_postgres else 'USER'} {name}")


@contextmanager
def full() -> Iterator[None]:
    """Let SQLite not grow; for the servers see tests/faults."""
    run("VACUUM")
    with connection.cursor() as cursor:
        (pages,) = cursor.execute("PRAGMA page_count").fetchone()
        cursor.execute(f"PRAGMA max_page_count = {pages}")
    yield
    run("PRAGMA max_page_count = 1073741823")


@contextmanager
def refused() -> Iterator[None]:
    connection.close()
    key, nowhere = ("NAME", "/nonexistent/hoiio.sqlite3") if connection.vendor == "sqlite" else ("PORT", "1")
    before, connection.settings_dict[key] = connection.settings_dict[key], nowhere
    yield
    connection.close()
    connection.settings_dict[key] = before


not_on_sqlite = pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite has no such thing")
on_sqlite = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="done with a server of its own in tests/faults")


@pytest.mark.parametrize(
    "fault",
    [
        read_only,
        no_table,
        no_column,
        no_permission,
        pytest.param(too_many_connections, marks=not_on_sqlite),
        pytest.param(full, marks=on_sqlite),
        refused,
    ],
)
def test_notifications_stay_in_the_spool_until_the_database_stores_them(
    folder: Path, classified: set[Failure], fault: Fault
) -> None:
    # Larger than the pages that SQLite has left.
    body = STATUS + b"&x=" + b"y" * 500_000
    with fault():
        assert (post(body), post(b"x=1" + b"y" * 500_000)) == (200, 200)
        report = recover()
        left = sorted(path.suffix for path in folder.iterdir())

    assert (left, report.quarantined, report.is_incomplete) == ([".json"] * report.waiting, 0, True)
    assert classified == {Failure.AWAY}
    assert (recover().is_incomplete, rows_and_files(folder)) == (False, (2, []))
    assert Sms.objects.get().sms_status == "delivered"


# Locks and disconnects.


@contextmanager
def locked_row() -> Iterator[Any]:
    """Lock the row of AA-S-1 in another connection until the block ends."""
    assert post() == 200
    with another_connection() as other:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("UPDATE django_hoiio_sms SET rate = 1 WHERE txn_ref = 'AA-S-1'")
        yield
        other.rollback()


@contextmanager
def statement_timeout() -> Iterator[None]:
    run("SET statement_timeout = 100" if connection.vendor == "postgresql" else "SET max_statement_time = 0.1")
    with locked_row():
        yield


@contextmanager
def lock_timeout() -> Iterator[None]:
    run(
        {
            "postgresql": "SET lock_timeout = 100",
            "mysql": "SET innodb_lock_wait_timeout = 1",
            "sqlite": "PRAGMA busy_timeout = 50",
        }[connection.vendor]
    )
    with locked_row():
        yield


@pytest.mark.parametrize("fault", [lock_timeout, pytest.param(statement_timeout, marks=not_on_sqlite)])
def test_notification_goes_to_the_spool_after_a_lock_or_statement_timeout(
    folder: Path, classified: set[Failure], monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr(database, "TRIES", 3)
    with fault():
        rows = Notification.objects.count()
        assert post() == 200
        report = recover()
        left = [path.suffix for path in folder.iterdir()]

    assert (left, report.quarantined, report.waiting) == ([".json"], 0, 1)
    assert classified == {Failure.TRANSIENT}
    assert (recover().is_incomplete, rows_and_files(folder)) == (False, (rows + 1, []))


@not_on_sqlite
@pytest.mark.parametrize("has_timeout", [True, False])
def test_file_of_a_locked_row_does_not_block_other_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, has_timeout: bool
) -> None:
    monkeypatch.setattr(database, "LIMIT", 1.0)
    with refused():
        assert post() == 200
        assert post(b"txn_ref=AA-S-2&sms_status=delivered") == 200
    if not has_timeout and connection.vendor == "mysql":
        connection.settings_dict["OPTIONS"] = {"read_timeout": 1}
    with lock_timeout() if has_timeout else locked_row():
        report = recover()

    assert (report.stored, report.waiting, report.quarantined) == (1, 1, 0)
    assert recover().is_incomplete is False


@not_on_sqlite
def test_connection_that_the_server_terminates_is_replaced(folder: Path, classified: set[Failure]) -> None:
    assert post() == 200
    with another_connection() as other, connection.cursor() as cursor, other.cursor() as killer:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_backend_pid()")
            killer.execute("SELECT pg_terminate_backend(%s)", cursor.fetchone())
        else:
            cursor.execute("SELECT CONNECTION_ID()")
            killer.execute("KILL %s", cursor.fetchone())

    assert post() == 200

    assert classified == {Failure.DISCONNECTED}
    assert rows_and_files(folder) == (2, [])


# Only one notification is at fault.


@pytest.mark.skipif(sys.version_info < (3, 11), reason="sqlite3 sets limits since Python 3.11")
@on_sqlite
def test_file_that_is_too_large_for_the_database_is_quarantined_and_blocks_no_other(folder: Path) -> None:
    with refused():
        assert (post(b"x=" + b"y" * 200_000), post()) == (200, 200)
    connection.ensure_connection()
    connection.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100_000)

    report = recover()

    assert (report.stored, report.waiting, report.quarantined) == (1, 0, 1)
    assert (Notification.objects.get().txn_ref, rows_and_files(folder)) == ("AA-S-1", (1, [".quarantined"]))


def test_recovery_is_incomplete_while_a_file_is_quarantined(folder: Path) -> None:
    with refused():
        assert post() == 200
    (path,) = spool.pending(folder)
    path.write_text("{")

    for _ in range(2):
        printed = StringIO()
        with pytest.raises(SystemExit) as exited:
            call_command("hoiio_recover", stdout=printed)
        assert exited.value.code == 1
        assert "Spool: 0 imported, 0 already stored, 0 not yet imported, 1 in quarantine." in printed.getvalue()


def test_pending_notifications_are_dispatched_although_a_file_cannot_be_stored(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A waiting file does not stop the recovery."""
    monkeypatch.setattr(database, "TRIES", 2)
    assert post() == 200
    Notification.objects.update(dispatched_at=None, claimed_until="2020-01-01T00:00Z")
    with lock_timeout() if connection.vendor != "sqlite" else nullcontext():
        report = recover()

    assert report.dispatched == 1


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_unreadable_file_waits_and_blocks_no_other(folder: Path) -> None:
    with refused():
        assert post() == 200
    (folder / "20000101T000000.000000Z-link.json").symlink_to(folder / "nowhere")
    (folder / "20000101T000000.000000Z-folder.json").mkdir()

    report = recover()

    # An entry that is not a file is quarantined.
    assert (report.stored, report.waiting, report.quarantined) == (1, 1, 1)


@not_on_sqlite
def test_closed_connection_of_a_driver_without_codes_is_a_disconnect() -> None:
    connection.ensure_connection()

    assert classify(InterfaceError("connection already closed"), connection) is Failure.DISCONNECTED


# Slow failures.


def test_database_is_skipped_after_a_slow_failure(folder: Path) -> None:
    database.slow_failures.add(database.SLOW_AFTER)

    assert post() == 200

    assert rows_and_files(folder) == (0, [".json"])
    assert (recover().stored, rows_and_files(folder)) == (1, (1, []))


def test_database_is_tried_again_after_a_quick_failure(folder: Path) -> None:
    with refused():
        assert post() == 200
    assert post() == 200

    assert rows_and_files(folder) == (1, [".json"])


def test_database_is_tried_after_a_slow_failure_without_a_spool(settings: Any) -> None:
    settings.HOIIO = {"REQUIRE_VERIFICATION": False}
    database.slow_failures.add(database.SLOW_AFTER)

    assert post() == 200

    assert Notification.objects.count() == 1
