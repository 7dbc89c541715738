"""The telephone in windows of several sizes and colours. The pictures of docs/guides/local.rst are made here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from .conftest import Open

SHOWN = {"light", "dark"}

OUTSIDE = """
[...document.querySelectorAll("main *")]
    .filter((each) => each.checkVisibility() && each.getBoundingClientRect().right > innerWidth)
    .map((each) => each.outerHTML)
"""


def converse(page: Page) -> None:
    """Leave a message, send a text, lose another one, and call again, to show every state."""
    page.locator("#green").click()
    expect(page.locator("#state")).to_have_text("Press keys")
    page.locator("#keypad button[value='2']").click()
    page.locator("#spoken").fill("The chain came off again. Please call me.")
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("Ready")
    text(page, "Is my bicycle ready?")
    expect(page.locator("[data-state=answered] .label", has_text="delivered")).to_have_count(1)
    lost = page.get_by_label("Dropped")
    page.locator("#faults summary").click()
    lost.check()
    text(page, "Hello?")
    expect(page.locator("[data-state=dropped]")).to_have_count(1)
    lost.uncheck()
    expect(page.locator("#faults-on")).to_be_hidden()
    page.locator("#faults summary").click()
    page.locator("#green").click()
    expect(page.locator("#state")).to_have_text("Press keys")
    expect(page.locator("#posts > li[data-state=waiting]")).to_have_count(0)


def text(page: Page, msg: str) -> None:
    page.locator("#msg").fill(msg)
    page.keyboard.press("Enter")
    expect(page.locator("#msg")).to_have_value("")


@pytest.mark.parametrize(
    ("name", "width", "height", "color_scheme"),
    [
        ("light", 1360, 860, "light"),
        ("dark", 1360, 860, "dark"),
        ("tablet", 820, 1100, "light"),
        ("phone", 360, 740, "light"),
    ],
)
def test_nothing_is_outside_the_window(
    open_telephone: Open, tmp_path: Path, name: str, width: int, height: int, color_scheme: str
) -> None:
    page = open_telephone(viewport=ViewportSize(width=width, height=height), color_scheme=color_scheme)
    converse(page)

    assert page.evaluate(OUTSIDE) == []
    folder = Path(os.environ["HOIIO_PICTURES"]) if name in SHOWN and "HOIIO_PICTURES" in os.environ else tmp_path
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=folder / f"telephone-{name}.png")
