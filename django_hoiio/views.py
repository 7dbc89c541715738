"""The webhook view: read the POST within size limits and ingest it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote_from_bytes

from django.contrib.auth.decorators import login_not_required
from django.core.handlers.asgi import ASGIRequest
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.common import no_append_slash
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from . import spool
from .conf import conf
from .database import OpenTransaction, slow_failures
from .enums import Route, VerifiedBy
from .ingest import ingest
from .logs import get_logger
from .parsing import RawNotification
from .parsing.fields import storable
from .verification import verify

__all__ = [
    "receive",
]

logger = get_logger(__name__)

# Bytes. A notification has a few hundred. Django's DATA_UPLOAD_MAX_MEMORY_SIZE does not apply here.
BODY_LIMIT = 1024 * 1024

# The headers to store, and their names in `request.META`. They identify the sender and allow parsing the body again.
SIGNATURE = "HTTP_X_HOIIO_SIGNATURE"
STORED_HEADERS = {"Content-Type": "CONTENT_TYPE", "User-Agent": "HTTP_USER_AGENT", "X-Hoiio-Signature": SIGNATURE}

NOT_VERIFIED = (
    "A notification that could not be verified was refused on the route %s. Give Hoiio the URLs that `manage.py"
    " hoiio_urls` prints."
)

ALREADY_READ = (
    "The body of a notification on the route %s is lost, because a middleware had read it: it must not use request.POST"
    " or request.read() before the webhook."
)

# The query string is stored as text. ASCII is stored unchanged. Other bytes and NUL are percent-encoded, which does not
# change the parameters.
_PRINTABLE = bytes(range(1, 128))

View = Callable[..., HttpResponse]


def non_atomic_everywhere(view: View) -> View:
    """Disable ATOMIC_REQUESTS on every database: the notification must be committed before its receivers run."""
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view


@no_append_slash
@csrf_exempt
@login_not_required
@non_atomic_everywhere
@require_POST
def receive(request: HttpRequest, route: Route = Route.ANY, token: str | None = None) -> HttpResponse:
    """Store the notification and answer 200.

    Answers 400, 411 or 413 if the body cannot be read completely within the limit, and 403 if verification is required
    and fails. Answers 503 if neither the database nor the spool can store it. Only then is the notification lost.
    """
    try:
        body = _read_body(request)
    except _Unreadable as error:
        logger.warning("A notification could not be read: %s.", error)
        return HttpResponse(status=error.status)
    signature, problems = request.META.get(SIGNATURE), {}
    if body is None:
        logger.error(ALREADY_READ, route.value)
        # Hoiio's signature covers the body, so that it verifies nothing here.
        body, signature, problems = b"", None, {"body": "a middleware had read it before the webhook"}
    verification = verify(route, token, body, signature)
    if verification.verified_by == VerifiedBy.NONE and conf.REQUIRE_VERIFICATION:
        logger.warning(NOT_VERIFIED, route.value)
        return HttpResponse(status=HTTPStatus.FORBIDDEN)
    return _store(
        RawNotification(
            uuid=uuid.uuid4(),
            received_at=timezone.now(),
            route=route,
            query=quote_from_bytes(_query(request), safe=_PRINTABLE),
            body=body,
            headers={name: storable(request.META[key]) for name, key in STORED_HEADERS.items() if key in request.META},
            remote_addr=storable(str(request.META.get("REMOTE_ADDR") or ""))[:255],
            account=verification.account,
            verified_by=verification.verified_by,
            pass_on=verification.pass_on,
            block=verification.block,
            problems={**verification.problems, **problems},
        )
    )


def _store(raw: RawNotification) -> HttpResponse:
    if slow_failures.are_recent() and conf.SPOOL_DIR is not None:
        logger.warning(
            "Notification %s is stored in the spool, because the database recently failed to respond.", raw.uuid
        )
        return _spool(raw)
    try:
        ingest(raw)
    except OpenTransaction as error:
        logger.error("Notification %s could not be stored. %s", raw.uuid, error)
        return _spool(raw)
    # Usually a database error, but no error may lose the only copy.
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
        logger.critical("Notification %s is lost: it cannot be written to the spool (%s).", raw.uuid, error.strerror)
        return HttpResponse(status=HTTPStatus.SERVICE_UNAVAILABLE)
    return HttpResponse()


def _query(request: HttpRequest) -> bytes:
    """Return the query string as received, before Django decodes it."""
    if isinstance(request, ASGIRequest):
        raw: Any = request.scope.get("query_string", b"")
        return raw if isinstance(raw, bytes) else raw.encode()
    # WSGI passes bytes as Latin-1 text.
    return str(request.META.get("QUERY_STRING", "")).encode("latin-1", "replace")


class _Unreadable(Exception):
    """The body cannot be read completely; `status` is the response status."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def _read_body(request: Any) -> bytes | None:
    """Return the complete body, or `None` if a middleware has read it. Reads at most `BODY_LIMIT` + 1 bytes.

    A middleware can read the body after the view, as if Django's `request.body` had read it.
    """
    length = _announced_length(request)
    encodings = request.headers.get("Transfer-Encoding", "").strip().lower()
    if encodings and length is not None:
        # Servers disagree about which of the two applies, so the body may be truncated.
        raise _Unreadable(HTTPStatus.BAD_REQUEST, "it has both a Content-Length and a Transfer-Encoding")
    if encodings and encodings.rpartition(",")[2].strip() != "chunked":
        raise _Unreadable(HTTPStatus.BAD_REQUEST, "its Transfer-Encoding does not mark the end of the body")
    if length is not None and length > BODY_LIMIT:
        raise _Unreadable(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"its body is longer than {BODY_LIMIT} bytes")
    stream: Any = _chunked_stream(request) if encodings else request
    is_consumed = request._read_started and not hasattr(request, "_body")
    chunks, left = [], BODY_LIMIT + 1
    try:
        while left and (chunk := stream.read(left)):
            chunks.append(chunk)
            left -= len(chunk)
    # Each server raises its own exceptions for an incomplete body.
    except Exception as error:
        raise _Unreadable(HTTPStatus.BAD_REQUEST, f"its body is incomplete ({type(error).__name__})") from error
    finally:
        body = request._body = b"".join(chunks)
    if len(body) > BODY_LIMIT:
        raise _Unreadable(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"its body is longer than {BODY_LIMIT} bytes")
    if is_consumed and len(body) < (1 if length is None else length):
        return None
    if len(body) < (length or 0):
        raise _Unreadable(HTTPStatus.BAD_REQUEST, "its body is incomplete")
    return body


def _announced_length(request: HttpRequest) -> int | None:
    """Return the Content-Length, or `None` without one."""
    text = str(request.META.get("CONTENT_LENGTH") or "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise _Unreadable(HTTPStatus.BAD_REQUEST, "its Content-Length is not a number")
    # int() refuses numbers with thousands of digits. 18 digits are enough to see that the body is too long.
    return int(text.lstrip("0")[:18] or 0)


def _chunked_stream(request: HttpRequest) -> Any:
    """Return a stream of a chunked body, which Django treats as empty. WSGI servers must mark where it ends."""
    if isinstance(request, ASGIRequest):
        return request
    if not request.META.get("wsgi.input_terminated"):
        raise _Unreadable(HTTPStatus.LENGTH_REQUIRED, "this server does not mark the end of a chunked body")
    return request.META["wsgi.input"]
