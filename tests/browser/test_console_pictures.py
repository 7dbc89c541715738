"""The admin in windows of several sizes and colours. The pictures of docs/guides/admin.rst are made here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.db.models import Model
from django.urls import reverse
from playwright.sync_api import FloatRect, Page, ViewportSize

from django_hoiio.models import Notification, Sms

from .conftest import Open
from .workshop import BULK

OUTSIDE = "document.documentElement.scrollWidth - innerWidth"

# Fold the sidebar, so that the pictures show only the page.
FOLDED = "localStorage.setItem('django.admin.navSidebarIsOpen', 'false')"


@pytest.fixture(scope="module")
def days() -> int:
    """A month for the pictures, otherwise the minimum."""
    return 30 if "HOIIO_PICTURES" in os.environ else 3


def page_of(row: Model, page: str = "change") -> str:
    return reverse(f"admin:django_hoiio_{row._meta.model_name}_{page}", args=[row.pk]).removeprefix("/admin/")


# Name of each picture → its page, the element at its top, and its height.
PICTURES = {
    "dashboard": (lambda: "django_hoiio/", "#content", 1150),
    "list": (lambda: "django_hoiio/sms/", "#content", 760),
    "timeline": (lambda: page_of(Sms.objects.get(txn_ref="AA-S-9003")), "#content", 600),
    "inspector": (
        lambda: page_of(Notification.objects.filter(txn_ref="AA-S-9003").latest("pk")),
        "section:has(h2:text-is('Parameters'))",
        850,
    ),
    "conversation": (lambda: page_of(Sms.objects.get(txn_ref="AA-S-9003"), "conversation"), "#content", 1000),
    "bulk": (lambda: f"django_hoiio/sms/bulk/?bulk_txn_ref={BULK}", "#content", 840),
}


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1120, 390])
@pytest.mark.parametrize("name", PICTURES)
def test_nothing_is_outside_the_window(look: Open, tmp_path: Path, name: str, width: int, color_scheme: str) -> None:
    path, begin, height = PICTURES[name]
    page = look(path(), viewport=ViewportSize(width=width, height=900), color_scheme=color_scheme)

    assert page.evaluate(OUTSIDE) <= 0
    if width == 1120:
        page.evaluate(FOLDED)
        page.reload()
        folder = Path(os.environ.get("HOIIO_PICTURES", tmp_path))
        page.screenshot(
            path=folder / f"admin-{name}-{color_scheme}.png", full_page=True, clip=part(page, begin, height)
        )


def part(page: Page, begin: str, height: int) -> FloatRect:
    """Return the part of the page from `begin` on, without the frame of Django's admin."""
    whole, first = page.locator("#content").bounding_box(), page.locator(begin).bounding_box()
    assert whole is not None
    assert first is not None
    top = max(first["y"] - 20, whole["y"])
    below = whole["y"] + whole["height"] - top
    return FloatRect(x=whole["x"], y=top, width=whole["width"], height=min(height, below))
