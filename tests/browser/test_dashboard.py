"""The dashboard in a browser, under a policy that forbids other hosts and inline content."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from django_hoiio.ingest import ingest
from django_hoiio.models import ReceiverFailure
from tests.conftest import raw_notification

from .conftest import Complaints, Open
from .console import root
from .test_accessibility import DESKTOP, PHONE, violations

BOTH = [DESKTOP, PHONE]
SCHEMES = ["light", "dark"]
PAGE = "/admin/django_hoiio/"


def receive(body: str, days: int, account: str = "default") -> Any:
    received_at = datetime.now(timezone.utc) - timedelta(days=days)
    return ingest(raw_notification("any", "", body, received_at=received_at, account=account))


@pytest.fixture
def filled(live_server: Any) -> None:
    """Receive notifications of every kind, with all alarms except that of the spool."""
    for days in range(20):
        status = "failed" if days % 5 == 0 else "queued" if days % 7 == 1 else "delivered"
        receive(f"txn_ref=AA-S-{days}&dest=%2B6591231111&sms_status={status}&debit=0.0{days}&currency=SGD", days)
        receive(
            f"txn_ref=AA-C-{days}&dest1=%2B6591231111&call_status_dest1=answered&debit=2&currency=USD", days, "shop"
        )
    notification = receive("txn_ref=AA-F-1&from=%2B6591231111&fax_status=answered", 3).notification
    ReceiverFailure.objects.create(notification=notification, signal="fax_received", receiver="shop.print")


@pytest.fixture
def open_dashboard(open_as: Open, live_server: Any) -> Open:
    """Open the dashboard as a superuser."""

    def open_dashboard(query: str = "", **options: Any) -> Page:
        return open_as(f"{live_server.url}{PAGE}{query}", root(), **options)

    return open_dashboard


@pytest.mark.usefixtures("filled")
def test_dashboard_is_complete_under_a_strict_policy(open_dashboard: Open) -> None:
    page = open_dashboard(viewport=DESKTOP)

    # The fixture `complaints` checks the messages of the browser when the test ends.
    expect(page.locator(".hoiio-figure")).to_have_count(8)
    expect(page.locator(".hoiio-alarm")).to_have_count(3)
    expect(page.get_by_role("img", name="SMS sent by day")).to_be_visible()
    fills = page.evaluate(
        "[...document.querySelectorAll('.hoiio-picture path')].map(path => getComputedStyle(path).fill)"
    )
    assert len(set(fills)) == 2
    assert "rgb(0, 0, 0)" not in fills


@pytest.mark.usefixtures("filled")
def test_inline_style_violates_the_policy(open_dashboard: Open, complaints: Complaints) -> None:
    page = open_dashboard()
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">red</p>')")

    expect(page.get_by_text("red", exact=True)).to_be_visible()
    assert any("Content Security Policy" in complaint for complaint in complaints)
    complaints.clear()


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("viewport", BOTH, ids=["desktop", "phone"])
@pytest.mark.parametrize("color_scheme", SCHEMES)
def test_axe_finds_nothing_serious(open_dashboard: Open, viewport: dict[str, int], color_scheme: str) -> None:
    # Without the bypass, the policy would block axe's own script.
    page = open_dashboard(viewport=viewport, color_scheme=color_scheme, bypass_csp=True)
    for summary in page.locator(".hoiio-details summary").all():
        summary.click()
    assert violations(page) == []


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("days", [7, 365])
def test_page_is_no_wider_than_a_phone(open_dashboard: Open, days: int) -> None:
    page = open_dashboard(f"?days={days}", viewport=PHONE)
    for summary in page.locator(".hoiio-details summary").all():
        summary.click()

    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.usefixtures("filled")
def test_other_days_and_accounts_are_one_click_away(open_dashboard: Open) -> None:
    page = open_dashboard()

    page.get_by_role("link", name="7 days").click()
    expect(page.get_by_role("heading", name="The last 7 days")).to_be_visible()
    page.get_by_role("link", name="shop", exact=True).click()
    expect(page.get_by_role("heading", name="The last 7 days")).to_be_visible()
    expect(page.locator(".hoiio-panel h3")).to_have_text(["Calls made", "USD"])
    expect(page.locator("[aria-current=true]")).to_have_text(["7 days", "shop"])


@pytest.mark.usefixtures("filled")
def test_alarm_links_to_its_rows(open_dashboard: Open) -> None:
    page = open_dashboard()

    page.locator(".hoiio-figure", has_text="Failed receivers").get_by_role("link").click()

    expect(page.locator("#result_list tbody tr")).to_have_count(1)


def test_empty_dashboard_is_complete(open_dashboard: Open) -> None:
    page = open_dashboard(viewport=PHONE)

    expect(page.get_by_text("No calls, SMS or faxes in this period.")).to_be_visible()
    expect(page.locator(".hoiio-alarm")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
