"""Every page of the admin needs as many queries for many rows as for two."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.urls import reverse
from django.utils.timezone import now

from django_hoiio.enums import Traffic
from django_hoiio.models import Call, ClosedDay, DailyTotal, Fax, Notification, ReceiverFailure, Sms, Transaction
from tests.factories import BEGAN, failures, notifications, transactions
from tests.users import EVERYTHING, list_of, queries, staff, url

pytestmark = pytest.mark.django_db

ACTIONS = ("retry_receivers", "dispatch", "reconcile", "export")
TRANSACTIONS: list[type[Transaction]] = [Call, Sms, Fax]
MODELS: list[type[Model]] = [*TRANSACTIONS, Notification, ReceiverFailure, DailyTotal]
# All with one number, and the SMS of one bulk.
ALIKE: dict[str, Any] = {"remote_number": "+6590000001", "remote_suffix": "90000001"}
OWN: dict[type[Transaction], dict[str, Any]] = {Call: {"session": "S1"}, Sms: {"bulk_txn_ref": "AA-B-1"}, Fax: {}}


def fill(count: int) -> None:
    """Create `count` more rows of everything that a page shows."""
    for model in TRANSACTIONS:
        transactions(model, count, **ALIKE, **OWN[model], txn_ref=None)
        (one,) = transactions(model, 1, txn_ref=f"AA-{model._meta.model_name}-{count}", **ALIKE)
        failures(notifications(count, txn_ref=one.txn_ref, body=b"x_order=1", params={"x_order": "1"}))
    first = Notification.objects.order_by("pk")[0]
    for place in range(count):
        failures([first], receiver=f"shop.{count}.{place}", traceback="ValueError")
    DailyTotal.objects.bulk_create(
        DailyTotal(day=BEGAN + timedelta(days=day), account=f"of {count}", traffic=kind, count=1, succeeded=1, debit=1)
        for day in range(count)
        for kind in Traffic
    )


def pages(count: int) -> dict[str, tuple[str, dict[str, str]]]:
    """Return the URL of each page by name: the lists, and the pages of a row with `count` of everything."""
    found: dict[str, tuple[str, dict[str, str]]] = {"app": (reverse("admin:app_list", args=["django_hoiio"]), {})}
    for model in MODELS:
        name = str(model._meta.model_name)
        row = model._default_manager.order_by("pk")[0]
        if issubclass(model, Transaction):
            row = model._default_manager.get(txn_ref=f"AA-{name}-{count}")
            found[f"{name}_conversation"] = (url(row, "conversation"), {})
        found |= {f"{name}_changelist": (list_of(model), {}), f"{name}_change": (url(row), {})}
    return found | {"sms_bulk": (reverse("admin:django_hoiio_sms_bulk"), {"bulk_txn_ref": "AA-B-1"})}


def costs(client: Any, count: int) -> dict[str, int]:
    return {name: queries(client, path, **query) for name, (path, query) in pages(count).items()}


def test_every_page_needs_as_many_queries_for_many_rows_as_for_two() -> None:
    client = staff(*EVERYTHING, *ACTIONS)
    ClosedDay.objects.create(day=now().date() - timedelta(days=8), closed_at=now())
    fill(2)
    few = costs(client, 2)
    fill(45)

    assert costs(client, 45) == few
    # Each of the eight days that are open is counted in three tables.
    assert few.pop("app") <= 3 * 8 + 21
    assert max(few.values()) <= 11


def test_all_pages_of_the_admin_are_counted() -> None:
    fill(1)
    names = {
        str(pattern.name).removeprefix("django_hoiio_")
        for model in MODELS
        for pattern in admin.site.get_model_admin(model).get_urls()
        if pattern.name
    }
    changing = {f"{model._meta.model_name}_{page}" for model in MODELS for page in ("add", "delete", "history")}
    assert names - changing == set(pages(1)) - {"app"}
