"""Enqueue notifications over the network: with a time limit, one at a time, and skipped after a failure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from django_hoiio import dispatch, tasks
from django_hoiio.checks import check_tasks
from django_hoiio.ingest import ingest
from django_hoiio.models import Notification
from django_hoiio.recovery import recover
from django_hoiio.signals import ivr_gather, sms_status
from tests import ROOT, queues
from tests.conftest import raw_notification

pytestmark = pytest.mark.django_db(transaction=True)

STATUS = "txn_ref=AA-S-1&sms_status=delivered"
GATHER = "txn_ref=AA-C-1&session=S1&digits=1"
TIMEOUT = 0.2

called: list[tuple[str, int]] = []


def note(notification: Notification, attempt: int, **kwargs: Any) -> None:
    called.append((notification.kind, attempt))


@pytest.fixture(autouse=True)
def _queue(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set up a working network queue, a receiver, and a process that has enqueued nothing yet."""
    settings.TASKS = {"default": {"BACKEND": "tests.queues.NetworkBackend"}}
    settings.HOIIO = {"DISPATCH": "task", "TASK_TIMEOUT": TIMEOUT}
    monkeypatch.setattr(tasks, "_network_queues", {})
    for each in (sms_status, ivr_gather):
        each.connect(note, dispatch_uid="tests.hand_over")
    queues.behaviour[0] = queues.accept
    for calls in (called, queues.enqueued, queues.threads):
        calls.clear()
    yield
    for each in (sms_status, ivr_gather):
        each.disconnect(dispatch_uid="tests.hand_over")


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """A queue that does not answer until the event is set."""
    answers = threading.Event()

    def hang() -> None:
        answers.wait(30)

    queues.behaviour[0] = hang
    yield answers
    answers.set()


def receive(body: str = STATUS) -> Notification:
    return ingest(raw_notification("any", "", body)).notification


def not_handed_over(notification: Notification, error: str) -> str:
    return (
        f"Notification {notification.pk} could not be enqueued: {error}. The queue is skipped for 30"
        " seconds; hoiio_recover dispatches what arrives meanwhile."
    )


def fail() -> None:
    raise ConnectionRefusedError("amqp://guest:secret@broker")


