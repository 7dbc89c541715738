"""Polling the read API for changes never misses a row."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_hoiio.api import change_feed, pagination
from django_hoiio.enums import Kind, Source
from django_hoiio.ingest import ingest, outgoing
from django_hoiio.models import Notification
from tests.conftest import raw_notification
from tests.users import EVERYTHING, staff

pytestmark = pytest.mark.django_db

API = "/api/hoiio/"


def now() -> datetime:
    return datetime.now(timezone.utc)


def ago(**span: float) -> datetime:
    return now() - timedelta(**span)


def rows_since(client: Client, path: str, since: datetime, **query: object) -> Iterator[dict[str, Any]]:
    """Yield the rows of all pages, as a client reads them."""
    page = _read(client, f"{API}{path}", {"updated_since": since.isoformat(), **query})
    yield from page["results"]
    while page["next"]:
        page = _read(client, page["next"])
        yield from page["results"]


def _pages(client: Client, page: Any) -> list[Any]:
    """Return the page and those after it."""
    return [page, *(_pages(client, _read(client, page["next"])) if page["next"] else [])]


def _read(client: Client, address: str, query: dict[str, object] | None = None) -> Any:
    response = client.get(address, query)
    assert response.status_code == 200, response.content
    return json.loads(response.content)


def changed(client: Client, path: str, since: datetime, **query: object) -> list[str]:
    return sorted({row["txn_ref"] or "none" for row in rows_since(client, path, since, **query)})


def report(txn_ref: str, word: str, at: datetime, source: Source = Source.WEBHOOK) -> None:
    """Receive a notification about an SMS at that moment."""
    body = f"txn_ref={txn_ref}&sms_status={word}&dest=%2B6591231111&tag={txn_ref.lower()}"
    ingest(raw_notification(route="sms", body=body, received_at=at, source=source))


def send(txn_ref: str) -> None:
    assert outgoing.enter(Kind.SMS_STATUS, "default", txn_ref, {"dest": "+6591231111", "msg": "Hi"})


@pytest.fixture
def client() -> Client:
    return staff(*EVERYTHING)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each notification is stored at once and there is one clock, so no row needs to be returned twice."""
    monkeypatch.setattr(change_feed, "OVERLAP", timedelta())


# The promise.


class Mirror:
    """A program with a copy of all SMS that polls for changes now and then."""

    def __init__(self, client: Client, page_size: int) -> None:
        self.client, self.page_size = client, page_size
        self.rows: dict[int, dict[str, Any]] = {}
        self.since = ago(days=1000)

    def poll(self) -> None:
        begun = now()
        for row in rows_since(self.client, "sms/", self.since, page_size=self.page_size):
            # A row may be on two pages of a pass, and a later page is read later.
            self.rows[row["id"]] = row
        self.since = begun


def _act(rng: random.Random, references: list[str]) -> None:
    """Perform one random action: a report at once, from the spool or by a poll, or a sent SMS."""
    txn_ref, word = rng.choice(references), rng.choice(("queued", "delivered", "failed"))
    late = timedelta(seconds=rng.uniform(0, 10**6))
    actions = [
        lambda: report(txn_ref, word, now()),
        lambda: report(txn_ref, word, now() - late, Source.SPOOL),
        lambda: report(txn_ref, word, now(), Source.POLL),
        lambda: send(f"AA-S-{rng.getrandbits(40)}"),
        lambda: _overtaken(f"AA-S-{rng.getrandbits(40)}", word),
        lambda: ingest(
            raw_notification(
                body=f"msg={rng.random()}&from=ALERT&txn_ref={txn_ref}", received_at=now() - late, source=Source.SPOOL
            )
        ),
        lambda: ingest(raw_notification(body=f"msg={rng.random()}&from=ALERT", received_at=now())),
    ]
    rng.choice(actions)()


def _overtaken(txn_ref: str, word: str) -> None:
    """Hoiio reports a sent SMS before it has answered the request."""
    report(txn_ref, word, now())
    send(txn_ref)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("page_size", [1, 3, 100])
@pytest.mark.parametrize("seed", [1, 2])
def test_polling_program_has_all_rows_up_to_date(
    client: Client, seed: int, page_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagination, "SCAN_LIMIT", 5)
    rng = random.Random(seed)
    references = [f"AA-S-{number}" for number in range(15)]
    mirror = Mirror(client, page_size)
    for _ in range(40):
        _act(rng, references)
        if rng.random() < 0.15:
            mirror.poll()
            assert mirror.rows == _truth(client)
    mirror.poll()
    assert mirror.rows == _truth(client)


