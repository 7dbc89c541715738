"""Settings of the example project, for local use only."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import django

DIRECTORY = Path(__file__).resolve().parent
# The folder of the database and the spool. A checkout may be read-only.
DATA = DIRECTORY if os.access(DIRECTORY, os.W_OK) else Path(tempfile.gettempdir()) / f"hoiio-example-{os.getuid()}"
DATA.mkdir(mode=0o700, exist_ok=True)

# The settings below are safe only because no other machine can reach this site. Do not use them in production.
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
DEBUG = True
SECRET_KEY = "django-insecure-example-project"
HOIIO = {
    # The sandbox accepts any credentials. Real ones come from Hoiio's portal and do not belong in a shared file.
    "ACCOUNTS": {"default": {"APP_ID": "example", "ACCESS_TOKEN": "example-token"}},
    # The URLs of this site and of the sandbox. A real site has its own https URL and no API_URL.
    "PUBLIC_URL": "http://127.0.0.1:8000",
    "API_URL": "http://127.0.0.1:8000/sandbox/open/",
    # Stores notifications while the database is unavailable, for `manage.py hoiio_recover`.
    "SPOOL_DIR": DATA / "spool",
}


# Mask tokens of notify URLs, phone numbers, message texts and links in the log lines of all packages.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"masking": {"()": "django_hoiio.masking.MaskingFilter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["masking"]}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        # The access log of runserver.
        "django.server": {"handlers": ["console"], "level": "INFO", "propagate": False},
    },
}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    # The read API: its browsable pages, its filter forms, and its schema.
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "django_hoiio",
    "example_project",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Every page requires a login, except views marked otherwise, such as the webhook view.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
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
ROOT_URLCONF = "example_project.urls"
LOGIN_URL = "admin:login"
STATIC_URL = "static/"

# Print mail.
CONSOLE = "django.core.mail.backends.console.EmailBackend"
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": CONSOLE}}
else:
    EMAIL_BACKEND = CONSOLE

REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
SPECTACULAR_SETTINGS = {"TITLE": "The workshop", "VERSION": "1", "SERVE_INCLUDE_SCHEMA": False}

# Hoiio's dates cannot be stored without a time zone. Hoiio uses this one, so the admin shows the same times.
USE_TZ = True
TIME_ZONE = "Asia/Singapore"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        # HOIIO_EXAMPLE_DATABASE names another file.
        "NAME": os.environ.get("HOIIO_EXAMPLE_DATABASE") or DATA / "demo.sqlite3",
        "OPTIONS": {
            # WAL: readers and a writer do not wait for each other. FULL instead of the common NORMAL: a notification
            # answered with 200 must survive a power cut, because Hoiio never sends it again.
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
            # A writer waits for another one, up to Django's 5 seconds.
            "transaction_mode": "IMMEDIATE",
        },
    }
}
