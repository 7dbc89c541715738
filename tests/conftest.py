"""What the tests share: posting as Hoiio does, and listening as a project does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import Model
from django.test import Client

from django_hoiio.kinds import Route
from django_hoiio.models import Notification
from django_hoiio.parsing import Arrival
from django_hoiio.signals import SIGNALS, notification_received

from .settings import DATABASE

# These make projects of their own on SQLite, whichever database the tests run on: to run them there is enough.
if DATABASE != "sqlite":
    collect_ignore = ["test_benchmarks.py", "test_docs.py", "test_example_project.py", "test_packaging.py"]

FORM = "application/x-www-form-urlencoded"

# What differs from run to run.
VOLATILE = {
    "id",
    "arrival",
    "received_at",
    "dispatched_at",
    "claimed_until",
    "created_at",
    "updated_at",
    "stamps",
    "remote_addr",
}


def values(row: Model) -> dict[str, Any]:
    """All that a row holds and that does not differ from run to run; what is empty is left out."""
    row.refresh_from_db()
    held = {field.name: field.value_from_object(row) for field in row._meta.concrete_fields}
    return {
        name: bytes(value) if isinstance(value, memoryview) else value
        for name, value in held.items()
        if name not in VOLATILE and value not in ("", b"", None, {}, [])
    }


def arrival(route: str = "any", query: str = "", body: bytes | str = b"", **fields: Any) -> Arrival:
    """An arrival as the view makes it."""
    fields = {"uuid": uuid4(), "received_at": datetime.now(timezone.utc), **fields}
    return Arrival(route=Route(route), query=query, body=body.encode() if isinstance(body, str) else body, **fields)


Post = Callable[..., Notification]


@pytest.fixture
def post(db: None) -> Post:
    """Post a notification as Hoiio does, and return the row it has become."""
    client = Client(enforce_csrf_checks=True)

    def post(path: str, body: str | bytes = b"", content_type: str = FORM) -> Notification:
        before = set(Notification.objects.values_list("pk", flat=True))
        raw = body.encode() if isinstance(body, str) else body
        response = client.generic("POST", f"/hoiio/{path}", raw, content_type=content_type)
        assert (response.status_code, response.content) == (200, b"")
        (kept,) = Notification.objects.exclude(pk__in=before)
        return kept

    return post


@pytest.fixture
def heard() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Every signal that is sent, by name and with its arguments."""
    told: list[tuple[str, dict[str, Any]]] = []
    connected = []
    for name, signal in [
        *((kind.value, signal) for kind, signal in SIGNALS.items()),
        ("notification_received", notification_received),
    ]:

        def listen(name: str = name, **arguments: Any) -> None:
            told.append((name, arguments))

        signal.connect(listen, dispatch_uid="tests.heard")
        connected.append((signal, listen))
    yield told
    for signal, _ in connected:
        signal.disconnect(dispatch_uid="tests.heard")
