"""`hoiio_reconcile` killed at ten random points, while it ingests the dropped notifications of a sandbox."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from django.db.models import F

from django_hoiio.client import HoiioClient
from django_hoiio.enums import Source
from django_hoiio.models import Call, Fax, Notification, ReceiverFailure, Sms
from django_hoiio.sandbox.real_time import exchange, line
from tests.conftest import values

from .conftest import Figures
from .processes import Environment, run_command, start_command
from .test_lost_notifications import everything_happens

pytestmark = pytest.mark.django_db(transaction=True)

KILLS = 10
ROUNDS = 65

# An upper limit, so that the test ends.
MOST_RUNS = 40


@pytest.fixture
def client(live_server: Any, settings: Any) -> Iterator[HoiioClient]:
    """Return a client of a sandbox that drops three of ten notifications."""
    settings.HOIIO = {
        "ACCOUNTS": {"default": {"APP_ID": "app", "ACCESS_TOKEN": "token"}},
        "PUBLIC_URL": live_server.url,
        "API_URL": f"{live_server.url}/sandbox/open/",
        "RECONCILE_REQUESTS_PER_MINUTE": 1000,
    }
    exchange.reset()
    exchange.switch(drop_rate=0.3)
    with HoiioClient() as client:
        yield client
    line.close()
    assert line.wait(30)


def test_killed_reconciliation_ingests_and_dispatches_everything_in_the_end(
    client: HoiioClient, settings: Any, environ: Environment, tmp_path: Path, figures: Figures
) -> None:
    everything_happens(client, ROUNDS)
    # Make all transactions half an hour old, so that they count as settled.
    for transaction in exchange.transactions.values():
        transaction.at -= timedelta(minutes=30)
    posted = Notification.objects.count()
    missing = len([ref for ref in exchange.transactions if not _is_final(ref)])
    environ = {**environ, "HOIIO_FAULTS_RECEIVERS": "first last", "HOIIO_FAULTS_HOIIO": json.dumps(settings.HOIIO)}

    kills = runs = 0
    while kills < KILLS:
        runs += 1
        assert runs <= MOST_RUNS, "the runs end before they are killed"
        kills += _run_for_a_moment(environ, random.randint(1, max(1, missing // (KILLS + 2))))
    code, printed = run_command(environ, "hoiio_reconcile")
    assert code == 0, printed
    _dispatch_the_rest(environ)

    polled = Notification.objects.filter(source=Source.POLL)
    assert len(polled) == missing
    assert set(Counter(polled.values_list("txn_ref", flat=True)).values()) == {1}
    assert [ref for ref in exchange.transactions if not _is_final(ref)] == []
    receiver_calls = Counter(tuple(line.split()[:2]) for line in (tmp_path / "calls").read_text().splitlines())
    assert set(receiver_calls) == {(name, str(row.uuid)) for row in polled for name in ("first", "last")}

    before = _rows()
    assert run_command(environ, "hoiio_reconcile")[0] == 0
    assert _rows() == before
    figures(
        posted=posted,
        lost_ends=missing,
        kills=kills,
        runs=runs + 1,
        rows_of_the_poll=len(polled),
        called_twice=sum(times > 1 for times in receiver_calls.values()),
    )


def _is_final(txn_ref: str) -> bool:
    return any(model._base_manager.filter(txn_ref=txn_ref, is_final=True).exists() for model in (Call, Sms, Fax))


def _run_for_a_moment(environ: Environment, more: int) -> int:
    """Run the command and kill it after this many more notifications. Return whether it was killed."""
    enough = Notification.objects.count() + more
    process = start_command(environ, "hoiio_reconcile")
    try:
        until = time.monotonic() + 60
        while Notification.objects.count() < enough and process.poll() is None and time.monotonic() < until:
            time.sleep(random.uniform(0, 0.003))
    finally:
        process.kill()
        process.communicate()
    return process.returncode == -signal.SIGKILL


def _dispatch_the_rest(environ: Environment) -> None:
    """Run `hoiio_recover` as if the claims and retry delays were over."""
    for _ in range(3):
        begun = datetime.now(timezone.utc) - timedelta(hours=1)
        Notification.objects.pending().update(claimed_until=F("received_at") - timedelta(hours=1))
        ReceiverFailure.objects.unresolved().update(failed_at=begun)
        code, printed = run_command(environ, "hoiio_recover", "--ivr")
        assert code in (0, 1), printed


def _rows() -> list[list[dict[str, Any]]]:
    models = (Call, Sms, Fax, Notification)
    return [[values(row) for row in model._base_manager.order_by("pk")] for model in models]
