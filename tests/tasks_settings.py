"""Settings of the processes that tests/processes/test_workers.py starts, on the database that the tests have created.

`HOIIO_TEST_QUEUE` chooses the queue: db (django-tasks-db), rq (django-tasks-rq), celery (django-tasks-fennel), immediate
or dummy. `HOIIO_TEST_BROKER` is the URL of the broker of the second and third.
"""

from __future__ import annotations

import os

import django

from tests.settings import *  # noqa: F403
from tests.settings import DATABASE, DATABASES, INSTALLED_APPS

_QUEUE = os.environ["HOIIO_TEST_QUEUE"]
# In Django 5.2, tasks are a separate package.
_TASKS = "django.tasks" if django.VERSION >= (6,) else "django_tasks"
_BACKENDS = {
    "db": "django_tasks_db.DatabaseBackend",
    "rq": "django_tasks_rq.RQBackend",
    "celery": "django_tasks_fennel.CeleryBackend",
    "immediate": f"{_TASKS}.backends.immediate.ImmediateBackend",
    "dummy": f"{_TASKS}.backends.dummy.DummyBackend",
}
_APPS = {"db": ["django_tasks_db"], "rq": ["django_rq"], "celery": ["django_tasks_fennel"]}

# Without the sandbox, which a project with task workers does not need.
ROOT_URLCONF = "django_hoiio.urls"
HOIIO = {
    "REQUIRE_VERIFICATION": False,
    "DISPATCH": "task",
    "TASK_TIMEOUT": float(os.environ.get("HOIIO_TEST_TIMEOUT", "1")),
}
TASKS = {"default": {"BACKEND": _BACKENDS[_QUEUE], "QUEUES": [os.environ.get("HOIIO_TEST_QUEUE_NAME", "default")]}}
RQ_QUEUES = {"default": {"URL": os.environ.get("HOIIO_TEST_BROKER", "")}}
CELERY_BROKER_URL = os.environ.get("HOIIO_TEST_BROKER", "")

INSTALLED_APPS = [*INSTALLED_APPS, *_APPS.get(_QUEUE, []), "tests.tasks_app.ListeningConfig"]
if _TASKS == "django_tasks":
    INSTALLED_APPS.append("django_tasks")

DATABASES["default"]["NAME"] = os.environ["HOIIO_TEST_NAME"]
if DATABASE == "sqlite":
    DATABASES["default"]["OPTIONS"]["transaction_mode"] = "IMMEDIATE"
DATABASES["telephony"] = DATABASES["default"]
DATABASES["nowhere"] = {"ENGINE": "django.db.backends.dummy"}
DATABASE_ROUTERS = [f"tests.tasks_app.{name}" for name in os.environ.get("HOIIO_TEST_ROUTER", "").split()]
