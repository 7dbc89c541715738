"""Raw statements write and read the same values as the ORM, for every field."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections
from django.db.models import Model
from django.db.models.signals import post_init

from django_hoiio.models import Call, Fax, Notification, Sms
from django_hoiio.recording import raw, tables
from django_hoiio.recording.raw import insert_of, pk_of, update_dispatched
from django_hoiio.recording.tables import table_of

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 1, 1, 8, 0, 0, 123456, tzinfo=timezone.utc)
EVENING = datetime(2026, 1, 1, 20, tzinfo=timezone(timedelta(hours=-5)))
UUID_1 = UUID(int=1)

FULL: dict[type[Model], dict[str, Any]] = {
    Notification: {
        "uuid": UUID_1,
        "received_at": MORNING.astimezone(timezone(timedelta(hours=8))),
        "kind": "sms_status",
        "route": "sms",
        "account": "default",
        "txn_ref": "AA-S-1",
        "session": "S1",
        "params": {"msg": "Grüße, 世界 'quoted' %s %(x)s"},
        "pass_on": {"list": [1, None, {"a": "b"}]},
        "problems": {"date": "is not a date"},
        "unverified_params": ["x"],
        "query": "a=%25s&b='",
        "body": b"\x00\xff%s'",
        "headers": {"User-Agent": "x"},
        "remote_addr": "127.0.0.1",
        "verified_by": "url",
        "source": "webhook",
        "dispatched_at": MORNING,
        "claimed_until": MORNING + timedelta(minutes=5),
    },
    Sms: {
        "account": "default",
        "txn_ref": "AA-S-1",
        "notification_uuid": UUID_1,
        "is_final": True,
        "date": MORNING,
        "rate": Decimal("-0.038000"),
        "debit": Decimal("123456789.123456"),
        "created_at": MORNING,
        "updated_at": MORNING,
        "stamps": "4" * 17,
        "msg": "100 %s",
        "split_count": 2,
    },
    Call: {"account": "default", "is_final": False, "created_at": MORNING, "updated_at": MORNING, "duration": 0},
    Fax: {"account": "default", "is_final": False, "created_at": MORNING, "updated_at": MORNING, "fax_pages": 3},
}


def _write(model: type[Model], values: dict[str, Any]) -> None:
    table = table_of(model, "default")
    statement = table.statement(table.insert(values), values)
    with connection.cursor() as cursor:
        cursor.execute(statement.sql, statement.params(values.values()))


def _given_back(model: type[Model], values: dict[str, Any]) -> list[Any]:
    """Insert `values` and return the row as the statement returned it."""
    table = table_of(model, "default")
    statement = table.statement(f"{table.insert(values)} RETURNING {table.whole_row}", values)
    with connection.cursor() as cursor:
        cursor.execute(statement.sql, statement.params(values.values()))
        return list(cursor.fetchone())


def _values(row: Model) -> dict[str, Any]:
    held = {field.name: field.value_from_object(row) for field in row._meta.concrete_fields}
    return {name: bytes(value) if isinstance(value, memoryview) else value for name, value in held.items()}


@pytest.mark.parametrize("model", FULL)
def test_orm_reads_the_inserted_values(model: type[Model]) -> None:
    _write(model, table_of(model, "default").without_defaults(FULL[model]))

    stored = _values(model._base_manager.get())

    assert {name: value for name, value in stored.items() if name in FULL[model]} == FULL[model]


@pytest.mark.parametrize("model", [Sms, Call, Fax])
@pytest.mark.parametrize("odd", ["", "Grüße, 世界 🎉 'quoted' \"twice\" %s \\ \x01\n", "[1]"])
def test_returned_row_equals_the_row_that_the_orm_reads(model: type[Model], odd: str) -> None:
    table = table_of(model, "default")

    row = table.instance(_given_back(model, table.without_defaults({**FULL[model], "tag": odd})))

    assert isinstance(row, model)
    assert (row._state.db, row._state.adding) == ("default", False)
    # Also distinguish 1 and True, 0.5 and 0.50.
    assert repr(_values(row)) == repr(_values(model._base_manager.get()))
    assert {name: value for name, value in _values(row).items() if name in FULL[model]} == FULL[model]


def test_cached_json_is_not_used_for_an_equal_value_of_another_type() -> None:
    passed_on: list[Any] = [{"a": 1}, {"a": True}, {"a": 1.0}, {"a": [1]}, {"a": [True]}, {"a": "1"}, {"a": 1}]
    for number, pass_on in enumerate(passed_on):
        _write(Notification, {**FULL[Notification], "pass_on": pass_on, "uuid": UUID(int=number)})

    stored = Notification.objects.order_by("pk").values_list("pass_on", flat=True)

    # PostgreSQL stores numbers as written, and returns 1.0 as such.
    assert repr(list(stored)) == repr(passed_on)


def test_json_that_is_changed_in_place_changes_nothing_that_is_written_later() -> None:
    headers = {"User-Agent": "x"}
    _write(Notification, {**FULL[Notification], "headers": headers})

    headers["User-Agent"] = "y"
    _write(Notification, {**FULL[Notification], "headers": headers, "uuid": UUID(int=2)})
    _write(Notification, {**FULL[Notification], "headers": {"User-Agent": "x"}, "uuid": UUID(int=3)})

    stored = Notification.objects.order_by("pk").values_list("headers", flat=True)
    assert list(stored) == [{"User-Agent": "x"}, {"User-Agent": "y"}, {"User-Agent": "x"}]


def test_no_more_json_is_remembered_than_fits() -> None:
    for number in range(200):
        headers = {"User-Agent": str(number), "Other": "x" * number * 10}
        _write(Notification, {**FULL[Notification], "headers": headers, "uuid": UUID(int=number)})

    stored = Notification.objects.order_by("pk").values_list("headers", flat=True)

    assert list(stored) == [{"User-Agent": str(number), "Other": "x" * number * 10} for number in range(200)]


@pytest.fixture
def in_singapore(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the database store moments in its own time zone, if it supports that."""

    def forget() -> None:
        for name in ("timezone", "timezone_name"):
            vars(connections["default"]).pop(name, None)
        tables._closed_connection.cache_clear()
        table_of.cache_clear()
        raw._insert.cache_clear()

    if not connection.features.supports_timezones:
        monkeypatch.setitem(connection.settings_dict, "TIME_ZONE", "Asia/Singapore")
    forget()
    yield
    monkeypatch.undo()
    forget()


