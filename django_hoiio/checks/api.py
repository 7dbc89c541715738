"""Whether the read API can answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Warning
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from ..conf import conf

W009 = Warning(
    "A browser that asks the read API is answered with 500: its pages need the templates of REST framework.",
    hint='Add "rest_framework" and "django_filters" to INSTALLED_APPS.',
    id="django_hoiio.W009",
)


def check_api(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """The read API, where the project has it, is able to answer a browser."""
    if not conf.has_urls or (apps.is_installed("rest_framework") and apps.is_installed("django_filters")):
        return []
    try:
        reverse("hoiio_api:sms-list")
    except NoReverseMatch:
        return []
    renderers = import_string("rest_framework.settings.api_settings").DEFAULT_RENDERER_CLASSES
    return [W009] if any(hasattr(renderer, "get_filter_form") for renderer in renderers) else []