def exit_process() -> None:
    raise SystemExit(3)


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Set the clock of `tasks` ahead."""
    monotonic = time.monotonic
    monkeypatch.setattr(tasks.time, "monotonic", lambda: monotonic() + seconds)


def wait_until_enqueued(number: int) -> None:
    until = time.monotonic() + 30
    while len(queues.enqueued) < number:
        assert time.monotonic() < until, "nothing was enqueued"
        time.sleep(0.01)


def test_queue_that_works_gets_the_notification_and_its_claim() -> None:
    stored = receive()

    assert queues.enqueued == [(stored.pk, str(stored.claimed_until))]
    assert called == []
    stored.refresh_from_db()
    assert stored.dispatched_at is None


def test_one_daemon_thread_hands_over_all_notifications() -> None:
    for _ in range(3):
        receive()

    (thread,) = set(queues.threads)
    assert (thread.daemon, thread is threading.current_thread()) == (True, False)


def test_failure_to_start_the_thread_is_logged_and_retried_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        receive()
    later(monkeypatch, 31)
    stored = receive()

    assert queues.enqueued == [(stored.pk, str(stored.claimed_until))]


@pytest.mark.parametrize(("behaviour", "error"), [(fail, "ConnectionRefusedError"), (exit_process, "SystemExit")])
def test_queue_that_fails_is_skipped_and_logged_once_without_secrets(
    caplog: pytest.LogCaptureFixture, behaviour: Any, error: str
) -> None:
    queues.behaviour[0] = behaviour

    first, *_ = [receive(f"txn_ref=AA-S-{number}&sms_status=delivered") for number in range(3)]

    assert len(queues.threads) == 1
    assert [record.getMessage() for record in caplog.records] == [not_handed_over(first, error)]
    assert "secret" not in caplog.text


def test_notification_that_the_queue_did_not_accept_is_dispatched_by_the_next_recovery() -> None:
    queues.behaviour[0] = fail
    for number in range(3):
        receive(f"txn_ref=AA-S-{number}&sms_status=delivered")

    report = recover()

    assert (report.dispatched, called) == (3, [("sms_status", 2)] * 3)


def test_queue_is_tried_again_after_30_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    queues.behaviour[0] = fail
    receive()
    queues.behaviour[0] = queues.accept
    with monkeypatch.context() as patched:
        later(patched, 29)
        receive()
        assert queues.enqueued == []
    later(monkeypatch, 31)

    stored = receive()

    assert queues.enqueued == [(stored.pk, str(stored.claimed_until))]


def test_hanging_queue_is_logged_once_and_its_notification_stays_for_the_recovery(
    hanging: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    first = receive()
    receive()

    assert [record.getMessage() for record in caplog.records] == [not_handed_over(first, "TimeoutError")]
    assert len(queues.threads) == 1
    assert recover().dispatched == 2


def test_callers_that_wait_for_the_same_thread_share_the_time_limit(hanging: threading.Event) -> None:
    def hand_over(number: int) -> None:
        tasks.hand_over(Notification(pk=number, kind="sms_status"))
        connection.close()

    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hand_over, range(8)))

    # Sequentially, they would take eight timeouts.
    assert time.monotonic() - begun < 5 * TIMEOUT + 1
    assert len(queues.threads) == 1


def test_queue_that_still_hangs_after_the_pause_is_given_no_second_call(
    hanging: threading.Event, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    receive()
    later(monkeypatch, 31)

    receive()

    assert len(queues.threads) == 1
    assert len(caplog.records) == 2


def test_task_that_reaches_the_queue_after_the_timeout_runs_no_receiver(hanging: threading.Event) -> None:
    receive()
    recover()
    hanging.set()
    wait_until_enqueued(1)

    tasks.run.func(*queues.enqueued[0])

    assert called == [("sms_status", 2)]


def test_task_that_a_worker_has_started_owns_its_claim_after_a_timeout(
    hanging: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[Notification] = []
    released = dispatch.release

    def release_late(notification: Notification) -> None:
        # The worker was quicker than the caller, which timed out.
        tasks.run.func(notification.pk, str(notification.claimed_until))
        released(notification)
        stored.append(notification)

    monkeypatch.setattr(dispatch, "release", release_late)
    receive()

    assert recover().dispatched == 0
    assert called == [("sms_status", 1)]
    stored[0].refresh_from_db()
    assert (stored[0].dispatched_at is None, stored[0].claimed_until) == (False, None)


def test_notification_of_an_interactive_call_never_waits_for_the_queue(hanging: threading.Event) -> None:
    receive(GATHER)

    assert (called, queues.threads) == ([("ivr_gather", 1)], [])


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "soon", None])
def test_invalid_timeout_neither_raises_nor_waits_forever(
    hanging: threading.Event, settings: Any, timeout: object
) -> None:
    settings.HOIIO = {"DISPATCH": "task", "TASK_TIMEOUT": timeout}

    receive()

    assert recover().dispatched == 1


def test_connections_of_the_thread_are_closed_also_after_the_time_out(hanging: threading.Event) -> None:
    connections_used: list[Any] = []

    def hang_and_query() -> None:
        hanging.wait(30)
        queues.use_the_database()
        connections_used.append(connection.connection)

    queues.behaviour[0] = hang_and_query
    receive()
    hanging.set()
    wait_until_enqueued(1)
    # The lock is free again, so the thread has closed its connections.
    assert tasks._network_queue()._is_free.acquire(timeout=30)

    (opened,) = connections_used
    with pytest.raises(Exception, match=r"closed|2006"):
        opened.cursor().execute("SELECT 1")


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals")
def test_signal_handler_of_a_server_interrupts_the_wait(settings: Any, hanging: threading.Event) -> None:
    class Stop(BaseException):
        pass

    def stop(*args: object) -> None:
        raise Stop

    def interrupt() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        hanging.wait(30)

    settings.HOIIO = {"DISPATCH": "task", "TASK_TIMEOUT": 30}
    queues.behaviour[0] = interrupt
    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with pytest.raises(Stop):
            receive()
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_process_has_a_thread_of_its_own(hanging: threading.Event) -> None:
    tasks.hand_over(Notification(pk=1, kind="sms_status"))
    reading, writing = os.pipe()

    child = os.fork()
    if child == 0:
        queues.behaviour[0] = queues.accept
        taken = tasks._network_queue().call(queues.accept, 1)
        os.write(writing, b"taken" if taken else b"not taken")
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reading, 100) == b"taken"
    os.close(reading)
    os.close(writing)


# Backends without a network.


@pytest.mark.parametrize(
    ("module", "in_place"),
    [
        ("django_tasks_db.backend", True),
        ("django_tasks.backends.database.backend", True),
        ("django_tasks.backends.immediate", True),
        ("django.tasks.backends.dummy", True),
        ("django_tasks_rq.backend", False),
        ("django_tasks_fennel.backend", False),
        ("django_tasks_dbx.backend", False),
        ("shop.queue", False),
    ],
)
def test_backend_is_called_in_place_if_it_or_its_base_needs_no_network(module: str, in_place: bool) -> None:
    base = type("Backend", (), {"__module__": module})
    derived = type("OwnBackend", (base,), {"__module__": "shop.queue"})

    assert (tasks.is_in_place(base()), tasks.is_in_place(derived())) == (in_place, in_place)


def test_check_reports_that_an_unknown_backend_has_a_time_limit() -> None:
    (found,) = check_tasks(None)

    assert (found.id, found.msg, found.is_serious()) == (
        "django_hoiio.I001",
        "Notifications are enqueued to tests.queues.NetworkBackend over the network, each within 0.2 s.",
        False,
    )


# Under gevent.

UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import threading, time
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["django_hoiio"], HOIIO={"TASK_TIMEOUT": 0.2}, USE_TZ=True)
django.setup()
import gevent
from django_hoiio import tasks
ticks = []
def tick():
    while True:
        ticks.append(1)
        time.sleep(0.01)
gevent.spawn(tick)
queue = tasks._network_queue()
print(queue.call(lambda: None, 1), queue.call(lambda: time.sleep(30), 2), len(ticks) > 5)
"""


def test_gevent_goes_on_with_other_requests_while_a_caller_waits() -> None:
    run = subprocess.run(
        [sys.executable, "-c", UNDER_GEVENT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert run.stdout == "True False True\n", run.stderr