def test_moments_are_stored_in_the_time_zone_of_the_database(in_singapore: None) -> None:
    row = table_of(Sms, "default").instance(_given_back(Sms, {**FULL[Sms], "date": EVENING}))

    assert (row.date, row.created_at) == (EVENING, MORNING)
    assert [(stored.date, stored.created_at) for stored in Sms.objects.all()] == [(EVENING, MORNING)]
    if not connection.features.supports_timezones:
        with connection.cursor() as cursor:
            cursor.execute("SELECT CAST(created_at AS CHAR) FROM django_hoiio_sms")
            assert cursor.fetchone() == ("2026-01-01 16:00:00.123456",)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="elsewhere a moment is no text")
@pytest.mark.parametrize(
    "written",
    ["2026-01-01 08:00:00", "2026-01-01T08:00:00.0", "2026-01-01 16:00:00+08:00", "2026-01-01 08:00Z"],
)
def test_moments_that_other_programs_wrote_are_read_like_the_orm(written: str) -> None:
    table, values = table_of(Sms, "default"), {**FULL[Sms], "date": EVENING}
    statement = table.statement(f"{table.insert(values)} RETURNING {table.whole_row}", values)
    with connection.cursor() as cursor:
        cursor.execute(statement.sql, {**statement.params(values.values()), "sms_date": written})
        row = table.instance(cursor.fetchone())

    assert row.date == Sms.objects.get().date == datetime(2026, 1, 1, 8, tzinfo=timezone.utc)


