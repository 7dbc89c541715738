from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_hoiio import database
from django_hoiio.database import OpenTransaction
from django_hoiio.enums import Source
from django_hoiio.ingest import ingest, upsert
from django_hoiio.ingest.upsert import store
from django_hoiio.models import Call, Fax, Notification, Sms, Transaction
from django_hoiio.parsing import parse
from django_hoiio.signals import sms_status
from tests import ROOT
from tests.conftest import deadlock, raw_notification, values
from tests.documents import column
from tests.ingest.test_concurrency import at_once

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 1, 1, 8, tzinfo=timezone.utc)
BY_HYPOTHESIS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def receive(content: str, **fields: Any) -> Notification:
    return ingest(raw_notification("any", "", content, **fields)).notification


def sms(txn_ref: str = "AA-S-1", **kwargs: Any) -> Sms:
    return Sms.objects.get(txn_ref=txn_ref, **kwargs)


# The last report wins, by rank and then by time of reception.


def test_later_report_of_equal_rank_overwrites_only_its_own_fields() -> None:
    receive("txn_ref=AA-S-1&sms_status=delivered&tag=one&debit=0.032&dest=%2B6511111111")
    receive("txn_ref=AA-S-1&sms_status=failed&debit=0.000&tag=")

    row = sms()
    assert (row.sms_status, row.tag, str(row.debit), row.dest) == ("failed", "one", "0.000000", "+6511111111")


def test_late_queued_report_does_not_undo_delivered_and_fills_only_empty_fields() -> None:
    receive("txn_ref=AA-S-1&sms_status=delivered&tag=final")
    receive("txn_ref=AA-S-1&sms_status=queued&tag=late&dest=%2B6511111111")

    row = sms()
    assert (row.sms_status, row.is_final, row.tag, row.dest) == ("delivered", True, "final", "+6511111111")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_example_of_the_architecture_page_is_the_same_in_any_order(order: tuple[int, ...]) -> None:
    page = ROOT / "docs/project/architecture.rst"
    reports = list(zip(column(page, "received"), column(page, "report"), strict=True))
    for number in order:
        moment, report = reports[number]
        receive(f"txn_ref=AA-S-1&{report}", received_at=datetime.fromisoformat(f"2026-01-01T{moment}+00:00"))

    assert (sms().sms_status, sms().tag, sms().currency) == ("delivered", "a", "SGD")


def test_unknown_status_is_stored_but_never_undoes_a_final_one() -> None:
    receive("txn_ref=AA-S-1&sms_status=queued")
    receive("txn_ref=AA-S-1&sms_status=martian")
    assert (sms().sms_status, sms().is_final) == ("martian", False)

    receive("txn_ref=AA-S-1&sms_status=delivered")
    receive("txn_ref=AA-S-1&sms_status=martian")
    assert (sms().sms_status, sms().is_final) == ("delivered", True)


def test_imported_old_report_does_not_overwrite_a_newer_report_of_equal_rank() -> None:
    receive("txn_ref=AA-S-1&sms_status=failed", received_at=MORNING)
    receive("txn_ref=AA-S-1&sms_status=delivered&tag=old", received_at=MORNING - timedelta(microseconds=1))

    row = sms()
    assert (row.sms_status, row.tag) == ("failed", "old")
    assert (row.created_at, row.updated_at) == (MORNING - timedelta(microseconds=1), MORNING)


def test_state_is_the_same_for_all_orders_even_with_three_ranks_at_odds() -> None:
    reports = [
        "session=S1&call_state=ringing&tag=ringing&from=%2B651&to=%2B659",
        "session=S1&call_state=ongoing&tag=ongoing&dial_status=answered",
        "session=S1&call_state=ended&duration=2",
    ]
    states = []
    for number, order in enumerate(permutations(reports)):
        for content in order:
            receive(f"{content}&txn_ref=AA-C-{number}")
        states.append({**values(Call.objects.get(txn_ref=f"AA-C-{number}")), "txn_ref": None})

    assert states == [states[0]] * 6
    assert (states[0]["tag"], states[0]["call_state"], states[0]["from_number"]) == ("ongoing", "ended", "+651")


