"""32 connections report one transaction at once, at every isolation level."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection, connections

from django_hoiio import database
from django_hoiio.enums import Kind
from django_hoiio.ingest import ingest
from django_hoiio.ingest.history import empty_state
from django_hoiio.ingest.outgoing import enter
from django_hoiio.ingest.reports import report_of
from django_hoiio.ingest.state import fold, state_of
from django_hoiio.models import Notification, Sms
from django_hoiio.parsing import RawNotification, parse
from tests.conftest import raw_notification

pytestmark = pytest.mark.django_db(transaction=True)

CONNECTIONS = 32
REPORTS = 5 * CONNECTIONS
MORNING = datetime(2026, 1, 1, 8, tzinfo=timezone.utc)

LEVELS = {
    "sqlite": ["SERIALIZABLE"],
    "postgresql": ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"],
    "mysql": ["READ COMMITTED", "REPEATABLE READ"],
}[connection.vendor]
SET_LEVEL = {
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {}",
    "mysql": "SET SESSION TRANSACTION ISOLATION LEVEL {}",
}


def at_once(work: Sequence[Callable[[], Any]], level: str = "") -> list[BaseException]:
    """Run each function in a thread with its own connection, of this isolation level if given. Return the exceptions."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(work))

    def run(piece: Callable[[], Any]) -> None:
        try:
            with connection.cursor() as cursor:
                if level and connection.vendor in SET_LEVEL:
                    cursor.execute(SET_LEVEL[connection.vendor].format(level))
            start.wait()
            piece()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(piece,)) for piece in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def reports(chance: random.Random) -> list[RawNotification]:
    """Return reports of one SMS, each with its own moment and with values of its own."""
    made = []
    for number in range(REPORTS):
        params = {
            "txn_ref": "AA-S-1",
            "sms_status": chance.choice(["queued", "queued", "queued", "delivered", "failed"]),
            **{name: f"{name}-{number}" for name in ("tag", "currency") if chance.random() < 0.5},
            **({"debit": f"0.{number:03}"} if chance.random() < 0.5 else {}),
            **({"dest": f"+65{number:08}"} if chance.random() < 0.4 else {}),
            **({"from": "", "to": "+6500000000"} if chance.random() < 0.1 else {}),
        }
        moment = MORNING + timedelta(seconds=number)
        made.append(raw_notification("sms", body=urlencode(params), received_at=moment))
    return made


@pytest.fixture(autouse=True)
def _few_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each report fail only rarely: on PostgreSQL, the block that follows the one statement waits and does not fail."""
    if connection.vendor == "postgresql":
        monkeypatch.setattr(database, "TRIES", 3)


@pytest.mark.parametrize("order", ["ascending", "descending", "random"])
@pytest.mark.parametrize("level", LEVELS)
def test_reports_of_one_transaction_end_in_their_fold(level: str, order: str) -> None:
    raws = reports(random.Random(f"{level} {order}"))
    arranged = {
        "ascending": raws,
        "descending": raws[::-1],
        "random": random.Random(1).sample(raws, len(raws)),
    }[order]

    def ingest_each(own: Sequence[RawNotification]) -> None:
        for raw in own:
            ingest(raw)

    work: list[Callable[[], Any]] = [
        lambda own=arranged[number::CONNECTIONS]: ingest_each(own) for number in range(CONNECTIONS - 1)
    ]  # type: ignore[misc]
    work.append(lambda: enter(Kind.SMS_STATUS, "default", "AA-S-1", {"msg": "hello", "dest": "+6591231111"}))
    last = arranged[CONNECTIONS - 1 :: CONNECTIONS]

    errors = at_once(work, level)
    ingest_each(last)

    assert errors == []
    row = Sms.objects.get()
    stored = Notification.objects.all()
    assert (stored.count(), stored.filter(state_error="", sms=row).count()) == (REPORTS, REPORTS)
    folded = [report for raw in raws if (report := report_of(raw, parse(raw), connection.alias))]
    sent = {"msg": "hello", "direction": "outgoing", "remote_number": "+6591231111", "remote_suffix": "91231111"}
    assert state_of(row) == fold(folded, {**empty_state(row), **sent, "dest": "+6591231111"})
    assert row.version == max(report.version for report in folded)


@pytest.mark.parametrize("level", LEVELS)
def test_texts_of_one_reference_all_have_their_row(level: str) -> None:
    texts = [f"{number:03}" + "x" * 149 for number in range(8)]
    work: list[Callable[[], Any]] = [
        lambda text=text: ingest(raw_notification("sms", body=f"txn_ref=AA-SI-1&from=%2B651&msg={text}"))
        for text in texts * 4
    ]  # type: ignore[misc]

    errors = at_once(work, level)

    assert errors == []
    assert sorted(Sms.objects.values_list("msg", flat=True)) == texts
    assert [row.notifications.count() for row in Sms.objects.all()] == [4] * 8


@pytest.mark.parametrize("level", LEVELS)
def test_one_delivery_is_one_row(level: str) -> None:
    once = raw_notification("any", body="txn_ref=AA-S-1&sms_status=delivered")

    assert at_once([lambda: ingest(once)] * CONNECTIONS, level) == []
    assert Notification.objects.filter(sms=Sms.objects.get()).count() == Notification.objects.count() == 1
