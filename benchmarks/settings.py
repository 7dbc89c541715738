"""Settings of the benchmarks. `HOIIO_BENCHMARK_DATABASE` chooses the database: sqlite, postgres or mariadb.

Connections are persistent, as on a server that is set up for load, and SQLite uses WAL. The servers are those of the
tests; `benchmarks.databases` creates and drops the database. `HOIIO_BENCHMARK_ADMIN` adds the admin.
"""

from __future__ import annotations

import json
import os
from typing import Any

from tests import settings as tests_settings

_NAME = os.environ.get("HOIIO_BENCHMARK_NAME", "hoiio_benchmark")

_DATABASES: dict[str, dict[str, Any]] = {
    "sqlite": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"/tmp/{_NAME}.sqlite3",
        "TEST": {"NAME": f"/tmp/test_{_NAME}.sqlite3"},
        "OPTIONS": {
            "timeout": 60,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=10000;",
        },
    },
    "postgres": {**tests_settings.SERVERS["postgres"], "NAME": _NAME},
    "mariadb": {**tests_settings.SERVERS["mariadb"], "NAME": _NAME},
}

DATABASES = {
    "default": {**_DATABASES[os.environ.get("HOIIO_BENCHMARK_DATABASE", "sqlite")], "CONN_MAX_AGE": None},
}
SECRET_KEY = "benchmarks"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
# With another time zone, the calendar of the plain list needs MariaDB's time zone tables.
TIME_ZONE = "UTC"
ROOT_URLCONF = "benchmarks.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# The first two are for the users of the read API.
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django_hoiio", "benchmarks"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["benchmarks.views.Reader"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
MIDDLEWARE: list[str] = []
LOGGING_CONFIG = None
HOIIO = {
    "PUBLIC_URL": "https://benchmarks.example.com",
    "ACCOUNTS": {"default": {"APP_ID": "benchmarks", "ACCESS_TOKEN": "benchmarks"}},
    "RETENTION_DAYS": json.loads(os.environ.get("HOIIO_BENCHMARK_RETENTION", "{}")),
}

if os.environ.get("HOIIO_BENCHMARK_ADMIN"):
    INSTALLED_APPS += [
        "django.contrib.admin",
        "django.contrib.messages",
        "django.contrib.sessions",
        "django.contrib.staticfiles",
    ]
    MIDDLEWARE += [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ]
    STATIC_URL = "static/"
    TEMPLATES = tests_settings.TEMPLATES
