"""The steps of a row's history end in its state, and report what each notification changed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from django_hoiio.enums import Kind
from django_hoiio.ingest import ingest
from django_hoiio.ingest.history import (
    Change,
    Passed,
    Step,
    Why,
    empty_state,
    steps_of,
    values_before,
)
from django_hoiio.ingest.outgoing import enter
from django_hoiio.ingest.state import state_of
from django_hoiio.models import Call, Fax, Notification, Sms, Transaction
from tests.conftest import raw_notification
from tests.ingest.test_fold import PROPERTY, histories

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 1, 1, 8, tzinfo=timezone.utc)


def receive(content: str, minute: float = 0, **fields: Any) -> Notification:
    received_at = MORNING + timedelta(minutes=minute)
    return ingest(raw_notification("any", "", content, received_at=received_at, **fields)).notification


def steps(row: Transaction) -> list[Step]:
    notifications = list(row.notifications.all())
    return steps_of(row, notifications, values_before(row, notifications))


def changes(step: Step) -> dict[str, tuple[Any, Any]]:
    return {change.name: (change.old, change.new) for change in step.changes}


# The final state equals the stored state.


@PROPERTY
@given(data=st.data(), is_sent=st.booleans())
@pytest.mark.parametrize("model", [Sms, Call, Fax])
def test_steps_end_in_the_stored_state(model: type[Transaction], data: st.DataObject, is_sent: bool) -> None:
    txn_ref = f"AA-{uuid4()}"
    if is_sent:
        enter(Kind.SMS_STATUS, "default", txn_ref, {"dest": "+6591231111", "msg": "hello", "tag": "sent"})
    for content, minute, _way in data.draw(histories(model, ["webhook"])):
        receive(urlencode({**content, "txn_ref": txn_ref}), minute)

    for kind in (Sms, Call, Fax):
        for row in kind._default_manager.filter(txn_ref=txn_ref):
            state = {**empty_state(row), **values_before(row, row.notifications.all())}
            for step in steps(row):
                assert {change.name: change.old for change in step.changes}.items() <= state.items()
                state |= {change.name: change.new for change in step.changes}
            assert state == state_of(row)


def test_history_needs_no_query() -> None:
    receive("txn_ref=AA-S-1&sms_status=queued")
    row = Sms.objects.get()
    notifications = list(row.notifications.all())
    with CaptureQueriesContext(connection) as queries:
        steps_of(row, notifications, values_before(row, notifications))
    assert len(queries) == 0


# Changes and refusals.


def test_each_step_lists_only_the_changed_fields() -> None:
    receive("txn_ref=AA-S-1&sms_status=queued&tag=order+77", 0)
    receive("txn_ref=AA-S-1&sms_status=delivered&tag=order+77", 1)

    assert [changes(step) for step in steps(Sms.objects.get())] == [
        {"sms_status": ("", "queued"), "tag": ("", "order 77")},
        {"sms_status": ("queued", "delivered"), "is_final": (False, True)},
    ]


def test_late_queued_is_refused_because_delivered_is_final() -> None:
    receive("txn_ref=AA-S-1&sms_status=delivered", 0)
    receive("txn_ref=AA-S-1&sms_status=queued&tag=late", 1)

    step = steps(Sms.objects.get())[1]
    assert step.changes == [Change(name="tag", old="", new="late")]
    assert step.refusals == [
        Change(name="is_final", old=True, new=False, why=Why.FINAL),
        Change(name="sms_status", old="delivered", new="queued", why=Why.FINAL),
    ]


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        # Received earlier and stored later, as from the spool.
        ("sms_status=failed", "sms_status=delivered", Change(name="sms_status", old="failed", new="delivered", why=Why.LATER)),
        ("sms_status=queued&tag=a", "status=success_ok&tag=b", Change(name="tag", old="a", new="b", why=Why.FURTHER)),
        (
            "sms_status=queued&from=%2B6591231111",
            "sms_status=delivered&dest=%2B6581231111",
            Change(name="direction", old="incoming", new="outgoing", why=Why.PARTY),
        ),
    ],
)  # fmt: skip
def test_refusal_has_a_reason(first: str, second: str, refused: Change) -> None:
    receive(f"txn_ref=AA-S-1&{first}", 1)
    receive(f"txn_ref=AA-S-1&{second}", 0)

    assert refused in steps(Sms.objects.get())[1].refusals


def test_steps_are_in_the_order_in_which_the_notifications_were_stored() -> None:
    later, earlier = receive("txn_ref=AA-S-1&sms_status=failed", 1), receive("txn_ref=AA-S-1&sms_status=queued", 0)

    row = Sms.objects.get()
    assert [step.notification.pk for step in steps_of(row, [earlier, later], {})] == [later.pk, earlier.pk]


# Skipped notifications.


def test_redacted_notification_is_skipped() -> None:
    stored_state = receive("txn_ref=AA-S-1&sms_status=queued&tag=a", 0)
    receive("txn_ref=AA-S-1&sms_status=delivered", 1)
    Notification.objects.filter(pk=stored_state.pk).update(body=b"", query="", params={}, redacted_at=MORNING)

    first, second = steps(Sms.objects.get())
    assert (first.passed, first.changes, first.refusals) == (Passed.REDACTED, (), ())
    assert changes(second) == {"sms_status": ("", "delivered"), "is_final": (False, True)}


def test_notification_without_its_state_and_one_that_reports_nothing_are_skipped() -> None:
    receive("txn_ref=AA-S-1&sms_status=queued")
    failed, other = receive("txn_ref=AA-S-1"), receive("txn_ref=AA-S-1")
    failed.state_error = "DataError"
    row = Sms.objects.get()

    assert [step.passed for step in steps_of(row, [*row.notifications.all(), failed, other], {})] == [
        None,
        Passed.UNWRITTEN,
        Passed.NOTHING,
    ]


# Sent values.


def test_values_before_all_notifications_are_those_that_were_sent() -> None:
    enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": "+6591231111", "msg": "hello", "tag": "a"})
    row = Sms.objects.get()
    assert values_before(row, []) == {
        "direction": "outgoing",
        "remote_number": "+6591231111",
        "remote_suffix": "91231111",
        "dest": "+6591231111",
        "tag": "a",
        "msg": "hello",
    }

    receive("txn_ref=AA-S-1&sms_status=queued&dest=%2B6591231111&tag=b")
    row.refresh_from_db()
    assert values_before(row, row.notifications.all()) == {"msg": "hello"}


def test_number_that_was_sent_to_is_not_undone_by_a_report_without_one() -> None:
    enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": "+6591231111"})
    receive("txn_ref=AA-S-1&sms_status=queued&dest=")

    (step,) = steps(Sms.objects.get())
    assert Change(name="remote_number", old="+6591231111", new="", why=Why.PARTY) in step.refusals


def test_received_values_are_not_sent_values() -> None:
    receive("txn_ref=AA-SI-1&msg=hello&from=%2B6591231111")
    row = Sms.objects.get()
    assert values_before(row, row.notifications.all()) == {}
