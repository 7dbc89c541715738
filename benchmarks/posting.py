"""Post in process, as a WSGI server does."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from typing import Any

from django.core.handlers.wsgi import WSGIHandler

from .traffic import FORM, USER_AGENT


def environ(path: str, body: bytes) -> dict[str, Any]:
    """Return a request as a WSGI server passes it on."""
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_TYPE": FORM,
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_USER_AGENT": USER_AGENT,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def post(request: dict[str, Any]) -> None:
    """Let the project answer a request. Raises RuntimeError if the status is not 200."""
    _application()(request, _accept).close()


@cache
def _application() -> Callable[..., Any]:
    return WSGIHandler()


def _accept(status: str, headers: Any, exc_info: Any = None) -> Any:
    if not status.startswith("200 "):
        raise RuntimeError(f"A candidate answered {status}.")
