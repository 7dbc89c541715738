"""Overdue transactions and the outcome of calls, created by notifications."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from django_hoiio.enums import Kind
from django_hoiio.ingest import ingest
from django_hoiio.ingest.outgoing import enter
from django_hoiio.models import Call, Fax, Sms
from django_hoiio.sandbox.samples import SCRIPTS, sample
from django_hoiio.signals import notification_received
from tests.conftest import raw_notification

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture(autouse=True)
def an_hour(settings: Any) -> None:
    settings.HOIIO = {"REQUIRE_VERIFICATION": False, "OVERDUE_AFTER": timedelta(hours=1)}


def received(body: str, *, ago: timedelta = timedelta(0), route: str = "any") -> None:
    """Ingest a notification that was received so long ago."""
    ingest(raw_notification(route, "", body, received_at=NOW - ago))


# Overdue.

# Far enough from an hour for a suite that takes minutes.
LONG_AGO, LATELY = timedelta(minutes=61), timedelta(minutes=30)


@pytest.mark.parametrize(
    ("model", "route", "open_one", "final_one"),
    [
        (Call, "voice", "call_status_dest1=ongoing", "call_status_dest1=answered"),
        (Call, "ivr", "call_state=ringing&session=S1", "call_state=ended&session=S1"),
        (Sms, "sms", "sms_status=queued", "sms_status=failed"),
        (Sms, "sms", "sms_status=bounced", "sms_status=delivered"),
        (Sms, "sms", "status=success_ok&bulk_txn_ref=AA-B-1", "status=error_dest_not_supported&bulk_txn_ref=AA-B-1"),
        (Fax, "fax", "fax_status=ongoing&dest=%2B6511111111", "fax_status=busy&dest=%2B6511111111"),
    ],
)
def test_old_transaction_that_is_not_final_is_overdue(model: Any, route: str, open_one: str, final_one: str) -> None:
    received(f"txn_ref=AA-1&{open_one}", ago=LONG_AGO, route=route)
    received(f"txn_ref=AA-2&{open_one}", ago=LATELY, route=route)
    received(f"txn_ref=AA-3&{final_one}", ago=LONG_AGO, route=route)

    assert [str(row) for row in model.objects.overdue()] == ["AA-1"]


def test_sent_transaction_without_a_notification_is_overdue() -> None:
    enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": "+6511111111"})
    enter(Kind.SMS_STATUS, "default", "AA-S-2", {"dest": "+6511111111"})
    Sms.objects.filter(txn_ref="AA-S-1").update(created_at=NOW - LONG_AGO)

    assert [str(row) for row in Sms.objects.overdue()] == ["AA-S-1"]


def test_report_that_is_not_final_does_not_postpone_overdue() -> None:
    received("txn_ref=AA-S-1&sms_status=queued", ago=LONG_AGO)
    received("txn_ref=AA-S-1&sms_status=queued")

    assert [str(row) for row in Sms.objects.overdue()] == ["AA-S-1"]


def test_how_long_to_wait_is_a_setting(settings: Any) -> None:
    received("txn_ref=AA-S-1&sms_status=queued", ago=LONG_AGO)
    settings.HOIIO = {"OVERDUE_AFTER": timedelta(hours=2)}

    assert list(Sms.objects.overdue()) == []


def test_overdue_applies_to_a_filtered_queryset() -> None:
    received("txn_ref=AA-S-1&sms_status=queued&tag=a", ago=LONG_AGO)
    received("txn_ref=AA-S-2&sms_status=queued&tag=b", ago=LONG_AGO)

    assert [str(row) for row in Sms.objects.filter(tag="b").overdue()] == ["AA-S-2"]


# The outcome of a call.


def outcomes() -> list[str]:
    return [call.outcome for call in Call.objects.order_by("pk")]


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("call", "answered"),
        ("call_failed", "failed"),
        ("call_busy", "busy"),
        ("call_unanswered", "missed"),
        ("call_never_begun", "missed"),
        ("ivr_voicemail", "answered"),
        ("ivr_menu", "answered"),
        ("ivr_hold", "answered"),
        ("ivr_dial", "answered"),
        ("ivr_dial_unanswered", "missed"),
        ("ivr_missed", "missed"),
        ("ivr_unnamed", "answered"),
    ],
)
def test_outcome_of_each_course_of_a_call(script: str, outcome: str) -> None:
    for step in SCRIPTS[script]:
        received(urlencode(sample(step.kind, number=1, date="2012-06-06 11:10:36", changes=step.changes)))

    assert outcomes() == [outcome]


def test_each_leg_of_a_conference_has_its_outcome() -> None:
    for number, word in enumerate(("answered", "busy", "failed", "unanswered", "ongoing")):
        received(f"txn_ref=AA-C-{number}&dest=%2B6511111111&call_status={word}&room=R1", route="voice")

    assert outcomes() == ["answered", "busy", "failed", "missed", "in_progress"]


STATUSES = ["call_status", "call_status_dest1", "call_status_dest2", "dial_status", "transfer_status"]
ENDED = "txn_ref=AA-C-1&session=S1&call_state=ended"
INCOMING, OUTGOING = "&from=%2B6511111111&to=%2B6500000000", "&dest=%2B6511111111"


@pytest.mark.parametrize("name", STATUSES)
@pytest.mark.parametrize("word", ["unanswered", "busy", "failed"])
@pytest.mark.parametrize("parties", [INCOMING, ""])
def test_incoming_call_with_any_unsuccessful_status_is_missed(parties: str, word: str, name: str) -> None:
    received(f"{ENDED}{parties}&duration=2&{name}={word}", route="ivr")

    assert outcomes() == ["missed"]


@pytest.mark.parametrize("name", STATUSES)
@pytest.mark.parametrize(("word", "outcome"), [("unanswered", "missed"), ("busy", "busy"), ("failed", "failed")])
def test_outgoing_call_with_any_unsuccessful_status_has_its_outcome(word: str, outcome: str, name: str) -> None:
    received(f"{ENDED}{OUTGOING}&duration=2&{name}={word}", route="ivr")

    assert outcomes() == [outcome]


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        (("busy", "failed"), "failed"),
        (("unanswered", "busy"), "busy"),
        (("answered", "unanswered"), "missed"),
    ],
)
def test_least_successful_leg_decides(words: tuple[str, str], outcome: str) -> None:
    received(f"{ENDED}{OUTGOING}&call_status_dest1={words[0]}&call_status_dest2={words[1]}", route="voice")

    assert outcomes() == [outcome]


@pytest.mark.parametrize("name", ["dial_status", "transfer_status"])
@pytest.mark.parametrize(("word", "outcome"), [("answered", "answered"), ("ongoing", "unknown"), ("odd", "unknown")])
def test_other_statuses_are_not_missed_even_without_a_duration(word: str, outcome: str, name: str) -> None:
    received(f"{ENDED}&duration=0&{name}={word}", route="ivr")

    assert outcomes() == [outcome]


@pytest.mark.parametrize(
    ("content", "outcome"), [("&duration=0", "missed"), ("&duration=1", "answered"), ("", "unknown")]
)
def test_duration_decides_for_a_call_without_a_status(content: str, outcome: str) -> None:
    received(ENDED + content, route="ivr")

    assert outcomes() == [outcome]


def test_call_that_is_not_over_is_in_progress() -> None:
    received("txn_ref=AA-C-1&session=S1&call_state=ringing", route="ivr")
    received("txn_ref=AA-C-2&session=S2&call_state=ongoing&transfer_status=unanswered&duration=0", route="ivr")
    received("txn_ref=AA-C-3&session=S3&call_state=ongoing&transfer_status=answered&duration=2", route="ivr")
    enter(Kind.CALL_ENDED, "default", "AA-C-4", {"dest2": "+6511111111"})

    assert outcomes() == ["in_progress"] * 4


def test_outcome_follows_the_state() -> None:
    received("txn_ref=AA-C-1&session=S1&call_state=ongoing&transfer_status=unanswered", route="ivr")
    assert outcomes() == ["in_progress"]
    received(f"{ENDED}&duration=3", route="ivr")
    assert outcomes() == ["missed"]
    received(f"{ENDED}&transfer_status=answered", route="ivr")
    assert outcomes() == ["answered"]


def test_receiver_gets_the_outcome_of_the_state_after_its_notification() -> None:
    seen: list[str] = []

    def note(call: Call, **kwargs: Any) -> None:
        seen.append(call.outcome)

    notification_received.connect(note)
    received("txn_ref=AA-C-1&session=S1&call_state=ongoing", route="ivr")
    received(f"{ENDED}&duration=2", route="ivr")
    received("txn_ref=AA-C-1&session=S1&call_state=ongoing&transfer_status=busy", route="ivr", ago=LATELY)

    assert seen == ["in_progress", "answered", "missed"]


def test_missed_and_answered_apply_to_a_filtered_queryset() -> None:
    received(f"{ENDED}&duration=0{INCOMING}", route="ivr")
    received("txn_ref=AA-C-2&call_status_dest1=unanswered&dest1=%2B6511111111", route="voice")
    received("txn_ref=AA-C-3&call_status_dest1=answered&dest1=%2B6511111111", route="voice")
    received("txn_ref=AA-C-4&call_status_dest1=answered&dest1=%2B6511111111&tag=a", route="voice")

    assert [str(call) for call in Call.objects.filter(direction="incoming").missed()] == ["AA-C-1"]
    assert [str(call) for call in Call.objects.order_by("pk").missed()] == ["AA-C-1", "AA-C-2"]
    assert [str(call) for call in Call.objects.order_by("pk").answered()] == ["AA-C-3", "AA-C-4"]
    assert [str(call) for call in Call.objects.filter(tag="a").answered()] == ["AA-C-4"]
