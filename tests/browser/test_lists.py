"""The lists of the admin in a browser: with the keyboard, in both themes, on a desktop and on a phone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from django_hoiio.models import Call, Sms
from tests.factories import failures, notifications, transactions

from .conftest import Open
from .console import root
from .test_accessibility import DESKTOP, PHONE, violations

# The server runs in a thread, so the rows must be committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def open_list(open_as: Open, live_server: Any) -> Open:
    """Open a list as a superuser, on rows of many states."""
    failures(notifications(120))
    made = transactions(Sms, 125, tag="campaign")
    for place, word in enumerate(("queued", "delivered", "failed", "error", "bounced")):
        Sms.objects.filter(pk__in=[row.pk for row in made[place::5]]).update(sms_status=word)
    transactions(Call, 3, call_status_dest1="answered", call_status_dest2="busy")

    def open_list(path: str, **options: Any) -> Page:
        return open_as(f"{live_server.url}/admin/django_hoiio/{path}", root(), **options)

    return open_list


PAGES = ["notification/", "sms/", "call/?q=nothing", "receiverfailure/", "sms/?day=2026-03-01&q=campaign"]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_lists(open_list: Open, viewport: dict[str, int], color_scheme: str) -> None:
    found = {}
    for path in PAGES:
        page = open_list(path, viewport=viewport, color_scheme=color_scheme)
        found[path] = violations(page)
        # A table that is too wide scrolls by itself.
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert found == {path: [] for path in PAGES}


def test_search_field_fills_its_row_on_a_phone(open_list: Open) -> None:
    page = open_list("sms/", viewport=PHONE)
    row, field = (page.locator(which).bounding_box() for which in ("#toolbar .hoiio-fields", "#searchbar"))

    assert row
    assert field
    assert (field["x"], field["width"]) == (row["x"], row["width"])


def test_page_links_work_with_the_keyboard(open_list: Open) -> None:
    page = open_list("notification/")
    first = page.locator("#result_list tbody tr")
    expect(first).to_have_count(50)
    page.get_by_role("link", name="Older", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#result_list tbody tr").first).to_contain_text("AA-S-69")
    page.get_by_role("link", name="Newest", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#result_list tbody tr").first).to_contain_text("AA-S-119")
    expect(page.get_by_role("navigation", name="Pages of notifications")).to_be_visible()
    expect(page.get_by_role("link", name="Newer", exact=True)).to_have_count(0)


def test_day_search_and_filter_are_combined(open_list: Open) -> None:
    page = open_list("sms/")
    page.get_by_role("link", name="failed", exact=True).click()
    page.get_by_label("Search for").fill("campaign")
    page.get_by_label("Until").fill("2026-03-01")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("q=campaign.*sms_status__exact=failed"))
    expect(page.locator(".hoiio-error").first).to_have_text("failed")
    page.get_by_role("link", name="Clear", exact=True).click()
    expect(page.get_by_label("Search for")).to_have_value("")
    expect(page.locator(".hoiio-error").first).to_have_text("failed")