SMS_LIFE = [
    "status=success_ok&dest=%2B6511111111&bulk_txn_ref=AA-B-147",
    "sms_status=queued&date=2014-01-23+14%3A44%3A31&dest=%2B6511111111&currency=SGD&rate=0.032&debit=0.032",
    "sms_status=delivered&tag=myapp&date=2014-01-23+14%3A44%3A31.0&dest=%2B6511111111&split_count=1&currency=SGD",
]
IVR_SESSION = [
    "call_state=ringing&session=S3839&from=%2B6511111111&to=%2B6500000000",
    "call_state=ongoing&session=S3839&from=%2B6511111111&to=%2B6500000000&digits=1",
    "call_state=ongoing&session=S3839&dest=%2B6522222222&transfer_status=answered",
    "call_state=ongoing&session=S3839&from=%2B6511111111&record_url=http%3A%2F%2Fexample.com%2Fr.mp3",
    "call_state=ended&session=S3839&from=%2B6511111111&duration=2&date=2013-09-27+17%3A30%3A57&debit=0.036&currency=SGD",
]


@BY_HYPOTHESIS
@given(data=st.data())
@pytest.mark.parametrize(("model", "life"), [(Sms, SMS_LIFE), (Call, IVR_SESSION)], ids=["sms", "ivr"])
def test_every_order_and_repetition_ends_in_the_same_state(
    model: type[Transaction], life: list[str], data: st.DataObject
) -> None:
    repeated = data.draw(st.lists(st.sampled_from(life), max_size=6))
    order = data.draw(st.permutations(life + repeated))
    straight, crooked = f"AA-{uuid4()}", f"AA-{uuid4()}"
    for content in life:
        receive(f"{content}&txn_ref={straight}")
    for content in order:
        receive(f"{content}&txn_ref={crooked}")

    expected, found = (values(model._default_manager.get(txn_ref=txn_ref)) for txn_ref in (straight, crooked))
    assert {**found, "txn_ref": None} == {**expected, "txn_ref": None}


# The row of a notification.


def test_same_reference_of_another_account_is_another_transaction() -> None:
    receive("txn_ref=AA-S-1&sms_status=queued")
    receive("txn_ref=AA-S-1&sms_status=failed", account="second")

    assert sorted(Sms.objects.values_list("account", "sms_status")) == [("default", "queued"), ("second", "failed")]


def test_references_that_differ_in_case_are_two_transactions() -> None:
    receive("txn_ref=AA-S-1&sms_status=queued")
    receive("txn_ref=aa-s-1&sms_status=failed")

    assert sorted(Sms.objects.values_list("txn_ref", "sms_status")) == [("AA-S-1", "queued"), ("aa-s-1", "failed")]


def test_ivr_notification_without_reference_goes_to_the_newest_call_of_its_session() -> None:
    receive("txn_ref=AA-C-1&session=S1&call_state=ringing", received_at=MORNING)
    receive("txn_ref=AA-C-2&session=S1&call_state=ringing", received_at=MORNING + timedelta(hours=1))
    receive("txn_ref=AA-C-3&session=S1&call_state=ringing", account="second")
    stored = receive("session=S1&call_state=ended&duration=3")

    assert list(Call.objects.order_by("txn_ref").values_list("txn_ref", "call_state", "duration")) == [
        ("AA-C-1", "ringing", None),
        ("AA-C-2", "ended", 3),
        ("AA-C-3", "ringing", None),
    ]
    assert stored.txn_ref is None
    assert list(Call.objects.get(txn_ref="AA-C-2").notifications.order_by("pk")) == [
        Notification.objects.get(txn_ref="AA-C-2"),
        stored,
    ]


def test_link_to_the_call_of_a_session_stays_although_a_newer_call_of_the_session_comes() -> None:
    receive("txn_ref=AA-C-1&session=S1&call_state=ringing&from=%2B6511111111")
    gathered = receive("session=S1&ivr_block=gather&digits=1&call_state=ongoing")
    receive("txn_ref=AA-C-2&session=S1&call_state=ringing&from=%2B6599999999")

    gathered.refresh_from_db()
    assert gathered.transaction == Call.objects.get(txn_ref="AA-C-1")


