"""The lists of the admin: pages, filters, columns and searches, none of which reveals a masked value."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

import pytest
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import Permission, User
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError, connection
from django.db.models import Field, Model, Q
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now

from django_hoiio.admin import CallAdmin, NotificationAdmin, ReceiverFailureAdmin, SmsAdmin, changelist
from django_hoiio.admin.changelist import KeysetChangeList
from django_hoiio.admin.filters import (
    FailedReceiversFilter,
    OpenFilter,
    OverdueFilter,
    PendingFilter,
    UnresolvedFilter,
)
from django_hoiio.keyset import MAX_KEYS
from django_hoiio.models import Call, DailyTotal, Fax, Notification, ReceiverFailure, Sms, Transaction
from django_hoiio.search import row_by_row
from tests.factories import BEGAN, failures, notifications, one_of_each, transactions
from tests.plans import ROWS, is_answered_by, learn, plan_of
from tests.users import EVERYTHING

MODELS: list[type[Model]] = [Notification, Call, Sms, Fax, ReceiverFailure]
TRANSACTIONS: list[type[Transaction]] = [Call, Sms, Fax]

pytestmark = pytest.mark.django_db


def staff(*permissions: str) -> User:
    """Create a user who may view all models and has the given permissions."""
    user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
    allowed = Permission.objects.filter(content_type__app_label="django_hoiio")
    names = [
        name
        for name in allowed.values_list("codename", flat=True)
        if name.startswith("view_") and name not in EVERYTHING
    ]
    user.user_permissions.set(allowed.filter(codename__in=[*names, *permissions]))
    return user


@pytest.fixture
def viewer() -> Client:
    client = Client()
    client.force_login(staff())
    return client


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages have five rows and scan ten keys, then forty, and so on."""
    for model in MODELS:
        monkeypatch.setattr(admin.site.get_model_admin(model), "list_per_page", 5)
    monkeypatch.setattr(changelist, "SCAN_LIMIT", 10)


def url(model: type[Model], **query: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") + "?" + urlencode(query)


def listed(client: Client, model: type[Model], **query: object) -> KeysetChangeList:
    response: Any = client.get(url(model, **query))
    assert response.status_code == 200
    found: KeysetChangeList = response.context["cl"]
    return found


def refs(changelist: KeysetChangeList) -> list[str]:
    return [str(row) for row in changelist.result_list]


def page_links(changelist: KeysetChangeList) -> dict[str, dict[str, list[str]] | None]:
    """Return the parameters of each page link."""
    return {
        str(each.label): None if each.address is None else parse_qs(each.address[1:]) for each in changelist.page_links
    }


# Pages.


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("model", MODELS)
def test_page_links_lead_through_the_whole_list_and_back(viewer: Client, model: type[Model]) -> None:
    one_of_each(12)
    newest_first = list(model._default_manager.order_by("-pk").values_list("pk", flat=True))
    page = listed(viewer, model)
    down = [page]
    while older := page_links(page)["Older"]:
        page = listed(viewer, model, **_flat(older))
        down.append(page)
    assert [row.pk for each in down for row in each.result_list] == newest_first
    assert [len(each.result_list) for each in down] == [5, 5, 2]
    up = [page]
    while newer := page_links(page)["Newer"]:
        page = listed(viewer, model, **_flat(newer))
        up.append(page)
    # The last link leads to the first page, which is full.
    assert [row.pk for row in up[1].result_list] == newest_first[5:10]
    assert [row.pk for row in up[2].result_list] == newest_first[:5]
    assert len(up) == 3


def _flat(address: dict[str, list[str]]) -> dict[str, str]:
    return {name: value for name, (value,) in address.items()}


@pytest.mark.usefixtures("short")
def test_first_and_last_page_are_one_click_away(viewer: Client) -> None:
    made = notifications(12)
    first = page_links(listed(viewer, Notification))
    assert (first["Newest"], first["Newer"]) == (None, None)
    assert first["Oldest"] == {"newer_than": ["0"]}
    last = listed(viewer, Notification, newer_than=0)
    assert [row.pk for row in last.result_list] == [each.pk for each in made[4::-1]]
    assert (page_links(last)["Older"], page_links(last)["Oldest"], page_links(last)["Newest"]) == (None, None, {})


@pytest.mark.usefixtures("short")
def test_page_links_preserve_filters_and_scan_limit(viewer: Client) -> None:
    notifications(30, kind="sms_received")
    page = listed(viewer, Notification, kind__exact="sms_received", scans=1, day="2026-03-01")
    older = str(page.result_list[-1].pk)
    assert page_links(page)["Older"] == {"kind__exact": ["sms_received"], "older_than": [older], "scans": ["1"]}
    assert page_links(page)["Newest"] == {"kind__exact": ["sms_received"], "scans": ["1"]}


NASTY = [
    *("", "-1", "x", "\0", "1e9", "0x10", "٣", "9" * 19, "9" * 5000, "1.5", "None", "2026-13-45", "0000-00-00"),
    "' OR 1=1 --",
]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("name", ["older_than", "newer_than", "scans", "day", "p", "o", "all", "e"])
def test_invalid_position_shows_the_first_page(viewer: Client, name: str) -> None:
    notifications(12)
    first = [f"AA-S-{number}" for number in (11, 10, 9, 8, 7)]
    assert {value: refs(listed(viewer, Notification, **{name: value})) for value in NASTY} == dict.fromkeys(
        NASTY, first
    )


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "query", [{"older_than": 10**17}, {"newer_than": 10**17}, {"day": "2199-12-31"}, {"day": "2026-12-31"}]
)
def test_position_above_all_rows_shows_the_first_page(viewer: Client, query: dict[str, Any]) -> None:
    notifications(12)
    assert refs(listed(viewer, Notification, **query))[0] == "AA-S-11"


def test_position_below_all_rows_shows_a_note(viewer: Client) -> None:
    notifications(3)
    assert "There is nothing older." in viewer.get(url(Notification, older_than=0)).content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_empty_list_shows_that_there_are_no_rows_yet(viewer: Client, model: type[Model]) -> None:
    page = viewer.get(url(model)).content.decode()
    assert "Nothing here yet." in page
    assert "match" not in _text(page)


