"""Run the migrations forwards and backwards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def latest() -> Iterator[None]:
    """Restore the tables for the other tests."""
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes("django_hoiio"))


def migrate(name: str | None) -> None:
    """Migrate to a migration of the app, or undo all of them."""
    MigrationExecutor(connection).migrate([("django_hoiio", name)])


def notifications_after(name: str) -> Any:
    """Return the manager of the notifications after a migration."""
    migrate(name)
    state = MigrationExecutor(connection).loader.project_state([("django_hoiio", name)])
    return state.apps.get_model("django_hoiio", "Notification")._base_manager


def tables() -> list[str]:
    return [name for name in connection.introspection.table_names() if name.startswith("django_hoiio_")]


def sessions(rows: Any) -> list[str | None]:
    return list(rows.order_by("uuid").values_list("session", flat=True))


def test_notification_without_a_session_has_null_and_all_tables_are_removed_backwards() -> None:
    migrate(None)
    assert tables() == []

    rows = notifications_after("0001_initial")
    for number, fields in enumerate(({}, {"session": "S1"}, {})):
        moment = datetime(2026, 11, 28, 8, tzinfo=timezone.utc)
        rows.create(uuid=UUID(int=number), received_at=moment, kind="ivr_step", route="ivr", **fields)
    assert sessions(rows) == [None, "S1", None]

    migrate(None)
    assert tables() == []
