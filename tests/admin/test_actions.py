"""What people of different rights can have done from the admin."""

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

from django_hoiio import dispatch, inbox, recording
from django_hoiio.admin import actions as admin_actions
from django_hoiio.enums import Channel
from django_hoiio.models import Call, DailyTotal, Fax, HighWaterMark, Notification, ReceiverFailure, Sms
from django_hoiio.reconciliation import manual as asking_by_hand
from django_hoiio.reconciliation import reader
from django_hoiio.recovery import batches, manual, recover
from django_hoiio.signals import SIGNALS, ivr_gather, notification_received, sms_status
from tests.conftest import raw_notification
from tests.fake_hoiio import Hoiio
from tests.users import act, list_of, page_of, said, staff

pytestmark = pytest.mark.django_db

NUMBER = "+6591231111"
STATUS = "txn_ref=AA-S-1&sms_status=queued&dest=%2B6591231111&msg=secret+words"
GATHER = "txn_ref=AA-C-1&session=S1&digits=1&from=%2B6591231111"
FAX = "txn_ref=AA-C-9&fax_status=ongoing&dest=%2B6591231111"

# Each action, the lists that offer it, and the words in which they do.
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
    """A receiver that fails until it is told not to."""

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
    return [inbox.receive(raw_notification("any", body=body)).notification for body in bodies]


def left_untold(*bodies: str) -> list[Notification]:
    """Notifications whose process ended before it told anybody, and whose claim has run out."""
    kept = receive(*bodies)
    Notification.objects.update(dispatched_at=None, claimed_until=now() - timedelta(seconds=1))
    ReceiverFailure.objects.all().delete()
    return kept


def one_of_each() -> list[Model]:
    receive(STATUS, GATHER, FAX)
    DailyTotal.objects.create(day=now().date(), account="default", traffic="sms_sent", count=1, succeeded=0, debit=0)
    return [model._default_manager.all()[0] for model in MODELS]


# Who is offered what.


@pytest.mark.usefixtures("flaky")
@pytest.mark.parametrize("action", OFFERED)
def test_action_is_offered_to_those_alone_who_have_its_permission(action: str) -> None:
    rows, (models, words) = one_of_each(), OFFERED[action]
    choice = f'<option value="{action}">{words}</option>'
    may, others = staff(PERMISSIONS[action]), staff(*(set(PERMISSIONS.values()) - {PERMISSIONS[action]}))
    nobody = staff("view_personal_data", "view_recordings", "view_raw")
    for row in rows:
        pages = [client.get(list_of(type(row))).content.decode() for client in (may, others, nobody)]
        assert [choice in page for page in pages] == [type(row) in models, False, False]
    assert 'name="action"' not in nobody.get(list_of(Sms)).content.decode()


@pytest.mark.usefixtures("flaky")
@pytest.mark.parametrize("action", OFFERED)
def test_action_without_its_permission_is_refused_and_does_nothing(
    action: str, monkeypatch: pytest.MonkeyPatch, heard: list[Any]
) -> None:
    rows = one_of_each()
    untold = left_untold(STATUS)[0]
    heard.clear()
    monkeypatch.setattr("django_hoiio.reconciliation.manual.refresh", pytest.fail)
    others = staff(*(set(PERMISSIONS.values()) - {PERMISSIONS[action]}))
    rows[1] = ReceiverFailure.objects.create(notification=untold, signal="sms_status", receiver="shop.bill", attempts=1)

    assert {act(others, action, [row]).status_code for row in rows} == {403}
    assert {others.post(page_of(row), {"action": action}).status_code for row in rows} == {403}
    assert heard == []
    assert ReceiverFailure.objects.get().attempts == 1


@pytest.mark.usefixtures("flaky")
@pytest.mark.parametrize("action", OFFERED)
def test_action_takes_the_permission_to_view_as_well(action: str) -> None:
    client = staff(*PERMISSIONS.values(), views=())
    rows = one_of_each()

    assert {act(client, action, [row]).status_code for row in rows} == {403}
    assert {client.post(page_of(row), {"action": action}).status_code for row in rows} == {403}