def _truth(client: Client) -> dict[int, dict[str, Any]]:
    return {row["id"]: row for row in _read(client, f"{API}sms/?page_size=500")["results"]}


# Returned rows.


@pytest.mark.usefixtures("at_once")
def test_only_changed_rows_are_returned(client: Client) -> None:
    for number in range(4):
        report(f"AA-S-{number}", "queued", ago(days=2))
    moment = now()
    report("AA-S-1", "delivered", now())
    report("AA-S-9", "queued", now())
    send("AA-S-10")

    assert changed(client, "sms/", moment) == ["AA-S-1", "AA-S-10", "AA-S-9"]
    assert changed(client, "sms/", now()) == []


@pytest.mark.usefixtures("at_once")
def test_row_of_a_spooled_notification_is_returned_after_the_import(client: Client) -> None:
    report("AA-S-1", "queued", ago(days=2))
    moment = now()
    report("AA-S-1", "delivered", ago(days=1), Source.SPOOL)

    (row,) = rows_since(client, "sms/", moment)
    assert (row["sms_status"], row["updated_at"] < moment.isoformat()) == ("delivered", True)


@pytest.mark.usefixtures("at_once")
def test_row_imported_from_the_spool_before_is_not_returned_again(client: Client) -> None:
    report("AA-S-1", "delivered", ago(days=1), Source.SPOOL)

    assert changed(client, "sms/", now()) == []


def test_row_committed_some_time_after_its_notification_was_received_is_returned(client: Client) -> None:
    report("AA-S-0", "queued", ago(days=1))
    report("AA-S-1", "queued", ago(hours=1))
    moment = now()
    # Another process was slow: the notification was received before the moment, and committed only now.
    report("AA-S-2", "queued", moment - timedelta(minutes=4))

    assert changed(client, "sms/", moment) == ["AA-S-2"]
    # It is repeated, because the time of the commit is unknown.
    assert changed(client, "sms/", moment + timedelta(seconds=30)) == ["AA-S-2"]
    assert changed(client, "sms/", moment + timedelta(minutes=2)) == []


@pytest.mark.parametrize("minutes", [4, 20])
def test_row_that_is_sent_late_is_returned_for_an_accordingly_earlier_moment(client: Client, minutes: int) -> None:
    report("AA-S-0", "queued", ago(days=1))
    # A database transaction that was open for so long: meanwhile Hoiio has sent its last report.
    report("AA-S-1", "delivered", ago(minutes=minutes))
    moment = now()
    send("AA-S-1")

    assert changed(client, "sms/", moment) == (["AA-S-1"] if minutes < 5 else [])
    (row,) = rows_since(client, "sms/", moment - timedelta(minutes=minutes))
    assert (row["txn_ref"], row["msg"]) == ("AA-S-1", "Hi")


def test_pending_notification_from_the_spool_does_not_repeat_rows(client: Client) -> None:
    report("AA-S-1", "queued", ago(days=2))
    report("AA-S-2", "queued", ago(days=1), Source.SPOOL)
    # No process has dispatched it for a day.
    Notification.objects.filter(txn_ref="AA-S-2").update(dispatched_at=None, claimed_until=ago(days=1))

    assert changed(client, "sms/", now()) == []


def test_all_rows_are_returned_if_no_older_notification_is_known(client: Client) -> None:
    report("AA-S-1", "queued", ago(days=2))
    report("AA-S-2", "delivered", ago(days=1))
    Notification.objects.all().delete()

    assert changed(client, "sms/", now(), page_size=1) == ["AA-S-1", "AA-S-2"]


@pytest.mark.usefixtures("at_once")
def test_row_without_a_reference_is_returned(client: Client) -> None:
    report("AA-S-1", "queued", ago(days=1))
    moment = now()
    ingest(raw_notification(body="msg=Hi&from=ALERT", received_at=now()))

    assert changed(client, "sms/", moment) == ["none"]


@pytest.mark.usefixtures("at_once")
def test_call_is_returned_if_a_notification_has_only_its_session(client: Client) -> None:
    ingest(
        raw_notification(body="ivr_block=answer&call_state=ringing&session=S1&txn_ref=AA-C-1", received_at=ago(days=1))
    )
    moment = now()
    ingest(raw_notification(route="ivr", body="call_state=ended&session=S1", received_at=now()))

    assert [(row["txn_ref"], row["call_state"]) for row in rows_since(client, "calls/", moment)] == [
        ("AA-C-1", "ended")
    ]
    assert changed(client, "sms/", moment) == changed(client, "faxes/", moment) == []


