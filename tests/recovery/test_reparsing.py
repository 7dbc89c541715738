from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from unittest import mock

import pytest
from django.db import DataError, connection

from django_hoiio.database_errors import DeadlineExceeded
from django_hoiio.enums import Kind, VerifiedBy
from django_hoiio.ingest import ingest, upsert
from django_hoiio.ingest.outgoing import enter
from django_hoiio.ingest.reports import raw_of
from django_hoiio.ingest.state import state_of
from django_hoiio.models import Call, Notification, Sms
from django_hoiio.recovery import ReparseResult, recover, reparse, reparsing
from django_hoiio.recovery.reparsing import MAX_STATE_ATTEMPTS, store_state
from tests.conftest import raw_notification, values

pytestmark = pytest.mark.django_db

NOW = datetime.now(timezone.utc)


def receive(content: str, route: str = "any", **fields: Any) -> Notification:
    return ingest(raw_notification(route, "", content, **fields)).notification


def test_reparsing_unchanged_notifications_changes_nothing(heard: list[Any]) -> None:
    receive("txn_ref=AA-S-1&sms_status=delivered&x=1", pass_on={"username": "bob"}, verified_by=VerifiedBy.URL)
    receive("txn_ref=AA-S-1&sms_status=queued")
    receive("msg=hello&from=%2B651")
    for part in ("a", "b", "c"):
        receive(f"txn_ref=AA-SI-1&from=%2B651&to=%2B652&msg={part}")
    receive("txn_ref=AA-C-1&session=S1&call_state=ringing")
    receive("session=S1&call_state=ended")
    receive("session=S1&call_state=ended", "ivr", block={"kind": "ivr_play", "step": 2})
    before = [[values(row) for row in model.objects.order_by("pk")] for model in (Notification, Sms, Call)]
    heard.clear()

    assert reparse() == ReparseResult(read=9)

    assert [[values(row) for row in model.objects.order_by("pk")] for model in (Notification, Sms, Call)] == before
    assert heard == []


def test_reparsing_finds_the_kind_by_the_stored_block() -> None:
    stored = receive("txn_ref=AA-C-1&session=S1&call_state=ongoing", "ivr", block={"kind": "ivr_play"})
    Notification.objects.update(kind=Kind.IVR_STEP)

    assert reparse() == ReparseResult(read=1, changed=1)

    stored.refresh_from_db()
    assert (stored.kind, stored.block) == (Kind.IVR_PLAY, {"kind": "ivr_play"})


def test_state_that_could_not_be_written_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise ValueError

    with monkeypatch.context() as broken:
        broken.setattr(upsert, "report_of", fail)
        stored = receive("txn_ref=AA-S-1&sms_status=delivered")
    assert (stored.state_error, Sms.objects.count()) == ("ValueError", 0)

    assert reparse() == ReparseResult(read=1, states=1)

    stored.refresh_from_db()
    assert (stored.state_error, stored.sms.sms_status) == ("", "delivered")  # type: ignore[union-attr]


def _receive_without_state(content: str = "txn_ref=AA-S-1&sms_status=delivered") -> Notification:
    stored = receive(content)
    Sms.objects.all().delete()
    Notification.objects.update(sms=None, state_error="DataError")
    stored.refresh_from_db()
    return stored


def test_state_that_could_not_be_written_is_stored_by_the_recovery() -> None:
    stored = _receive_without_state()

    report = recover()

    assert (report.states, report.stateless, report.is_incomplete) == (1, 0, False)
    stored.refresh_from_db()
    assert (stored.state_error, stored.state_attempts, stored.sms) == ("", 1, Sms.objects.get())
    assert stored.sms.sms_status == "delivered"


def test_notification_that_has_no_state_after_all_is_done() -> None:
    stored = _receive_without_state("x=1")

    assert recover().states == 1

    stored.refresh_from_db()
    assert (stored.state_error, stored.transaction) == ("", None)


