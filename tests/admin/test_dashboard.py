"""The dashboard of the admin, compared with values that are computed from each row."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path, reverse

from django_hoiio import spool
from django_hoiio.admin.dashboard import EXPECTED_OPEN_DAYS, Figure
from django_hoiio.admin.notifications import NotificationAdmin
from django_hoiio.admin.transactions import SmsAdmin
from django_hoiio.conf import conf
from django_hoiio.enums import Kind, Source, Traffic
from django_hoiio.models import CLAIM, Call, ClosedDay, DailyTotal, Fax, Notification, ReceiverFailure, Sms
from django_hoiio.retention.totals import close
from tests.conftest import raw_notification
from tests.counting import DAY, Tables, expected_health_figures, expected_tables, fill, receive
from tests.factories import failures
from tests.plans import ROWS, learn

pytestmark = pytest.mark.django_db

NOW = datetime.now(timezone.utc)
TODAY = NOW.date()
PAGE = "/admin/django_hoiio/"

# A second site with only some of the lists.
second_site = admin.AdminSite(name="second_site")
second_site.register(Notification, NotificationAdmin)
second_site.register(Sms, SmsAdmin)

urlpatterns = [path("admin/", admin.site.urls), path("second_site/", second_site.urls)]


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def root(db: None) -> Client:
    return client_of(User.objects.create_superuser("root"))


@pytest.fixture
def as_viewer_of() -> Callable[..., Client]:
    """Log in a user who may view only these models."""

    def log_in(*models: type[Model]) -> Client:
        user = User.objects.create_user("viewer", is_staff=True)
        names = [f"view_{model._meta.model_name}" for model in models]
        user.user_permissions.set(Permission.objects.filter(codename__in=names))
        return client_of(user)

    return log_in


def look(client: Client, **query: str) -> Any:
    response = client.get(PAGE, query)
    assert response.status_code == 200
    return response


def figures(client: Client) -> dict[str, Figure]:
    return {figure.label: figure for figure in look(client).context["figures"]}


def tables(client: Client, **query: str) -> dict[str, list[list[str]]]:
    return Tables(look(client, **query)).found


# Expected values.


# Days and account.
PERIODS = [(7, ""), (30, "shop"), (90, "")]


def test_figures_match_the_expected_values_before_and_after_days_are_closed(root: Client) -> None:
    fill(random.Random(1), 150, 30)
    counted = [expected_tables(TODAY, days, account) for days, account in PERIODS]

    assert [tables(root, days=str(days), account=account) for days, account in PERIODS] == counted

    assert close() > 20
    assert [tables(root, days=str(days), account=account) for days, account in PERIODS] == counted


# Days until rows are redacted and deleted: long after a day is usually closed, and long before.
@pytest.mark.parametrize("retention", [(12, 20), (1, 3)])
def test_figures_match_the_expected_values_before_and_after_pruning(
    root: Client, settings: Any, monkeypatch: pytest.MonkeyPatch, retention: tuple[int, int]
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    settings.HOIIO = {"RETENTION_DAYS": dict.fromkeys(Kind.values, retention)}
    fill(random.Random(1), 240, 28)
    # Some are pending, some have a failed receiver, and some a resolved one.
    pending, failed, resolved = (list(Notification.objects.order_by("pk")[at : at + 24]) for at in (60, 120, 180))
    Notification.objects.filter(pk__in=[each.pk for each in pending]).update(
        dispatched_at=None, claimed_until=NOW - DAY
    )
    failures(failed)
    failures(resolved, resolved_at=NOW)
    counted = [expected_tables(TODAY, days, account) for days, account in PERIODS]

    assert [tables(root, days=str(days), account=account) for days, account in PERIODS] == counted
    before = _health_figures(root)
    assert before == expected_health_figures(conf.OVERDUE_AFTER)

    call_command("hoiio_prune", stdout=StringIO())
    redacted = Notification.objects.exclude(redacted_at=None).count()
    assert min(redacted, 240 - Notification.objects.count()) > 5
    assert Sms.objects.exclude(redacted_at=None).exists()

    assert [tables(root, days=str(days), account=account) for days, account in PERIODS] == counted
    after = _health_figures(root)
    assert after == expected_health_figures(conf.OVERDUE_AFTER)
    assert int(after["SMS overdue"]) < int(before["SMS overdue"])


def _health_figures(client: Client) -> dict[str, str]:
    shown = figures(client)
    return {name: shown[name].value for name in expected_health_figures(conf.OVERDUE_AFTER)}


def test_panels_show_the_totals_of_the_days(root: Client) -> None:
    for place, (status, ago) in enumerate([("delivered", 0), ("delivered", 3), ("failed", 3), ("queued", 400)]):
        receive(f"txn_ref=AA-S-{place}&dest=%2B6591231111&sms_status={status}&debit=1234.5&currency=SGD", ago=DAY * ago)
    receive("txn_ref=AA-C-1&from=%2B6591231111&call_state=ended&duration=2&debit=0.25&currency=SGD", route="ivr")

    page = look(root)

    peak = TODAY - 3 * DAY
    peak_day = f"{peak.day} {peak:%b}" if peak.year == TODAY.year else f"{peak.day} {peak:%b %Y}"
    assert [(panel.title, panel.total, panel.note) for panel in page.context["volumes"]] == [
        ("Calls received", "1", "1 answered, 100 %"),
        ("SMS sent", "3", "2 delivered, 66.7 %"),
    ]
    assert [(panel.title, panel.total, panel.note, panel.highest) for panel in page.context["spend"]] == [
        ("SGD", "3,703.750", "SMS sent 3,703.500, calls received 0.250", f"peak 2,469.000 on {peak_day}"),
    ]


def test_currencies_are_never_added(root: Client) -> None:
    for place, cost in enumerate(
        ["debit=1&currency=USD", "debit=2&currency=SGD", "debit=4", "currency=EUR", "debit=0"]
    ):
        receive(f"txn_ref=AA-S-{place}&dest=%2B6591231111&sms_status=delivered&rate=9&{cost}")

    page = look(root)

    assert [(panel.title, panel.total) for panel in page.context["spend"]] == [
        ("no currency", "4.000"),
        ("SGD", "2.000"),
        ("USD", "1.000"),
    ]


# At any moment, the date in one of them differs from UTC's.
@pytest.mark.parametrize(("name", "hours"), [("Pacific/Kiritimati", 14), ("Pacific/Pago_Pago", -11)])
def test_days_are_in_the_time_zone_of_the_project(root: Client, settings: Any, name: str, hours: int) -> None:
    settings.TIME_ZONE = name
    receive("txn_ref=AA-S-1&dest=%2B6591231111&sms_status=delivered", ago=timedelta(hours=24))

    rows = tables(root, days="7")["Calls, SMS and faxes by day"]

    there = datetime.now(timezone(timedelta(hours=hours))).date()
    assert rows[2][0] == there.isoformat()
    assert [row for row in rows[2:] if row[1] != "0"] == [[(there - DAY).isoformat(), "1", "1"]]


# Parameters.


@pytest.mark.parametrize(
    ("requested", "shown"), [("7", 7), ("365", 365), ("", 30), ("31", 30), ("0", 30), ("x'\0", 30)]
)
def test_invalid_number_of_days_falls_back_to_the_default(root: Client, requested: str, shown: int) -> None:
    page = look(root, days=requested)

    assert len(page.context["days"]) == shown
    assert [(choice.label, choice.url) for choice in page.context["periods"] if choice.is_chosen] == [
        (f"{shown} days", f"?days={shown}")
    ]


def test_accounts_are_offered_if_there_are_several(root: Client, settings: Any) -> None:
    receive("txn_ref=AA-S-1&dest=%2B6591231111&sms_status=delivered", account="a&b")
    assert look(root).context["accounts"] == []

    settings.HOIIO = {"ACCOUNTS": {"shop": {}}}
    page = look(root, account="a&b", days="7")

    assert [(choice.label, choice.url, choice.is_chosen) for choice in page.context["accounts"]] == [
        ("All accounts", "?days=7", False),
        ("a&b", "?days=7&account=a%26b", True),
        ("shop", "?days=7&account=shop", False),
    ]
    assert 'href="?days=7&amp;account=a%26b" aria-current="true"' in page.content.decode()
    assert look(root, account="shop").context["volumes"] == []
    assert len(look(root, account="unheard of").context["volumes"]) == 1


def test_text_from_outside_is_escaped(root: Client, settings: Any) -> None:
    settings.HOIIO = {"ACCOUNTS": {"shop": {}}}
    receive(
        'txn_ref=AA-S-1&dest=%2B6591231111&sms_status=delivered&debit=1&currency="><script>alert(1)</script>',
        account="<script>alert(2)</script>",
    )

    page = look(root).content.decode().lower()

    assert [word in page for word in ("<script>alert", "&lt;script&gt;alert(1)", "&lt;script&gt;alert(2)")] == [
        False,
        True,
        True,
    ]


# Health figures.


def test_dashboard_without_any_rows(root: Client) -> None:
    page = look(root)

    assert [(figure.label, figure.value, figure.is_alarming) for figure in page.context["figures"]] == [
        ("Last notification", "none yet", False),
        ("Not yet imported", "no spool", False),
        ("Pending", "0", False),
        ("Failed receivers", "0", False),
        ("Calls overdue", "0", False),
        ("SMS overdue", "0", False),
        ("Faxes overdue", "0", False),
        ("Totals closed through", "no day yet", False),
    ]
    assert "No calls, SMS or faxes in this period." in page.content.decode()
    assert "<svg" not in page.content.decode().partition("hoiio-dashboard")[2].partition('id="content-main"')[0]


def test_claim_far_in_the_future_counts_as_pending(root: Client) -> None:
    receive("txn_ref=AA-S-1&dest=%2B6591231111&sms_status=delivered")
    Notification.objects.update(received_at=NOW + 400 * DAY, dispatched_at=None, claimed_until=NOW + 400 * DAY)

    shown = figures(root)["Pending"]

    assert (shown.value, shown.command, shown.is_alarming) == ("1", "hoiio_recover", True)


def test_each_alarm_names_its_command_and_links_to_its_rows(root: Client) -> None:
    receive("txn_ref=AA-C-1&from=%2B6591231111&call_state=ringing", route="ivr", ago=DAY)
    receive("txn_ref=AA-S-1&dest=%2B6591231111&sms_status=queued", ago=DAY)
    receive("txn_ref=AA-S-2&dest=%2B6591231111&sms_status=queued", ago=DAY)
    receive("txn_ref=AA-S-3&dest=%2B6591231111&sms_status=queued")
    receive("txn_ref=AA-F-1&dest=%2B6591231111&fax_status=ongoing", ago=DAY)
    dispatched, pending, claimed, *_rest = Notification.objects.order_by("pk")
    Notification.objects.filter(pk=pending.pk).update(dispatched_at=None, claimed_until=NOW - DAY)
    Notification.objects.filter(pk=claimed.pk).update(
        dispatched_at=None, claimed_until=datetime.now(timezone.utc) + CLAIM
    )
    ReceiverFailure.objects.create(notification=dispatched, signal="ivr_answer", receiver="shop.ring", failed_at=NOW)
    ReceiverFailure.objects.create(notification=dispatched, signal="ivr_answer", receiver="shop.bill", resolved_at=NOW)

    shown = figures(root)

    alarms = {label: (figure.value, figure.command) for label, figure in shown.items() if figure.is_alarming}
    assert alarms == {
        "Pending": ("1", "hoiio_recover"),
        "Failed receivers": ("1", "hoiio_recover"),
        "Calls overdue": ("1", "hoiio_reconcile"),
        "SMS overdue": ("2", "hoiio_reconcile"),
        "Faxes overdue": ("1", "hoiio_reconcile"),
    }
    listed: dict[str, Any] = {label: root.get(shown[label].url) for label in alarms}
    assert {page.status_code for page in listed.values()} == {200}
    assert {
        label: sorted(str(row) for row in listed[label].context["cl"].result_list)
        for label in alarms
        if label != "Pending"
    } == {
        "Failed receivers": ["ivr_answer → shop.ring"],
        "Calls overdue": ["AA-C-1"],
        "SMS overdue": ["AA-S-1", "AA-S-2"],
        "Faxes overdue": ["AA-F-1"],
    }
    assert str(pending) in [str(row) for row in listed["Pending"].context["cl"].result_list]


def test_counts_stop_at_a_thousand(root: Client) -> None:
    def rows(number: int) -> list[Sms]:
        return [Sms(txn_ref=f"AA-{uuid4()}", created_at=NOW - DAY, updated_at=NOW) for _ in range(number)]

    Sms.objects.bulk_create(rows(1000))
    assert figures(root)["SMS overdue"].value == "1,000"

    Sms.objects.bulk_create(rows(1))
    assert figures(root)["SMS overdue"].value == "1,000+"


@pytest.mark.parametrize(
    ("ago", "value"),
    [
        (timedelta(seconds=-50), "just now"),
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=3, seconds=5), "3\xa0minutes ago"),
        (timedelta(hours=26), "1\xa0day ago"),
    ],
)
def test_last_notification_is_shown_with_its_exact_time(root: Client, ago: timedelta, value: str) -> None:
    receive("txn_ref=AA-S-1&sms_status=queued", ago=ago)
    receive("txn_ref=AA-S-1&sms_status=queued", ago=ago + DAY, source=Source.POLL)

    figure = figures(root)["Last notification"]

    moment = Notification.objects.get(source=Source.WEBHOOK).received_at
    assert (figure.value, figure.note, figure.moment) == (value, "", moment)
    assert f"{moment:%-d %b %Y, %H:%M:%S}</time>" in look(root).content.decode()


def test_last_notification_shows_its_source_if_it_is_not_the_webhook(root: Client) -> None:
    receive("txn_ref=AA-S-1&sms_status=queued", source=Source.POLL)

    assert figures(root)["Last notification"].note == "read from Hoiio's API"


# The spool.


def test_spool_is_counted(root: Client, settings: Any, tmp_path: Path) -> None:
    settings.HOIIO = {"SPOOL_DIR": tmp_path / "spool"}
    waiting = Figure(label="Not yet imported", value="0")
    assert figures(root)["Not yet imported"] == waiting

    for _ in range(3):
        spool.store(raw_notification("sms", "", "txn_ref=AA-S-1"), tmp_path / "spool")
    (tmp_path / "spool" / "half.part").touch()
    assert figures(root)["Not yet imported"] == Figure(
        label="Not yet imported", value="3", command="hoiio_recover", is_alarming=True
    )


def test_quarantined_files_are_an_alarm(root: Client, settings: Any, tmp_path: Path) -> None:
    settings.HOIIO = {"SPOOL_DIR": tmp_path}
    spool.quarantine(spool.store(raw_notification("sms", "", "txn_ref=AA-S-1"), tmp_path))

    assert figures(root)["Not yet imported"] == Figure(
        label="Not yet imported", value="0", note="1 in quarantine", is_alarming=True
    )


def test_unreadable_spool_is_an_alarm(root: Client, settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings.HOIIO = {"SPOOL_DIR": tmp_path / "file"}

    assert figures(root)["Not yet imported"] == Figure(
        label="Not yet imported", value="not readable", note="Not a directory", is_alarming=True
    )


# Closed totals.


def test_too_many_open_days_are_an_alarm(root: Client) -> None:
    receive("txn_ref=AA-S-1&sms_status=delivered", ago=DAY * (EXPECTED_OPEN_DAYS - 1))
    assert not figures(root)["Totals closed through"].is_alarming

    receive("txn_ref=AA-S-2&sms_status=delivered", ago=DAY * 13)
    figure = figures(root)["Totals closed through"]
    assert (figure.value, figure.note, figure.command, figure.is_alarming) == (
        "no day yet",
        "14 days are recounted on each visit",
        "hoiio_prune",
        True,
    )


@pytest.mark.parametrize(("open_days", "is_alarming"), [(EXPECTED_OPEN_DAYS, False), (EXPECTED_OPEN_DAYS + 1, True)])
def test_totals_may_be_open_for_the_expected_days_and_no_more(root: Client, open_days: int, is_alarming: bool) -> None:
    ClosedDay.objects.create(day=TODAY - DAY * open_days, closed_at=NOW)

    figure = figures(root)["Totals closed through"]

    assert figure.is_alarming is is_alarming
    assert str((TODAY - DAY * open_days).year) in figure.value


def test_closing_the_days_ends_the_alarm(root: Client) -> None:
    receive("txn_ref=AA-S-1&sms_status=delivered", ago=DAY * 40)
    assert figures(root)["Totals closed through"].is_alarming

    close()

    assert not figures(root)["Totals closed through"].is_alarming


# Permissions.

NOTIFICATION_FIGURES = ["Last notification", "Not yet imported", "Pending"]


@pytest.mark.parametrize(
    ("models", "labels"),
    [
        ([Notification], NOTIFICATION_FIGURES),
        ([ReceiverFailure], ["Failed receivers"]),
        ([Call], ["Calls overdue"]),
        ([Sms], ["SMS overdue"]),
        ([Fax], ["Faxes overdue"]),
        ([DailyTotal], ["Totals closed through"]),
        ([Notification, Fax], [*NOTIFICATION_FIGURES, "Faxes overdue"]),
    ],
)
def test_each_figure_is_shown_only_to_users_who_may_view_its_rows(
    as_viewer_of: Callable[..., Client], models: list[type[Model]], labels: list[str]
) -> None:
    receive("txn_ref=AA-S-1&dest=%2B6591231111&sms_status=delivered&debit=1&currency=SGD")
    client = as_viewer_of(*models)

    page = look(client)

    assert [figure.label for figure in page.context["figures"]] == labels
    shows_days = DailyTotal in models
    assert [word in page.content.decode() for word in ("SMS sent", "SGD", "The last 30 days")] == [shows_days] * 3


def test_tables_that_the_user_may_not_view_are_not_queried(as_viewer_of: Callable[..., Client]) -> None:
    client = as_viewer_of(Fax)
    with CaptureQueriesContext(connection) as captured:
        look(client)

    tables_queried = {
        model._meta.db_table
        for model in (Notification, Call, Sms, Fax, DailyTotal, ReceiverFailure, ClosedDay)
        if any(f"{model._meta.db_table}" in query["sql"] for query in captured)
    }
    assert tables_queried == {Fax._meta.db_table}


def test_user_without_permission_and_anonymous_user_are_refused(
    client: Client, as_viewer_of: Callable[..., Client]
) -> None:
    assert as_viewer_of().get(PAGE).status_code == 404
    assert client.get(PAGE).status_code == 302


def test_dashboard_contains_no_personal_data(root: Client) -> None:
    receive("txn_ref=AA-S-77&from=%2B6591231111&to=%2B6500000000&msg=secret+words&tag=order-5")
    receive("txn_ref=AA-S-78&dest=%2B6591231111&sms_status=queued&tag=order-5", ago=DAY)

    page = look(root).content.decode()

    assert [word for word in ("91231111", "secret", "AA-S-7", "order-5") if word in page] == []


@pytest.mark.urls(__name__)
def test_second_site_shows_only_its_models_and_links_to_itself(root: Client) -> None:
    receive("txn_ref=AA-S-78&dest=%2B6591231111&sms_status=queued", ago=DAY)

    response: Any = root.get("/second_site/django_hoiio/")

    assert {figure.label: figure.url for figure in response.context["figures"]} == {
        "Last notification": "/second_site/django_hoiio/notification/",
        "Not yet imported": "",
        "Pending": "/second_site/django_hoiio/notification/?pending=yes",
        "SMS overdue": "/second_site/django_hoiio/sms/?overdue=yes",
    }


# Queries.


def test_other_pages_of_the_admin_do_not_contain_the_dashboard(root: Client) -> None:
    pages = [reverse("admin:index"), "/admin/auth/", reverse("admin:django_hoiio_sms_changelist")]

    assert ["hoiio-dashboard" in root.get(page).content.decode() for page in [*pages, PAGE]] == [
        False,
        False,
        False,
        True,
    ]


def queries(client: Client, **query: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        look(client, **query)
    return [query["sql"] for query in captured]


@pytest.mark.parametrize("days", ["7", "30", "365"])
def test_page_needs_as_many_queries_for_many_rows_as_for_few(root: Client, days: str) -> None:
    fill(random.Random(1), 20, 40)
    close()
    few = queries(root, days=days)

    copies = [
        Sms(txn_ref=f"AA-{uuid4()}", is_final=place % 2 > 0, created_at=NOW - DAY * (place % 40), updated_at=NOW)
        for place in range(200)
    ]
    Sms.objects.bulk_create(copies)
    DailyTotal.objects.bulk_create(
        DailyTotal(day=TODAY - DAY * ago, account="other", traffic=traffic, count=5, succeeded=5, debit=1)
        for ago in range(20, 400, 10)
        for traffic in Traffic
    )

    assert len(queries(root, days=days)) == len(few) <= 45


def test_no_count_reads_a_whole_table(root: Client) -> None:
    fill(random.Random(1), 20, 40)
    close()

    tables_counted = [
        sql for sql in queries(root) if "COUNT(" in sql.upper() and "LIMIT 1001" not in sql and "created_at" not in sql
    ]

    assert tables_counted == []


# With a transaction around it, MariaDB's ANALYZE would commit.
@pytest.mark.django_db(transaction=True)
def test_overdue_and_pending_rows_are_found_by_indexes() -> None:
    sms = [
        Sms(txn_ref=f"AA-{place}", is_final=place % 90 > 0, created_at=NOW - DAY * place / 10, updated_at=NOW)
        for place in range(4 * ROWS)
    ]
    Sms.objects.bulk_create(sms, batch_size=500)
    notifications = [
        Notification(uuid=uuid4(), received_at=NOW, claimed_until=None if place % 90 else NOW - DAY, kind="unknown")
        for place in range(4 * ROWS)
    ]
    Notification.objects.bulk_create(notifications, batch_size=500)
    learn(Sms, Notification)

    querysets = {
        "hoiio_sms_final": Sms.objects.overdue(),
        "hoiio_notification_claimed": Notification.objects.pending().unclaimed(NOW),
    }

    assert [name for name, rows in querysets.items() if name not in rows.order_by()[:1001].explain()] == []
    newest = Notification.objects.order_by("-received_at").values_list("received_at", "source")[:1]
    assert "hoiio_notification_received" in newest.explain()
