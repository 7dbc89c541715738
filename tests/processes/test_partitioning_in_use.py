"""The SQL of docs/guides/growth.rst on a site in use: a report has the table open, and notifications arrive."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from django_hoiio.ingest import ingest
from django_hoiio.models import Notification
from tests import ROOT
from tests.conftest import raw_notification
from tests.documents import code_of

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="partitions as PostgreSQL has them")

PAGE = ROOT / "docs/guides/growth.rst"
SAID = "txn_ref=AA-S-1&sms_status=delivered"

# Seconds.
READING, TIMEOUT = 10, 120


@pytest.fixture
def own_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """Let Django use a new database, with the tables of the app."""
    settings = connection.settings_dict
    usual, own = settings["NAME"], f"{settings['NAME']}_growth"
    with django_db_blocker.unblock():
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{own}"')
            cursor.execute(f'CREATE DATABASE "{own}"')
        connection.close()
        settings["NAME"] = own
        try:
            call_command("migrate", verbosity=0)
            yield own
        finally:
            connection.close()
            settings["NAME"] = usual
            with connection._nodb_cursor() as cursor:
                cursor.execute(f'DROP DATABASE "{own}" WITH (FORCE)')


def is_partitioned() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('django_hoiio_notification_rest') IS NOT NULL")
        return bool(cursor.fetchone()[0])


def test_reader_of_ten_seconds_delays_the_move_and_no_notification(own_database: str, tmp_path: Path) -> None:
    (loop,) = code_of(PAGE, "sh")
    (tmp_path / "partition.sql").write_text(code_of(PAGE, "sql")[0], encoding="utf-8")
    where = {key: str(connection.settings_dict[key]) for key in ("USER", "PASSWORD", "HOST", "PORT")}
    environment = {**os.environ, **{f"PG{key}": value for key, value in where.items() if value}}
    ingest(raw_notification("sms", "", SAID))
    stored, slowest = 1, 0.0
    # The report that has the table open.
    reader = connection.copy()
    with reader.cursor() as cursor:
        cursor.execute("BEGIN; SELECT count(*) FROM django_hoiio_notification")

        move = subprocess.Popen(
            ["sh", "-c", loop.replace("mysite", own_database)],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun = time.monotonic()
        while time.monotonic() < begun + READING:
            at = time.monotonic()
            ingest(raw_notification("sms", "", SAID))
            stored, slowest = stored + 1, max(slowest, time.monotonic() - at)
            time.sleep(0.1)
        assert not is_partitioned()
    reader.close()
    _, errors = move.communicate(timeout=TIMEOUT)

    assert "canceling statement due to lock timeout" in errors
    assert is_partitioned()
    assert Notification.objects.count() == stored
    # Some waited behind the lock, none much longer than its time-out.
    assert slowest < READING / 2
