"""The database of a benchmark: made empty, and dropped whatever happens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import django
from django.db import connection

DATABASES = ("sqlite", "postgres", "mariadb")


def use(database: str, *, settings: str = "benchmarks.settings") -> None:
    """Load Django with the settings of the benchmarks. To be called once, before anything asks Django."""
    os.environ["HOIIO_BENCHMARK_DATABASE"] = database
    os.environ["DJANGO_SETTINGS_MODULE"] = settings
    django.setup()


@contextmanager
def made() -> Iterator[None]:
    """An empty database with all tables. Its name begins with `test_`; what a killed run has left is replaced."""
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        yield
    finally:
        connection.close()
        connection.creation.destroy_test_db(name, verbosity=0)


@contextmanager
def made_for(sizes: Sequence[int], fill: Callable[[int], None]) -> Iterator[dict[int, str]]:
    """A database for each size, filled, so that they can take turns; their names. Each is dropped whatever happens."""
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


def keep() -> str:
    """Have a database with all tables that stays, and return its name. What is in it stays as well."""
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False, keepdb=True)
    return str(connection.settings_dict["NAME"])
