"""Backends of Django's Tasks that behave as a test tells them to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection

try:
    from django.tasks.backends.base import BaseTaskBackend
except ImportError:
    # Django 5.2 has the same as a package of its own.
    from django_tasks.backends.base import BaseTaskBackend  # type: ignore[import-not-found, no-redef, unused-ignore]

# What was enqueued, and by which thread.
enqueued: list[tuple[Any, ...]] = []
threads: list[threading.Thread] = []


def accept() -> None:
    """Take the task, as a queue that works does."""


# What the backend does with a task before it takes it.
behaviour: list[Callable[[], None]] = [accept]


class NetworkBackend(BaseTaskBackend):  # type: ignore[misc, unused-ignore]
    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        threads.append(threading.current_thread())
        behaviour[0]()
        enqueued.append(tuple(args))


def ask_the_database() -> None:
    connection.ensure_connection()
