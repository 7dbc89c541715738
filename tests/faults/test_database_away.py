"""The database is stopped, cut off or locked under load, returns, and `hoiio_recover` imports the spool.

With HOIIO_TEST_DATABASE=postgres, a private PostgreSQL server is stopped and started, not the one of the suite. With
mariadb, a proxy in front of the server disconnects and refuses. With sqlite, another process locks the file for longer
than the timeout.
"""

from __future__ import annotations

import sqlite3
import stat
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from django_hoiio.models import Notification

from .cluster import Cluster, own_cluster
from .conftest import Figures
from .processes import Environment, Load, environment, gunicorn, run_command, spooled
from .proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True)

# Seconds.
AWAY = 5.0
BEFORE_AND_AFTER = 1.5

DATABASE = "hoiio"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with own_cluster() as cluster:
        cluster.query(f"CREATE DATABASE {DATABASE}")
        yield cluster


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="runs with HOIIO_TEST_DATABASE=postgres")
def test_postgres_that_is_stopped_under_load_loses_nothing(
    cluster: Cluster, spool_dir: Path, tmp_path: Path, figures: Figures
) -> None:
    where = {"PGHOST": "127.0.0.1", "PGPORT": str(cluster.port), "PGUSER": "postgres"}
    environ = environment(DATABASE, spool_dir, **where, HOIIO_FAULTS_LOG=str(tmp_path / "calls"))
    assert run_command(environ, "migrate", "--verbosity=0") == (0, "")

    def rows() -> Counter[str]:
        return Counter(cluster.query("SELECT pass_on->>'marker' FROM django_hoiio_notification", DATABASE))

    with gunicorn(environ, workers=2, threads=3) as server, Load(server.port, pause=0.02) as load:
        time.sleep(BEFORE_AND_AFTER)
        cluster.stop()
        time.sleep(AWAY)
        cluster.start()
        time.sleep(BEFORE_AND_AFTER)

    waiting = _check_that_all_is_stored(load, rows(), spool_dir)
    code, printed = run_command(environ, "hoiio_recover")
    assert code == 0, printed
    _check_that_all_is_imported(load, rows(), spool_dir)
    _add_figures(figures, load, waiting, len(rows()), seconds_away=AWAY)


@pytest.mark.skipif("connection.vendor != 'mysql'", reason="runs with HOIIO_TEST_DATABASE=mariadb")
def test_mariadb_that_is_cut_off_under_load_loses_nothing(
    environ: Environment, spool_dir: Path, figures: Figures
) -> None:
    proxy = Proxy(connection.settings_dict["HOST"], int(connection.settings_dict["PORT"]))
    behind = {**environ, "MYSQL_HOST": "127.0.0.1", "MYSQL_PORT": str(proxy.port)}

    with gunicorn(behind, workers=2, threads=3) as server, Load(server.port, pause=0.02) as load:
        time.sleep(BEFORE_AND_AFTER)
        proxy.go_away()
        time.sleep(AWAY)
        proxy.come_back()
        time.sleep(BEFORE_AND_AFTER)
    proxy.close()

    _check_and_recover(environ, load, spool_dir, figures, seconds_away=AWAY)


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="runs with HOIIO_TEST_DATABASE=sqlite")
def test_sqlite_that_is_locked_past_its_timeout_goes_to_the_spool(
    environ: Environment, spool_dir: Path, figures: Figures
) -> None:
    short_timeout = {**environ, "HOIIO_FAULTS_TIMEOUT": "0.5"}
    locking = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)

    with gunicorn(short_timeout, workers=1, threads=6) as server, Load(server.port, pause=0.02) as load:
        load.wait_for(20)
        locking.execute("BEGIN EXCLUSIVE")
        # The app waits for the lock, and retries for ten seconds in all.
        until = time.monotonic() + 60
        while len(spooled(spool_dir)) < load.clients and time.monotonic() < until:
            time.sleep(0.1)
        locking.execute("ROLLBACK")
        load.wait_for(20)
    locking.close()

    _check_and_recover(environ, load, spool_dir, figures)


def _check_and_recover(environ: Environment, load: Load, spool_dir: Path, figures: Figures, **numbers: object) -> None:
    def rows() -> Counter[str]:
        return Counter(Notification.objects.values_list("pass_on__marker", flat=True))

    waiting = _check_that_all_is_stored(load, rows(), spool_dir)
    code, printed = run_command(environ, "hoiio_recover")
    assert code == 0, printed
    _check_that_all_is_imported(load, rows(), spool_dir)
    _add_figures(figures, load, waiting, len(rows()), **numbers)


def _check_that_all_is_stored(load: Load, rows: Counter[str], spool_dir: Path) -> int:
    """Check that each 200 is in the database or in the spool and nothing was refused. Return the number of files."""
    waiting = spooled(spool_dir)
    assert load.statuses.keys() == {200}
    assert waiting != []
    assert load.promised - set(rows) - set(waiting) == set()
    assert (max(rows.values()), len(waiting)) == (1, len(set(waiting)))
    assert {stat.S_IMODE(path.stat().st_mode) for path in spool_dir.iterdir()} == {0o600}
    return len(waiting)


def _check_that_all_is_imported(load: Load, rows: Counter[str], spool_dir: Path) -> None:
    assert rows == Counter(load.promised)
    assert list(spool_dir.iterdir()) == []


def _add_figures(figures: Figures, load: Load, waiting: int, rows: int, **numbers: object) -> None:
    figures(
        **numbers,
        requests=len(load.answers),
        answered_200=load.statuses[200],
        answered_503=load.statuses[503],
        spool_files=waiting,
        rows=rows,
    )
