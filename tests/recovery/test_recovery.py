from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.db import DataError

from django_hoiio import ingest as ingesting
from django_hoiio import recovery, spool
from django_hoiio.dispatch import RUNNING, Outcome, claim, record_interrupted, retry
from django_hoiio.enums import Source
from django_hoiio.ingest import ingest
from django_hoiio.models import CLAIM, Notification, ReceiverFailure, Sms
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


def wait_in_spool(folder: Path, body: str = STATUS, minutes: int = 0) -> RawNotification:
    raw = raw_notification("any", "", body, received_at=now() - timedelta(minutes=minutes))
    spool.store(raw, folder)
    return raw


def pending_notification(body: str = STATUS) -> Notification:
    """Return a notification whose process ended between the commit and the signals, with an expired claim."""
    pending = ingest(raw_notification("any", "", body)).notification
    Notification.objects.filter(pk=pending.pk).update(dispatched_at=None, claimed_until=now() - timedelta(seconds=1))
    pending.refresh_from_db()
    return pending


def end_backoff() -> None:
    """End the back-off of every failed receiver."""
    ReceiverFailure.objects.update(failed_at=now() - timedelta(days=30))


class Flaky:
    """A receiver that fails while `fails` is true."""

    def __init__(self) -> None:
        self.fails = True
        self.attempts: list[int] = []

    def __call__(self, attempt: int, **kwargs: Any) -> None:
        self.attempts.append(attempt)
        if self.fails:
            raise SystemExit("no")


def test_error_of_the_app_itself_is_not_taken_for_an_unavailable_database(monkeypatch: pytest.MonkeyPatch) -> None:
    sms_status.connect(Flaky(), weak=False)
    ingest(raw_notification("any", "", STATUS))
    end_backoff()
    monkeypatch.setattr(recovery, "retry", mock.Mock(side_effect=DataError))

    with pytest.raises(DataError):
        recover()


# The spool.


def test_spool_is_imported_in_order_of_receipt_with_the_original_received_at(folder: Path, heard: list[Any]) -> None:
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


def test_imported_old_file_does_not_overwrite_newer_reports(folder: Path) -> None:
    wait_in_spool(folder, "txn_ref=AA-S-1&sms_status=failed", 10)
    ingest(raw_notification("any", "", STATUS))

    recover()

    assert Sms.objects.get().sms_status == "delivered"


def test_file_of_a_stored_notification_is_only_deleted(folder: Path, heard: list[Any]) -> None:
    raw = wait_in_spool(folder)
    ingest(raw)
    heard.clear()

    report = recover()

    assert (report.stored, report.known, Notification.objects.count(), heard) == (0, 1, 1, [])
    assert list(folder.iterdir()) == []


