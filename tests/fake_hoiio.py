"""A fake Hoiio on the loopback with configurable replies, which records its requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

SUCCESS = {"status": "success_ok", "txn_ref": "AA-S-1", "session": "S1", "bulk_txn_ref": "AA-B-1", "txn_refs": "AA-C-1"}

# The reply to a request: a JSON value, raw bytes, or a tuple of HTTP status, either of these, and headers.
Reply = Any


@dataclass
class Request:
    """A received request."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]
    # The client's address, which identifies the connection.
    peer: tuple[str, int]


@dataclass
class Hoiio:
    """Sends the replies in order, then repeats the last one."""

    url: str
    replies: list[Reply] = field(default_factory=lambda: [SUCCESS])
    requests: list[Request] = field(default_factory=list, repr=False)
    # Called before each reply.
    meanwhile: Callable[[Request], None] = lambda request: None

    def says(self, *replies: Reply) -> None:
        self.replies = list(replies)

    @property
    def request(self) -> Request:
        """The only request."""
        (request,) = self.requests
        return request


@contextmanager
def serving() -> Iterator[Hoiio]:
    """Serve on a free port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Seconds, so that an idle connection does not outlive the test.
        timeout = 5

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = Request(
                self.path,
                dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True)),
                dict(self.headers),
                self.client_address,
            )
            hoiio.requests.append(request)
            hoiio.meanwhile(request)
            self.answer(hoiio.replies.pop(0) if len(hoiio.replies) > 1 else hoiio.replies[0])

        def answer(self, reply: Reply) -> None:
            code, data, headers = reply if isinstance(reply, tuple) else (200, reply, {})
            content = data if isinstance(data, bytes) else json.dumps(data).encode()
            self.send_response(code)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # A client may give up before it has the reply. Another test may compare what is printed meanwhile.
    server.handle_error = lambda *args: None
    hoiio = Hoiio(url=f"http://127.0.0.1:{server.server_address[1]}/open/")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hoiio
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
