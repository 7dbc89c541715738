"""What `manage.py check` says about the settings and the databases. docs/checks.rst has the cause and cure of each."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, Warning
from django.db import connections, router
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from .conf import KEYS, conf
from .notify_urls import is_loopback

# The databases whose SQL `recording.py` speaks.
VENDORS = {"sqlite", "postgresql", "mysql"}

E001 = Error(
    "HOIIO is not a dict.",
    hint='Write HOIIO = {"PUBLIC_URL": "https://my.example.com"} in the settings.',
    id="django_hoiio.E001",
)

E005 = Error(
    "USE_TZ is False, and Hoiio's dates cannot be kept without a time zone.",
    hint="Set USE_TZ = True in the settings.",
    id="django_hoiio.E005",
)

E009 = Error(
    "HOIIO['DISPATCH'] is 'task', and this Django has no tasks.",
    hint="pip install django-tasks, or write 'DISPATCH': 'inline'.",
    id="django_hoiio.E009",
)

E012 = Error(
    "Notifications could not be committed: AUTOCOMMIT of their database is False.",
    hint="Remove 'AUTOCOMMIT' from DATABASES; django_hoiio opens the transactions that it needs.",
    id="django_hoiio.E012",
)

W001 = Warning(
    "Anybody may post notifications: HOIIO['REQUIRE_PROOF'] is False.",
    hint="Remove 'REQUIRE_PROOF' from HOIIO, and give Hoiio the URLs that `manage.py hoiio_urls` prints.",
    id="django_hoiio.W001",
)

W003 = Warning(
    "Notifications are lost while the database is away: HOIIO['SPOOL_DIR'] is not set.",
    hint="Write 'SPOOL_DIR': '/var/spool/hoiio', a folder that the server may write to; run hoiio_recover from cron.",
    id="django_hoiio.W003",
)

W006 = Warning(
    "The sandbox answers 404: HOIIO['API_URL'] is not a loopback address.",
    hint="Include django_hoiio.sandbox.urls in development alone, with 'API_URL': 'http://127.0.0.1:8000/sandbox/open/'.",
    id="django_hoiio.W006",
)

W007 = Warning(
    "Requests go to a sandbox and not to Hoiio: HOIIO['API_URL'] is a loopback address.",
    hint="Remove 'API_URL' from HOIIO, and django_hoiio.sandbox.urls from the URLs.",
    id="django_hoiio.W007",
)


W008 = Warning(
    "Each notification opens a connection to the database of its own: CONN_MAX_AGE is 0.",
    hint="Write 'CONN_MAX_AGE': None for that database, or 'OPTIONS': {'pool': True} for PostgreSQL under ASGI.",
    id="django_hoiio.W008",
)


W009 = Warning(
    "A browser that asks the read API is answered with 500: its pages need the templates of REST framework.",
    hint='Add "rest_framework" and "django_filters" to INSTALLED_APPS.',
    id="django_hoiio.W009",
)


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Each key of `HOIIO` is known, of its type and makes sense; dates can be kept."""
    messages: list[CheckMessage] = [] if conf.has_time_zones else [E005]
    if not isinstance(conf.given, Mapping):
        return [E001, *messages]
    return [*_unusable_keys(conf.given), *messages]


