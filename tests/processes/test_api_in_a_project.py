"""The read API in projects with authentication and throttling of their own."""

from __future__ import annotations

import json
import subprocess
import sys

PROJECT = """
import json, sys
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=[
        "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
        "rest_framework", "rest_framework.authtoken", "django_filters", "django_hoiio",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"],
    USE_TZ=True,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="tests",
    ROOT_URLCONF="django_hoiio.api.urls",
    **json.loads(sys.argv[1]),
)
django.setup()
from django.core.management import call_command
from django.contrib.auth.models import Permission, User
from django.test import Client
from rest_framework.authtoken.models import Token
call_command("migrate", verbosity=0)
known = {"Authorization": f"Token {Token.objects.create(user=User.objects.create_superuser('root')).key}"}
for headers in ({}, known, known, known):
    answer = Client().get("/sms/", headers=headers)
    print(answer.status_code, answer.headers.get("WWW-Authenticate"), answer.headers.get("Retry-After") is not None)
"""


def answers(**settings: object) -> list[str]:
    """Return one response for an anonymous user and three for a known user, in a project with these settings."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROJECT, json.dumps(settings)], check=True, capture_output=True, text=True
    )
    return run.stdout.splitlines()


def test_authentication_and_throttling_are_those_of_the_project() -> None:
    rest_framework = {
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
        "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
        "DEFAULT_THROTTLE_RATES": {"user": "2/min"},
    }

    assert answers(REST_FRAMEWORK=rest_framework) == [
        "401 Token False",
        "200 None False",
        "200 None False",
        "429 None True",
    ]


def test_default_authentication_is_session_and_password() -> None:
    assert answers() == ["403 None False"] * 4
