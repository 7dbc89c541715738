"""Settings of the example project, for one's own machine only."""

from __future__ import annotations

import os
from logging import LogRecord
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parent

# Reached by no other machine, which alone makes the settings that follow harmless. A real site has others.
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
DEBUG = True
SECRET_KEY = "django-insecure-example-project"
HOIIO = {
    # The sandbox takes any. Real ones come from Hoiio's portal, and stand in no file that others read.
    "ACCOUNTS": {"default": {"APP_ID": "example", "ACCESS_TOKEN": "example-token"}},
    # Where the sandbox posts to, and where it is. A real site has its own https URL, and no API_URL.
    "PUBLIC_URL": "http://127.0.0.1:8000",
    "API_URL": "http://127.0.0.1:8000/sandbox/open/",
    # Where notifications wait while the database is away, for `manage.py hoiio_recover`.
    "SPOOL_DIR": DIRECTORY / "spool",
}


def is_no_polling(record: LogRecord) -> bool:
    """Whether a line of the access log is worth reading: the telephone asks for news every second."""
    return "/sandbox/telephone/state/" not in record.getMessage()


# No token of a notify URL, phone number, message text or link gets into the log, whoever writes the line.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "masking": {"()": "django_hoiio.masking.MaskingFilter"},
        "without_polling": {"()": "django.utils.log.CallbackFilter", "callback": is_no_polling},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["masking"]}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        # The access log of runserver.
        "django.server": {
            "handlers": ["console"],
            "filters": ["without_polling"],
            "level": "INFO",
            "propagate": False,
        },
    },
}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    # The read API: its pages for a browser, the forms of its filters, and its schema.
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
    # Every page needs a login but those that say otherwise, as the views that Hoiio posts to do.
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

REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
SPECTACULAR_SETTINGS = {"TITLE": "The workshop", "VERSION": "1", "SERVE_INCLUDE_SCHEMA": False}

# Hoiio's dates cannot be kept without a time zone. It writes them in this one, so the admin shows what Hoiio wrote.
USE_TZ = True
TIME_ZONE = "Asia/Singapore"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        # HOIIO_EXAMPLE_DATABASE names another file.
        "NAME": os.environ.get("HOIIO_EXAMPLE_DATABASE") or DIRECTORY / "demo.sqlite3",
        "OPTIONS": {
            # Readers and a writer do not wait for each other (WAL), and what was answered with 200 survives a power cut
            # (FULL, where many recipes have NORMAL): Hoiio never sends a notification twice.
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
            # Who comes while another writes waits for its turn, up to Django's 5 seconds.
            "transaction_mode": "IMMEDIATE",
        },
    }
}
