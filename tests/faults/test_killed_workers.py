"""`kill -9` of gunicorn's workers under load."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import F

from django_hoiio.models import Notification, ReceiverFailure

from .conftest import Figures
from .processes import Environment, Load, gunicorn, run_command

pytestmark = pytest.mark.django_db(transaction=True)

KILLS = 10


def test_killed_workers_lose_nothing_that_was_answered(environ: Environment, tmp_path: Path, figures: Figures) -> None:
    environ = {**environ, "HOIIO_FAULTS_RECEIVERS": "first last"}

    with gunicorn(environ, workers=4) as server, Load(server.port) as load:
        for _ in range(KILLS):
            load.wait_for(random.randint(10, 40))
            server.kill_a_worker(random.randrange(4))
        load.wait_for(20)

    rows = Counter(Notification.objects.values_list("pass_on__marker", flat=True))
    assert load.statuses.keys() <= {200, None}
    assert load.promised - set(rows) == set()
    assert set(rows) - set(load.answers) == set()
    assert set(rows.values()) == {1}

    # The notification of a killed worker is dispatched after its claim has expired.
    pending = Notification.objects.pending().count()
    Notification.objects.pending().update(claimed_until=F("received_at"))
    for _ in range(2):
        # The first run records them, and the receivers wait a minute for their retry.
        run_command(environ, "hoiio_recover")
        ReceiverFailure.objects.unresolved().update(failed_at=F("failed_at") - timedelta(minutes=2))
    assert Notification.objects.pending().count() == ReceiverFailure.objects.unresolved().count() == 0
    receiver_calls = Counter(tuple(line.split()[:2]) for line in (tmp_path / "calls").read_text().splitlines())
    uuids = [str(uuid) for uuid in Notification.objects.values_list("uuid", flat=True)]
    assert {(name, uuid) for uuid in uuids for name in ("first", "last")} == set(receiver_calls)
    figures(
        kills=KILLS,
        requests=len(load.answers),
        answered_200=load.statuses[200],
        cut_off=load.statuses[None],
        rows=len(rows),
        stored_but_pending_before_hoiio_recover=pending,
        called_twice=sum(times > 1 for times in receiver_calls.values()),
    )
