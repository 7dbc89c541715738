"""Asking the read API for what changed since, so that nothing is missed."""

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

from django_hoiio import inbox
from django_hoiio.api import change_feed, pagination
from django_hoiio.enums import Kind, Source
from django_hoiio.models import Notification
from django_hoiio.recording import sending
from tests.conftest import raw_notification
from tests.users import EVERYTHING, staff

pytestmark = pytest.mark.django_db

API = "/api/hoiio/"


def now() -> datetime:
    return datetime.now(timezone.utc)


def ago(**span: float) -> datetime:
    return now() - timedelta(**span)


def rows_since(client: Client, path: str, since: datetime, **query: object) -> Iterator[dict[str, Any]]:
    """All rows of all pages, as a client reads them."""
    page = _read(client, f"{API}{path}", {"updated_since": since.isoformat(), **query})
    yield from page["results"]
    while page["next"]:
        page = _read(client, page["next"])
        yield from page["results"]


def _read(client: Client, address: str, query: dict[str, object] | None = None) -> Any:
    response = client.get(address, query)
    assert response.status_code == 200, response.content
    return json.loads(response.content)


def changed(client: Client, path: str, since: datetime, **query: object) -> list[str]:
    return sorted({row["txn_ref"] or "none" for row in rows_since(client, path, since, **query)})


def report(txn_ref: str, word: str, at: datetime, source: Source = Source.WEBHOOK) -> None:
    """Have Hoiio tell of an SMS, as it came to the door at that moment."""
    body = f"txn_ref={txn_ref}&sms_status={word}&dest=%2B6591231111&tag={txn_ref.lower()}"
    inbox.receive(raw_notification(route="sms", body=body, received_at=at, source=source))


def send(txn_ref: str) -> None:
    assert sending.enter(Kind.SMS_STATUS, "default", txn_ref, {"dest": "+6591231111", "msg": "Hi"})


