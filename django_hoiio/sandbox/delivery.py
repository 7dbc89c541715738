"""Build, sign and post notifications. Redirects are not followed."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

from django.urls import Resolver404, resolve

from django_hoiio import masking
from django_hoiio.conf import conf
from django_hoiio.enums import Route
from django_hoiio.parsing.classifying import kind_of
from django_hoiio.verification import verify

FORM = "application/x-www-form-urlencoded"
SIGNATURE = "X-Hoiio-Signature"
WAYS = ("body", "query", "both")

# Seconds to wait for the answer.
PATIENCE = 30

_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"https?://[!-~]+", re.I)
# What may stand in a request line, but for what would end the query string there.
_AS_IT_IS = "".join(map(chr, range(0x21, 0x7F))).replace("#", "")


class NotAUrl(Exception):
    """It cannot be posted to: it is no absolute http or https URL, or its host is not this machine."""


class Unresolved(Exception):
    """Its host has no address."""


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What goes wrong with the notifications from now on."""

    by: str = "body"
    # Seconds.
    late: float = 0
    twice: bool = False
    # From 0 to 1: of so many, spread evenly and the same in each run.
    lost_share: float = 0
    wrong_signature: bool = False

    @property
    def lost(self) -> bool:
        return self.lost_share == 1


@dataclass(frozen=True, kw_only=True)
class Raw:
    """A request to the letter, instead of parameters that are put into one."""

    # Percent-encoded, without the question mark.
    query: str = ""
    body: bytes = b""
    content_type: str = FORM


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A notification with its address. Without a key it bears no signature."""

    url: str
    params: Mapping[str, str]
    by: str = "body"
    # What goes out instead of the parameters.
    raw: Raw | None = None
    key: str | None = None
    is_forged: bool = False


class Sealed(NamedTuple):
    """What goes over the wire."""

    target: str
    body: bytes
    headers: dict[str, str]


def seal(letter: Letter) -> Sealed:
    """Add the query string behind what the project put into the URL, and sign the body."""
    parts, raw = _split(letter.url), letter.raw or _raw(letter)
    query = "&".join(filter(None, [parts.query, quote(raw.query, safe=_AS_IT_IS)]))
    headers = {
        "Host": parts.netloc,
        "Content-Type": raw.content_type,
        "User-Agent": "django_hoiio sandbox",
        "Connection": "close",
    }
    if letter.key is not None:
        headers[SIGNATURE] = _signature(letter.key, raw.body, is_forged=letter.is_forged)
    return Sealed((parts.path or "/") + (f"?{query}" if query else ""), raw.body, headers)


def _raw(letter: Letter) -> Raw:
    """Put Hoiio's parameters into the body or the query string."""
    form = urlencode(letter.params)
    return Raw(
        query=form if letter.by in ("query", "both") else "",
        body=form.encode() if letter.by in ("body", "both") else b"",
    )


def post(letter: Letter, *, loopback_only: bool) -> int:
    """Post it and give the status of the answer.

    Raises `NotAUrl`, `Unresolved`, `OSError` or `http.client.HTTPException` where there is none.
    """
    parts, sealed = _split(letter.url), seal(letter)
    # Connecting to the address that was looked at leaves no time for the name to mean another machine.
    host = loopback_address(letter.url) if loopback_only else parts.hostname or ""
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    with closing(connect(host, parts.port or _PORTS[parts.scheme], timeout=PATIENCE)) as connection:
        connection.request("POST", sealed.target, sealed.body, sealed.headers)
        return connection.getresponse().status


def loopback_address(url: str) -> str:
    """Look up the host of a URL; raises `NotAUrl` unless it is http and every address is this machine's."""
    parts = _split(url)
    if parts.scheme != "http":
        raise NotAUrl("the sandbox posts to http alone")
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unresolved("its host has no address") from error
    addresses = [str(address[0]) for *_, address in found]
    if not addresses or not all(_is_loopback(address) for address in addresses):
        raise NotAUrl("the sandbox posts to this machine alone")
    return addresses[0]


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _split(url: str) -> SplitResult:
    if not _URL.fullmatch(url):
        raise NotAUrl("it is no absolute http or https URL")
    try:
        parts = urlsplit(url)
        is_usable = bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError as error:
        raise NotAUrl("it cannot be read") from error
    if not is_usable:
        raise NotAUrl("it has no host, or a user name")
    return parts


def _signature(key: str, body: bytes, *, is_forged: bool) -> str:
    """Hoiio signs the body with the access token of the application."""
    signed = hmac.new(key.encode(), body + b"forged" * is_forged, hashlib.sha256)
    return signed.hexdigest()


def is_lost(number: int, share: float) -> bool:
    """Whether the notification of that number, from 1, gets lost: of ten in a row, three for a share of 0.3."""
    thousandths = round(share * 1000)
    return number * thousandths // 1000 > (number - 1) * thousandths // 1000


def letters(
    account: str, url: str, params: Mapping[str, str], faults: Faults, *, lost: bool
) -> Iterator[tuple[Letter, list[str]]]:
    """Address a notification as often as it goes out, each with the names of the faults that it bears."""
    letter = Letter(
        url=url,
        params=params,
        by=faults.by,
        key=next(iter(conf.access_tokens(account)), None),
        is_forged=faults.wrong_signature,
    )
    named = {"late": faults.late > 0, "lost": lost, "wrong_signature": faults.wrong_signature}
    bears = [name for name, is_on in named.items() if is_on]
    yield letter, bears
    if faults.twice and not lost:
        yield letter, [*bears, "twice"]


def shown(letter: Letter, faults: list[str], *, state: str) -> dict[str, Any]:
    """What the telephone shows of a notification that has not been answered yet."""
    path = urlsplit(letter.url).path
    return {
        "kind": kind_of(letter.params, Route.ANY).value,
        # The token of a signed URL is a secret.
        "path": masking.line(path),
        "by": letter.by,
        "params": dict(letter.params),
        "pass_on": {**dict(parse_qsl(urlsplit(letter.url).query, keep_blank_values=True)), **_signed_values(path)},
        "state": state,
        "status": None,
        "error": "",
        "faults": faults,
    }


def _signed_values(path: str) -> Mapping[str, Any]:
    """What the project put into a notify URL that it signed."""
    try:
        found = resolve(path).kwargs
    except Resolver404:
        return {}
    if "token" not in found or found.get("route") not in Route.values:
        return {}
    return verify(found["route"], found["token"], b"", None).pass_on
