"""System checks of the way from Hoiio to the webhook view: its public URL, redirects, URLs and middleware."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Warning
from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host
from django.middleware.security import SecurityMiddleware
from django.urls import Resolver404, get_script_prefix, resolve
from django.utils.module_loading import import_string

from django_hoiio.conf import conf
from django_hoiio.enums import Route
from django_hoiio.notify_urls import is_reachable, webhook_path

from .settings import check_settings

W018 = Warning(
    "No notify URL can be created: HOIIO['PUBLIC_URL'] is not set.",
    hint="Write 'PUBLIC_URL': 'https://my.example.com' in HOIIO, with the public address of this site.",
    id="django_hoiio.W018",
)


def check_public_url(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check that Hoiio can reach `PUBLIC_URL`, and that Django neither refuses its host nor redirects."""
    if check_settings(None):
        return []
    url = conf.PUBLIC_URL
    if url is None:
        return [W018, *_redirected()]
    return [*([] if is_reachable(url) else [_unreachable(url)]), *_refused_host(url), *_redirected()]


def _unreachable(url: str) -> CheckMessage:
    return Warning(
        f"Hoiio cannot reach HOIIO['PUBLIC_URL'] safely: {url!r} is plain http or a local address.",
        hint="Write 'PUBLIC_URL': 'https://my.example.com' in HOIIO, an https URL that is open to the internet.",
        id="django_hoiio.W012",
    )


def _refused_host(url: str) -> Iterator[CheckMessage]:
    host, _ = split_domain_port(urlsplit(url).netloc.rpartition("@")[2])
    if not validate_host(host, conf.allowed_hosts):
        yield Warning(
            f"Django answers notifications with 400: the host of {url!r} is not in ALLOWED_HOSTS.",
            hint=f"Write ALLOWED_HOSTS += [{host!r}] below it.",
            id="django_hoiio.W013",
        )


def _redirected() -> Iterator[CheckMessage]:
    has_middleware = any(issubclass(each, SecurityMiddleware) for each in _middleware_classes().values())
    if not has_middleware or not conf.redirects_to_https or all(map(_is_exempt, _webhook_paths())):
        return
    prefix = re.escape(webhook_path("root").lstrip("/"))
    yield Warning(
        "Behind a proxy, notifications are answered with a redirect and lost: SECURE_SSL_REDIRECT is True.",
        hint='Write SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if the proxy sets that header'
        + (f', or SECURE_REDIRECT_EXEMPT = [r"^{prefix}"].' if prefix else "."),
        id="django_hoiio.W014",
    )


def _is_exempt(path: str) -> bool:
    return any(re.search(pattern, path.lstrip("/")) for pattern in conf.redirect_exempt)


def check_webhook(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check that the URLs of the webhook are included, and that no known middleware opens a transaction around it."""
    if check_settings(None) or not conf.root_urlconf:
        return []
    if not _webhook_paths():
        return [_not_included(conf.root_urlconf)]
    opening = [path for path, each in _middleware_classes().items() if _opens_transaction(each)]
    return [*map(_opened_transaction, opening), *_lost_root()]


# In the format of a token.
_EXAMPLE = "payload~signature"


def _webhook_paths() -> list[str]:
    """Return the path of each signed and unsigned URL, or none if they are not included."""
    try:
        signed = [webhook_path("signed", route=route, token=_EXAMPLE) for route in Route]
        return [webhook_path("root"), *(webhook_path(route.value) for route in Route), *signed]
    except ImproperlyConfigured:
        return []


def _not_included(urlconf: str) -> CheckMessage:
    return Warning(
        f"Notifications are answered with 404: django_hoiio.urls is not included in {urlconf!r}, or its URLs have"
        " further parameters.",
        hint='Add path("hoiio/", include("django_hoiio.urls")) to its urlpatterns.',
        id="django_hoiio.W015",
    )


def _middleware_classes() -> dict[str, type[Any]]:
    """Return the classes of `MIDDLEWARE` by their dotted paths. It may list functions, too."""
    classes = {}
    for path in conf.middleware:
        with suppress(ImportError):
            classes[path] = import_string(path)
    return {path: each for path, each in classes.items() if isinstance(each, type)}


def _opens_transaction(middleware: Any) -> bool:
    """Return whether a middleware is django-reversion's, and opens a transaction around the webhook."""
    names = [f"{each.__module__}.{each.__qualname__}" for each in middleware.__mro__]
    if "reversion.middleware.RevisionMiddleware" not in names or not middleware.atomic:
        return False
    using = router.db_for_write(apps.get_model("django_hoiio", "Notification"))
    return middleware.using in (None, using) and any(_creates_revision(middleware, path) for path in _webhook_paths())


def _creates_revision(middleware: Any, path: str) -> bool:
    request = HttpRequest()
    request.method, request.path, request.path_info = "POST", path, path
    try:
        return bool(middleware(lambda request: HttpResponse()).request_creates_revision(request))
    # A method of the project may need more than the path, for example the user.
    except Exception:  # noqa: BLE001
        return True


def _opened_transaction(middleware: str) -> CheckMessage:
    return Warning(
        f"Notifications cannot be committed: {middleware} opens a transaction around the webhook.",
        hint="Replace it in MIDDLEWARE by a subclass whose request_creates_revision returns False if"
        f" request.path.startswith({webhook_path('root')!r}).",
        id="django_hoiio.W016",
    )


def _lost_root() -> Iterator[CheckMessage]:
    """Warn if a verified notification to the root, without its slash, would not reach the view."""
    is_verifiable = not conf.REQUIRE_VERIFICATION or any(map(conf.access_tokens, conf.ACCOUNTS))
    root = "/" + webhook_path("root").removeprefix(get_script_prefix())
    bare = root.removesuffix("/")
    if not bare or not is_verifiable:
        return
    with suppress(Resolver404):
        if resolve(bare, conf.root_urlconf).func is resolve(root, conf.root_urlconf).func:
            return
    yield Warning(
        f"A notification to {bare!r}, without the last slash, does not reach the webhook.",
        hint=f'Write path("{bare[1:]}", receive) in {conf.root_urlconf}, and from django_hoiio.views import receive.',
        id="django_hoiio.W017",
    )