@pytest.mark.parametrize("model", MODELS)
def test_search_without_matches_shows_a_note_and_a_link_to_all_rows(viewer: Client, model: type[Model]) -> None:
    one_of_each(1)
    page = viewer.get(url(model, q="nothing")).content.decode()
    assert f"No {model._meta.verbose_name_plural} match “nothing”." in page
    assert '<a href="?">Show all</a>' in page
    assert not _mentions_a_scan(page)


def test_list_on_one_page_shows_that_it_is_complete(viewer: Client) -> None:
    notifications(3)
    page = viewer.get(url(Notification)).content.decode()
    assert "End of the list." in page
    assert not re.search(r"<a[^>]*rel=", page.partition("hoiio-steps")[2].partition("</nav>")[0])


def test_page_links_are_in_a_labelled_navigation(viewer: Client) -> None:
    notifications(60)
    page = viewer.get(url(Notification)).content.decode()
    navigation = page.partition('<nav class="hoiio-steps" aria-labelledby="pagination">')[2].partition("</nav>")[0]
    assert "Pages of notifications</h2>" in navigation
    assert re.findall(r'<a href="[^"]+" rel="(\w+)">(\w+)</a>', navigation) == [("next", "Older"), ("last", "Oldest")]
    assert re.findall(r"<span>(\w+)</span>", navigation) == ["Newest", "Newer"]


def test_lists_show_no_number_of_rows(viewer: Client) -> None:
    notifications(60)
    for query in ({}, {"q": "AA-S-5"}, {"kind__exact": "sms_status"}):
        page = viewer.get(url(Notification, **query)).content.decode()
        assert "results" not in re.sub(r'class="results"|result_list', "", page)
        assert not re.search(r"\b\d+ notifications?\b", page)


# Scans.


@pytest.mark.usefixtures("short")
def test_filter_without_index_scans_step_by_step(viewer: Client) -> None:
    made = notifications(100)
    Notification.objects.filter(pk=made[70].pk).update(kind="ivr_unhold")
    Notification.objects.filter(pk=made[5].pk).update(kind="ivr_unhold")
    found, address = [], {"kind__exact": "ivr_unhold"}
    while True:
        page = listed(viewer, Notification, **address)
        found.append(refs(page))
        if not page.page.scanned_to:
            break
        address = _flat(parse_qs(page.scans[1:]))
    # Ten keys, forty, a hundred and sixty.
    assert found == [[], ["AA-S-70"], ["AA-S-70", "AA-S-5"]]


