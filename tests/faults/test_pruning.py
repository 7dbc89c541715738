"""`hoiio_prune` killed at random points and run twice at once; and under load, where no request may wait for long."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

import pytest

from django_hoiio.enums import Kind
from django_hoiio.ingest import ingest
from django_hoiio.models import Call, Fax, Notification, Sms
from django_hoiio.retention.totals import totals
from django_hoiio.sandbox.samples import ROUTE_OF_KIND, SCRIPTS, step_parameters
from tests.conftest import raw_notification
from tests.settings import DATABASE

from .conftest import Figures
from .processes import ROOT, Environment, run_command, start_command

NOW = datetime.now(timezone.utc)
DAY = timedelta(days=1)

# Days with the notifications of each script once.
DAYS = 16
REDACTED_AFTER, DELETED_AFTER = 5, 10
RETENTION_DAYS = dict.fromkeys(Kind.values, (REDACTED_AFTER, DELETED_AFTER))

# An upper limit, so that the test ends.
MOST_ROUNDS = 60


def receive_everything(age: int) -> None:
    """Receive the notifications of each script of the sandbox, at this age in days."""
    for number, script in enumerate(SCRIPTS.values()):
        facts = {
            "txn_ref": f"AA-{age}-{number}",
            "session": f"S-{age}-{number}",
            "bulk_txn_ref": f"AA-B-{age}-{number}",
        }
        for step in script:
            params = step_parameters(step, facts)
            body = "&".join(f"{key}={quote(value, safe='')}" for key, value in params.items())
            moment = NOW - age * DAY - timedelta(minutes=number)
            ingest(raw_notification(ROUTE_OF_KIND[step.kind].value, "", body, received_at=moment))


def figures_of_the_days() -> list[object]:
    return list(totals((NOW - (DAYS + 5) * DAY).date(), NOW.date()))


@pytest.mark.django_db(transaction=True)
def test_killed_and_doubled_pruning_leaves_nothing_half_done(environ: Environment, figures: Figures) -> None:
    for age in range(DAYS):
        receive_everything(age)
    received, before = Notification.objects.count(), figures_of_the_days()
    environ = {**environ, "HOIIO_FAULTS_HOIIO": json.dumps({"RETENTION_DAYS": RETENTION_DAYS})}

    kills = rounds = 0
    while _is_due():
        rounds += 1
        assert rounds <= MOST_ROUNDS, "there is no progress"
        kills += _prune_for_a_moment(environ)
        _nothing_is_half_done()
    code, printed = run_command(environ, "hoiio_prune")

    assert (code, figures_of_the_days()) == (0, before), printed
    assert "Redacted 0 and deleted 0 notifications" in printed
    _nothing_is_half_done()
    left, redacted = Notification.objects.count(), Notification.objects.exclude(redacted_at=None).count()
    assert 0 < redacted < left < received
    figures(notifications=received, kills=kills, rounds=rounds, redacted=redacted, deleted=received - left)


def _is_due() -> bool:
    old = Notification.objects.older_than(NOW - REDACTED_AFTER * DAY)
    return old.filter(redacted_at=None).exists() or old.older_than(NOW - DELETED_AFTER * DAY).exists()


def _prune_for_a_moment(environ: Environment) -> int:
    """Run two at once and kill each after a while, unless it ends. Return how many were killed."""
    processes = [start_command(environ, "hoiio_prune") for _ in range(2)]
    left = Notification.objects.filter(redacted_at=None).count()
    until = time.monotonic() + 60
    while (
        Notification.objects.filter(redacted_at=None).count() > left - random.randint(40, 300)
        and any(process.poll() is None for process in processes)
        and time.monotonic() < until
    ):
        time.sleep(random.uniform(0, 0.01))
    for process in processes:
        process.kill()
        process.communicate()
    return sum(process.returncode == -signal.SIGKILL for process in processes)


def _nothing_is_half_done() -> None:
    """Check that rows are redacted completely or not at all, and transactions like their notifications."""
    for notification in Notification.objects.all():
        assert (notification.redacted_at is None) == bool(notification.params)
    for model in (Call, Sms, Fax):
        for row in model._default_manager.prefetch_related("notifications"):
            notifications = list(row.notifications.all())
            assert notifications, row
            assert (row.redacted_at is not None) == all(one.redacted_at for one in notifications), row
            assert not (row.redacted_at and (row.remote_number or row.tag)), row


def test_requests_during_pruning_are_not_lost(figures: Figures) -> None:
    environment = {**os.environ, "HOIIO_BENCHMARK_NAME": f"hoiio_pruning_{os.getpid()}"}
    # Limits for a hanging process. Measure the waiting time on a quiet machine: disks may stall for 20 seconds.
    arguments = ["--database", DATABASE, "--rows", "4000", "--quiet", "1", "--seconds", "400", "--bound", "60"]

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.pruning", *arguments],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    row = re.search(r"^while it prunes +([\d,]+) +([\d.]+) +([\d.]+) +(\d+)$", done.stdout, re.MULTILINE)
    assert row
    assert "0 notifications lost." in done.stdout
    (pruned,) = re.findall(r"^Redacted (\d+) and deleted (\d+) notifications", done.stdout, re.MULTILINE)
    figures(requests=row[1], ms_was_the_longest_wait=row[4], redacted=pruned[0], deleted=pruned[1])
