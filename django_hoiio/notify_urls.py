"""Create the signed notify URLs to give to Hoiio."""

from __future__ import annotations

import ipaddress
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, URLResolver, get_resolver, get_urlconf, reverse

from .conf import conf
from .enums import Route
from .verification import sign

__all__ = [
    "notify_url",
]

# Characters. Hoiio's limit for a whole notify URL.
MAX_URL_LENGTH = 4000

# Characters. A web server's limit of the request line may reject notifications to a longer URL.
LONG = 2000


def notify_url(
    route: str, *, account: str = "default", pass_on: Mapping[str, Any] | None = None, urlconf: str | None = None
) -> str:
    """Return the absolute URL to give to Hoiio as `notify_url`, or to set on a number.

    `route` is one of voice, sms, fax, ivr and any. `pass_on` comes back unchanged in `notification.pass_on`. `urlconf`
    names the URLconf that includes `django_hoiio.urls`, if it is neither the active one nor `ROOT_URLCONF`.

    Raises `ImproperlyConfigured` if Hoiio cannot reach `PUBLIC_URL` or `django_hoiio.urls` is not included, and
    `ValueError` if an argument is invalid or the URL exceeds Hoiio's limit of 4,000 characters. Warns above 2,000
    characters.
    """
    return signed_url(route, account=account, pass_on=pass_on, block={}, urlconf=urlconf)


def signed_url(
    route: str, *, account: str, pass_on: Mapping[str, Any] | None, block: Mapping[str, Any], urlconf: str | None = None
) -> str:
    """Return `notify_url` for a request of the client, which signs the block of an interactive call as well."""
    if route not in Route.values:
        raise ValueError(f"There is no route {route!r}; the routes are {', '.join(Route.values)}.")
    if account not in conf.ACCOUNTS:
        raise ValueError(f"HOIIO['ACCOUNTS'] has no account {account!r}; it has {', '.join(conf.ACCOUNTS)}.")
    values = dict(pass_on or {})
    check_json("pass_on", values)
    token = sign(Route(route), account, values, block)
    url = _public_url() + webhook_path("signed", urlconf=urlconf, route=Route(route), token=token)
    if len(url) > MAX_URL_LENGTH:
        raise ValueError(
            f"The notify URL would have {len(url)} characters and Hoiio takes {MAX_URL_LENGTH}; pass on less,"
            " for example the key of a row instead of its content."
        )
    if len(url) > LONG:
        warnings.warn(
            f"The notify URL has {len(url)} characters. gunicorn refuses request lines above 4,094 bytes"
            " (limit_request_line) and nginx above 8k (large_client_header_buffers).",
            stacklevel=3,
        )
    return url


def webhook_path(name: str, *, urlconf: str | None = None, **arguments: Any) -> str:
    """Return the path of a URL in `django_hoiio.urls`, in whatever namespace the project includes it.

    Looks in `urlconf`, or else in the active URLconf and in `ROOT_URLCONF`. Raises `ImproperlyConfigured`.
    """
    urlconfs = [each for each in ([urlconf] if urlconf else [get_urlconf(), conf.root_urlconf]) if each]
    for each in urlconfs:
        for prefix in chain(["django_hoiio:"], _prefixes(get_resolver(each))):
            with suppress(NoReverseMatch):
                return reverse(prefix + name, urlconf=each, kwargs=arguments)
    raise ImproperlyConfigured(
        f"django_hoiio.urls is not included in {' or '.join(map(repr, urlconfs)) or 'any URLconf'}; add"
        " path('hoiio/', include('django_hoiio.urls')) to its urlpatterns, or name another URLconf: `urlconf` of"
        " notify_url, --urlconf of hoiio_urls."
    )


def _prefixes(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    """Yield the namespaces of `django_hoiio.urls`, such as `hooks:django_hoiio:`, or "" if it is the whole URLconf."""
    if getattr(resolver.urlconf_module, "app_name", resolver.app_name) == "django_hoiio":
        yield prefix
    for name, (_, nested) in resolver.namespace_dict.items():
        yield from _prefixes(nested, f"{prefix}{name}:")


# A NUL in JSON, but not an escaped backslash before `u0000`.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def through_json(value: Any) -> Any:
    """Return what JSON makes of a value. Raises `ValueError` if there is no JSON for it that every database stores."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except TypeError as error:
        raise ValueError(str(error)) from error
    if _NUL.search(text):
        raise ValueError("No database stores a NUL.")
    return json.loads(text)


def check_json(name: str, value: Any) -> None:
    """Raise `ValueError` unless a value can be stored as JSON, which returns it unchanged."""
    try:
        is_same = through_json(value) == value
    except ValueError:
        is_same = False
    if not is_same:
        raise ValueError(
            f"{name} would not come back unchanged; use strings, numbers, lists and dicts with string keys."
        )


def _public_url() -> str:
    """Return `PUBLIC_URL` without the trailing slash. Raises `ImproperlyConfigured`."""
    url = conf.PUBLIC_URL or ""
    if not is_absolute(url):
        raise ImproperlyConfigured(
            f"HOIIO['PUBLIC_URL'] is {url!r}, but Hoiio needs an absolute URL; write for example"
            " 'https://my.example.com'."
        )
    if not is_reachable(url):
        raise ImproperlyConfigured(
            f"HOIIO['PUBLIC_URL'] is {url!r}, which Hoiio cannot reach safely; use an https URL that is open to the"
            " internet, or point HOIIO['API_URL'] at a sandbox on this machine."
        )
    return url.rstrip("/")


def is_absolute(url: str) -> bool:
    """Return whether the URL has the scheme http or https, and a host."""
    return url.lower().startswith(("http://", "https://")) and bool(host_of(url))


def is_reachable(url: str) -> bool:
    """Return whether Hoiio can reach an absolute URL safely. A local sandbox can reach any."""
    return is_local(conf.API_URL) or (url.lower().startswith("https://") and not is_local(url))


def is_local(url: str) -> bool:
    """Return whether only this machine or its local network can reach the host."""
    host = host_of(url)
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal"))


def is_loopback(url: str) -> bool:
    """Return whether the host is a loopback address or `localhost`. Names are not resolved."""
    host = host_of(url)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def host_of(url: str) -> str:
    """Return the host of the URL, or an empty string if it has none or cannot be parsed."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