def test_state_that_fails_each_time_is_given_up_and_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stored = _receive_without_state()
    monkeypatch.setattr(reparsing, "link", mock.Mock(side_effect=DataError("near +6511111111")))

    reports = [recover() for _ in range(MAX_STATE_ATTEMPTS + 1)]

    assert {(report.states, report.stateless, report.is_incomplete) for report in reports} == {(0, 1, True)}
    assert (
        caplog.messages
        == [f"The state of notification {stored.pk} could not be stored: DataError."] * MAX_STATE_ATTEMPTS
    )
    stored.refresh_from_db()
    assert (stored.state_error, stored.state_attempts) == ("DataError", MAX_STATE_ATTEMPTS)


def test_state_waits_while_the_database_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    _receive_without_state()
    with monkeypatch.context() as broken:
        broken.setattr(reparsing, "link", mock.Mock(side_effect=DeadlineExceeded(10)))
        assert recover().is_unavailable

    assert recover().states == 1


def test_attempt_that_another_process_has_counted_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    stored, loaded_before = _receive_without_state(), Notification.objects.get()
    link = mock.Mock(side_effect=DataError)
    monkeypatch.setattr(reparsing, "link", link)

    assert [store_state(stored), store_state(loaded_before)] == [False, False]
    assert (link.call_count, Notification.objects.get().state_attempts) == (1, 1)


def test_state_of_a_notification_that_is_redacted_meanwhile_is_not_stored() -> None:
    stored = _receive_without_state()
    Notification.objects.update(redacted_at=NOW)

    assert store_state(stored) is False
    assert Sms.objects.count() == 0


def _as_an_older_version_read_it(stored: Notification) -> None:
    """Rewrite the row as an older version stored it, which read all parameters as pass-on parameters."""
    Notification.objects.filter(pk=stored.pk).update(
        kind=Kind.UNKNOWN,
        txn_ref=None,
        params={},
        pass_on={**stored.params, **stored.pass_on},
        problems={"parameters": "none of the parameters is Hoiio's", "signature": "does not match the body"},
    )
    Sms.objects.all().delete()


def test_reparsing_reads_new_parameters_and_preserves_verification_problems() -> None:
    stored = receive("txn_ref=AA-S-1&sms_status=delivered&x=1", pass_on={"username": "bob"}, verified_by=VerifiedBy.URL)
    _as_an_older_version_read_it(stored)

    assert reparse() == ReparseResult(read=1, changed=1, states=1)

    stored.refresh_from_db()
    assert (stored.kind, stored.txn_ref, stored.pass_on) == (Kind.SMS_STATUS, "AA-S-1", {"x": "1", "username": "bob"})
    assert (stored.params["sms_status"], stored.problems) == ("delivered", {"signature": "does not match the body"})
    assert Sms.objects.get().sms_status == "delivered"


def test_state_is_rebuilt_in_order_of_receipt() -> None:
    late = receive("txn_ref=AA-S-1&sms_status=failed", received_at=NOW)
    early = receive("txn_ref=AA-S-1&sms_status=delivered", received_at=NOW - timedelta(minutes=1))
    for stored in (late, early):
        _as_an_older_version_read_it(stored)

    reparse()

    assert Sms.objects.get().sms_status == "failed"


def test_dry_run_reports_the_changes_and_writes_nothing(heard: list[Any]) -> None:
    _as_an_older_version_read_it(receive("txn_ref=AA-S-1&sms_status=delivered"))
    before = values(Notification.objects.get())
    heard.clear()

    assert reparse(dry_run=True, dispatch=True) == ReparseResult(read=1, changed=1, states=1)

    assert (values(Notification.objects.get()), Sms.objects.count(), heard) == (before, 0, [])


def test_receivers_run_for_changed_notifications_only_if_requested(heard: list[Any]) -> None:
    receive("txn_ref=AA-S-2&sms_status=delivered")
    _as_an_older_version_read_it(receive("txn_ref=AA-S-1&sms_status=delivered"))
    heard.clear()

    assert reparse(dispatch=True).dispatched == 1

    assert [(name, arguments["sms"]) for name, arguments in heard] == [
        ("sms_status", Sms.objects.get(txn_ref="AA-S-1")),
        ("notification_received", Sms.objects.get(txn_ref="AA-S-1")),
    ]


