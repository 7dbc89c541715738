"""The dashboard of the admin, compared with counts by hand over tables that were filled through the inbox."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path, reverse

from django_hoiio import inbox, spool
from django_hoiio.admin.dashboard import USUALLY_OPEN
from django_hoiio.admin.notifications import NotificationAdmin
from django_hoiio.admin.standing import Figure
from django_hoiio.admin.transactions import SmsAdmin
from django_hoiio.kinds import Origin, Traffic
from django_hoiio.models import Call, ClosedDay, DailyTotal, Fax, Notification, ReceiverFailure, Sms
from django_hoiio.retention.totals import close

from .conftest import arrival

pytestmark = pytest.mark.django_db

NOW = datetime.now(timezone.utc)
TODAY = NOW.date()
DAY = timedelta(days=1)
PAGE = "/admin/django_hoiio/"

# A second site, on which not every list is registered.
desk = admin.AdminSite(name="desk")
desk.register(Notification, NotificationAdmin)
desk.register(Sms, SmsAdmin)

urlpatterns = [path("admin/", admin.site.urls), path("desk/", desk.urls)]


def came(body: str, *, ago: timedelta = timedelta(0), route: str = "any", **fields: Any) -> None:
    """Take a notification that came so long ago."""
    inbox.receive(arrival(route, "", body, received_at=datetime.now(timezone.utc) - ago, **fields))


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


class Tables(HTMLParser):
    """The rows of each table in a page that stands behind a summary, as text."""

    def __init__(self, page: Any) -> None:
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] = []
        self._inside = ""
        self.feed(page.content.decode())

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "tr":
            self._rows.append([])
        elif tag in ("th", "td"):
            self._rows[-1].append("")
        elif tag == "summary":
            self._rows = []
        if tag in ("th", "td", "summary"):
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""
        elif tag == "table":
            self._rows = []

    def handle_data(self, data: str) -> None:
        if self._inside == "summary":
            self.found[data] = self._rows
        elif self._inside:
            self._rows[-1][-1] += data


def tables(client: Client, **query: str) -> dict[str, list[list[str]]]:
    return Tables(look(client, **query)).found


# By hand.

WORDS = {
    Traffic.CALLS_MADE: "answered",
    Traffic.CALLS_RECEIVED: "answered",
    Traffic.SMS_SENT: "delivered",
    Traffic.FAXES_SENT: "answered",
    Traffic.FAXES_RECEIVED: "answered",
}
OUTCOMES = ("call_status", "call_status_dest1", "call_status_dest2", "dial_status", "transfer_status")


def kind_of(row: Any) -> Traffic:
    names = {
        Call: ("calls_received", "calls_made"),
        Sms: ("sms_received", "sms_sent"),
        Fax: ("faxes_received", "faxes_sent"),
    }
    return Traffic(names[type(row)][row.direction == "outgoing"])


def has_succeeded(row: Any) -> bool:
    if isinstance(row, Call):
        told = {getattr(row, name) for name in OUTCOMES} - {""}
        return told == {"answered"} or (not told and bool(row.duration))
    if isinstance(row, Fax):
        return row.fax_status == "answered"
    return row.direction == "incoming" or row.sms_status == "delivered"


def by_hand(days: int, account: str = "") -> dict[str, list[list[str]]]:
    """The two tables, counted in Python from each row."""
    shown = [TODAY - DAY * ago for ago in range(days)]
    counts: Counter[tuple[Traffic, date]] = Counter()
    succeeded: Counter[tuple[Traffic, date]] = Counter()
    spent: dict[tuple[str, date], Decimal] = {}
    for row in [*Call.objects.all(), *Sms.objects.all(), *Fax.objects.all()]:
        day = row.created_at.astimezone(timezone.utc).date()
        if day not in shown or account not in ("", row.account):
            continue
        counts[kind_of(row), day] += 1
        succeeded[kind_of(row), day] += has_succeeded(row)
        spent[row.currency, day] = spent.get((row.currency, day), Decimal(0)) + (row.debit or 0)
    columns: list[list[str]] = []
    for kind in Traffic:
        columns += _two_columns(kind, [counts[kind, day] for day in shown], [succeeded[kind, day] for day in shown])
    dear = sorted({currency for (currency, _day), amount in spent.items() if amount})
    money = [
        _column(name or "No currency told", [spent.get((name, day), Decimal(0)) for day in shown], _money)
        for name in dear
    ]
    beside = ["Day", "Together", *(day.isoformat() for day in shown)]
    return {"Calls, SMS and faxes by day": _rows(beside, columns), "Spend by day": _rows(beside, money)}


def _two_columns(kind: Traffic, counts: list[int], succeeded: list[int]) -> Iterator[list[str]]:
    if any(counts):
        yield _column(str(kind.label)[0].upper() + str(kind.label)[1:], counts, str)
        if kind in WORDS:
            yield _column(f"of these {WORDS[kind]}", succeeded, str)


def _column(title: str, amounts: list[Any], written: Callable[[Any], str]) -> list[str]:
    return [title, written(sum(amounts)), *map(written, amounts)]


def _money(amount: Decimal | int) -> str:
    whole, _, digits = f"{Decimal(amount):.6f}".partition(".")
    return f"{whole}.{digits[:3]}{digits[3:].rstrip('0')}"


def _rows(beside: list[str], columns: Iterable[list[str]]) -> list[list[str]]:
    return [list(row) for row in zip(beside, *columns, strict=True)]


def fill(chance: random.Random, number: int, days: int) -> None:
    """Take notifications of every kind, at moments that lie so many days back at most."""
    for place in range(number):
        phone = f"%2B65{chance.randrange(10**8):08d}"
        second = chance.choice(["answered", "unanswered", "failed"])
        route, body = chance.choice(
            [
                ("sms", f"dest={phone}&sms_status={chance.choice(['queued', 'delivered', 'failed', 'error', 'odd'])}"),
                ("sms", f"from={phone}&to=%2B6500000000&msg=hello"),
                ("voice", f"dest1={phone}&call_status_dest1={chance.choice(['answered', 'busy'])}"),
                ("voice", f"dest1={phone}&call_status_dest1=answered&call_status_dest2={second}&duration=3"),
                ("ivr", f"from={phone}&to=%2B6500000000&call_state=ended&duration={chance.randrange(3)}"),
                ("fax", f"dest={phone}&fax_status={chance.choice(['answered', 'busy', 'ongoing'])}"),
                ("fax", f"from={phone}&fax_status=answered"),
            ]
        )
        cost = chance.choice(
            ["", "&debit=0.032&currency=SGD", "&debit=0.000001&currency=USD", "&debit=2", "&debit=0&currency=MYR"]
        )
        came(
            f"txn_ref=AA-{place}&{body}{cost}",
            route=route,
            ago=DAY * days * chance.random(),
            account=chance.choice(["default", "default", "shop"]),
        )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_figures_agree_with_a_count_by_hand_before_and_after_days_are_closed(root: Client, seed: int) -> None:
    fill(random.Random(seed), 150, 45)
    asked = [(7, ""), (30, ""), (90, ""), (30, "shop"), (90, "default")]
    counted = [by_hand(days, account) for days, account in asked]

    assert [tables(root, days=str(days), account=account) for days, account in asked] == counted

    assert close() > 30
    assert [tables(root, days=str(days), account=account) for days, account in asked] == counted

    # As pruning does.
    for model in (Call, Sms, Fax):
        model._default_manager.filter(created_at__lt=NOW - DAY * 12).delete()
    assert [tables(root, days=str(days), account=account) for days, account in asked] == counted


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
        ("No currency told", "4.000"),
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
        ("Waiting in the spool", "no spool", False),
        ("Never told", "0", False),
        ("Failed receivers", "0", False),
        ("Calls overdue", "0", False),
        ("SMS overdue", "0", False),
        ("Faxes overdue", "0", False),
        ("Totals closed up to", "no day yet", False),
    ]
    assert "No calls, SMS or faxes on these days." in page.content.decode()
    assert "<svg" not in page.content.decode().partition("hoiio-dashboard")[2].partition('id="content-main"')[0]


def test_each_alarm_says_what_mends_it_and_leads_to_its_rows(root: Client) -> None:
    came("txn_ref=AA-C-1&from=%2B6591231111&call_state=ringing", route="ivr", ago=DAY)
    came("txn_ref=AA-S-1&dest=%2B6591231111&sms_status=queued", ago=DAY)
    came("txn_ref=AA-S-2&dest=%2B6591231111&sms_status=queued", ago=DAY)
    came("txn_ref=AA-S-3&dest=%2B6591231111&sms_status=queued")
    came("txn_ref=AA-F-1&dest=%2B6591231111&fax_status=ongoing", ago=DAY)
    told, untold, claimed, *_rest = Notification.objects.order_by("pk")
    Notification.objects.filter(pk=untold.pk).update(dispatched_at=None, claimed_until=NOW - DAY)
    Notification.objects.filter(pk=claimed.pk).update(dispatched_at=None, claimed_until=NOW + DAY)
    ReceiverFailure.objects.create(notification=told, signal="ivr_answer", receiver="shop.ring", failed_at=NOW)
    ReceiverFailure.objects.create(notification=told, signal="ivr_answer", receiver="shop.bill", mended_at=NOW)

    shown = figures(root)

    alarms = {label: (figure.value, figure.command) for label, figure in shown.items() if figure.is_alarming}
    assert alarms == {
        "Never told": ("1", "hoiio_recover"),
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
        if label != "Never told"
    } == {
        "Failed receivers": ["ivr_answer → shop.ring"],
        "Calls overdue": ["AA-C-1"],
        "SMS overdue": ["AA-S-1", "AA-S-2"],
        "Faxes overdue": ["AA-F-1"],
    }
    assert str(untold) in [str(row) for row in listed["Never told"].context["cl"].result_list]


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
    came("txn_ref=AA-S-1&sms_status=queued", ago=ago + DAY, origin=Origin.POLL)

    figure = figures(root)["Last notification"]

    moment = Notification.objects.get(origin=Origin.POST).received_at
    assert (figure.value, figure.note, figure.moment) == (value, "", moment)
    assert f"{moment:%Y-%m-%d %H:%M:%S}</time>" in look(root).content.decode()


def test_last_notification_says_where_hoiio_did_not_post_it(root: Client) -> None:
    came("txn_ref=AA-S-1&sms_status=queued", origin=Origin.POLL)

    assert figures(root)["Last notification"].note == "asked of Hoiio's history"


# The spool.


def test_spool_is_counted(root: Client, settings: Any, tmp_path: Path) -> None:
    settings.HOIIO = {"SPOOL_DIR": tmp_path / "spool"}
    waiting = Figure(label="Waiting in the spool", value="0")
    assert figures(root)["Waiting in the spool"] == waiting

    for _ in range(3):
        spool.keep(arrival("sms", "", "txn_ref=AA-S-1"), tmp_path / "spool")
    (tmp_path / "spool" / "half.part").touch()
    assert figures(root)["Waiting in the spool"] == Figure(
        label="Waiting in the spool", value="3", command="hoiio_recover", is_alarming=True
    )


def test_files_that_were_set_aside_are_an_alarm(root: Client, settings: Any, tmp_path: Path) -> None:
    settings.HOIIO = {"SPOOL_DIR": tmp_path}
    spool.set_aside(spool.keep(arrival("sms", "", "txn_ref=AA-S-1"), tmp_path))

    assert figures(root)["Waiting in the spool"] == Figure(
        label="Waiting in the spool", value="0", note="1 set aside", is_alarming=True
    )


def test_spool_that_cannot_be_read_breaks_nothing(root: Client, settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings.HOIIO = {"SPOOL_DIR": tmp_path / "file"}

    assert figures(root)["Waiting in the spool"] == Figure(
        label="Waiting in the spool", value="not readable", note="Not a directory", is_alarming=True
    )


# How far the totals are closed.


def test_days_that_nobody_closes_are_an_alarm(root: Client) -> None:
    came("txn_ref=AA-S-1&sms_status=delivered", ago=DAY * (USUALLY_OPEN - 1))
    assert not figures(root)["Totals closed up to"].is_alarming

    came("txn_ref=AA-S-2&sms_status=delivered", ago=DAY * 13)
    figure = figures(root)["Totals closed up to"]
    assert (figure.value, figure.note, figure.command, figure.is_alarming) == (
        "no day yet",
        "14 days are counted anew each time",
        "hoiio_prune",
        True,
    )


@pytest.mark.parametrize(("open_days", "is_alarming"), [(USUALLY_OPEN, False), (USUALLY_OPEN + 1, True)])
def test_totals_may_lag_behind_by_a_week_and_not_more(root: Client, open_days: int, is_alarming: bool) -> None:
    ClosedDay.objects.create(day=TODAY - DAY * open_days, closed_at=NOW)

    figure = figures(root)["Totals closed up to"]

    assert figure.is_alarming is is_alarming
    assert str((TODAY - DAY * open_days).year) in figure.value


def test_closing_each_day_keeps_the_alarm_away(root: Client) -> None:
    came("txn_ref=AA-S-1&sms_status=delivered", ago=DAY * 40)
    assert figures(root)["Totals closed up to"].is_alarming

    close()

    assert not figures(root)["Totals closed up to"].is_alarming


# Who sees what.

OF_NOTIFICATIONS = ["Last notification", "Waiting in the spool", "Never told"]


@pytest.mark.parametrize(
    ("models", "labels"),
    [
        ([Notification], OF_NOTIFICATIONS),
        ([ReceiverFailure], ["Failed receivers"]),
        ([Call], ["Calls overdue"]),
        ([Sms], ["SMS overdue"]),
        ([Fax], ["Faxes overdue"]),
        ([DailyTotal], ["Totals closed up to"]),
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
        "Waiting in the spool": "",
        "Never told": "/desk/django_hoiio/notification/?untold=yes",
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
        DailyTotal(day=TODAY - DAY * ago, account="other", kind=kind, count=5, succeeded=5, debit=1)
        for ago in range(20, 400)
        for kind in Traffic
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
        Notification(arrival=uuid4(), received_at=NOW, claimed_until=None if place % 90 else NOW - DAY, kind="unknown")
        for place in range(4000)
    ]
    Notification.objects.bulk_create(notifications, batch_size=500)
    with connection.cursor() as cursor:
        for model in (Sms, Notification):
            cursor.execute(f"ANALYZE {'TABLE ' if connection.vendor == 'mysql' else ''}{model._meta.db_table}")

    asked = {
        "hoiio_sms_final": Sms.objects.overdue(),
        "hoiio_notification_claimed": Notification.objects.undispatched().filter(claimed_until__lt=NOW),
    }

    assert [name for name, rows in asked.items() if name not in rows.order_by()[:1001].explain()] == []
    newest = Notification.objects.order_by("-received_at").values_list("received_at", "origin")[:1]
    assert "hoiio_notification_received" in newest.explain()
