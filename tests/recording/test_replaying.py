"""Replay ends with the state that the database has merged, and reports the changes of each step."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_hoiio import inbox, recording
from django_hoiio.enums import Kind
from django_hoiio.models import Call, Fax, Notification, Sms, Transaction
from django_hoiio.recording.replaying import AppliedChange, Passed, RefusedChange, Step, Why, replay, sent
from django_hoiio.recording.sending import enter
from django_hoiio.recovery.reparsing import reparse
from tests.conftest import raw_notification

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 1, 1, 8, tzinfo=timezone.utc)
BY_HYPOTHESIS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def receive(content: str, minute: float = 0, **fields: Any) -> Notification:
    received_at = MORNING + timedelta(minutes=minute)
    return inbox.receive(raw_notification("any", "", content, received_at=received_at, **fields)).notification


def played(row: Transaction, **kwargs: Any) -> list[Step]:
    return replay(row, row.notifications, rivals=rivals(row), **kwargs)


def rivals(row: Transaction) -> list[Call]:
    if not isinstance(row, Call) or not row.session:
        return []
    return list(Call.objects.filter(account=row.account, session=row.session).exclude(pk=row.pk))


def stored_state(row: Transaction) -> dict[str, Any]:
    """Return the stored state of a row."""
    row.refresh_from_db()
    return {name: getattr(row, name) for name in row.reported}


def ended(row: Transaction) -> dict[str, Any]:
    return next((dict(step.state) for step in reversed(played(row)) if step.state), {})


def changes(step: Step) -> dict[str, tuple[Any, Any]]:
    return {change.name: (change.old, change.new) for change in step.changes}


# The final state equals the stored state.

NUMBERS = st.sampled_from(["+6591231111", "+6581231111", ""])
KNOWN_STATUSES = st.sampled_from(
    ["queued", "delivered", "failed", "martian", "ongoing", "answered", "busy", "ringing", "ended"]
)
FIELDS = {
    "tag": st.sampled_from(["one", "two"]),
    "debit": st.sampled_from(["0.032", "0.0325", "dear"]),
    "currency": st.sampled_from(["SGD", "USD"]),
    "date": st.sampled_from(["2012-06-06 11:15:20.0", "2012-06-06 11:15:20"]),
    "duration": st.sampled_from(["0", "2"]),
    "from": NUMBERS,
    "to": NUMBERS,
    "dest": NUMBERS,
}
OF = {
    Sms: {
        **FIELDS,
        "sms_status": KNOWN_STATUSES,
        "status": st.sampled_from(["success_ok", "error_x"]),
        "bulk_txn_ref": KNOWN_STATUSES,
    },
    Call: {
        **FIELDS,
        "call_state": KNOWN_STATUSES,
        "call_status_dest1": KNOWN_STATUSES,
        "dest2": NUMBERS,
        "digits": KNOWN_STATUSES,
    },
    Fax: {**FIELDS, "fax_status": KNOWN_STATUSES, "fax_url": st.just("https://example.com/f.pdf")},
}


def reports(model: type[Transaction]) -> st.SearchStrategy[list[tuple[dict[str, str], int]]]:
    content = st.fixed_dictionaries({}, optional=OF[model])
    return st.lists(st.tuples(content, st.integers(0, 4)), min_size=1, max_size=8)


@BY_HYPOTHESIS
@given(data=st.data(), is_sent=st.booleans())
@pytest.mark.parametrize("model", [Sms, Call, Fax])
def test_replay_ends_as_the_database_in_any_order_and_repetition(
    model: type[Transaction], data: st.DataObject, is_sent: bool
) -> None:
    txn_ref = f"AA-{uuid4()}"
    if is_sent:
        enter(Kind.SMS_STATUS, "default", txn_ref, {"dest": "+6591231111", "msg": "hello", "tag": "sent"})
    for content, minute in data.draw(reports(model)):
        receive(urlencode({**content, "txn_ref": txn_ref}), minute)

    for kind in (Sms, Call, Fax):
        for row in kind._default_manager.filter(txn_ref=txn_ref):
            if row.notifications and any(step.state for step in played(row)):
                assert ended(row) == stored_state(row)


@BY_HYPOTHESIS
@given(
    texts=st.lists(st.tuples(st.sampled_from(["", "one", "two", "three"]), st.integers(0, 3)), min_size=1, max_size=8)
)
def test_replay_of_each_text_of_a_long_sms_ends_as_the_database(texts: list[tuple[str, int]]) -> None:
    txn_ref = f"AA-SI-{uuid4()}"
    for msg, minute in texts:
        receive(urlencode({"msg": msg, "from": "+6591231111", "txn_ref": txn_ref, "tag": str(minute)}), minute)

    rows = list(Sms.objects.filter(txn_ref=txn_ref))
    assert [ended(row) for row in rows] == [stored_state(row) for row in rows]
    took = [{step.notification.pk for step in played(row) if step.passed is None} for row in rows]
    # Each notification belongs to exactly one of them.
    assert sum(map(len, took)) == len(texts)
    assert len(set().union(*took)) == len(texts)


@BY_HYPOTHESIS
@given(
    content=st.lists(
        st.tuples(st.sampled_from([None, "1", "2"]), st.sampled_from(["ringing", "ongoing", "ended"]), st.text("ab")),
        min_size=1,
        max_size=8,
    )
)
def test_replay_of_calls_of_one_session_ends_as_the_database(content: list[tuple[str | None, str, str]]) -> None:
    session = str(uuid4())
    for minute, (number, state, tag) in enumerate(content):
        named = {"txn_ref": f"AA-{session}-{number}"} if number else {}
        receive(urlencode({**named, "session": session, "call_state": state, "tag": tag}), minute)

    rows = list(Call.objects.filter(session=session))
    assert [ended(row) for row in rows] == [stored_state(row) for row in rows]


def test_replay_needs_no_query() -> None:
    receive("txn_ref=AA-S-1&sms_status=queued")
    row = Sms.objects.get()
    notifications = list(row.notifications)
    with CaptureQueriesContext(connection) as queries:
        replay(row, notifications)
    assert len(queries) == 0


# Changes and refusals.


def test_each_step_lists_only_the_changed_fields() -> None:
    receive("txn_ref=AA-S-1&sms_status=queued&tag=order+77", 0)
    receive("txn_ref=AA-S-1&sms_status=delivered&tag=order+77", 1)

    assert [changes(step) for step in played(Sms.objects.get())] == [
        {"sms_status": ("", "queued"), "tag": ("", "order 77")},
        {"sms_status": ("queued", "delivered"), "is_final": (False, True)},
    ]


def test_late_queued_is_refused_because_delivered_is_final() -> None:
    receive("txn_ref=AA-S-1&sms_status=delivered", 0)
    receive("txn_ref=AA-S-1&sms_status=queued&tag=late", 1)

    step = played(Sms.objects.get())[1]
    assert step.changes == [AppliedChange(name="tag", old="", new="late")]
    assert step.refusals == [
        RefusedChange(name="is_final", stored=True, reported=False, why=Why.FINAL),
        RefusedChange(name="sms_status", stored="delivered", reported="queued", why=Why.FINAL),
    ]


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        # Received earlier and stored later, as from the spool.
        ("sms_status=failed", "sms_status=delivered", RefusedChange(name="sms_status", stored="failed", reported="delivered", why=Why.LATER)),
        ("sms_status=queued&tag=a", "status=success_ok&tag=b", RefusedChange(name="tag", stored="a", reported="b", why=Why.FURTHER)),
        (
            "msg=x&from=%2B6591231111",
            "sms_status=delivered&dest=%2B6581231111",
            RefusedChange(name="direction", stored="incoming", reported="outgoing", why=Why.PARTY),
        ),
    ],
)  # fmt: skip
def test_refusal_has_a_reason(first: str, second: str, refused: RefusedChange) -> None:
    receive(f"txn_ref=AA-S-1&{first}", 1)
    receive(f"txn_ref=AA-S-1&{second}", 0)

    assert refused in played(Sms.objects.get())[1].refusals


def test_steps_are_in_the_order_in_which_the_notifications_were_stored() -> None:
    later, earlier = receive("txn_ref=AA-S-1&sms_status=failed", 1), receive("txn_ref=AA-S-1&sms_status=queued", 0)

    row = Sms.objects.get()
    assert [step.notification.pk for step in replay(row, [earlier, later])] == [later.pk, earlier.pk]


# Skipped notifications.


def test_redacted_notification_is_skipped() -> None:
    stored_state = receive("txn_ref=AA-S-1&sms_status=queued&tag=a", 0)
    receive("txn_ref=AA-S-1&sms_status=delivered", 1)
    Notification.objects.filter(pk=stored_state.pk).update(body=b"", query="", params={}, redacted_at=MORNING)

    first, second = played(Sms.objects.get())
    assert (first.passed, first.changes, first.refusals) == (Passed.REDACTED, (), ())
    assert changes(second) == {"sms_status": ("", "delivered"), "is_final": (False, True)}


def test_notification_with_a_state_error_is_skipped_until_it_is_reparsed(monkeypatch: pytest.MonkeyPatch) -> None:
    receive("txn_ref=AA-S-1&sms_status=queued", 0)
    with monkeypatch.context() as patched:
        patched.setattr(recording, "change_of", lambda *args, **kwargs: 1 / 0)
        receive("txn_ref=AA-S-1&sms_status=delivered", 1)
    assert [step.passed for step in played(Sms.objects.get())] == [None, Passed.UNWRITTEN]

    reparse()
    assert [step.passed for step in played(Sms.objects.get())] == [None, None]
    assert ended(Sms.objects.get()) == stored_state(Sms.objects.get())


def test_notification_of_another_kind_with_the_same_reference_is_passed_over() -> None:
    receive("txn_ref=AA-C-1&fax_status=answered")
    receive("txn_ref=AA-C-1&call_status_dest1=answered")

    assert [step.passed for step in played(Call.objects.get())] == [Passed.NOTHING, None]
    assert [step.passed for step in played(Fax.objects.get())] == [None, Passed.NOTHING]


def test_session_alone_goes_to_the_newest_call_that_was_there() -> None:
    receive("session=S1&digits=0", 0)
    receive("txn_ref=AA-C-1&session=S1&call_state=ringing", 1)
    receive("session=S1&tag=first", 2)
    receive("txn_ref=AA-C-2&session=S1&call_state=ringing", 3)
    receive("session=S1&tag=second", 4)

    passed = {call.txn_ref: [step.passed for step in played(call)] for call in Call.objects.all()}
    assert passed == {
        "AA-C-1": [Passed.NO_CALL, None, None, Passed.ANOTHER_CALL],
        "AA-C-2": [Passed.NO_CALL, Passed.ANOTHER_CALL, None, None],
    }


# Sent values.


def test_replay_begins_with_the_sent_values() -> None:
    enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": "+6591231111", "msg": "hello", "tag": "a"})
    row = Sms.objects.get()
    everything = {
        "direction": "outgoing",
        "remote_number": "+6591231111",
        "remote_suffix": "91231111",
        "is_final": False,
        "dest": "+6591231111",
        "tag": "a",
        "msg": "hello",
    }
    assert sent(row) == everything

    inbox.receive(raw_notification("sms", "", "txn_ref=AA-S-1&sms_status=queued&dest=%2B6591231111&tag=b"))
    row.refresh_from_db()
    assert sent(row) == {"msg": "hello"}
    (step,) = played(row)
    assert dict(step.state) == stored_state(row)


def test_number_that_was_sent_to_is_not_undone_by_a_report_without_one() -> None:
    enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": "+6591231111"})
    inbox.receive(raw_notification("sms", "", "txn_ref=AA-S-1&sms_status=queued&dest="))
    row = Sms.objects.get()
    (step,) = played(row)
    assert dict(step.state) == stored_state(row)
    assert RefusedChange(name="remote_number", stored="+6591231111", reported="", why=Why.PARTY) in step.refusals


def test_received_values_are_not_sent_values() -> None:
    receive("txn_ref=AA-SI-1&msg=hello&from=%2B6591231111")
    assert sent(Sms.objects.get()) == {}
