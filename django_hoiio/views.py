"""The door: what Hoiio posts comes in here, is read within bounds, and is handed to the inbox."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from http import HTTPStatus
from typing import Any
from urllib.parse import quote_from_bytes

from django.contrib.auth.decorators import login_not_required
from django.core.handlers.asgi import ASGIRequest
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from . import inbox, spool
from .conf import conf
from .deadline import slow_failures
from .enums import Route, VerifiedBy
from .logs import get_logger
from .parsing import RawNotification
from .parsing.fields import storable
from .verification import verify

logger = get_logger(__name__)

# Bytes. A notification is a few hundred; Django's DATA_UPLOAD_MAX_MEMORY_SIZE does not apply here.
BODY_LIMIT = 1024 * 1024

# The headers that are kept, and where Django has them: what is needed to read the body again, and who sent it.
SIGNATURE = "HTTP_X_HOIIO_SIGNATURE"
STORED_HEADERS = {"Content-Type": "CONTENT_TYPE", "User-Agent": "HTTP_USER_AGENT", "X-Hoiio-Signature": SIGNATURE}

NOT_VERIFIED = (
    "A notification that could not be verified was refused on the route %s. Give Hoiio the URLs that `manage.py"
    " hoiio_urls` prints."
)

# A query string is kept as text. ASCII stays as it came; other bytes and NUL are percent-encoded, which changes nothing
# in what it says.
_PRINTABLE = bytes(range(1, 128))

View = Callable[..., HttpResponse]


def non_atomic_everywhere(view: View) -> View:
    """Keep ATOMIC_REQUESTS away on every database: what came is committed before its receivers are called."""
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view


@csrf_exempt
@login_not_required
@non_atomic_everywhere
@require_POST
def receive(request: HttpRequest, route: Route, token: str | None = None) -> HttpResponse:
    """Keep a notification and answer 200.

    Answers 400, 411 or 413 where the body cannot be read whole within bounds, 403 without proof, and 503 where it could
    be kept neither in the database nor in the spool: then, and only then, it is lost.
    """
    try:
        body = _read_body(request)
    except _Unreadable as error:
        logger.warning("A notification could not be read: %s.", error)
        return HttpResponse(status=error.status)
    verdict = verify(route, token, body, request.META.get(SIGNATURE))
    if verdict.verified_by == VerifiedBy.NONE and conf.REQUIRE_VERIFICATION:
        logger.warning(NOT_VERIFIED, route.value)
        return HttpResponse(status=HTTPStatus.FORBIDDEN)
    return _store(
        RawNotification(
            uuid=uuid.uuid4(),
            received_at=datetime.now(timezone.utc),
            route=route,
            query=quote_from_bytes(_query(request), safe=_PRINTABLE),
            body=body,
            headers={name: storable(request.META[key]) for name, key in STORED_HEADERS.items() if key in request.META},
            remote_addr=storable(str(request.META.get("REMOTE_ADDR") or ""))[:255],
            account=verdict.account,
            verified_by=verdict.verified_by,
            pass_on=verdict.pass_on,
            problems=verdict.problems,
        )
    )


def _store(raw: RawNotification) -> HttpResponse:
    if slow_failures.are_recent() and conf.SPOOL_DIR is not None:
        logger.warning("Notification %s goes to the spool: the database did not answer a moment ago.", raw.uuid)
        return _spool(raw)
    try:
        inbox.receive(raw)
    # Mostly the database; but whatever it is, it must not take the only copy with it.
    except Exception as error:
        logger.error("Notification %s could not be stored: %s.", raw.uuid, type(error).__name__)
        return _spool(raw)
    return HttpResponse()


def _spool(raw: RawNotification) -> HttpResponse:
    if conf.SPOOL_DIR is None:
        logger.critical("Notification %s is lost: there is no HOIIO['SPOOL_DIR'].", raw.uuid)
        return HttpResponse(status=HTTPStatus.SERVICE_UNAVAILABLE)
    try:
        spool.store(raw, conf.SPOOL_DIR)
    except OSError as error:
        logger.critical("Notification %s is lost: the spool does not take it (%s).", raw.uuid, error.strerror)
        return HttpResponse(status=HTTPStatus.SERVICE_UNAVAILABLE)
    return HttpResponse()


def _query(request: HttpRequest) -> bytes:
    """The query string as it came, before Django decodes it."""
    if isinstance(request, ASGIRequest):
        raw: Any = request.scope.get("query_string", b"")
        return raw if isinstance(raw, bytes) else raw.encode()
    # WSGI hands bytes over as Latin-1 text.
    return str(request.META.get("QUERY_STRING", "")).encode("latin-1", "replace")


class _Unreadable(Exception):
    """The body cannot be had whole, and this is the answer."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def _read_body(request: HttpRequest) -> bytes:
    """Read the body whole, and never more than `BODY_LIMIT` bytes and one of it."""
    length = _announced_length(request)
    encodings = request.headers.get("Transfer-Encoding", "").strip().lower()
    if encodings and length is not None:
        # Servers do not agree on which of the two counts, so that the body may be cut short.
        raise _Unreadable(HTTPStatus.BAD_REQUEST, "it has both a Content-Length and a Transfer-Encoding")
    if encodings and encodings.rpartition(",")[2].strip() != "chunked":
        raise _Unreadable(HTTPStatus.BAD_REQUEST, "its Transfer-Encoding does not say where its body ends")
    if length is not None and length > BODY_LIMIT:
        raise _Unreadable(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"its body is longer than {BODY_LIMIT} bytes")
    stream: Any = _chunked_stream(request) if encodings else request
    chunks, left = [], BODY_LIMIT + 1
    try:
        while left and (chunk := stream.read(left)):
            chunks.append(chunk)
            left -= len(chunk)
    # Each server has exceptions of its own for a body that breaks off.
    except Exception as error:
        raise _Unreadable(HTTPStatus.BAD_REQUEST, f"its body broke off ({type(error).__name__})") from error
    body = b"".join(chunks)
    if len(body) > BODY_LIMIT:
        raise _Unreadable(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"its body is longer than {BODY_LIMIT} bytes")
    if len(body) < (length or 0):
        raise _Unreadable(HTTPStatus.BAD_REQUEST, "its body broke off, or a middleware had read it before")
    return body


def _announced_length(request: HttpRequest) -> int | None:
    """The Content-Length; `None` if there is none."""
    text = str(request.META.get("CONTENT_LENGTH") or "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise _Unreadable(HTTPStatus.BAD_REQUEST, "its Content-Length is no number")
    # Python reads no number of thousands of digits; these are enough to tell that the body is too long.
    return int(text.lstrip("0")[:18] or 0)


def _chunked_stream(request: HttpRequest) -> Any:
    """Django takes a body without a length for empty. It can be read where the server marks its end."""
    if isinstance(request, ASGIRequest):
        return request
    if not request.META.get("wsgi.input_terminated"):
        raise _Unreadable(HTTPStatus.LENGTH_REQUIRED, "this server does not mark the end of a chunked body")
    return request.META["wsgi.input"]
