"""`hoiio_recover` killed at random points, two at once, until the spool is empty."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from django.db.models import F

from django_hoiio import spool
from django_hoiio.enums import VerifiedBy
from django_hoiio.models import Notification, ReceiverFailure, Sms
from tests.conftest import raw_notification

from .conftest import Figures
from .processes import Environment, run_command, start_command

pytestmark = pytest.mark.django_db(transaction=True)

FILES = 400

# An upper limit, so that the test ends.
MOST_ROUNDS = 60


def test_killed_and_doubled_recovery_stores_exactly_once(
    environ: Environment, spool_dir: Path, tmp_path: Path, figures: Figures
) -> None:
    environ = {**environ, "HOIIO_FAULTS_RECEIVERS": "first last"}
    begun = datetime.now(timezone.utc) - timedelta(hours=1)
    spooled = [
        raw_notification(
            "sms",
            body=f"txn_ref=AA-S-{number % 50}&sms_status=delivered&marker=m{number}",
            received_at=begun + timedelta(seconds=number),
            verified_by=VerifiedBy.URL,
        )
        for number in range(FILES)
    ]
    for one in spooled:
        spool.store(one, spool_dir)

    kills = rounds = 0
    while list(spool.pending(spool_dir)):
        rounds += 1
        assert rounds <= MOST_ROUNDS, "the spool is not drained"
        kills += _drain_for_a_moment(environ, spool_dir)
    while Notification.objects.pending().exists() or ReceiverFailure.objects.unresolved().exists():
        rounds += 1
        assert rounds <= MOST_ROUNDS, "not all are dispatched"
        # Pretend that the claims and retry delays are over.
        Notification.objects.pending().update(claimed_until=F("received_at"))
        ReceiverFailure.objects.unresolved().update(failed_at=begun)
        code, printed = run_command(environ, "hoiio_recover")
        assert code in (0, 1), printed

    rows = Counter(Notification.objects.values_list("uuid", flat=True))
    assert rows == Counter(one.uuid for one in spooled)
    assert list(Notification.objects.order_by("received_at").values_list("pass_on__marker", flat=True)) == [
        f"m{number}" for number in range(FILES)
    ]
    assert Sms.objects.count() == 50
    assert [path.name for path in spool_dir.iterdir()] == []
    receiver_calls = Counter(tuple(line.split()[:2]) for line in (tmp_path / "calls").read_text().splitlines())
    assert set(receiver_calls) == {(name, str(one.uuid)) for one in spooled for name in ("first", "last")}
    figures(
        spool_files=FILES,
        kills=kills,
        rounds=rounds,
        rows=len(rows),
        called_twice=sum(times > 1 for times in receiver_calls.values()),
    )


def _drain_for_a_moment(environ: Environment, spool_dir: Path) -> int:
    """Run two at once and kill each after a few more files. Return how many were killed."""
    processes = [start_command(environ, "hoiio_recover") for _ in range(2)]
    try:
        for process in processes:
            _wait_until_drained(spool_dir, _files(spool_dir) - random.randint(5, 50), process)
            process.kill()
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return sum(process.returncode == -signal.SIGKILL for process in processes)


def _wait_until_drained(spool_dir: Path, files: int, process: subprocess.Popen[str]) -> None:
    """Wait until at most this many files are left, or the process has ended."""
    until = time.monotonic() + 60
    while _files(spool_dir) > max(files, 0) and process.poll() is None and time.monotonic() < until:
        time.sleep(random.uniform(0, 0.003))


def _files(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())
