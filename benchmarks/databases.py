"""The database of a benchmark: made empty, and dropped whatever happens."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import django
from django.db import connection

DATABASES = ("sqlite", "postgres", "mariadb")


def use(database: str, settings: str = "benchmarks.settings") -> None:
    """Load Django with settings of the benchmarks. To be called once, before anything asks Django."""
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


def keep() -> str:
    """Have a database with all tables that stays, and return its name. What is in it stays as well."""
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False, keepdb=True)
    return str(connection.settings_dict["NAME"])