@pytest.mark.usefixtures("short")
def test_page_shows_how_far_it_searched(viewer: Client, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Singapore"
    notifications(30)
    page = viewer.get(url(Notification, kind__exact="fax_status")).content.decode()
    assert "No match so far." in page
    assert "Searched back to 2 Mar 2026, 04:00. All matches up to there are shown." in " ".join(_text(page).split())
    assert '<a class="button" href="?kind__exact=fax_status&amp;scans=1">Search older</a>' in page
    page = viewer.get(url(Notification, kind__exact="fax_status", newer_than=0)).content.decode()
    # From the oldest, whatever its key is.
    assert "Search newer" in page
    page = viewer.get(url(Notification, kind__exact="fax_status", scans=1)).content.decode()
    assert "No notifications match these filters." in page
    assert not _mentions_a_scan(page)


def _text(page: str) -> str:
    return re.sub(r"<[^>]+>", "", page.partition('<div id="content"')[2])


def _mentions_a_scan(page: str) -> bool:
    return re.search(r"Searched|Search (older|newer)", _text(page)) is not None


@pytest.mark.usefixtures("short")
def test_page_searches_ahead_from_a_key(viewer: Client) -> None:
    made = notifications(40)
    page = viewer.get(url(Notification, kind__exact="fax_status", newer_than=made[5].pk))
    text = " ".join(_text(page.content.decode()).split())
    assert "Searched ahead to 1 Mar 2026, 15:00. All matches up to there are shown. Search newer" in text
    address = _flat(parse_qs(page.context["cl"].scans[1:]))  # type: ignore[attr-defined]
    assert address == {"kind__exact": "fax_status", "newer_than": str(made[5].pk), "scans": "1"}


@pytest.mark.usefixtures("short")
def test_full_page_does_not_mention_a_scan(viewer: Client) -> None:
    notifications(30)
    page = viewer.get(url(Notification, kind__exact="sms_status")).content.decode()
    assert not _mentions_a_scan(page)


# A day.


@pytest.mark.parametrize("model", [Notification, *TRANSACTIONS])
def test_day_shows_rows_received_up_to_its_end(viewer: Client, model: Any, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Singapore"
    # Its end is 16:00 in UTC.
    rows = notifications(60) if model is Notification else transactions(model, 60)
    newest = listed(viewer, model, day="2026-03-02").result_list[0]
    assert newest.pk == rows[39].pk
    page = listed(viewer, model, day="2026-03-02", q="AA-")
    assert page.result_list[0].pk == rows[39].pk


def test_day_finds_final_and_open_rows(viewer: Client) -> None:
    rows = transactions(Sms, 60)
    Sms.objects.filter(pk__in=[rows[number].pk for number in range(0, 60, 2)]).update(is_final=False)
    assert [row.pk for row in listed(viewer, Sms, day="2026-03-01").result_list] == [row.pk for row in rows[23::-1]]


def test_row_imported_late_from_the_spool_does_not_move_the_day(viewer: Client) -> None:
    rows = notifications(60)
    # The first notification of the next day was stored last.
    notifications(1, received_at=datetime(2026, 3, 2, 0, 0, 1, tzinfo=timezone.utc))
    assert [row.pk for row in listed(viewer, Notification, day="2026-03-01").result_list] == [
        row.pk for row in rows[23::-1]
    ]


def test_failure_log_has_no_date_navigation(viewer: Client) -> None:
    failures(notifications(3))
    assert len(listed(viewer, ReceiverFailure, day="2026-03-01").result_list) == 3
    assert 'type="date"' not in viewer.get(url(ReceiverFailure)).content.decode()


# Filters.


@pytest.mark.parametrize("model", MODELS)
def test_every_choice_of_every_filter_opens(viewer: Client, model: type[Model]) -> None:
    one_of_each(3)
    changelist = listed(viewer, model)
    queries = [choice["query_string"] for spec in changelist.filter_specs for choice in spec.choices(changelist)]
    assert len(changelist.filter_specs) == len(changelist.list_filter)
    assert {viewer.get(url(model).partition("?")[0] + query).status_code for query in queries} == {200}


@pytest.mark.parametrize(
    ("model", "change", "query"),
    [
        (Notification, {"kind": "call_ended"}, {"kind__exact": "call_ended"}),
        (Notification, {"claimed_until": BEGAN, "dispatched_at": None}, {"pending": "yes"}),
        (Sms, {"sms_status": "bounced"}, {"sms_status__exact": "bounced"}),
        (Sms, {"direction": "incoming"}, {"direction__exact": "incoming"}),
        (Call, {"call_status_dest2": "busy"}, {"outcome": "busy"}),
        (Call, {"is_final": True, "duration": 0}, {"outcome": "missed"}),
        (Call, {"is_final": False}, {"open": "yes"}),
        (Sms, {"is_final": False}, {"overdue": "yes"}),
        (Fax, {"is_final": False}, {"open": "yes"}),
        (Fax, {"fax_status": "failed"}, {"fax_status__exact": "failed"}),
        (ReceiverFailure, {"resolved_at": None}, {"unresolved": "yes"}),
    ],
)
def test_filter_finds_the_only_match(viewer: Client, model: Any, change: dict[str, Any], query: dict[str, str]) -> None:
    one_of_each(9)
    ReceiverFailure.objects.update(resolved_at=BEGAN)
    one = model.objects.order_by("pk")[4]
    model.objects.filter(pk=one.pk).update(**change)
    assert [row.pk for row in listed(viewer, model, **query).result_list] == [one.pk]


def test_notifications_with_a_failed_receiver_are_found_once(viewer: Client) -> None:
    made = notifications(5)
    failures(made[:2])
    failures(made[:1], receiver="shop.notify")
    failures(made[3:], resolved_at=BEGAN)
    assert refs(listed(viewer, Notification, failing="yes")) == ["AA-S-1", "AA-S-0"]


@pytest.mark.parametrize("query", [{"overdue": "no"}, {"open": "maybe"}, {"overdue": ""}])
def test_unknown_choice_filters_nothing(viewer: Client, query: dict[str, str]) -> None:
    transactions(Sms, 3)
    assert len(listed(viewer, Sms, **query).result_list) == 3


def test_filters_and_search_are_combined(viewer: Client) -> None:
    transactions(Sms, 2, is_final=False, sms_status="queued")
    transactions(Sms, 1, is_final=False, sms_status="bounced", txn_ref="AA-S-bounced")
    transactions(Sms, 1, sms_status="bounced", txn_ref="AA-S-final")
    assert refs(listed(viewer, Sms, overdue="yes", sms_status__exact="bounced")) == ["AA-S-bounced"]
    assert refs(listed(viewer, Sms, sms_status__exact="bounced", q="AA-S-f")) == ["AA-S-final"]


def test_overdue_filter_follows_the_setting(viewer: Client, settings: Any) -> None:
    transactions(Sms, 1, is_final=False, created_at=now())
    settings.HOIIO = {**settings.HOIIO, "OVERDUE_AFTER": timedelta(hours=1)}
    assert refs(listed(viewer, Sms, overdue="yes")) == []
    settings.HOIIO = {**settings.HOIIO, "OVERDUE_AFTER": timedelta(0)}
    assert refs(listed(viewer, Sms, overdue="yes")) == ["AA-T-0"]


RARE: list[tuple[Any, str, dict[str, Any]]] = [
    (Notification, "pending", {"claimed_until": BEGAN}),
    (Sms, "open", {"is_final": False}),
    (Sms, "overdue", {"is_final": False}),
    (ReceiverFailure, "unresolved", {"resolved_at": None}),
]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(("model", "name", "change"), RARE)
def test_rare_match_is_found_regardless_of_age(viewer: Client, model: Any, name: str, change: dict[str, Any]) -> None:
    one_of_each(60)
    ReceiverFailure.objects.update(resolved_at=BEGAN)
    oldest = model.objects.order_by("pk")[0]
    model.objects.filter(pk=oldest.pk).update(**change)
    page = listed(viewer, model, **{name: "yes"})
    assert ([row.pk for row in page.result_list], page.page.scanned_to) == ([oldest.pk], None)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(("model", "name", "change"), RARE)
def test_indexed_filter_with_many_matches_scans(
    viewer: Client, monkeypatch: pytest.MonkeyPatch, model: Any, name: str, change: dict[str, Any]
) -> None:
    monkeypatch.setattr("django_hoiio.keyset.MAX_KEYS", 3)
    one_of_each(60)
    ReceiverFailure.objects.update(resolved_at=BEGAN)
    oldest = list(model.objects.order_by("pk")[:4])
    model.objects.filter(pk__in=[row.pk for row in oldest]).update(**change)
    page = listed(viewer, model, **{name: "yes"})
    assert page.result_list == []
    assert page.page.scanned_to
    page = listed(viewer, model, **{name: "yes"}, scans=2)
    assert [row.pk for row in page.result_list] == [row.pk for row in oldest[::-1]]


@pytest.mark.usefixtures("short")
def test_filter_for_failed_receivers_with_many_matches_scans(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_hoiio.keyset.MAX_KEYS", 3)
    made = notifications(60)
    failures(made[:2])
    failures(made[:2], receiver="shop.notify")
    assert listed(viewer, Notification, failing="yes").page.scanned_to
    assert refs(listed(viewer, Notification, failing="yes", scans=2)) == ["AA-S-1", "AA-S-0"]


INDEXED: list[tuple[Any, Any, str, str]] = [
    (PendingFilter, Notification, "hoiio_notification_claimed", "claimed_until>?"),
    (OpenFilter, Call, "hoiio_call_final", "is_final=?"),
    (OverdueFilter, Sms, "hoiio_sms_final", "is_final=? AND created_at<?"),
    (UnresolvedFilter, ReceiverFailure, "hoiio_failure_resolved", "resolved_at=?"),
]


@pytest.mark.parametrize(("kind", "model", "index", "columns"), INDEXED)
def test_rare_match_is_found_by_its_index(kind: Any, model: Any, index: str, columns: str) -> None:
    _fill(model)
    rows = model.objects.filter(kind.condition()).order_by(*kind.order)
    query = rows.values_list("pk", flat=True)[: MAX_KEYS + 1]
    assert is_answered_by(query, index, columns), plan_of(query)


@pytest.mark.parametrize(
    ("model", "index", "columns"),
    [
        (Notification, "hoiio_notification_received", "received_at>?"),
        (Call, "hoiio_call_final", "is_final=? AND created_at>?"),
        (Sms, "hoiio_sms_final", "is_final=? AND created_at>?"),
        (Fax, "hoiio_fax_final", "is_final=? AND created_at>?"),
    ],
)
def test_day_is_found_by_an_index(model: Any, index: str, columns: str) -> None:
    _fill(model)
    for way in admin.site.get_model_admin(model).since(model.objects.all(), BEGAN + timedelta(days=30)):
        query = way.values_list("pk", flat=True)[:50]
        assert is_answered_by(query, index, columns), plan_of(query)


SCANNED: list[tuple[Any, Q]] = [
    (Call, Q(outcome="missed")),
    (Sms, OpenFilter.condition()),
    (Sms, Q(tag="campaign") | Q(remote_suffix="90000001", remote_number="+6590000001")),
    (Notification, PendingFilter.condition()),
    (Notification, FailedReceiversFilter.condition()),
]


@pytest.mark.parametrize(("model", "condition"), SCANNED)
def test_condition_with_many_matches_is_scanned_by_key(model: Any, condition: Q) -> None:
    _fill(model)
    top = model.objects.order_by("-pk")[0].pk
    within = model.objects.filter(pk__gte=top - 100, pk__lt=top).order_by("-pk")
    query = row_by_row(within, condition).values_list("pk", flat=True)[:51]
    key = {"postgresql": f"{model._meta.db_table}_pkey"}.get(connection.vendor, "PRIMARY")
    plan = plan_of(query)
    assert "(rowid>? AND rowid<?)" in plan if connection.vendor == "sqlite" else key in plan, plan
    assert "hoiio_call_final" not in plan or connection.vendor == "mysql"


def _fill(model: Any) -> None:
    if model is Notification:
        notifications(ROWS)
    elif model is ReceiverFailure:
        failures(notifications(ROWS), resolved_at=BEGAN)
    else:
        transactions(model, ROWS)
    learn(model)


# Searches.


@pytest.mark.usefixtures("short")
def test_search_finds_few_matches_regardless_of_age(viewer: Client) -> None:
    rows = transactions(Sms, 60)
    Sms.objects.filter(pk=rows[0].pk).update(tag="campaign")
    page = listed(viewer, Sms, q="campaign")
    assert (refs(page), page.page.scanned_to) == (["AA-T-0"], None)


@pytest.mark.usefixtures("short")
def test_search_with_many_matches_scans(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_hoiio.keyset.MAX_KEYS", 3)
    transactions(Sms, 5, tag="campaign")
    transactions(Sms, 40, txn_ref=None)
    page = listed(viewer, Sms, q="campaign")
    assert (refs(page), bool(page.page.scanned_to)) == ([], True)
    page = listed(viewer, Sms, q="campaign", scans=2)
    assert refs(page) == [f"AA-T-{number}" for number in (4, 3, 2, 1, 0)]


ABOUT = ["AA-T-1", "+6590000001", "order 1"]


@pytest.mark.parametrize("few", [MAX_KEYS, 0])
@pytest.mark.parametrize("model", TRANSACTIONS)
@pytest.mark.parametrize("term", ["+6590000001", "order 1"])
def test_notifications_are_found_by_the_number_and_the_tag_of_their_transaction(
    monkeypatch: pytest.MonkeyPatch, model: type[Transaction], term: str, few: int
) -> None:
    monkeypatch.setattr("django_hoiio.keyset.MAX_KEYS", few)
    _first, row, other = transactions(model, 3)
    link = model._meta.model_name
    about = notifications(1, txn_ref="AA-T-1", **{link: row}) + notifications(1, txn_ref=None, **{link: row})
    # Of another number, and of no transaction.
    notifications(1, txn_ref="AA-T-2", **{link: other})
    notifications(1, txn_ref="AA-T-1")
    client = Client()
    client.force_login(staff("view_personal_data"))
    found = listed(client, Notification, q=term).result_list
    assert [row.pk for row in found] == [row.pk for row in about[::-1]]


# Reference in another case, and the start of a tag.


@pytest.mark.parametrize("few", [MAX_KEYS, 0])
@pytest.mark.parametrize(
    ("model", "term", "count"),
    [
        (Sms, "aa-t-1", 1),
        (Sms, "Aa-T-", 3),
        (Sms, "order", 3),
        (Sms, "order 2", 1),
        (Sms, "rder", 0),
        (Sms, "Order", 0),
        (Notification, "aa-s-1", 1),
        (Notification, "order 1", 1),
        (Notification, "ord", 1),
        (ReceiverFailure, "aa-s-1", 1),
    ],
)
def test_references_are_found_in_any_case_and_tags_by_their_start(
    viewer: Client, monkeypatch: pytest.MonkeyPatch, model: Any, term: str, count: int, few: int
) -> None:
    monkeypatch.setattr("django_hoiio.keyset.MAX_KEYS", few)
    _first, row, _last = transactions(Sms, 3)
    failures(notifications(2) + notifications(1, txn_ref=None, sms=row))

    assert len(listed(viewer, model, q=term).result_list) == count


# The project's own number.

OWN = "+6533330000"


@pytest.fixture
def _own() -> None:
    """SMS and calls with the project's number in each field that may hold it, and others."""
    transactions(Sms, 1, to_number=OWN, direction="incoming", txn_ref="AA-S-in")
    transactions(Sms, 1, from_number=OWN, txn_ref="AA-S-out")
    transactions(Sms, 1, remote_number=OWN, remote_suffix="33330000", dest=OWN, txn_ref="AA-S-self")
    transactions(Sms, 2, from_number="+6533330001")
    transactions(Call, 1, dest1=OWN, txn_ref="AA-C-leg")
    transactions(Fax, 1, to_number=OWN, txn_ref="AA-F-in")


@pytest.mark.usefixtures("_own")
@pytest.mark.parametrize("term", [OWN, "6533330000", "33330000", "+65 3333 0000", "0065-3333-0000"])
def test_own_number_is_found_only_by_users_who_may_see_numbers(viewer: Client, term: str) -> None:
    reader = Client()
    reader.force_login(staff("view_personal_data"))

    found = {model: refs(listed(reader, model, q=term)) for model in TRANSACTIONS}
    assert found == {Call: ["AA-C-leg"], Sms: ["AA-S-self", "AA-S-out", "AA-S-in"], Fax: ["AA-F-in"]}
    assert [refs(listed(viewer, model, q=term)) for model in TRANSACTIONS] == [[], [], []]


@pytest.mark.parametrize("term", ["3333", "+", "0", "00", "-", "+653333", "9" * 300])
@pytest.mark.usefixtures("_own")
def test_part_of_an_own_number_finds_nothing(term: str) -> None:
    reader = Client()
    reader.force_login(staff("view_personal_data"))
    assert [refs(listed(reader, model, q=term)) for model in TRANSACTIONS] == [[], [], []]


def test_short_own_number_is_found() -> None:
    reader = Client()
    reader.force_login(staff("view_personal_data"))
    transactions(Sms, 1, to_number="73300", txn_ref="AA-S-short")
    assert refs(listed(reader, Sms, q="73300")) == ["AA-S-short"]


@pytest.mark.usefixtures("short")
def test_number_is_found_at_any_age_as_the_remote_one_and_by_a_scan_as_ones_own() -> None:
    reader = Client()
    reader.force_login(staff("view_personal_data"))
    transactions(Sms, 7, remote_number=OWN, remote_suffix="33330000", txn_ref="AA-S-{}".format)
    transactions(Sms, 1, from_number=OWN, txn_ref="AA-S-old")
    transactions(Sms, 20, txn_ref=None)
    transactions(Sms, 1, from_number=OWN, txn_ref="AA-S-new")

    page = listed(reader, Sms, q=OWN)
    assert refs(page) == ["AA-S-new", "AA-S-6", "AA-S-5", "AA-S-4", "AA-S-3"]
    assert page.page.scanned_to
    note = "Of the older ones, only those in which the remote party has this number."
    assert note in reader.get(url(Sms, q=OWN)).content.decode()
    assert note not in reader.get(url(Sms, q="+6599999999")).content.decode()
    older = page_links(page)["Older"]
    assert older is not None
    assert refs(listed(reader, Sms, **_flat(older))) == ["AA-S-2", "AA-S-1", "AA-S-0"]
    assert refs(listed(reader, Sms, q=OWN, scans=1))[:3] == ["AA-S-new", "AA-S-old", "AA-S-6"]


def test_row_without_a_reference_has_a_link_with_a_placeholder(viewer: Client) -> None:
    (row,) = transactions(Sms, 1, txn_ref=None)
    address = reverse("admin:django_hoiio_sms_change", args=[row.pk])
    assert (
        f'<a href="{address}">without a reference</a>'
        in viewer.get(reverse("admin:django_hoiio_sms_changelist")).content.decode()
    )


@pytest.mark.parametrize("few", [MAX_KEYS, 0])
def test_notifications_are_found_by_their_reference_with_and_without_a_transaction(
    monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr("django_hoiio.keyset.MAX_KEYS", few)
    (row,) = transactions(Sms, 1, txn_ref="AA-T-7")
    about = notifications(1, txn_ref="AA-T-7", sms=row) + notifications(1, txn_ref="AA-T-71")
    notifications(1, txn_ref="AA-U-7")
    client = Client()
    user = User.objects.create_user("clerk", is_staff=True)
    # To see the reference of a notification needs no permission for SMS.
    user.user_permissions.set(Permission.objects.filter(codename="view_notification"))
    client.force_login(user)

    assert [row.pk for row in listed(client, Notification, q="AA-T-7").result_list] == [row.pk for row in about[::-1]]


@pytest.mark.parametrize(("permissions", "count"), [((), 0), (("view_personal_data",), 1)])
def test_last_digits_find_notifications_only_for_users_who_may_see_numbers(
    permissions: tuple[str, ...], count: int
) -> None:
    client = Client()
    client.force_login(staff(*permissions))
    _first, row, _last = transactions(Sms, 3)
    notifications(1, sms=row)
    assert len(listed(client, Notification, q="90000001").result_list) == count


def test_number_finds_no_notification_of_a_model_that_the_user_may_not_view() -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_notification", "view_call", "view_personal_data"])
    )
    client = Client()
    client.force_login(user)
    sms, *_others = transactions(Sms, 3)
    (call,) = transactions(Call, 1)
    notifications(1, txn_ref="AA-T-0", sms=sms)
    notifications(1, txn_ref="AA-C-1", call=call)
    assert refs(listed(client, Notification, q="+6590000000")) == ["AA-C-1"]


@pytest.mark.parametrize("few", [MAX_KEYS, 0])
@pytest.mark.parametrize(("term", "count"), [("AA-S-700", 1), ("AA-T-7", 2), ("AA", 4), ("S-7", 1), ("nothing", 0)])
def test_failures_are_found_by_the_reference_and_the_session_of_their_notification(
    viewer: Client, monkeypatch: pytest.MonkeyPatch, term: str, count: int, few: int
) -> None:
    monkeypatch.setattr("django_hoiio.keyset.MAX_KEYS", few)
    (row,) = transactions(Sms, 1, txn_ref="AA-T-7")
    failures(notifications(1, txn_ref="AA-S-700") + notifications(1, txn_ref="AA-S-8", session="S-7"))
    failures(notifications(1, txn_ref="AA-T-7", sms=row) + notifications(1, txn_ref="AA-T-77"))
    notifications(1, txn_ref="AA-S-7001")

    assert len(listed(viewer, ReceiverFailure, q=term).result_list) == count


def test_autocomplete_counts_no_table(viewer: Client) -> None:
    notifications(30)
    query = {"app_label": "django_hoiio", "model_name": "receiverfailure", "field_name": "notification"}
    with CaptureQueriesContext(connection) as queries:
        answers = [
            viewer.get(reverse("admin:autocomplete"), {**query, **more}).json()
            for more in ({}, {"page": "2"}, {"term": "AA-S-2"})
        ]
    assert [(len(each["results"]), each["pagination"]["more"]) for each in answers] == [
        (20, True),
        (10, False),
        (11, False),
    ]
    assert not any("COUNT(" in query["sql"] for query in queries)


# Masked values.


def _parameters(model: type[Model]) -> list[str]:
    """Return every field, including those of related models, with each of its lookups."""
    own = {f.name: f for f in model._meta.get_fields() if isinstance(f, Field)}
    far = {
        f"{f.name}__{other.name}": other
        for f in model._meta.get_fields()
        if f.is_relation and f.related_model
        for other in f.related_model._meta.get_fields()
        if isinstance(other, Field)
    }
    return [
        f"{name}{how}"
        for name, field in {**own, **far}.items()
        for how in ["", *(f"__{lookup}" for lookup in [*field.get_lookups(), "pk", "length", "0", "from"])]
    ]


# The fields of all models that are masked or left out for some users, or derived from such a field.
SECRET = {
    *("remote_number", "remote_suffix", "from_number", "to_number", "dest", "dest1", "dest2", "msg", "part", "fax_url"),
    *("traceback", "query", "body", "headers", "params", "pass_on", "unverified_params"),
}


@pytest.mark.parametrize("permissions", [(), EVERYTHING])
@pytest.mark.parametrize("model", MODELS)
def test_lookups_of_masked_fields_and_of_related_models_are_refused(
    model: type[Model], permissions: tuple[str, ...]
) -> None:
    request, own = RequestFactory().get("/"), {field.name for field in model._meta.concrete_fields}
    request.user = staff(*permissions)
    is_allowed = admin.site.get_model_admin(model).lookup_allowed
    taken = {name for name in _parameters(model) if is_allowed(name, "+659000000", request)}
    assert len(_parameters(model)) > 200
    assert SECRET.isdisjoint(part for name in taken for part in name.split("__"))
    # Django allows the keys of related models, and unknown lookups, which it answers with `?e=1`.
    assert own - SECRET <= taken
    assert {"notifications__txn_ref", "notification__txn_ref", "sms__tag", "call__session"}.isdisjoint(taken)


def _outcome(model: type[Model], user: User, query: dict[str, str], its_admin: Any = None) -> str:
    request = RequestFactory().get("/", query)
    request.user = user
    try:
        (its_admin or admin.site.get_model_admin(model)).get_changelist_instance(request)
    except SuspiciousOperation:
        return "refused"
    except IncorrectLookupParameters:
        return "incorrect"
    return "found"


@pytest.mark.parametrize(
    "query",
    [{"msg__contains": "x"}, {"from_number__startswith": "+65"}, {"notifications__body__contains": "x"}, {"part": "x"}],
)
def test_lookup_of_a_masked_field_is_answered_with_400(viewer: Client, query: dict[str, str]) -> None:
    assert viewer.get(url(Sms, **query)).status_code == 400


UNKNOWN = [
    *("utm_source", "fbclid", "_changelist_filters", "page", "number", "created_at__nothing", "tag__msg_", "sort[]"),
    *("failures__nothing", "__", "_", "-1", "msg_", "é", "q__contains", "pk__nothing"),
]


@pytest.mark.parametrize("model", MODELS)
def test_unknown_parameter_is_removed_by_django(viewer: Client, model: type[Model]) -> None:
    one_of_each(1)
    answers = {name: viewer.get(url(model, **{name: "mail"})) for name in UNKNOWN}

    assert {name: (answer.status_code, answer.headers["Location"]) for name, answer in answers.items()} == (
        dict.fromkeys(UNKNOWN, (302, f"{url(model)}e=1"))
    )
    assert len(listed(viewer, model, e=1).result_list) == 1


def test_filters_of_a_list_are_preserved_on_the_page_of_a_row(viewer: Client) -> None:
    (row,) = transactions(Sms, 1)
    page = reverse("admin:django_hoiio_sms_change", args=[row.pk])
    response: Any = viewer.get(page, {"_changelist_filters": "sms_status__exact=queued", "utm_source": "mail"})

    assert response.context["preserved_filters"] == "_changelist_filters=sms_status__exact%3Dqueued"
    # django-jet reads the list of the request of this page, and handles Django's own error only.
    query = {"_changelist_filters": "sms_status__exact=queued"}
    assert _outcome(Sms, staff(), query) == "incorrect"


@pytest.mark.usefixtures("short")
def test_lookups_that_django_allows_find_rows_by_a_scan(viewer: Client) -> None:
    rows = transactions(Sms, 30)
    page = listed(viewer, Sms, tag__endswith="der 3")
    assert (refs(page), bool(page.page.scanned_to)) == ([], True)
    page = listed(viewer, Sms, tag__endswith="der 3", scans=1)
    assert [row.pk for row in page.result_list] == [rows[3].pk]


@pytest.mark.parametrize(
    "query", [{"tag__regex": "("}, {"id": "9" * 40}, {"created_at__year": "99999"}, {"created_at__gte": "x"}]
)
@pytest.mark.django_db(transaction=True)
def test_lookup_that_the_database_rejects_is_removed_by_django(viewer: Client, query: dict[str, str]) -> None:
    transactions(Sms, 1)
    assert viewer.get(url(Sms, **query)).status_code in (200, 302)


# Filters of a project.


class Campaigns(admin.SimpleListFilter):
    """Show campaigns, unless a choice is made."""

    title = parameter_name = "campaign"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "no")]

    def queryset(self, request: Any, queryset: Any) -> Any:
        return queryset.exclude(tag="campaign") if self.value() else queryset.filter(tag="campaign")


class ByDest(admin.SimpleListFilter):
    title = parameter_name = "dest"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, str]]:
        return [("+6590000001", "one")]

    def queryset(self, request: Any, queryset: Any) -> Any:
        return queryset.filter(dest=self.value()) if self.value() else queryset


