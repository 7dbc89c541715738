"""A fake Hoiio in place of the connections of `requests`, with configurable replies, which records its requests."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import responses

SUCCESS = {"status": "success_ok", "txn_ref": "AA-S-1", "session": "S1", "bulk_txn_ref": "AA-B-1", "txn_refs": "AA-C-1"}

# The reply to a request: a JSON value, raw bytes, or a tuple of HTTP status, either of these, and headers.
Reply = Any


@dataclass
class Request:
    """A received request."""

    path: str
    params: dict[str, str]
    headers: Mapping[str, str]


@dataclass
class Hoiio:
    """Sends the replies in order, then repeats the last one."""

    url: str = "https://hoiio.example/open/"
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

    def answer(self, path: str, body: str, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        """Record a request. Return the status, headers and content of its reply."""
        params = dict(parse_qsl(body, keep_blank_values=True, strict_parsing=True))
        self.requests.append(request := Request(path, params, headers))
        self.meanwhile(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        code, data, headers = reply if isinstance(reply, tuple) else (200, reply, {})
        return code, headers, data if isinstance(data, bytes) else json.dumps(data).encode()


@contextmanager
def faked() -> Iterator[Hoiio]:
    """Answer all requests to Hoiio, and refuse all others."""
    hoiio = Hoiio()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_callback(
            responses.POST,
            re.compile(re.escape(hoiio.url)),
            lambda request: hoiio.answer(request.path_url, request.body, request.headers),
        )
        yield hoiio