def test_late_notification_of_a_session_goes_to_the_call_that_had_begun() -> None:
    receive("txn_ref=AA-C-1&session=S1&call_state=ringing", received_at=MORNING)
    receive("txn_ref=AA-C-2&session=S1&call_state=ringing", received_at=MORNING + timedelta(hours=2))

    late = receive("session=S1&digits=1", received_at=MORNING + timedelta(hours=1))
    early = receive("session=S1&digits=1", received_at=MORNING - timedelta(hours=1))

    assert [each.transaction.txn_ref for each in (late, early)] == ["AA-C-1", "AA-C-2"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "content",
    [
        "session=S9&call_state=ongoing&digits=1",
        "call_state=ended&from=%2B651&duration=1",
        "sms_status=delivered&dest=%2B651",
        "call_status_dest1=answered&dest1=%2B651",
        "fax_status=answered&dest=%2B651",
        "status=error_dest_not_supported",
        "status=success_ok&dest=%2B651",
        "txn_ref=AA-X-1",
    ],
)
def test_notification_of_an_unknown_transaction_is_stored_without_a_row(content: str, heard: list[Any]) -> None:
    stored = receive(content)

    assert list(Notification.objects.all()) == [stored]
    assert [model.objects.count() for model in (Call, Sms, Fax)] == [0, 0, 0]
    assert {(arguments["call"], arguments["sms"], arguments["fax"]) for _, arguments in heard} == {(None, None, None)}


@pytest.mark.parametrize(
    ("model", "content"),
    [
        (Sms, "msg=hello&from=%2B6511111111"),
        (Fax, "fax_status=answered&from=%2B6511111111"),
        (Sms, "status=error_dest_not_supported&dest=%2B6511111111"),
    ],
)
def test_each_whole_event_without_a_reference_has_its_own_row(model: type[Transaction], content: str) -> None:
    first, second = receive(content), receive(content)

    rows = model._default_manager.order_by("pk")
    assert [(row.txn_ref, row.notification_uuid, row.is_final, row.remote_number) for row in rows] == [
        (None, first.uuid, True, "+6511111111"),
        (None, second.uuid, True, "+6511111111"),
    ]
    assert [list(row.notifications.all()) for row in rows] == [[first], [second]]
    assert [first.transaction, second.transaction] == list(rows)


def test_bulk_link_and_delivery_meet_in_either_order() -> None:
    link, delivery = "status=success_ok&bulk_txn_ref=AA-B-1&dest=%2B651", "sms_status=delivered&dest=%2B651"
    for txn_ref, order in {"AA-S-1": (link, delivery), "AA-S-2": (delivery, link)}.items():
        for content in order:
            receive(f"txn_ref={txn_ref}&{content}")

    rows = Sms.objects.filter(bulk_txn_ref="AA-B-1").order_by("txn_ref")
    assert [(row.txn_ref, row.status, row.sms_status, row.is_final) for row in rows] == [
        ("AA-S-1", "success_ok", "delivered", True),
        ("AA-S-2", "success_ok", "delivered", True),
    ]


# A long incoming SMS.

PARTS = ["a" * 152, "b" * 152, "the end"]


def _texts(txn_ref: str) -> list[tuple[bool, str]]:
    """Return the texts of a reference, each with whether it has a part."""
    return sorted((row.part != "", row.msg) for row in Sms.objects.filter(txn_ref=txn_ref))


@pytest.mark.parametrize("order", [*permutations(PARTS), (*PARTS, *PARTS), (PARTS[0], PARTS[0], PARTS[1], PARTS[2])])
def test_no_part_of_a_long_incoming_sms_overwrites_another(order: tuple[str, ...]) -> None:
    stored = [receive(f"txn_ref=AA-SI-1&from=%2B651&to=%2B652&msg={part}") for part in order]

    assert _texts("AA-SI-1") == [(True, part) for part in sorted(PARTS)]
    assert [notification.transaction.msg for notification in stored] == list(order)  # type: ignore[union-attr]


def test_repeated_incoming_sms_is_one_row() -> None:
    for _ in range(3):
        receive("txn_ref=AA-SI-1&from=%2B651&to=%2B652&msg=hello")

    assert _texts("AA-SI-1") == [(True, "hello")]


def test_status_without_a_text_between_texts_changes_none_of_them() -> None:
    for content in ("msg=A", "msg=B", "sms_status=delivered", "msg=A", "msg=C"):
        receive(f"txn_ref=AA-SI-1&{content}")

    assert _texts("AA-SI-1") == [(False, ""), (True, "A"), (True, "B"), (True, "C")]
    assert [each.state_error for each in Notification.objects.all()] == [""] * 5


# One commit, the only copy.