SAFE_FILTERS: list[tuple[type[SmsAdmin | CallAdmin | NotificationAdmin | ReceiverFailureAdmin], type[Model], Any]] = [
    (SmsAdmin, Sms, ("created_at", admin.DateFieldListFilter)),
    (SmsAdmin, Sms, ("direction", admin.ChoicesFieldListFilter)),
    (SmsAdmin, Sms, ("tag", admin.AllValuesFieldListFilter)),
    (SmsAdmin, Sms, ("tag", admin.EmptyFieldListFilter)),
    (SmsAdmin, Sms, ("is_final", admin.BooleanFieldListFilter)),
    (SmsAdmin, Sms, "is_final"),
    (SmsAdmin, Sms, "notifications__kind"),
    (CallAdmin, Call, "duration"),
    (NotificationAdmin, Notification, ("sms", admin.RelatedOnlyFieldListFilter)),
    (NotificationAdmin, Notification, ("sms", admin.RelatedFieldListFilter)),
    (ReceiverFailureAdmin, ReceiverFailure, ("notification__sms__tag", admin.AllValuesFieldListFilter)),
    (ReceiverFailureAdmin, ReceiverFailure, ("failed_at", admin.DateFieldListFilter)),
]
MASKED_FILTERS = [
    (SmsAdmin, Sms, ("to_number", admin.AllValuesFieldListFilter)),
    (SmsAdmin, Sms, ("msg", admin.EmptyFieldListFilter)),
    (SmsAdmin, Sms, ("remote_suffix", admin.AllValuesFieldListFilter)),
    (SmsAdmin, Sms, ByDest),
    (NotificationAdmin, Notification, "sms__dest"),
    (NotificationAdmin, Notification, ("params", admin.AllValuesFieldListFilter)),
]


