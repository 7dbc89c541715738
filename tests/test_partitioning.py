"""The SQL of docs/guides/growth.rst: notifications in a partition for each month, on PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from django_hoiio.ingest import ingest
from django_hoiio.models import Notification, ReceiverFailure, Sms
from tests import ROOT
from tests.conftest import Post, raw_notification
from tests.documents import code_of

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="partitions as PostgreSQL has them"),
]

PAGE = ROOT / "docs/guides/growth.rst"
SAID = "txn_ref=AA-S-1&sms_status=delivered"


def recipe() -> list[str]:
    """Return the blocks of SQL on the page: the move, the next month, the removal of an old one."""
    return code_of(PAGE, "sql")


def run(block: str) -> None:
    """Run a block of the page within the transaction of the test."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(block)


def partitions() -> dict[str, int]:
    """Return the partitions of the notifications with their number of rows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text, count(*) FROM django_hoiio_notification GROUP BY 1")
        return dict(cursor.fetchall())


@pytest.fixture
def partitioned(post: Post) -> Notification:
    """Return a notification that was stored before the table was partitioned."""
    stored = post("sms", SAID)
    run(recipe()[0])
    return stored


def test_partitioning_preserves_stored_rows_and_their_primary_keys(partitioned: Notification, post: Post) -> None:
    stored = Notification.objects.get()
    assert (stored.pk, stored.uuid, stored.params) == (partitioned.pk, partitioned.uuid, partitioned.params)
    assert post("sms", SAID).pk > partitioned.pk


def test_notifications_are_stored_and_dispatched(
    partitioned: Notification, post: Post, heard: list[tuple[str, dict[str, Any]]]
) -> None:
    stored = post("sms", "txn_ref=AA-S-2&sms_status=delivered")

    assert [name for name, _ in heard] == ["sms_status", "notification_received"]
    assert (stored.claimed_until, stored.dispatched_at is None, stored.problems) == (None, False, {})
    assert Sms.objects.get(txn_ref="AA-S-2").sms_status == "delivered"


def test_month_without_a_partition_is_stored_in_the_default_partition(partitioned: Notification) -> None:
    ingest(raw_notification("sms", "", SAID, received_at=partitioned.received_at.replace(1999, 1, 15)))

    assert partitions()["django_hoiio_notification_rest"] >= 1


def test_next_month_gets_a_partition(partitioned: Notification) -> None:
    run(recipe()[1])
    ingest(raw_notification("sms", "", SAID, received_at=partitioned.received_at.replace(2026, 12, 15)))

    assert partitions()["django_hoiio_notification_2026_12"] == 1


def test_old_month_goes_with_its_failures(partitioned: Notification) -> None:
    old = ingest(raw_notification("sms", "", SAID, received_at=partitioned.received_at.replace(2026, 11, 15)))
    for notification in (old.notification, partitioned):
        ReceiverFailure.objects.create(notification=notification, signal="sms_status", receiver=str(notification.pk))

    run(recipe()[2])

    assert "django_hoiio_notification_2026_11" not in partitions()
    left = set(Notification.objects.values_list("pk", flat=True))
    assert set(ReceiverFailure.objects.values_list("notification", flat=True)) <= left
    assert old.notification.pk not in left


def test_one_delivery_is_still_one_row(partitioned: Notification) -> None:
    again = raw_notification("sms", "", SAID, uuid=partitioned.uuid, received_at=partitioned.received_at)

    assert ingest(again).is_new is False
    assert Notification.objects.count() == 1


def test_recovery_runs(partitioned: Notification, capsys: Any) -> None:
    call_command("hoiio_recover")

    assert Notification.objects.pending().count() == 0
