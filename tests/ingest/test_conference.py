"""A leg of a conference: two shapes of its notification, and its entry in history, are one row."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import permutations
from typing import Any
from urllib.parse import urlencode

import pytest

from django_hoiio.enums import Channel, Kind, Source
from django_hoiio.ingest import ingest
from django_hoiio.ingest.outgoing import enter
from django_hoiio.models import Call, Notification
from django_hoiio.parsing import RawNotification
from django_hoiio.reconciliation import Found
from django_hoiio.reconciliation.diff import ingest_entry
from django_hoiio.reconciliation.reader import Entry
from django_hoiio.recovery import reparse
from tests.conftest import raw_notification, values

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 1, 1, 8, tzinfo=timezone.utc)
NUMBER = "+6591234567"
FACTS = {
    "txn_ref": "AA-C-1",
    "tag": "t",
    "date": "2026-01-01 16:00:00",
    "duration": "2",
    "currency": "SGD",
    "debit": "0.072",
}
SHORT = {"dest": NUMBER, "call_status": "answered"}
LIKE_A_CALL = {"dest1": NUMBER, "call_status_dest1": "answered"}
ENTRY = {**LIKE_A_CALL, "dest2": "", "call_status_dest2": ""}
ROW = {
    "account": "default",
    "txn_ref": "AA-C-1",
    "tag": "t",
    "direction": "outgoing",
    "remote_number": NUMBER,
    "remote_suffix": "91234567",
    "is_final": True,
    "dest": NUMBER,
    "date": MORNING,
    "currency": "SGD",
    "debit": Decimal("0.072"),
    "call_status": "answered",
    "duration": 2,
    "outcome": "answered",
}


def leg(shape: dict[str, str], minute: int = 0, **more: str) -> RawNotification:
    body = urlencode({**FACTS, **shape, **more})
    source = Source.POLL if "dest2" in shape else Source.WEBHOOK
    return raw_notification("voice", "", body, received_at=MORNING + timedelta(minutes=minute), source=source)


def entry(minute: int) -> Entry:
    return Entry(
        account="default",
        channel=Channel.VOICE,
        txn_ref="AA-C-1",
        params={**FACTS, **ENTRY, "number": ""},
        requested_at=MORNING + timedelta(minutes=minute),
    )


def whole_row() -> dict[str, Any]:
    return {name: value for name, value in Call.objects.values().get().items() if name != "id"}


@pytest.mark.parametrize("shape", [SHORT, LIKE_A_CALL, ENTRY], ids=["short", "like a call", "entry"])
def test_each_shape_gives_the_same_row(shape: dict[str, str]) -> None:
    notification = ingest(leg(shape)).notification

    assert (notification.kind, values(Call.objects.get())) == (Kind.CALL_ENDED, ROW)


def test_shapes_in_any_order_give_the_same_row() -> None:
    shapes = [leg(SHORT), leg(LIKE_A_CALL, 1, call_status_dest1="busy"), leg(SHORT, 2), leg(ENTRY, 3)]
    # Each of the first three is the newest once.
    for raws in (shapes, shapes[:3], shapes[:2], [shapes[1], shapes[3]]):
        rows = []
        for order in permutations(raws):
            Notification.objects.all().delete()
            Call.objects.all().delete()
            for raw in order:
                ingest(raw)
            rows.append(whole_row())
            reparse()
            rows.append(whole_row())

        assert rows == [rows[0]] * len(rows)
        assert rows[0]["call_status"] == ("busy" if raws[-1] is shapes[1] else "answered")


@pytest.mark.parametrize("first", [SHORT, LIKE_A_CALL], ids=["short", "like a call"])
@pytest.mark.parametrize("is_sent_by_the_client", [True, False])
def test_entry_adds_nothing_to_a_notification_of_either_shape(
    heard: list[Any], first: dict[str, str], is_sent_by_the_client: bool
) -> None:
    if is_sent_by_the_client:
        enter(Kind.CALL_ENDED, "default", "AA-C-1", {"dest": NUMBER, "tag": "t"})
    ingest(leg(first))
    before = whole_row()

    assert ingest_entry(entry(minute=5), dry_run=False) == Found.UNCHANGED

    assert whole_row() == before
    assert values(Call.objects.get()) == ROW


@pytest.mark.parametrize("shape", [SHORT, LIKE_A_CALL], ids=["short", "like a call"])
def test_notification_of_either_shape_adds_nothing_to_an_entry(shape: dict[str, str]) -> None:
    assert ingest_entry(entry(minute=0), dry_run=False) == Found.MISSING

    ingest(leg(shape, 1))

    assert values(Call.objects.get()) == ROW


def test_call_between_two_numbers_is_no_leg() -> None:
    both = {"dest1": NUMBER, "dest2": "+6581111111", "call_status_dest1": "unanswered", "call_status_dest2": ""}

    ingest(raw_notification("voice", "", urlencode({"txn_ref": "AA-C-1", **both})))

    row = Call.objects.get()
    assert (row.dest, row.dest1, row.dest2) == ("", NUMBER, "+6581111111")
    assert (row.call_status, row.call_status_dest1, row.call_status_dest2) == ("", "unanswered", "")


def test_late_status_does_not_overwrite_a_newer_one_of_the_other_shape() -> None:
    ingest(raw_notification("voice", "", urlencode({"txn_ref": "AA-C-1", **LIKE_A_CALL}), received_at=MORNING))

    earlier = MORNING - timedelta(minutes=1)
    ingest(raw_notification("voice", "", "txn_ref=AA-C-1&call_status=busy", received_at=earlier))

    assert Call.objects.get().call_status == "answered"
