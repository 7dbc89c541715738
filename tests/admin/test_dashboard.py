"""The dashboard of the admin, compared with counts by hand over tables that were filled through the inbox."""

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
from tests.counting import DAY, Tables, came, fill, standing_by_hand, tables_by_hand
from tests.factories import failures

pytestmark = pytest.mark.django_db

NOW = datetime.now(timezone.utc)
TODAY = NOW.date()
PAGE = "/admin/django_hoiio/"

# A second site, on which not every list is registered.
desk = admin.AdminSite(name="desk")
desk.register(Notification, NotificationAdmin)
desk.register(Sms, SmsAdmin)

urlpatterns = [path("admin/", admin.site.urls), path("desk/", desk.urls)]


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def root(db: None) -> Client:
    return client_of(User.objects.create_superuser("root"))


@pytest.fixture
def as_viewer_of() -> Callable[..., Client]:
    """Log in somebody who may view the rows of these models alone."""

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


# By hand.


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_figures_agree_with_a_count_by_hand_before_and_after_days_are_closed(root: Client, seed: int) -> None:
    fill(random.Random(seed), 150, 45)
    asked = [(7, ""), (30, ""), (90, ""), (30, "shop"), (90, "default")]
    counted = [tables_by_hand(TODAY, days, account) for days, account in asked]

    assert [tables(root, days=str(days), account=account) for days, account in asked] == counted

    assert close() > 30
    assert [tables(root, days=str(days), account=account) for days, account in asked] == counted


