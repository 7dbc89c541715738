"""Whether receivers that are left to a worker are run by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Info, Warning

from ..conf import conf

E009 = Error(
    "HOIIO['DISPATCH'] is 'task', and this Django has no tasks.",
    hint="pip install django-tasks, or write 'DISPATCH': 'inline'.",
    id="django_hoiio.E009",
)


def check_tasks(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Receivers that are left to a worker are run by one; says how notifications get there."""
    if not isinstance(conf.given, Mapping) or conf.DISPATCH != "task":
        return []
    try:
        # Django 5.2 has no tasks without django-tasks.
        from .. import tasks

        backend = tasks.tell.get_backend()
    except ImportError:
        return [E009]
    # What a backend refuses a task with is another exception in Django than in django-tasks.
    except Exception as error:  # noqa: BLE001
        return [_refused_task(error)]
    if type(backend).__name__ in ("ImmediateBackend", "DummyBackend"):
        return [_no_worker(type(backend).__name__)]
    name = f"{type(backend).__module__}.{type(backend).__qualname__}"
    return [_in_place(name) if tasks.is_in_place(backend) else _over_the_network(name)]


def _refused_task(error: Exception) -> CheckMessage:
    return Error(
        f"HOIIO['DISPATCH'] is 'task', and the default of TASKS does not take the task: {error}",
        hint="Let TASKS have a backend 'default' and its QUEUES hold 'default'; or write 'DISPATCH': 'inline'.",
        id="django_hoiio.E010",
    )


def _no_worker(backend: str) -> CheckMessage:
    return Warning(
        f"HOIIO['DISPATCH'] is 'task', and no worker runs the receivers: the default of TASKS is {backend}.",
        hint="pip install django-tasks-db, and set TASKS as docs/tasks.rst says; or write 'DISPATCH': 'inline'.",
        id="django_hoiio.W005",
    )


def _over_the_network(backend: str) -> CheckMessage:
    return Info(
        f"Notifications are handed over to {backend} over the network, each within {conf.TASK_TIMEOUT:g} s.",
        hint="Run hoiio_recover from cron: it dispatches what the queue does not take in time.",
        id="django_hoiio.I001",
    )


def _in_place(backend: str) -> CheckMessage:
    return Info(
        f"Notifications are handed over to {backend} in place, through the database.",
        hint="Nothing to do: the queue is as reachable as its database.",
        id="django_hoiio.I002",
    )
