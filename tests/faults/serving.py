"""The WSGI application for gunicorn."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

wsgi = get_wsgi_application()
# Before gunicorn forks, because it takes a second and a new worker would do so at its first request.
_ = get_resolver().url_patterns
