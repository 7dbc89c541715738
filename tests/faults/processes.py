"""Servers and commands in separate processes, and clients that record their responses."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

from django_hoiio import spool
from django_hoiio.enums import Route
from django_hoiio.verification import sign
from tests import ROOT

FORM = "application/x-www-form-urlencoded"

Environment = Mapping[str, str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(database: str, spool_dir: Path, **more: str) -> Environment:
    """Return the environment of a process that uses this database and spool."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
        "HOIIO_TEST_NAME": database,
        "HOIIO_FAULTS_SPOOL": str(spool_dir),
        "PYTHONPATH": str(ROOT),
        **more,
    }


# Commands.


def start_command(environ: Environment, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "django", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def run_command(environ: Environment, *arguments: str) -> tuple[int, str]:
    """Run a management command and return its exit code and output."""
    process = start_command(environ, *arguments)
    try:
        printed, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, printed


# Servers.


@contextlib.contextmanager
def gunicorn(
    environ: Environment, *, workers: int = 2, threads: int = 1, worker_class: str = "", port: int = 0
) -> Iterator[Server]:
    """Run gunicorn, wait until it is ready, and stop it at the end."""
    port = port or free_port()
    options = [f"--bind=127.0.0.1:{port}", f"--workers={workers}", f"--threads={threads}", "--log-level=critical"]
    # Preload, so that a new worker is ready immediately. With gevent it is not possible, because gevent patches Python
    # first.
    options.append(f"--worker-class={worker_class}" if worker_class else "--preload")
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *options, "tests.faults.serving:wsgi"],
        cwd=ROOT,
        env=dict(environ),
    )
    try:
        server = Server(port, process.pid)
        server.wait_until_ready(process, workers)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Server:
    port: int
    pid: int

    def wait_until_ready(self, process: subprocess.Popen[bytes], workers: int) -> None:
        for _ in range(600):
            assert process.poll() is None, "the server has ended"
            # gunicorn listens before it has workers.
            if self._is_listening() and len(self.workers()) == workers:
                return
            time.sleep(0.05)
        raise AssertionError("the server did not start in time")

    def _is_listening(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def kill_a_worker(self, number: int) -> None:
        """Kill a worker with SIGKILL, as soon as there are two."""
        until = time.monotonic() + 20
        while len(workers := self.workers()) < 2:
            assert time.monotonic() < until, "the workers were not restarted"
            time.sleep(0.01)
        os.kill(workers[number % len(workers)], signal.SIGKILL)


# Clients.


def notification(marker: str) -> bytes:
    return f"txn_ref=AA-S-{marker[:8]}&sms_status=delivered&dest=%2B6511111111&marker={marker}".encode()


def signed_path() -> str:
    """Return the path of a signed notify URL of the route sms."""
    return f"/hoiio/sms/{sign(Route.SMS, 'default', {})}/"


def post(port: int, path: str, body: bytes, *, timeout: float = 60, **headers: str) -> int:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        client.request("POST", path, body, {"Content-Type": FORM, **headers})
        return client.getresponse().status
    finally:
        client.close()


@dataclass
class Load:
    """Clients that post to a signed URL without pause, each notification once and with its own marker.

    They run while the context is open.
    """

    port: int
    clients: int = 6
    # Maximum number of requests per client.
    most: int = 2000
    # Seconds between two requests of one client.
    pause: float = 0.0
    # Marker → status; `None` if the connection was lost before the response.
    answers: dict[str, int | None] = field(default_factory=dict)

    def __enter__(self) -> Load:
        self._path = signed_path()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._post_on) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _post_on(self) -> None:
        for _ in range(self.most):
            if self._stop.is_set():
                return
            marker = uuid.uuid4().hex
            try:
                self.answers[marker] = post(self.port, self._path, notification(marker))
            except (OSError, http.client.HTTPException):
                self.answers[marker] = None
            time.sleep(self.pause)

    def wait_for(self, answers: int) -> None:
        """Wait up to 30 seconds for `answers` more responses."""
        enough, until = len(self.answers) + answers, time.monotonic() + 30
        while len(self.answers) < enough and time.monotonic() < until:
            time.sleep(0.005)

    @property
    def statuses(self) -> Counter[int | None]:
        return Counter(self.answers.values())

    @property
    def promised(self) -> set[str]:
        """The markers of notifications that were answered with 200."""
        return {marker for marker, status in self.answers.items() if status == 200}


# The spool.


def spooled(folder: Path) -> list[str]:
    """Return the markers of the notifications in the spool."""
    return [parse_qs(spool.load(path).body.decode())["marker"][0] for path in spool.pending(folder)]
