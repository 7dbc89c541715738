"""Whether receivers that are left to a worker are run by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Warning
from django.utils.module_loading import import_string

from ..conf import conf

E009 = Error(
    "HOIIO['DISPATCH'] is 'task', and this Django has no tasks.",
    hint="pip install django-tasks, or write 'DISPATCH': 'inline'.",
    id="django_hoiio.E009",
)


def check_tasks(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Receivers that are left to a worker are run by one."""
    if not isinstance(conf.given, Mapping) or conf.DISPATCH != "task":
        return []
    try:
        backend = import_string("django_hoiio.tasks.tell").get_backend()
    except ImportError:
        return [E009]
    # What a backend refuses a task with is another exception in Django than in django-tasks.
    except Exception as error:  # noqa: BLE001
        return [_refused_task(error)]
    if type(backend).__name__ in ("ImmediateBackend", "DummyBackend"):
        return [_no_worker(type(backend).__name__)]
    return []


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
