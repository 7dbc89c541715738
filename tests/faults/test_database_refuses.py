"""A server that is full, read-only, out of connections or overloaded: nothing is lost, nothing is blocked.

The servers are private, because these faults would harm other users of a shared one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection  # noqa: F401  # the conditions below name it

from .cluster import Cluster, own_cluster
from .mariadb import DATABASE, own_mariadb
from .processes import (
    Environment,
    environment,
    free_port,
    gunicorn,
    notification,
    post,
    run_command,
    signed_path,
    spooled,
)

on_postgres = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="runs with HOIIO_TEST_DATABASE=postgres")
on_mariadb = pytest.mark.skipif("connection.vendor != 'mysql'", reason="runs with HOIIO_TEST_DATABASE=mariadb")

pytestmark = pytest.mark.django_db(transaction=True)


def _post(environ: Environment, *bodies: bytes) -> list[int]:
    with gunicorn(environ, workers=1) as server:
        return [post(server.port, signed_path(), body) for body in bodies]


def _notification(size: int = 0) -> bytes:
    return notification(uuid.uuid4().hex) + b"&fill=" + b"x" * size


def _suffixes(folder: Path) -> list[str]:
    return sorted(path.suffix for path in folder.iterdir())


def _recovered(environ: Environment) -> tuple[int, str]:
    """Run `hoiio_recover` and return its exit code and its sentence about the spool."""
    code, printed = run_command(environ, "hoiio_recover")
    return code, printed.partition(". ")[0]


# PostgreSQL.


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with own_cluster() as cluster:
        cluster.query(f"CREATE DATABASE {DATABASE}")
        yield cluster


def _behind(cluster: Cluster, spool_dir: Path, **more: str) -> Environment:
    where = {"PGHOST": "127.0.0.1", "PGPORT": str(cluster.port), "PGUSER": "postgres"}
    return environment(DATABASE, spool_dir, **where, **more)


@contextlib.contextmanager
def _small_disk(megabytes: int) -> Iterator[Path]:
    """Mount a disk of this size for the user `postgres`."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a small disk needs root on Linux")
    folder = Path(tempfile.mkdtemp(prefix="hoiio_disk_"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}M", "tmpfs", folder], check=True)
    shutil.chown(folder, "postgres", "postgres")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


@on_postgres
def test_postgres_with_a_full_disk_leaves_everything_in_the_spool(spool_dir: Path) -> None:
    with _small_disk(4) as disk, own_cluster() as cluster:
        cluster.query(f"CREATE DATABASE {DATABASE}")
        environ = _behind(cluster, spool_dir)
        assert run_command(environ, "migrate", "--verbosity=0") == (0, "")
        cluster.query(f"CREATE TABLESPACE small LOCATION '{disk}'")
        table = "django_hoiio_notification"
        cluster.query(f"ALTER TABLE {table} SET TABLESPACE small", DATABASE)
        # Compressible bodies would take no space.
        bodies = [notification(uuid.uuid4().hex) + b"&fill=" + os.urandom(150_000).hex().encode() for _ in range(30)]

        assert _post(environ, *bodies) == [200] * 30
        waiting = len(spooled(spool_dir))
        code, printed = _recovered(environ)
        left = _suffixes(spool_dir)
        cluster.query(f"ALTER TABLE {table} SET TABLESPACE pg_default", DATABASE)

        assert (waiting > 0, code, set(left)) == (True, 1, {".json"}), printed
        assert _recovered(environ)[0] == 0
        assert cluster.query("SELECT count(*) FROM django_hoiio_notification", DATABASE) == ["30"]
        assert _suffixes(spool_dir) == []


@on_postgres
def test_postgres_out_of_connections_leaves_everything_in_the_spool(cluster: Cluster, spool_dir: Path) -> None:
    environ = _behind(cluster, spool_dir)
    assert run_command(environ, "migrate", "--verbosity=0") == (0, "")
    cluster.query(f"ALTER DATABASE {DATABASE} CONNECTION LIMIT 0")
    cluster.query("CREATE ROLE web LOGIN")
    crowded = {**environ, "PGUSER": "web"}

    assert _post(crowded, _notification()) == [200]
    assert _recovered(crowded) == (1, "Spool: 0 imported, 0 already stored, 1 not yet imported, 0 in quarantine")
    assert _recovered(environ) == (0, "Spool: 1 imported, 0 already stored, 0 not yet imported, 0 in quarantine")


@on_postgres
def test_pool_before_a_closed_port_spools_within_seconds(environ: Environment, spool_dir: Path) -> None:
    options = '{"connect_timeout": 5, "pool": {"min_size": 2, "max_size": 4, "timeout": 5}}'
    opened = {**environ, "HOIIO_FAULTS_OPTIONS": options}

    assert (_answers(opened), spooled(spool_dir)) == ([200] * 4, [])
    assert (_answers({**opened, "PGPORT": str(free_port())}), len(spooled(spool_dir))) == ([200] * 4, 4)


def _answers(environ: Environment) -> list[int]:
    with gunicorn(environ, workers=1) as server:
        return [post(server.port, signed_path(), _notification(), timeout=20) for _ in range(4)]


# MariaDB.


@on_mariadb
def test_mariadb_that_rejects_a_large_file_imports_the_others(spool_dir: Path, tmp_path: Path) -> None:
    with own_mariadb(max_allowed_packet="1M") as own:
        receivers = {"HOIIO_FAULTS_RECEIVERS": "first", "HOIIO_FAULTS_LOG": str(tmp_path / "calls")}
        environ = environment(DATABASE, spool_dir, **own.environment, **receivers)
        assert run_command(environ, "migrate", "--verbosity=0") == (0, "")
        assert _post(environ, _notification(1_000_000)) == [200]
        away = {**environ, "MYSQL_PORT": str(free_port())}
        assert _post(away, *(_notification() for _ in range(3))) == [200] * 3
        assert _suffixes(spool_dir) == [".json"] * 4

        stored = "Spool: 3 imported, 0 already stored, 0 not yet imported, 1 in quarantine"
        assert _recovered(environ) == (1, stored)
        assert _recovered(environ) == (1, stored.replace("3", "0"))
        assert _suffixes(spool_dir) == [".quarantined"]
        assert own.query("SELECT COUNT(*) FROM hoiio.django_hoiio_notification") == ["3"]
        assert len((tmp_path / "calls").read_text().splitlines()) == 3


@on_mariadb
@pytest.mark.parametrize(
    ("fault", "cure"),
    [
        ("SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0"),
        ("SET GLOBAL max_user_connections = 1", "SET GLOBAL max_user_connections = 0"),
    ],
)
def test_mariadb_that_accepts_nothing_leaves_everything_in_the_spool(spool_dir: Path, fault: str, cure: str) -> None:
    # The limit can be changed later only if there is one from the start.
    with own_mariadb(max_user_connections="100") as own:
        environ = environment(DATABASE, spool_dir, **own.environment)
        assert run_command(environ, "migrate", "--verbosity=0") == (0, "")
        with own.held_connection() if "connections" in fault else contextlib.nullcontext():
            own.query(fault)
            assert _post(environ, _notification()) == [200]
            code, printed = _recovered(environ)
            own.query(cure)

        assert (code, printed) == (1, "Spool: 0 imported, 0 already stored, 1 not yet imported, 0 in quarantine")
        assert _recovered(environ) == (0, "Spool: 1 imported, 0 already stored, 0 not yet imported, 0 in quarantine")


@on_mariadb
def test_mariadb_that_is_full_leaves_everything_in_the_spool(spool_dir: Path) -> None:
    # All tables share a file that does not grow.
    with own_mariadb(innodb_file_per_table="0", innodb_data_file_path="ibdata1:20M") as own:
        environ = environment(DATABASE, spool_dir, **own.environment)
        assert run_command(environ, "migrate", "--verbosity=0") == (0, "")

        assert _post(environ, *(_notification(900_000) for _ in range(20))) == [200] * 20
        waiting = len(spooled(spool_dir))
        code, printed = _recovered(environ)

        (count,) = own.query("SELECT COUNT(*) FROM hoiio.django_hoiio_notification")
        assert (waiting > 0, code, set(_suffixes(spool_dir))) == (True, 1, {".json"}), printed
        assert int(count) + len(spooled(spool_dir)) == 20