def site_with(its_admin: Any, model: type[Model], **attributes: Any) -> Any:
    """Return an instance of a subclass of the admin."""
    return type("Its", (its_admin,), attributes)(model, admin.site)


def choices(its_admin: Any, user: User) -> list[str]:
    """Return the query string of each choice of the first filter."""
    changelist = _changelist(its_admin, user, "")
    spec = changelist.filter_specs[0]
    return [choice["query_string"] for choice in spec.choices(changelist)]


def _changelist(its_admin: Any, user: User, query: str) -> KeysetChangeList:
    request = RequestFactory().get(f"/{query}")
    request.user = user
    found: KeysetChangeList = its_admin.get_changelist_instance(request)
    return found


@pytest.mark.parametrize(("its_admin", "model", "chosen"), SAFE_FILTERS)
def test_project_may_add_filters_of_django(its_admin: Any, model: type[Model], chosen: Any) -> None:
    user = staff()
    row, *_others = transactions(Sms, 3)
    transactions(Call, 3, duration=2)
    failures(notifications(1, sms=row, kind="sms_received") + notifications(1))
    added = site_with(its_admin, model, list_filter=(chosen, *its_admin.list_filter))

    counts = [len(_changelist(added, user, query).result_list) for query in choices(added, user)]

    everything, *others = counts
    assert everything == model._default_manager.count()
    assert others != []
    # No row is of today, or of this year.
    assert max(others) > 0 or chosen[1] is admin.DateFieldListFilter


