"""Actions in the lists and on the pages of the admin, in a browser."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from django_hoiio.ingest import ingest
from django_hoiio.models import Notification, ReceiverFailure
from django_hoiio.signals import sms_status
from tests.conftest import raw_notification

from .console import root, window

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def page(browser: Browser, live_server: Any, settings: Any) -> Iterator[Page]:
    """A browser in which a superuser is logged in."""
    settings.ROOT_URLCONF = "tests.urls"
    with window(browser, live_server.url, root(), accept_downloads=True) as context:
        yield context.new_page()


@pytest.fixture
def bill() -> Iterator[dict[str, bool]]:
    """A receiver that fails while `fails` is true, and three SMS for which it failed."""
    state = {"fails": True}

    def bill(**kwargs: Any) -> None:
        if state["fails"]:
            raise ValueError("no customer")

    sms_status.connect(bill, dispatch_uid="shop.bill")
    for number in range(3):
        ingest(raw_notification("any", body=f"txn_ref=AA-S-{number}&sms_status=queued&dest=%2B6591231111"))
    yield state
    sms_status.disconnect(dispatch_uid="shop.bill")


def test_receivers_of_selected_rows_are_retried_from_the_list(
    page: Page, live_server: Any, bill: dict[str, bool]
) -> None:
    bill["fails"] = False
    page.goto(f"{live_server.url}/admin/django_hoiio/receiverfailure/")
    page.locator("input.action-select").nth(0).check()
    page.locator("input.action-select").nth(2).check()
    page.locator("select[name=action]").select_option(label="Retry failed receivers")
    page.locator("button[name=index]:not(.hoiio-tool *)").click()

    expect(page.locator(".messagelist")).to_have_text("Receivers: 2 resolved.")
    assert ReceiverFailure.objects.unresolved().count() == 1


def test_button_on_a_page_retries_its_receivers_and_disappears(
    page: Page, live_server: Any, bill: dict[str, bool]
) -> None:
    bill["fails"] = False
    page.goto(f"{live_server.url}/admin/django_hoiio/notification/{Notification.objects.all()[0].pk}/change/")
    page.get_by_role("button", name="Retry failed receivers").click()

    expect(page.locator(".messagelist")).to_have_text("Receivers: 1 resolved.")
    expect(page.get_by_role("button", name="Retry failed receivers")).to_have_count(0)


@pytest.mark.usefixtures("bill")
def test_export_button_downloads_all_matches(page: Page, live_server: Any) -> None:
    page.goto(f"{live_server.url}/admin/django_hoiio/sms/?q=AA-S-1")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export all results").click()

    with open(download.value.path(), encoding="utf-8-sig", newline="") as file:  # noqa: PTH123
        assert [(row["txn_ref"], row["dest"]) for row in csv.DictReader(file)] == [("AA-S-1", "'+6591231111")]