def test_only_notifications_received_since_then_are_reparsed() -> None:
    receive("txn_ref=AA-S-1&sms_status=queued", received_at=NOW - timedelta(days=2))
    receive("txn_ref=AA-S-2&sms_status=queued", received_at=NOW)

    assert reparse(since=NOW - timedelta(days=1)).read == 1


def test_failed_reparse_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    poison = receive("txn_ref=AA-S-1&sms_status=queued&dest=%2B6511111111")
    Notification.objects.filter(pk=poison.pk).update(route="mms")
    _as_an_older_version_read_it(receive("txn_ref=AA-S-2&sms_status=queued"))

    assert reparse() == ReparseResult(read=2, changed=1, states=1, failed=1)
    assert caplog.messages == [f"Notification {poison.pk} could not be reparsed: ValueError."]


def test_redacted_notification_is_not_reparsed() -> None:
    stored = receive("txn_ref=AA-S-1&sms_status=queued")
    Notification.objects.update(redacted_at=NOW, body=b"", params={})
    before = values(stored)

    assert (reparse(), values(stored)) == (ReparseResult(), before)


@pytest.mark.parametrize(
    "meanwhile",
    [{"redacted_at": NOW}, {"body": b"txn_ref=AA-S-1&sms_status=delivered&dest=removed"}, {"query": "x=removed"}],
)
def test_content_removed_during_a_reparse_does_not_come_back(meanwhile: dict[str, Any]) -> None:
    stored = receive("txn_ref=AA-S-1&sms_status=delivered&dest=%2B6511111111")
    Sms.objects.all().delete()

    def in_between(things: Any, what: str) -> Any:
        for one in things:
            Notification.objects.filter(pk=stored.pk).update(params={}, **meanwhile)
            yield one

    assert reparse(progress=in_between, dispatch=True) == ReparseResult(read=1)

    stored.refresh_from_db()
    assert (stored.params, Sms.objects.count()) == ({}, 0)


def test_raw_notification_is_restored_from_its_row() -> None:
    raw = raw_notification(
        "sms",
        "x=1",
        b"txn_ref=AA-S-1\xff",
        headers={"User-Agent": "Hoiio"},
        remote_addr="1.2.3.4",
        account="second",
        verified_by=VerifiedBy.URL,
        problems={"token": "old"},
    )
    stored = ingest(raw).notification
    stored.refresh_from_db()

    assert raw_of(stored) == raw._replace(pass_on={"x": "1"})


# Transactions are folded anew.


def _spoil(row: Any, **values: Any) -> None:
    """Change a row as an older version may have left it."""
    type(row).objects.filter(pk=row.pk).update(**values)


def test_state_is_folded_anew_from_all_notifications_of_the_transaction() -> None:
    receive("txn_ref=AA-S-1&sms_status=delivered&tag=a", received_at=NOW - timedelta(minutes=2))
    receive("txn_ref=AA-S-1&sms_status=queued&tag=b&currency=SGD", received_at=NOW - timedelta(minutes=1))
    row = Sms.objects.get()
    _spoil(row, sms_status="queued", tag="b", is_final=False, version=1)

    assert reparse(since=NOW - timedelta(seconds=90)) == ReparseResult(read=2, states=1)
    assert state_of(Sms.objects.get()) == state_of(row)
    assert Sms.objects.get().version == row.version
    assert reparse() == ReparseResult(read=2)