def check_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Nobody is let in without proof, nothing is lost, and nothing is slow for want of a setting."""
    if not isinstance(conf.given, Mapping):
        return []
    return [
        *([] if conf.REQUIRE_PROOF else [W001]),
        *_useless_spool(),
        *([W007] if is_loopback(conf.API_URL) else []),
        *([] if _keeps_its_connection() else [W008]),
    ]


def check_sandbox(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """The sandbox, where the project has it, is able to answer."""
    if not isinstance(conf.given, Mapping) or not conf.has_urls or is_loopback(conf.API_URL):
        return []
    try:
        reverse("hoiio_sandbox:telephone")
    except NoReverseMatch:
        return []
    return [W006]


def check_api(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """The read API, where the project has it, is able to answer a browser."""
    if not conf.has_urls or (apps.is_installed("rest_framework") and apps.is_installed("django_filters")):
        return []
    try:
        reverse("hoiio_api:sms-list")
    except NoReverseMatch:
        return []
    renderers = import_string("rest_framework.settings.api_settings").DEFAULT_RENDERER_CLASSES
    return [W009] if any(hasattr(renderer, "get_filter_form") for renderer in renderers) else []


def check_databases(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """The database of the notifications can merge and tells references apart."""
    using = router.db_for_write(apps.get_model("django_hoiio", "Notification"))
    if using not in (databases or ()):
        return []
    if not connections[using].settings_dict["AUTOCOMMIT"]:
        return [E012]
    if connections[using].vendor not in VENDORS or not connections[using].features.can_return_columns_from_insert:
        return [_unsupported(using)]
    return list(_careless_collation(using))


def _keeps_its_connection() -> bool:
    database = connections[router.db_for_write(apps.get_model("django_hoiio", "Notification"))].settings_dict
    return database["CONN_MAX_AGE"] != 0 or "pool" in database["OPTIONS"]


def _unusable_keys(given: Mapping[str, Any]) -> Iterator[CheckMessage]:
    for key, value in given.items():
        if key not in KEYS:
            yield _unknown_key(key)
        elif not isinstance(value, KEYS[key][0]):
            yield _wrong_type(key, value)
    url = given.get("PUBLIC_URL")
    if isinstance(url, str) and not _is_absolute(url):
        yield _no_scheme(url)
    if isinstance(given.get("ACCOUNTS"), dict):
        yield from map(_odd_account, filter(_is_odd_account, given["ACCOUNTS"].items()))
    if given.get("DISPATCH", "inline") not in ("inline", "task"):
        yield _odd_dispatch(given["DISPATCH"])
    for key, least in _LEAST.items():
        if isinstance(given.get(key), type(least)) and given[key] < least:
            yield _too_little(key, given[key])


# A reconciliation with less would ask for ever, or never.
_LEAST: dict[str, Any] = {"OVERDUE_AFTER": timedelta(seconds=1), "CALLS_PER_MINUTE": 1}


def _unknown_key(key: str) -> CheckMessage:
    meant = difflib.get_close_matches(str(key), KEYS, n=1)
    hint = f"Write {meant[0]!r} instead." if meant else f"Remove it; the keys are {', '.join(KEYS)}."
    return Error(f"HOIIO has no key {key!r}.", hint=hint, id="django_hoiio.E002")


def _wrong_type(key: str, value: object) -> CheckMessage:
    expected, example = KEYS[key]
    return Error(
        f"HOIIO[{key!r}] is of type {type(value).__name__}; it needs {expected[0].__name__}.",
        hint=f"Write {key!r}: {example!r}.",
        id="django_hoiio.E003",
    )


def _is_absolute(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _no_scheme(url: str) -> CheckMessage:
    host = urlsplit(f"//{url.rpartition('//')[2]}").netloc or "my.example.com"
    return Error(
        f"HOIIO['PUBLIC_URL'] is {url!r}; it needs a scheme and a host.",
        hint=f"Write 'PUBLIC_URL': {f'https://{host}'!r}.",
        id="django_hoiio.E004",
    )


def _is_odd_account(account: tuple[str, Any]) -> bool:
    """True unless it is a dict with no other keys than the two, and texts in them."""
    _, held = account
    if not isinstance(held, dict) or not set(held) <= {"APP_ID", "ACCESS_TOKEN"}:
        return True
    tokens = held.get("ACCESS_TOKEN", "")
    texts = [held.get("APP_ID", ""), *(tokens if isinstance(tokens, list | tuple) else [tokens])]
    return not all(isinstance(text, str) for text in texts)


def _odd_account(account: tuple[str, Any]) -> CheckMessage:
    return Error(
        f"HOIIO['ACCOUNTS'][{account[0]!r}] is not an account.",
        hint=f"Write {account[0]!r}: {{'APP_ID': '…', 'ACCESS_TOKEN': '…'}}; the token may be a list, newest first.",
        id="django_hoiio.E007",
    )


def _odd_dispatch(where: object) -> CheckMessage:
    return Error(
        f"HOIIO['DISPATCH'] is {where!r}; it is 'inline' or 'task'.",
        hint="Write 'DISPATCH': 'inline', or 'task' where a worker of Django's Tasks runs.",
        id="django_hoiio.E008",
    )


def _too_little(key: str, value: object) -> CheckMessage:
    return Error(
        f"HOIIO[{key!r}] is {value!r}; it is {_LEAST[key]!r} at least.",
        hint=f"Write {key!r}: {KEYS[key][1]!r}.",
        id="django_hoiio.E011",
    )


def _useless_spool() -> list[CheckMessage]:
    folder = conf.SPOOL_DIR
    if folder is None:
        return [W003]
    # A folder that is not there is made by the first notification, if its parent allows it.
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return []
    return [
        Warning(
            f"Notifications are lost while the database is away: {str(nearest)!r} cannot be written to.",
            hint=f"mkdir -p {folder} && chown www-data {folder}, with the user that the server runs as.",
            id="django_hoiio.W004",
        )
    ]


def check_tasks(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Receivers that are left to a worker are run by one."""
    if not isinstance(conf.given, Mapping) or conf.DISPATCH != "task":
        return []
    try:
        backend = import_string("django_hoiio.tasks.tell").get_backend()
    except ImportError:
        return [E009]
    # What a backend refuses a task with is another exception in Django than in django-tasks.
    except Exception as error:  # noqa: BLE001
        return [_refused_task(error)]
    if type(backend).__name__ in ("ImmediateBackend", "DummyBackend"):
        return [_no_worker(type(backend).__name__)]
    return []


def _refused_task(error: Exception) -> CheckMessage:
    return Error(
        f"HOIIO['DISPATCH'] is 'task', and the default of TASKS does not take the task: {error}",
        hint="Let TASKS have a backend 'default' and its QUEUES hold 'default'; or write 'DISPATCH': 'inline'.",
        id="django_hoiio.E010",
    )


def _no_worker(backend: str) -> CheckMessage:
    return Warning(
        f"HOIIO['DISPATCH'] is 'task', and no worker runs the receivers: the default of TASKS is {backend}.",
        hint="pip install django-tasks-db, and set TASKS as docs/tasks.rst says; or write 'DISPATCH': 'inline'.",
        id="django_hoiio.W005",
    )


def _unsupported(using: str) -> CheckMessage:
    return Error(
        f"The database {using!r} cannot keep notifications.",
        hint="Use PostgreSQL, MariaDB 10.5 or later, or SQLite 3.35 or later; others lack INSERT … RETURNING.",
        id="django_hoiio.E006",
    )


def _careless_collation(using: str) -> Iterator[CheckMessage]:
    """MariaDB compares by collation, and most collations ignore case; Hoiio's references may differ in it alone."""
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
            f"The collation {collation!r} of the database {using!r} takes the reference AA-s-1 for AA-S-1.",
            hint=(
                f"ALTER DATABASE {connection.settings_dict['NAME']} COLLATE utf8mb4_bin; before the first migrate,"
                f" or later, for each table of django_hoiio,"
                f" ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;"
            ),
            id="django_hoiio.W002",
        )
