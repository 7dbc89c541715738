from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from .conftest import Open

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}

# The stops of the Tab key on the opened page, in this order.
STOPS = [
    "handset",
    "number",
    "choice",
    "green",
    "red",
    *["key"] * 12,
    "conversation-scroll",
    "msg",
    "send",
    "faults-summary",
    "wire-scroll",
]

NAME = """
(() => {
    const focused = document.activeElement;
    if (focused.closest("#keypad")) return "key";
    if (focused.matches("summary")) return `${focused.parentElement.id}-summary`;
    return focused.id || focused.className;
})()
"""
OUTLINE = """
(() => {
    const style = getComputedStyle(document.activeElement);
    return style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth);
})()
"""


def violations(page: Page) -> list[Any]:
    """Return the serious and critical violations that axe-core finds."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        (each["id"], [node["target"] for node in each["nodes"]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_telephone: Open, viewport: dict[str, int], color_scheme: str) -> None:
    # Without the bypass, the policy would block axe's own script.
    page = open_telephone(viewport=viewport, color_scheme=color_scheme, bypass_csp=True)
    assert violations(page) == []

    page.locator("#green").click()
    expect(page.locator("#state")).to_have_text("Press keys")
    assert violations(page) == []

    page.keyboard.press("2")
    expect(page.locator("#speech")).to_be_visible()
    page.locator("#faults summary").click()
    page.get_by_label("Duplicated").check()
    page.locator("#spoken").fill("My chain came off.")
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("Ready")
    page.locator("#msg").fill("Is it ready?")
    page.keyboard.press("Enter")
    expect(page.locator(".application.sms")).not_to_have_count(0)
    page.locator("#posts summary").first.click()
    assert violations(page) == []


def test_tab_reaches_every_control_and_shows_the_focus(telephone: Page) -> None:
    stops, outlines = [], []
    for _ in STOPS:
        telephone.keyboard.press("Tab")
        stops.append(telephone.evaluate(NAME))
        outlines.append(telephone.evaluate(OUTLINE))

    assert stops == STOPS
    assert min(outlines) >= 2


def test_nothing_moves_with_reduced_motion(open_telephone: Open) -> None:
    moving = {}
    for reduced_motion in ("reduce", "no-preference"):
        page = open_telephone(reduced_motion=reduced_motion)
        page.evaluate("document.getElementById('telephone').dataset.call = 'recording'")
        moving[reduced_motion] = page.evaluate("document.getAnimations().length")

    assert moving["reduce"] == 0
    assert moving["no-preference"] > 0
