"""The admin as its users open it: who they are, and a browser in which one of them has logged in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext

ACTIONS = ("run_receivers", "dispatch", "reconcile", "export")
# What each may do beside looking at every list.
RIGHTS: dict[str, tuple[str, ...]] = {
    "chief": ("see_numbers", "see_recordings", "see_raw", *ACTIONS),
    "support": ("see_numbers",),
    "guest": (),
}
PASSWORD = "a long way home"


def hire() -> dict[str, User]:
    """Make the three users."""
    return {name: user(name, rights) for name, rights in RIGHTS.items()}


def user(name: str, rights: Iterable[str]) -> User:
    made = User.objects.create_user(name, password=PASSWORD, is_staff=True)
    allowed = Permission.objects.filter(content_type__app_label="django_hoiio")
    made.user_permissions.set(allowed.filter(codename__in=[*rights, *(f"view_{model}" for model in _MODELS)]))
    return made


_MODELS = ("notification", "call", "sms", "fax", "receiverfailure", "dailytotal")


def logged_in(browser: Browser, url: str, who: User, **options: Any) -> BrowserContext:
    """A browser of its own in which somebody has logged in."""
    client = Client()
    client.force_login(who)
    context = browser.new_context(**{"reduced_motion": "reduce", **options})
    name = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": url}])
    # Chromium asks for the icon of a site by itself, and this one has none.
    context.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    return context


def page_of(row: Model, page: str = "change") -> str:
    """The path of a row's page, below that of the admin."""
    return reverse(f"admin:django_hoiio_{row._meta.model_name}_{page}", args=[row.pk]).removeprefix("/admin/")
