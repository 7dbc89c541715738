"""Overdue transactions and missed calls, created by notifications."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from django_hoiio.enums import Kind
from django_hoiio.ingest import ingest
from django_hoiio.ingest.outgoing import enter
from django_hoiio.models import Call, Fax, Sms
from django_hoiio.sandbox.samples import SCRIPTS, step_parameters
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


# Missed.


def missed() -> list[str]:
    return [str(call) for call in Call.objects.missed()]


@pytest.mark.parametrize(
    ("script", "missed_q"),
    [
        ("call", False),
        ("call_failed", True),
        ("call_busy", True),
        ("call_unanswered", True),
        ("call_never_begun", True),
        ("ivr_voicemail", False),
        ("ivr_menu", False),
        ("ivr_hold", False),
        ("ivr_dial", False),
        ("ivr_dial_unanswered", True),
        ("ivr_missed", True),
        ("ivr_unnamed", False),
    ],
)
def test_missed_calls_are_those_not_answered(script: str, missed_q: bool) -> None:
    facts = {"txn_ref": "AA-C-1", "session": "S1"} if script.startswith("ivr") else {"txn_ref": "AA-C-1"}
    for step in SCRIPTS[script]:
        received(
            "&".join(f"{name}={value.replace('+', '%2B')}" for name, value in step_parameters(step, facts).items())
        )

    assert missed() == (["AA-C-1"] if missed_q else [])


def test_leg_of_a_conference_that_was_busy_is_missed() -> None:
    for number, word in enumerate(("answered", "busy")):
        received(f"txn_ref=AA-C-{number}&dest=%2B6511111111&call_status={word}&room=R1", route="voice")

    assert missed() == ["AA-C-1"]


OUTCOMES = ["call_status", "call_status_dest1", "call_status_dest2", "dial_status", "transfer_status"]
ENDED = "txn_ref=AA-C-1&session=S1&call_state=ended"


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("word", ["unanswered", "busy", "failed"])
def test_any_unsuccessful_outcome_is_a_missed_call(outcome: str, word: str) -> None:
    received(f"{ENDED}&duration=2&{outcome}={word}", route="ivr")

    assert missed() == ["AA-C-1"]


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("word", ["answered", "ongoing", "voicemail"])
def test_other_outcomes_are_not_missed_even_without_a_duration(outcome: str, word: str) -> None:
    received(f"{ENDED}&duration=0&{outcome}={word}", route="ivr")

    assert missed() == []


@pytest.mark.parametrize(
    ("content", "names"), [("&duration=0", ["AA-C-1"]), ("&duration=1", []), ("", []), ("&duration=", [])]
)
def test_call_without_an_outcome_is_missed_if_its_duration_is_zero(content: str, names: list[str]) -> None:
    received(ENDED + content, route="ivr")

    assert missed() == names


def test_call_that_is_not_over_is_not_missed() -> None:
    received("txn_ref=AA-C-1&session=S1&call_state=ringing", route="ivr")
    received("txn_ref=AA-C-2&session=S2&call_state=ongoing&transfer_status=unanswered&duration=0", route="ivr")

    assert missed() == []


def test_call_is_answered_if_the_second_person_answers() -> None:
    received("txn_ref=AA-C-1&session=S1&call_state=ongoing&transfer_status=unanswered", route="ivr")
    received(f"{ENDED}&transfer_status=answered&duration=3", route="ivr")

    assert missed() == []


def test_missed_applies_to_a_filtered_queryset() -> None:
    received(f"{ENDED}&duration=0&from=%2B6511111111&to=%2B6500000000", route="ivr")
    received("txn_ref=AA-C-2&call_status_dest1=busy&dest1=%2B6511111111", route="voice")

    assert [str(call) for call in Call.objects.filter(direction="incoming").missed()] == ["AA-C-1"]
    assert sorted(missed()) == ["AA-C-1", "AA-C-2"]
