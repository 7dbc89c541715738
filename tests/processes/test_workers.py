"""Receivers that run in the real worker of a real queue, each in a process of its own.

`HOIIO_TEST_RQ=1` also runs them with RQ, on a Redis that the tests start: `-e ".[test,rq]"` and `redis-server`.
`HOIIO_TEST_CELERY=1` runs them with Celery, on that Redis and on a RabbitMQ that the tests start: `-e ".[test,celery]"`,
`redis-server` and `rabbitmq-server`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from django_hoiio.checks.deployment import E009, check_tasks
from django_hoiio.ingest import ingest
from django_hoiio.models import Notification, ReceiverFailure
from django_hoiio.signals import sms_status
from tests import ROOT
from tests.conftest import FORM, raw_notification
from tests.faults.processes import free_port

pytestmark = pytest.mark.django_db(transaction=True)

needs_celery = pytest.mark.skipif(not os.environ.get("HOIIO_TEST_CELERY"), reason="HOIIO_TEST_CELERY is not set")
needs_rq = pytest.mark.skipif(not os.environ.get("HOIIO_TEST_RQ"), reason="HOIIO_TEST_RQ is not set")

STATUS = "txn_ref=AA-S-1&sms_status=delivered"
GATHER = "txn_ref=AA-C-1&session=S1&digits=1"

DB_WORKER = ("db_worker", "--no-startup-delay")
# As one process, so that the receivers run in the worker itself.
CELERY_WORKER = ("-m", "celery", "-A", "django_tasks_fennel.app", "worker", "--pool=solo", "--queues=default")
RQ_WORKER = ("rqworker", "default", "--job-class", "django_tasks_rq.Job", "--burst")

POST = f"""
import sys, django
django.setup()
from django.test import Client
print(Client().post("/", sys.argv[1], content_type={FORM!r}).status_code)
"""
ENQUEUE = """
import sys, django
django.setup()
from django_hoiio.tasks import run
run.enqueue(int(sys.argv[1]), sys.argv[2])
"""


class Project:
    """A project whose processes share a queue, the database of the tests, and a file with the calls of its receivers."""

    def __init__(self, queue: str, folder: Path, **environment: str) -> None:
        self._heard = folder / "heard"
        self._started: list[subprocess.Popen[str]] = []
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.tasks_settings",
            "HOIIO_TEST_NAME": str(connection.settings_dict["NAME"]),
            "HOIIO_TEST_QUEUE": queue,
            "HOIIO_TEST_HEARD": str(self._heard),
            # The first enqueueing of a process also imports the client of the broker.
            "HOIIO_TEST_TIMEOUT": "20",
            "PYTHONPATH": str(ROOT),
            **environment,
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Python in the background."""
        pipe = subprocess.PIPE
        command = [sys.executable, *arguments]
        process = subprocess.Popen(command, cwd=ROOT, env=self.environment, text=True, stdout=pipe, stderr=pipe)
        self._started.append(process)
        return process

    def kill(self) -> None:
        """Kill all started processes that still run."""
        for process in self._started:
            process.kill()
            process.communicate()

    def python(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Run Python and return its output and its log."""
        process = self.start(*arguments)
        printed, logged = process.communicate(timeout=60)
        assert process.returncode == code, logged
        return printed, logged

    def manage(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        return self.python("-m", "django", *arguments, code=code)

    def post(self, body: str = STATUS) -> tuple[Notification, str]:
        """Post a notification and return the stored row and the log."""
        printed, logged = self.python("-c", POST, body)
        assert printed == "200\n"
        return Notification.objects.latest("pk"), logged

    def enqueue(self, notification: Notification) -> None:
        """Enqueue the notification once more, with its current claim."""
        self.python("-c", ENQUEUE, str(notification.pk), str(notification.claimed_until))

    def recover_later(self, *, code: int = 0) -> str:
        """Return the output of `hoiio_recover` an hour from now."""
        hour = timedelta(hours=1)
        for notification in Notification.objects.all():
            notification.received_at -= hour
            notification.claimed_until = notification.claimed_until and notification.claimed_until - hour
            notification.save()
        for failure in ReceiverFailure.objects.exclude(failed_at=None):
            ReceiverFailure.objects.filter(pk=failure.pk).update(failed_at=failure.failed_at - hour)
        return self.manage("hoiio_recover", code=code)[0]

    @property
    def heard(self) -> list[dict[str, Any]]:
        lines = self._heard.read_text(encoding="utf-8").splitlines() if self._heard.exists() else []
        return [json.loads(line) for line in lines]

    @property
    def attempts(self) -> list[int]:
        return [each["attempt"] for each in self.heard]

    def tasks(self) -> list[str]:
        """Return the status of each task in the queue of django-tasks-db, in order."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT status FROM django_tasks_database_dbtaskresult ORDER BY enqueued_at")
            return [status for (status,) in cursor.fetchall()]


