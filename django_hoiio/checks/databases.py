"""System checks of the database of the notifications."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, Warning
from django.db import connections, router

# The databases for which `recording` has SQL.
VENDORS = {"sqlite", "postgresql", "mysql"}

E012 = Error(
    "Notifications could not be committed: AUTOCOMMIT of their database is False.",
    hint="Remove 'AUTOCOMMIT' from DATABASES; django_hoiio opens the transactions that it needs.",
    id="django_hoiio.E012",
)


def check_databases(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Check that the database can merge rows, compares references by case and holds every character."""
    using = router.db_for_write(apps.get_model("django_hoiio", "Notification"))
    if using not in (databases or ()):
        return []
    if not connections[using].settings_dict["AUTOCOMMIT"]:
        return [E012]
    if connections[using].vendor not in VENDORS or not connections[using].features.can_return_columns_from_insert:
        return [_unsupported(using)]
    return [*_careless_collation(using), *_narrow_character_set(using)]


def _unsupported(using: str) -> CheckMessage:
    return Error(
        f"The database {using!r} cannot store notifications.",
        hint="Use PostgreSQL, MariaDB 10.5 or later, or SQLite 3.35 or later; others lack INSERT … RETURNING.",
        id="django_hoiio.E006",
    )


def _careless_collation(using: str) -> Iterator[CheckMessage]:
    """Warn if MariaDB's collation ignores case: two of Hoiio's references may differ in case only."""
    connection = connections[using]
    if connection.vendor != "mysql":
        return
    table = apps.get_model("django_hoiio", "Notification")._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COALESCE((SELECT collation_name FROM information_schema.columns WHERE table_schema = DATABASE()"
            " AND table_name = %s AND column_name = 'txn_ref'), @@collation_database)",
            [table],
        )
        (collation,) = cursor.fetchone()
    if not collation.endswith(("_bin", "_cs")):
        yield Warning(
            f"The collation {collation!r} of the database {using!r} treats the references AA-s-1 and AA-S-1 as equal.",
            hint=(
                f"ALTER DATABASE {connection.settings_dict['NAME']} COLLATE utf8mb4_bin; before the first migrate,"
                f" or later, for each table of django_hoiio,"
                f" ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;"
            ),
            id="django_hoiio.W002",
        )


def _narrow_character_set(using: str) -> Iterator[CheckMessage]:
    """Warn if columns of MariaDB, or the connection, cannot hold an emoji: its utf8 has at most three bytes."""
    connection = connections[using]
    if connection.vendor != "mysql":
        return
    tables = [model._meta.db_table for model in apps.get_app_config("django_hoiio").get_models()]
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@character_set_database, @@character_set_connection")
        of_database, of_connection = cursor.fetchone()
        cursor.execute(
            "SELECT table_name, MIN(character_set_name) FROM information_schema.columns WHERE table_schema = DATABASE()"
            " AND table_name IN %s AND character_set_name <> 'utf8mb4' GROUP BY table_name ORDER BY table_name",
            [tables],
        )
        narrow = dict(cursor.fetchall())
        cursor.execute(
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN %s",
            [tables],
        )
        (made,) = cursor.fetchone()
    if of_connection != "utf8mb4":
        yield _cannot_hold(
            f"The connection to the database {using!r} has", of_connection, "Remove 'charset' from OPTIONS."
        )
    if not made and of_database != "utf8mb4":
        name = connection.settings_dict["NAME"]
        hint = f"Before the first migrate: ALTER DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;"
        yield _cannot_hold(f"The database {using!r} has", of_database, hint)
    for table, character_set in narrow.items():
        hint = f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;"
        yield _cannot_hold(f"The table {table} has columns of", character_set, hint)


def _cannot_hold(where: str, character_set: str, hint: str) -> CheckMessage:
    return Warning(
        f"{where} the character set {character_set}, which cannot hold every text: an SMS with an emoji gets no row.",
        hint=hint,
        id="django_hoiio.W010",
    )