@contextmanager
def failing(table: str, error: BaseException, times: int = 1000) -> Iterator[list[str]]:
    """Raise an error in the first statements that name a table, instead of executing them."""
    failed: list[str] = []

    def execute(call: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if table in sql and len(failed) < times:
            failed.append(sql)
            raise error
        return call(sql, *arguments)

    with connection.execute_wrapper(execute):
        yield failed


STATE = "django_hoiio_sms"


@pytest.mark.parametrize("error", [ValueError("+6511111111"), DataError("+6511111111"), KeyError("x")])
def test_notification_is_stored_without_its_state_if_the_state_fails(
    caplog: pytest.LogCaptureFixture, heard: list[Any], error: Exception
) -> None:
    with failing(f"INTO {connection.ops.quote_name(STATE)}", error):
        stored = receive("txn_ref=AA-S-1&sms_status=delivered&date=soon")

    assert list(Notification.objects.all()) == [stored]
    assert (stored.problems, stored.state_error) == ({"date": "is not a date"}, type(error).__name__)
    assert (Sms.objects.count(), stored.transaction) == (0, None)
    assert [(name, arguments["sms"]) for name, arguments in heard] == [
        ("sms_status", None),
        ("notification_received", None),
    ]
    assert "+65" not in caplog.text
    assert f"The state of notification {stored.pk} could not be stored: {type(error).__name__}." in caplog.text


@pytest.mark.django_db(transaction=True)
def test_notification_is_stored_without_a_state_that_the_database_refuses() -> None:
    receive("txn_ref=AA-S-1&sms_status=queued")
    with refused_states():
        stored = receive("txn_ref=AA-S-1&sms_status=delivered&tag=poison")

    assert (Notification.objects.count(), sms().sms_status) == (2, "queued")
    assert (bool(stored.state_error), stored.sms) == (True, None)


def test_refusal_of_the_notification_itself_is_raised_and_nothing_is_stored() -> None:
    with failing("INTO django_hoiio_notification", IntegrityError("refused")), pytest.raises(IntegrityError):
        receive("txn_ref=AA-S-1&sms_status=delivered")

    assert (Notification.objects.count(), Sms.objects.count()) == (0, 0)


@contextmanager
def refused_states() -> Iterator[None]:
    """Let the database refuse every SMS with the tag `poison`, by a trigger."""
    create, drop = {
        "sqlite": (
            [
                f"CREATE TRIGGER refuse_{event} BEFORE {event} ON {STATE} WHEN NEW.tag = 'poison'"
                " BEGIN SELECT RAISE(ABORT, 'refused'); END"
                for event in ("insert", "update")
            ],
            ["DROP TRIGGER refuse_insert", "DROP TRIGGER refuse_update"],
        ),
        "postgresql": (
            [
                (
                    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                    " $$ BEGIN IF NEW.tag = 'poison' THEN RAISE 'refused'; END IF; RETURN NEW; END $$"
                ),
                f"CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {STATE} FOR EACH ROW EXECUTE FUNCTION refuse()",
            ],
            ["DROP FUNCTION refuse CASCADE"],
        ),
        "mysql": (
            [
                f"CREATE TRIGGER refuse_{event} BEFORE {event} ON {STATE} FOR EACH ROW"
                " IF NEW.tag = 'poison' THEN SIGNAL SQLSTATE '45000'; END IF"
                for event in ("insert", "update")
            ],
            ["DROP TRIGGER refuse_insert", "DROP TRIGGER refuse_update"],
        ),
    }[connection.vendor]
    with connection.cursor() as cursor:
        for statement in create:
            cursor.execute(statement)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for statement in drop:
                cursor.execute(statement)


def test_transient_error_is_retried() -> None:
    with failing(STATE, deadlock(), times=2) as failed:
        stored = receive("txn_ref=AA-S-1&sms_status=delivered")

    assert (len(failed), stored.state_error, sms().sms_status) == (2, "", "delivered")


def test_persistent_transient_error_is_raised_and_nothing_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "TRIES", 3)

    with failing(STATE, deadlock()), pytest.raises(OperationalError, match=r"is locked|(?i:deadlock)"):
        receive("txn_ref=AA-S-1&sms_status=delivered")
    assert Notification.objects.count() == 0


def test_one_arrival_is_one_row_however_often_it_is_received(heard: list[Any]) -> None:
    once = raw_notification("any", "", "txn_ref=AA-S-1&sms_status=delivered")

    first, second = ingest(once).notification, ingest(once).notification

    assert first == second
    assert (Notification.objects.count(), Sms.objects.count()) == (1, 1)
    assert [name for name, _ in heard] == ["sms_status", "notification_received"]


