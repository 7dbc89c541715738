"""Build, sign and post notifications. Redirects are not followed."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote_plus, urlencode, urlsplit

from django.urls import Resolver404, resolve

from django_hoiio import masking
from django_hoiio.conf import conf
from django_hoiio.enums import Route
from django_hoiio.parsing.classifying import kind_of
from django_hoiio.parsing.fields import FORM_CONTENT_TYPE
from django_hoiio.verification import verify

SIGNATURE_HEADER = "X-Hoiio-Signature"
PARAMETER_PLACES = ("body", "query", "both")

# Seconds to wait for the answer.
TIMEOUT = 30

_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"https?://[!-~]+", re.I)
# Characters allowed in a request line, except `#`, which would end the query string.
_AS_IT_IS = "".join(map(chr, range(0x21, 0x7F))).replace("#", "")


class InvalidUrl(Exception):
    """The URL is not an absolute http or https URL, or its host is not this machine."""


class UnknownHost(Exception):
    """The host of the URL has no address."""


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Faults to simulate in outgoing notifications."""

    params_in: str = "body"
    # Leave the notify URL's own parameters in its query string alone. Hoiio sends them in the body, too.
    own_in_query: bool = False
    # Do not name the block of an interactive call, as in 2012.
    unnamed_blocks: bool = False
    # Report a conference leg by `dest` and `call_status` instead of `dest1` and `call_status_dest1`.
    short_legs: bool = False
    # Seconds.
    delay: float = 0
    duplicate: bool = False
    # From 0 to 1. Dropped notifications are spread evenly and are the same in each run.
    drop_rate: float = 0
    bad_signature: bool = False

    @property
    def drop(self) -> bool:
        return self.drop_rate == 1


@dataclass(frozen=True, kw_only=True)
class RawRequest:
    """A literal request, instead of one built from parameters."""

    # Percent-encoded, without the question mark.
    query: str = ""
    body: bytes = b""
    content_type: str = FORM_CONTENT_TYPE


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A notification and its URL. Without a key it has no signature."""

    url: str
    # The public host that the request is for, as a proxy that ends TLS would forward it to the URL.
    host: str = ""
    params: Mapping[str, str]
    params_in: str = "body"
    own_in_query: bool = False
    # Sent instead of the parameters.
    raw: RawRequest | None = None
    key: str | None = None
    has_bad_signature: bool = False


class Answer(NamedTuple):
    """The response to a notification."""

    status: int
    # Of a redirect.
    location: str
    # The beginning of the body, unless the status is 200.
    page: str


class SignedRequest(NamedTuple):
    """The target, body and headers of an HTTP request."""

    target: str
    body: bytes
    headers: dict[str, str]


def signed_request(delivery: Delivery) -> SignedRequest:
    """Append parameters to the URL's own query string and sign the body."""
    parts, raw = _split(delivery.url), delivery.raw or _raw_request(delivery)
    query = "&".join(filter(None, [parts.query, quote(raw.query, safe=_AS_IT_IS)]))
    headers = {
        "Host": delivery.host or parts.netloc,
        "Content-Type": raw.content_type,
        "User-Agent": "django_hoiio sandbox",
        "Connection": "close",
    }
    # An https URL is that of a proxy, which must set the header itself.
    if delivery.host and parts.scheme == "http":
        headers["X-Forwarded-Proto"] = "https"
    if delivery.key is not None:
        headers[SIGNATURE_HEADER] = _signature(delivery.key, raw.body, has_bad_signature=delivery.has_bad_signature)
    return SignedRequest((parts.path or "/") + (f"?{query}" if query else ""), raw.body, headers)


def _raw_request(delivery: Delivery) -> RawRequest:
    """Put Hoiio's parameters into the body or the query string, and the URL's own parameters into the body, too."""
    form = urlencode(delivery.params)
    own = [] if delivery.own_in_query else _own_parameters(delivery)
    body = "&".join(filter(None, [form, *own])) if delivery.params_in in ("body", "both") else ""
    return RawRequest(query=form if delivery.params_in in ("query", "both") else "", body=body.encode())


def _own_parameters(delivery: Delivery) -> list[str]:
    """Return the URL's own parameters, still encoded, without those that Hoiio's would contradict."""
    pairs = urlsplit(delivery.url).query.split("&")
    return [pair for pair in pairs if unquote_plus(pair.partition("=")[0]) not in delivery.params]


