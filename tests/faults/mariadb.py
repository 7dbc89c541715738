"""A private MariaDB server, with options that are unsafe on a shared one."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .processes import free_port

DATABASE = "hoiio"
PROGRAMS = ("mariadb-install-db", "mariadbd", "mariadb")


class OwnMariaDB:
    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port

    def query(self, sql: str) -> list[str]:
        """Execute SQL as root and return the lines of the result."""
        # Ignore MYSQL_HOST of the suite.
        where = ["--no-defaults", "--protocol=socket", f"--socket={self.folder / 'socket'}", "--host=localhost"]
        command = ["mariadb", *where, "--user=root", "-N", "-e", sql]
        result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        return result.stdout.splitlines()

    @contextlib.contextmanager
    def held_connection(self) -> Iterator[None]:
        """Hold one connection of the user of `environment` during the block."""
        where = ["--host=127.0.0.1", f"--port={self.port}", "--user=hoiio"]
        process = subprocess.Popen(["mariadb", "--no-defaults", *where, "-e", "SELECT SLEEP(120)"])
        for _ in range(100):
            if self.query("SELECT 1 FROM information_schema.processlist WHERE user = 'hoiio'"):
                break
            time.sleep(0.1)
        try:
            yield
        finally:
            process.kill()
            process.wait()

    @property
    def environment(self) -> dict[str, str]:
        return {"MYSQL_HOST": "127.0.0.1", "MYSQL_PORT": str(self.port), "MYSQL_USER": "hoiio", "MYSQL_PASSWORD": ""}


@contextlib.contextmanager
def own_mariadb(**options: str) -> Iterator[OwnMariaDB]:
    """Run a server with an empty database on a free port, and remove it at the end."""
    programs = [shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") for program in PROGRAMS]
    if None in programs:
        reason = f"there are not all of {', '.join(PROGRAMS)}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    install, server, _ = map(str, programs)
    folder = Path(tempfile.mkdtemp(prefix="hoiio_mariadb_"))
    user = pwd.getpwnam("mysql" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name).pw_name
    if os.geteuid() == 0:
        shutil.chown(folder, user, user)
    where = ["--no-defaults", f"--datadir={folder / 'data'}", f"--user={user}"]
    quick = ["--innodb-flush-log-at-trx-commit=0", "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M"]
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    subprocess.run(
        [install, *where, *given, "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=True,
        capture_output=True,
        timeout=120,
    )
    own = OwnMariaDB(folder, free_port())
    network = [f"--port={own.port}", "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}"]
    files = [f"--pid-file={folder / 'pid'}", f"--log-error={folder / 'log'}"]
    process = subprocess.Popen([server, *where, *quick, *network, *files, *given], stderr=subprocess.DEVNULL)
    try:
        _wait_for(own, process)
        own.query(
            f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;"
            f"CREATE USER hoiio@localhost; GRANT ALL ON {DATABASE}.* TO hoiio@localhost"
        )
        yield own
    finally:
        process.terminate()
        process.wait(timeout=60)
        shutil.rmtree(folder)


def _wait_for(own: OwnMariaDB, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, (own.folder / "log").read_text()
        try:
            own.query("SELECT 1")
        except subprocess.CalledProcessError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server did not start in time")
