"""What the ORM would have written and read, for every field."""

from __future__ import annotations

import gc
import threading
import weakref
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections
from django.db.models import Model
from django.db.models.signals import post_init

from django_hoiio.models import Call, Fax, Notification, Sms
from django_hoiio.recording.raw import insert_of, pk_of, update_as_told
from django_hoiio.recording.tables import table_of

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 1, 1, 8, 0, 0, 123456, tzinfo=timezone.utc)
UUID_1 = UUID(int=1)

FULL: dict[type[Model], dict[str, Any]] = {
    Notification: {
        "arrival": UUID_1,
        "received_at": MORNING.astimezone(timezone(timedelta(hours=8))),
        "kind": "sms_status",
        "route": "sms",
        "account": "default",
        "txn_ref": "AA-S-1",
        "session": "S1",
        "params": {"msg": "Grüße, 世界 'quoted' %s %(x)s"},
        "pass_on": {"list": [1, None, {"a": "b"}]},
        "problems": {"date": "is not a date"},
        "unproved": ["x"],
        "query": "a=%25s&b='",
        "body": b"\x00\xff%s'",
        "headers": {"User-Agent": "x"},
        "remote_addr": "127.0.0.1",
        "proof": "url",
        "origin": "post",
        "dispatched_at": MORNING,
        "claimed_until": MORNING + timedelta(minutes=5),
    },
    Sms: {
        "account": "default",
        "txn_ref": "AA-S-1",
        "arrival": UUID_1,
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


def _kept(model: type[Model], said: dict[str, Any]) -> list[Any]:
    """The columns of a row that was written as `said`."""
    table = table_of(model, "default")
    with connection.cursor() as cursor:
        returning = ", ".join(table.columns.values())
        cursor.execute(f"{table.insert(said)} RETURNING {returning}", table.params(said))
        return list(cursor.fetchone())


def _values(row: Model) -> dict[str, Any]:
    held = {field.name: field.value_from_object(row) for field in row._meta.concrete_fields}
    return {name: bytes(value) if isinstance(value, memoryview) else value for name, value in held.items()}


@pytest.mark.parametrize("model", FULL)
def test_what_goes_in_is_what_the_orm_reads_and_what_comes_out_is_the_same(model: type[Model]) -> None:
    table = table_of(model, "default")

    row = table.instance(_kept(model, table.said(FULL[model])))

    assert isinstance(row, model)
    assert (row._state.db, row._state.adding) == ("default", False)
    assert _values(row) == _values(model._base_manager.get(pk=row.pk))
    assert {name: value for name, value in _values(row).items() if name in FULL[model]} == FULL[model]


def test_two_that_are_read_alike_share_nothing_that_can_be_changed() -> None:
    table = table_of(Notification, "default")
    fetched = _kept(Notification, table.said(FULL[Notification]))

    one, other = table.instance(fetched), table.instance(fetched)
    one.params.clear()
    one.unproved.append("x")

    assert _values(other) == _values(Notification.objects.get())


def test_model_that_was_put_together_can_be_saved_and_refreshed_as_any_other() -> None:
    table = table_of(Sms, "default")
    row = table.instance(_kept(Sms, table.said(FULL[Sms])))

    row.tag = "other"
    row.save(update_fields=["tag"])
    row.refresh_from_db()

    assert (row.tag, list(Sms.objects.all())) == ("other", [row])


def test_what_is_not_said_is_empty_as_the_orm_leaves_it() -> None:
    least = {"arrival": UUID_1, "received_at": MORNING, "kind": "unknown", "route": "any", "proof": "none", "body": b""}
    by_orm = Notification.objects.create(**{**least, "arrival": UUID(int=2)})
    said = {**least, "account": "default", "origin": "post"}

    row = table_of(Notification, "default").instance(_kept(Notification, said))

    differences = {name for name, value in _values(row).items() if value != _values(by_orm)[name]}
    assert differences == {"id", "arrival"}


def test_empty_values_of_a_raw_row_are_left_to_the_statement() -> None:
    row = {**FULL[Notification], "problems": {}, "unproved": [], "query": "", "session": "", "txn_ref": None}

    sql, params = insert_of(row, "default")

    assert "notification_problems" not in params
    assert params["notification_txn_ref"] is None
    marks = [mark for name, mark in table_of(Notification, "default").marks.items() if mark in sql]
    assert len(marks) == len(params) == len(row) - 4
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        pk = pk_of(cursor)
    kept = _values(Notification.objects.get(pk=pk))
    assert {name: kept[name] for name in row} == row


def test_only_the_notification_is_marked_as_told() -> None:
    pks = [
        _kept(Notification, {**FULL[Notification], "arrival": UUID(int=number), "dispatched_at": None})[0]
        for number in (1, 2)
    ]
    with connection.cursor() as cursor:
        cursor.execute(*update_as_told(pks[0], MORNING, [("sms_status", "x.y")], "default"))
        assert cursor.rowcount == 1

    told, untold = (Notification.objects.get(pk=pk) for pk in pks)
    assert (told.dispatched_at, told.claimed_until) == (MORNING, None)
    assert (untold.dispatched_at, untold.claimed_until) == (None, MORNING + timedelta(minutes=5))


def test_who_listens_to_new_models_hears_of_those_that_are_put_together() -> None:
    heard = []

    def hear(sender: type[Model], **kwargs: Any) -> None:
        heard.append(sender)

    table = table_of(Sms, "default")
    fetched = _kept(Sms, table.said(FULL[Sms]))
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
        cursor.execute(*update_as_told(1, MORNING, [], "default"))
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", FULL)
def test_table_that_a_thread_asked_for_first_serves_the_others_when_it_is_gone(model: type[Model]) -> None:
    table_of.cache_clear()
    theirs = []

    def ask() -> None:
        theirs.append(weakref.ref(connections["default"]))
        table_of(model, "default")
        connections.close_all()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()

    table = table_of(model, "default")
    assert _values(table.instance(_kept(model, FULL[model]))) == _values(model._base_manager.get())
    gc.collect()
    assert [connection() for connection in theirs] == [None]
