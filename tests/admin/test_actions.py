"""Actions of the admin, for users with different permissions."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.actions import delete_selected
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_hoiio import dispatch
from django_hoiio.admin import actions as admin_actions
from django_hoiio.enums import Channel
from django_hoiio.ingest import ingest
from django_hoiio.models import CLAIM, Call, DailyTotal, Fax, HighWaterMark, Notification, ReceiverFailure, Sms
from django_hoiio.reconciliation import manual as manual_refresh
from django_hoiio.reconciliation import reader
from django_hoiio.recovery import batches, manual, recover
from django_hoiio.signals import SIGNALS, ivr_gather, notification_received, sms_status
from tests.conftest import raw_notification
from tests.fake_hoiio import Hoiio
from tests.users import act, list_of, messages_of, page_of, staff

pytestmark = pytest.mark.django_db

NUMBER = "+6591231111"
STATUS = "txn_ref=AA-S-1&sms_status=queued&dest=%2B6591231111&msg=secret+words"
GATHER = "txn_ref=AA-C-1&session=S1&digits=1&from=%2B6591231111"
FAX = "txn_ref=AA-C-9&fax_status=ongoing&dest=%2B6591231111"

# Each action, the lists that offer it, and its label.
OFFERED = {
    "retry_receivers": ([Notification, ReceiverFailure], "Retry failed receivers"),
    "dispatch": ([Notification], "Dispatch pending notifications"),
    "reconcile": ([Call, Sms, Fax], "Refresh status from Hoiio"),
    "export_as_csv": ([Notification, ReceiverFailure, Call, Sms, Fax, DailyTotal], "Export as CSV"),
}
PERMISSIONS = {name: name.removesuffix("_as_csv") for name in OFFERED}
MODELS: list[type[Model]] = [Notification, ReceiverFailure, Call, Sms, Fax, DailyTotal]


def now() -> datetime:
    return datetime.now(timezone.utc)


class Flaky:
    """A receiver that fails while `fails` is true."""

    def __init__(self) -> None:
        self.fails = True
        self.attempts: list[int] = []

    def __call__(self, attempt: int, **kwargs: Any) -> None:
        self.attempts.append(attempt)
        if self.fails:
            raise ValueError(f"no customer has {NUMBER}")


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    reader._OF_THIS_PROCESS.clear()
    yield
    for signal in (*SIGNALS.values(), notification_received):
        signal.receivers.clear()


@pytest.fixture
def flaky() -> Flaky:
    receiver = Flaky()
    sms_status.connect(receiver, dispatch_uid="shop.bill")
    ivr_gather.connect(receiver, dispatch_uid="menu.next")
    return receiver


def receive(*bodies: str) -> list[Notification]:
    return [ingest(raw_notification("any", body=body)).notification for body in bodies]


def receive_pending(*bodies: str) -> list[Notification]:
    """Return notifications whose process ended before it ran the receivers, with an expired claim."""
    stored = receive(*bodies)
    Notification.objects.update(dispatched_at=None, claimed_until=now() - timedelta(seconds=1))
    ReceiverFailure.objects.all().delete()
    return stored


def one_of_each() -> list[Model]:
    receive(STATUS, GATHER, FAX)
    DailyTotal.objects.create(day=now().date(), account="default", traffic="sms_sent", count=1, succeeded=0, debit=0)
    return [model._default_manager.all()[0] for model in MODELS]


# Permissions.


@pytest.mark.usefixtures("flaky")
@pytest.mark.parametrize("action", OFFERED)
def test_action_is_offered_only_to_users_with_its_permission(action: str) -> None:
    rows, (models, words) = one_of_each(), OFFERED[action]
    choice = f'<option value="{action}">{words}</option>'
    may, others = staff(PERMISSIONS[action]), staff(*(set(PERMISSIONS.values()) - {PERMISSIONS[action]}))
    without_actions = staff("view_personal_data", "view_recordings", "view_raw")
    for row in rows:
        pages = [client.get(list_of(type(row))).content.decode() for client in (may, others, without_actions)]
        assert [choice in page for page in pages] == [type(row) in models, False, False]
    assert 'name="action"' not in without_actions.get(list_of(Sms)).content.decode()


@pytest.mark.usefixtures("flaky")
@pytest.mark.parametrize("action", OFFERED)
def test_action_without_its_permission_is_refused_and_does_nothing(
    action: str, monkeypatch: pytest.MonkeyPatch, heard: list[Any]
) -> None:
    rows = one_of_each()
    pending = receive_pending(STATUS)[0]
    heard.clear()
    monkeypatch.setattr("django_hoiio.reconciliation.manual.refresh", pytest.fail)
    others = staff(*(set(PERMISSIONS.values()) - {PERMISSIONS[action]}))
    rows[1] = ReceiverFailure.objects.create(
        notification=pending, signal="sms_status", receiver="shop.bill", attempts=1
    )

    assert {act(others, action, [row]).status_code for row in rows} == {403}
    assert {others.post(page_of(row), {"action": action}).status_code for row in rows} == {403}
    assert heard == []
    assert ReceiverFailure.objects.get().attempts == 1


@pytest.mark.usefixtures("flaky")
@pytest.mark.parametrize("action", OFFERED)
def test_action_requires_the_view_permission_too(action: str) -> None:
    client = staff(*PERMISSIONS.values(), views=())
    rows = one_of_each()

    assert {act(client, action, [row]).status_code for row in rows} == {403}
    assert {client.post(page_of(row), {"action": action}).status_code for row in rows} == {403}


@pytest.mark.usefixtures("flaky")
@pytest.mark.parametrize("model", MODELS)
def test_list_refuses_actions_that_it_does_not_offer(model: type[Model], admin_client: Client) -> None:
    (row,) = [row for row in one_of_each() if type(row) is model]
    others = {*OFFERED, "delete_selected", "x"} - {name for name, (models, _) in OFFERED.items() if model in models}

    assert {act(admin_client, action, [row]).status_code for action in others} == {403}
    assert {admin_client.post(page_of(row), {"action": action}).status_code for action in others} == {403}
    assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.usefixtures("flaky")
def test_site_wide_action_is_not_offered(admin_client: Client) -> None:
    def wipe(model_admin: Any, request: Any, rows: Any) -> None:
        pytest.fail("It was run.")

    rows = one_of_each()
    admin.site.add_action(wipe)
    try:
        assert ["wipe" in admin_client.get(list_of(model)).content.decode() for model in MODELS] == [False] * len(
            MODELS
        )
        assert {act(admin_client, "wipe", [row]).status_code for row in rows} == {403}
    finally:
        admin.site.disable_action("wipe")
    assert "delete_selected" in dict(admin.site.actions)
    assert admin.site.get_action("delete_selected") is delete_selected


@pytest.mark.usefixtures("flaky")
def test_actions_do_not_allow_adding_changing_or_deleting(admin_client: Client) -> None:
    for row in one_of_each():
        model_admin = admin.site.get_model_admin(type(row))
        request = admin_client.get(list_of(type(row))).wsgi_request  # type: ignore[attr-defined]
        assert [
            model_admin.has_add_permission(request),
            model_admin.has_change_permission(request),
            model_admin.has_delete_permission(request),
        ] == [False, False, False]
        assert admin_client.post(page_of(row), {"account": "other"}).status_code == 403


@pytest.fixture
def admin_client(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.mark.parametrize("action", OFFERED)
def test_get_request_never_runs_an_action(
    action: str, flaky: Flaky, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_hoiio.reconciliation.manual.refresh", pytest.fail)
    rows = one_of_each()
    receive_pending(STATUS)
    flaky.attempts.clear()
    for row in rows[:1] + rows[2:]:
        data = {"action": action, "index": "0", "_selected_action": str(row.pk), "select_across": "1"}
        assert "text/csv" not in admin_client.get(page_of(row), data)["Content-Type"]
        # The list rejects them as unknown filters.
        assert admin_client.get(list_of(type(row)), data).status_code in (302, 400)
    assert flaky.attempts == []


@pytest.mark.parametrize("action", OFFERED)
def test_post_without_csrf_token_is_refused(action: str, flaky: Flaky) -> None:
    client = staff(*PERMISSIONS.values(), client=Client(enforce_csrf_checks=True))
    rows = one_of_each()
    flaky.attempts.clear()

    assert {act(client, action, [row]).status_code for row in rows} == {403}
    assert {client.post(page_of(row), {"action": action}).status_code for row in rows} == {403}
    assert flaky.attempts == []


@pytest.mark.parametrize("key", ["", "x", "-1", "1.5", "1" * 19, "٣", "\0", "1 OR 1=1"])
def test_invalid_key_is_refused(key: str, admin_client: Client) -> None:
    data = {"action": "export_as_csv", "index": "0", "select_across": "0", "_selected_action": key}

    assert admin_client.post(list_of(Sms), data).status_code == 400


def test_post_without_action_or_without_selection_does_nothing(admin_client: Client) -> None:
    receive(STATUS)

    assert messages_of(act(admin_client, "", [Sms.objects.get()])) == ["No action selected."]
    response = admin_client.post(list_of(Sms), {"action": "reconcile", "index": "0", "select_across": "0"})
    assert messages_of(response)[-1].startswith("Items must be selected")


# On the page of a row.


def buttons(client: Client, row: Model) -> list[str]:
    page = client.get(page_of(row)).content.decode()
    return [name for name in OFFERED if f'name="action" value="{name}"' in page]


def test_page_offers_the_actions_that_apply_to_its_row(flaky: Flaky, admin_client: Client) -> None:
    dispatched, failed = receive(STATUS, GATHER)[0], ReceiverFailure.objects.order_by("pk")[0]
    assert buttons(admin_client, dispatched) == ["retry_receivers"]
    assert buttons(admin_client, failed) == ["retry_receivers"]
    assert buttons(admin_client, Sms.objects.get()) == ["reconcile"]
    assert buttons(staff(), dispatched) == []
    assert buttons(staff("export", "dispatch"), dispatched) == []

    flaky.fails = False
    recover()
    ReceiverFailure.objects.update(resolved_at=now())
    assert buttons(admin_client, dispatched) == []
    assert buttons(admin_client, failed) == []

    Notification.objects.filter(pk=dispatched.pk).update(dispatched_at=None)
    assert buttons(admin_client, dispatched) == ["dispatch"]


def test_row_without_a_reference_cannot_be_refreshed(admin_client: Client) -> None:
    receive("msg=no+reference&from=ALERT")
    row = Sms.objects.get()

    assert buttons(admin_client, row) == []
    assert messages_of(act(admin_client, "reconcile", [row])) == [
        "None of the selected rows has a transaction reference."
    ]


def test_button_acts_only_on_its_row_and_redirects_to_its_page(flaky: Flaky) -> None:
    first, _ = receive(STATUS, "txn_ref=AA-S-2&sms_status=queued")
    flaky.fails = False

    response = staff("retry_receivers").post(page_of(first), {"action": "retry_receivers"})

    assert messages_of(response) == ["Receivers: 1 resolved."]
    assert response["Location"] == page_of(first)
    assert list(ReceiverFailure.objects.unresolved().values_list("notification__txn_ref", flat=True)) == ["AA-S-2"]


@pytest.mark.parametrize("key", ["999999", "x", "\0"])
def test_button_for_a_missing_row_is_refused(key: str, admin_client: Client) -> None:
    path = list_of(Notification) + f"{key.replace(chr(0), '%00')}/change/"

    assert admin_client.post(path, {"action": "retry_receivers"}).status_code == 403


# Retry failed receivers.


def test_failed_receivers_are_retried_without_backoff_and_beyond_the_maximum_of_attempts(flaky: Flaky) -> None:
    receive(STATUS)
    ReceiverFailure.objects.update(attempts=40)
    client = staff("retry_receivers")

    assert messages_of(act(client, "retry_receivers", ReceiverFailure.objects.all())) == ["Receivers: 1 failed."]
    flaky.fails = False
    assert messages_of(act(client, "retry_receivers", ReceiverFailure.objects.all()))[-1] == "Receivers: 1 resolved."
    assert flaky.attempts == [1, 41, 42]
    assert messages_of(act(client, "retry_receivers", ReceiverFailure.objects.all()))[-1] == (
        "None of the selected rows has a failed receiver to retry."
    )
    failure = ReceiverFailure.objects.get()
    assert (failure.attempts, failure.resolved_at is None) == (42, False)
    # The traceback of the last failure remains.
    assert failure.traceback.startswith("Traceback")


def test_manual_attempt_counts_towards_the_maximum_of_attempts(flaky: Flaky, settings: Any) -> None:
    settings.HOIIO = {"RECEIVER_MAX_ATTEMPTS": 2}
    receive(STATUS)
    act(staff("retry_receivers"), "retry_receivers", ReceiverFailure.objects.all())
    ReceiverFailure.objects.update(failed_at=now() - timedelta(days=30))

    assert recover().receivers == {}


def test_failed_receivers_of_selected_notifications_are_retried(flaky: Flaky) -> None:
    rows = receive(STATUS, "txn_ref=AA-S-2&sms_status=queued", "txn_ref=AA-S-3&sms_status=queued")
    flaky.fails = False

    assert messages_of(act(staff("retry_receivers"), "retry_receivers", rows[:2])) == ["Receivers: 2 resolved."]
    assert list(ReceiverFailure.objects.unresolved().values_list("notification", flat=True)) == [rows[2].pk]


def test_message_warns_that_a_receiver_of_an_interactive_call_ran_late(flaky: Flaky) -> None:
    rows = receive(GATHER, STATUS)
    flaky.fails = False

    assert messages_of(act(staff("retry_receivers"), "retry_receivers", rows)) == [
        "Receivers: 2 resolved. 1 of them belongs to an interactive call, and may have dialled or played late."
    ]


def test_message_counts_each_outcome_without_personal_data(flaky: Flaky) -> None:
    rows = receive(*[f"{STATUS}{number}" for number in range(4)])
    gone, running, *_ = ReceiverFailure.objects.order_by("pk")
    ReceiverFailure.objects.filter(pk=gone.pk).update(receiver="shop.gone")
    ReceiverFailure.objects.filter(pk=running.pk).update(traceback=dispatch.RUNNING, failed_at=now())

    assert messages_of(act(staff("retry_receivers"), "retry_receivers", rows)) == [
        "Receivers: 2 failed, 1 no longer registered, 1 taken by another process."
    ]


def test_select_across_retries_all_rows_of_a_filter(flaky: Flaky) -> None:
    rows = receive(STATUS, GATHER)
    flaky.fails = False

    response = act(staff("retry_receivers"), "retry_receivers", rows[:1], "?kind__exact=ivr_gather", select_across="1")

    assert messages_of(response)[0].startswith("Receivers: 1 resolved.")
    assert [failure.receiver for failure in ReceiverFailure.objects.unresolved()] == ["shop.bill"]


@pytest.mark.parametrize(
    ("action", "model"),
    [
        ("retry_receivers", Notification),
        ("retry_receivers", ReceiverFailure),
        ("dispatch", Notification),
        ("reconcile", Sms),
    ],
)
def test_select_across_does_not_read_all_rows_at_once(
    flaky: Flaky, monkeypatch: pytest.MonkeyPatch, action: str, model: type[Model]
) -> None:
    (receive_pending if action == "dispatch" else receive)(*[f"{STATUS}&x={number}" for number in range(4)])
    monkeypatch.setattr(batches, "MAX_ITEMS", 2)
    client = staff(*PERMISSIONS.values())

    with CaptureQueriesContext(connection) as captured:
        act(client, action, model._default_manager.all()[:1], select_across="1")

    selects = [each["sql"] for each in captured if each["sql"].startswith("SELECT") and "FROM" in each["sql"]]
    of_rows = [sql for sql in selects if re.search(r"FROM .django_hoiio_", sql)]
    assert of_rows
    assert [sql for sql in of_rows if not re.search(r"LIMIT \d|COUNT\(|_?id.? = \d", sql)] == []


@pytest.mark.parametrize(("name", "value"), [("MAX_ITEMS", 2), ("TIME_LIMIT", 0.0)])
def test_one_request_is_limited_and_reports_that_rows_are_left(
    flaky: Flaky, monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    rows = receive(*[f"{STATUS}{number}" for number in range(3)])
    monkeypatch.setattr(batches if name == "MAX_ITEMS" else manual, name, value)
    done = int(value) or 1

    response = act(staff("retry_receivers"), "retry_receivers", rows)

    assert len(flaky.attempts) == 3 + done
    more = "The limit of one request was reached; repeat the action for the remaining rows."
    assert messages_of(response) == [f"Receivers: {done} failed. {more}"]


def test_running_receiver_is_left_to_its_process_until_the_claim_expires(flaky: Flaky) -> None:
    receive(STATUS)
    failures = ReceiverFailure.objects.all()
    failures.update(attempts=2, traceback=dispatch.RUNNING + "before", failed_at=now())
    assert dispatch.retry(failures.get(), ignore_backoff=True) == dispatch.Outcome.TAKEN

    failures.update(failed_at=now() - CLAIM)
    assert dispatch.retry(failures.get(), ignore_backoff=True) == dispatch.Outcome.FAILED
    assert flaky.attempts == [1, 3]


def test_attempt_after_a_crash_restores_the_previous_traceback(flaky: Flaky) -> None:
    receive(STATUS)
    moment = now() - CLAIM
    ReceiverFailure.objects.update(attempts=2, traceback=dispatch.RUNNING + "before", failed_at=moment)
    flaky.fails = False

    act(staff("retry_receivers"), "retry_receivers", ReceiverFailure.objects.all())

    assert ReceiverFailure.objects.get().traceback == "before"


# With a transaction around it, what a failing receiver writes would be rolled back.
@pytest.mark.django_db(transaction=True)
def test_attempt_that_outlives_its_claim_does_not_overwrite_a_later_attempt() -> None:
    def slow(attempt: int, **kwargs: Any) -> None:
        if attempt == 2:
            ReceiverFailure.objects.update(attempts=3, traceback="of the third")
        raise ValueError

    sms_status.connect(slow)
    receive(STATUS)
    act(staff("retry_receivers"), "retry_receivers", ReceiverFailure.objects.all())

    assert ReceiverFailure.objects.get().traceback == "of the third"


def test_failure_is_marked_as_running_and_shows_the_previous_traceback() -> None:
    seen: list[str] = []

    def look(notification: Notification, attempt: int, **kwargs: Any) -> None:
        seen.extend(failure.traceback for failure in notification.failures.all())
        raise ValueError(f"attempt {attempt}")

    sms_status.connect(look)
    receive(STATUS)
    first = ReceiverFailure.objects.get().traceback
    act(staff("retry_receivers"), "retry_receivers", ReceiverFailure.objects.all())

    assert seen == [dispatch.RUNNING + first]
    assert ReceiverFailure.objects.get().traceback.strip().endswith("ValueError: attempt 2")


def _act_twice(action: str, rows: Any, begun: threading.Event, may_end: threading.Event) -> list[list[str]]:
    """Run an action, and run it again while its receiver waits. Return the messages, those of the second run first."""
    answers: list[list[str]] = []

    def run_action(client: Client) -> None:
        try:
            answers.append(messages_of(act(client, action, rows)))
        finally:
            connection.close()

    first, second = staff(action), staff(action)
    thread = threading.Thread(target=run_action, args=[first])
    thread.start()
    assert begun.wait(30)
    run_action(second)
    may_end.set()
    thread.join()
    return answers


@pytest.mark.django_db(transaction=True)
def test_two_simultaneous_retries_run_a_receiver_once() -> None:
    runs: list[int] = []
    begun, may_end = threading.Event(), threading.Event()

    def slow(attempt: int, **kwargs: Any) -> None:
        if attempt == 1:
            raise ValueError("no")
        runs.append(attempt)
        begun.set()
        assert may_end.wait(30)

    sms_status.connect(slow)
    receive(STATUS)
    failures = list(ReceiverFailure.objects.all())

    answers = _act_twice("retry_receivers", failures, begun, may_end)

    assert runs == [2]
    assert answers == [["Receivers: 1 taken by another process."], ["Receivers: 1 resolved."]]


@pytest.mark.django_db(transaction=True)
def test_attempt_is_committed_before_it_runs_even_with_atomic_requests() -> None:
    seen: list[Any] = []

    def look(attempt: int, **kwargs: Any) -> None:
        seen.append((attempt, connection.in_atomic_block))
        raise ValueError("no")

    sms_status.connect(look)
    receive(STATUS)
    client = staff("retry_receivers")
    failure = ReceiverFailure.objects.get()
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        act(client, "retry_receivers", [failure])
        client.post(page_of(failure), {"action": "retry_receivers"})
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False

    assert seen == [(1, False), (2, False), (3, False)]


# Dispatch pending notifications.


def test_claim_far_in_the_future_from_a_wrong_clock_is_ignored(heard: list[Any]) -> None:
    (stored,) = receive_pending(f"{STATUS}1")
    Notification.objects.update(claimed_until=now() + timedelta(days=400))
    heard.clear()

    assert messages_of(act(staff("dispatch"), "dispatch", [stored])) == [
        "1 notification was dispatched. Receivers: 2 resolved."
    ]
    assert [arguments["notification"] for _, arguments in heard] == [stored, stored]


def test_notification_that_another_process_claims_meanwhile_is_skipped(
    heard: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (stored,) = receive_pending(f"{STATUS}1")
    record_interrupted = manual.record_interrupted

    def claim_before(notification: Notification) -> bool:
        assert dispatch.claim(Notification.objects.get())
        return record_interrupted(notification)

    monkeypatch.setattr(manual, "record_interrupted", claim_before)
    heard.clear()

    assert messages_of(act(staff("dispatch"), "dispatch", [stored])) == [
        "0 notifications were dispatched. 1 is being dispatched by another process."
    ]
    assert heard == []


def test_pending_notification_is_dispatched_and_a_claimed_one_is_skipped(heard: list[Any]) -> None:
    free, claimed, dispatched = receive_pending(*[f"{STATUS}{number}" for number in range(3)])
    Notification.objects.filter(pk=claimed.pk).update(claimed_until=now() + CLAIM)
    Notification.objects.filter(pk=dispatched.pk).update(dispatched_at=now(), claimed_until=None)
    heard.clear()
    client = staff("dispatch")

    assert messages_of(act(client, "dispatch", [free, claimed, dispatched])) == [
        "1 notification was dispatched. Receivers: 2 resolved. 1 is being dispatched by another process."
    ]
    assert [(name, arguments["notification"]) for name, arguments in heard] == [
        ("sms_status", free),
        ("notification_received", free),
    ]
    assert list(Notification.objects.pending()) == [claimed]
    assert (
        messages_of(act(client, "dispatch", [free, dispatched]))[-1] == "None of the selected notifications is pending."
    )


def test_pending_notification_of_an_interactive_call_is_dispatched_late(flaky: Flaky) -> None:
    rows = receive_pending(GATHER)
    flaky.fails = False

    assert messages_of(act(staff("dispatch"), "dispatch", rows)) == [
        (
            "1 notification was dispatched. Receivers: 1 resolved."
            " 1 of them belongs to an interactive call, and may have dialled or played late."
        )
    ]


def test_receiver_that_fails_in_a_late_dispatch_stays_unresolved(flaky: Flaky) -> None:
    rows = receive_pending(STATUS)

    assert messages_of(act(staff("dispatch"), "dispatch", rows)) == [
        "1 notification was dispatched. Receivers: 1 failed."
    ]
    assert [(each.receiver, each.attempts) for each in ReceiverFailure.objects.unresolved()] == [("shop.bill", 2)]


@pytest.mark.django_db(transaction=True)
def test_two_simultaneous_dispatches_run_the_receivers_once() -> None:
    calls: list[int] = []
    begun, may_end = threading.Event(), threading.Event()

    def slow(**kwargs: Any) -> None:
        calls.append(1)
        begun.set()
        assert may_end.wait(30)

    rows = receive_pending(STATUS)
    sms_status.connect(slow)

    answers = _act_twice("dispatch", rows, begun, may_end)

    assert calls == [1]
    assert answers == [
        ["None of the selected notifications is pending."],
        ["1 notification was dispatched. Receivers: 1 resolved."],
    ]


# Refresh status from Hoiio.


@pytest.fixture
def answers(hoiio: Hoiio, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Configure the fake Hoiio's replies by transaction reference."""
    settings.HOIIO = {**settings.HOIIO, "RECONCILE_REQUESTS_PER_MINUTE": 1000}
    monkeypatch.setattr("django_hoiio.client.connection.RETRY_DELAYS", (0, 0))

    def answers(**by_reference: Any) -> None:
        hoiio.meanwhile = lambda request: hoiio.says(by_reference[request.params["txn_ref"].replace("-", "_")])

    return answers