# Blanked and deleted after so many days: long after a day is closed by itself, and long before it.
@pytest.mark.parametrize(("number", "retention"), [(2_000, (20, 40)), (400, (1, 3))])
def test_figures_agree_with_a_count_by_hand_before_and_after_pruning(
    root: Client, settings: Any, monkeypatch: pytest.MonkeyPatch, number: int, retention: tuple[int, int]
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    settings.HOIIO = {"RETENTION_DAYS": dict.fromkeys(Kind.values, retention)}
    fill(random.Random(number), number, 60)
    # Some were never told, and of some a receiver failed.
    untold, failed, mended = (list(Notification.objects.order_by("pk")[at : at + 40]) for at in (100, 200, 300))
    Notification.objects.filter(pk__in=[each.pk for each in untold]).update(dispatched_at=None, claimed_until=NOW - DAY)
    failures(failed)
    failures(mended, resolved_at=NOW)
    asked = [(7, ""), (30, ""), (90, ""), (90, "default"), (30, "shop")]
    counted = [tables_by_hand(TODAY, days, account) for days, account in asked]

    assert [tables(root, days=str(days), account=account) for days, account in asked] == counted
    before = _standing(root)
    assert before == standing_by_hand(conf.OVERDUE_AFTER)

    call_command("hoiio_prune", stdout=StringIO())
    redacted = Notification.objects.exclude(redacted_at=None).count()
    assert min(redacted, number - Notification.objects.count()) > number / 60
    assert Sms.objects.exclude(redacted_at=None).exists()

    assert [tables(root, days=str(days), account=account) for days, account in asked] == counted
    after = _standing(root)
    assert after == standing_by_hand(conf.OVERDUE_AFTER)
    assert int(after["SMS overdue"]) < int(before["SMS overdue"])


def _standing(client: Client) -> dict[str, str]:
    shown = figures(client)
    return {name: shown[name].value for name in standing_by_hand(conf.OVERDUE_AFTER)}


def test_panels_say_what_the_days_came_to(root: Client) -> None:
    for place, (status, ago) in enumerate([("delivered", 0), ("delivered", 3), ("failed", 3), ("queued", 400)]):
        came(f"txn_ref=AA-S-{place}&dest=%2B6591231111&sms_status={status}&debit=1234.5&currency=SGD", ago=DAY * ago)
    came("txn_ref=AA-C-1&from=%2B6591231111&call_state=ended&duration=2&debit=0.25&currency=SGD", route="ivr")

    page = look(root)

    most = f"{TODAY - 3 * DAY:%B} {(TODAY - 3 * DAY).day}"
    assert [(panel.title, panel.total, panel.note) for panel in page.context["volumes"]] == [
        ("Calls received", "1", "1 answered, 100 %"),
        ("SMS sent", "3", "2 delivered, 66.7 %"),
    ]
    assert [(panel.title, panel.total, panel.note, panel.highest) for panel in page.context["spend"]] == [
        ("SGD", "3,703.750", "SMS sent 3,703.500, calls received 0.250", f"most on {most}: 2,469.000"),
    ]


def test_currencies_are_never_added(root: Client) -> None:
    for place, cost in enumerate(
        ["debit=1&currency=USD", "debit=2&currency=SGD", "debit=4", "currency=EUR", "debit=0"]
    ):
        came(f"txn_ref=AA-S-{place}&dest=%2B6591231111&sms_status=delivered&rate=9&{cost}")

    page = look(root)

    assert [(panel.title, panel.total) for panel in page.context["spend"]] == [
        ("no currency", "4.000"),
        ("SGD", "2.000"),
        ("USD", "1.000"),
    ]


# At any moment, it is another day in one of them.
@pytest.mark.parametrize(("name", "hours"), [("Pacific/Kiritimati", 14), ("Pacific/Pago_Pago", -11)])
def test_day_is_that_of_the_project(root: Client, settings: Any, name: str, hours: int) -> None:
    settings.TIME_ZONE = name
    came("txn_ref=AA-S-1&dest=%2B6591231111&sms_status=delivered", ago=timedelta(hours=24))

    rows = tables(root, days="7")["Calls, SMS and faxes by day"]

    there = datetime.now(timezone(timedelta(hours=hours))).date()
    assert rows[2][0] == there.isoformat()
    assert [row for row in rows[2:] if row[1] != "0"] == [[(there - DAY).isoformat(), "1", "1"]]


# What is asked for.


@pytest.mark.parametrize(("asked", "shown"), [("7", 7), ("365", 365), ("", 30), ("31", 30), ("0", 30), ("x'\0", 30)])
def test_days_that_are_not_offered_are_the_usual_ones(root: Client, asked: str, shown: int) -> None:
    page = look(root, days=asked)

    assert len(page.context["days"]) == shown
    assert [(choice.label, choice.url) for choice in page.context["periods"] if choice.is_chosen] == [
        (f"{shown} days", f"?days={shown}")
    ]


def test_accounts_are_offered_where_there_are_several(root: Client, settings: Any) -> None:
    came("txn_ref=AA-S-1&dest=%2B6591231111&sms_status=delivered", account="a&b")
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
    came(
        'txn_ref=AA-S-1&dest=%2B6591231111&sms_status=delivered&debit=1&currency="><script>alert(1)</script>',
        account="<script>alert(2)</script>",
    )

    page = look(root).content.decode().lower()

    assert [word in page for word in ("<script>alert", "&lt;script&gt;alert(1)", "&lt;script&gt;alert(2)")] == [
        False,
        True,
        True,
    ]


# How things stand.


def test_nothing_has_come_yet(root: Client) -> None:
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


def test_claim_far_ahead_counts_as_never_told(root: Client) -> None:
    came("txn_ref=AA-S-1&dest=%2B6591231111&sms_status=delivered")
    Notification.objects.update(received_at=NOW + 400 * DAY, dispatched_at=None, claimed_until=NOW + 400 * DAY)

    shown = figures(root)["Pending"]

    assert (shown.value, shown.command, shown.is_alarming) == ("1", "hoiio_recover", True)


def test_each_alarm_says_what_mends_it_and_leads_to_its_rows(root: Client) -> None:
    came("txn_ref=AA-C-1&from=%2B6591231111&call_state=ringing", route="ivr", ago=DAY)
    came("txn_ref=AA-S-1&dest=%2B6591231111&sms_status=queued", ago=DAY)
    came("txn_ref=AA-S-2&dest=%2B6591231111&sms_status=queued", ago=DAY)
    came("txn_ref=AA-S-3&dest=%2B6591231111&sms_status=queued")
    came("txn_ref=AA-F-1&dest=%2B6591231111&fax_status=ongoing", ago=DAY)
    told, untold, claimed, *_rest = Notification.objects.order_by("pk")
    Notification.objects.filter(pk=untold.pk).update(dispatched_at=None, claimed_until=NOW - DAY)
    Notification.objects.filter(pk=claimed.pk).update(
        dispatched_at=None, claimed_until=datetime.now(timezone.utc) + CLAIM
    )
    ReceiverFailure.objects.create(notification=told, signal="ivr_answer", receiver="shop.ring", failed_at=NOW)
    ReceiverFailure.objects.create(notification=told, signal="ivr_answer", receiver="shop.bill", resolved_at=NOW)

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
    assert str(untold) in [str(row) for row in listed["Pending"].context["cl"].result_list]


def test_counts_end_at_a_thousand(root: Client) -> None:
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
def test_last_notification_is_told_with_its_exact_time(root: Client, ago: timedelta, value: str) -> None:
    came("txn_ref=AA-S-1&sms_status=queued", ago=ago)
    came("txn_ref=AA-S-1&sms_status=queued", ago=ago + DAY, source=Source.POLL)

    figure = figures(root)["Last notification"]

    moment = Notification.objects.get(source=Source.WEBHOOK).received_at
    assert (figure.value, figure.note, figure.moment) == (value, "", moment)
    assert f"{moment:%-d %b %Y, %H:%M:%S}</time>" in look(root).content.decode()


def test_last_notification_says_where_hoiio_did_not_post_it(root: Client) -> None:
    came("txn_ref=AA-S-1&sms_status=queued", source=Source.POLL)

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


def test_files_that_were_set_aside_are_an_alarm(root: Client, settings: Any, tmp_path: Path) -> None:
    settings.HOIIO = {"SPOOL_DIR": tmp_path}
    spool.quarantine(spool.store(raw_notification("sms", "", "txn_ref=AA-S-1"), tmp_path))

    assert figures(root)["Not yet imported"] == Figure(
        label="Not yet imported", value="0", note="1 set aside", is_alarming=True
    )


def test_spool_that_cannot_be_read_breaks_nothing(root: Client, settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings.HOIIO = {"SPOOL_DIR": tmp_path / "file"}

    assert figures(root)["Not yet imported"] == Figure(
        label="Not yet imported", value="not readable", note="Not a directory", is_alarming=True
    )


# How far the totals are closed.


def test_days_that_nobody_closes_are_an_alarm(root: Client) -> None:
    came("txn_ref=AA-S-1&sms_status=delivered", ago=DAY * (EXPECTED_OPEN_DAYS - 1))
    assert not figures(root)["Totals closed through"].is_alarming

    came("txn_ref=AA-S-2&sms_status=delivered", ago=DAY * 13)
    figure = figures(root)["Totals closed through"]
    assert (figure.value, figure.note, figure.command, figure.is_alarming) == (
        "no day yet",
        "14 days are counted anew each time",
        "hoiio_prune",
        True,
    )


@pytest.mark.parametrize(("open_days", "is_alarming"), [(EXPECTED_OPEN_DAYS, False), (EXPECTED_OPEN_DAYS + 1, True)])
def test_totals_may_lag_behind_by_a_week_and_not_more(root: Client, open_days: int, is_alarming: bool) -> None:
    ClosedDay.objects.create(day=TODAY - DAY * open_days, closed_at=NOW)

    figure = figures(root)["Totals closed through"]

    assert figure.is_alarming is is_alarming
    assert str((TODAY - DAY * open_days).year) in figure.value


def test_closing_each_day_keeps_the_alarm_away(root: Client) -> None:
    came("txn_ref=AA-S-1&sms_status=delivered", ago=DAY * 40)
    assert figures(root)["Totals closed through"].is_alarming

    close()

    assert not figures(root)["Totals closed through"].is_alarming


# Who sees what.

OF_NOTIFICATIONS = ["Last notification", "Not yet imported", "Pending"]


@pytest.mark.parametrize(
    ("models", "labels"),
    [
        ([Notification], OF_NOTIFICATIONS),
        ([ReceiverFailure], ["Failed receivers"]),
        ([Call], ["Calls overdue"]),
        ([Sms], ["SMS overdue"]),
        ([Fax], ["Faxes overdue"]),
        ([DailyTotal], ["Totals closed through"]),
        ([Notification, Fax], [*OF_NOTIFICATIONS, "Faxes overdue"]),
    ],
)
def test_each_figure_is_for_those_who_may_view_its_rows(
    as_viewer_of: Callable[..., Client], models: list[type[Model]], labels: list[str]
) -> None:
    came("txn_ref=AA-S-1&dest=%2B6591231111&sms_status=delivered&debit=1&currency=SGD")
    client = as_viewer_of(*models)

    page = look(client)

    assert [figure.label for figure in page.context["figures"]] == labels
    shows_days = DailyTotal in models
    assert [word in page.content.decode() for word in ("SMS sent", "SGD", "The last 30 days")] == [shows_days] * 3


def test_figure_asks_nothing_of_tables_that_the_user_may_not_view(as_viewer_of: Callable[..., Client]) -> None:
    client = as_viewer_of(Fax)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        look(client)

    tables_asked = {
        model._meta.db_table
        for model in (Notification, Call, Sms, Fax, DailyTotal, ReceiverFailure, ClosedDay)
        if any(f"{model._meta.db_table}" in query["sql"] for query in asked)
    }
    assert tables_asked == {Fax._meta.db_table}


def test_nobody_else_gets_in(client: Client, as_viewer_of: Callable[..., Client]) -> None:
    assert as_viewer_of().get(PAGE).status_code == 404
    assert client.get(PAGE).status_code == 302


def test_nothing_personal_is_in_it(root: Client) -> None:
    came("txn_ref=AA-S-77&from=%2B6591231111&to=%2B6500000000&msg=secret+words&tag=order-5")
    came("txn_ref=AA-S-78&dest=%2B6591231111&sms_status=queued&tag=order-5", ago=DAY)

    page = look(root).content.decode()

    assert [word for word in ("91231111", "secret", "AA-S-7", "order-5") if word in page] == []


@pytest.mark.urls(__name__)
def test_site_of_ones_own_shows_what_is_registered_there_and_links_to_itself(root: Client) -> None:
    came("txn_ref=AA-S-78&dest=%2B6591231111&sms_status=queued", ago=DAY)

    response: Any = root.get("/desk/django_hoiio/")

    assert {figure.label: figure.url for figure in response.context["figures"]} == {
        "Last notification": "/desk/django_hoiio/notification/",
        "Not yet imported": "",
        "Pending": "/desk/django_hoiio/notification/?pending=yes",
        "SMS overdue": "/desk/django_hoiio/sms/?overdue=yes",
    }


# What it costs.


def test_other_pages_of_the_admin_have_none_of_it(root: Client) -> None:
    pages = [reverse("admin:index"), "/admin/auth/", reverse("admin:django_hoiio_sms_changelist")]

    assert ["hoiio-dashboard" in root.get(page).content.decode() for page in [*pages, PAGE]] == [
        False,
        False,
        False,
        True,
    ]


def queries(client: Client, **query: str) -> list[str]:
    with CaptureQueriesContext(connection) as asked:
        look(client, **query)
    return [query["sql"] for query in asked]


@pytest.mark.parametrize("days", ["7", "30", "365"])
def test_page_asks_as_much_of_many_rows_as_of_few(root: Client, days: str) -> None:
    fill(random.Random(1), 20, 40)
    close()
    few = queries(root, days=days)

    copies = [
        Sms(txn_ref=f"AA-{uuid4()}", is_final=place % 2 > 0, created_at=NOW - DAY * (place % 40), updated_at=NOW)
        for place in range(2000)
    ]
    Sms.objects.bulk_create(copies)
    DailyTotal.objects.bulk_create(
        DailyTotal(day=TODAY - DAY * ago, account="other", traffic=traffic, count=5, succeeded=5, debit=1)
        for ago in range(20, 400)
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
def test_what_waits_is_found_through_indexes() -> None:
    sms = [
        Sms(txn_ref=f"AA-{place}", is_final=place % 90 > 0, created_at=NOW - DAY * place / 10, updated_at=NOW)
        for place in range(4000)
    ]
    Sms.objects.bulk_create(sms, batch_size=500)
    notifications = [
        Notification(uuid=uuid4(), received_at=NOW, claimed_until=None if place % 90 else NOW - DAY, kind="unknown")
        for place in range(4000)
    ]
    Notification.objects.bulk_create(notifications, batch_size=500)
    with connection.cursor() as cursor:
        for model in (Sms, Notification):
            cursor.execute(f"ANALYZE {'TABLE ' if connection.vendor == 'mysql' else ''}{model._meta.db_table}")

    asked = {
        "hoiio_sms_final": Sms.objects.overdue(),
        "hoiio_notification_claimed": Notification.objects.pending().unclaimed(NOW),
    }

    assert [name for name, rows in asked.items() if name not in rows.order_by()[:1001].explain()] == []
    newest = Notification.objects.order_by("-received_at").values_list("received_at", "source")[:1]
    assert "hoiio_notification_received" in newest.explain()
