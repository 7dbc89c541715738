"""The databases of the benchmarks, which are always dropped at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import django
from django.db import connection

DATABASES = ("sqlite", "postgres", "mariadb")


def use(database: str, *, with_admin: bool = False) -> None:
    """Load Django with the settings of the benchmarks. Call it once, before anything uses Django."""
    os.environ["HOIIO_BENCHMARK_DATABASE"] = database
    os.environ["HOIIO_BENCHMARK_ADMIN"] = "yes" if with_admin else ""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    django.setup()


def environment(**added: str) -> dict[str, str]:
    """Return the environment variables of a process that uses the current database."""
    # The name of the database as the settings know it.
    return {**os.environ, "HOIIO_BENCHMARK_NAME": Path(str(connection.settings_dict["NAME"])).stem, **added}


@contextmanager
def made() -> Iterator[None]:
    """Make an empty database with all tables. Its name begins with `test_`; one of a killed run is replaced."""
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        yield
    finally:
        connection.close()
        connection.creation.destroy_test_db(name, verbosity=0)


@contextmanager
def made_for(sizes: Sequence[int], fill: Callable[[int], None]) -> Iterator[dict[int, str]]:
    """Make and fill a database for each size, and yield their names. All are dropped at the end."""
    settings = connection.settings_dict
    plain = settings["TEST"]["NAME"] or f"test_{settings['NAME']}"
    names = {}
    with ExitStack() as stack:
        for rows in sizes:
            settings["TEST"]["NAME"] = f"{plain}_{rows}"
            stack.enter_context(made())
            fill(rows)
            names[rows] = str(settings["NAME"])
            stack.callback(turn_to, names[rows])
        yield names


def turn_to(name: str) -> None:
    """Connect to another database."""
    connection.close()
    connection.settings_dict["NAME"] = name
