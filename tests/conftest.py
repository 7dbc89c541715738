"""Shared fixtures: post as Hoiio does, and receive signals as a project does."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
from django.db import OperationalError, connection
from django.db.models import Model
from django.test import Client

from django_hoiio.client import HoiioClient
from django_hoiio.enums import Route
from django_hoiio.models import Notification
from django_hoiio.parsing import RawNotification
from django_hoiio.sandbox import real_time
from django_hoiio.signals import SIGNALS, ivr_flow, notification_received
from tests.clients import ACCOUNTS, SandboxClient, sandbox_client
from tests.fake_hoiio import Hoiio, faked
from tests.settings import DATABASE

# Property tests try a few new examples in each run, and many with `--hypothesis-profile thorough`. None depends on time.
hypothesis.settings.register_profile("quick", max_examples=10, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=50, deadline=None)
hypothesis.settings.load_profile("quick")

# These tests use their own projects on SQLite or no database, so they run only on SQLite.
if DATABASE != "sqlite":
    collect_ignore = [
        "client/test_client.py",
        "client/test_connection.py",
        "client/test_encoding.py",
        "client/test_responses.py",
        "parsing/test_parsing.py",
        "sandbox/test_api.py",
        "sandbox/test_delivery.py",
        "sandbox/test_interactive.py",
        "sandbox/test_page.py",
        "sandbox/test_people.py",
        "sandbox/test_readiness.py",
        "sandbox/test_robustness.py",
        "sandbox/test_samples.py",
        "sandbox/test_telephone.py",
        "docs/test_deployment_page.py",
        "docs/test_errors_page.py",
        "docs/test_recipes.py",
        "docs/test_troubleshooting_page.py",
        "docs/test_docs.py",
        "docs/test_reference.py",
        "test_enums.py",
        "test_exceptions.py",
        "test_guessing.py",
        "test_layers.py",
        "test_masking.py",
        "test_public_api.py",
        "test_words.py",
    ]

FORM = "application/x-www-form-urlencoded"

# Fields that differ from run to run.
VOLATILE = {
    "id",
    "notification_uuid",
    "uuid",
    "received_at",
    "dispatched_at",
    "claimed_until",
    "created_at",
    "updated_at",
    "version",
    "history_is_whole",
    "state_attempts",
    "call",
    "sms",
    "fax",
    "remote_addr",
}


def values(row: Model) -> dict[str, Any]:
    """Return the values of a row that are not empty and do not differ from run to run."""
    row.refresh_from_db()
    held = {field.name: field.value_from_object(row) for field in row._meta.concrete_fields}
    return {
        name: bytes(value) if isinstance(value, memoryview) else value
        for name, value in held.items()
        if name not in VOLATILE and value not in ("", b"", None, {}, [])
    }


def raw_notification(route: str = "any", query: str = "", body: bytes | str = b"", **fields: Any) -> RawNotification:
    """Return a raw notification as the view makes it."""
    fields = {"uuid": uuid4(), "received_at": datetime.now(timezone.utc), **fields}
    return RawNotification(
        route=Route(route), query=query, body=body.encode() if isinstance(body, str) else body, **fields
    )


def deadlock() -> OperationalError:
    """Return Django's exception for a deadlock on this database, or the closest equivalent."""
    if connection.vendor == "mysql":
        return OperationalError(1213, "Deadlock found when trying to get lock; try restarting transaction")
    error = OperationalError("database is locked" if connection.vendor == "sqlite" else "deadlock detected")
    if connection.vendor == "postgresql":
        error.__cause__ = psycopg_error("40P01")
    return error


def psycopg_error(sqlstate: str) -> Exception:
    from psycopg import errors

    return errors.lookup(sqlstate)()


@pytest.fixture(autouse=True, scope="session")
def _fast_speech() -> None:
    """Let the sandbox speak without delay."""
    real_time.SPEAKING_RATE = math.inf


@pytest.fixture(autouse=True)
def _no_flow() -> None:
    """Let no flow that another test declares, or a module at its import, answer the calls of this one."""
    ivr_flow.disconnect(sender=Notification, dispatch_uid="django_hoiio.ivr")


@contextmanager
def failing(start: str, error: Exception, times: int = 1000) -> Iterator[None]:
    """Let the next statements that start like this, without quotes, raise an error."""
    errors = [error] * times

    def execute(call: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if errors and re.sub(r'["`]', "", sql).startswith(start):
            raise errors.pop()
        return call(sql, *arguments)

    with connection.execute_wrapper(execute):
        yield


Post = Callable[..., Notification]


@pytest.fixture
def post(db: None) -> Post:
    """Post a notification as Hoiio does, and return its row."""
    client = Client(enforce_csrf_checks=True)

    def post(path: str, body: str | bytes = b"", content_type: str = FORM) -> Notification:
        before = set(Notification.objects.values_list("pk", flat=True))
        raw = body.encode() if isinstance(body, str) else body
        response = client.generic("POST", f"/hoiio/{path}", raw, content_type=content_type)
        assert (response.status_code, response.content) == (200, b"")
        (notification,) = Notification.objects.exclude(pk__in=before)
        return notification

    return post


@pytest.fixture
def heard() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Yield the names and arguments of all sent signals."""
    sent: list[tuple[str, dict[str, Any]]] = []
    connected = []
    for name, signal in [
        *((kind.value, signal) for kind, signal in SIGNALS.items()),
        ("notification_received", notification_received),
    ]:

        def listen(name: str = name, **arguments: Any) -> None:
            sent.append((name, arguments))

        signal.connect(listen, dispatch_uid="tests.heard")
        connected.append((signal, listen))
    yield sent
    for signal, _ in connected:
        signal.disconnect(dispatch_uid="tests.heard")


@pytest.fixture
def fake_hoiio() -> Iterator[Hoiio]:
    with faked() as hoiio:
        yield hoiio


@pytest.fixture
def hoiio(fake_hoiio: Hoiio, settings: Any) -> Hoiio:
    """A fake Hoiio, and the settings for it."""
    settings.HOIIO = {
        "API_URL": fake_hoiio.url,
        "PUBLIC_URL": "https://my.example.com",
        "ACCOUNTS": {
            "default": {"APP_ID": "app", "ACCESS_TOKEN": ["new-token", "old-token"]},
            "second": {"APP_ID": "other-app", "ACCESS_TOKEN": "other-token"},
        },
    }
    return fake_hoiio


@pytest.fixture
def hoiio_client(hoiio: Hoiio) -> Iterator[HoiioClient]:
    """A client of the default account."""
    with HoiioClient() as client:
        yield client


@pytest.fixture(name="sandbox_client")
def served_sandbox(settings: Any) -> Iterator[SandboxClient]:
    """A sandbox over HTTP, an application that records notifications, and the settings that connect them."""
    with sandbox_client() as served:
        settings.HOIIO = {
            "API_URL": f"{served.url}/sandbox/open/",
            "PUBLIC_URL": served.application.partition("/hoiio/")[0],
            "ACCOUNTS": ACCOUNTS,
        }
        yield served