@pytest.mark.usefixtures("at_once")
def test_each_part_of_a_long_sms_is_returned(client: Client) -> None:
    report("AA-S-1", "queued", ago(days=1))
    moment = now()
    for text in ("One", "Two"):
        ingest(raw_notification(body=f"msg={text}&from=%2B6591231111&txn_ref=AA-SI-1", received_at=now()))

    assert {row["msg"] for row in rows_since(client, "sms/", moment, page_size=1)} == {"One", "Two"}


@pytest.mark.usefixtures("at_once")
def test_changes_can_be_filtered(client: Client) -> None:
    report("AA-S-1", "queued", ago(days=1))
    moment = now()
    report("AA-S-1", "delivered", now())
    report("AA-S-2", "queued", now())
    send("AA-S-3")

    def filtered(**query: object) -> list[str]:
        return changed(client, "sms/", moment, **query)

    assert filtered(tag="aa-s-2") == ["AA-S-2"]
    assert filtered(number="+6591231111") == ["AA-S-1", "AA-S-2", "AA-S-3"]
    assert filtered(sms_status="delivered") == filtered(final="true") == ["AA-S-1"]
    assert filtered(final="false", number="91231111") == ["AA-S-2", "AA-S-3"]
    assert filtered(created_from=moment.isoformat()) == ["AA-S-2", "AA-S-3"]
    assert filtered(txn_ref="AA-S-2", final="true") == []
    assert filtered(account="second") == []


@pytest.mark.usefixtures("at_once")
def test_notifications_stored_since_a_moment_are_returned(client: Client) -> None:
    report("AA-S-1", "queued", ago(days=2))
    moment = now()
    report("AA-S-2", "queued", ago(days=1), Source.SPOOL)
    report("AA-S-3", "queued", now())

    assert changed(client, "notifications/", moment, page_size=1) == ["AA-S-2", "AA-S-3"]
    assert changed(client, "notifications/", moment, kind="sms_status", txn_ref="AA-S-3") == ["AA-S-3"]
    assert changed(client, "notifications/", moment, kind="unknown") == []


@pytest.mark.parametrize("path", ["sms/", "notifications/"])
def test_pages_of_changes_have_no_previous_link(client: Client, path: str) -> None:
    for number in range(3):
        report(f"AA-S-{number}", "queued", ago(days=5 - number))
    page = _read(client, f"{API}{path}", {"updated_since": ago(days=4).isoformat(), "page_size": 1})

    assert (page["previous"], _read(client, page["next"])["previous"]) == (None, None)


# Queries.


@pytest.mark.usefixtures("at_once")
def test_changes_take_as_many_queries_for_many_rows_as_for_few(client: Client) -> None:
    report("AA-S-0", "queued", ago(days=1))
    moment = now()
    counts = []
    for size in (3, 60):
        for number in range(size):
            report(f"AA-S-{size}-{number}", "queued", now())
        with CaptureQueriesContext(connection) as queries:
            _read(client, f"{API}sms/", {"updated_since": moment.isoformat(), "page_size": 500})
        counts.append(len(queries))

    # The session, the user and two for the permissions; the older notification, the newest, the page of them and its
    # end; the rows.
    assert counts == [9, 9]


def test_page_of_changes_scans_a_bounded_number_of_notifications(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagination, "SCAN_LIMIT", 10)
    report("AA-S-0", "queued", ago(days=2))
    for number in range(25):
        ingest(raw_notification(body=f"fax_status=ongoing&txn_ref=AA-F-{number}&dest=%2B651", received_at=now()))
    page = _read(client, f"{API}sms/", {"updated_since": ago(days=1).isoformat(), "page_size": 1})

    # Ten, ten and five notifications, then the rows that were sent.
    assert [len(each["results"]) for each in _pages(client, page)] == [0, 0, 0, 0]
    assert changed(client, "faxes/", ago(days=1)) == sorted(f"AA-F-{number}" for number in range(25))


def test_pages_of_changes_end_at_the_oldest_notification_since_the_moment(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagination, "SCAN_LIMIT", 10)
    for number in range(40):
        report(f"AA-S-{number}", "queued", ago(days=2))
    report("AA-S-40", "queued", now())
    page = _read(client, f"{API}sms/", {"updated_since": ago(days=1).isoformat()})

    # Rows that were sent, and are not final, are on the second and last page.
    assert [[row["txn_ref"] for row in each["results"]] for each in _pages(client, page)] == [["AA-S-40"], ["AA-S-40"]]
