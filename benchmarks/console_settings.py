"""Settings of a project with the admin: for its pages, its exports, and the database of `benchmarks.fill`."""

from __future__ import annotations

from .settings import ALLOWED_HOSTS as ALLOWED_HOSTS
from .settings import DATABASES as DATABASES
from .settings import DEFAULT_AUTO_FIELD as DEFAULT_AUTO_FIELD
from .settings import HOIIO as HOIIO
from .settings import LOGGING_CONFIG as LOGGING_CONFIG
from .settings import SECRET_KEY as SECRET_KEY
from .settings import USE_TZ as USE_TZ

ROOT_URLCONF = "benchmarks.console_urls"
STATIC_URL = "static/"
# With another time zone, the calendar of the stock list needs MariaDB's time zone tables.
TIME_ZONE = "UTC"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_hoiio",
    "benchmarks",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
