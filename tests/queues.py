"""Backends of Django's Tasks with configurable behaviour."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection

try:
    from django.tasks.backends.base import BaseTaskBackend
except ImportError:
    # In Django 5.2, tasks are a separate package.
    from django_tasks.backends.base import BaseTaskBackend  # type: ignore[import-not-found, no-redef, unused-ignore]

# The enqueued arguments, and the threads that enqueued them.
enqueued: list[tuple[Any, ...]] = []
threads: list[threading.Thread] = []


def accept() -> None:
    """Accept the task, like a working queue."""


# Runs before the backend accepts a task.
behaviour: list[Callable[[], None]] = [accept]


class NetworkBackend(BaseTaskBackend):  # type: ignore[misc, unused-ignore]
    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        threads.append(threading.current_thread())
        behaviour[0]()
        enqueued.append(tuple(args))


def use_the_database() -> None:
    connection.ensure_connection()