def test_filter_for_dates_finds_the_rows_of_the_day() -> None:
    transactions(Sms, 3)
    transactions(Sms, 1, created_at=now(), txn_ref="AA-S-today")
    added = site_with(SmsAdmin, Sms, list_filter=(("created_at", admin.DateFieldListFilter), *SmsAdmin.list_filter))
    user = staff()
    _any, today, *_longer = choices(added, user)

    assert refs(_changelist(added, user, today)) == ["AA-S-today"]


@pytest.mark.parametrize(("its_admin", "model", "chosen"), MASKED_FILTERS)
def test_filter_by_a_masked_field_needs_the_permission_to_see_it(
    its_admin: Any, model: type[Model], chosen: Any
) -> None:
    row, *_others = transactions(Sms, 3, to_number="+6533330000", msg="hello")
    notifications(1, sms=row, body=b"x")
    added = site_with(its_admin, model, list_filter=(chosen,))

    assert _changelist(added, staff(), "").filter_specs == []
    offered = choices(added, staff(*EVERYTHING))
    assert len(offered) > 1
    for query in offered[1:]:
        given = dict(parse_qsl(query[1:]))
        assert _outcome(model, staff(), given, added) == "refused"
        assert _outcome(model, staff(*EVERYTHING), given, added) == "found"


