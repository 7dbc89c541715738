"""A notification between the exchange and the wire: with its faults, and as the telephone shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.urls import Resolver404, resolve

from .. import masking
from ..conf import conf
from ..kinds import Route
from ..parsing.classifying import kind_of
from ..verification import verify
from .posting import Letter
from .records import Faults


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