def test_two_equal_payloads_are_two_events_and_the_second_is_a_repeat(heard: list[Any]) -> None:
    first = receive("txn_ref=AA-C-1&session=S1&digits=1")
    second = receive("txn_ref=AA-C-1&session=S1&digits=1")
    other = receive("txn_ref=AA-C-1&session=S1&digits=2")
    elsewhere = receive("txn_ref=AA-C-1&session=S1&digits=1", account="second")
    nameless = [receive("session=S1&digits=1"), receive("session=S1&digits=1")]

    assert [n.is_repeat for n in (first, second, other, elsewhere, *nameless)] == [
        False,
        True,
        False,
        False,
        False,
        False,
    ]
    assert [name for name, _ in heard].count("ivr_gather") == 6


def test_redacted_notification_is_not_a_repeat() -> None:
    first, second = (ingest(raw_notification("any", "", "txn_ref=AA-S-1&x=1")).notification for _ in range(2))
    third = ingest(raw_notification("any", "", "txn_ref=AA-S-1&x=1")).notification
    Notification.objects.filter(pk__in=[first.pk, second.pk]).update(body=b"", redacted_at=first.received_at)
    for one in (first, second, third):
        one.refresh_from_db()

    assert [one.is_repeat for one in (first, second, third)] == [False, False, False]


# Costs: the number of statements does not depend on the machine.


def _statements(content: str) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        receive(content)
    return [
        query["sql"].split()[0]
        for query in queries
        if not query["sql"].startswith(("SAVEPOINT", "RELEASE SAVEPOINT", "BEGIN", "COMMIT"))
    ]


# The state and the raw row. In the transaction of a test, PostgreSQL takes two statements as well.
BOTH = ["INSERT", "INSERT"]


@pytest.mark.parametrize(
    ("content", "statements"),
    [
        ("txn_ref=AA-S-1&sms_status=delivered", BOTH),
        ("txn_ref=AA-S-1&call_status_dest1=answered&call_status_dest2=answered", BOTH),
        ("txn_ref=AA-F-1&fax_status=answered", BOTH),
        ("txn_ref=AA-C-1&session=S1&call_state=ringing", BOTH),
        # Each notification without a reference has its own row.
        ("from=%2B651&msg=hello", BOTH),
        # Notifications of no transaction, or of an unknown one.
        ("x=1", ["INSERT"]),
        ("sms_status=delivered", ["INSERT"]),
        ("txn_ref=AA-SI-1&from=%2B651&msg=hello", BOTH),
        # Looks up the call of its session that had begun, else the newest.
        ("session=S1&digits=1", ["SELECT", "SELECT", "INSERT"]),
    ],
)
def test_notification_costs_so_many_statements(content: str, statements: list[str]) -> None:
    assert _statements(content) == statements
    assert Notification.objects.pending().count() == 0


def test_notification_with_receivers_costs_one_more(heard: list[Any]) -> None:
    assert _statements("txn_ref=AA-S-1&sms_status=delivered") == [*BOTH, "UPDATE"]
    stored = Notification.objects.get()
    assert (stored.claimed_until, stored.dispatched_at is None) == (None, False)


@pytest.mark.django_db(transaction=True)
def test_postgresql_takes_one_statement_for_both_rows() -> None:
    expected = {"postgresql": ["WITH"]}.get(connection.vendor, BOTH)

    assert _statements("txn_ref=AA-S-1&sms_status=delivered") == expected
    assert _statements("txn_ref=AA-S-1&sms_status=failed") == expected


def test_late_report_reads_only_the_newest_reports(heard: list[Any]) -> None:
    for minute in range(1, 8):
        receive("txn_ref=AA-S-1&sms_status=queued&tag=a", received_at=MORNING + timedelta(minutes=minute))

    with CaptureQueriesContext(connection) as queries:
        receive("txn_ref=AA-S-1&sms_status=queued&tag=b&currency=SGD", received_at=MORNING)

    reads = [query["sql"] for query in queries if "SELECT" in query["sql"] and "FROM" in query["sql"]]
    assert (len(reads), sms().tag, sms().currency) == (3, "a", "SGD")


