"""Receivers that raise, exit, hang up the connection or break the transaction, in a server and in `hoiio_recover`."""

from __future__ import annotations

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import F

from django_hoiio.dispatch import Outcome
from django_hoiio.models import Notification, ReceiverFailure
from django_hoiio.recovery import RecoveryResult

from .conftest import Figures
from .listening import CONNECTED, HARMS, MISCHIEF
from .processes import Environment, gunicorn, notification, post, run_command, signed_path

pytestmark = pytest.mark.django_db(transaction=True)

REQUESTS = 50


def test_failing_receivers_stop_no_other_and_only_they_are_retried(
    environ: Environment, tmp_path: Path, figures: Figures
) -> None:
    mischief = tmp_path / "mischief"
    mischief.touch()
    # Each good receiver runs after a bad one, except the first.
    receivers = ["first", *HARMS, "last"]
    environ = {**environ, CONNECTED: " ".join(receivers), MISCHIEF: str(mischief)}
    path = signed_path()
    failures = REQUESTS * len(HARMS)

    with gunicorn(environ, workers=1) as server:
        before = server.workers()
        answers = Counter(post(server.port, path, notification(uuid.uuid4().hex)) for _ in range(REQUESTS))
        assert server.workers() == before

    assert answers == {200: REQUESTS}
    assert _called(tmp_path) == {(name, "1"): REQUESTS for name in receivers}
    assert Notification.objects.pending().count() == 0
    assert _failures() == {(harm, 1, False): REQUESTS for harm in HARMS}

    # They wait a minute for their retry.
    assert run_command(environ, "hoiio_recover") == (1, _summary(waiting=failures))
    assert _failures() == {(harm, 1, False): REQUESTS for harm in HARMS}

    # They fail once more, and then succeed.
    _end_backoff()
    assert run_command(environ, "hoiio_recover") == (1, _summary(failed=failures))
    assert _failures() == {(harm, 2, False): REQUESTS for harm in HARMS}
    mischief.unlink()
    _end_backoff()
    assert run_command(environ, "hoiio_recover") == (0, _summary(resolved=failures))
    assert _failures() == {(harm, 3, True): REQUESTS for harm in HARMS}

    again = {(harm, attempt): REQUESTS for harm in HARMS for attempt in ("2", "3")}
    assert _called(tmp_path) == {**{(name, "1"): REQUESTS for name in receivers}, **again}
    figures(
        requests=REQUESTS,
        answered_200=answers[200],
        receivers_that_fail=len(HARMS),
        failures_listed=failures,
        retry=2 * failures,
    )


def _summary(resolved: int = 0, failed: int = 0, waiting: int = 0) -> str:
    """Return the complete output of `hoiio_recover`."""
    outcomes = {Outcome.RESOLVED: resolved, Outcome.FAILED: failed, Outcome.BACKING_OFF: waiting}
    return f"{RecoveryResult(receivers=Counter(outcomes))}\n"


def test_async_receiver_under_gevent_is_left_to_the_recovery_and_affects_no_other(
    environ: Environment, tmp_path: Path, figures: Figures
) -> None:
    """All greenlets of a thread would see the event loop of the first one, and could not use the database meanwhile."""
    environ = {**environ, CONNECTED: "first asynchronous last"}
    path = signed_path()
    number = 60

    with gunicorn(environ, workers=1, worker_class="gevent") as server, ThreadPoolExecutor(12) as clients:
        markers = [uuid.uuid4().hex for _ in range(number)]
        answers = Counter(clients.map(lambda marker: post(server.port, path, notification(marker)), markers))

    assert answers == {200: number}
    assert _called(tmp_path) == {("first", "1"): number, ("last", "1"): number}
    assert _failures() == {("asynchronous", 1, False): number}
    assert "gevent" in ReceiverFailure.objects.all()[0].traceback
    _end_backoff()
    assert run_command(environ, "hoiio_recover") == (0, _summary(resolved=number))
    assert _called(tmp_path)["asynchronous", "2"] == number
    figures(requests=number, answered_200=number, left_to_the_recovery=number)


def _called(folder: Path) -> Counter[tuple[str, str]]:
    """Count the calls of each receiver, by name and attempt."""
    lines = [line.split() for line in (folder / "calls").read_text().splitlines()]
    return Counter((name, attempt) for name, _, attempt in lines)


def _failures() -> Counter[tuple[str, int, bool]]:
    """Count the recorded failures, by receiver, attempts, and whether they are resolved."""
    return Counter(
        (failure.receiver, failure.attempts, failure.resolved_at is not None)
        for failure in ReceiverFailure.objects.all()
    )


def _end_backoff() -> None:
    """Pretend that the retry delay of all receivers is over."""
    ReceiverFailure.objects.unresolved().update(failed_at=F("failed_at") - timedelta(hours=1))
