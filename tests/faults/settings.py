"""Settings of separate processes: servers and commands on the database of the tests."""

from __future__ import annotations

import json
import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASE, DATABASES, INSTALLED_APPS

DATABASES["default"]["NAME"] = os.environ["HOIIO_TEST_NAME"]
# The proxy needs unencrypted connections to see a COMMIT. SQLite waits less long for a lock than in the other tests.
OPTIONS: dict[str, dict[str, object]] = {
    "sqlite": {"timeout": float(os.environ.get("HOIIO_FAULTS_TIMEOUT", "30"))},
    "postgres": {"sslmode": "disable", "gssencmode": "disable"},
    "mariadb": {"ssl_mode": "DISABLED"},
}
DATABASES["default"]["OPTIONS"] = OPTIONS[DATABASE] | json.loads(os.environ.get("HOIIO_FAULTS_OPTIONS", "{}"))
DATABASES["default"]["CONN_MAX_AGE"] = json.loads(os.environ.get("HOIIO_FAULTS_CONN_MAX_AGE", "0"))
INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.listening.Listening"]
HOIIO = {"SPOOL_DIR": os.environ["HOIIO_FAULTS_SPOOL"], **json.loads(os.environ.get("HOIIO_FAULTS_HOIIO", "{}"))}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    # The faults cause many log lines.
    "loggers": {"django_hoiio": {"level": "CRITICAL"}, "django.request": {"level": "CRITICAL"}},
}
# The tests compare the output of commands, so silence the warning about the sandbox in the URLs.
SILENCED_SYSTEM_CHECKS = ["django_hoiio.W006"]