def test_late_report_without_a_number_does_not_bring_back_an_earlier_number(
    heard: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upsert, "PAGE", 1)
    for minute, content in [
        (2, "from=%2B6581231111&to=%2B6500000000&tag=b"),
        (4, "to=%2B6500000000"),
        (3, "from=%2B6591231111&to=%2B6500000000"),
        (1, "dest=&tag=a"),
    ]:
        body = f"txn_ref=AA-C-1&session=S1&call_state=ongoing&{content}"
        receive(body, received_at=MORNING + timedelta(minutes=minute))

    call = Call.objects.get()
    assert (call.direction, call.remote_number, call.from_number, call.tag) == (
        "incoming",
        "+6591231111",
        "+6591231111",
        "b",
    )


class ReadsElsewhere:
    """A router that reads from a replica, which lags behind or, here, does not exist."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "replica"

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "default"


def test_nothing_is_read_from_a_replica(settings: Any, heard: list[Any]) -> None:
    settings.DATABASE_ROUTERS = [ReadsElsewhere()]
    receive("txn_ref=AA-S-1&sms_status=delivered&tag=a", received_at=MORNING)
    late = receive("txn_ref=AA-S-1&sms_status=queued&tag=b&currency=SGD", received_at=MORNING - timedelta(hours=1))
    receive("txn_ref=AA-C-1&session=S1&call_state=ringing")
    of_session = receive("session=S1&digits=1")
    settings.DATABASE_ROUTERS = []

    assert [each.state_error for each in Notification.objects.all()] == [""] * 4
    assert (late.sms, sms().tag, sms().currency) == (sms(), "a", "SGD")
    assert of_session.transaction == Call.objects.get()


def test_receivers_get_the_row_and_its_links_without_a_query(heard: list[Any]) -> None:
    receive("txn_ref=AA-S-1&sms_status=delivered")
    (_, first), *_ = heard

    with CaptureQueriesContext(connection) as queries:
        row, notification = first["sms"], first["notification"]
        assert (row.sms_status, notification.sms, notification.transaction) == ("delivered", row, row)
        assert (first["call"], first["fax"]) == (None, None)
    assert (len(queries), row) == (0, sms())


# Concurrency, with separate connections.


@pytest.mark.django_db(transaction=True)
def test_concurrent_notifications_of_one_transaction_lose_nothing() -> None:
    reports = [f"txn_ref=AA-S-1&{content}" for content in SMS_LIFE] + ["txn_ref=AA-S-1&sms_status=queued&tag=early"]

    errors = at_once([lambda content=content: receive(content) for content in reports * 8])  # type: ignore[misc]

    assert errors == []
    assert Notification.objects.count() == 32
    row = sms()
    assert (row.sms_status, row.status, row.bulk_txn_ref, row.tag, str(row.debit)) == (
        "delivered",
        "success_ok",
        "AA-B-147",
        "myapp",
        "0.032000",
    )
    assert not any(each.problems or each.state_error for each in Notification.objects.all())


@pytest.mark.django_db(transaction=True)
def test_concurrent_parts_of_a_long_incoming_sms_all_have_their_row() -> None:
    parts = [f"{number:03}" + "x" * 149 for number in range(8)]

    errors = at_once(
        [lambda part=part: receive(f"txn_ref=AA-SI-1&from=%2B651&to=%2B652&msg={part}") for part in parts * 2]
    )  # type: ignore[misc]

    assert errors == []
    assert _texts("AA-SI-1") == [(True, part) for part in parts]
    assert not any(each.problems or each.state_error for each in Notification.objects.all())


@pytest.mark.django_db(transaction=True)
def test_concurrent_arrivals_of_one_uuid_are_one_row() -> None:
    once = raw_notification("any", "", "txn_ref=AA-S-1&sms_status=delivered")

    assert at_once([lambda: ingest(once)] * 8) == []
    assert Notification.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_receivers_run_after_the_commit_and_outside_any_transaction() -> None:
    seen = []

    def look(notification: Notification, **kwargs: Any) -> None:
        stored = []
        other = threading.Thread(
            target=lambda: (
                stored.append(Notification.objects.filter(pk=notification.pk).exists()),
                connections.close_all(),
            )
        )
        other.start()
        other.join()
        seen.append((connection.in_atomic_block, stored))

    sms_status.connect(look)
    try:
        receive("txn_ref=AA-S-1&sms_status=delivered")
    finally:
        sms_status.disconnect(look)

    assert seen == [(False, [True])]


OPEN = (
    "On the database 'default' a transaction was already open, which could roll the notification back. Exempt the webhook"
    " from the middleware or decorator that opens it: docs/reference/checks.rst, W016."
)
CONTENTS = [
    "txn_ref=AA-S-1&sms_status=delivered",
    "txn_ref=AA-SI-1&from=%2B651&msg=hello",
    "session=S1&digits=1",
    "x=1",
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("content", CONTENTS)
def test_nothing_is_stored_inside_a_transaction_that_could_be_rolled_back(content: str) -> None:
    with transaction.atomic():
        with pytest.raises(OpenTransaction) as refused:
            receive(content)
        assert Notification.objects.count() == 0

    assert str(refused.value) == OPEN


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("content", CONTENTS)
def test_nothing_is_lost_in_a_transaction_that_a_statement_has_begun(content: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")

    if connection.vendor == "mysql":
        # Its driver does not tell. The notification is committed, with all before it.
        receive(content)
    else:
        with pytest.raises(OpenTransaction) as refused:
            receive(content)
        assert str(refused.value) == OPEN

    connection.close()
    assert Notification.objects.count() == (1 if connection.vendor == "mysql" else 0)


@pytest.mark.django_db(transaction=True)
def test_connection_that_the_server_has_closed_is_replaced() -> None:
    receive("txn_ref=AA-S-0&sms_status=queued")
    _cut_off_from_the_server()

    stored = receive("txn_ref=AA-S-1&sms_status=delivered")

    assert (stored.problems, sms().sms_status) == ({}, "delivered")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("content", CONTENTS)
def test_closed_connection_is_replaced_for_every_kind_of_notification(content: str) -> None:
    receive("txn_ref=AA-S-0&sms_status=queued")
    _cut_off_from_the_server()

    stored = receive(content)
    assert (stored.problems.keys() <= {"parameters"}, stored.state_error) == (True, "")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", [STATE, "django_hoiio_notification"])
@pytest.mark.parametrize("content", CONTENTS[:2])
def test_connection_that_is_cut_before_a_statement_is_replaced(content: str, table: str) -> None:
    connection.close()
    cut: list[None] = []

    def cut_off_once(call: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if table in sql and not cut:
            cut.append(_cut_off_from_the_server())
        return call(sql, *arguments)

    with connection.execute_wrapper(cut_off_once):
        stored = receive(content)

    assert (stored.state_error, stored.transaction, len(cut)) == ("", Sms.objects.get(), 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("content", CONTENTS)
def test_nothing_is_stored_if_it_would_not_be_committed(content: str) -> None:
    connection.ensure_connection()
    connection.set_autocommit(False)
    try:
        with pytest.raises(OpenTransaction, match="AUTOCOMMIT of the database 'default' is off"):
            receive(content)
    finally:
        connection.rollback()
        connection.set_autocommit(True)
    assert Notification.objects.count() == 0


def test_receivers_run_for_a_notification_that_an_earlier_attempt_stored(heard: list[Any]) -> None:
    once = raw_notification("any", "", "txn_ref=AA-S-1&sms_status=delivered")
    store(once, parse(once))
    assert heard == []

    ingest(once)
    ingest(once)

    assert [(name, arguments["sms"]) for name, arguments in heard] == [
        ("sms_status", sms()),
        ("notification_received", sms()),
    ]
    assert Notification.objects.pending().count() == 0


def test_repeated_import_leaves_dispatching_to_the_process_that_stored_the_notification(heard: list[Any]) -> None:
    once = raw_notification("any", "", "txn_ref=AA-S-1&sms_status=delivered", source=Source.SPOOL)
    store(once, parse(once))

    ingest(once)

    assert heard == []


def _cut_off_from_the_server() -> None:
    """End this connection's session from another connection; SQLite has no server, so its file is closed."""
    with connection.cursor() as cursor:
        statement = {"postgresql": "SELECT pg_backend_pid()", "mysql": "SELECT CONNECTION_ID()"}.get(connection.vendor)
        if statement is None:
            connection.connection.close()
            return
        cursor.execute(statement)
        (session,) = cursor.fetchone()
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute(
                {"postgresql": "SELECT pg_terminate_backend(%s)", "mysql": "KILL %s"}[connection.vendor], [session]
            )
    finally:
        other.close()
