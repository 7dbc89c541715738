"""Random requests: none is answered with 500, and each 200 leaves a row or a file in the spool.

20,000 requests on SQLite, and a fifth of that on the other databases, where each takes three times as long.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import random
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import OperationalError, close_old_connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_hoiio import ingest as ingesting
from django_hoiio import spool
from django_hoiio.enums import Route
from django_hoiio.models import Notification
from django_hoiio.parsing.parameters import PARAMETERS
from django_hoiio.verification import sign
from tests import ROOT
from tests.settings import DATABASE

from .conftest import Figures
from .processes import FORM, Environment, gunicorn

BY_HYPOTHESIS, BY_BYTES = (5_000, 15_000) if DATABASE == "sqlite" else (1_000, 3_000)
RAW = 500

# Statuses that the webhook view and Django may answer. 301 is Django's, for a path without a trailing slash.
EXPECTED = {200, 301, 400, 403, 404, 405, 411, 413}

ACCESS_TOKEN = "access token"
CAPTURED = [json.loads(line)["query"] for line in (ROOT / "tests/payloads.jsonl").read_text().splitlines()]
PAYLOADS = [query.encode() for query in CAPTURED if query]
CONTENT_TYPES = [
    FORM,
    f"{FORM}; charset=latin-1",
    "application/json",
    "multipart/form-data; boundary=b",
    'multipart/form-data; boundary="b"; charset=utf-16',
    "text/plain",
    "",
]

Environ = dict[str, Any]


def _environ(path: bytes, query: bytes, body: bytes, **more: Any) -> Environ:
    """Return an environment as a WSGI server makes it, with bytes as Latin-1 text."""
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "CONTENT_TYPE": FORM,
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **more,
    }


class Webhook:
    """Post requests to the WSGI handler of the project and check the rows and files that they leave."""

    def __init__(self, spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statuses: Counter[int] = Counter()
        self.rows = self.files = 0
        self._handler = WSGIHandler()
        self._spool_dir, self._monkeypatch = spool_dir, monkeypatch
        self._last = 0

    def post(self, environ: Environ, *, database_away: bool = False) -> None:
        """Send a request and check that it left a row or a file exactly if the answer is 200."""
        if database_away:
            with self._monkeypatch.context() as away:
                away.setattr(ingesting, "store", _refuse)
                status = self._answer(environ)
        else:
            status = self._answer(environ)
        self.statuses[status] += 1
        newest = Notification.objects.order_by("-pk").values_list("pk", flat=True)[:3]
        rows = [pk for pk in newest if pk > self._last]
        files = len(list(spool.pending(self._spool_dir))) - self.files if database_away else 0
        self._last = max([self._last, *rows])
        self.rows, self.files = self.rows + len(rows), self.files + files
        assert status in EXPECTED, (status, environ)
        assert (len(rows), files) == ((0, status == 200) if database_away else (status == 200, 0)), (status, environ)

    def _answer(self, environ: Environ) -> int:
        answered: list[str] = []

        def start_response(status: str, *_: Any) -> Any:
            answered.append(status)

        response = self._handler(environ, start_response)
        b"".join(response)
        response.close()
        return int(answered[0].split()[0])


def _refuse(*args: Any) -> None:
    raise OperationalError("could not connect")


@pytest.fixture
def webhook(db: None, settings: Any, spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    settings.HOIIO = {"SPOOL_DIR": spool_dir, "ACCOUNTS": {"default": {"ACCESS_TOKEN": ACCESS_TOKEN}}}
    # As Django's test client does, because the transaction of the test lives in the connection.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield Webhook(spool_dir, monkeypatch)
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def _check_rows(webhook: Webhook, figures: Figures, spool_dir: Path) -> None:
    """Import the spool and check that every request with a 200 is a row."""
    waiting = len(list(spool.pending(spool_dir)))
    call_command("hoiio_recover")
    assert list(spool_dir.glob("*")) == []
    assert Notification.objects.count() == webhook.rows + waiting == webhook.statuses[200]
    answers = {f"answered_{status}": times for status, times in sorted(webhook.statuses.items())}
    figures(requests=webhook.statuses.total(), **answers, rows=webhook.rows, spool_files=waiting)


# By hypothesis.

_routes = st.sampled_from([route.value for route in Route])
_any_bytes = st.binary(max_size=60)
_tokens = st.one_of(
    st.just(b""),
    st.builds(
        lambda route, pass_on: b"/" + sign(Route(route), "default", pass_on).encode(),
        _routes,
        st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.integers()),
    ),
    _any_bytes.map(lambda raw: b"/" + raw),
)
_fields = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(sorted(PARAMETERS)), st.text(max_size=10)).map(
            lambda name: name.encode("utf-8", "replace")
        ),
        st.one_of(_any_bytes, st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass"))),
    ),
    max_size=6,
).map(lambda pairs: b"&".join(name + b"=" + value for name, value in pairs))
_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_json_bodies = st.dictionaries(
    st.one_of(st.sampled_from(sorted(PARAMETERS)), st.text(max_size=5)), _json_values, max_size=5
).map(lambda value: json.dumps(value).encode())
_bodies = st.one_of(_fields, _json_bodies, _any_bytes, st.sampled_from(PAYLOADS))
# A header as servers pass it on: Latin-1 without line breaks.
_header_texts = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60)


@settings(
    max_examples=BY_HYPOTHESIS,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    route=_routes,
    token=_tokens,
    signs_body=st.booleans(),
    query=st.one_of(_fields, _any_bytes),
    body=_bodies,
    content_type=st.one_of(st.sampled_from(CONTENT_TYPES), _header_texts),
    headers=st.dictionaries(
        st.sampled_from(["HTTP_USER_AGENT", "HTTP_X_HOIIO_SIGNATURE", "HTTP_COOKIE", "HTTP_HOST", "REMOTE_ADDR"]),
        _header_texts,
        max_size=2,
    ),
    method=st.sampled_from(["POST"] * 9 + ["GET"]),
)
def _send(
    webhook: Webhook,
    *,
    route: str,
    token: bytes,
    signs_body: bool,
    query: bytes,
    body: bytes,
    content_type: str,
    headers: dict[str, str],
    method: str,
) -> None:
    signature = {"HTTP_X_HOIIO_SIGNATURE": _signature(body)} if signs_body else {}
    more = {"CONTENT_TYPE": content_type, "REQUEST_METHOD": method, **headers, **signature}
    webhook.post(_environ(b"/hoiio/" + route.encode() + token + b"/", query, body, **more))


def _signature(body: bytes) -> str:
    return hmac.new(ACCESS_TOKEN.encode(), body, hashlib.sha256).hexdigest()


def test_requests_of_hypothesis(webhook: Webhook, spool_dir: Path, figures: Figures) -> None:
    _send(webhook)

    assert webhook.statuses.total() >= BY_HYPOTHESIS * 0.9
    _check_rows(webhook, figures, spool_dir)


# By bytes.

DICTIONARY = [
    b"\0", b"%00", b"%", b"%2", b"%zz", b"%252B", b"+", b"&", b"=", b";", b"\xff\xfe", b"\xed\xa0\x80", b"%ED%A0%80",
    b"{", b'"\\ud800"', b"\r\n", b"--b", b'\r\nContent-Disposition: form-data; name="', b"9" * 400, b"-1", b"1e999",
    b"NaN", "\N{GRINNING FACE}".encode(), b"%F0%9F%98%80", "é".encode("latin-1"), b"../", b"[" * 2000, b"x" * 300,
    b"txn_ref=", b"date=0000-00-00 00:00:00", b"date=9999-12-31 23:59:59.999999999", b"debit=-999999999.9999999",
    b"duration=4294967296", b"call_state=ended", b"session=S-1", b"msg=", b"from=",
]  # fmt: skip


def _mutated(raw: bytes, chance: random.Random) -> bytes:
    new = bytearray(raw)
    for _ in range(chance.choice([0, 1, 1, 2, 4, 8])):
        at = chance.randrange(len(new) + 1)
        match chance.randrange(6):
            case 0:
                new[at : at + 1] = chance.randbytes(1)
            case 1:
                del new[at : at + chance.randrange(1, 20)]
            case 2:
                new[at:at] = chance.choice(DICTIONARY)
            case 3:
                new[at:at] = chance.randbytes(chance.randrange(1, 20))
            case 4:
                other = chance.choice(PAYLOADS)
                new[at:at] = b"&" + other[chance.randrange(len(other)) :]
            case 5:
                new[at:at] = new[chance.randrange(len(new) + 1) :][: chance.randrange(1, 60)]
    return bytes(new)


def _random_environ(chance: random.Random) -> Environ:
    route = chance.choice([*Route])
    token = sign(route, "default", {"n": chance.randrange(9)}).encode()
    path = b"/hoiio/%s/%s/" % (route.value.encode(), token)
    body = _mutated(chance.choice([*PAYLOADS, b"", b'{"txn_ref": "AA-S-1", "sms_status": "queued"}']), chance)
    query = _mutated(chance.choice([b"", *PAYLOADS]), chance)
    more: Environ = {"CONTENT_TYPE": chance.choice(CONTENT_TYPES)}
    # Few changes at a time, so that most requests reach the database.
    match chance.randrange(16):
        case 0:
            path = _mutated(path, chance)
        case 1:
            path, more["HTTP_X_HOIIO_SIGNATURE"] = f"/hoiio/{route.value}/".encode(), _signature(body)
        case 2:
            more["HTTP_X_HOIIO_SIGNATURE"] = _latin(_mutated(_signature(body).encode(), chance))
        case 3:
            more["CONTENT_TYPE"] = _latin(_mutated(more["CONTENT_TYPE"].encode(), chance))
        case 4:
            more["CONTENT_LENGTH"] = chance.choice(
                ["", "x", "-1", "0", str(len(body) + 1), str(2**31), "9" * 30, " 5 "]
            )
        case 5:
            more |= {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
            more["wsgi.input_terminated"] = chance.random() < 0.8
        case 6:
            for name in ("HTTP_USER_AGENT", "HTTP_HOST", "HTTP_COOKIE", "REMOTE_ADDR", "HTTP_X_FORWARDED_FOR"):
                more[name] = _latin(_mutated(b"x", chance))
        case 7:
            more["REQUEST_METHOD"] = chance.choice(["GET", "PUT", "HEAD", "OPTIONS", "post", "PO\xe9T"])
    return _environ(path, query, body, **more)


def _latin(raw: bytes) -> str:
    """Return the text of a header. Servers refuse line breaks and NUL in it."""
    return "".join(character for character in raw.decode("latin-1") if character not in "\r\n\0")


def test_requests_of_mutated_bytes(webhook: Webhook, spool_dir: Path, figures: Figures) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)

    for number in range(BY_BYTES):
        webhook.post(_random_environ(chance), database_away=number % 20 == 0)

    assert webhook.statuses[200] > BY_BYTES / 2
    _check_rows(webhook, figures, spool_dir)


# Raw, to gunicorn.


def _raw_requests(chance: random.Random) -> Iterator[bytes]:
    for _ in range(RAW):
        body = _mutated(chance.choice(PAYLOADS), chance)
        token = sign(Route.ANY, "default", {}).encode()
        head = b"POST /hoiio/any/%s/?x=1 HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
        request = head % (token, FORM.encode(), len(body)) + body
        yield request if chance.random() < 0.2 else _mutated(request, chance)


def _exchange(port: int, request: bytes) -> list[int]:
    """Send bytes, disconnect, and return the statuses of the responses."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        try:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            while data := client.recv(65536):
                answer += data
        # The server has disconnected.
        except ConnectionError:
            pass
    return [int(line.split()[1]) for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.")]


@pytest.mark.django_db(transaction=True)
def test_raw_bytes_over_a_socket(environ: Environment, spool_dir: Path, figures: Figures) -> None:
    chance = random.Random(random.randrange(2**32))
    statuses: Counter[int] = Counter()

    with gunicorn(environ, workers=2, threads=2) as server:
        for request in _raw_requests(chance):
            answered = _exchange(server.port, request)
            assert all(status < 500 for status in answered), (answered, request)
            statuses.update(answered)

    assert statuses[200] > RAW / 10
    assert (Notification.objects.count(), spool_dir.exists()) == (statuses[200], False)
    answers = {f"answered_{status}": times for status, times in sorted(statuses.items())}
    figures(requests=RAW, **answers, rows=statuses[200], spool_files=0)
