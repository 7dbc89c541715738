"""Whether the sandbox can answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Warning
from django.urls import NoReverseMatch, reverse

from ..conf import conf
from ..notify_urls import is_loopback

W006 = Warning(
    "The sandbox answers 404: HOIIO['API_URL'] is not a loopback address.",
    hint="Include django_hoiio.sandbox.urls in development alone, with 'API_URL': 'http://127.0.0.1:8000/sandbox/open/'.",
    id="django_hoiio.W006",
)


def check_sandbox(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """The sandbox, where the project has it, is able to answer."""
    if not isinstance(conf.given, Mapping) or not conf.has_urls or is_loopback(conf.API_URL):
        return []
    try:
        reverse("hoiio_sandbox:telephone")
    except NoReverseMatch:
        return []
    return [W006]
