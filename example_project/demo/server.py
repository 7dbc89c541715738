"""The project, served within this process on a free port of the loopback interface."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler, get_internal_wsgi_application

HOST = "127.0.0.1"


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *args: Any, **kwargs: Any) -> None:
        """Leave the screen to the receivers."""


@contextmanager
def serving() -> Iterator[int]:
    """Serve the project and the admin's static files until the block is left; gives the port."""
    server = ThreadedWSGIServer((HOST, 0), _QuietHandler)
    server.set_app(StaticFilesHandler(get_internal_wsgi_application()))
    # A browser asks for an icon, and there is none; what breaks is still said. To get the application sets up logging,
    # so this comes after it.
    logging.getLogger("django.request").setLevel(logging.ERROR)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
