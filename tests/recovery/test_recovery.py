from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from django.db import DataError

from django_hoiio import inbox, recording, recovery, spool
from django_hoiio.dispatch import RUNNING, Outcome, claim, record_interrupted, retry
from django_hoiio.enums import Source
from django_hoiio.models import Notification, ReceiverFailure, Sms
from django_hoiio.parsing import RawNotification
from django_hoiio.recovery import recover
from django_hoiio.signals import SIGNALS, ivr_gather, notification_received, sms_status
from tests.conftest import raw_notification

pytestmark = pytest.mark.django_db

STATUS = "txn_ref=AA-S-1&sms_status=delivered"
GATHER = "txn_ref=AA-C-1&session=S1&digits=1"


def now() -> datetime:
    return datetime.now(timezone.utc)


@pytest.fixture(autouse=True)
def _disconnect() -> Iterator[None]:
    yield
    for signal in (*SIGNALS.values(), notification_received):
        signal.receivers.clear()


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.HOIIO = {"SPOOL_DIR": tmp_path / "spool", "RECEIVER_MAX_ATTEMPTS": 3}
    return tmp_path / "spool"


def wait_in_spool(folder: Path, said: str = STATUS, minutes: int = 0) -> RawNotification:
    came = raw_notification("any", "", said, received_at=now() - timedelta(minutes=minutes))
    spool.store(came, folder)
    return came


def left_untold(said: str = STATUS) -> Notification:
    """A notification whose process ended between the commit and the signals, and whose claim has run out."""
    kept = inbox.receive(raw_notification("any", "", said)).notification
    Notification.objects.filter(pk=kept.pk).update(dispatched_at=None, claimed_until=now() - timedelta(seconds=1))
    kept.refresh_from_db()
    return kept


def rested() -> None:
    """Let the rest of every failed receiver be over."""
    ReceiverFailure.objects.update(failed_at=now() - timedelta(days=30))


class Flaky:
    """A receiver that fails until it is told not to."""

    def __init__(self) -> None:
        self.fails = True
        self.attempts: list[int] = []

    def __call__(self, attempt: int, **kwargs: Any) -> None:
        self.attempts.append(attempt)
        if self.fails:
            raise SystemExit("no")


# The spool.


def test_spool_is_brought_in_in_order_of_arrival_and_with_its_first_moment(folder: Path, heard: list[Any]) -> None:
    late, early = wait_in_spool(folder, "txn_ref=AA-S-1&sms_status=failed", 1), wait_in_spool(folder, STATUS, 2)

    report = recover()

    assert (report.stored, report.is_incomplete) == (2, False)
    rows = list(Notification.objects.order_by("pk"))
    assert [(row.uuid, row.received_at, row.source) for row in rows] == [
        (early.uuid, early.received_at, Source.SPOOL),
        (late.uuid, late.received_at, Source.SPOOL),
    ]
    assert [arguments["notification"] for name, arguments in heard if name == "sms_status"] == rows
    assert list(folder.iterdir()) == []


def test_drained_old_file_does_not_beat_newer_news(folder: Path) -> None:
    wait_in_spool(folder, "txn_ref=AA-S-1&sms_status=failed", 10)
    inbox.receive(raw_notification("any", "", STATUS))

    recover()

    assert Sms.objects.get().sms_status == "delivered"


def test_file_whose_notification_is_a_row_already_is_only_deleted(folder: Path, heard: list[Any]) -> None:
    came = wait_in_spool(folder)
    inbox.receive(came)
    heard.clear()

    report = recover()

    assert (report.stored, report.known, Notification.objects.count(), heard) == (0, 1, 1, [])
    assert list(folder.iterdir()) == []


