"""The task that runs receivers in a worker, and the function that enqueues notifications with a time limit.

A broker may accept connections and never answer. Therefore a thread enqueues over the network, and the caller waits at
most `TASK_TIMEOUT` for it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeAlias

from django.db import connections

try:
    from django.tasks import task
except ImportError:
    # In Django 5.2, tasks are a separate package.
    from django_tasks import task  # type: ignore[import-not-found, no-redef, unused-ignore]

from . import dispatch
from .conf import conf
from .logs import get_logger
from .models import Notification

logger = get_logger(__name__)

# Seconds for which a process skips the queue after enqueueing failed or timed out.
PAUSE = 30.0

# Modules of the backends without a network: they write to the database, run the task immediately, or do nothing.
IN_PLACE = (
    "django_tasks_db",
    "django_tasks.backends.database",
    "django_tasks.backends.dummy",
    "django_tasks.backends.immediate",
    "django.tasks.backends.dummy",
    "django.tasks.backends.immediate",
)

# The exception that a call raised, if any.
_Result: TypeAlias = "Future[BaseException | None]"


@task()
def run(notification_pk: int, claimed_until: str) -> None:
    """Run the receivers of a notification, unless the enqueued claim was taken over or released."""
    notifications = Notification.objects.on_primary()
    notification = notifications.filter(pk=notification_pk, claimed_until=claimed_until).first()
    if notification is not None and dispatch.claim(notification):
        # Loads the row that the receivers get.
        _ = notification.transaction
        dispatch.run(notification)


def hand_over(notification: Notification) -> None:
    """Enqueue the notification with its claim, which only one worker can take over. Never raises.

    If that fails or times out, release the claim. Then `hoiio_recover` dispatches the notification, and a task that
    reaches the queue later does nothing.
    """

    def enqueue() -> None:
        run.enqueue(notification.pk, str(notification.claimed_until))

    try:
        if is_in_place(run.get_backend()):
            enqueue()
            return
    # A backend may raise any exception, and so may loading it.
    except Exception as error:
        logger.error("Notification %s could not be enqueued: %s.", notification.pk, type(error).__name__)
    else:
        if _network_queue().call(enqueue, notification.pk):
            return
    dispatch.release(notification)


def is_in_place(backend: object) -> bool:
    """Return whether the backend runs on the caller's thread and database connection."""
    modules = [base.__module__ for base in type(backend).__mro__]
    return any(module == name or module.startswith(f"{name}.") for module in modules for name in IN_PLACE)


class _NetworkQueue:
    """Call a network queue from one daemon thread, one call at a time. Skip it for a while after a failure.

    Locks and threads are created on first use, because gevent may replace their classes after the import.
    """

    def __init__(self) -> None:
        # Held from before a call is passed to the thread until the thread has finished it.
        self._is_free = threading.Lock()
        self._has_call = threading.Semaphore(0)
        self._calls: deque[tuple[Callable[[], None], _Result]] = deque()
        self._thread: threading.Thread | None = None
        self._skipped_until = 0.0

    def call(self, function: Callable[[], None], notification_pk: int) -> bool:
        """Call the function within `TASK_TIMEOUT`. Return False if it failed, timed out, or was skipped."""
        if time.monotonic() < self._skipped_until:
            return False
        failure = self._failure(function)
        if failure is None:
            return True
        # Log once per pause, even if several callers waited.
        if time.monotonic() >= self._skipped_until:
            self._skipped_until = time.monotonic() + PAUSE
            logger.error(
                "Notification %s could not be enqueued: %s. The queue is skipped for %d seconds;"
                " hoiio_recover dispatches what arrives meanwhile.",
                notification_pk,
                type(failure).__name__,
                PAUSE,
            )
        return False

    def _failure(self, function: Callable[[], None]) -> BaseException | None:
        try:
            until = time.monotonic() + conf.TASK_TIMEOUT
            if not self._is_free.acquire(timeout=_remaining(until)):
                return TimeoutError()
            return self._start(function).result(timeout=_remaining(until))
        # A timeout, no free thread, or a TASK_TIMEOUT that is not a number.
        except Exception as error:
            return error

    def _start(self, function: Callable[[], None]) -> _Result:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="django_hoiio.tasks", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                self._thread = None
                self._is_free.release()
                raise
        result: _Result = Future()
        self._calls.append((function, result))
        self._has_call.release()
        return result

    def _run(self) -> None:
        while True:
            self._has_call.acquire()
            function, result = self._calls.popleft()
            failure: BaseException | None = None
            try:
                function()
            # Also SystemExit: it must end neither this thread nor the server.
            except BaseException as error:
                failure = error
            # A backend may have opened a database connection in this thread.
            connections.close_all()
            self._is_free.release()
            result.set_result(failure)


def _remaining(until: float) -> float:
    """Return the remaining seconds, never negative: for a lock, a negative timeout means no limit."""
    return max(0.0, until - time.monotonic())


# Keyed by process id, because a thread does not survive a fork.
_network_queues: dict[int, _NetworkQueue] = {}


def _network_queue() -> _NetworkQueue:
    return _network_queues.setdefault(os.getpid(), _NetworkQueue())