def test_filter_of_a_project_that_applies_by_default_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changelist, "SCAN_LIMIT", 10)
    transactions(Sms, 1, tag="campaign")
    transactions(Sms, 30, txn_ref=None)
    added = site_with(SmsAdmin, Sms, list_filter=(Campaigns,))

    found = _changelist(added, staff(), "")
    assert (refs(found), bool(found.page.scanned_to)) == ([], True)
    assert refs(_changelist(added, staff(), "?scans=2")) == ["AA-T-0"]


def test_error_of_the_database_is_not_blamed_on_filters_if_there_are_none() -> None:
    def fail(*arguments: Any) -> Any:
        raise OperationalError

    user = staff()
    with connection.execute_wrapper(fail), pytest.raises(OperationalError):
        _changelist(SmsAdmin(Sms, admin.site), user, "")


@pytest.mark.urls("tests.admin.drilldown")
def test_project_may_add_a_date_hierarchy(viewer: Client) -> None:
    transactions(Sms, 60)
    transactions(Sms, 1, created_at=datetime(2025, 12, 31, tzinfo=timezone.utc), txn_ref="AA-S-old")
    seen = {}
    links = [reverse("admin:django_hoiio_sms_changelist")]
    while links:
        address = links.pop()
        response: Any = viewer.get(address)
        assert response.status_code == 200
        seen[address] = len(response.context["cl"].result_list)
        drill = response.content.decode().partition('class="toplinks"')[2].partition("</nav>")[0]
        found = [links_to.replace("&amp;", "&") for links_to in re.findall(r'href="(\?[^"]*)"', drill)]
        links += [path for each in found if (path := address.partition("?")[0] + each) not in {*seen, *links}]

    by_query = {address.partition("?")[2]: count for address, count in seen.items()}
    assert by_query["created_at__year=2025"] == 1
    assert by_query["created_at__day=1&created_at__month=3&created_at__year=2026"] == 24


@pytest.mark.parametrize("model", MODELS)
def test_filter_accepts_any_value(viewer: Client, model: type[Model]) -> None:
    one_of_each(1)
    names = {name for query in FILTERS[model] for name in query} | {"account"}
    values = ["\0", "'", "x" * 5000, "2012-13-45", "", "1", "True", "None"]
    answers = {viewer.get(url(model, **{name: value})).status_code for name in names for value in values}
    assert answers <= {200, 302, 400}


# Accounts.


@pytest.fixture
def two_accounts(settings: Any) -> None:
    settings.HOIIO = {**settings.HOIIO, "ACCOUNTS": {"default": {}, "abroad": {}}}


ACCOUNTED: list[Any] = [Notification, Call, Sms, Fax, ReceiverFailure]


