"""Test and check sessions: `nox --list` lists them, `nox -s lint` runs one. `.ci/run` runs all but `mutation`.

The sessions for PostgreSQL and MariaDB need these servers; docs/project/development.rst has the environment variables.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True
# Without a name, run what needs no server.
nox.options.sessions = ["core(3.13-sqlite)", "docs(sqlite)", "lint", "types"]

NEWEST = "3.13"
DATABASES = ["sqlite", "postgres", "mariadb"]
ON_EACH_DATABASE = nox.parametrize("database", [nox.param(database, id=database) for database in DATABASES])

# The newest Python runs each database with the newest Django. The older ones share the other combinations. In CI, the
# command of the README runs on 3.11.
CORE = [
    nox.param("3.10", "postgres", ["--resolution", "lowest-direct"], id="3.10-postgres-lowest"),
    nox.param("3.12", "sqlite", ["Django==6.0.*"], id="3.12-sqlite-django6.0"),
    *(nox.param(NEWEST, database, [], id=f"{NEWEST}-{database}") for database in DATABASES),
]

# Also run receivers in workers of RQ and Celery, with servers that the tests start.
QUEUES = {"HOIIO_TEST_RQ": "1", "HOIIO_TEST_CELERY": "1"}

# These sessions measure coverage if HOIIO_COVERAGE is set. The others run no further lines.
MEASURED = {
    *(f"core({NEWEST}-{database})" for database in DATABASES),
    "docs(sqlite)",
    "servers(sqlite)",
}
# Coverage starts with each Python process that has these variables, and writes a file for each.
COVERAGE = {
    "COVERAGE_PROCESS_START": str(Path("pyproject.toml").resolve()),
    "COVERAGE_FILE": str(Path(".coverage").resolve()),
}

# The newest Django that each theme names. simpleui names none, and fails with 6.1.
THEMES = {"unfold": "6.1", "grappelli": "6.1", "jazzmin": "6.0", "admin_interface": "6.0", "simpleui": "6.0"}


@nox.session
@nox.parametrize(["python", "database", "requirements"], CORE)
def core(session: nox.Session, database: str, requirements: list[str]) -> None:
    """Run the test suite on one Python and database."""
    _install(session, "test,postgres,mariadb", *requirements)
    profile = "thorough" if session.python == NEWEST else "quick"
    _pytest(session, database, "-n", "2", "--hypothesis-profile", profile)


@nox.session(python=NEWEST)
@ON_EACH_DATABASE
def docs(session: nox.Session, database: str) -> None:
    """Check the pages, and run their code and the recipes."""
    _install(session, "test,postgres,mariadb")
    _pytest(session, database, "tests/docs")


@nox.session(python=NEWEST)
def site(session: nox.Session) -> None:
    """Build the documentation site in build/site; warnings are errors."""
    _install(session, "docs")
    session.run("sphinx-build", "--fail-on-warning", "--keep-going", "-b", "dirhtml", "docs", "build/site")


@nox.session(python=NEWEST)
@ON_EACH_DATABASE
def faults(session: nox.Session, database: str) -> None:
    """Kill processes, stop databases and break connections. Print the figures."""
    _install(session, "test,postgres,mariadb,rq,celery")
    _pytest(session, database, "tests/faults", **QUEUES)


@nox.session(python=NEWEST)
@ON_EACH_DATABASE
def servers(session: nox.Session, database: str) -> None:
    """Run whole servers, workers, the demo, the benchmarks, and the documented deployment."""
    _install(session, "test,postgres,mariadb,rq,celery")
    names = {"sqlite": "", "postgres": "/test_front_door.py", "mariadb": "/test_workers.py"}
    _pytest(session, database, f"tests/processes{names[database]}", **QUEUES)


@nox.session(python=NEWEST)
def browser(session: nox.Session) -> None:
    """Use the telephone and the admin in Chromium."""
    _install(session, "test,browser")
    _pytest(session, "sqlite", "tests/browser")


@nox.session(python=NEWEST)
@nox.parametrize("theme", [nox.param(theme, id=theme) for theme in THEMES])
def themes(session: nox.Session, theme: str) -> None:
    """Look at the admin under another theme, in Chromium."""
    _install(session, "test,browser,themes", f"Django=={THEMES[theme]}.*")
    _pytest(session, "sqlite", "--ds", "tests.themes.settings", "tests/themes", HOIIO_TEST_THEME=theme)


@nox.session(python=NEWEST)
def contract(session: nox.Session) -> None:
    """Generate the schema of the read API without a warning, and test the API against it."""
    _install(session, "test,contract")
    options = ["--validate", "--fail-on-warn", "--file", "/dev/null", "--settings", "tests.settings"]
    session.run("python", "-W", "error", "-m", "django", "spectacular", *options)
    _pytest(session, "sqlite", "tests/contract")


@nox.session(python=NEWEST)
def mutation(session: nox.Session) -> None:
    """Break the pure functions in many small ways, and list what no test notices."""
    _install(session, "test,mutation")
    shutil.rmtree("mutants", ignore_errors=True)
    session.run("mutmut", "run", *session.posargs)
    session.run("mutmut", "results")


@nox.session(python=NEWEST)
def coverage(session: nox.Session) -> None:
    """List the lines and branches that the measured sessions did not run, and fail below the floor."""
    _install(session, "test")
    session.run("coverage", "combine")
    session.run("coverage", "report", *session.posargs)


@nox.session(python=NEWEST)
def lint(session: nox.Session) -> None:
    """Check style, format and migrations."""
    _install(session, "test,lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    options = ["--check", "--dry-run", "--settings", "tests.settings"]
    session.run("python", "-W", "error", "-m", "django", "makemigrations", *options)


@nox.session(python=NEWEST)
def types(session: nox.Session) -> None:
    """Check the types."""
    _install(session, "test,lint")
    session.run("mypy")


@nox.session(python=NEWEST)
def package(session: nox.Session) -> None:
    """Build the sdist and the wheel, and use the wheel in an empty environment."""
    _install(session, "test")
    _pytest(session, "sqlite", "tests/package")


def _install(session: nox.Session, extras: str, *requirements: str) -> None:
    session.install(*requirements, "-e", f".[{extras}]")


def _pytest(session: nox.Session, database: str, *arguments: str, **environment: str) -> None:
    environment |= {"HOIIO_TEST_DATABASE": database}
    if "HOIIO_COVERAGE" in os.environ and session.name in MEASURED:
        environment |= COVERAGE
    session.run("python", "-m", "pytest", *arguments, *session.posargs, env=environment)
