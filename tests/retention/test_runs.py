"""Redact and delete phone menus with their calls."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from django_hoiio import spool
from django_hoiio.ingest import ingest
from django_hoiio.models import Call, IvrRun, Notification
from django_hoiio.parsing import RawNotification
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
    # The process that advanced it has lost its lease, so another one has to say goodbye.
    assert (values(run), values(newest)) == (redacted(run) | {"has_waiting": True}, before)
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


BLOCK = {"name": "hold", "run": 1, "step": 2, "digest": DIGEST, "value": "bob"}
REDACTED_BLOCK = {**BLOCK, "digest": "", "value": None}


def step_of(caller: str, block: dict[str, Any]) -> RawNotification:
    body = f"txn_ref=AA-1&session=S1&call_state=ongoing&from={caller.replace('+', '%2B')}"
    return raw_notification("ivr", "", body, block=block)


@pytest.mark.django_db
def test_value_and_digest_of_a_block_are_redacted_with_its_notification() -> None:
    ingest(step_of(BOB, BLOCK))

    forget([BOB])

    assert Notification.objects.get().block == REDACTED_BLOCK


@pytest.mark.django_db
def test_value_and_digest_of_a_block_are_redacted_with_its_run() -> None:
    """A transfer to the person in a call of somebody else: the number could be guessed from the digest."""
    call = call_of(EVE, "S1")
    ingest(step_of(EVE, BLOCK))
    run_of(call, steps=[{**ASKED, "name": "transfer", "dest": BOB}])

    forget([BOB])

    assert [each.block for each in Notification.objects.order_by("pk")] == [{}, REDACTED_BLOCK]


@pytest.mark.django_db
def test_number_is_removed_from_the_value_of_a_block() -> None:
    block = {**BLOCK, "run": 6561234567, "value": {"desk": "+65 6123-4567"}}
    ingest(step_of(EVE, block))

    report = forget([BOB])

    assert (report.notifications, report.mentions) == (0, 1)
    assert Notification.objects.get().block == {**block, "value": {"desk": "removed"}}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("caller", "value", "expected"), [(BOB, "bob", REDACTED_BLOCK), (EVE, BOB, {**BLOCK, "value": "removed"})]
)
def test_block_in_the_spool_is_forgotten(
    caller: str, value: str, expected: dict[str, Any], settings: Any, tmp_path: Path
) -> None:
    settings.HOIIO = {**settings.HOIIO, "SPOOL_DIR": tmp_path}
    path = spool.store(step_of(caller, {**BLOCK, "value": value}), tmp_path)

    forget([BOB])

    assert spool.load(path).block == expected
