"""Receivers that raise, exit, hang up the connection or break the transaction, in a server and in `hoiio_recover`."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import F

from django_hoiio.dispatch import Outcome
from django_hoiio.kinds import Route
from django_hoiio.models import Notification, ReceiverFailure
from django_hoiio.recovery import Report
from django_hoiio.verification import sign

from .conftest import Figures
from .listening import CONNECTED, HARMS, MISCHIEF
from .processes import Environment, gunicorn, notification, post, run_command

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

REQUESTS = 20


@pytest.mark.parametrize("harm", HARMS)
def test_receiver_that_fails_stops_no_other_and_is_run_again_alone(
    environ: Environment, tmp_path: Path, figures: Figures, harm: str
) -> None:
    mischief = tmp_path / "mischief"
    mischief.touch()
    environ = {**environ, CONNECTED: f"first {harm} last", MISCHIEF: str(mischief)}
    path = f"/hoiio/sms/{sign(Route.SMS, 'default', {})}/"

    with gunicorn(environ, workers=1) as server:
        answers = Counter(post(server.port, path, notification(uuid.uuid4().hex)) for _ in range(REQUESTS))
        assert len(server.workers()) == 1

    assert answers == {200: REQUESTS}
    assert _called(tmp_path) == {("first", "1"): REQUESTS, (harm, "1"): REQUESTS, ("last", "1"): REQUESTS}
    assert Notification.objects.undispatched().count() == 0
    assert _ledger() == {("notification_received", harm, 1, False): REQUESTS}

    # It rests for a minute.
    assert run_command(environ, "hoiio_recover") == (1, _summary(resting=REQUESTS))
    assert _ledger() == {("notification_received", harm, 1, False): REQUESTS}

    # It fails once more, and then no longer.
    _rest()
    assert run_command(environ, "hoiio_recover") == (1, _summary(failed=REQUESTS))
    assert _ledger() == {("notification_received", harm, 2, False): REQUESTS}
    mischief.unlink()
    _rest()
    assert run_command(environ, "hoiio_recover") == (0, _summary(mended=REQUESTS))
    assert _ledger() == {("notification_received", harm, 3, True): REQUESTS}

    again = {(harm, "2"): REQUESTS, (harm, "3"): REQUESTS}
    assert _called(tmp_path) == {("first", "1"): REQUESTS, (harm, "1"): REQUESTS, ("last", "1"): REQUESTS, **again}
    figures(requests=REQUESTS, answered_200=answers[200], failures_listed=REQUESTS, run_again=2 * REQUESTS)


def _summary(mended: int = 0, failed: int = 0, resting: int = 0) -> str:
    """What `hoiio_recover` prints, and nothing beside it."""
    outcomes = {Outcome.MENDED: mended, Outcome.FAILED: failed, Outcome.RESTING: resting}
    return f"{Report(receivers=Counter(outcomes))}\n"


def _called(folder: Path) -> Counter[tuple[str, str]]:
    """How often each receiver was called, by name and attempt."""
    lines = [line.split() for line in (folder / "told").read_text().splitlines()]
    return Counter((name, attempt) for name, _, attempt in lines)


def _ledger() -> Counter[tuple[str, str, int, bool]]:
    return Counter(
        (failure.signal, failure.receiver, failure.attempts, failure.mended_at is not None)
        for failure in ReceiverFailure.objects.all()
    )


def _rest() -> None:
    """As if the time had gone by after which a receiver is run again."""
    ReceiverFailure.objects.unmended().update(failed_at=F("failed_at") - timedelta(hours=1))