@pytest.mark.usefixtures("flaky")
@pytest.mark.parametrize("model", MODELS)
def test_list_does_only_what_it_offers(model: type[Model], admin_client: Client) -> None:
    (row,) = [row for row in one_of_each() if type(row) is model]
    others = {*OFFERED, "delete_selected", "x"} - {name for name, (models, _) in OFFERED.items() if model in models}

    assert {act(admin_client, action, [row]).status_code for action in others} == {403}
    assert {admin_client.post(page_of(row), {"action": action}).status_code for action in others} == {403}
    assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.usefixtures("flaky")
def test_action_of_the_whole_site_is_not_offered_here(admin_client: Client) -> None:
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
def test_actions_let_nobody_add_change_or_delete(admin_client: Client) -> None:
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
def test_get_never_acts(action: str, flaky: Flaky, admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_hoiio.reconciliation.manual.refresh", pytest.fail)
    rows = one_of_each()
    left_untold(STATUS)
    flaky.attempts.clear()
    for row in rows[:1] + rows[2:]:
        asked = {"action": action, "index": "0", "_selected_action": str(row.pk), "select_across": "1"}
        assert "text/csv" not in admin_client.get(page_of(row), asked)["Content-Type"]
        # The list takes them for filters that it does not have.
        assert admin_client.get(list_of(type(row)), asked).status_code in (302, 400)
    assert flaky.attempts == []


@pytest.mark.parametrize("action", OFFERED)
def test_post_without_the_token_of_the_form_is_refused(action: str, flaky: Flaky) -> None:
    client = staff(*PERMISSIONS.values(), client=Client(enforce_csrf_checks=True))
    rows = one_of_each()
    flaky.attempts.clear()

    assert {act(client, action, [row]).status_code for row in rows} == {403}
    assert {client.post(page_of(row), {"action": action}).status_code for row in rows} == {403}
    assert flaky.attempts == []


@pytest.mark.parametrize("key", ["", "x", "-1", "1.5", "1" * 19, "٣", "\0", "1 OR 1=1"])
def test_key_that_is_none_is_refused(key: str, admin_client: Client) -> None:
    asked = {"action": "export_as_csv", "index": "0", "select_across": "0", "_selected_action": key}

    assert admin_client.post(list_of(Sms), asked).status_code == 400


def test_nothing_chosen_and_nothing_ticked_do_nothing(admin_client: Client) -> None:
    receive(STATUS)

    assert said(act(admin_client, "", [Sms.objects.get()])) == ["No action selected."]
    response = admin_client.post(list_of(Sms), {"action": "reconcile", "index": "0", "select_across": "0"})
    assert said(response)[-1].startswith("Items must be selected")


# On the page of a row.


def buttons(client: Client, row: Model) -> list[str]:
    page = client.get(page_of(row)).content.decode()
    return [name for name in OFFERED if f'name="action" value="{name}"' in page]


def test_page_offers_what_can_be_done_for_its_row(flaky: Flaky, admin_client: Client) -> None:
    told, failed = receive(STATUS, GATHER)[0], ReceiverFailure.objects.order_by("pk")[0]
    assert buttons(admin_client, told) == ["retry_receivers"]
    assert buttons(admin_client, failed) == ["retry_receivers"]
    assert buttons(admin_client, Sms.objects.get()) == ["reconcile"]
    assert buttons(staff(), told) == []
    assert buttons(staff("export", "dispatch"), told) == []

    flaky.fails = False
    recover()
    ReceiverFailure.objects.update(resolved_at=now())
    assert buttons(admin_client, told) == []
    assert buttons(admin_client, failed) == []

    Notification.objects.filter(pk=told.pk).update(dispatched_at=None)
    assert buttons(admin_client, told) == ["dispatch"]


def test_row_without_a_reference_is_not_to_be_asked_after(admin_client: Client) -> None:
    receive("msg=no+reference&from=ALERT")
    row = Sms.objects.get()

    assert buttons(admin_client, row) == []
    assert said(act(admin_client, "reconcile", [row])) == ["None of these has a reference that Hoiio knows it by."]


def test_button_acts_on_its_row_alone_and_leads_back_to_its_page(flaky: Flaky) -> None:
    first, _ = receive(STATUS, "txn_ref=AA-S-2&sms_status=queued")
    flaky.fails = False

    response = staff("retry_receivers").post(page_of(first), {"action": "retry_receivers"})

    assert said(response) == ["Receivers: 1 resolved."]
    assert response["Location"] == page_of(first)
    assert list(ReceiverFailure.objects.unresolved().values_list("notification__txn_ref", flat=True)) == ["AA-S-2"]


@pytest.mark.parametrize("key", ["999999", "x", "\0"])
def test_button_for_a_row_that_is_not_there_is_refused(key: str, admin_client: Client) -> None:
    path = list_of(Notification) + f"{key.replace(chr(0), '%00')}/change/"

    assert admin_client.post(path, {"action": "retry_receivers"}).status_code == 403


# Retry failed receivers.


def test_failed_receivers_are_run_again_whatever_they_rest_and_however_often_they_failed(flaky: Flaky) -> None:
    receive(STATUS)
    ReceiverFailure.objects.update(attempts=40)
    client = staff("retry_receivers")

    assert said(act(client, "retry_receivers", ReceiverFailure.objects.all())) == ["Receivers: 1 failed."]
    flaky.fails = False
    assert said(act(client, "retry_receivers", ReceiverFailure.objects.all()))[-1] == "Receivers: 1 resolved."
    assert flaky.attempts == [1, 41, 42]
    assert said(act(client, "retry_receivers", ReceiverFailure.objects.all()))[-1] == (
        "None of these has a failed receiver to retry."
    )
    failure = ReceiverFailure.objects.get()
    assert (failure.attempts, failure.resolved_at is None) == (42, False)
    # The last failure stays readable.
    assert failure.traceback.startswith("Traceback")


def test_attempt_that_a_person_asked_for_counts_as_one_of_those_that_are_made_by_themselves(
    flaky: Flaky, settings: Any
) -> None:
    settings.HOIIO = {"RECEIVER_MAX_ATTEMPTS": 2}
    receive(STATUS)
    act(staff("retry_receivers"), "retry_receivers", ReceiverFailure.objects.all())
    ReceiverFailure.objects.update(failed_at=now() - timedelta(days=30))

    assert recover().receivers == {}


def test_failed_receivers_of_notifications_are_run_again(flaky: Flaky) -> None:
    rows = receive(STATUS, "txn_ref=AA-S-2&sms_status=queued", "txn_ref=AA-S-3&sms_status=queued")
    flaky.fails = False

    assert said(act(staff("retry_receivers"), "retry_receivers", rows[:2])) == ["Receivers: 2 resolved."]
    assert list(ReceiverFailure.objects.unresolved().values_list("notification", flat=True)) == [rows[2].pk]


def test_receiver_of_an_interactive_call_is_run_and_the_message_says_that_it_is_late(flaky: Flaky) -> None:
    rows = receive(GATHER, STATUS)
    flaky.fails = False

    assert said(act(staff("retry_receivers"), "retry_receivers", rows)) == [
        "Receivers: 2 resolved. 1 of them belongs to an interactive call, and may have dialled or played late."
    ]


def test_message_counts_each_outcome_and_names_nobody(flaky: Flaky) -> None:
    rows = receive(*[f"{STATUS}{number}" for number in range(4)])
    gone, running, *_ = ReceiverFailure.objects.order_by("pk")
    ReceiverFailure.objects.filter(pk=gone.pk).update(receiver="shop.gone")
    ReceiverFailure.objects.filter(pk=running.pk).update(traceback=dispatch.RUNNING, failed_at=now())

    assert said(act(staff("retry_receivers"), "retry_receivers", rows)) == [
        "Receivers: 2 failed, 1 no longer connected, 1 taken by another process."
    ]


def test_all_that_a_filter_finds_is_run_without_ticking_each(flaky: Flaky) -> None:
    rows = receive(STATUS, GATHER)
    flaky.fails = False

    response = act(staff("retry_receivers"), "retry_receivers", rows[:1], "?kind__exact=ivr_gather", select_across="1")

    assert said(response)[0].startswith("Receivers: 1 resolved.")
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
def test_all_that_is_found_is_not_read_at_once(
    flaky: Flaky, monkeypatch: pytest.MonkeyPatch, action: str, model: type[Model]
) -> None:
    (left_untold if action == "dispatch" else receive)(*[f"{STATUS}&x={number}" for number in range(4)])
    monkeypatch.setattr(batches, "MAX_ITEMS", 2)
    client = staff(*PERMISSIONS.values())

    with CaptureQueriesContext(connection) as captured:
        act(client, action, model._default_manager.all()[:1], select_across="1")

    asked = [each["sql"] for each in captured if each["sql"].startswith("SELECT") and "FROM" in each["sql"]]
    of_rows = [sql for sql in asked if re.search(r"FROM .django_hoiio_", sql)]
    assert of_rows
    assert [sql for sql in of_rows if not re.search(r"LIMIT \d|COUNT\(|_?id.? = \d", sql)] == []


@pytest.mark.parametrize(("name", "value"), [("MAX_ITEMS", 2), ("SECONDS", 0.0)])
def test_one_request_does_so_much_and_says_that_there_is_more(
    flaky: Flaky, monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    rows = receive(*[f"{STATUS}{number}" for number in range(3)])
    monkeypatch.setattr(batches if name == "MAX_ITEMS" else manual, name, value)
    done = int(value) or 1

    response = act(staff("retry_receivers"), "retry_receivers", rows)

    assert len(flaky.attempts) == 3 + done
    more = "One request cannot do all of them; repeat the action for the rest."
    assert said(response) == [f"Receivers: {done} failed again. {more}"]


def test_receiver_that_runs_is_left_to_its_process_until_its_claim_is_over(flaky: Flaky) -> None:
    receive(STATUS)
    ledger = ReceiverFailure.objects.all()
    ledger.update(attempts=2, traceback=dispatch.RUNNING + "before", failed_at=now())
    assert dispatch.retry(ledger.get(), ignore_backoff=True) == dispatch.Outcome.TAKEN

    ledger.update(failed_at=now() - recording.CLAIM)
    assert dispatch.retry(ledger.get(), ignore_backoff=True) == dispatch.Outcome.FAILED
    assert flaky.attempts == [1, 3]


def test_attempt_whose_process_ended_leaves_the_traceback_from_before_it(flaky: Flaky) -> None:
    receive(STATUS)
    moment = now() - recording.CLAIM
    ReceiverFailure.objects.update(attempts=2, traceback=dispatch.RUNNING + "before", failed_at=moment)
    flaky.fails = False

    act(staff("retry_receivers"), "retry_receivers", ReceiverFailure.objects.all())

    assert ReceiverFailure.objects.get().traceback == "before"


def test_attempt_that_took_so_long_that_another_was_begun_leaves_the_ledger_to_that(
    flaky: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(STATUS)
    call = dispatch._call

    def slow(*args: Any, **kwargs: Any) -> str | None:
        failure = call(*args, **kwargs)
        ReceiverFailure.objects.update(attempts=3, traceback="of the third")
        return failure

    monkeypatch.setattr(dispatch, "_call", slow)
    act(staff("retry_receivers"), "retry_receivers", ReceiverFailure.objects.all())

    assert ReceiverFailure.objects.get().traceback == "of the third"


def test_ledger_says_while_a_receiver_runs_that_it_does_and_what_was_before() -> None:
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


@pytest.mark.django_db(transaction=True)
def test_two_people_who_ask_at_once_have_a_receiver_run_once() -> None:
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
    answers: list[list[str]] = []

    def ask(client: Client) -> None:
        try:
            answers.append(said(act(client, "retry_receivers", failures)))
        finally:
            connection.close()

    first, second = staff("retry_receivers"), staff("retry_receivers")
    thread = threading.Thread(target=ask, args=[first])
    thread.start()
    assert begun.wait(30)
    ask(second)
    may_end.set()
    thread.join()

    assert runs == [2]
    assert answers == [["Receivers: 1 taken by another process."], ["Receivers: 1 resolved."]]


@pytest.mark.django_db(transaction=True)
def test_attempt_is_committed_before_it_is_made_also_where_requests_are_atomic() -> None:
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


# Tell what was never told.


def test_claim_that_a_wrong_clock_set_far_ahead_is_not_left_to_its_process(heard: list[Any]) -> None:
    (kept,) = left_untold(f"{STATUS}1")
    Notification.objects.update(claimed_until=now() + timedelta(days=400))
    heard.clear()

    assert said(act(staff("dispatch"), "dispatch", [kept])) == ["1 notification was told. Receivers: 2 resolved."]
    assert [arguments["notification"] for _, arguments in heard] == [kept, kept]


def test_what_was_never_told_is_told_and_what_is_claimed_is_left_alone(heard: list[Any]) -> None:
    free, claimed, told = left_untold(*[f"{STATUS}{number}" for number in range(3)])
    Notification.objects.filter(pk=claimed.pk).update(claimed_until=now() + recording.CLAIM)
    Notification.objects.filter(pk=told.pk).update(dispatched_at=now(), claimed_until=None)
    heard.clear()
    client = staff("dispatch")

    assert said(act(client, "dispatch", [free, claimed, told])) == [
        "1 notification was told. Receivers: 2 resolved. 1 is left to the process that has claimed it."
    ]
    assert [(name, arguments["notification"]) for name, arguments in heard] == [
        ("sms_status", free),
        ("notification_received", free),
    ]
    assert list(Notification.objects.pending()) == [claimed]
    assert said(act(client, "dispatch", [free, told]))[-1] == "None of these is pending."


def test_what_was_never_told_of_an_interactive_call_is_told_late(flaky: Flaky) -> None:
    rows = left_untold(GATHER)
    flaky.fails = False

    assert said(act(staff("dispatch"), "dispatch", rows)) == [
        (
            "1 notification was told. Receivers: 1 resolved."
            " 1 of them belongs to an interactive call, and may have dialled or played late."
        )
    ]


def test_receiver_that_fails_when_it_is_told_at_last_stays_in_the_ledger(flaky: Flaky) -> None:
    rows = left_untold(STATUS)

    assert said(act(staff("dispatch"), "dispatch", rows)) == ["1 notification was told. Receivers: 1 failed."]
    assert [(each.receiver, each.attempts) for each in ReceiverFailure.objects.unresolved()] == [("shop.bill", 2)]


@pytest.mark.django_db(transaction=True)
def test_two_people_who_tell_at_once_tell_it_once() -> None:
    calls: list[int] = []
    begun, may_end = threading.Event(), threading.Event()

    def slow(**kwargs: Any) -> None:
        calls.append(1)
        begun.set()
        assert may_end.wait(30)

    rows = left_untold(STATUS)
    sms_status.connect(slow)
    answers: list[list[str]] = []

    def ask(client: Client) -> None:
        try:
            answers.append(said(act(client, "dispatch", rows)))
        finally:
            connection.close()

    first, second = staff("dispatch"), staff("dispatch")
    thread = threading.Thread(target=ask, args=[first])
    thread.start()
    assert begun.wait(30)
    ask(second)
    may_end.set()
    thread.join()

    assert calls == [1]
    assert answers == [["None of these is pending."], ["1 notification was told. Receivers: 1 resolved."]]


# Ask Hoiio.


@pytest.fixture
def answers(hoiio: Hoiio, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let Hoiio answer by the reference that is asked after."""
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


def test_selected_sms_are_asked_after_and_news_comes_in_as_a_notification(
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

    assert said(response) == ["3 requests to Hoiio: 1 changed, 1 unchanged, 1 unknown to Hoiio."]
    assert [request.path for request in hoiio.requests] == ["/open/sms/query_status"] * 3
    assert [(name, arguments["sms"].sms_status) for name, arguments in heard] == [
        ("sms_status", "delivered"),
        ("notification_received", "delivered"),
    ]
    # What the reconciliation asks by itself is none the less asked.
    assert HighWaterMark.objects.of("default", Channel.SMS).overdue_up_to is None


@pytest.mark.parametrize(
    ("model", "body", "path", "said_by_hoiio", "column"),
    [
        (Call, "txn_ref=AA-C-1&session=S1&call_state=ringing", "voice", {"call_state": "ended"}, "call_state"),
        (Fax, FAX, "fax", {"fax_status": "answered"}, "fax_status"),
    ],
)
def test_calls_and_faxes_are_asked_after_too(
    hoiio: Hoiio, model: type[Model], body: str, path: str, said_by_hoiio: dict[str, str], column: str
) -> None:
    receive(body)
    row: Any = model._default_manager.get()
    hoiio.says({"status": "success_ok", "txn_ref": row.txn_ref, "duration": "2", "debit": "0.1", **said_by_hoiio})

    assert said(staff("reconcile").post(page_of(row), {"action": "reconcile"})) == ["1 request to Hoiio: 1 changed."]
    assert hoiio.request.path == f"/open/{path}/query_status"
    row.refresh_from_db()
    assert getattr(row, column) == said_by_hoiio[column]


def test_parts_of_a_long_sms_are_asked_after_once(answers: Callable[..., None], hoiio: Hoiio) -> None:
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
                "Account 'default': The answer to sms/query_status is not Hoiio's: HTTP 502, and no JSON object with a"
                " status word. Check HOIIO['API_URL']. Hoiio may have carried the request out."
            ),
        ),
    ],
)
def test_refusal_of_hoiio_is_told_with_what_to_do_and_ends_the_asking(
    answers: Callable[..., None], hoiio: Hoiio, reply: Any, sentence: str
) -> None:
    rows = sms("AA-S-1", "AA-S-2")
    answers(AA_S_1=reply)

    messages = said(act(staff("reconcile"), "reconcile", rows))

    assert messages == ["1 request to Hoiio.", sentence]
    assert {request.params["txn_ref"] for request in hoiio.requests} == {"AA-S-1"}


def test_fault_with_one_keeps_no_other_from_being_asked_after_until_hoiio_has_enough(
    answers: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = {"status": "error_internal_server_error"}
    rows = sms("AA-S-1", "AA-S-2", "AA-S-3", "AA-S-4", "AA-S-5", "AA-S-6")
    answers(AA_S_1=fault, AA_S_2=status("AA-S-2", "delivered"), AA_S_3=fault, AA_S_4=fault, AA_S_5=fault, AA_S_6=fault)
    monkeypatch.setattr(admin_actions, "MAX_FAILURES", 2)

    counted, failures = said(act(staff("reconcile"), "reconcile", rows))

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
def test_account_without_credentials_is_told_what_is_missing(
    accounts: dict[str, Any], sentence: str, settings: Any
) -> None:
    rows = sms("AA-S-1")
    settings.HOIIO = {**settings.HOIIO, "ACCOUNTS": accounts}

    assert said(act(staff("reconcile"), "reconcile", rows)) == [sentence]


def test_account_that_is_in_the_settings_no_more_keeps_no_other_from_being_asked(
    answers: Callable[..., None],
) -> None:
    rows = sms("AA-S-1", "AA-S-2")
    Sms.objects.filter(txn_ref="AA-S-1").update(account="closed")
    answers(AA_S_2=status("AA-S-2", "delivered"))

    assert said(act(staff("reconcile"), "reconcile", rows)) == [
        "1 request to Hoiio: 1 changed.",
        "Account 'closed': HOIIO['ACCOUNTS'] has no account 'closed'; it has default, second.",
    ]


def test_hoiio_that_is_away_is_told_with_no_token(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = sms("AA-S-1")
    monkeypatch.setattr("django_hoiio.client.connection.RETRY_DELAYS", (0, 0))
    accounts = {"default": {"APP_ID": "app", "ACCESS_TOKEN": "new-token"}}
    settings.HOIIO = {**settings.HOIIO, "API_URL": "http://127.0.0.1:9/open/", "ACCOUNTS": accounts}

    assert said(act(staff("reconcile"), "reconcile", rows)) == [
        "1 request to Hoiio.",
        "Account 'default': No answer of Hoiio's to sms/query_status: ConnectionError. It was not sent.",
    ]


def test_budget_holds_from_one_request_to_the_next_and_nobody_waits(
    answers: Callable[..., None], hoiio: Hoiio, settings: Any
) -> None:
    rows = sms("AA-S-1", "AA-S-2", "AA-S-3")
    settings.HOIIO = {**settings.HOIIO, "RECONCILE_REQUESTS_PER_MINUTE": 2}
    answers(**{row.txn_ref.replace("-", "_"): status(str(row.txn_ref), "queued") for row in rows if row.txn_ref})
    client = staff("reconcile")
    spent = (
        "Account 'default': Hoiio may be asked 2 requests a minute are allowed by HOIIO['RECONCILE_REQUESTS_PER_MINUTE'];"
        " try again in a minute."
    )

    assert said(act(client, "reconcile", rows)) == ["2 requests to Hoiio: 2 changed.", spent]
    assert said(act(client, "reconcile", rows))[-1] == spent
    assert len(hoiio.requests) == 2


def test_one_request_asks_so_long_and_says_that_there_is_more(
    answers: Callable[..., None], hoiio: Hoiio, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = sms("AA-S-1", "AA-S-2", "AA-S-3")
    monkeypatch.setattr(batches, "MAX_ITEMS", 1)
    answers(AA_S_1=status("AA-S-1", "delivered"))

    assert said(act(staff("reconcile"), "reconcile", rows)) == [
        "1 request to Hoiio: 1 changed. One request cannot do all of them; repeat the action for the rest."
    ]
    assert hoiio.request.params["txn_ref"] == "AA-S-1"


def test_database_that_does_not_take_the_news_is_told_without_its_words(
    answers: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = sms("AA-S-1")

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OperationalError(f"no {NUMBER} here")

    monkeypatch.setattr(asking_by_hand, "ask", refuse)
    answers()

    assert said(act(staff("reconcile"), "reconcile", rows)) == [
        "The database did not take it (OperationalError); try it again later."
    ]


def test_without_the_packages_of_the_client_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = sms("AA-S-1")
    for name in list(sys.modules):
        if name.startswith(("django_hoiio.client", "django_hoiio.reconciliation")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "requests", None)

    assert said(act(staff("reconcile"), "reconcile", rows)) == [
        "django_hoiio.client needs requests: pip install requests"
    ]


def test_admin_is_imported_without_the_client_and_without_requests() -> None:
    code = (
        "import django, sys; django.setup(); import django_hoiio.admin;"
        "print(sorted(name for name in sys.modules if name.split('.')[0] == 'requests'"
        " or name.startswith(('django_hoiio.client', 'django_hoiio.reconciliation', 'django_hoiio.sandbox'))))"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": ""}

    assert subprocess.check_output([sys.executable, "-c", code], env=environment, text=True) == "[]\n"


# What is said and logged.


def test_neither_messages_nor_the_log_tell_a_number_or_a_text(
    flaky: Flaky, answers: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="django_hoiio")
    rows = left_untold(STATUS, GATHER)
    client = staff("retry_receivers", "dispatch", "reconcile")
    answers(AA_S_1={"status": "error_internal_server_error", "msg": "secret words", "dest": NUMBER})

    texts = [
        *said(act(client, "dispatch", rows)),
        *said(act(client, "retry_receivers", rows)),
        *said(act(client, "reconcile", Sms.objects.all())),
        *(record.getMessage() for record in caplog.records),
    ]

    assert len(texts) > 8
    assert [text for text in texts for each in ("9123", "secret", "token", "customer") if each in text] == []
    user = User.objects.get()
    assert [text for text in texts if text.startswith("User")] == [
        f"User {user.pk} had 2 notifications tried from the admin.",
        f"User {user.pk} had 2 receivers tried from the admin.",
        f"User {user.pk} had 1 questions to Hoiio tried from the admin.",
    ]


def test_turn_that_takes_all_is_not_cut() -> None:
    turn = batches.TimeBudget(60)

    assert (list(turn.take("abc")), turn.is_cut) == (["a", "b", "c"], False)
