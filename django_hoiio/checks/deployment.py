"""What is dangerous or slow on a server that is in use."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Warning
from django.db import connections, router

from ..conf import conf
from ..notify_urls import is_loopback

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
            hint=f"As root, with the user that the server runs as: install -d -o www-data -m 700 {folder}",
            id="django_hoiio.W004",
        )
    ]


def _keeps_its_connection() -> bool:
    database = connections[router.db_for_write(apps.get_model("django_hoiio", "Notification"))].settings_dict
    return database["CONN_MAX_AGE"] != 0 or "pool" in database["OPTIONS"]
