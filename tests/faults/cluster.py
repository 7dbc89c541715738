"""A private PostgreSQL server, which the tests may stop."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from .processes import free_port

# Directories of the server programs in Debian, Fedora, the Docker images and Homebrew. They are not in PATH.
PLACES = ["/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/bin", "/opt/homebrew/opt/postgresql*/bin"]


class Cluster:
    """The server. It runs as the user `postgres` if the tests run as root, because it refuses to run as root."""

    def __init__(self, programs: Path, folder: Path, user: str | None) -> None:
        self.port = free_port()
        self._programs, self._folder, self._user = programs, folder, user

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=50"
        self._run("pg_ctl", "start", "-w", "-t", "60", "-l", str(self._folder / "log"), "-o", options)

    def stop(self) -> None:
        """Stop immediately, without a clean shutdown."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate")

    def initialize(self) -> None:
        self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")

    def query(self, sql: str, database: str = "postgres") -> list[str]:
        """Return the lines of the result."""
        where = ["--host=127.0.0.1", f"--port={self.port}", "--username=postgres", f"--dbname={database}"]
        return self._run("psql", "--no-psqlrc", "-At", *where, "-c", sql).splitlines()

    @property
    def is_running(self) -> bool:
        return (self._folder / "data/postmaster.pid").exists()

    def _run(self, program: str, *arguments: str) -> str:
        result = subprocess.run(
            [str(self._programs / program), *arguments],
            check=False,
            cwd=self._folder,
            env={**os.environ, "PGDATA": str(self._folder / "data")},
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
            # The server inherits the output, so reading a pipe would never end.
            stdout=subprocess.DEVNULL if "start" in arguments else subprocess.PIPE,
            stderr=subprocess.DEVNULL if "start" in arguments else subprocess.STDOUT,
            text=True,
            timeout=90,
        )
        assert result.returncode == 0, f"{program} {' '.join(arguments)}: {result.stdout}"
        return result.stdout or ""


@contextlib.contextmanager
def own_cluster() -> Iterator[Cluster]:
    """Run a server on a free local port, and remove it at the end."""
    programs, user = _programs(), _user()
    # Not in pytest's temporary folder, which the user `postgres` cannot access.
    folder = Path(tempfile.mkdtemp(prefix="hoiio_faults_"))
    cluster = Cluster(programs, folder, user)
    try:
        if user:
            shutil.chown(folder, user, user)
        cluster.initialize()
        cluster.start()
        yield cluster
    finally:
        if cluster.is_running:
            cluster.stop()
        shutil.rmtree(folder)


def _programs() -> Path:
    found = sorted(
        folder
        for place in PLACES
        for folder in Path("/").glob(place.lstrip("/"))
        if all((folder / program).exists() for program in ("initdb", "pg_ctl", "postgres", "psql"))
    )
    if not found:
        _cannot(f"there is no PostgreSQL server (initdb, pg_ctl, postgres, psql) in {', '.join(PLACES)}")
    return found[-1]


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        _cannot("the tests run as root, which PostgreSQL refuses, and there is no user postgres")


def _cannot(reason: str) -> NoReturn:
    """Skip the test, or fail it in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"A PostgreSQL server of our own cannot be run: {reason}.")
    pytest.skip(f"A PostgreSQL server of our own cannot be run: {reason}.")
