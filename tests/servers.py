"""WSGI and ASGI applications of the test project, on the database of the tests."""

from __future__ import annotations

import os

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

settings.DATABASES["default"]["NAME"] = os.environ["HOIIO_TEST_NAME"]

wsgi = get_wsgi_application()
asgi = get_asgi_application()
