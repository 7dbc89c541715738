from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from django_hoiio import inbox, recording
from django_hoiio.enums import Kind, VerifiedBy
from django_hoiio.models import Call, Notification, Sms
from django_hoiio.recording.raw import raw_of
from django_hoiio.recovery import ReparseResult, reparse
from tests.conftest import raw_notification, values

pytestmark = pytest.mark.django_db

NOW = datetime.now(timezone.utc)


def receive(said: str, route: str = "any", **fields: Any) -> Notification:
    return inbox.receive(raw_notification(route, "", said, **fields)).notification


def test_reading_again_what_is_well_read_changes_nothing(heard: list[Any]) -> None:
    receive("txn_ref=AA-S-1&sms_status=delivered&x=1", pass_on={"username": "bob"}, verified_by=VerifiedBy.URL)
    receive("txn_ref=AA-S-1&sms_status=queued")
    receive("msg=hello&from=%2B651")
    for part in ("a", "b", "c"):
        receive(f"txn_ref=AA-SI-1&from=%2B651&to=%2B652&msg={part}")
    receive("txn_ref=AA-C-1&session=S1&call_state=ringing")
    receive("session=S1&call_state=ended")
    before = [[values(row) for row in model.objects.order_by("pk")] for model in (Notification, Sms, Call)]
    heard.clear()

    assert reparse() == ReparseResult(read=8)

    assert [[values(row) for row in model.objects.order_by("pk")] for model in (Notification, Sms, Call)] == before
    assert heard == []


def test_state_that_could_not_be_written_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise ValueError

    with monkeypatch.context() as broken:
        broken.setattr(recording, "change_of", fail)
        kept = receive("txn_ref=AA-S-1&sms_status=delivered")
    assert (list(kept.problems), Sms.objects.count()) == (["state"], 0)

    assert reparse() == ReparseResult(read=1, changed=1, states=1)

    kept.refresh_from_db()
    assert (kept.problems, Sms.objects.get().sms_status) == ({}, "delivered")


def _as_an_older_version_read_it(kept: Notification) -> None:
    """Kept before its parameters were known: all of them were taken for the project's."""
    Notification.objects.filter(pk=kept.pk).update(
        kind=Kind.UNKNOWN,
        txn_ref=None,
        params={},
        pass_on={**kept.params, **kept.pass_on},
        problems={"parameters": "none of the parameters is Hoiio's", "signature": "does not match the body"},
    )
    Sms.objects.all().delete()


def test_what_an_older_version_did_not_know_is_read_and_what_the_door_said_stays() -> None:
    kept = receive("txn_ref=AA-S-1&sms_status=delivered&x=1", pass_on={"username": "bob"}, verified_by=VerifiedBy.URL)
    _as_an_older_version_read_it(kept)

    assert reparse() == ReparseResult(read=1, changed=1, states=1)

    kept.refresh_from_db()
    assert (kept.kind, kept.txn_ref, kept.pass_on) == (Kind.SMS_STATUS, "AA-S-1", {"x": "1", "username": "bob"})
    assert (kept.params["sms_status"], kept.problems) == ("delivered", {"signature": "does not match the body"})
    assert Sms.objects.get().sms_status == "delivered"


def test_state_is_rebuilt_in_order_of_arrival() -> None:
    late = receive("txn_ref=AA-S-1&sms_status=failed", received_at=NOW)
    early = receive("txn_ref=AA-S-1&sms_status=delivered", received_at=NOW - timedelta(minutes=1))
    for kept in (late, early):
        _as_an_older_version_read_it(kept)

    reparse()

    assert Sms.objects.get().sms_status == "failed"


def test_dry_run_says_what_would_change_and_writes_nothing(heard: list[Any]) -> None:
    _as_an_older_version_read_it(receive("txn_ref=AA-S-1&sms_status=delivered"))
    before = values(Notification.objects.get())
    heard.clear()

    assert reparse(dry_run=True, tell=True) == ReparseResult(read=1, changed=1, states=1)

    assert (values(Notification.objects.get()), Sms.objects.count(), heard) == (before, 0, [])


def test_receivers_are_told_of_what_changed_only_when_asked(heard: list[Any]) -> None:
    receive("txn_ref=AA-S-2&sms_status=delivered")
    _as_an_older_version_read_it(receive("txn_ref=AA-S-1&sms_status=delivered"))
    heard.clear()

    assert reparse(tell=True).reported == 1

    assert [(name, arguments["sms"]) for name, arguments in heard] == [
        ("sms_status", Sms.objects.get(txn_ref="AA-S-1")),
        ("notification_received", Sms.objects.get(txn_ref="AA-S-1")),
    ]


def test_only_what_came_since_is_read() -> None:
    receive("txn_ref=AA-S-1&sms_status=queued", received_at=NOW - timedelta(days=2))
    receive("txn_ref=AA-S-2&sms_status=queued", received_at=NOW)

    assert reparse(since=NOW - timedelta(days=1)).read == 1


def test_one_that_cannot_be_read_again_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    poison = receive("txn_ref=AA-S-1&sms_status=queued&dest=%2B6511111111")
    Notification.objects.filter(pk=poison.pk).update(route="mms")
    _as_an_older_version_read_it(receive("txn_ref=AA-S-2&sms_status=queued"))

    assert reparse() == ReparseResult(read=2, changed=1, states=1, failed=1)
    assert caplog.messages == [f"Notification {poison.pk} could not be read again: ValueError."]


def test_blanked_row_has_nothing_to_read() -> None:
    kept = receive("txn_ref=AA-S-1&sms_status=queued")
    Notification.objects.update(redacted_at=NOW, body=b"", params={})
    before = values(kept)

    assert (reparse(), values(kept)) == (ReparseResult(), before)


@pytest.mark.parametrize(
    "meanwhile",
    [{"redacted_at": NOW}, {"body": b"txn_ref=AA-S-1&sms_status=delivered&dest=removed"}, {"query": "x=removed"}],
)
def test_row_that_loses_what_it_said_while_it_is_read_does_not_get_it_back(meanwhile: dict[str, Any]) -> None:
    kept = receive("txn_ref=AA-S-1&sms_status=delivered&dest=%2B6511111111")
    Sms.objects.all().delete()

    def in_between(things: Any, what: str) -> Any:
        for one in things:
            Notification.objects.filter(pk=kept.pk).update(params={}, **meanwhile)
            yield one

    assert reparse(progress=in_between, tell=True) == ReparseResult(read=1)

    kept.refresh_from_db()
    assert (kept.params, Sms.objects.count()) == ({}, 0)


def test_arrival_of_a_row_is_what_it_was_made_from() -> None:
    came = raw_notification(
        "sms",
        "x=1",
        b"txn_ref=AA-S-1\xff",
        headers={"User-Agent": "Hoiio"},
        remote_addr="1.2.3.4",
        account="second",
        verified_by=VerifiedBy.URL,
        problems={"token": "old"},
    )
    kept = inbox.receive(came).notification
    kept.refresh_from_db()

    assert raw_of(kept) == came._replace(pass_on={"x": "1"})
