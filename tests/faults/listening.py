"""Receivers that write a line to a file for each call. Most of them misbehave while the file `MISCHIEF` exists."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.db import connection, transaction

from django_hoiio.signals import notification_received

# The names of the receivers to connect, in order.
CONNECTED = "HOIIO_FAULTS_RECEIVERS"

# The file of their calls, with lines of `name uuid attempt`.
LOG = "HOIIO_FAULTS_LOG"

# While this file exists, the receivers misbehave.
MISCHIEF = "HOIIO_FAULTS_MISCHIEF"


class Listening(AppConfig):
    name = "tests.faults"
    label = "faults"

    def ready(self) -> None:
        for name in os.environ.get(CONNECTED, "").split():
            notification_received.connect(RECEIVERS[name], dispatch_uid=name)


def write(line: str) -> None:
    # One write, so that lines of several processes do not mix.
    descriptor = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def _misbehaves(harm: Callable[[], None], name: str) -> Callable[..., None]:
    def receiver(notification: Any, attempt: int, **kwargs: Any) -> None:
        write(f"{name} {notification.uuid} {attempt}\n")
        if Path(os.environ.get(MISCHIEF, "/nonexistent")).exists():
            harm()
        # A query like that of a project's receiver. It fails if the connection was left broken.
        type(notification).objects.filter(pk=notification.pk).exists()

    return receiver


def _behaves() -> None:
    return


def _raises() -> None:
    raise ValueError("provoked")


def _exits() -> None:
    sys.exit(3)


def _hangs_up() -> None:
    """Close the driver's connection without Django's knowledge, as if the server ended the session."""
    connection.connection.close()
    connection.cursor().execute("SELECT 1")


def _closes() -> None:
    connection.close()
    raise ConnectionResetError("provoked")


def _breaks_the_transaction() -> None:
    transaction.atomic().__enter__()
    connection.cursor().execute("SELECT * FROM no_such_table")


def _leaves_a_transaction_open() -> None:
    connection.set_autocommit(False)
    raise ValueError("provoked")


async def _run_asynchronously(notification: Any, attempt: int, **kwargs: Any) -> None:
    write(f"asynchronous {notification.uuid} {attempt}\n")


HARMS = {
    "raises": _raises,
    "exits": _exits,
    "hangs_up": _hangs_up,
    "closes": _closes,
    "breaks_the_transaction": _breaks_the_transaction,
    "leaves_a_transaction_open": _leaves_a_transaction_open,
}
RECEIVERS: dict[str, Callable[..., Any]] = {
    name: _misbehaves(harm, name) for name, harm in {**HARMS, "first": _behaves, "last": _behaves}.items()
}
RECEIVERS["plain"] = lambda notification, attempt, **kwargs: write(f"plain {notification.uuid} {attempt}\n")
RECEIVERS["asynchronous"] = _run_asynchronously
