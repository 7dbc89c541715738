"""Measure what loading the webhook adds to a Django project: time, memory and modules.

    python -m benchmarks.startup

Two projects take turns in fresh processes: one with nothing but a view, and the same with django_hoiio and its URLs.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from tqdm import tqdm

from .terminal import show

PROJECTS = {"empty project": [], "with django_hoiio": ["django_hoiio"]}

_ROOT = Path(__file__).parent.parent

# Each process runs this, with the apps as arguments. It is not a function here, because this module imports more than a
# project does. Processor time is from the start of the interpreter, so other processes do not count.
_PROGRAM = """
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
from django.http import HttpResponse
from django.urls import include, path, resolve

apps = sys.argv[1:]
urlpatterns = [path("", lambda request: HttpResponse())]

# What a server loads before the first request.
settings.configure(
    SECRET_KEY="startup",
    ROOT_URLCONF="__main__",
    INSTALLED_APPS=apps,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
urlpatterns.extend(path(f"{app}/", include(f"{app}.urls")) for app in apps)
WSGIHandler()
resolve("/")
connection.ensure_connection()

pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
resident = pages * os.sysconf("SC_PAGE_SIZE")
print(json.dumps({"seconds": time.process_time(), "bytes": resident, "modules": sorted(sys.modules)}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.startup", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--processes", type=int, default=30, help="for each project; 30 by default")
    loaded = _take_turns(parser.parse_args().processes)
    show(
        "Loading a project: processor time from the start of the interpreter until the URLs are loaded",
        ("project", "ms", "MiB", "modules"),
        [
            (
                name,
                f"{_median(runs, 'seconds') * 1e3:.0f}",
                f"{_median(runs, 'bytes') / 2**20:.1f}",
                f"{len(_modules(runs))}",
            )
            for name, runs in loaded.items()
        ],
    )
    without, with_it = (_modules(runs) for runs in loaded.values())
    ours = sorted(name for name in with_it - without if name.split(".")[0] == "django_hoiio")
    others = sorted(with_it - without - set(ours))
    print(f"\nIts own modules ({len(ours)}): {', '.join(ours)}.")
    print(f"Other modules that come with it ({len(others)}): {', '.join(others)}.")


def _take_turns(processes: int) -> dict[str, list[dict[str, Any]]]:
    loaded: dict[str, list[dict[str, Any]]] = {name: [] for name in PROJECTS}
    for _ in tqdm(range(processes), desc="Loading", leave=False, disable=None):
        for name in random.sample(list(PROJECTS), len(PROJECTS)):
            command = [sys.executable, "-c", _PROGRAM, *PROJECTS[name]]
            printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=_ROOT).stdout
            loaded[name].append(json.loads(printed))
    return loaded


def _median(runs: list[dict[str, Any]], figure: str) -> float:
    return float(median(run[figure] for run in runs))


def _modules(runs: list[dict[str, Any]]) -> set[str]:
    return set(runs[0]["modules"])


if __name__ == "__main__":
    main()
