"""An app with receivers that write to a file, for the processes that tests/processes/test_workers.py starts."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.apps import AppConfig
from django.db.models import Model

from django_hoiio.signals import ivr_gather, notification_received, sms_status

if TYPE_CHECKING:
    # Apps are loaded before models.
    from django_hoiio.models import Notification, Sms


def hear(notification: Notification, sms: Sms | None, attempt: int, **kwargs: Any) -> None:
    heard = {
        "kind": notification.kind,
        "sms_status": sms and sms.sms_status,
        "attempt": attempt,
        "database": notification._state.db,
        "parent": os.getppid(),
        "process": os.getpid(),
    }
    with Path(os.environ["HOIIO_TEST_HEARD"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(heard) + "\n")
    time.sleep(float(os.environ.get("HOIIO_TEST_SECONDS", "0")))


def fail(**kwargs: Any) -> None:
    if "HOIIO_TEST_FAIL" in os.environ:
        raise SystemExit("as told")


class ListeningConfig(AppConfig):
    name = "tests.tasks_app"

    def ready(self) -> None:
        notification_received.connect(fail)
        sms_status.connect(hear)
        ivr_gather.connect(hear)


class ReadFromReplica:
    """Read notifications from an unusable replica and write them to a separate database."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        return "nowhere" if model._meta.app_label == "django_hoiio" else None

    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        return "telephony" if model._meta.app_label == "django_hoiio" else None


class QueueIsAway:
    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        return "nowhere" if model._meta.app_label == "django_tasks_database" else None
