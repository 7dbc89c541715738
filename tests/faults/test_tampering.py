"""Forged, borrowed and altered tokens and signatures are all refused without a query."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import string
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import signing
from django.test import Client

from django_hoiio.enums import Route
from django_hoiio.models import Notification
from django_hoiio.verification import SALT, SEPARATOR, sign

from .conftest import Figures
from .processes import FORM

pytestmark = pytest.mark.django_db

BODY = b"txn_ref=AA-S-1&sms_status=delivered"
UNRESERVED = string.ascii_letters + string.digits + "-._~"

# A path below /hoiio/, and the signature in the header if any.
Attempt = tuple[str, str | None]


def _signature(token: str, body: bytes) -> str:
    return hmac.new(token.encode(), body, hashlib.sha256).hexdigest()


def _altered(text: str, alphabet: str, chance: random.Random) -> str:
    """Return the text with some characters replaced, removed, added or case-swapped."""
    while True:
        new = list(text)
        for _ in range(chance.choice([1, 1, 1, 2, 5])):
            at = chance.randrange(len(new))
            match chance.randrange(5):
                case 0 | 1:
                    new[at] = chance.choice(alphabet)
                case 2:
                    del new[at]
                case 3:
                    new.insert(at, chance.choice(alphabet))
                case 4:
                    new[at] = new[at].swapcase()
        # An empty token would be another path.
        if "".join(new) not in ("", text):
            return "".join(new)


def _signed_with(key: str, salt: str, what: list[Any]) -> str:
    return signing.Signer(key=key, sep=SEPARATOR, salt=salt, fallback_keys=[]).sign_object(what)


def _spliced(route: Route, account: str, pass_on: dict[str, Any]) -> str:
    """Return a token with other content under the signature of an unrelated token."""
    content = json.dumps([route.value, account, pass_on], separators=(",", ":")).encode()
    _, _, signature = sign(Route.SMS, "default", {}).rpartition(SEPARATOR)
    return f"{signing.b64_encode(content).decode()}{SEPARATOR}{signature}"


def _altered_tokens(chance: random.Random) -> Iterator[Attempt]:
    for number in range(500):
        token = sign(Route.SMS, "default", {"username": f"bob{number}"})
        yield f"sms/{_altered(token, UNRESERVED, chance)}/", None


def _borrowed_tokens(chance: random.Random) -> Iterator[Attempt]:
    for number in range(50):
        pass_on = {"number": number}
        route, other = chance.sample([*Route], 2)
        content = [route.value, "default", pass_on]
        yield f"{other.value}/{sign(route, 'default', pass_on)}/", None
        yield f"{route.value}/{_signed_with('another key', SALT, content)}/", None
        yield f"{route.value}/{_signed_with('tests', 'another salt', content)}/", None
        yield f"{route.value}/{signing.dumps(content, key='tests', salt=SALT)}/", None
        yield f"{route.value}/{_spliced(route, 'second', pass_on)}/", None
        yield f"{route.value}/{_spliced(route, 'default', pass_on)}/", None


def _forged_signatures(chance: random.Random) -> Iterator[Attempt]:
    right = _signature("first token", BODY)
    for _ in range(150):
        # Upper and lower case are the same to a hex signature, and so is white space around it.
        yield "sms/", _altered(right, string.digits + "abcdef", chance).lower().replace(right, "")
    for number in range(30):
        yield "sms/", _signature(f"another token {number}", BODY)
        yield "sms/", _signature("first token", BODY + b"&x=%d" % number)
        yield "sms/", _signature("tests", BODY)
        yield "sms/", hmac.new(b"first token", BODY, hashlib.sha1 if number % 2 else hashlib.sha512).hexdigest()
        # A bad signature does not make a bad token acceptable.
        yield f"sms/{_spliced(Route.SMS, 'second', {})}/", _signature("", BODY + b"&x=%d" % number)


def test_forged_or_borrowed_tokens_and_signatures_are_refused(
    settings: Any, django_assert_num_queries: Any, figures: Figures
) -> None:
    settings.HOIIO = {
        "ACCOUNTS": {"default": {"ACCESS_TOKEN": ["first token", "old token"]}, "second": {"ACCESS_TOKEN": "second"}}
    }
    chance = random.Random(random.randrange(2**32))
    attempts = [*_altered_tokens(chance), *_borrowed_tokens(chance), *_forged_signatures(chance)]
    client = Client(enforce_csrf_checks=True)

    with django_assert_num_queries(0):
        answers = {attempt: _post(client, *attempt) for attempt in attempts}

    assert len(attempts) >= 1000
    assert {attempt: answer for attempt, answer in answers.items() if answer != (403, b"")} == {}
    assert Notification.objects.count() == 0
    # Valid ones are accepted.
    assert _post(client, f"sms/{sign(Route.SMS, 'default', {})}/", None) == (200, b"")
    assert _post(client, "sms/", _signature("first token", BODY)) == (200, b"")
    figures(requests=len(attempts), answered_403=len(attempts), queries=0, rows=0)


def _post(client: Client, path: str, signature: str | None) -> tuple[int, bytes]:
    headers = {} if signature is None else {"X-Hoiio-Signature": signature}
    response = client.generic("POST", f"/hoiio/{path}", BODY, content_type=FORM, headers=headers)
    return response.status_code, response.content
