"""A sandbox served over HTTP and an application that records notifications, both on the loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application

from django_hoiio.sandbox.real_time import exchange, line

APP = {"app_id": "app", "access_token": "new-token"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
# As a browser with the page sends it.
CSRF = {"Cookie": f"csrftoken={'x' * 32}", "X-CSRFToken": "x" * 32}
ACCOUNTS = {
    "default": {"APP_ID": "app", "ACCESS_TOKEN": ["new-token", "old-token"]},
    "second": {"APP_ID": "other-app", "ACCESS_TOKEN": "other-token"},
    "bare": {},
}
NUMBER, FAX, HANDSET = "+6531234567", "+6531234568", "+6591234567"

# Seconds. A passing test needs almost none.
TIMEOUT = 30


@dataclass(frozen=True, kw_only=True)
class ReceivedNotification:
    """A notification that reached the application."""

    path: str
    query: str
    body: str
    headers: Mapping[str, str]

    @property
    def signature(self) -> str | None:
        return self.headers.get("X-Hoiio-Signature")

    @property
    def params(self) -> dict[str, str]:
        return dict(parse_qsl(self.body, keep_blank_values=True, strict_parsing=bool(self.body)))


@dataclass
class SandboxClient:
    """Client of the sandbox's API and telephone, with the notifications that the application received."""

    url: str
    application: str
    # The application's response, and a callback that runs before it.
    status: int = 200
    page: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    meanwhile: Any = None
    # The person on the telephone page.
    person: str = HANDSET
    notifications: list[ReceivedNotification] = field(default_factory=list)

    def as_person(self, number: str) -> SandboxClient:
        """Return a client for another person on the telephone page."""
        return replace(self, person=number)

    def call_api(self, path: str, **params: object) -> dict[str, Any]:
        """Send a request to the API as the account `default`."""
        status, answer = self.post(f"/sandbox/open/{path}", {**APP, **params})
        assert status == 200, (path, status)
        return dict(answer)

    def call_api_and_wait(self, path: str, **params: object) -> tuple[dict[str, Any], list[dict[str, str]]]:
        """Send a request with a notify URL. Return the response and its notifications."""
        before = len(self.notifications)
        answer = self.call_api(path, notify_url=self.application, **params)
        return answer, self.heard()[before:]

    def do(self, action: str, **form: object) -> dict[str, Any]:
        """Perform an action on the telephone."""
        status, answer = self.post(self._telephone(action), form)
        assert status == 200, (action, status, answer)
        return dict(answer)

    def refused(self, action: str, **form: object) -> str:
        """Perform a refused action and return the error message."""
        status, answer = self.post(self._telephone(action), form)
        assert (status, list(answer)) == (400, ["error"])
        return str(answer["error"])

    def state(self, after: int = 0) -> dict[str, Any]:
        status, answer = self.request("GET", f"{self._telephone('state')}&after={after}")
        assert status == 200
        return dict(answer)

    def entries(self, *types: str) -> list[dict[str, Any]]:
        """Return the telephone's entries of some types, without values that differ from run to run."""
        entries = [entry for entry in self.state()["entries"] if not types or entry["type"] in types]
        return [
            {name: value for name, value in entry.items() if name not in ("id", "revision", "at", "person", "call")}
            for entry in entries
        ]

    def heard(self) -> list[dict[str, str]]:
        """Wait for all notifications and return Hoiio's parameters of them."""
        assert exchange.wait(TIMEOUT)
        return [
            {name: text for name, text in heard.params.items() if not name.startswith("x_")}
            for heard in self.notifications
        ]

    def let_time_pass(self) -> list[dict[str, str]]:
        """Let every timeout expire and return all notifications."""
        assert line.run_alarms(TIMEOUT)
        return self.heard()

    def post(self, path: str, form: dict[str, object]) -> tuple[int, Any]:
        return self.request("POST", path, urlencode(form).encode(), {**FORM, **CSRF})

    def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send a request. Return the status, and the decoded JSON or the bytes of the response."""
        with closing(HTTPConnection(urlsplit(self.url).netloc, timeout=TIMEOUT)) as connection:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            content = response.read()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(content) if is_json else content

    def _telephone(self, action: str) -> str:
        return f"/sandbox/telephone/{action}/?{urlencode({'as': self.person})}"

    def call(self) -> str:
        """Call the application from the telephone and return the session."""
        self.do("call", to=NUMBER)
        self.heard()
        return str(self.state()["call"]["session"])


@contextmanager
def sandbox_client() -> Iterator[SandboxClient]:
    """Serve an empty sandbox."""
    with serving(_application()) as application, project() as sandbox:
        sandbox_client = SandboxClient(url=sandbox, application=f"{application}/hoiio/?x_order=17")
        _Application.sandbox_client = sandbox_client
        _forget()
        yield sandbox_client
        _forget()


@contextmanager
def project() -> Iterator[str]:
    """Serve the project of the tests, with the middleware of the present settings."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), _QuietHandler)
    server.set_app(get_wsgi_application())
    with serving(server) as url:
        yield url


def _forget() -> None:
    line.close()
    assert line.wait(TIMEOUT)
    exchange.reset()


class _Application(BaseHTTPRequestHandler):
    sandbox_client: SandboxClient

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        parts = urlsplit(self.path)
        heard = ReceivedNotification(path=parts.path, query=parts.query, body=body.decode(), headers=dict(self.headers))
        self.sandbox_client.notifications.append(heard)
        if self.sandbox_client.meanwhile:
            self.sandbox_client.meanwhile(heard)
        self.send_response(self.sandbox_client.status)
        for name, value in self.sandbox_client.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.sandbox_client.page)

    def log_message(self, *args: Any) -> None:
        pass


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


def _application() -> ThreadingHTTPServer:
    return ThreadingHTTPServer(("127.0.0.1", 0), _Application)


@contextmanager
def serving(server: Any) -> Iterator[str]:
    """Run an HTTP server on a free port of the loopback, and yield its URL."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
