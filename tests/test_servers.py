"""The same door behind real servers: gunicorn for WSGI, uvicorn for ASGI."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from django.db import connection

from django_hoiio.models import Notification

from .conftest import FORM

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parent.parent
STATUS = b"txn_ref=AA-S-1&sms_status=delivered"
LIMIT = 1024 * 1024
# In seconds. A busy machine, or its disk, may let all wait.
PATIENCE = 120

SERVERS = {
    "gunicorn": [
        "gunicorn",
        "--workers=1",
        "--threads=2",
        "--log-level=error",
        "tests.servers:wsgi",
        "--bind=127.0.0.1:{port}",
    ],
    "uvicorn": ["uvicorn", "--log-level=error", "--lifespan=off", "tests.servers:asgi", "--port={port}"],
}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert server.poll() is None, "the server has ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server did not come up")


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[int]:
    """A server on the database of the tests; its port."""
    port = _free_port()
    command = [part.format(port=port) for part in SERVERS[request.param]]
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "HOIIO_TEST_NAME": str(connection.settings_dict["NAME"]),
        "PYTHONPATH": str(ROOT),
    }
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=environment)
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def _post(port: int, path: str, body: bytes | Iterable[bytes] = b"", **headers: str) -> int:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        chunked = not isinstance(body, bytes)
        client.request("POST", path, body, {"Content-Type": FORM, **headers}, encode_chunked=chunked)
        return client.getresponse().status
    finally:
        client.close()


def _kept() -> list[tuple[str, str, bytes]]:
    return [(row.txn_ref or "", row.query, bytes(row.body)) for row in Notification.objects.order_by("pk")]


def test_query_body_and_both_come_through(server: int) -> None:
    query = STATUS.decode()

    assert _post(server, "/hoiio/sms", STATUS) == 200
    assert _post(server, f"/hoiio/sms/?{query}") == 200
    assert _post(server, f"/hoiio/?{query}", STATUS) == 200

    assert _kept() == [("AA-S-1", "", STATUS), ("AA-S-1", query, b""), ("AA-S-1", query, STATUS)]


def test_chunked_body_is_read_whole(server: int) -> None:
    assert _post(server, "/hoiio/sms", iter([STATUS[:10], STATUS[10:]]), **{"Transfer-Encoding": "chunked"}) == 200

    assert _kept() == [("AA-S-1", "", STATUS)]


def test_chunked_body_over_the_limit_is_refused(server: int) -> None:
    chunks = iter([b"x" * LIMIT, b"x"])

    assert _post(server, "/hoiio/sms", chunks, **{"Transfer-Encoding": "chunked"}) == 413
    assert _kept() == []


def test_body_over_the_limit_is_refused_before_it_is_sent(server: int) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server, timeout=PATIENCE)
    client.putrequest("POST", "/hoiio/sms")
    client.putheader("Content-Length", str(LIMIT + 1))
    client.endheaders()
    client.send(b"x" * (LIMIT + 1))

    assert client.getresponse().status == 413
    client.close()
    assert _kept() == []


def test_other_methods_are_refused(server: int) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server, timeout=PATIENCE)
    client.request("GET", "/hoiio/sms")
    response = client.getresponse()

    assert (response.status, response.headers["Allow"]) == (405, "POST")
    client.close()


def test_bytes_come_through_as_they_are(server: int) -> None:
    body = b"msg=caf\xe9%00\x00&from=%252B651&txn_ref=AA-SI-1"

    assert _post(server, "/hoiio/sms?x=%E9", body) == 200

    assert _kept() == [("AA-SI-1", "x=%E9", body)]
    kept = Notification.objects.get()
    assert (kept.params["msg"], kept.pass_on) == ("café\ufffd\ufffd", {"x": "é"})
    assert kept.remote_addr == "127.0.0.1"
