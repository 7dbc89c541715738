"""The recipe of docs/performance.rst: notifications in a partition for each month, on PostgreSQL."""

from __future__ import annotations

from typing import Any

import docutils.core
import docutils.nodes
import pytest
from django.core.management import call_command
from django.db import connection

from django_hoiio import inbox
from django_hoiio.models import Notification, ReceiverFailure, Sms
from tests import ROOT
from tests.conftest import Post, raw_notification

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="partitions as PostgreSQL has them"),
]

PAGE = ROOT / "docs/performance.rst"
SAID = "txn_ref=AA-S-1&sms_status=delivered"


def recipe() -> list[str]:
    """The blocks of SQL on the page: the move, the next month, the end of an old one."""
    overrides = {"report_level": 5, "syntax_highlight": "none", "input_encoding": "utf-8"}
    page = docutils.core.publish_doctree(PAGE.read_text(encoding="utf-8"), settings_overrides=overrides)
    return [block.astext() for block in page.findall(docutils.nodes.literal_block) if "sql" in block["classes"]]


def run(block: str) -> None:
    """Run a block of the page within the transaction of the test."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(block.replace("BEGIN;", "").replace("COMMIT;", ""))


def partitions() -> dict[str, int]:
    """The partitions of the notifications, and how many are in each."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text, count(*) FROM django_hoiio_notification GROUP BY 1")
        return dict(cursor.fetchall())


@pytest.fixture
def partitioned(post: Post) -> Notification:
    """A notification that was there when the table was partitioned."""
    kept = post("sms", SAID)
    run(recipe()[0])
    return kept


def test_move_keeps_what_is_there_with_its_primary_key(partitioned: Notification, post: Post) -> None:
    kept = Notification.objects.get()
    assert (kept.pk, kept.uuid, kept.params) == (partitioned.pk, partitioned.uuid, partitioned.params)
    assert post("sms", SAID).pk > partitioned.pk


def test_notifications_are_taken_and_told(
    partitioned: Notification, post: Post, heard: list[tuple[str, dict[str, Any]]]
) -> None:
    kept = post("sms", "txn_ref=AA-S-2&sms_status=delivered")

    assert [name for name, _ in heard] == ["sms_status", "notification_received"]
    assert (kept.claimed_until, kept.dispatched_at is None, kept.problems) == (None, False, {})
    assert Sms.objects.get(txn_ref="AA-S-2").sms_status == "delivered"


def test_month_without_a_partition_goes_to_the_rest(partitioned: Notification) -> None:
    inbox.receive(raw_notification("sms", "", SAID, received_at=partitioned.received_at.replace(1999, 1, 15)))

    assert partitions()["django_hoiio_notification_rest"] >= 1


def test_next_month_gets_a_partition(partitioned: Notification) -> None:
    run(recipe()[1])
    inbox.receive(raw_notification("sms", "", SAID, received_at=partitioned.received_at.replace(2027, 1, 15)))

    assert partitions()["django_hoiio_notification_2027_01"] == 1


def test_old_month_goes_with_its_failures(partitioned: Notification) -> None:
    old = inbox.receive(raw_notification("sms", "", SAID, received_at=partitioned.received_at.replace(2026, 11, 15)))
    for notification in (old.notification, partitioned):
        ReceiverFailure.objects.create(notification=notification, signal="sms_status", receiver=str(notification.pk))

    run(recipe()[2])

    assert "django_hoiio_notification_2026_11" not in partitions()
    left = set(Notification.objects.values_list("pk", flat=True))
    assert set(ReceiverFailure.objects.values_list("notification", flat=True)) <= left
    assert old.notification.pk not in left


def test_one_arrival_is_still_one_row(partitioned: Notification) -> None:
    again = raw_notification("sms", "", SAID, uuid=partitioned.uuid, received_at=partitioned.received_at)

    assert inbox.receive(again).is_new is False
    assert Notification.objects.count() == 1


def test_recovery_runs(partitioned: Notification, capsys: Any) -> None:
    call_command("hoiio_recover")

    assert Notification.objects.pending().count() == 0
