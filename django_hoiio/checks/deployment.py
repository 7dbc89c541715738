"""System checks of the database and the deployment: security, time-outs, task queue, read API and sandbox."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, Info, Warning
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.urls import NoReverseMatch, reverse

from django_hoiio.conf import conf
from django_hoiio.notify_urls import is_loopback

W001 = Warning(
    "Anybody may post notifications: HOIIO['REQUIRE_VERIFICATION'] is False.",
    hint="Remove 'REQUIRE_VERIFICATION' from HOIIO, and give Hoiio the URLs that `manage.py hoiio_urls` prints.",
    id="django_hoiio.W001",
)

W003 = Warning(
    "Notifications are lost while the database is unavailable: HOIIO['SPOOL_DIR'] is not set.",
    hint="Write 'SPOOL_DIR': '/var/spool/hoiio', a folder that the server may write to; run hoiio_recover from cron.",
    id="django_hoiio.W003",
)

W007 = Warning(
    "Requests go to a sandbox and not to Hoiio: HOIIO['API_URL'] is a loopback address.",
    hint="Remove 'API_URL' from HOIIO, and django_hoiio.sandbox.urls from the URLs.",
    id="django_hoiio.W007",
)

W008 = Warning(
    "Each notification opens its own database connection: CONN_MAX_AGE is 0.",
    hint="Write 'CONN_MAX_AGE': None for it, or 'OPTIONS': {'pool': {'timeout': 5}} for PostgreSQL under ASGI.",
    id="django_hoiio.W008",
)


# The OPTIONS that limit how long a web request waits for a database that hangs. In seconds.
_TIMEOUTS = {
    "postgresql": {"connect_timeout": 5},
    "mysql": {"connect_timeout": 5, "read_timeout": 5, "write_timeout": 5},
}
# Seconds. Web servers often kill a request, or its worker, after 30.
_MAX_WAIT = 10


def check_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check verification, the spool, the sandbox setting, persistent connections and time-outs."""
    if not isinstance(conf.given, Mapping):
        return []
    return [
        *([] if conf.REQUIRE_VERIFICATION else [W001]),
        *_useless_spool(),
        *([W007] if is_loopback(conf.API_URL) else []),
        *([] if _keeps_its_connection() else [W008]),
        *_missing_timeouts(),
    ]


def _useless_spool() -> list[CheckMessage]:
    folder = conf.SPOOL_DIR
    if folder is None:
        return [W003]
    # The first spooled notification creates a missing folder, if the parent is writable.
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return []
    return [
        Warning(
            f"Notifications are lost while the database is unavailable: {str(nearest)!r} cannot be written to.",
            hint=f"As root, with the user that the server runs as: install -d -o www-data -m 700 {folder}",
            id="django_hoiio.W004",
        )
    ]


def _missing_timeouts() -> list[CheckMessage]:
    """Warn if the time-outs of the database are missing or too long."""
    connection = _database()
    options = connection.settings_dict["OPTIONS"]
    missing: dict[str, object] = {
        name: seconds
        for name, seconds in _TIMEOUTS.get(connection.vendor, {}).items()
        if not 0 < float(options.get(name) or 0) <= _MAX_WAIT
    }
    pool = options.get("pool")
    if pool and float(pool.get("timeout", 30) if isinstance(pool, Mapping) else 30) > _MAX_WAIT:
        missing["pool"] = {**(pool if isinstance(pool, Mapping) else {}), "timeout": 5}
    if not missing:
        return []
    return [
        Warning(
            f"Notifications may be lost while the database {connection.alias!r} hangs: its time-outs are missing or too"
            " long.",
            hint=f"Add to its OPTIONS: {', '.join(f'{name!r}: {value!r}' for name, value in missing.items())}",
            id="django_hoiio.W011",
        )
    ]


def _database() -> BaseDatabaseWrapper:
    return connections[router.db_for_write(apps.get_model("django_hoiio", "Notification"))]


