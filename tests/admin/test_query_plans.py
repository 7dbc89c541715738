"""Query plans of PostgreSQL for each search and filter of the admin: no plan reads a whole table."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_hoiio.admin import changelist
from django_hoiio.enums import Traffic
from django_hoiio.models import Call, DailyTotal, Fax, Notification, ReceiverFailure, Sms, Transaction
from tests.factories import BEGAN, failures, notifications, transactions
from tests.plans import VENDOR, learn
from tests.users import list_of, look, staff, url

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(VENDOR != "postgresql", reason="Django captures SQL that can be explained only on PostgreSQL."),
]

TRANSACTIONS: list[type[Transaction]] = [Call, Sms, Fax]
MODELS: list[type[Model]] = [*TRANSACTIONS, Notification, ReceiverFailure, DailyTotal]
ROWS = 3_000

ABOUT = ["AA-T-71", "AA-T-718", "order 718", "+6590000718", "90000718", "ALERT", "nothing"]
SEARCHES: dict[type[Model], list[str]] = {
    Call: [*ABOUT, "S-718"],
    Sms: [*ABOUT, "AA-B-718"],
    Fax: ABOUT,
    Notification: [*ABOUT, "S-718"],
    ReceiverFailure: ["AA-T-718", "S-718", "nothing"],
    DailyTotal: [],
}


@pytest.fixture
def viewer(monkeypatch: pytest.MonkeyPatch) -> Client:
    """A user of lists with `ROWS` rows, whose pages show five and scan a hundred."""
    for model in MODELS:
        monkeypatch.setattr(admin.site.get_model_admin(model), "list_per_page", 5)
    monkeypatch.setattr(changelist, "SCAN_LIMIT", 100)
    own = {"session": "S-{}".format, "bulk_txn_ref": "AA-B-{}".format}
    for model in TRANSACTIONS:
        transactions(model, ROWS, **{name: value for name, value in own.items() if hasattr(model, name)})
    made = notifications(ROWS, txn_ref="AA-T-{}".format, session="S-{}".format)
    failures(made, resolved_at=BEGAN)
    DailyTotal.objects.bulk_create(
        DailyTotal(day=BEGAN, account=f"of {number}", traffic=kind, count=1, succeeded=1, debit=1)
        for number in range(ROWS // len(Traffic))
        for kind in Traffic
    )
    learn(*MODELS)
    return staff("view_personal_data")


def filters(client: Client, model: type[Model]) -> list[str]:
    """Return the query string of each choice of each filter."""
    response: Any = client.get(list_of(model))
    changelist = response.context["cl"]
    return [choice["query_string"] for spec in changelist.filter_specs for choice in spec.choices(changelist)]


def whole(client: Client, address: str) -> list[str]:
    """Return the plans of a page's queries that read a whole table of the app."""
    with CaptureQueriesContext(connection) as captured:
        look(client, address)
    plans = [plan_of(query["sql"]) for query in captured.captured_queries if '"django_hoiio_' in query["sql"]]
    assert plans
    return [plan for plan in plans if "Seq Scan on django_hoiio_" in plan]


def plan_of(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        return sql + "\n" + "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.parametrize("model", MODELS)
def test_no_search_and_no_filter_reads_a_whole_table(viewer: Client, model: type[Model]) -> None:
    addresses = ["", *filters(viewer, model), *(f"?q={term.replace('+', '%2B')}" for term in SEARCHES[model])]
    read = {address: plans for address in addresses if (plans := whole(viewer, list_of(model) + address))}
    assert len(addresses) > 3
    assert read == {}


def test_no_page_of_a_row_reads_a_whole_table(viewer: Client) -> None:
    rows = [model._default_manager.order_by("pk")[718] for model in MODELS]
    pages = [
        *map(url, rows),
        *(url(row, "conversation") for row in rows if isinstance(row, Transaction)),
        f"{url(Sms, 'bulk')}?bulk_txn_ref=AA-B-718",
    ]
    assert {page: plans for page in pages if (plans := whole(viewer, page))} == {}


def test_search_for_a_common_tag_reads_no_whole_table(viewer: Client) -> None:
    Sms.objects.update(tag="campaign")
    learn(Sms)

    # A table of 3,000 rows may be read for the 500 keys that were found first.
    assert [plan for plan in whole(viewer, f"{list_of(Notification)}?q=campaign") if "EXISTS" in plan] == []
