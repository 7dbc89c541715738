"""The WSGI application for gunicorn. With `HOIIO_BENCHMARK_RECEIVER`, a receiver is connected."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from django_hoiio.signals import sms_status

from .candidates import listen

application = get_wsgi_application()

if os.environ.get("HOIIO_BENCHMARK_RECEIVER"):
    sms_status.connect(listen)
