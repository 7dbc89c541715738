"""Measure over HTTP: gunicorn with two workers, `wrk` with varying bodies, and the candidates in turns."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from uuid import uuid4

from django.db import connection
from tqdm import tqdm

from .candidates import HEARD, RAW, UNHEARD, Candidate

CANDIDATES = (RAW, UNHEARD, HEARD)
WORKERS = 2
CONNECTIONS = 8
ROUNDS = 5

_HERE = Path(__file__).parent


def require_wrk() -> None:
    """Exit if `wrk` is missing."""
    if shutil.which("wrk") is None:
        sys.exit("wrk was not found; install it (Debian: apt-get install wrk), or leave HTTP out with --no-http.")


def requests_a_second(seconds: int) -> dict[str, float]:
    """Return requests per second by the candidate's name: the median of its rounds of `seconds` each."""
    rounds: dict[str, list[float]] = {candidate.name: [] for candidate in CANDIDATES}
    with ExitStack() as servers:
        ports = {is_heard: servers.enter_context(_serving(is_heard=is_heard)) for is_heard in (False, True)}
        for candidate in CANDIDATES:
            _wrk(candidate, ports[candidate.is_heard], 1)
        for _ in tqdm(range(ROUNDS), desc="Over HTTP", unit="round", leave=False, disable=None):
            for candidate in random.sample(CANDIDATES, len(CANDIDATES)):
                rounds[candidate.name].append(_wrk(candidate, ports[candidate.is_heard], seconds))
    return {name: median(figures) for name, figures in rounds.items()}


@contextmanager
def _serving(*, is_heard: bool) -> Iterator[int]:
    """Run gunicorn on a free port during the block."""
    port = _free_port()
    environment = {
        **os.environ,
        # The name of the database as the settings know it.
        "HOIIO_BENCHMARK_NAME": Path(str(connection.settings_dict["NAME"])).stem,
        "HOIIO_BENCHMARK_RECEIVER": "yes" if is_heard else "",
    }
    command = [sys.executable, "-m", "gunicorn", "--workers", str(WORKERS), "--log-level", "error"]
    server = subprocess.Popen(
        [*command, "--bind", f"127.0.0.1:{port}", "benchmarks.serving:application"], cwd=_HERE.parent, env=environment
    )
    try:
        _wait_for(port, server)
        yield port
    finally:
        server.terminate()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"gunicorn does not answer on port {port}; what it says stands above.")


def _wrk(candidate: Candidate, port: int, seconds: int) -> float:
    url = f"http://127.0.0.1:{port}{candidate.path()}"
    command = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s"]
    # A slow disk may delay requests for seconds, which is not a failure.
    command += ["--timeout", "30s"]
    command += ["--script", str(_HERE / "post.lua"), url, "--", f"AA-S-{uuid4().hex[:8]}"]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    requests, microseconds, failures = (int(figure) for figure in said.splitlines()[-1].split())
    if failures:
        raise RuntimeError(f"{failures} of {requests} requests to {candidate.name} failed.")
    return requests / microseconds * 1e6