def _keeps_its_connection() -> bool:
    database = _database().settings_dict
    return database["CONN_MAX_AGE"] != 0 or "pool" in database["OPTIONS"]


E009 = Error(
    "HOIIO['DISPATCH'] is 'task', but this Django has no tasks.",
    hint="pip install django-tasks, or write 'DISPATCH': 'inline'.",
    id="django_hoiio.E009",
)


def check_tasks(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check that a worker runs the receivers, and report how notifications get to the queue."""
    if not isinstance(conf.given, Mapping) or conf.DISPATCH != "task":
        return []
    try:
        # Django 5.2 has no tasks without django-tasks.
        from django_hoiio import tasks

        backend = tasks.run.get_backend()
    except ImportError:
        return [E009]
    # Django and django-tasks have different exceptions for a task that the backend rejects.
    except Exception as error:  # noqa: BLE001
        return [_refused_task(error)]
    if type(backend).__name__ in ("ImmediateBackend", "DummyBackend"):
        return [_no_worker(type(backend).__name__)]
    name = f"{type(backend).__module__}.{type(backend).__qualname__}"
    return [_in_place(name) if tasks.is_in_place(backend) else _over_the_network(name)]


def _refused_task(error: Exception) -> CheckMessage:
    return Error(
        f"HOIIO['DISPATCH'] is 'task', but the default backend of TASKS does not accept the task: {error}",
        hint="Give TASKS a backend 'default' with 'default' among its QUEUES; or write 'DISPATCH': 'inline'.",
        id="django_hoiio.E010",
    )


def _no_worker(backend: str) -> CheckMessage:
    return Warning(
        f"HOIIO['DISPATCH'] is 'task', but no worker runs the receivers: the default backend of TASKS is {backend}.",
        hint="pip install django-tasks-db, and set TASKS as docs/guides/tasks.rst says; or write 'DISPATCH': 'inline'.",
        id="django_hoiio.W005",
    )


def _over_the_network(backend: str) -> CheckMessage:
    return Info(
        f"Notifications are enqueued to {backend} over the network, each within {conf.TASK_TIMEOUT:g} s.",
        hint="Run hoiio_recover from cron: it dispatches what the queue does not take in time.",
        id="django_hoiio.I001",
    )


def _in_place(backend: str) -> CheckMessage:
    return Info(
        f"Notifications are enqueued to {backend} in place, through the database.",
        hint="Nothing to do: the queue is as reachable as its database.",
        id="django_hoiio.I002",
    )


W009 = Warning(
    "The read API answers browsers with 500: its pages need the templates of REST framework.",
    hint='Add "rest_framework" and "django_filters" to INSTALLED_APPS.',
    id="django_hoiio.W009",
)


def check_api(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check that the read API, if included, can answer a browser."""
    if not conf.root_urlconf or (apps.is_installed("rest_framework") and apps.is_installed("django_filters")):
        return []
    try:
        reverse("hoiio_api:sms-list")
    except NoReverseMatch:
        return []
    # REST framework is optional.
    from rest_framework.settings import api_settings

    renderers = api_settings.DEFAULT_RENDERER_CLASSES
    return [W009] if any(hasattr(renderer, "get_filter_form") for renderer in renderers) else []


W006 = Warning(
    "The sandbox answers 404: HOIIO['API_URL'] is not a loopback address.",
    hint="Include django_hoiio.sandbox.urls only in development, with 'API_URL': 'http://127.0.0.1:8000/sandbox/open/'.",
    id="django_hoiio.W006",
)


def check_sandbox(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check that the sandbox, if included, can answer."""
    if not isinstance(conf.given, Mapping) or not conf.root_urlconf or is_loopback(conf.API_URL):
        return []
    try:
        reverse("hoiio_sandbox:telephone")
    except NoReverseMatch:
        return []
    return [W006]


# The databases for which `ingest` has SQL.
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
