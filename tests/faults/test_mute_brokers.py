"""A broker accepts connections and never answers, or refuses them, while gunicorn receives notifications."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from django_hoiio.models import Notification

from .processes import Environment, environment, free_port, gunicorn, post, run_command

pytestmark = pytest.mark.django_db(transaction=True)

BROKERS = [
    pytest.param(
        "rq",
        "redis",
        marks=pytest.mark.skipif(not os.environ.get("HOIIO_TEST_RQ"), reason="HOIIO_TEST_RQ is not set"),
    ),
    pytest.param(
        "celery",
        "amqp",
        marks=pytest.mark.skipif(not os.environ.get("HOIIO_TEST_CELERY"), reason="HOIIO_TEST_CELERY is not set"),
    ),
]
# Seconds for the response to one request: TASK_TIMEOUT is 1 s, and the machine may be busy.
PROMPT = 8


@pytest.fixture
def mute_port() -> Iterator[int]:
    """Listen on a port and never answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def heard(tmp_path: Path) -> Path:
    return tmp_path / "heard"


def settings_of(queue: str, url: str, heard: Path, spool_dir: Path) -> Environment:
    return environment(
        str(connection.settings_dict["NAME"]),
        spool_dir,
        DJANGO_SETTINGS_MODULE="tests.tasks_settings",
        HOIIO_TEST_QUEUE=queue,
        HOIIO_TEST_BROKER=url,
        HOIIO_TEST_HEARD=str(heard),
    )


def attempts(heard: Path) -> list[tuple[str, int]]:
    lines = heard.read_text(encoding="utf-8").splitlines() if heard.exists() else []
    return sorted((each["kind"], each["attempt"]) for each in map(json.loads, lines))


def post_and_recover(environ: Environment, heard: Path) -> None:
    """Post through gunicorn: each response is prompt, no worker is killed, and the recovery runs the receivers."""
    with gunicorn(environ, workers=2) as server:
        before = sorted(server.workers())
        for number in range(12):
            begun = time.monotonic()
            status = post(server.port, "/", f"txn_ref=AA-S-{number}&sms_status=delivered".encode())
            assert (status, time.monotonic() - begun < PROMPT) == (200, True)
        assert attempts(heard) == []
        begun = time.monotonic()
        assert post(server.port, "/", b"txn_ref=AA-C-1&session=S1&digits=1") == 200
        assert time.monotonic() - begun < PROMPT
        assert attempts(heard) == [("ivr_gather", 1)]
        assert sorted(server.workers()) == before

    code, printed = run_command(environ, "hoiio_recover")

    assert (code, "Notifications: 12 dispatched." in printed) == (0, True), printed
    assert attempts(heard) == [("ivr_gather", 1), *[("sms_status", 2)] * 12]
    assert Notification.objects.pending().count() == 0


@pytest.mark.parametrize(("queue", "scheme"), BROKERS)
def test_broker_that_accepts_and_never_answers_delays_no_response(
    queue: str, scheme: str, mute_port: int, heard: Path, spool_dir: Path
) -> None:
    post_and_recover(settings_of(queue, f"{scheme}://127.0.0.1:{mute_port}/", heard, spool_dir), heard)


@pytest.mark.parametrize(("queue", "scheme"), BROKERS)
def test_broker_with_a_closed_port_delays_no_response(queue: str, scheme: str, heard: Path, spool_dir: Path) -> None:
    post_and_recover(settings_of(queue, f"{scheme}://127.0.0.1:{free_port()}/", heard, spool_dir), heard)