def post(delivery: Delivery, *, loopback_only: bool) -> Answer:
    """Post a notification and return the response.

    Raises `InvalidUrl`, `UnknownHost`, `OSError` or `http.client.HTTPException` if there is none.
    """
    parts, signed = _split(delivery.url), signed_request(delivery)
    # Connect to the checked address, because a second lookup could return another machine (DNS rebinding).
    host = loopback_address(delivery.url) if loopback_only else parts.hostname or ""
    with closing(HTTPConnection(host, parts.port or _PORTS[parts.scheme], timeout=TIMEOUT)) as connection:
        connection.connect()
        if parts.scheme == "https":
            name = urlsplit(f"//{delivery.host}").hostname or host
            connection.sock = ssl.create_default_context().wrap_socket(connection.sock, server_hostname=name)
        connection.request("POST", signed.target, signed.body, signed.headers)
        response = connection.getresponse()
        page = b"" if response.status == HTTPStatus.OK else response.read(2000)
        return Answer(response.status, response.headers.get("Location", ""), page.decode(errors="replace"))


def is_this_machine(url: str) -> bool:
    """Return whether all addresses of the URL's host are of this machine: a socket can be bound to them."""
    try:
        found = socket.getaddrinfo(_split(url).hostname, 0, type=socket.SOCK_STREAM)
        for family, *_, address in found:
            if not _is_loopback(str(address[0])):
                with socket.socket(family, socket.SOCK_STREAM) as probe:
                    probe.bind(address)
    except (InvalidUrl, OSError, UnicodeError):
        return False
    return True


def loopback_address(url: str) -> str:
    """Return the address of a URL; raise `InvalidUrl` unless it is http and all addresses are of this machine."""
    parts = _split(url)
    if parts.scheme != "http":
        raise InvalidUrl("the sandbox posts only to http URLs")
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnknownHost("its host has no address") from error
    addresses = [str(address[0]) for *_, address in found]
    if not addresses or not all(_is_loopback(address) for address in addresses):
        raise InvalidUrl("the sandbox posts only to this machine")
    return addresses[0]


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _split(url: str) -> SplitResult:
    if not _URL.fullmatch(url):
        raise InvalidUrl("it is not an absolute http or https URL")
    try:
        parts = urlsplit(url)
        is_usable = bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError as error:
        raise InvalidUrl("it cannot be read") from error
    if not is_usable:
        raise InvalidUrl("it has no host, or a user name")
    return parts


def _signature(key: str, body: bytes, *, has_bad_signature: bool) -> str:
    """Sign the body with the application's access token, as Hoiio does."""
    signed = hmac.new(key.encode(), body + b"forged" * has_bad_signature, hashlib.sha256)
    return signed.hexdigest()


def is_dropped(number: int, share: float) -> bool:
    """Return whether to drop notification `number`, from 1. A share of 0.3 drops three of ten in a row."""
    thousandths = round(share * 1000)
    return number * thousandths // 1000 > (number - 1) * thousandths // 1000


def deliveries(
    account: str, url: str, params: Mapping[str, str], faults: Faults, *, drop: bool
) -> Iterator[tuple[Delivery, list[str]]]:
    """Yield each delivery of a notification with the names of its faults."""
    delivery = Delivery(
        url=url,
        params=params,
        params_in=faults.params_in,
        own_in_query=faults.own_in_query,
        key=next(iter(conf.access_tokens(account)), None),
        has_bad_signature=faults.bad_signature,
    )
    named = {"delayed": faults.delay > 0, "dropped": drop, "bad_signature": faults.bad_signature}
    active_faults = [name for name, is_on in named.items() if is_on]
    yield delivery, active_faults
    if faults.duplicate and not drop:
        yield delivery, [*active_faults, "duplicate"]


def log_fields(delivery: Delivery, faults: list[str], *, state: str) -> dict[str, Any]:
    """Return the log entry's fields for a notification without a response yet."""
    path = urlsplit(delivery.url).path
    return {
        "kind": kind_of(delivery.params, Route.ANY).value,
        # The token of a signed URL is a secret.
        "path": masking.line(path),
        "params_in": delivery.params_in,
        "params": dict(delivery.params),
        "pass_on": {**dict(parse_qsl(urlsplit(delivery.url).query, keep_blank_values=True)), **_signed_values(path)},
        "state": state,
        "status": None,
        "error": "",
        "faults": faults,
    }


def _signed_values(path: str) -> Mapping[str, Any]:
    """Return the pass-on parameters in a signed notify URL."""
    try:
        found = resolve(path).kwargs
    except Resolver404:
        return {}
    if "token" not in found or found.get("route") not in Route.values:
        return {}
    return verify(found["route"], found["token"], b"", None).pass_on
