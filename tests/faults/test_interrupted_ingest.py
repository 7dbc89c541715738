"""Killed between any two statements, cut off, or timed out: both rows or neither, and no state is lost for good."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client

from django_hoiio import spool
from django_hoiio.ingest import ingest
from django_hoiio.ingest.state import state_of
from django_hoiio.models import LINKS, Call, Fax, Notification, Sms
from django_hoiio.recovery import recover
from django_hoiio.recovery.reparsing import store_state
from tests import ROOT
from tests.conftest import FORM, raw_notification
from tests.ingest.test_ingest import refused_states

from .conftest import Figures
from .processes import Environment, gunicorn, notification, post, run_command, signed_path, spooled

pytestmark = pytest.mark.django_db(transaction=True)

MORNING = datetime(2026, 1, 1, 8, tzinfo=timezone.utc)
only_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="a fault of PostgreSQL")


# Killed.

PATHS = {
    "new row": ([], "txn_ref=AA-S-1&sms_status=delivered&tag=new"),
    "newer report": (["txn_ref=AA-S-1&sms_status=queued&tag=old"], "txn_ref=AA-S-1&sms_status=delivered&tag=new"),
    "late report": (
        ["txn_ref=AA-S-1&sms_status=delivered&currency=SGD"],
        "txn_ref=AA-S-1&sms_status=queued&tag=new&currency=USD",
    ),
    "session": (["txn_ref=AA-C-1&session=S1&call_state=ringing"], "session=S1&call_state=ended&duration=2"),
    "no transaction": ([], "x=1"),
}


def kill(environ: Environment, content: str, when: str, number: int) -> tuple[bool, int]:
    """Ingest in a process that kills itself. Return whether it was killed, and else how many statements it executed."""
    given = {
        "uuid": str(uuid.uuid4()),
        "received_at": (MORNING + timedelta(hours=1)).isoformat(),
        "body": base64.b64encode(content.encode()).decode(),
        "when": when,
        "number": number,
    }
    process = subprocess.run(
        [sys.executable, "-m", "tests.faults.ingesting", json.dumps(given)],
        cwd=ROOT, env=dict(environ), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if process.returncode == -signal.SIGKILL:
        return True, 0
    assert process.returncode == 0, process.stderr
    return False, int(process.stdout)


def states() -> dict[str, Any]:
    return {str(row): state_of(row) for model in (Call, Sms, Fax) for row in model._default_manager.all()}


def clear() -> None:
    for model in (Notification, Call, Sms, Fax):
        model._default_manager.all().delete()


@pytest.mark.parametrize(("earlier", "content"), PATHS.values(), ids=PATHS)
def test_process_killed_at_any_statement_leaves_both_rows_or_neither(
    environ: Environment, earlier: list[str], content: str, figures: Figures
) -> None:
    def start() -> None:
        clear()
        for body in earlier:
            ingest(raw_notification("any", body=body, received_at=MORNING))

    start()
    before = states()
    is_killed, statements = kill(environ, content, "never", 0)
    after = states()
    kills = stored = 0
    for when in ("before", "after"):
        for number in range(1, statements + 1):
            start()
            is_killed, _ = kill(environ, content, when, number)
            assert is_killed
            kills += 1
            rows = list(Notification.objects.exclude(received_at=MORNING))
            stored += len(rows)
            if not rows:
                assert states() == before
                continue
            (row,) = rows
            assert states() == after
            assert (row.transaction is not None) == (content != "x=1")
            assert row.state_error == ""
    # Only the statement that commits by itself can be over when the process is killed.
    figures(statements=statements, kills=kills, stored=stored)


# Cut off.


@only_postgres
def test_connections_that_are_terminated_under_load_lose_no_state_and_no_mark(
    environ: Environment, spool_dir: Any, figures: Figures
) -> None:
    environ = {**environ, "HOIIO_FAULTS_RECEIVERS": "plain", "HOIIO_FAULTS_CONN_MAX_AGE": "60"}
    markers = [uuid.uuid4().hex for _ in range(240)]
    with gunicorn(environ, workers=2, threads=4, worker_class="gthread") as server, terminating() as cuts:
        statuses: list[int] = []

        def post_each(own: list[str]) -> None:
            statuses.extend(post(server.port, signed_path(), notification(marker)) for marker in own)

        threads = [threading.Thread(target=post_each, args=(markers[number::6],)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    in_spool = spooled(spool_dir)
    stored = Notification.objects.all()
    pending = stored.pending().count()
    figures(
        requests=len(markers),
        connections_terminated=len(cuts),
        spooled=len(in_spool),
        without_their_state=stored.filter(sms=None).count(),
        not_marked=pending,
    )
    assert set(statuses) == {200}
    assert sorted([*stored.values_list("pass_on__marker", flat=True), *in_spool]) == sorted(markers)
    assert stored.filter(sms=None).count() == 0
    assert pending == 0
    assert run_command(environ, "hoiio_recover")[0] == 0
    assert Sms.objects.count() == len({marker[:8] for marker in markers})


@contextmanager
def terminating() -> Iterator[list[int]]:
    """Terminate all connections of other processes to the database each 50 ms."""
    cuts: list[int] = []
    is_over = threading.Event()

    def terminate() -> None:
        while not is_over.wait(0.05):
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> ALL(%s)",
                    [own],
                )
                cuts.extend([1] * cursor.fetchone()[0])
        connection.close()

    with connection.cursor() as cursor:
        cursor.execute("SELECT array_agg(pid) FROM pg_stat_activity WHERE datname = current_database()")
        own = cursor.fetchone()[0]
    thread = threading.Thread(target=terminate_but_itself(terminate, own))
    thread.start()
    try:
        yield cuts
    finally:
        is_over.set()
        thread.join()


def terminate_but_itself(terminate: Any, own: list[int]) -> Any:
    """Add the connection of the terminating thread to those that stay."""

    def run() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            own.append(cursor.fetchone()[0])
        terminate()

    return run


# Timed out.


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite locks no rows")
@pytest.mark.parametrize("timeouts", ["statement", "lock", "both"])
def test_row_that_is_locked_longer_than_the_timeouts_gets_its_state(timeouts: str) -> None:
    ingest(raw_notification("sms", body="txn_ref=AA-S-1&sms_status=queued"))
    settings = {
        "postgresql": {"statement": "statement_timeout = 400", "lock": "lock_timeout = 400"},
        "mysql": {"statement": "max_statement_time = 0.4", "lock": "innodb_lock_wait_timeout = 1"},
    }[connection.vendor]
    is_locked, is_over = threading.Event(), threading.Event()

    def lock() -> None:
        with transaction.atomic():
            Sms.objects.select_for_update().get()
            is_locked.set()
            is_over.wait(1.3)
        connection.close()

    thread = threading.Thread(target=lock)
    thread.start()
    is_locked.wait(10)
    with connection.cursor() as cursor:
        for name, setting in settings.items():
            if timeouts in (name, "both"):
                cursor.execute(f"SET {setting}")
    stored = ingest(raw_notification("sms", body="txn_ref=AA-S-1&sms_status=delivered")).notification
    thread.join()
    connection.close()

    assert (stored.state_error, Sms.objects.get().sms_status) == ("", "delivered")


# Inside a transaction of the project.


def test_post_inside_a_transaction_is_spooled_and_logged(
    settings: Any, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.HOIIO = {"REQUIRE_VERIFICATION": False, "SPOOL_DIR": tmp_path}
    with transaction.atomic():
        body = "txn_ref=AA-S-1&sms_status=delivered"
        assert Client().generic("POST", "/hoiio/sms/", body, content_type=FORM).status_code == 200
        assert Notification.objects.count() == 0

    assert "a transaction was already open, which could roll the notification back" in caplog.text
    assert len(list(spool.pending(tmp_path))) == 1
    call_command("hoiio_recover")
    assert Sms.objects.get().notifications.count() == 1


# Stored without its state.


def test_recovery_stores_the_states_that_the_database_refused_oldest_first(
    settings: Any, tmp_path: Any, figures: Figures
) -> None:
    settings.HOIIO = {"SPOOL_DIR": tmp_path}
    with refused_states():
        for minute, word in ((2, "failed"), (1, "queued")):
            body = f"txn_ref=AA-S-1&sms_status={word}&tag=poison"
            ingest(raw_notification("sms", body=body, received_at=MORNING + timedelta(minutes=minute)))
        ingest(raw_notification("sms", body="txn_ref=AA-S-1&sms_status=queued&currency=SGD", received_at=MORNING))
        for _attempt in range(7):
            result = recover()
            assert (result.states, result.stateless, result.is_incomplete) == (0, 2, True)
        stateless = Notification.objects.with_state_error()
        assert list(stateless.order_by("received_at").values_list("state_attempts", flat=True)) == [5, 5]
        assert [getattr(one, f"{link}_id") for one in stateless for link in LINKS] == [None] * 6

    stateless.update(state_attempts=4)
    result = recover()

    assert (result.states, result.stateless, result.is_incomplete) == (2, 0, False)
    row = Sms.objects.get()
    assert (row.sms_status, row.tag, row.currency, row.is_final) == ("failed", "poison", "SGD", True)
    assert row.notifications.count() == 3
    figures(refused=2, attempts=5, stored_afterwards=result.states)


def test_state_of_a_redacted_notification_is_not_stored(settings: Any, tmp_path: Any) -> None:
    settings.HOIIO = {"SPOOL_DIR": tmp_path}
    with refused_states():
        stored = ingest(raw_notification("sms", body="txn_ref=AA-S-1&tag=poison&sms_status=queued")).notification
    Notification.objects.filter(pk=stored.pk).update(redacted_at=MORNING, body=b"", params={})

    assert (recover().states, Sms.objects.count()) == (0, 0)


def test_state_of_a_notification_that_is_redacted_meanwhile_is_not_stored() -> None:
    with refused_states():
        stored = ingest(raw_notification("sms", body="txn_ref=AA-S-1&tag=poison&sms_status=queued")).notification
    Notification.objects.filter(pk=stored.pk).update(redacted_at=MORNING, body=b"", params={})

    assert (store_state(stored), Sms.objects.count()) == (False, 0)