MakeProject = Callable[..., Project]


@pytest.fixture(scope="module")
def _table(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Create the table of django-tasks-db in the database of the tests."""
    Project("db", tmp_path_factory.mktemp("table")).manage("migrate", "django_tasks_database", "--verbosity=0")


@pytest.fixture
def project(_table: None, tmp_path: Path) -> Iterator[MakeProject]:
    """Return a function that makes a project with a queue. Finally kill its processes and empty the queue."""
    made: list[Project] = []

    def make(queue: str = "db", **environment: str) -> Project:
        made.append(Project(queue, tmp_path, **environment))
        return made[-1]

    yield make
    for each in made:
        each.kill()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_tasks_database_dbtaskresult")


@pytest.fixture
def redis() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start a private Redis and yield its URL and process."""
    # A socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="hoiio-redis-"))
    path = folder / "socket"
    command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_until(path.exists)
        yield f"unix://{path}", server
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start a private RabbitMQ and yield its URL and process."""
    folder = tmp_path_factory.mktemp("rabbitmq")
    port, distribution = free_port(), free_port()
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.local = 127.0.0.1:{port}\n", encoding="utf-8")
    (folder / "plugins").write_text("[].", encoding="utf-8")
    environ = {
        **os.environ,
        "HOME": str(folder),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_MNESIA_BASE": str(folder),
        "RABBITMQ_NODENAME": f"hoiio_{port}@localhost",
    }
    server = subprocess.Popen(
        ["/usr/lib/rabbitmq/bin/rabbitmq-server"], env=environ, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_until(lambda: is_listening(port))
        yield f"amqp://guest:guest@127.0.0.1:{port}//", server
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=60)


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(holds: Callable[[], object]) -> None:
    for _ in range(300):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("the condition did not hold within half a minute")


def is_dispatched(notification: Notification) -> bool:
    notification.refresh_from_db()
    return notification.dispatched_at is not None and notification.claimed_until is None


def not_handed_over(notification: Notification, error: str) -> str:
    return (
        f"Notification {notification.pk} could not be enqueued: {error}. The queue is skipped for 30"
        " seconds; hoiio_recover dispatches what arrives meanwhile.\n"
    )


# With django-tasks-db.


def test_worker_dispatches_a_posted_notification(project: MakeProject) -> None:
    here = project()
    stored, _ = here.post()

    assert (is_dispatched(stored), here.heard, here.tasks()) == (False, [], ["READY"])
    worker = here.start("-m", "django", *DB_WORKER, "--batch")
    worker.communicate(timeout=60)

    (heard,) = here.heard
    assert heard == {
        "kind": "sms_status",
        "sms_status": "delivered",
        "attempt": 1,
        "database": "default",
        "parent": os.getpid(),
        "process": worker.pid,
    }
    assert (is_dispatched(stored), here.tasks()) == (True, ["SUCCESSFUL"])


def test_running_worker_dispatches_each_notification_and_ends_on_sigterm(project: MakeProject) -> None:
    here = project()
    worker = here.start("-m", "django", *DB_WORKER, "--interval=0.1")

    stored = [here.post(f"txn_ref=AA-S-{number}&sms_status=delivered")[0] for number in range(3)]
    wait_until(lambda: all(map(is_dispatched, stored)))
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=60)

    assert [each["process"] for each in here.heard] == [worker.pid] * 3
    assert worker.returncode == 0


def test_notification_of_an_interactive_call_is_dispatched_at_once(project: MakeProject) -> None:
    here = project()

    stored, _ = here.post(GATHER)

    assert [each["kind"] for each in here.heard] == ["ivr_gather"]
    assert (is_dispatched(stored), here.tasks()) == (True, [])


def test_receiver_that_fails_in_the_worker_is_recorded_and_retried(project: MakeProject) -> None:
    here = project()
    stored, _ = here.post()

    project(HOIIO_TEST_FAIL="1").manage(*DB_WORKER, "--batch")

    assert (is_dispatched(stored), here.attempts, here.tasks()) == (True, [1], ["SUCCESSFUL"])
    failures = ReceiverFailure.objects.values_list("signal", "receiver", "attempts")
    assert list(failures) == [("notification_received", "tests.tasks_app.fail", 1)]
    assert "Receivers: 1 resolved," in here.recover_later()
    assert here.attempts == [1]


def test_two_workers_dispatch_the_same_notification_once(project: MakeProject) -> None:
    here = project(HOIIO_TEST_SECONDS="3")
    stored, _ = here.post()
    here.enqueue(stored)

    workers = [here.start("-m", "django", *DB_WORKER, "--interval=0.1", "--max-tasks=1") for _ in range(2)]
    for worker in workers:
        worker.communicate(timeout=60)

    assert (is_dispatched(stored), here.attempts, here.tasks()) == (True, [1], ["SUCCESSFUL"] * 2)


def test_second_task_respects_the_claim_of_the_first(project: MakeProject) -> None:
    here = project(HOIIO_TEST_SECONDS="60")
    stored, _ = here.post()
    here.enqueue(stored)
    here.start("-m", "django", *DB_WORKER, "--max-tasks=1")
    wait_until(lambda: here.heard)

    here.manage(*DB_WORKER, "--batch")

    assert (is_dispatched(stored), here.attempts) == (False, [1])


def test_task_that_runs_a_second_time_does_nothing(project: MakeProject) -> None:
    here = project()
    stored, _ = here.post()
    here.enqueue(stored)

    here.manage(*DB_WORKER, "--batch")

    assert (is_dispatched(stored), here.attempts, here.tasks()) == (True, [1], ["SUCCESSFUL"] * 2)


def test_task_after_the_recovery_does_nothing(project: MakeProject) -> None:
    here = project()
    stored, _ = here.post()

    assert "Notifications: 1 dispatched. Receivers: 2 resolved," in here.recover_later()
    assert (is_dispatched(stored), here.attempts, here.tasks()) == (True, [2], ["READY"])
    here.manage(*DB_WORKER, "--batch")

    assert (here.attempts, here.tasks()) == ([2], ["SUCCESSFUL"])


def test_task_of_a_deleted_notification_does_nothing(project: MakeProject) -> None:
    here = project()
    here.post()[0].delete()

    here.manage(*DB_WORKER, "--batch")

    assert (here.heard, here.tasks()) == ([], ["SUCCESSFUL"])


def test_recovery_dispatches_the_notification_of_a_killed_worker(project: MakeProject) -> None:
    stored, _ = project().post()
    here = project(HOIIO_TEST_SECONDS="60")
    here.start("-m", "django", *DB_WORKER, "--max-tasks=1")
    wait_until(lambda: here.heard)
    here.kill()

    assert not is_dispatched(stored)
    assert "Notifications: 0 dispatched." in project().manage("hoiio_recover")[0]
    assert "Notifications: 1 dispatched. Receivers: 2 resolved," in project().recover_later()
    assert (is_dispatched(stored), here.attempts) == (True, [1, 2])


def test_notification_that_the_queue_did_not_accept_is_dispatched_by_the_recovery(project: MakeProject) -> None:
    here = project(HOIIO_TEST_ROUTER="QueueIsAway")

    stored, logged = here.post()

    assert logged == f"Notification {stored.pk} could not be enqueued: ImproperlyConfigured.\n"
    assert (is_dispatched(stored), here.heard, here.tasks()) == (False, [], [])
    assert "Notifications: 1 dispatched. Receivers: 2 resolved," in here.manage("hoiio_recover")[0]
    assert (is_dispatched(stored), here.attempts) == (True, [2])


def test_worker_reads_from_the_database_for_writing(project: MakeProject) -> None:
    here = project(HOIIO_TEST_ROUTER="ReadFromReplica")
    stored, _ = here.post()

    here.manage(*DB_WORKER, "--batch")

    assert [(each["database"], each["sms_status"]) for each in here.heard] == [("telephony", "delivered")]
    assert (is_dispatched(stored), here.tasks()) == (True, ["SUCCESSFUL"])


def test_recovery_reads_from_the_database_for_writing(project: MakeProject) -> None:
    here = project(HOIIO_TEST_ROUTER="ReadFromReplica")
    stored, _ = here.post()

    here.recover_later()
    here.manage("hoiio_reparse")

    assert {(each["database"], each["sms_status"]) for each in here.heard} == {("telephony", "delivered")}
    assert is_dispatched(stored)


def test_immediate_backend_dispatches_in_the_receiving_process(project: MakeProject) -> None:
    here = project("immediate")

    stored, _ = here.post()

    assert (is_dispatched(stored), here.attempts) == (True, [1])


# Without any queue.


@pytest.fixture
def _no_tasks(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Make the tasks of Django 6 and of the package unavailable."""
    settings.HOIIO = {"DISPATCH": "task"}
    monkeypatch.delitem(sys.modules, "django_hoiio.tasks", raising=False)
    for module in ("django.tasks", "django_tasks"):
        monkeypatch.setitem(sys.modules, module, None)


@pytest.mark.usefixtures("_no_tasks")
def test_notification_stays_pending_if_there_are_no_tasks(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[object] = []
    sms_status.connect(lambda **kwargs: heard.append(kwargs), weak=False, dispatch_uid="tests.tasks")
    try:
        stored = ingest(raw_notification("any", "", STATUS)).notification
    finally:
        sms_status.disconnect(dispatch_uid="tests.tasks")

    assert (is_dispatched(stored), heard) == (False, [])
    assert f"Notification {stored.pk} could not be enqueued: ModuleNotFoundError." in caplog.text


# The check.


@pytest.mark.usefixtures("_no_tasks")
def test_missing_tasks_are_an_error() -> None:
    assert check_tasks(None) == [E009]


@pytest.mark.parametrize("dispatch", ["inline", "nonsense"])
def test_other_dispatch_settings_are_not_checked(settings: Any, dispatch: str) -> None:
    settings.HOIIO = {"DISPATCH": dispatch}

    assert check_tasks(None) == []


@pytest.mark.parametrize(("queue", "backend"), [("immediate", "ImmediateBackend"), ("dummy", "DummyBackend")])
def test_backend_without_a_worker_is_a_warning(project: MakeProject, queue: str, backend: str) -> None:
    _, logged = project(queue).manage("check", "--fail-level=WARNING", code=1)

    assert (
        "?: (django_hoiio.W005) HOIIO['DISPATCH'] is 'task', but no worker runs the receivers:"
        f" the default backend of TASKS is {backend}.\n"
    ) in logged
    assert "identified 1 issue " in logged


def test_queue_in_the_database_is_reported_as_in_place(project: MakeProject) -> None:
    _, logged = project().manage("check", "--fail-level=WARNING")

    assert (
        "?: (django_hoiio.I002) Notifications are enqueued to django_tasks_db.backend.DatabaseBackend in place,"
        " through the database.\n"
    ) in logged
    assert "identified 1 issue " in logged


def test_missing_queue_is_an_error(project: MakeProject) -> None:
    _, logged = project(HOIIO_TEST_QUEUE_NAME="high").manage("check", code=1)

    assert (
        "?: (django_hoiio.E010) HOIIO['DISPATCH'] is 'task', but the default backend of TASKS does not accept the task:"
        " Queue 'default' is not valid for backend.\n"
    ) in logged


# With RQ.


@needs_rq
def test_rq_worker_dispatches_a_posted_notification(project: MakeProject, redis: tuple[str, Any]) -> None:
    here = project("rq", HOIIO_TEST_BROKER=redis[0])
    stored, _ = here.post()

    assert (is_dispatched(stored), here.heard) == (False, [])
    worker = here.start("-m", "django", *RQ_WORKER)
    worker.communicate(timeout=60)

    ((status, attempt, parent),) = [(each["sms_status"], each["attempt"], each["parent"]) for each in here.heard]
    # The worker runs each task in a child of its own.
    assert (status, attempt, parent, worker.returncode) == ("delivered", 1, worker.pid, 0)
    assert is_dispatched(stored)


@needs_rq
def test_two_rq_workers_dispatch_the_same_notification_once(project: MakeProject, redis: tuple[str, Any]) -> None:
    here = project("rq", HOIIO_TEST_BROKER=redis[0], HOIIO_TEST_SECONDS="3")
    stored, _ = here.post()
    here.enqueue(stored)

    workers = [here.start("-m", "django", *RQ_WORKER) for _ in range(2)]
    for worker in workers:
        worker.communicate(timeout=60)

    assert (is_dispatched(stored), here.attempts) == (True, [1])


@needs_rq
def test_notification_received_while_redis_is_away_is_dispatched_by_the_recovery(
    project: MakeProject, redis: tuple[str, subprocess.Popen[bytes]]
) -> None:
    url, server = redis
    here = project("rq", HOIIO_TEST_BROKER=url)
    server.kill()
    server.wait()

    stored, logged = here.post()

    assert logged == not_handed_over(stored, "ConnectionError")
    assert not is_dispatched(stored)
    assert "Notifications: 1 dispatched. Receivers: 2 resolved," in here.manage("hoiio_recover")[0]
    assert (is_dispatched(stored), here.attempts) == (True, [2])


@needs_rq
def test_rq_is_reported_as_a_queue_over_the_network(project: MakeProject, redis: tuple[str, Any]) -> None:
    _, logged = project("rq", HOIIO_TEST_BROKER=redis[0]).manage("check", "--fail-level=WARNING")

    assert (
        "?: (django_hoiio.I001) Notifications are enqueued to django_tasks_rq.backend.RQBackend over the network,"
        " each within 20 s.\n"
    ) in logged
    assert "identified 1 issue " in logged


# With Celery.


def worked_by_celery(here: Project, notification: Notification) -> None:
    """Run a Celery worker until it has dispatched the notification, and end it."""
    worker = here.start(*CELERY_WORKER)
    wait_until(lambda: is_dispatched(notification))
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=60)


@needs_celery
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_celery_worker_dispatches_a_posted_notification(
    project: MakeProject, request: pytest.FixtureRequest, broker: str
) -> None:
    url = request.getfixturevalue(broker)[0]
    # Celery's name for a socket of Redis.
    here = project("celery", HOIIO_TEST_BROKER=url.replace("unix://", "redis+socket://"))
    stored, logged = here.post()

    assert (is_dispatched(stored), here.heard, logged) == (False, [], "")
    worked_by_celery(here, stored)

    assert [(each["sms_status"], each["attempt"]) for each in here.heard] == [("delivered", 1)]


@needs_celery
def test_task_that_celery_delivers_twice_runs_the_receivers_once(project: MakeProject, redis: tuple[str, Any]) -> None:
    here = project("celery", HOIIO_TEST_BROKER=redis[0].replace("unix://", "redis+socket://"))
    stored, _ = here.post()
    here.enqueue(stored)

    worked_by_celery(here, stored)

    assert here.attempts == [1]


@needs_celery
def test_celery_is_reported_as_a_queue_over_the_network(project: MakeProject) -> None:
    here = project("celery", HOIIO_TEST_BROKER="amqp://127.0.0.1:1//")

    assert (
        "?: (django_hoiio.I001) Notifications are enqueued to django_tasks_fennel.backend.CeleryBackend over the"
        " network, each within 20 s.\n"
    ) in here.manage("check")[1]
