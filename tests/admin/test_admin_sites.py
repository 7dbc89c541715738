"""A project's own admin site with only some of the lists: its pages link only to what it has."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib import admin
from django.urls import path

from django_hoiio.admin import timeline
from django_hoiio.admin.notifications import NotificationAdmin
from django_hoiio.admin.transactions import SmsAdmin
from django_hoiio.models import Notification, Sms
from tests.factories import notifications, transactions
from tests.users import EVERYTHING, look, staff

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

second_site = admin.AdminSite(name="second_site")
second_site.register(Sms, SmsAdmin)

third_site = admin.AdminSite(name="third_site")
third_site.register(Sms, SmsAdmin)
third_site.register(Notification, NotificationAdmin)

urlpatterns = [
    path("admin/", admin.site.urls),
    path("second_site/", second_site.urls),
    path("third_site/", third_site.urls),
]


@pytest.fixture
def sms() -> Sms:
    """A message of a bulk SMS, with notifications."""
    (row,) = transactions(Sms, 1, bulk_txn_ref="AA-B-1", sms_status="failed")
    notifications(4, sms=row, params={"txn_ref": row.txn_ref, "sms_status": "failed"})
    return Sms.objects.get()


@pytest.mark.parametrize("site", ["second_site", "third_site"])
def test_pages_link_only_to_their_own_site(sms: Sms, site: str) -> None:
    client = staff(*EVERYTHING)
    linked_sites = {
        page: set(re.findall(r'(?:href|action)="/(?!static)(\w+)/', look(client, f"/{site}/django_hoiio/sms/{page}")))
        for page in ("", "?q=AA-B-1", f"{sms.pk}/change/", f"{sms.pk}/conversation/", "bulk/?bulk_txn_ref=AA-B-1")
    }
    assert linked_sites == {page: {site} for page in linked_sites}


def test_list_that_is_not_registered_on_the_site_is_not_linked(sms: Sms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MAX_EVENTS", 2)
    client: Any = staff(*EVERYTHING)
    there = f"django_hoiio/sms/{sms.pk}/change/"
    assert ["All notifications" in look(client, f"/{site}/{there}") for site in ("third_site", "second_site")] == [
        True,
        False,
    ]


def test_list_that_the_user_may_not_open_is_not_linked(sms: Sms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MAX_EVENTS", 2)
    client: Any = staff(*EVERYTHING, views=["sms"])
    assert "All notifications" not in look(client, f"/third_site/django_hoiio/sms/{sms.pk}/change/")
