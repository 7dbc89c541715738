"""The settings of the benchmarks, with the admin."""

from __future__ import annotations

from .settings import *  # noqa: F403

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django_hoiio",
    "benchmarks",
]
