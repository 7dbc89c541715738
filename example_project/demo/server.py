"""Serve the project in this process on the loopback interface, with the sandbox in place of Hoiio."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler, get_internal_wsgi_application

HOST, PORT = "127.0.0.1", 8000


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *args: Any, **kwargs: Any) -> None:
        """Print nothing, so that only the receivers print."""


@contextmanager
def serving() -> Iterator[str]:
    """Serve the project and its static files during the block. Yields the address."""
    server = _server()
    address = f"http://{HOST}:{server.server_port}"
    settings.HOIIO = {**settings.HOIIO, "PUBLIC_URL": address, "API_URL": f"{address}/sandbox/open/"}
    server.set_app(StaticFilesHandler(get_internal_wsgi_application()))
    # Hide the 404 of a browser that requests an icon. Errors are still logged. Creating the application sets up
    # logging, so this must follow it.
    logging.getLogger("django.request").setLevel(logging.ERROR)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _server() -> ThreadedWSGIServer:
    try:
        return ThreadedWSGIServer((HOST, PORT), _QuietHandler)
    except OSError:
        # The port is in use, so take any free one.
        return ThreadedWSGIServer((HOST, 0), _QuietHandler)
