"""Daily totals, open and closed, compared with independent counts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, connections
from django.utils import timezone as django_timezone

from django_hoiio.enums import Kind, Traffic
from django_hoiio.ingest import ingest
from django_hoiio.ingest.outgoing import enter
from django_hoiio.models import Call, ClosedDay, DailyTotal, Fax, Sms, Transaction
from django_hoiio.retention import totals as module
from django_hoiio.retention.totals import SETTLED_AFTER, Total, close, closed_up_to, counted_from, totals
from tests.conftest import raw_notification
from tests.plans import ROWS, learn

pytestmark = pytest.mark.django_db

NOW = datetime.now(timezone.utc)
TODAY = NOW.date()
DAY = timedelta(days=1)


def received(body: str, *, ago: timedelta = timedelta(0), route: str = "any", account: str = "default") -> None:
    """Ingest a notification that was received so long ago."""
    ingest(raw_notification(route, "", body, received_at=NOW - ago, account=account))


def total(kind: Traffic, count: int, succeeded: int, debit: str = "0", currency: str = "", **other: Any) -> Total:
    return Total(
        **{
            "day": TODAY,
            "account": "default",
            "traffic": kind,
            "currency": currency,
            "count": count,
            "succeeded": succeeded,
            "debit": Decimal(debit),
            **other,
        }
    )


def of_today() -> list[Total]:
    return totals(TODAY, TODAY)


# Kinds of traffic.


@pytest.mark.parametrize(
    ("route", "body", "kind", "succeeded"),
    [
        ("voice", "dest1=%2B6511111111&call_status_dest1=answered", Traffic.CALLS_MADE, 1),
        ("voice", "dest1=%2B6511111111&call_status_dest1=answered&call_status_dest2=busy", Traffic.CALLS_MADE, 0),
        ("voice", "dest1=%2B6511111111&call_status_dest1=answered&call_status_dest2=later", Traffic.CALLS_MADE, 0),
        ("voice", "call_status=unanswered", Traffic.CALLS_RECEIVED, 0),
        ("ivr", "from=%2B6511111111&call_state=ringing", Traffic.CALLS_RECEIVED, 0),
        ("ivr", "from=&call_state=ended&duration=2", Traffic.CALLS_RECEIVED, 1),
        ("ivr", "session=S1&call_state=ended&duration=0", Traffic.CALLS_RECEIVED, 0),
        ("ivr", "session=S1&call_state=ended&duration=3&transfer_status=busy", Traffic.CALLS_RECEIVED, 0),
        ("ivr", "session=S1&call_state=ongoing&dial_status=answered&dest=%2B6511111111", Traffic.CALLS_MADE, 0),
        ("sms", "sms_status=delivered&dest=%2B6511111111", Traffic.SMS_SENT, 1),
        ("sms", "sms_status=queued", Traffic.SMS_SENT, 0),
        ("sms", "sms_status=received", Traffic.SMS_RECEIVED, 1),
        ("sms", "msg=hello&from=%2B6511111111&to=%2B6500000000", Traffic.SMS_RECEIVED, 1),
        ("sms", "msg=hello", Traffic.SMS_RECEIVED, 1),
        ("sms", "status=error_dest_not_supported&bulk_txn_ref=AA-B-1", Traffic.SMS_SENT, 0),
        ("sms", "status=success_ok", Traffic.SMS_SENT, 0),
        ("fax", "fax_status=answered&dest=%2B6511111111", Traffic.FAXES_SENT, 1),
        ("fax", "fax_status=answered", Traffic.FAXES_SENT, 1),
        ("fax", "fax_status=busy&dest=%2B6511111111", Traffic.FAXES_SENT, 0),
        ("fax", "fax_status=answered&from=%2B6511111111", Traffic.FAXES_RECEIVED, 1),
        ("fax", "fax_status=failed&from=%2B6511111111", Traffic.FAXES_RECEIVED, 0),
    ],
)
def test_each_row_counts_as_one_kind_of_traffic(route: str, body: str, kind: Traffic, succeeded: int) -> None:
    received(f"txn_ref=AA-1&{body}", route=route)

    assert of_today() == [total(kind, 1, succeeded)]


def test_sent_transaction_without_a_notification_is_counted_as_sent() -> None:
    enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": "+6511111111"})

    assert totals(TODAY, TODAY + DAY) == [total(Traffic.SMS_SENT, 1, 0, day=django_timezone.now().date())]


def test_debits_are_summed_by_currency_and_account_and_never_computed() -> None:
    for number in range(3):
        received(f"txn_ref=AA-S-{number}&sms_status=delivered&currency=SGD&rate=9&debit=0.1")
    received("txn_ref=AA-S-3&sms_status=delivered&currency=SGD&rate=9")
    received("txn_ref=AA-S-4&sms_status=failed&currency=USD&debit=0.033333")
    received("txn_ref=AA-S-5&sms_status=failed&debit=7")
    received("txn_ref=AA-S-5&sms_status=failed&currency=SGD&debit=7", account="other")

    assert of_today() == [
        total(Traffic.SMS_SENT, 1, 0, "7"),
        total(Traffic.SMS_SENT, 4, 4, "0.3", "SGD"),
        total(Traffic.SMS_SENT, 1, 0, "0.033333", "USD"),
        total(Traffic.SMS_SENT, 1, 0, "7", "SGD", account="other"),
    ]


def test_spellings_of_a_currency_are_one_also_when_the_day_is_closed() -> None:
    for number, currency in enumerate(("SGD", "sgd", "SGD%20", "%20sGd")):
        received(f"txn_ref=AA-S-{number}&sms_status=delivered&currency={currency}&debit=0.{number}", ago=20 * DAY)
    day = TODAY - 20 * DAY
    expected = [total(Traffic.SMS_SENT, 4, 4, "0.6", "SGD", day=day)]

    assert (totals(day, day), close(), totals(day, day)) == (expected, 13, expected)


def test_sum_of_debits_is_exact_to_the_last_place() -> None:
    for number, debit in enumerate(("123456789.000001", "123456789.000001", "0.000002")):
        received(f"txn_ref=AA-S-{number}&sms_status=delivered&currency=SGD&debit={debit}")

    (found,) = of_today()

    assert found.debit == Decimal("246913578.000004")


# Days.


def test_day_is_in_the_time_zone_of_the_project_for_every_user(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Singapore"
    for reference, moment in (("AA-S-1", "15:59:59.999999"), ("AA-S-2", "16:00:00")):
        body = f"txn_ref={reference}&sms_status=delivered"
        ingest(raw_notification(body=body, received_at=datetime.fromisoformat(f"2026-03-01T{moment}+00:00")))

    with django_timezone.override("America/New_York"):
        found = [(one.day, one.count) for one in totals(date(2026, 2, 1), date(2026, 3, 31))]

    assert found == [(date(2026, 3, 1), 1), (date(2026, 3, 2), 1)]


def test_day_of_a_clock_change_is_counted_completely(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    berlin = ZoneInfo("Europe/Berlin")
    begins, ends = datetime(2026, 3, 29, tzinfo=berlin), datetime(2026, 3, 30, tzinfo=berlin)
    for number, moment in enumerate((begins - timedelta.resolution, begins, ends - timedelta.resolution, ends)):
        body = f"txn_ref=AA-S-{number}&sms_status=delivered"
        ingest(raw_notification(body=body, received_at=moment.astimezone(timezone.utc)))

    found = [(one.day.day, one.count) for one in totals(date(2026, 3, 1), date(2026, 3, 31))]

    assert found == [(28, 1), (29, 2), (30, 1)]


def test_nothing_is_counted_without_transactions() -> None:
    assert totals(TODAY - 400 * DAY, TODAY) == []
    assert totals(TODAY, TODAY - DAY) == []


# Closing.


def test_days_are_closed_that_ended_a_week_ago_and_figures_stay_the_same() -> None:
    for ago in range(12):
        received(f"txn_ref=AA-S-{ago}&sms_status=delivered&currency=SGD&debit=0.0{ago}", ago=DAY * ago)
    before = totals(TODAY - 30 * DAY, TODAY)

    closed = close()

    last = TODAY - SETTLED_AFTER - DAY
    assert closed == 4
    assert list(ClosedDay.objects.order_by("day").values_list("day", flat=True)) == [
        last - 3 * DAY,
        last - 2 * DAY,
        last - DAY,
        last,
    ]
    assert [row.day for row in DailyTotal.objects.order_by("day")] == [last - 3 * DAY, last - 2 * DAY, last - DAY, last]
    assert totals(TODAY - 30 * DAY, TODAY) == before
    assert len(before) == 12


def test_closed_day_outlives_its_rows_and_is_never_rewritten() -> None:
    received("txn_ref=AA-S-1&sms_status=queued", ago=20 * DAY)
    close()
    before = totals(TODAY - 30 * DAY, TODAY)

    received("txn_ref=AA-S-1&sms_status=delivered&currency=SGD&debit=1", ago=DAY)
    received("txn_ref=AA-S-2&sms_status=delivered", ago=20 * DAY)
    assert (close(), totals(TODAY - 30 * DAY, TODAY)) == (0, before)

    Sms.objects.all().delete()
    assert (close(), totals(TODAY - 30 * DAY, TODAY)) == (0, before)


def test_days_without_traffic_are_closed_too_and_not_counted_anew(django_assert_max_num_queries: Any) -> None:
    received("txn_ref=AA-S-1&sms_status=queued", ago=20 * DAY)
    closed = close()

    with django_assert_max_num_queries(1):
        again = close()

    assert (closed, again) == (13, 0)
    assert ClosedDay.objects.count() == 13
    assert DailyTotal.objects.count() == 1


def test_days_are_closed_earlier_on_demand_but_never_one_that_is_not_over() -> None:
    received("txn_ref=AA-S-1&sms_status=queued", ago=3 * DAY)

    assert (close(), close(up_to=TODAY - 2 * DAY), close(up_to=TODAY + 5 * DAY), close()) == (0, 2, 1, 0)
    assert closed_up_to("default") == TODAY - DAY


def test_nothing_is_closed_without_transactions() -> None:
    assert (close(), ClosedDay.objects.count()) == (0, 0)


def test_day_that_is_closed_while_it_is_read_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    received("txn_ref=AA-S-1&sms_status=delivered", ago=20 * DAY)
    before = totals(TODAY - 30 * DAY, TODAY)
    written = module._written

    def closing(*arguments: Any) -> Iterator[Total]:
        found = list(written(*arguments))
        close()
        Sms.objects.all().delete()
        return iter(found)

    monkeypatch.setattr(module, "_written", closing)

    assert totals(TODAY - 30 * DAY, TODAY) == before


def test_totals_without_their_closed_day_are_an_error_and_close_nothing() -> None:
    received("txn_ref=AA-S-1&sms_status=delivered", ago=20 * DAY)
    DailyTotal(**vars(totals(TODAY - 20 * DAY, TODAY - 20 * DAY)[0])).save()

    with pytest.raises(IntegrityError):
        close()

    assert (ClosedDay.objects.count(), DailyTotal.objects.count()) == (0, 1)


@pytest.mark.django_db(transaction=True)
def test_two_processes_close_each_day_once() -> None:
    for ago in range(10, 40):
        received(f"txn_ref=AA-S-{ago}&sms_status=delivered&currency=SGD&debit=1", ago=DAY * ago)
    before = totals(TODAY - 50 * DAY, TODAY)
    together, closed = threading.Barrier(3), []

    def run() -> None:
        try:
            together.wait()
            closed.append(close())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(closed) == ClosedDay.objects.count() == 32
    assert totals(TODAY - 50 * DAY, TODAY) == before
    assert DailyTotal.objects.count() == 30


# The index.


# With a transaction around it, MariaDB's ANALYZE would commit.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", [Call, Sms, Fax])
def test_day_is_found_through_the_index(model: type[Transaction]) -> None:
    rows = [
        model(txn_ref=f"AA-{number}", is_final=number % 9 > 0, created_at=NOW - DAY * number / 20, updated_at=NOW)
        for number in range(4 * ROWS)
    ]
    model._default_manager.bulk_create(rows, batch_size=500)
    learn(model)

    plan = module._rows_of(model, TODAY - 5 * DAY, "default").explain()

    assert f"hoiio_{model._meta.model_name}_final" in plan


def test_days_after_the_last_that_is_closed_are_counted_anew() -> None:
    assert counted_from("default") is None

    received("txn_ref=AA-S-1&sms_status=queued", ago=20 * DAY)
    assert counted_from("default") == TODAY - 20 * DAY

    close()
    assert counted_from("default") == TODAY - SETTLED_AFTER
