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


LONG = "a-tag-without-any-place-to-break-" * 7
TAGS = (LONG, "שלום, הזמנה 77 (abc)", "请在周五之前送达订单七十七号，谢谢" * 6, "order 77")


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_status_number_and_time_of_a_row_are_in_the_window_and_long_tags_do_not_make_it_high(
    open_list: Open, width: int
) -> None:
    for place, row in enumerate(Sms.objects.order_by("-pk")[:50]):
        Sms.objects.filter(pk=row.pk).update(tag=TAGS[place % len(TAGS)])
    page = open_list("sms/", viewport={"width": width, "height": 900})

    row = page.locator("#result_list tbody tr").first
    results = page.locator(".results").bounding_box()
    assert results
    for name in ("status_words", "remote_number_link", "created"):
        box = row.locator(f".field-{name}").bounding_box()
        assert box
        assert results["x"] <= box["x"]
        assert box["x"] + box["width"] <= results["x"] + results["width"]
    heights = page.locator("#result_list tbody tr").evaluate_all("rows => rows.map(row => row.offsetHeight)")
    assert max(heights) <= 110


def test_filters_are_above_the_rows_on_a_phone(open_list: Open) -> None:
    page = open_list("sms/", viewport=PHONE)
    search, filters, rows = (
        page.locator(which).bounding_box() for which in ("#toolbar", "#changelist-filter", "#result_list")
    )

    assert search
    assert filters
    assert rows
    assert search["y"] + search["height"] <= filters["y"] < filters["y"] + filters["height"] <= rows["y"]


@pytest.mark.parametrize("width", [1440, 390])
def test_long_tag_is_shown_whole_on_its_own_page(open_list: Open, width: int) -> None:
    row = Sms.objects.order_by("-pk")[0]
    Sms.objects.filter(pk=row.pk).update(tag=LONG)
    page = open_list(f"sms/{row.pk}/change/", viewport={"width": width, "height": 900})

    tag = page.locator(".field-tag_text .hoiio-foreign")
    expect(tag).to_have_text(LONG)
    assert tag.evaluate("tag => tag.scrollWidth <= tag.clientWidth && tag.getBoundingClientRect().right <= innerWidth")


def test_right_to_left_text_starts_on_the_right(open_list: Open) -> None:
    hebrew, latin = Sms.objects.order_by("-pk")[:2]
    Sms.objects.filter(pk=hebrew.pk).update(tag="שלום")
    page = open_list("sms/")

    gaps = page.locator("#result_list tbody .field-tag").evaluate_all(
        """cells => cells.slice(0, 2).map(cell => {
            const range = document.createRange();
            range.selectNodeContents(cell);
            const text = range.getBoundingClientRect(), box = cell.getBoundingClientRect();
            return text.left - box.left > box.right - text.right;
        })"""
    )
    assert latin.tag == "campaign"
    assert gaps == [True, False]


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
    expect(page).to_have_url(re.compile("q=campaign.*sms_status=failed"))
    expect(page.locator(".hoiio-error").first).to_have_text("failed")
    page.get_by_role("link", name="Clear", exact=True).click()
    expect(page.get_by_label("Search for")).to_have_value("")
    expect(page.locator(".hoiio-error").first).to_have_text("failed")
