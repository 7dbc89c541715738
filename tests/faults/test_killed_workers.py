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

    # What was kept by a worker that did not live to tell it is told once its claim has run out.
    untold = Notification.objects.pending().count()
    Notification.objects.pending().update(claimed_until=F("received_at"))
    for _ in range(2):
        # The first run takes them up, and the receivers rest for a minute.
        run_command(environ, "hoiio_recover")
        ReceiverFailure.objects.unresolved().update(failed_at=F("failed_at") - timedelta(minutes=2))
    assert Notification.objects.pending().count() == ReceiverFailure.objects.unresolved().count() == 0
    told = Counter(tuple(line.split()[:2]) for line in (tmp_path / "told").read_text().splitlines())
    uuids = [str(raw_notification) for raw_notification in Notification.objects.values_list("uuid", flat=True)]
    assert {(name, raw_notification) for raw_notification in uuids for name in ("first", "last")} == set(told)
    figures(
        kills=KILLS,
        requests=len(load.answers),
        answered_200=load.statuses[200],
        cut_off=load.statuses[None],
        rows=len(rows),
        kept_but_not_told_before_hoiio_recover=untold,
        told_twice=sum(times > 1 for times in told.values()),
    )