def test_poison_file_is_quarantined_and_blocks_no_other(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_in_spool(folder, "txn_ref=AA-S-0&sms_status=failed&dest=%2B6511111111", 9)
    (folder / "20000101-poison.json").write_text("{")
    wait_in_spool(folder)
    original = ingesting.store

    def refuse_one(raw: RawNotification, parsed: Any) -> Any:
        if b"AA-S-0" in raw.body:
            raise DataError("+6511111111")
        return original(raw, parsed)

    monkeypatch.setattr(ingesting, "store", refuse_one)
    report = recover()

    assert (report.stored, report.quarantined, report.is_incomplete) == (1, 2, True)
    assert Notification.objects.get().txn_ref == "AA-S-1"
    assert sorted(path.suffix for path in folder.iterdir()) == [".quarantined", ".quarantined"]
    assert "6511111111" not in caplog.text


def test_file_that_cannot_be_deleted_is_stored_once(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_in_spool(folder)
    (path,) = spool.pending(folder)
    refusal = PermissionError(13, "Permission denied")
    monkeypatch.setattr(spool, "delete", mock.Mock(side_effect=refusal))

    counts = [(report.stored, report.known, report.waiting) for report in (recover(), recover())]

    assert (counts, Notification.objects.count()) == ([(1, 0, 1), (0, 1, 1)], 1)
    assert caplog.messages == [f"The spool file {path.name} cannot be read or deleted: Permission denied."] * 2


def test_receivers_of_an_imported_call_run_only_if_requested(folder: Path, heard: list[Any]) -> None:
    wait_in_spool(folder, GATHER)

    recover()
    assert (heard, Notification.objects.pending().count()) == ([], 1)

    wait_in_spool(folder, GATHER)
    recover(ivr=True)
    assert [name for name, _ in heard] == ["ivr_gather", "notification_received"]


# Pending notifications.


def test_pending_notification_is_dispatched_once(folder: Path, heard: list[Any]) -> None:
    pending = pending_notification()
    heard.clear()

    report = recover()

    assert [(name, arguments["notification"], arguments["attempt"]) for name, arguments in heard] == [
        ("sms_status", pending, 2),
        ("notification_received", pending, 2),
    ]
    assert heard[0][1]["sms"] == Sms.objects.get()
    assert (report.dispatched, report.receivers[Outcome.RESOLVED], report.is_incomplete) == (1, 2, False)
    pending.refresh_from_db()
    assert (pending.dispatched_at is None, pending.claimed_until) == (False, None)

    heard.clear()
    recover()
    assert heard == []


def test_notification_claimed_by_another_process_is_skipped(heard: list[Any]) -> None:
    pending = pending_notification()
    Notification.objects.filter(pk=pending.pk).update(claimed_until=now() + CLAIM)
    heard.clear()

    recover()

    assert (heard, Notification.objects.pending().count()) == ([], 1)


def test_only_one_process_dispatches_a_pending_notification() -> None:
    pending = pending_notification()

    assert [record_interrupted(pending), record_interrupted(pending)] == [True, False]


def test_notification_with_a_valid_claim_is_skipped() -> None:
    pending = pending_notification()
    Notification.objects.filter(pk=pending.pk).update(claimed_until=now() + CLAIM)

    assert record_interrupted(pending) is False


FAR = timedelta(days=400)


def test_claim_far_in_the_future_counts_as_expired(heard: list[Any]) -> None:
    pending = pending_notification()
    Notification.objects.update(received_at=now() + FAR, claimed_until=now() + FAR)
    heard.clear()

    report = recover()

    assert [(name, arguments["attempt"]) for name, arguments in heard] == [
        ("sms_status", 2),
        ("notification_received", 2),
    ]
    assert report.dispatched == 1
    pending.refresh_from_db()
    assert (pending.dispatched_at is None, pending.claimed_until) == (False, None)


@pytest.mark.parametrize(
    ("ahead", "is_taken"),
    [
        (timedelta(seconds=-1), True),
        (timedelta(seconds=5), False),
        (CLAIM, False),
        (CLAIM + timedelta(seconds=30), False),
        (CLAIM + timedelta(minutes=5), True),
        (FAR, True),
    ],
)
def test_claim_beyond_the_maximum_duration_counts_as_expired(ahead: timedelta, is_taken: bool) -> None:
    pending = pending_notification()
    Notification.objects.update(claimed_until=now() + ahead)

    assert record_interrupted(pending) is is_taken


@pytest.mark.parametrize("ahead", [timedelta(hours=1), FAR])
@pytest.mark.parametrize("traceback", ["", RUNNING])
def test_failure_dated_in_the_future_is_retried(heard: list[Any], ahead: timedelta, traceback: str) -> None:
    pending_notification()
    recover()
    heard.clear()
    ReceiverFailure.objects.update(resolved_at=None, failed_at=now() + ahead, traceback=f"{traceback}before")

    report = recover()

    assert (report.receivers, len(heard)) == ({Outcome.RESOLVED: 2}, 2)


def test_claim_succeeds_once_for_the_same_loaded_row() -> None:
    pending = pending_notification()

    assert [claim(pending), claim(pending)] == [True, False]


def test_failure_log_of_a_pending_notification_is_not_overwritten(heard: list[Any]) -> None:
    pending = pending_notification()
    ReceiverFailure.objects.create(
        notification=pending,
        signal="sms_status",
        receiver="tests.heard",
        attempts=2,
        traceback="before",
        failed_at=now(),
    )

    record_interrupted(pending)

    assert list(ReceiverFailure.objects.order_by("signal").values_list("signal", "attempts", "traceback")) == [
        ("notification_received", 1, "The process that should have run this receiver ended too early."),
        ("sms_status", 2, "before"),
    ]


# Failed receivers.


def test_only_the_failed_receiver_is_retried_with_the_attempt_number(heard: list[Any]) -> None:
    flaky = Flaky()
    sms_status.connect(flaky)
    ingest(raw_notification("any", "", STATUS))
    heard.clear()
    end_backoff()

    report = recover()
    assert (flaky.attempts, heard, report.receivers[Outcome.FAILED], report.is_incomplete) == ([1, 2], [], 1, True)

    flaky.fails = False
    end_backoff()
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


def test_failed_receiver_backs_off_exponentially() -> None:
    flaky = Flaky()
    sms_status.connect(flaky)
    ingest(raw_notification("any", "", STATUS))

    for attempts, minutes in [(1, 1), (2, 4), (3, 16), (4, 64)]:
        soon, due = now() - timedelta(minutes=minutes - 0.5), now() - timedelta(minutes=minutes + 0.5)
        ReceiverFailure.objects.update(failed_at=soon)
        assert recover().receivers == {Outcome.BACKING_OFF: 1}
        ReceiverFailure.objects.update(failed_at=due)
        assert recover().receivers == {Outcome.FAILED: 1}
        assert len(flaky.attempts) == attempts + 1


def test_receiver_is_not_retried_after_the_maximum_of_attempts(folder: Path) -> None:
    flaky = Flaky()
    sms_status.connect(flaky)
    ingest(raw_notification("any", "", STATUS))

    for _ in range(5):
        end_backoff()
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
    ingest(raw_notification("any", "", STATUS))
    end_backoff()

    recover()

    assert counted == [[], [2]]


def test_concurrent_retries_make_one_attempt() -> None:
    flaky = Flaky()
    sms_status.connect(flaky)
    ingest(raw_notification("any", "", STATUS))
    end_backoff()
    seen_by_one, seen_by_other = ReceiverFailure.objects.get(), ReceiverFailure.objects.get()

    assert [retry(seen_by_one), retry(seen_by_other)] == [Outcome.FAILED, Outcome.TAKEN]
    assert flaky.attempts == [1, 2]


def test_redacted_notification_runs_no_receivers() -> None:
    flaky = Flaky()
    sms_status.connect(flaky)
    pending = ingest(raw_notification("any", "", STATUS)).notification
    end_backoff()
    Notification.objects.update(redacted_at=pending.received_at)

    assert (recover().receivers, retry(ReceiverFailure.objects.get())) == ({}, Outcome.REDACTED)

    long_ago = pending.received_at - timedelta(hours=1)
    Notification.objects.update(dispatched_at=None, claimed_until=long_ago)
    pending.refresh_from_db()
    assert (recover().dispatched, record_interrupted(pending), claim(pending), flaky.attempts) == (0, False, False, [1])


def test_receiver_that_is_no_longer_connected_is_reported() -> None:
    flaky = Flaky()
    sms_status.connect(flaky)
    ingest(raw_notification("any", "", STATUS))
    sms_status.disconnect(flaky)
    end_backoff()

    report = recover()

    assert (report.receivers, report.is_incomplete) == ({Outcome.NOT_REGISTERED: 1}, True)
    assert ReceiverFailure.objects.get().attempts == 1


def test_receiver_of_a_removed_signal_is_reported() -> None:
    pending = ingest(raw_notification("any", "", STATUS)).notification
    ReceiverFailure.objects.create(notification=pending, signal="sms_seen", receiver="shop.receivers.note", attempts=1)

    assert recover().receivers == {Outcome.NOT_REGISTERED: 1}


def test_poison_receiver_does_not_stop_the_others() -> None:
    poison, good = Flaky(), Flaky()
    sms_status.connect(poison, dispatch_uid="poison")
    sms_status.connect(good, dispatch_uid="good")
    ingest(raw_notification("any", "", STATUS))
    good.fails = False
    end_backoff()

    assert recover().receivers == {Outcome.FAILED: 1, Outcome.RESOLVED: 1}


def test_failed_receivers_of_calls_are_retried_only_if_requested() -> None:
    flaky = Flaky()
    ivr_gather.connect(flaky)
    ingest(raw_notification("any", "", GATHER))
    end_backoff()

    assert recover().receivers == {}
    assert recover(ivr=True).receivers == {Outcome.FAILED: 1}


def test_summary_is_one_line_with_all_counts(folder: Path) -> None:
    wait_in_spool(folder)
    flaky = Flaky()
    sms_status.connect(flaky)

    assert str(recover()) == (
        "Spool: 1 imported, 0 already stored, 0 not yet imported, 0 in quarantine. States: 0 stored, 0 not stored."
        " Notifications: 0 dispatched. Receivers: 0 resolved, 0 failed, 1 waiting to retry, 0 no longer registered."
    )
    assert recovery.RecoveryResult().is_incomplete is False
