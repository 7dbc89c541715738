"""The requests: a bulk SMS, of which each recipient is reported twice, queued and then delivered."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from django_hoiio.notify_urls import notify_url

_BODY = (
    "rate=0.032&dest=%2B65{number:08d}&tag=order-{number}&sms_status={status}&debit=0.032&date=2012-06-06+11%3A15%3A20.0"
    "&split_count=1&txn_ref={txn_ref}&currency=SGD"
)


def bodies(prefix: str) -> Iterator[bytes]:
    """The bodies without end; no two prefixes name the same SMS."""
    for number in count():
        for status in ("queued", "delivered"):
            yield _BODY.format(number=number % 10**8, status=status, txn_ref=f"{prefix}-{number}").encode()


def path_of(candidate: str) -> str:
    """Where a candidate is posted to; django_hoiio at a notify URL that it signed."""
    if candidate.startswith("django_hoiio"):
        return urlsplit(notify_url("sms", pass_on={"username": "bob"})).path
    return f"/{candidate}/"


def environ(path: str, body: bytes) -> dict[str, Any]:
    """A request as a WSGI server hands it over."""
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_USER_AGENT": "Jakarta Commons-HttpClient/3.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
