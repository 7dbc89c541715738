"""The database stops answering on open connections: each notification is stored or spooled in time.

A proxy in front of the database stops reading. The operating system still acknowledges the data, so no TCP timeout ends
the wait.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection

from django_hoiio.models import Notification

from .conftest import Figures
from .processes import Environment, gunicorn, notification, post, run_command, signed_path, spooled
from .proxy import Proxy

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite is a file: no server can hang"),
]

# As in docs/guides/deployment.rst.
OPTIONS: dict[str, dict[str, object]] = {
    "postgresql": {
        "connect_timeout": 5,
        "tcp_user_timeout": 5000,
        "keepalives_idle": 10,
        "keepalives_interval": 3,
        "keepalives_count": 3,
        "options": "-c lock_timeout=2000 -c statement_timeout=5000",
    },
    "mysql": {
        "connect_timeout": 5,
        "read_timeout": 5,
        "write_timeout": 5,
        "init_command": "SET SESSION innodb_lock_wait_timeout = 2",
    },
}
POOL = {"pool": {"min_size": 2, "max_size": 4, "timeout": 5}}

CLIENTS = 6
# Seconds within which each notification is answered, as docs/evidence/reliability.rst promises.
DOCUMENTED = 20


def _post(port: int, marker: str) -> int | None:
    try:
        return post(port, signed_path(), notification(marker), timeout=DOCUMENTED)
    except OSError:
        return None


@pytest.mark.parametrize("is_pooled", [False, True], ids=["persistent connections", "pool"])
@pytest.mark.parametrize("threads", [1, 3], ids=["sync", "gthread"])
def test_notification_is_stored_or_spooled_in_time_while_the_database_hangs(
    environ: Environment,
    behind_the_proxy: Environment,
    proxy: Proxy,
    spool_dir: Path,
    figures: Figures,
    threads: int,
    is_pooled: bool,
) -> None:
    if is_pooled and connection.vendor != "postgresql":
        pytest.skip("Django has a pool for PostgreSQL alone")
    environ_of_the_server = {
        **behind_the_proxy,
        "HOIIO_FAULTS_OPTIONS": json.dumps({**OPTIONS[connection.vendor], **(POOL if is_pooled else {})}),
        "HOIIO_FAULTS_CONN_MAX_AGE": "0" if is_pooled else "null",
    }
    before, meanwhile = ([uuid.uuid4().hex for _ in range(number)] for number in (2 * CLIENTS, 4 * CLIENTS))

    with gunicorn(environ_of_the_server, workers=2, threads=threads) as server, ThreadPoolExecutor(CLIENTS) as clients:
        workers = server.workers()
        assert list(clients.map(lambda marker: _post(server.port, marker), before)) == [200] * len(before)
        assert spooled(spool_dir) == []
        proxy.freeze()
        answers = list(clients.map(lambda marker: _post(server.port, marker), meanwhile))
        has_lost_no_worker = server.workers() == workers
        proxy.thaw()

    assert (Counter(answers), has_lost_no_worker) == (Counter({200: len(meanwhile)}), True)
    waiting = spooled(spool_dir)
    code, printed = run_command(environ, "hoiio_recover")
    assert code == 0, printed
    assert Counter(Notification.objects.values_list("pass_on__marker", flat=True)) == Counter([*before, *meanwhile])
    figures(requests=len(meanwhile), answered_200=answers.count(200), spool_files=len(waiting))
