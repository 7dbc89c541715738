"""Verify notifications by the token of a signed notify URL or by Hoiio's signature of the body."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from django.core import signing
from django.core.exceptions import ImproperlyConfigured

from .conf import conf
from .enums import Route, VerifiedBy

# Separates payload and signature. The whole token is of unreserved URL characters, so that no proxy rewrites it.
SEPARATOR = "~"
SALT = "django_hoiio.notify_url"


class VerificationResult(NamedTuple):
    verified_by: VerifiedBy = VerifiedBy.NONE
    account: str = "default"
    # The values that the project signed with the URL, and those of the client about the block that it requested.
    pass_on: Mapping[str, Any] = {}
    block: Mapping[str, Any] = {}
    # Notes on the verification, by `token` (of the URL) and `signature` (the header).
    problems: Mapping[str, str] = {}


def sign(route: Route, account: str, pass_on: Mapping[str, Any], block: Mapping[str, Any] = {}) -> str:
    """Return the token of a notify URL, which signs the route, the account, the pass-on values and the block, if any.

    Raises `ImproperlyConfigured` if there is no key to sign with.
    """
    keys = conf.SIGNING_KEYS
    if not keys:
        raise ImproperlyConfigured(
            "HOIIO['SIGNING_KEYS'] has only blank keys; write a long random string, or remove SIGNING_KEYS to sign with"
            " SECRET_KEY."
        )
    return _signer(keys[0]).sign_object([route.value, account, pass_on, *([block] if block else [])])


def verify(route: Route, token: str | None, body: bytes, signature: str | None) -> VerificationResult:
    """Verify the token of the URL first, then Hoiio's signature of the body."""
    by_url = _verify_token(route, token) if token is not None else VerificationResult()
    if signature is None:
        return by_url
    by_signature = _verify_signature(body, signature, by_url)
    problems = {**by_url.problems, **by_signature.problems}
    if by_url.verified_by == VerifiedBy.NONE and by_signature.verified_by == VerifiedBy.SIGNATURE:
        return VerificationResult(verified_by=VerifiedBy.SIGNATURE, account=by_signature.account, problems=problems)
    return by_url._replace(problems=problems)


def _signer(key: str) -> signing.Signer:
    # No fallback keys, because the caller must know which key has signed.
    return signing.Signer(key=key, sep=SEPARATOR, salt=SALT, fallback_keys=[])


def _verify_token(route: Route, token: str) -> VerificationResult:
    number, payload = _signed_by(tuple(conf.SIGNING_KEYS), token)
    if number is None:
        return VerificationResult(problems={"token": "the token of the notify URL is not valid"})
    # Most tokens have no block.
    signed_route, account, pass_on, block = [*json.loads(payload), {}][:4]
    if signed_route != route.value:
        return VerificationResult(problems={"token": f"the notify URL was signed for the route {signed_route}"})
    problems = {"token": "the notify URL was signed with an old key; give Hoiio a new URL"} if number else {}
    return VerificationResult(
        verified_by=VerifiedBy.URL, account=account, pass_on=pass_on, block=block, problems=problems
    )


# Cached, because all notifications of a bulk SMS, or of a number, have the same URL.
@lru_cache(maxsize=256)
def _signed_by(keys: tuple[str, ...], token: str) -> tuple[int | None, str]:
    """Return the index of the key that signed the token, and the payload as JSON; `None` if no key did."""
    for number, key in enumerate(keys):
        try:
            payload = signing.b64_decode(_signer(key).unsign(token).encode()).decode()
        # Not signed with this key, or not in the format of `sign`: Django's signer can compress, for example.
        except (signing.BadSignature, ValueError):
            continue
        if _is_ours(payload):
            return number, payload
    return None, ""


def _is_ours(payload: str) -> bool:
    """Return whether the payload is a list of a route, an account, pass-on values and maybe a block, as of `sign`."""
    try:
        held = json.loads(payload)
    except (ValueError, RecursionError):
        return False
    return isinstance(held, list) and [type(each) for each in held] in ([str, str, dict], [str, str, dict, dict])


def _verify_signature(body: bytes, signature: str, by_url: VerificationResult) -> VerificationResult:
    """Verify Hoiio's HMAC of the body. The key is an access token of the signed URL's account, otherwise of any."""
    accounts = [by_url.account] if by_url.verified_by == VerifiedBy.URL else list(conf.ACCOUNTS)
    signed_for = [account for account in accounts if _is_signed_for(account, body, signature)]
    if not signed_for:
        has_token = any(conf.access_tokens(account) for account in accounts)
        return VerificationResult(problems={"signature": "does not match the body"} if has_token else {})
    if not body:
        return VerificationResult(problems={"signature": "matches, but the body is empty, which verifies nothing"})
    return VerificationResult(verified_by=VerifiedBy.SIGNATURE, account=signed_for[0])


def _is_signed_for(account: str, body: bytes, signature: str) -> bool:
    given = signature.strip().lower().encode()
    expected = [
        hmac.new(token.encode(), body, hashlib.sha256).hexdigest().encode() for token in conf.access_tokens(account)
    ]
    # Compare with all tokens, each in constant time, so that the timing does not show which one matches.
    matches = [hmac.compare_digest(given, one) for one in expected]
    return any(matches)