def sms(*references: str) -> list[Sms]:
    receive(*[f"txn_ref={reference}&sms_status=queued&dest=%2B6591231111" for reference in references])
    return list(Sms.objects.order_by("pk"))


def status(reference: str, word: str) -> dict[str, str]:
    return {"status": "success_ok", "txn_ref": reference, "sms_status": word, "dest": NUMBER, "debit": "0.03"}


def test_selected_sms_are_polled_and_a_change_is_ingested_as_a_notification(
    answers: Callable[..., None], hoiio: Hoiio, heard: list[Any]
) -> None:
    rows = sms("AA-S-1", "AA-S-2", "AA-S-3", "AA-S-4")
    answers(
        AA_S_1=status("AA-S-1", "delivered"),
        AA_S_2={"status": "success_ok", "txn_ref": "AA-S-2", "sms_status": "queued"},
        AA_S_3={"status": "error_invalid_txn_ref"},
    )
    heard.clear()

    response = act(staff("reconcile"), "reconcile", rows[:3])

    assert messages_of(response) == ["3 requests to Hoiio: 1 changed, 1 unchanged, 1 unknown to Hoiio."]
    assert [request.path for request in hoiio.requests] == ["/open/sms/query_status"] * 3
    assert [(name, arguments["sms"].sms_status) for name, arguments in heard] == [
        ("sms_status", "delivered"),
        ("notification_received", "delivered"),
    ]
    # The automatic reconciliation still polls the overdue rows.
    assert HighWaterMark.objects.of("default", Channel.SMS).overdue_up_to is None


