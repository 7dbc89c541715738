"""The console in windows of several sizes and colours; the pictures of docs/admin.rst come from here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.db.models import Model
from django.urls import reverse
from playwright.sync_api import ViewportSize

from django_hoiio.models import Notification, Sms

from .conftest import Open
from .workshop import BULK

OUTSIDE = "document.documentElement.scrollWidth - innerWidth"


@pytest.fixture(scope="module")
def days() -> int:
    return 30


def page_of(row: Model, page: str = "change") -> str:
    return reverse(f"admin:django_hoiio_{row._meta.model_name}_{page}", args=[row.pk]).removeprefix("/admin/")


# What each picture shows, and how high it is at a desk.
PICTURES = {
    "dashboard": (lambda: "django_hoiio/", 1180),
    "list": (lambda: "django_hoiio/sms/", 860),
    "timeline": (lambda: page_of(Sms.objects.get(txn_ref="AA-S-9003")), 800),
    "inspector": (lambda: page_of(Notification.objects.filter(txn_ref="AA-S-9003").latest("pk")), 1200),
    "conversation": (lambda: page_of(Sms.objects.get(txn_ref="AA-S-9003"), "conversation"), 1000),
    "bulk": (lambda: f"django_hoiio/sms/bulk/?account=default&bulk_txn_ref={BULK}", 900),
}


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PICTURES)
def test_nothing_stands_outside_the_window(
    look: Open, tmp_path: Path, name: str, width: int, color_scheme: str
) -> None:
    path, height = PICTURES[name]
    page = look(path(), viewport=ViewportSize(width=width, height=height), color_scheme=color_scheme)

    assert page.evaluate(OUTSIDE) <= 0
    is_shown = width == 1280 and "HOIIO_PICTURES" in os.environ
    folder = Path(os.environ["HOIIO_PICTURES"]) if is_shown else tmp_path
    page.screenshot(path=folder / f"admin-{name}-{color_scheme}.png", full_page="SHOTS" in os.environ)
