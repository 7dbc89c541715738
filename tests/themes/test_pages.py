"""Every page of the console under the theme, as a browser shows it, light and dark."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect

from django_hoiio.models import Notification
from tests.browser.console import window

from .pages import EXPORT, PAGES, SEARCH, sms
from .settings import THEME

# Where each theme stores the choice of light or dark.
CHOOSE = """scheme => {
    for (const key of ["theme", "jazzmin-theme-mode"]) localStorage.setItem(key, scheme);
    localStorage.setItem("adminTheme", JSON.stringify(scheme));
}"""
# What is ours in the pages.
OURS = [".hoiio-dashboard", ".hoiio-label", ".hoiio-section", ".hoiio-sentence", ".hoiio-tool", ".hoiio-until"]
OURS += [".hoiio-bulk", ".hoiio-conversation", ".hoiio-empty", ".hoiio-steps", ".button"]
# What has the theme's own colours.
THEIRS = [["a:not(.button, .hoiio-tool a)"], ["h2"]]
# Elements that have a colour of their own.
COLOURS = ".hoiio-picture .hoiio-succeeded, .hoiio-picture .hoiio-rest, .hoiio-bar rect, .hoiio-label, .hoiio-key"
BLACK = ("rgb(0, 0, 0)", "rgba(0, 0, 0, 0)")


@pytest.fixture(params=["light", "dark"], scope="module")
def page(request: Any, browser: Browser, console_url: str, staff: dict[str, User]) -> Iterator[Page]:
    """A window of a user who may do everything, with the theme in one of its colour schemes."""
    with window(browser, console_url, staff["chief"], color_scheme=request.param, accept_downloads=True) as context:
        # Fonts of other hosts.
        context.route(lambda url: not url.startswith(urljoin(console_url, "/")), lambda route: route.abort())
        page = context.new_page()
        page.goto(console_url)
        page.evaluate(CHOOSE, request.param)
        yield page


def visit(page: Page, path: str) -> None:
    response = page.goto(urljoin(page.url, path))
    assert response is not None
    assert response.status == 200


@pytest.mark.parametrize("name", PAGES)
def test_page_is_whole_and_legible(page: Page, name: str) -> None:
    visit(page, PAGES[name].path())

    for selector in PAGES[name].shows:
        expect(page.locator(selector).first).to_be_visible()
    painted = "all => all.map(each => getComputedStyle(each)[each.ownerSVGElement ? 'fill' : 'backgroundColor'])"
    assert not set(page.locator(COLOURS).evaluate_all(painted)) & set(BLACK)
    assert illegible(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def illegible(page: Page) -> list[Any]:
    """Return the texts of ours that are hard to read: below 3:1, because the themes do not reach the 4.5:1 of WCAG."""
    shown = [[selector] for selector in OURS if page.locator(selector).count()]
    if not shown:
        return []
    options = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
    found = Axe().run(page, context={"include": shown, "exclude": THEIRS}, options=options).response["violations"]
    texts = [(node["html"], node["any"][0]["data"]["contrastRatio"]) for each in found for node in each["nodes"]]
    return [(html, contrast) for html, contrast in texts if contrast < 3]


# What users do in a list and on a page, in the light scheme and the dark one.


def test_search_field_finds_rows(page: Page) -> None:
    visit(page, "/admin/django_hoiio/sms/")
    page.locator(SEARCH).fill("AA-SI-9004")
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile("[?&]q=AA-SI-9004"))
    expect(page.locator(".field-reference")).to_have_text(["AA-SI-9004"])


def test_list_begins_with_a_day_and_keeps_the_search(page: Page) -> None:
    visit(page, "/admin/django_hoiio/sms/?q=order 3117")
    page.get_by_label("Until").fill("2020-01-01")
    page.get_by_role("button", name="Show", exact=True).click()

    expect(page).to_have_url(re.compile("q=order\\+3117"))
    expect(page).to_have_url(re.compile("day=2020-01-01"))
    expect(page.locator(".hoiio-empty")).to_contain_text("order 3117")


def test_button_exports_all_rows_that_the_search_finds(page: Page) -> None:
    visit(page, "/admin/django_hoiio/sms/?q=order 3117")
    with page.expect_download() as download:
        page.locator(EXPORT).click()

    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        assert [row["txn_ref"] for row in csv.DictReader(file)] == ["AA-S-9003", "AA-S-9002"]


def test_list_offers_its_actions(page: Page) -> None:
    visit(page, "/admin/django_hoiio/notification/")
    offered = page.locator("select[name=action] option, .actions button[data-name]")

    for name in ("Retry failed receivers", "Dispatch pending notifications", "Export as CSV"):
        expect(offered.filter(has_text=name)).to_have_count(1)


def test_button_on_a_page_retries_its_receivers(page: Page) -> None:
    notification = Notification.objects.get(txn_ref="AA-SI-9101")
    notification.failures.update(resolved_at=None, attempts=1)
    visit(page, f"/admin/django_hoiio/notification/{notification.pk}/change/")
    page.get_by_role("button", name="Retry failed receivers").click()

    expect(page.get_by_text("Receivers: 1 no longer registered.")).to_be_visible()


def test_links_lead_from_a_message_to_its_conversation_and_back(page: Page) -> None:
    visit(page, PAGES["received message"].path())
    page.get_by_role("link", name="Conversation").click()
    expect(page.get_by_text(f"Conversation with {sms().remote_number}").locator("visible=true").first).to_be_visible()
    page.get_by_role("link", name="SMS AA-SI-9004").click()

    expect(page.locator(".hoiio-sentence")).to_contain_text(sms().remote_number)


@pytest.mark.skipif(THEME != "unfold", reason="It has no base class for admins.")
@pytest.mark.parametrize("name", ["messages", "search", "message", "conversation", "bulk"])
def test_admin_with_the_base_class_of_the_theme_shows_the_same_pages(page: Page, name: str) -> None:
    visit(page, PAGES[name].path().replace("/admin/", "/own/"))

    for selector in PAGES[name].shows:
        expect(page.locator(selector).first).to_be_visible()
    assert page.get_by_role("link").evaluate_all("all => all.filter(each => each.pathname.includes('/admin/'))") == []
