"""The console in windows of several sizes and colours; the pictures of docs/admin.rst come from here."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize

from django_hoiio.models import Notification, Sms

from .conftest import Open
from .console import page_of
from .workshop import BULK

DESK, PHONE = 1280, 390


@pytest.fixture(scope="module")
def days() -> int:
    return 30


# What each picture shows, how high it is at a desk, and what stands at its top.
PICTURES: dict[str, tuple[Callable[[], str], int, str]] = {
    "dashboard": (lambda: "django_hoiio/", 1200, "#header"),
    "list": (lambda: "django_hoiio/sms/", 760, "#header"),
    "timeline": (lambda: page_of(Sms.objects.get(txn_ref="AA-S-9003")), 720, "#header"),
    "inspector": (
        lambda: page_of(Notification.objects.filter(txn_ref="AA-S-9003").latest("pk")),
        1020,
        ".hoiio-section:has(th:text('In the body'))",
    ),
    "conversation": (lambda: page_of(Sms.objects.get(txn_ref="AA-S-9003"), "conversation"), 1020, "#header"),
    "bulk": (lambda: f"django_hoiio/sms/bulk/?account=default&bulk_txn_ref={BULK}", 920, "#header"),
}


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [DESK, PHONE])
@pytest.mark.parametrize("name", PICTURES)
def test_nothing_stands_outside_the_window(
    look: Open, tmp_path: Path, name: str, width: int, color_scheme: str
) -> None:
    path, height, top = PICTURES[name]
    page = look(path(), viewport=ViewportSize(width=width, height=height), color_scheme=color_scheme)

    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    if name == "list" and width == DESK:
        # At a desk each column of a list is in sight.
        assert page.evaluate("[...document.querySelectorAll('.results')].map(e => e.scrollWidth - e.clientWidth)") == [
            0
        ]
    is_kept = width == DESK and "HOIIO_PICTURES" in os.environ
    folder = Path(os.environ["HOIIO_PICTURES"]) if is_kept else tmp_path
    scroll_to(page, top)
    page.screenshot(path=folder / f"admin-{name}-{color_scheme}.png")


def scroll_to(page: Page, top: str) -> None:
    page.locator(top).evaluate("(part) => part.scrollIntoView()")
