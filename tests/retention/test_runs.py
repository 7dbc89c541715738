"""Redact and delete phone menus with their calls."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from django_hoiio.ingest import ingest
from django_hoiio.models import Call, IvrRun, Notification
from django_hoiio.retention import prune
from django_hoiio.retention.forgetting import forget
from tests.conftest import raw_notification, values

NOW = datetime.now(timezone.utc)
BOB, EVE, OURS = "+6561234567", "+6587654321", "+6500000000"

DIGEST = "12345abc"
ASKED = {
    "name": "gather",
    "digest": DIGEST,
    "keys": "12",
    "msg": "Bob, press 1.",
    "sent_at": "2026-01-01T00:00:00+00:00",
    "seconds": 0.1,
}
ANSWERED_AT = "2026-01-01T00:00:09+00:00"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    settings.HOIIO = {"REQUIRE_VERIFICATION": False, "RETENTION_DAYS": {"ivr_answer": (4, 12), "ivr_ended": (4, 12)}}


def call_of(number: str, session: str, *, days: float = 0) -> Call:
    body = (
        f"txn_ref=AA-{session}&session={session}&call_state=ringing&from={number.replace('+', '%2B')}&to=%2B6500000000"
    )
    received_at = NOW - timedelta(days=days)
    call: Call = ingest(raw_notification("ivr", "", body, received_at=received_at)).notification.call
    return call


def run_of(call: Call | None, session: str = "S1", **fields: Any) -> IvrRun:
    filled = {
        "flow": "shop.menus.reception",
        "from_number": call.from_number if call else BOB,
        "to_number": OURS,
        "pass_on": {"name": "bob"},
        "steps": [
            {**ASKED, "answer": {"digits": "1", "call_state": "ongoing"}, "value": None, "answered_at": ANSWERED_AT},
            {**ASKED, "name": "transfer", "dest": EVE, "failed": "error_dest", "answered_at": ANSWERED_AT},
            {**ASKED, "name": "record", "answer": {"record_url": "https://x.example.com/1"}, "value": "bob"},
            ASKED,
        ],
        "remembered": {"3:mail": "bob"},
        "seen": [1, 2],
        "started_at": NOW,
        **fields,
    }
    return IvrRun.objects.create(account="default", session=session, call=call, **filled)


def redacted(run: IvrRun) -> dict[str, Any]:
    """Return the fields of a redacted run."""
    kept: dict[str, Any] = {name: ASKED[name] for name in ("name", "keys", "sent_at", "seconds")} | {"digest": ""}
    return {
        "account": "default",
        "session": "S1",
        "flow": "shop.menus.reception",
        "steps": [
            {**kept, "answer": {"call_state": "ongoing"}, "value": None, "answered_at": ANSWERED_AT},
            {**kept, "name": "transfer", "failed": "error_dest", "answered_at": ANSWERED_AT},
            {**kept, "name": "record", "answer": {}, "value": None},
            kept,
        ],
        "seen": [1, 2],
        **dict.fromkeys(("has_ended", "is_over", "has_waiting"), False),
        "started_at": run.started_at,
        "redacted_at": run.redacted_at,
    }


@pytest.mark.django_db
def test_run_is_redacted_and_deleted_with_its_call() -> None:
    old, older, new = (call_of(BOB, name, days=days) for name, days in (("S1", 5), ("S2", 13), ("S3", 1)))
    run, newest = run_of(old, leased_until=NOW), run_of(new, "S3")
    run_of(older, "S2")
    before = values(newest)

    prune()

    assert list(IvrRun.objects.values_list("session", flat=True).order_by("session")) == ["S1", "S3"]
    assert (values(run), values(newest)) == (redacted(run), before)
    assert (run.call, run.redacted_at is not None) == (old, True)


@pytest.mark.django_db
def test_run_without_a_call_is_pruned_by_its_age() -> None:
    run, _, newest = (
        run_of(None, name, started_at=NOW - timedelta(days=days)) for name, days in (("S1", 5), ("S2", 13), ("S3", 1))
    )
    before = values(newest)

    prune(dry_run=True)
    assert IvrRun.objects.filter(redacted_at=None).count() == 3
    prune()

    assert list(IvrRun.objects.values_list("session", flat=True).order_by("session")) == ["S1", "S3"]
    assert (values(run), run.redacted_at is not None, values(newest)) == (redacted(run), True, before)


@pytest.mark.django_db
def test_run_is_forgotten_with_the_call_of_the_person() -> None:
    run, other = run_of(call_of(BOB, "S1")), run_of(call_of("+6599999999", "S2"), "S2")
    before = values(other)

    report = forget([BOB])

    assert (report.transactions, report.mentions) == (1, 0)
    assert (values(run), values(other)) == (redacted(run), before)
    assert run.redacted_at is not None


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fields",
    [
        {"from_number": "6561234567"},
        {"to_number": BOB},
        {"pass_on": {"callback": "+65 6123-4567"}},
        {"remembered": {"1:customer": {"number": 6561234567}}},
        {"steps": [{**ASKED, "msg": "Call 00 65 6123 4567."}]},
        {"steps": [{**ASKED, "name": "transfer", "dest": BOB}]},
        {"steps": [{**ASKED, "answer": {"digits": "6561234567"}, "value": None}]},
        {"steps": [{**ASKED, "answer": {"record_url": "https://x.example.com/%2B6561234567"}, "value": None}]},
        {"steps": [{**ASKED, "answer": {}, "value": BOB}]},
    ],
)
def test_run_that_mentions_the_number_in_any_spelling_is_redacted(fields: dict[str, Any]) -> None:
    run = run_of(call_of(EVE, "S1"), **fields)

    report = forget([BOB])

    assert (report.transactions, report.mentions) == (0, 1)
    run.refresh_from_db()
    assert run.redacted_at is not None
    assert (run.from_number, run.to_number, run.pass_on, run.remembered) == ("", "", {}, {})
    assert [sorted(step) for step in run.steps] in (
        [["digest", "keys", "name", "seconds", "sent_at"]],
        [["answer", "digest", "keys", "name", "seconds", "sent_at", "value"]],
        [sorted(step) for step in redacted(run)["steps"]],
    )
    assert "6123" not in repr(values(run))


@pytest.mark.django_db
def test_value_that_ended_a_hold_is_redacted_with_its_notification() -> None:
    body = "txn_ref=AA-1&session=S1&call_state=ongoing&from=%2B6561234567"
    block = {"name": "hold", "run": 1, "step": 2, "value": "bob"}
    ingest(raw_notification("ivr", "", body, block=block))

    forget([BOB])

    assert Notification.objects.get().block == {"name": "hold", "run": 1, "step": 2, "value": None}
