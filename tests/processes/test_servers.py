"""The webhook view behind real servers: gunicorn for WSGI, uvicorn for ASGI; and uWSGI and hypercorn where they differ."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from django_hoiio.models import Notification
from tests import ROOT
from tests.conftest import FORM

pytestmark = pytest.mark.django_db(transaction=True)

STATUS = b"txn_ref=AA-S-1&sms_status=delivered"
LIMIT = 1024 * 1024
# Seconds. A busy machine, or its disk, may delay everything.
TIMEOUT = 120

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

# Servers that pass on a request which declares its length in two ways.
CARELESS_SERVERS = {
    "uwsgi": [
        "{scripts}/uwsgi",
        "--http-socket=127.0.0.1:{port}",
        "--http-chunked-input",
        "--module=tests.servers:wsgi",
        "--master",
        "--die-on-term",
        "--disable-logging",
        "--virtualenv={prefix}",
    ],
    "hypercorn": ["{scripts}/hypercorn", "--bind=127.0.0.1:{port}", "wsgi:tests.servers:wsgi"],
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
    raise AssertionError("the server did not start in time")


@contextmanager
def _serving(command: list[str]) -> Iterator[int]:
    """A server on the database of the tests; its port."""
    port = _free_port()
    where = {"port": port, "scripts": Path(sys.executable).parent, "prefix": sys.prefix}
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "HOIIO_TEST_NAME": str(connection.settings_dict["NAME"]),
        "PYTHONPATH": str(ROOT),
    }
    process = subprocess.Popen([part.format(**where) for part in command], cwd=ROOT, env=environment)
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=TIMEOUT)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[int]:
    with _serving([sys.executable, "-m", *SERVERS[request.param]]) as port:
        yield port


@pytest.fixture(params=[*SERVERS, *CARELESS_SERVERS])
def any_server(request: pytest.FixtureRequest) -> Iterator[int]:
    command = CARELESS_SERVERS.get(request.param) or [sys.executable, "-m", *SERVERS[request.param]]
    with _serving(command) as port:
        yield port


def _post(port: int, path: str, body: bytes | Iterable[bytes] = b"", **headers: str) -> int:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        chunked = not isinstance(body, bytes)
        client.request("POST", path, body, {"Content-Type": FORM, **headers}, encode_chunked=chunked)
        return client.getresponse().status
    finally:
        client.close()


def _stored() -> list[tuple[str, str, bytes]]:
    return [(row.txn_ref or "", row.query, bytes(row.body)) for row in Notification.objects.order_by("pk")]


def test_query_body_and_both_are_stored(server: int) -> None:
    query = STATUS.decode()

    assert _post(server, "/hoiio/sms", STATUS) == 200
    assert _post(server, f"/hoiio/sms/?{query}") == 200
    assert _post(server, f"/hoiio/?{query}", STATUS) == 200

    assert _stored() == [("AA-S-1", "", STATUS), ("AA-S-1", query, b""), ("AA-S-1", query, STATUS)]


def test_chunked_body_is_read_whole(server: int) -> None:
    assert _post(server, "/hoiio/sms", iter([STATUS[:10], STATUS[10:]]), **{"Transfer-Encoding": "chunked"}) == 200

    assert _stored() == [("AA-S-1", "", STATUS)]


def test_chunked_body_over_the_limit_is_refused(server: int) -> None:
    chunks = iter([b"x" * LIMIT, b"x"])

    assert _post(server, "/hoiio/sms", chunks, **{"Transfer-Encoding": "chunked"}) == 413
    assert _stored() == []


def test_body_over_the_limit_is_refused_before_it_is_sent(server: int) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server, timeout=TIMEOUT)
    client.putrequest("POST", "/hoiio/sms")
    client.putheader("Content-Length", str(LIMIT + 1))
    client.endheaders()
    client.send(b"x" * (LIMIT + 1))

    assert client.getresponse().status == 413
    client.close()
    assert _stored() == []


def test_other_methods_are_refused(server: int) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server, timeout=TIMEOUT)
    client.request("GET", "/hoiio/sms")
    response = client.getresponse()

    assert (response.status, response.headers["Allow"]) == (405, "POST")
    client.close()


def test_bytes_are_stored_unchanged(server: int) -> None:
    body = b"msg=caf\xe9%00\x00&from=%252B651&txn_ref=AA-SI-1"

    assert _post(server, "/hoiio/sms?x=%E9", body) == 200

    assert _stored() == [("AA-SI-1", "x=%E9", body)]
    stored = Notification.objects.get()
    assert (stored.params["msg"], stored.pass_on) == ("café\ufffd\ufffd", {"x": "é"})
    assert stored.remote_addr == "127.0.0.1"


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Content-Length: -4",
        "Content-Length: 4, 43",
        "Content-Length: 4\r\nContent-Length: 43",
    ],
)
def test_no_server_passes_on_a_truncated_body(any_server: int, headers: str) -> None:
    head = f"POST /hoiio/sms HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {FORM}\r\n{headers}"
    with socket.create_connection(("127.0.0.1", any_server), timeout=TIMEOUT) as client:
        client.sendall(f"{head}\r\n\r\n".encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(STATUS), STATUS))
        answer = b"".join(iter(lambda: _received(client), b""))

    # Some servers disconnect without a response.
    assert answer.split(b" ", 2)[1:2] in ([b"400"], [])
    assert _stored() == []


def _received(client: socket.socket) -> bytes:
    try:
        return client.recv(65536)
    except ConnectionResetError:
        return b""