@pytest.mark.parametrize(
    ("model", "body", "path", "reported", "column"),
    [
        (Call, "txn_ref=AA-C-1&session=S1&call_state=ringing", "voice", {"call_state": "ended"}, "call_state"),
        (Fax, FAX, "fax", {"fax_status": "answered"}, "fax_status"),
    ],
)
def test_calls_and_faxes_are_polled_too(
    hoiio: Hoiio, model: type[Model], body: str, path: str, reported: dict[str, str], column: str
) -> None:
    receive(body)
    row: Any = model._default_manager.get()
    hoiio.says({"status": "success_ok", "txn_ref": row.txn_ref, "duration": "2", "debit": "0.1", **reported})

    assert messages_of(staff("reconcile").post(page_of(row), {"action": "reconcile"})) == [
        "1 request to Hoiio: 1 changed."
    ]
    assert hoiio.request.path == f"/open/{path}/query_status"
    row.refresh_from_db()
    assert getattr(row, column) == reported[column]


def test_parts_of_a_long_sms_are_polled_once(answers: Callable[..., None], hoiio: Hoiio) -> None:
    receive(*[f"msg={text}&from=%2B6591231111&txn_ref=AA-SI-1" for text in ("one", "two")])
    answers(AA_SI_1={"status": "success_ok", "txn_ref": "AA-SI-1", "sms_status": "received"})

    act(staff("reconcile"), "reconcile", Sms.objects.all())

    assert hoiio.request.params["txn_ref"] == "AA-SI-1"


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (
            {"status": "error_invalid_access_token"},
            (
                "Account 'default': Hoiio refused sms/query_status with error_invalid_access_token;"
                " check APP_ID and ACCESS_TOKEN in HOIIO['ACCOUNTS']."
            ),
        ),
        (
            {"status": "error_rate_limit_exceeded"},
            (
                "Account 'default': Hoiio refused sms/query_status with error_rate_limit_exceeded;"
                " wait a minute before the next one."
            ),
        ),
        (
            (502, b"<html>+6591231111 new-token</html>", {}),
            (
                "Account 'default': The response to sms/query_status is not Hoiio's: HTTP 502, and no JSON object with a"
                " status. Check HOIIO['API_URL']. Hoiio may have carried the request out."
            ),
        ),
    ],
)
def test_error_of_hoiio_is_reported_with_advice_and_ends_polling(
    answers: Callable[..., None], hoiio: Hoiio, reply: Any, sentence: str
) -> None:
    rows = sms("AA-S-1", "AA-S-2")
    answers(AA_S_1=reply)

    messages = messages_of(act(staff("reconcile"), "reconcile", rows))

    assert messages == ["1 request to Hoiio.", sentence]
    assert {request.params["txn_ref"] for request in hoiio.requests} == {"AA-S-1"}


