"""Users of the admin, and a browser window in which one of them is logged in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.test import Client
from playwright.sync_api import Browser, BrowserContext

SEEN = ("call", "sms", "fax", "notification")
# The models that each role may view, and its other permissions.
RIGHTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "chief": (
        (*SEEN, "receiverfailure", "dailytotal"),
        ("view_personal_data", "view_recordings", "view_raw", "retry_receivers", "dispatch", "reconcile", "export"),
    ),
    "support": (SEEN, ("view_personal_data",)),
    "guest": ((*SEEN, "receiverfailure", "dailytotal"), ()),
    "clerk": (("sms",), ("export",)),
}
PASSWORD = "a long way home"


def hire() -> dict[str, User]:
    """Create the users of the workshop by role."""
    return {name: user(name, models, rights) for name, (models, rights) in RIGHTS.items()}


def user(name: str, models: Iterable[str], rights: Iterable[str]) -> User:
    made = User.objects.create_user(name, password=PASSWORD, is_staff=True)
    allowed = Permission.objects.filter(content_type__app_label="django_hoiio")
    made.user_permissions.set(allowed.filter(codename__in=[*rights, *(f"view_{model}" for model in models)]))
    return made


def root() -> User:
    """Return a superuser."""
    return User.objects.get_or_create(username="root", is_staff=True, is_superuser=True)[0]


def window(browser: Browser, url: str, who: User | None, **options: Any) -> BrowserContext:
    """Return a separate browser context in which `who` is logged in."""
    context = browser.new_context(**{"reduced_motion": "reduce", **options})
    if who is not None:
        client = Client()
        client.force_login(who)
        name = settings.SESSION_COOKIE_NAME
        # Valid for the whole site.
        context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": urljoin(url, "/")}])
    # Chromium requests the icon of a site, and this one has none.
    context.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    return context
