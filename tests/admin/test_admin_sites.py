"""A site of a project's own, on which not every list is registered: its pages lead to it, and to what it has, alone."""

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

desk = admin.AdminSite(name="desk")
desk.register(Sms, SmsAdmin)

office = admin.AdminSite(name="office")
office.register(Sms, SmsAdmin)
office.register(Notification, NotificationAdmin)

urlpatterns = [path("admin/", admin.site.urls), path("desk/", desk.urls), path("office/", office.urls)]


@pytest.fixture
def sms() -> Sms:
    """A message of a bulk SMS that was told of."""
    (row,) = transactions(Sms, 1, bulk_txn_ref="AA-B-1", sms_status="failed")
    notifications(4, txn_ref=row.txn_ref, params={"txn_ref": row.txn_ref, "sms_status": "failed"})
    return Sms.objects.get()


@pytest.mark.parametrize("site", ["desk", "office"])
def test_pages_lead_to_their_own_site(sms: Sms, site: str) -> None:
    client = staff(*EVERYTHING)
    led = {
        page: set(re.findall(r'(?:href|action)="/(?!static)(\w+)/', look(client, f"/{site}/django_hoiio/sms/{page}")))
        for page in ("", "?q=AA-B-1", f"{sms.pk}/change/", f"{sms.pk}/conversation/", "bulk/?bulk_txn_ref=AA-B-1")
    }
    assert led == {page: {site} for page in led}


def test_list_that_a_site_does_not_have_is_not_led_to(sms: Sms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MAX_EVENTS", 2)
    client: Any = staff(*EVERYTHING)
    there = f"django_hoiio/sms/{sms.pk}/change/"
    assert ["All notifications" in look(client, f"/{site}/{there}") for site in ("office", "desk")] == [True, False]


def test_list_that_a_user_may_not_open_is_not_led_to(sms: Sms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MAX_EVENTS", 2)
    client: Any = staff(*EVERYTHING, views=["sms"])
    assert "All notifications" not in look(client, f"/office/django_hoiio/sms/{sms.pk}/change/")