@pytest.mark.usefixtures("two_accounts")
@pytest.mark.parametrize("model", ACCOUNTED)
def test_rows_of_an_account_are_named_and_found(viewer: Client, model: Any) -> None:
    one_of_each(3)
    one = model.objects.order_by("pk")[1]
    owner = model.objects if model is not ReceiverFailure else Notification.objects
    owner.filter(pk=one.pk if model is not ReceiverFailure else one.notification_id).update(account="abroad")

    page = listed(viewer, model, account="abroad")
    assert [row.pk for row in page.result_list] == [one.pk]
    assert "account" in page.list_display
    assert '<td class="field-account">abroad</td>' in viewer.get(url(model)).content.decode()


@pytest.mark.usefixtures("two_accounts")
def test_totals_of_an_account_are_found(viewer: Client) -> None:
    for account in ("default", "abroad"):
        DailyTotal.objects.create(
            day="2026-03-01", account=account, traffic="sms_sent", count=2, succeeded=1, debit=3, currency="SGD"
        )
    assert [row.account for row in listed(viewer, DailyTotal, account="abroad").result_list] == ["abroad"]


@pytest.mark.parametrize("model", ACCOUNTED)
def test_account_is_left_out_of_the_lists_of_a_project_with_one(viewer: Client, model: Any) -> None:
    one_of_each(1)
    page = listed(viewer, model)
    assert "account" not in page.list_display
    assert "account" not in [spec.title for spec in page.filter_specs]


@pytest.mark.parametrize("model", MODELS)
def test_masked_field_cannot_be_used_as_a_key(viewer: Client, model: type[Model]) -> None:
    one_of_each(2)
    row = model._default_manager.all()[0]
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
    fields = [field.name for field in model._meta.get_fields() if field.name != "id"]
    for path in (url(model)[:-1], page):
        assert {viewer.get(path, {"_to_field": name}).status_code for name in fields} == {400}
        assert viewer.get(path, {"_popup": "1"}).status_code == 200
    dest = getattr(row, "dest", "+6590000000")
    assert viewer.get(page.replace(f"/{row.pk}/", f"/{dest}/"), {"_to_field": "dest"}).status_code == 400


@pytest.mark.parametrize("model", MODELS)
def test_list_cannot_be_sorted(viewer: Client, model: type[Model]) -> None:
    one_of_each(6)
    usual = [row.pk for row in listed(viewer, model).result_list]
    assert usual == sorted(usual, reverse=True)
    columns = len(admin.site.get_model_admin(model).list_display)
    orders = [f"-{column}" for column in range(columns + 2)]
    orders += ["1", "remote_number", "-remote_number", "0.1.2", "-3.-2", "?", "\0", "remote_suffix"]
    assert {tuple(row.pk for row in listed(viewer, model, o=order).result_list) for order in orders} == {tuple(usual)}
    assert "sortable" not in viewer.get(url(model)).content.decode()


PARTS = [
    *("+659000000", "+65", "+6590000001 OR 1", "%", "_6590000001", "+659000000_", "9000000", "*", "remote_number:+65"),
    *("0001", "90000001", "0090000001", "%2B6590000001", "+6590000001%"),
]


@pytest.mark.parametrize("model", [Notification, *TRANSACTIONS])
def test_part_of_a_number_finds_nothing(viewer: Client, model: type[Model]) -> None:
    one_of_each(3)
    Notification.objects.update(sms=Sms.objects.all()[1])
    assert {term: refs(listed(viewer, model, q=term)) for term in PARTS} == {term: [] for term in PARTS}


def test_text_and_link_cannot_be_searched() -> None:
    client = Client()
    client.force_login(staff("view_personal_data", "view_recordings", "view_raw"))
    transactions(Sms, 1, msg="secret")
    transactions(Fax, 1, fax_url="https://example.com/secret")
    assert [
        refs(listed(client, model, q=term)) for model in (Sms, Fax) for term in ("secret", "https://example.com/secret")
    ] == [[]] * 4


# Queries.


def _pages(model: Any) -> dict[str, dict[str, Any]]:
    """Return one page of each type, in the middle of the table if possible."""
    middle = model.objects.order_by("pk")[2].pk
    return {
        "first": {},
        "older": {"older_than": middle},
        "newer": {"newer_than": middle - 2},
        "oldest": {"newer_than": 0},
        "search": {"q": "AA"},
        "search without matches": {"q": "nothing"},
        "number": {"q": "+6590000001"},
        "day": {"day": "2026-03-01"},
        **{f"filter {number}": query for number, query in enumerate(FILTERS[model])},
    }


FILTERS: dict[type[Model], list[dict[str, str]]] = {
    Notification: [
        {"kind__exact": "sms_status"},
        {"kind__exact": "unknown"},
        {"pending": "yes"},
        {"failing": "yes"},
    ],
    Call: [{"direction__exact": "outgoing"}, {"outcome": "busy"}, {"open": "yes"}],
    Sms: [{"direction__exact": "outgoing"}, {"sms_status__exact": "failed"}, {"overdue": "yes"}],
    Fax: [{"direction__exact": "outgoing"}, {"fax_status__exact": "failed"}, {"overdue": "yes"}],
    ReceiverFailure: [{"unresolved": "yes"}],
}


@pytest.mark.parametrize("model", MODELS)
def test_page_of_fifty_rows_needs_no_more_queries_than_one_of_three(viewer: Client, model: Any) -> None:
    one_of_each(3)
    few = _costs(viewer, model)
    one_of_each(60, txn_ref=None)
    many = _costs(viewer, model)
    # A page of three rows was searched to the end of the table. A full page need not be.
    assert {name: cost for name, cost in many.items() if cost > few[name]} == {}
    # Four of them load the user and their permissions. One finds the recordings of the calls.
    assert many["first"] == 5 + (model is Call)
    assert max(few.values()) <= 26


def _costs(client: Client, model: Any) -> dict[str, int]:
    costs = {}
    for name, page in _pages(model).items():
        with CaptureQueriesContext(connection) as queries:
            listed(client, model, **page)
        costs[name] = len(queries)
        assert not any(word in query["sql"] for query in queries for word in ("COUNT(", "DISTINCT", "OFFSET"))
    return costs


def test_every_list_uses_the_keyset_changelist(viewer: Client) -> None:
    for model in MODELS:
        assert type(listed(viewer, model)) is KeysetChangeList
        assert issubclass(KeysetChangeList, ChangeList)
