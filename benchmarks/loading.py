"""Load a Django project with the named apps, and print the time, memory and modules as JSON. Run by `startup.py`."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path, resolve


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


urlpatterns: list[URLPattern | URLResolver] = [path("", view)]


def load(apps: list[str]) -> None:
    """Load what a server loads before the first request."""
    settings.configure(
        SECRET_KEY="loading",
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=apps,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    )
    django.setup()
    urlpatterns.extend(path(f"{app}/", include(f"{app}.urls")) for app in apps)
    WSGIHandler()
    resolve("/")
    connection.ensure_connection()


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    load(sys.argv[1:])
    # Processor time since the start of the interpreter, so other processes do not count.
    print(json.dumps({"seconds": time.process_time(), "bytes": resident(), "modules": sorted(sys.modules)}))