@pytest.fixture
def client() -> Client:
    return staff(*EVERYTHING)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes is kept before anything else happens, and all clocks are one: nothing need be given twice."""
    monkeypatch.setattr(change_feed, "OVERLAP", timedelta())


# The promise.


class Mirror:
    """A program that keeps a copy of all SMS, and asks now and then for what changed."""

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


def _deed(rng: random.Random, references: list[str]) -> None:
    """One thing that happens to an SMS: told at once, told by the spool or by a poll, or sent."""
    txn_ref, word = rng.choice(references), rng.choice(("queued", "delivered", "failed"))
    late = timedelta(seconds=rng.uniform(0, 10**6))
    deeds = [
        lambda: report(txn_ref, word, now()),
        lambda: report(txn_ref, word, now() - late, Source.SPOOL),
        lambda: report(txn_ref, word, now(), Source.POLL),
        lambda: send(f"AA-S-{rng.getrandbits(40)}"),
        lambda: _overtaken(f"AA-S-{rng.getrandbits(40)}", word),
        lambda: inbox.receive(
            raw_notification(
                body=f"msg={rng.random()}&from=ALERT&txn_ref={txn_ref}", received_at=now() - late, source=Source.SPOOL
            )
        ),
        lambda: inbox.receive(raw_notification(body=f"msg={rng.random()}&from=ALERT", received_at=now())),
    ]
    rng.choice(deeds)()


def _overtaken(txn_ref: str, word: str) -> None:
    """Hoiio tells of what is sent before it has answered."""
    report(txn_ref, word, now())
    send(txn_ref)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("seed", range(12))
def test_program_that_asks_for_changes_has_all_rows_as_they_are(
    client: Client, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagination, "SCAN_LIMIT", 5)
    rng = random.Random(seed)
    references = [f"AA-S-{number}" for number in range(15)]
    mirror = Mirror(client, page_size=rng.choice((1, 3, 100)))
    for _ in range(60):
        _deed(rng, references)
        if rng.random() < 0.15:
            mirror.poll()
            assert mirror.rows == _truth(client)
    mirror.poll()
    assert mirror.rows == _truth(client)


def _truth(client: Client) -> dict[int, dict[str, Any]]:
    return {row["id"]: row for row in _read(client, f"{API}sms/?page_size=500")["results"]}


# What is given, and what is not.


@pytest.mark.usefixtures("at_once")
def test_row_that_changed_is_given_and_no_other(client: Client) -> None:
    for number in range(4):
        report(f"AA-S-{number}", "queued", ago(days=2))
    moment = now()
    report("AA-S-1", "delivered", now())
    report("AA-S-9", "queued", now())
    send("AA-S-10")

    assert changed(client, "sms/", moment) == ["AA-S-1", "AA-S-10", "AA-S-9"]
    assert changed(client, "sms/", now()) == []


@pytest.mark.usefixtures("at_once")
def test_what_waited_in_the_spool_is_given_after_it_was_kept(client: Client) -> None:
    report("AA-S-1", "queued", ago(days=2))
    moment = now()
    report("AA-S-1", "delivered", ago(days=1), Source.SPOOL)

    (row,) = rows_since(client, "sms/", moment)
    assert (row["sms_status"], row["updated_at"] < moment.isoformat()) == ("delivered", True)


@pytest.mark.usefixtures("at_once")
def test_what_was_drained_before_is_not_given_for_ever(client: Client) -> None:
    report("AA-S-1", "delivered", ago(days=1), Source.SPOOL)

    assert changed(client, "sms/", now()) == []


def test_what_is_kept_a_while_after_it_came_is_given(client: Client) -> None:
    report("AA-S-0", "queued", ago(days=1))
    report("AA-S-1", "queued", ago(hours=1))
    moment = now()
    # Another process was slow: it came before the moment, and is there only now.
    report("AA-S-2", "queued", moment - timedelta(minutes=4))

    assert changed(client, "sms/", moment) == ["AA-S-2"]
    # Once more, because nobody can know.
    assert changed(client, "sms/", moment + timedelta(seconds=30)) == ["AA-S-2"]
    assert changed(client, "sms/", moment + timedelta(minutes=2)) == []


@pytest.mark.parametrize("minutes", [4, 20])
def test_what_is_entered_late_is_given_to_who_asks_for_as_much_earlier(client: Client, minutes: int) -> None:
    report("AA-S-0", "queued", ago(days=1))
    # A transaction that was open for so long: meanwhile Hoiio has told all that it will.
    report("AA-S-1", "delivered", ago(minutes=minutes))
    asked = now()
    send("AA-S-1")

    assert changed(client, "sms/", asked) == (["AA-S-1"] if minutes < 5 else [])
    (row,) = rows_since(client, "sms/", asked - timedelta(minutes=minutes))
    assert (row["txn_ref"], row["msg"]) == ("AA-S-1", "Hi")


def test_what_the_receivers_were_told_late_of_does_not_stand_in_the_way(client: Client) -> None:
    report("AA-S-1", "queued", ago(days=2))
    report("AA-S-2", "queued", ago(days=1), Source.SPOOL)
    # Nobody has taken it up for a day.
    Notification.objects.filter(txn_ref="AA-S-2").update(dispatched_at=None, claimed_until=ago(days=1))

    assert changed(client, "sms/", now()) == []


def test_all_is_given_where_nothing_older_is_known(client: Client) -> None:
    report("AA-S-1", "queued", ago(days=2))
    report("AA-S-2", "delivered", ago(days=1))
    Notification.objects.all().delete()

    assert changed(client, "sms/", now(), page_size=1) == ["AA-S-1", "AA-S-2"]


@pytest.mark.usefixtures("at_once")
def test_row_without_a_reference_is_given(client: Client) -> None:
    report("AA-S-1", "queued", ago(days=1))
    moment = now()
    inbox.receive(raw_notification(body="msg=Hi&from=ALERT", received_at=now()))

    assert changed(client, "sms/", moment) == ["none"]


@pytest.mark.usefixtures("at_once")
def test_call_is_given_of_which_its_session_alone_tells(client: Client) -> None:
    inbox.receive(
        raw_notification(body="ivr_block=answer&call_state=ringing&session=S1&txn_ref=AA-C-1", received_at=ago(days=1))
    )
    moment = now()
    inbox.receive(raw_notification(route="ivr", body="call_state=ended&session=S1", received_at=now()))

    assert [(row["txn_ref"], row["call_state"]) for row in rows_since(client, "calls/", moment)] == [
        ("AA-C-1", "ended")
    ]
    assert changed(client, "sms/", moment) == changed(client, "faxes/", moment) == []


@pytest.mark.usefixtures("at_once")
def test_each_text_of_a_long_sms_is_given(client: Client) -> None:
    report("AA-S-1", "queued", ago(days=1))
    moment = now()
    for text in ("One", "Two"):
        inbox.receive(raw_notification(body=f"msg={text}&from=%2B6591231111&txn_ref=AA-SI-1", received_at=now()))

    assert {row["msg"] for row in rows_since(client, "sms/", moment, page_size=1)} == {"One", "Two"}


@pytest.mark.usefixtures("at_once")
def test_changes_may_be_asked_for_with_any_filter(client: Client) -> None:
    report("AA-S-1", "queued", ago(days=1))
    moment = now()
    report("AA-S-1", "delivered", now())
    report("AA-S-2", "queued", now())
    send("AA-S-3")

    def given(**query: object) -> list[str]:
        return changed(client, "sms/", moment, **query)

    assert given(tag="aa-s-2") == ["AA-S-2"]
    assert given(number="+6591231111") == ["AA-S-1", "AA-S-2", "AA-S-3"]
    assert given(sms_status="delivered") == given(final="true") == ["AA-S-1"]
    assert given(final="false", number="91231111") == ["AA-S-2", "AA-S-3"]
    assert given(created_from=moment.isoformat()) == ["AA-S-2", "AA-S-3"]
    assert given(txn_ref="AA-S-2", final="true") == []
    assert given(account="second") == []


@pytest.mark.usefixtures("at_once")
def test_notifications_that_were_kept_since(client: Client) -> None:
    report("AA-S-1", "queued", ago(days=2))
    moment = now()
    report("AA-S-2", "queued", ago(days=1), Source.SPOOL)
    report("AA-S-3", "queued", now())

    assert changed(client, "notifications/", moment, page_size=1) == ["AA-S-2", "AA-S-3"]
    assert changed(client, "notifications/", moment, kind="sms_status", txn_ref="AA-S-3") == ["AA-S-3"]
    assert changed(client, "notifications/", moment, kind="unknown") == []


def test_pass_has_no_way_back(client: Client) -> None:
    for number in range(3):
        report(f"AA-S-{number}", "queued", ago(days=5 - number))
    page = _read(client, f"{API}sms/", {"updated_since": ago(days=4).isoformat(), "page_size": 1})

    assert (page["previous"], _read(client, page["next"])["previous"]) == (None, None)


# What it costs.


@pytest.mark.usefixtures("at_once")
def test_changes_take_as_many_queries_of_many_rows_as_of_few(client: Client) -> None:
    report("AA-S-0", "queued", ago(days=1))
    moment = now()
    counts = []
    for size in (3, 60):
        for number in range(size):
            report(f"AA-S-{size}-{number}", "queued", now())
        with CaptureQueriesContext(connection) as queries:
            _read(client, f"{API}sms/", {"updated_since": moment.isoformat(), "page_size": 500})
        counts.append(len(queries))

    # The session, the user and two for the permissions; the notification that is older, the newest, the page of them
    # and its end; what they name, and the rows.
    assert counts == [10, 10]


def test_pass_looks_through_a_bounded_number_of_notifications(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagination, "SCAN_LIMIT", 10)
    report("AA-S-0", "queued", ago(days=2))
    for number in range(25):
        inbox.receive(raw_notification(body=f"fax_status=ongoing&txn_ref=AA-F-{number}&dest=%2B651", received_at=now()))
    page = _read(client, f"{API}sms/", {"updated_since": ago(days=1).isoformat(), "page_size": 1})

    newest = Notification.objects.latest("pk").pk
    assert (page["results"], f"cursor=told.{newest - 9}&" in page["next"]) == ([], True)
    assert changed(client, "faxes/", ago(days=1)) == sorted(f"AA-F-{number}" for number in range(25))


def test_pass_ends_with_what_was_kept_since(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagination, "SCAN_LIMIT", 10)
    for number in range(40):
        report(f"AA-S-{number}", "queued", ago(days=2))
    report("AA-S-40", "queued", now())
    page = _read(client, f"{API}sms/", {"updated_since": ago(days=1).isoformat()})

    # What was sent is the second and last page.
    assert "cursor=sent." in page["next"]
    assert _read(client, page["next"])["next"] is None
