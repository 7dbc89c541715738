"""Measure an export of the admin: rows per second and memory.

python -m benchmarks.exporting --rows 1000000 --database postgres
"""

from __future__ import annotations

import argparse
import time
from typing import Any, cast

from django.apps import apps
from django.contrib import admin
from django.test import RequestFactory

from .databases import DATABASES, made, use
from .growth import fill
from .loading import resident
from .tables import show


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.exporting", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="notifications; 1000000 by default")
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    said = parser.parse_args()
    use(said.database, settings="benchmarks.console_settings")
    admin.autodiscover()
    with made():
        fill(said.rows)
        show(
            f"{said.database}, {said.rows:,} notifications and half as many SMS",
            ("list", "rows", "rows a second", "MB", "memory before", "after 1 %", "most"),
            [_export(name) for name in ("Notification", "Sms")],
        )


def _export(name: str) -> list[str]:
    """Export a whole list, masked, and discard it."""
    model = apps.get_model("django_hoiio", name)
    request = RequestFactory().post("/")
    request.user = apps.get_model("auth", "User")(pk=1, is_active=True)
    model_admin = admin.site.get_model_admin(model)
    rows, before, began = model._default_manager.count(), resident(), time.perf_counter()
    response = cast(Any, model_admin).actions[-1](model_admin, request, model._default_manager.all())
    sizes, held = [], []
    for piece in response:
        sizes.append(len(piece))
        held.append(resident())
    seconds = time.perf_counter() - began
    figures = (f"{rows:,}", f"{rows / seconds:,.0f}", f"{sum(sizes) / 1e6:,.0f}")
    return [name, *figures, *(f"{each / 1e6:.1f} MB" for each in (before, held[len(held) // 100], max(held)))]


if __name__ == "__main__":
    main()