def test_instance_can_be_saved_and_refreshed() -> None:
    table = table_of(Sms, "default")
    row = table.instance(_given_back(Sms, table.without_defaults(FULL[Sms])))

    row.tag = "other"
    row.save(update_fields=["tag"])
    row.refresh_from_db()

    assert (row.tag, list(Sms.objects.all())) == ("other", [row])


def test_omitted_fields_have_the_same_defaults_as_in_the_orm() -> None:
    least = {
        "uuid": UUID_1,
        "received_at": MORNING,
        "kind": "unknown",
        "route": "any",
        "verified_by": "",
        "body": b"",
    }
    by_orm = Notification.objects.create(**{**least, "uuid": UUID(int=2)})
    _write(Notification, {**least, "account": "default", "source": "webhook"})

    row = Notification.objects.get(uuid=UUID_1)
    differences = {name for name, value in _values(row).items() if value != _values(by_orm)[name]}
    assert differences == {"id", "uuid"}


def test_empty_values_of_a_raw_row_are_omitted_from_the_parameters() -> None:
    row = {**FULL[Notification], "problems": {}, "unverified_params": [], "query": "", "session": None, "txn_ref": None}

    sql, params = insert_of(row, "default")

    assert "notification_problems" not in params
    marks = [mark for name, mark in table_of(Notification, "default").marks.items() if mark in sql]
    assert len(marks) == len(params) == len(row) - 5
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        pk = pk_of(cursor)
    stored = _values(Notification.objects.get(pk=pk))
    assert {name: stored[name] for name in row} == row


def test_only_the_given_notification_is_marked_as_dispatched() -> None:
    values = {name: value for name, value in FULL[Notification].items() if name != "dispatched_at"}
    for number in (1, 2):
        _write(Notification, {**values, "uuid": UUID(int=number)})
    pks = list(Notification.objects.order_by("uuid").values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(*update_dispatched(pks[0], MORNING, [("sms_status", "x.y")], "default"))
        assert cursor.rowcount == 1

    dispatched, pending = (Notification.objects.get(pk=pk) for pk in pks)
    assert (dispatched.dispatched_at, dispatched.claimed_until) == (MORNING, None)
    assert (pending.dispatched_at, pending.claimed_until) == (None, MORNING + timedelta(minutes=5))


def test_init_signals_are_sent_for_instances() -> None:
    heard = []

    def hear(sender: type[Model], **kwargs: Any) -> None:
        heard.append(sender)

    table = table_of(Sms, "default")
    fetched = _given_back(Sms, table.without_defaults(FULL[Sms]))
    post_init.connect(hear, sender=Sms)
    try:
        row = table.instance(fetched)
    finally:
        post_init.disconnect(hear, sender=Sms)

    assert heard == [Sms]
    assert _values(row) == _values(table.instance(fetched))


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL alone can commit without waiting")
def test_commits_after_the_mark_wait_for_the_disk_as_before() -> None:
    with connection.cursor() as cursor:
        cursor.execute(*update_dispatched(1, MORNING, [], "default"))
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", [Sms, Call, Fax])
def test_table_first_used_in_a_thread_outlives_the_thread(model: type[Model]) -> None:
    table_of.cache_clear()
    tables._closed_connection.cache_clear()
    theirs = []

    def load() -> None:
        theirs.append(weakref.ref(connections["default"]))
        table_of(model, "default")
        connections.close_all()

    thread = threading.Thread(target=load)
    thread.start()
    thread.join()

    table = table_of(model, "default")
    row = table.instance(_given_back(model, FULL[model]))
    assert _values(row) == _values(model._base_manager.get())
    gc.collect()
    assert [connection() for connection in theirs] == [None]