def test_poison_file_is_set_aside_and_stops_no_other(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_in_spool(folder, "txn_ref=AA-S-0&sms_status=failed&dest=%2B6511111111", 9)
    (folder / "20000101-poison.json").write_text("{")
    wait_in_spool(folder)
    original = inbox.record

    def refuse_one(came: RawNotification, parsed: Any) -> Any:
        if b"AA-S-0" in came.body:
            raise DataError("+6511111111")
        return original(came, parsed)

    monkeypatch.setattr(inbox, "record", refuse_one)
    report = recover()

    assert (report.stored, report.quarantine, report.is_incomplete) == (1, 2, True)
    assert Notification.objects.get().txn_ref == "AA-S-1"
    assert sorted(path.suffix for path in folder.iterdir()) == [".quarantined", ".quarantined"]
    assert "6511111111" not in caplog.text


def test_receivers_of_a_call_that_waited_in_the_spool_are_left_alone_unless_asked(
    folder: Path, heard: list[Any]
) -> None:
    wait_in_spool(folder, GATHER)

    recover()
    assert (heard, Notification.objects.pending().count()) == ([], 1)

    wait_in_spool(folder, GATHER)
    recover(ivr=True)
    assert [name for name, _ in heard] == ["ivr_gather", "notification_received"]


# What was never told.


def test_what_was_stored_and_never_told_is_told_once(folder: Path, heard: list[Any]) -> None:
    kept = left_untold()
    heard.clear()

    report = recover()

    assert [(name, arguments["notification"], arguments["attempt"]) for name, arguments in heard] == [
        ("sms_status", kept, 2),
        ("notification_received", kept, 2),
    ]
    assert heard[0][1]["sms"] == Sms.objects.get()
    assert (report.reported, report.receivers[Outcome.RESOLVED], report.is_incomplete) == (1, 2, False)
    kept.refresh_from_db()
    assert (kept.dispatched_at is None, kept.claimed_until) == (False, None)

    heard.clear()
    recover()
    assert heard == []


def test_what_another_process_is_telling_is_left_to_it(heard: list[Any]) -> None:
    kept = left_untold()
    Notification.objects.filter(pk=kept.pk).update(claimed_until=now() + recording.CLAIM)
    heard.clear()

    recover()

    assert (heard, Notification.objects.pending().count()) == ([], 1)


def test_untold_notification_is_taken_by_one_process_alone() -> None:
    kept = left_untold()

    assert [record_interrupted(kept), record_interrupted(kept)] == [True, False]


def test_notification_whose_claim_still_runs_is_not_taken() -> None:
    kept = left_untold()
    Notification.objects.filter(pk=kept.pk).update(claimed_until=now() + recording.CLAIM)

    assert record_interrupted(kept) is False


FAR = timedelta(days=400)


def test_claim_that_a_wrong_clock_set_far_ahead_has_run_out(heard: list[Any]) -> None:
    kept = left_untold()
    Notification.objects.update(received_at=now() + FAR, claimed_until=now() + FAR)
    heard.clear()

    report = recover()

    assert [(name, arguments["attempt"]) for name, arguments in heard] == [
        ("sms_status", 2),
        ("notification_received", 2),
    ]
    assert report.reported == 1
    kept.refresh_from_db()
    assert (kept.dispatched_at is None, kept.claimed_until) == (False, None)


@pytest.mark.parametrize(
    ("ahead", "is_taken"),
    [
        (timedelta(seconds=-1), True),
        (timedelta(seconds=5), False),
        (recording.CLAIM, False),
        (recording.CLAIM + timedelta(seconds=30), False),
        (recording.CLAIM + timedelta(minutes=5), True),
        (FAR, True),
    ],
)
def test_claim_holds_no_longer_than_a_claim_can(ahead: timedelta, is_taken: bool) -> None:
    kept = left_untold()
    Notification.objects.update(claimed_until=now() + ahead)

    assert record_interrupted(kept) is is_taken


@pytest.mark.parametrize("ahead", [timedelta(hours=1), FAR])
@pytest.mark.parametrize("traceback", ["", RUNNING])
def test_failure_that_a_wrong_clock_dated_ahead_is_run_again(
    heard: list[Any], ahead: timedelta, traceback: str
) -> None:
    left_untold()
    recover()
    heard.clear()
    ReceiverFailure.objects.update(resolved_at=None, failed_at=now() + ahead, traceback=f"{traceback}before")

    report = recover()

    assert (report.receivers, len(heard)) == ({Outcome.RESOLVED: 2}, 2)


def test_claim_is_given_once_for_the_state_that_was_seen() -> None:
    kept = left_untold()

    assert [claim(kept), claim(kept)] == [True, False]


def test_ledger_of_what_was_untold_keeps_what_it_knew(heard: list[Any]) -> None:
    kept = left_untold()
    ReceiverFailure.objects.create(
        notification=kept, signal="sms_status", receiver="tests.heard", attempts=2, traceback="before", failed_at=now()
    )

    record_interrupted(kept)

    assert list(ReceiverFailure.objects.order_by("signal").values_list("signal", "attempts", "traceback")) == [
        ("notification_received", 1, "The process that should have run this receiver ended too early."),
        ("sms_status", 2, "before"),
    ]


# Failed receivers.


def test_only_the_failed_receiver_is_run_again_and_is_told_which_attempt_it_is(heard: list[Any]) -> None:
    flaky = Flaky()
    sms_status.connect(flaky)
    inbox.receive(raw_notification("any", "", STATUS))
    heard.clear()
    rested()

    report = recover()
    assert (flaky.attempts, heard, report.receivers[Outcome.FAILED], report.is_incomplete) == ([1, 2], [], 1, True)

    flaky.fails = False
    rested()
    report = recover()
    assert (flaky.attempts, heard, report.receivers[Outcome.RESOLVED], report.is_incomplete) == (
        [1, 2, 3],
        [],
        1,
        False,
    )

    failure = ReceiverFailure.objects.get()
    assert (failure.attempts, failure.resolved_at is None) == (3, False)
    assert recover().receivers == {}


def test_failed_receiver_rests_longer_each_time() -> None:
    flaky = Flaky()
    sms_status.connect(flaky)
    inbox.receive(raw_notification("any", "", STATUS))

    for attempts, minutes in [(1, 1), (2, 4), (3, 16), (4, 64)]:
        soon, due = now() - timedelta(minutes=minutes - 0.5), now() - timedelta(minutes=minutes + 0.5)
        ReceiverFailure.objects.update(failed_at=soon)
        assert recover().receivers == {Outcome.BACKING_OFF: 1}
        ReceiverFailure.objects.update(failed_at=due)
        assert recover().receivers == {Outcome.FAILED: 1}
        assert len(flaky.attempts) == attempts + 1


def test_receiver_is_given_up_after_as_many_attempts_as_the_project_allows(folder: Path) -> None:
    flaky = Flaky()
    sms_status.connect(flaky)
    inbox.receive(raw_notification("any", "", STATUS))

    for _ in range(5):
        rested()
        recover()

    assert flaky.attempts == [1, 2, 3]
    assert ReceiverFailure.objects.unresolved().count() == 1


def test_attempt_is_counted_before_it_is_made() -> None:
    counted = []
    sms_status.connect(
        lambda **kwargs: counted.append(list(ReceiverFailure.objects.values_list("attempts", flat=True))) or 1 / 0,
        weak=False,
        dispatch_uid="counts",
    )
    inbox.receive(raw_notification("any", "", STATUS))
    rested()

    recover()

    assert counted == [[], [2]]


def test_attempt_that_two_processes_see_is_made_by_one() -> None:
    flaky = Flaky()
    sms_status.connect(flaky)
    inbox.receive(raw_notification("any", "", STATUS))
    rested()
    seen_by_one, seen_by_other = ReceiverFailure.objects.get(), ReceiverFailure.objects.get()

    assert [retry(seen_by_one), retry(seen_by_other)] == [Outcome.FAILED, Outcome.TAKEN]
    assert flaky.attempts == [1, 2]


def test_nobody_is_told_of_what_is_blanked() -> None:
    flaky = Flaky()
    sms_status.connect(flaky)
    kept = inbox.receive(raw_notification("any", "", STATUS)).notification
    rested()
    Notification.objects.update(redacted_at=kept.received_at)

    assert (recover().receivers, retry(ReceiverFailure.objects.get())) == ({}, Outcome.REDACTED)

    long_ago = kept.received_at - timedelta(hours=1)
    Notification.objects.update(dispatched_at=None, claimed_until=long_ago)
    kept.refresh_from_db()
    assert (recover().reported, record_interrupted(kept), claim(kept), flaky.attempts) == (0, False, False, [1])


def test_receiver_that_is_no_longer_connected_is_reported() -> None:
    flaky = Flaky()
    sms_status.connect(flaky)
    inbox.receive(raw_notification("any", "", STATUS))
    sms_status.disconnect(flaky)
    rested()

    report = recover()

    assert (report.receivers, report.is_incomplete) == ({Outcome.NOT_REGISTERED: 1}, True)
    assert ReceiverFailure.objects.get().attempts == 1


def test_receiver_of_a_signal_that_is_no_more_is_reported() -> None:
    kept = inbox.receive(raw_notification("any", "", STATUS)).notification
    ReceiverFailure.objects.create(notification=kept, signal="sms_seen", receiver="shop.receivers.note", attempts=1)

    assert recover().receivers == {Outcome.NOT_REGISTERED: 1}


def test_poison_receiver_does_not_stop_the_rest() -> None:
    poison, good = Flaky(), Flaky()
    sms_status.connect(poison, dispatch_uid="poison")
    sms_status.connect(good, dispatch_uid="good")
    inbox.receive(raw_notification("any", "", STATUS))
    good.fails = False
    rested()

    assert recover().receivers == {Outcome.FAILED: 1, Outcome.RESOLVED: 1}


def test_failed_receivers_of_calls_are_left_alone_unless_asked() -> None:
    flaky = Flaky()
    ivr_gather.connect(flaky)
    inbox.receive(raw_notification("any", "", GATHER))
    rested()

    assert recover().receivers == {}
    assert recover(ivr=True).receivers == {Outcome.FAILED: 1}


def test_summary_says_all_in_one_line(folder: Path) -> None:
    wait_in_spool(folder)
    flaky = Flaky()
    sms_status.connect(flaky)

    assert str(recover()) == (
        "Stored 1 from the spool (0 were known, 0 wait, 0 set aside), took up 0 that were never told; receivers:"
        " 0 mended, 0 failed, 1 resting, 0 no longer connected."
    )
    assert recovery.Report().is_incomplete is False
