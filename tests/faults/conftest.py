"""Shared fixtures of the fault tests. Their figures appear below the summary of the run, even without `-s`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection

from .processes import Environment, environment
from .proxy import Proxy

_FIGURES = pytest.StashKey[list[str]]()

Figures = Callable[..., None]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FIGURES] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(_FIGURES, [])
    if lines:
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """A function that adds a line with named numbers to the output of the run."""

    def add(**numbers: object) -> None:
        line = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in numbers.items())
        request.config.stash[_FIGURES].append(f"{request.node.name} [{connection.vendor}]: {line}")

    return add


@pytest.fixture
def spool_dir(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def environ(transactional_db: None, spool_dir: Path, tmp_path: Path) -> Environment:
    """Environment of processes that use the database of the tests and a separate spool."""
    return environment(str(connection.settings_dict["NAME"]), spool_dir, HOIIO_FAULTS_LOG=str(tmp_path / "calls"))


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy in front of the database server of the suite."""
    settings = connection.settings_dict
    proxy = Proxy(settings["HOST"], int(settings["PORT"]))
    yield proxy
    proxy.close()


@pytest.fixture
def behind_the_proxy(environ: Environment, proxy: Proxy) -> Environment:
    port = str(proxy.port)
    return {**environ, "PGHOST": "127.0.0.1", "PGPORT": port, "MYSQL_HOST": "127.0.0.1", "MYSQL_PORT": port}