def test_polling_continues_after_an_error_and_stops_after_several_in_a_row(
    answers: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = {"status": "error_internal_server_error"}
    rows = sms("AA-S-1", "AA-S-2", "AA-S-3", "AA-S-4", "AA-S-5", "AA-S-6")
    answers(AA_S_1=fault, AA_S_2=status("AA-S-2", "delivered"), AA_S_3=fault, AA_S_4=fault, AA_S_5=fault, AA_S_6=fault)
    monkeypatch.setattr(admin_actions, "MAX_FAILURES_SHOWN", 2)

    counted, failures = messages_of(act(staff("reconcile"), "reconcile", rows))

    assert counted == "5 requests to Hoiio: 1 changed."
    sentence = "Hoiio refused sms/query_status with error_internal_server_error; try again later."
    assert failures == (
        f"AA-S-1 of account 'default': {sentence} AA-S-3 of account 'default': {sentence} 2 more failures."
    )


@pytest.mark.parametrize(
    ("accounts", "sentence"),
    [
        ({}, "Account 'default': HOIIO['ACCOUNTS']['default'] has no APP_ID; copy it from Hoiio's portal."),
        (
            {"default": {"APP_ID": "app"}},
            ("Account 'default': HOIIO['ACCOUNTS']['default'] has no ACCESS_TOKEN; copy it from Hoiio's portal."),
        ),
    ],
)
def test_message_names_the_missing_credential_of_an_account(
    accounts: dict[str, Any], sentence: str, settings: Any
) -> None:
    rows = sms("AA-S-1")
    settings.HOIIO = {**settings.HOIIO, "ACCOUNTS": accounts}

    assert messages_of(act(staff("reconcile"), "reconcile", rows)) == [sentence]


def test_account_removed_from_the_settings_does_not_stop_the_others(
    answers: Callable[..., None],
) -> None:
    rows = sms("AA-S-1", "AA-S-2")
    Sms.objects.filter(txn_ref="AA-S-1").update(account="closed")
    answers(AA_S_2=status("AA-S-2", "delivered"))

    assert messages_of(act(staff("reconcile"), "reconcile", rows)) == [
        "1 request to Hoiio: 1 changed.",
        "Account 'closed': HOIIO['ACCOUNTS'] has no account 'closed'; it has default, second.",
    ]


def test_message_about_a_connection_failure_contains_no_token(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = sms("AA-S-1")
    monkeypatch.setattr("django_hoiio.client.connection.RETRY_DELAYS", (0, 0))
    accounts = {"default": {"APP_ID": "app", "ACCESS_TOKEN": "new-token"}}
    settings.HOIIO = {**settings.HOIIO, "API_URL": "http://127.0.0.1:9/open/", "ACCOUNTS": accounts}

    assert messages_of(act(staff("reconcile"), "reconcile", rows)) == [
        "1 request to Hoiio.",
        "Account 'default': No response from Hoiio to sms/query_status: ConnectionError. It was not sent.",
    ]


def test_rate_limit_is_shared_between_requests_and_does_not_wait(
    answers: Callable[..., None], hoiio: Hoiio, settings: Any
) -> None:
    rows = sms("AA-S-1", "AA-S-2", "AA-S-3")
    settings.HOIIO = {**settings.HOIIO, "RECONCILE_REQUESTS_PER_MINUTE": 2}
    answers(**{row.txn_ref.replace("-", "_"): status(str(row.txn_ref), "queued") for row in rows if row.txn_ref})
    client = staff("reconcile")
    spent = (
        "Account 'default': HOIIO['RECONCILE_REQUESTS_PER_MINUTE'] allows 2 requests a minute; try again in a minute."
    )

    assert messages_of(act(client, "reconcile", rows)) == ["2 requests to Hoiio: 2 changed.", spent]
    assert messages_of(act(client, "reconcile", rows))[-1] == spent
    assert len(hoiio.requests) == 2


def test_one_request_polls_a_limited_number_and_reports_that_rows_are_left(
    answers: Callable[..., None], hoiio: Hoiio, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = sms("AA-S-1", "AA-S-2", "AA-S-3")
    monkeypatch.setattr(batches, "MAX_ITEMS", 1)
    answers(AA_S_1=status("AA-S-1", "delivered"))

    assert messages_of(act(staff("reconcile"), "reconcile", rows)) == [
        "1 request to Hoiio: 1 changed. The limit of one request was reached; repeat the action for the remaining rows."
    ]
    assert hoiio.request.params["txn_ref"] == "AA-S-1"


def test_database_error_is_reported_without_its_message(
    answers: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = sms("AA-S-1")

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OperationalError(f"no {NUMBER} here")

    monkeypatch.setattr(manual_refresh, "refresh", refuse)
    answers()

    assert messages_of(act(staff("reconcile"), "reconcile", rows)) == [
        "The database is unavailable (OperationalError); try again later."
    ]


def test_message_names_the_package_to_install_if_requests_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = sms("AA-S-1")
    for name in list(sys.modules):
        if name.startswith(("django_hoiio.client", "django_hoiio.reconciliation")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "requests", None)

    assert messages_of(act(staff("reconcile"), "reconcile", rows)) == [
        "django_hoiio.client needs requests: pip install requests"
    ]


def test_admin_imports_neither_the_client_nor_requests() -> None:
    code = (
        "import django, sys; django.setup(); import django_hoiio.admin;"
        "print(sorted(name for name in sys.modules if name.split('.')[0] == 'requests'"
        " or name.startswith(('django_hoiio.client', 'django_hoiio.reconciliation', 'django_hoiio.sandbox'))))"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": ""}

    assert subprocess.check_output([sys.executable, "-c", code], env=environment, text=True) == "[]\n"


# Messages and log.


def test_neither_messages_nor_the_log_contain_a_number_or_a_text(
    flaky: Flaky, answers: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="django_hoiio")
    rows = receive_pending(STATUS, GATHER)
    client = staff("retry_receivers", "dispatch", "reconcile")
    answers(AA_S_1={"status": "error_internal_server_error", "msg": "secret words", "dest": NUMBER})

    texts = [
        *messages_of(act(client, "dispatch", rows)),
        *messages_of(act(client, "retry_receivers", rows)),
        *messages_of(act(client, "reconcile", Sms.objects.all())),
        *(record.getMessage() for record in caplog.records),
    ]

    assert len(texts) > 8
    assert [text for text in texts for each in ("9123", "secret", "token", "customer") if each in text] == []
    user = User.objects.get()
    assert [text for text in texts if text.startswith("User")] == [
        f"User {user.pk} ran an admin action: 2 notifications.",
        f"User {user.pk} ran an admin action: 2 receivers.",
        f"User {user.pk} ran an admin action: 1 requests to Hoiio.",
    ]


def test_time_budget_that_allows_all_items_is_not_cut() -> None:
    budget = batches.TimeBudget(60)

    assert (list(budget.take("abc")), budget.is_cut) == (["a", "b", "c"], False)