def test_remote_party_that_no_report_names_any_more_is_emptied_but_not_one_that_was_sent() -> None:
    receive("txn_ref=AA-C-1&session=S1&call_state=ongoing")
    _spoil(Call.objects.get(), direction="incoming", remote_number="+6511111111", remote_suffix="11111111")
    enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": "+6522222222", "msg": "hello"})
    receive("txn_ref=AA-S-1&sms_status=queued")

    assert reparse().states == 1
    assert (Call.objects.get().direction, Call.objects.get().remote_number) == ("", "")
    sms = Sms.objects.get()
    assert (sms.direction, sms.remote_number, sms.msg) == ("outgoing", "+6522222222", "hello")


def test_history_that_is_not_whole_only_fills_what_is_empty() -> None:
    receive("txn_ref=AA-S-1&sms_status=queued&tag=a&currency=SGD&dest=%2B6511111111")
    row = Sms.objects.get()
    _spoil(row, history_is_whole=False, tag="b", currency="", dest="", redacted_at=NOW, version=row.version + 7)

    assert reparse() == ReparseResult(read=1, states=1)
    found = Sms.objects.get()
    assert (found.tag, found.currency, found.dest, found.version) == ("b", "SGD", "", row.version + 7)


@pytest.mark.parametrize("dry_run", [False, True])
def test_notification_that_is_about_another_transaction_moves_to_it(dry_run: bool, heard: list[Any]) -> None:
    """An older version linked it to a call, and took its reference for another."""
    moved = receive("txn_ref=AA-S-1&sms_status=delivered")
    receive("txn_ref=AA-S-2&sms_status=queued&tag=b")
    other = Sms.objects.get(txn_ref="AA-S-2")
    Notification.objects.filter(pk=moved.pk).update(sms=other, txn_ref="AA-S-2")
    Sms.objects.filter(txn_ref="AA-S-1").delete()
    _spoil(other, sms_status="delivered", is_final=True)
    heard.clear()

    result = reparse(dry_run=dry_run, dispatch=True)

    moved.refresh_from_db()
    if dry_run:
        assert (moved.sms, Sms.objects.count(), heard) == (other, 1, [])
        return
    assert (result.read, result.states, result.failed) == (3, 2, 0)
    assert (moved.txn_ref, moved.sms) == ("AA-S-1", Sms.objects.get(txn_ref="AA-S-1"))
    other.refresh_from_db()
    assert (other.sms_status, other.is_final, other.tag) == ("queued", False, "b")


def test_session_alone_does_not_move_a_notification_to_a_newer_call() -> None:
    receive("txn_ref=AA-C-1&session=S1&call_state=ringing", received_at=NOW - timedelta(hours=2))
    gathered = receive("session=S1&digits=1", received_at=NOW)
    receive("txn_ref=AA-C-2&session=S1&call_state=ringing", received_at=NOW - timedelta(hours=1))

    assert reparse() == ReparseResult(read=3)
    gathered.refresh_from_db()
    assert gathered.call == Call.objects.get(txn_ref="AA-C-1")


def test_transaction_with_a_notification_that_cannot_be_parsed_keeps_its_state() -> None:
    poison = receive("txn_ref=AA-S-1&sms_status=delivered")
    receive("txn_ref=AA-S-1&sms_status=queued&tag=a")
    Notification.objects.filter(pk=poison.pk).update(route="mms")

    assert reparse() == ReparseResult(read=2, failed=1)
    assert (Sms.objects.get().sms_status, Sms.objects.get().is_final) == ("delivered", True)


def test_state_that_the_database_refuses_stops_no_other_notification(caplog: pytest.LogCaptureFixture) -> None:
    _as_an_older_version_read_it(receive("txn_ref=AA-S-1&sms_status=queued"))
    _as_an_older_version_read_it(receive("txn_ref=AA-F-1&fax_status=answered"))

    def refuse(call: Any, sql: str, *arguments: Any) -> Any:
        if "INTO" in sql and "django_hoiio_sms" in sql:
            raise DataError
        return call(sql, *arguments)

    with connection.execute_wrapper(refuse):
        result = reparse()

    assert (result.read, result.changed, result.failed, Sms.objects.count()) == (2, 1, 1, 0)
    assert len(caplog.messages) == 1
