"""Asking the read API for what changed since, so that nothing is missed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.test import Client

from django_hoiio import inbox
from django_hoiio.api import changes, walks
from django_hoiio.kinds import Kind, Origin
from django_hoiio.recording import sending

from .conftest import arrival
from .staff import ALL, staff

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


def report(txn_ref: str, word: str, at: datetime, origin: Origin = Origin.POST) -> None:
    """Have Hoiio tell of an SMS, as it came to the door at that moment."""
    body = f"txn_ref={txn_ref}&sms_status={word}&dest=%2B6591231111&tag={txn_ref.lower()}"
    inbox.receive(arrival(route="sms", body=body, received_at=at, origin=origin))


def send(txn_ref: str) -> None:
    assert sending.enter(Kind.SMS_STATUS, "default", txn_ref, {"dest": "+6591231111", "msg": "Hi"})


@pytest.fixture
def client() -> Client:
    return staff(*ALL)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes is kept before anything else happens, and all clocks are one: nothing need be given twice."""
    monkeypatch.setattr(changes, "OVERLAP", timedelta())


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
        lambda: report(txn_ref, word, now() - late, Origin.SPOOL),
        lambda: report(txn_ref, word, now(), Origin.POLL),
        lambda: send(f"AA-S-{rng.getrandbits(40)}"),
        lambda: _overtaken(f"AA-S-{rng.getrandbits(40)}", word),
        lambda: inbox.receive(
            arrival(
                body=f"msg={rng.random()}&from=ALERT&txn_ref={txn_ref}", received_at=now() - late, origin=Origin.SPOOL
            )
        ),
        lambda: inbox.receive(arrival(body=f"msg={rng.random()}&from=ALERT", received_at=now())),
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
    monkeypatch.setattr(walks, "REACH", 5)
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
