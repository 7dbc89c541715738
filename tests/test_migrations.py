"""What the migrations do to rows that are there, forwards and backwards."""

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
    """Leave the tables as the other tests need them."""
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes("django_hoiio"))


def at(name: str) -> Any:
    """The notifications as they are after a migration."""
    target = [("django_hoiio", name)]
    MigrationExecutor(connection).migrate(target)
    state = MigrationExecutor(connection).loader.project_state(target)
    return state.apps.get_model("django_hoiio", "Notification")._base_manager


def sessions(rows: Any) -> list[str | None]:
    return list(rows.order_by("uuid").values_list("session", flat=True))


def test_notification_that_names_no_session_has_none_and_goes_back_to_an_empty_one() -> None:
    rows = at("0004_add_closed_days")
    for number, session in enumerate(("", "S1", "")):
        moment = datetime(2026, 11, 28, 8, tzinfo=timezone.utc)
        rows.create(uuid=UUID(int=number), received_at=moment, kind="ivr_step", route="ivr", session=session)

    assert sessions(at("0005_index_sessions_alone")) == [None, "S1", None]
    assert sessions(at("0004_add_closed_days")) == ["", "S1", ""]
