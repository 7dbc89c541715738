from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from django.core import signing
from django.core.exceptions import ImproperlyConfigured
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from django_hoiio.enums import Route, VerifiedBy
from django_hoiio.verification import SALT, VerificationResult, _signed_by, sign, verify

BODY = b"txn_ref=AA-S-1"


@pytest.fixture(autouse=True)
def _keys(settings: Any) -> None:
    _signed_by.cache_clear()
    settings.SECRET_KEY = "secret"
    settings.SECRET_KEY_FALLBACKS = ["older"]
    settings.HOIIO = {"ACCOUNTS": {"default": {"ACCESS_TOKEN": "one"}, "second": {"ACCESS_TOKEN": ["two", "three"]}}}


def hoiio_signs(body: bytes, token: str) -> str:
    return hmac.new(token.encode(), body, hashlib.sha256).hexdigest()


def test_verified_token_returns_its_account_and_pass_on_values() -> None:
    token = sign(Route.SMS, "second", {"username": "bob"})

    assert verify(Route.SMS, token, b"", None) == VerificationResult(
        verified_by=VerifiedBy.URL, account="second", pass_on={"username": "bob"}, problems={}
    )


def test_verified_token_returns_its_block_unchanged() -> None:
    block = {"kind": "ivr_play", "step": 2, "run": [1, None]}
    token = sign(Route.IVR, "second", {"username": "bob"}, block)

    expected = VerificationResult(
        verified_by=VerifiedBy.URL, account="second", pass_on={"username": "bob"}, block=block, problems={}
    )
    assert verify(Route.IVR, token, b"", None) == expected
    assert verify(Route.IVR, token, BODY, "x") == expected._replace(problems={"signature": "does not match the body"})


def test_token_without_a_block_is_as_short_as_without_blocks() -> None:
    signer = signing.Signer(key="secret", sep="~", salt=SALT)

    assert sign(Route.IVR, "default", {}, {}) == signer.sign_object(["ivr", "default", {}])
    assert sign(Route.IVR, "default", {}) == signer.sign_object(["ivr", "default", {}])


@given(pass_on=st.dictionaries(st.text(), st.text() | st.integers()))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_token_has_only_unreserved_characters(pass_on: dict[str, Any]) -> None:
    token = sign(Route.ANY, "default", pass_on)

    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    assert verify(Route.ANY, token, b"", None).pass_on == pass_on


NOT_VALID = VerificationResult(problems={"token": "the token of the notify URL is not valid"})


@pytest.mark.parametrize("token", ["", "~", "x", "a~b~c", "é", "\0", "~" * 5000, "W10~W10", "%7E"])
def test_malformed_token_verifies_nothing(token: str) -> None:
    assert verify(Route.SMS, token, b"", None) == NOT_VALID


def test_changed_token_verifies_nothing() -> None:
    token = sign(Route.SMS, "default", {"username": "bob"})

    for place, character in enumerate(token):
        other = "A" if character != "A" else "B"
        changed = token[:place] + other + token[place + 1 :]
        # The last character of a signature has two unused bits.
        if place < len(token) - 1:
            assert verify(Route.SMS, changed, b"", None) == NOT_VALID
    assert verify(Route.SMS, token[:-1], b"", None) == NOT_VALID
    assert verify(Route.SMS, token + "A", b"", None) == NOT_VALID


@pytest.mark.parametrize("route", [route for route in Route if route != Route.SMS])
def test_token_of_another_route_verifies_nothing(route: Route) -> None:
    assert verify(route, sign(Route.SMS, "default", {}), b"", None) == VerificationResult(
        problems={"token": "the notify URL was signed for the route sms"}
    )


@pytest.mark.parametrize(("key", "salt"), [("other", SALT), ("secret", "django.core.signing"), ("secret", "x")])
def test_token_of_another_key_or_salt_verifies_nothing(key: str, salt: str) -> None:
    token = signing.Signer(key=key, sep="~", salt=salt).sign_object(["sms", "default", {}])

    assert verify(Route.SMS, token, b"", None) == NOT_VALID


def test_old_key_still_verifies_and_is_reported(settings: Any) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "older", []
    token = sign(Route.SMS, "default", {})
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "secret", ["older"]

    verdict = verify(Route.SMS, token, b"", None)
    assert verdict.verified_by == VerifiedBy.URL
    assert verdict.problems == {"token": "the notify URL was signed with an old key; give Hoiio a new URL"}

    settings.SECRET_KEY_FALLBACKS = []
    assert verify(Route.SMS, token, b"", None) == NOT_VALID


def test_signing_keys_replace_the_secret_key(settings: Any) -> None:
    token = sign(Route.SMS, "default", {})
    settings.HOIIO = {"SIGNING_KEYS": ["mine"]}

    assert verify(Route.SMS, token, b"", None) == NOT_VALID
    assert verify(Route.SMS, sign(Route.SMS, "default", {}), b"", None).verified_by == VerifiedBy.URL


@pytest.mark.parametrize(("token", "account"), [("one", "default"), ("two", "second"), ("three", "second")])
def test_signature_of_the_body_verifies_and_identifies_the_account(token: str, account: str) -> None:
    expected = VerificationResult(verified_by=VerifiedBy.SIGNATURE, account=account)

    assert verify(Route.SMS, None, BODY, hoiio_signs(BODY, token)) == expected
    assert verify(Route.SMS, None, BODY, f" {hoiio_signs(BODY, token).upper()} ") == expected


@pytest.mark.parametrize(
    "signature",
    ["", "x", "é", "0" * 64, hoiio_signs(BODY, "four"), hoiio_signs(b"other", "one"), hoiio_signs(BODY, "one")[:-1]],
)
def test_other_signatures_verify_nothing(signature: str) -> None:
    assert verify(Route.SMS, None, BODY, signature) == VerificationResult(
        problems={"signature": "does not match the body"}
    )


def test_signature_of_an_empty_body_verifies_nothing() -> None:
    assert verify(Route.SMS, None, b"", hoiio_signs(b"", "one")) == VerificationResult(
        problems={"signature": "matches, but the body is empty, which verifies nothing"}
    )


def test_signature_of_another_account_beside_a_signed_url_is_named() -> None:
    token = sign(Route.SMS, "second", {"username": "bob"})
    by_url = VerificationResult(verified_by=VerifiedBy.URL, account="second", pass_on={"username": "bob"})

    assert verify(Route.SMS, token, BODY, hoiio_signs(BODY, "two")) == by_url
    assert verify(Route.SMS, token, BODY, hoiio_signs(BODY, "one")) == by_url._replace(
        problems={"signature": "does not match the body"}
    )


def test_signature_verifies_in_place_of_a_token_that_is_not_valid() -> None:
    assert verify(Route.SMS, "x", BODY, hoiio_signs(BODY, "two")) == NOT_VALID._replace(
        verified_by=VerifiedBy.SIGNATURE, account="second"
    )


def test_signature_that_no_access_token_can_check_is_passed_over(settings: Any) -> None:
    settings.HOIIO = {}

    assert verify(Route.SMS, None, BODY, hoiio_signs(BODY, "")) == VerificationResult()
    assert verify(Route.SMS, sign(Route.SMS, "default", {}), BODY, "x").problems == {}


def test_request_without_token_and_signature_is_not_verified() -> None:
    assert verify(Route.SMS, None, BODY, None) == VerificationResult()


# Blank secrets.


@pytest.mark.parametrize("blank", ["", " ", "\n", "\t \r\n"])
def test_blank_token_verifies_nothing(settings: Any, blank: str) -> None:
    for tokens in (["real", blank], blank, [blank], (blank, "real")):
        settings.HOIIO = {"ACCOUNTS": {"default": {"ACCESS_TOKEN": tokens}}}

        assert verify(Route.SMS, None, BODY, hoiio_signs(BODY, blank)).verified_by == VerifiedBy.NONE


def test_token_beside_a_blank_one_still_verifies(settings: Any) -> None:
    settings.HOIIO = {"ACCOUNTS": {"default": {"ACCESS_TOKEN": ["", "real", None]}}}

    assert verify(Route.SMS, None, BODY, hoiio_signs(BODY, "real")).verified_by == VerifiedBy.SIGNATURE


def forged_with(key: str) -> str:
    """Return a token signed with a blank key; Django's signer takes the secret key instead of an empty one."""
    payload = signing.b64_encode(b'["sms","default",{}]').decode()
    return f"{payload}~{signing.base64_hmac(f'{SALT}signer', payload, key, algorithm='sha256')}"


@pytest.mark.parametrize("keys", [[""], [" ", "\n"], [None], "", " "])
def test_blank_keys_sign_and_verify_nothing(settings: Any, keys: Any) -> None:
    by_secret_key = sign(Route.SMS, "default", {})
    settings.HOIIO = {"SIGNING_KEYS": keys}

    for token in (by_secret_key, forged_with(""), forged_with(" "), forged_with("\n")):
        assert verify(Route.SMS, token, b"", None) == NOT_VALID
    with pytest.raises(ImproperlyConfigured) as refusal:
        sign(Route.SMS, "default", {})
    assert str(refusal.value) == (
        "HOIIO['SIGNING_KEYS'] has only blank keys; write a long random string, or remove SIGNING_KEYS to sign with"
        " SECRET_KEY."
    )


def test_key_beside_a_blank_one_still_signs_and_verifies(settings: Any) -> None:
    settings.HOIIO = {"SIGNING_KEYS": ["", "mine"]}

    assert verify(Route.SMS, sign(Route.SMS, "default", {}), b"", None) == VerificationResult(
        verified_by=VerifiedBy.URL
    )


def test_text_in_place_of_the_list_of_keys_is_one_key(settings: Any) -> None:
    """If it were read as a list of characters, each character could sign."""
    settings.HOIIO = {"SIGNING_KEYS": "mine"}

    assert verify(Route.SMS, forged_with("m"), b"", None) == NOT_VALID
    assert verify(Route.SMS, forged_with("mine"), b"", None) == VerificationResult(verified_by=VerifiedBy.URL)


def test_blank_fallback_of_the_secret_key_verifies_nothing(settings: Any) -> None:
    settings.SECRET_KEY_FALLBACKS = ["", " "]

    for blank in ("", " "):
        assert verify(Route.SMS, forged_with(blank), b"", None) == NOT_VALID
    assert verify(Route.SMS, forged_with("secret"), b"", None).verified_by == VerifiedBy.URL


# Tokens signed with the right key, but not made by `sign`.


@pytest.mark.parametrize(
    "signed",
    [
        {"a": 1},
        ["sms", "default"],
        ["sms", "default", {}, 1],
        ["sms", None, {}],
        [1, "default", {}],
        ["sms", "default", []],
        ["sms", "default", {}, []],
        ["sms", "default", {}, None],
        ["sms", "default", {}, {}, {}],
        "sms",
        1,
        None,
    ],
)
def test_signed_token_of_another_shape_verifies_nothing(signed: Any) -> None:
    token = signing.Signer(key="secret", sep="~", salt=SALT).sign_object(signed)

    assert verify(Route.SMS, token, b"", None) == NOT_VALID


@pytest.mark.parametrize("payload", [".", ".eJyL", "!", "/w", "W10", "a", "é", "WyJ", "W1tbW1tbW1tbW1tbW1tbW1t"])
def test_signed_payload_that_cannot_be_decoded_verifies_nothing(payload: str) -> None:
    token = signing.Signer(key="secret", sep="~", salt=SALT).sign(payload)

    assert verify(Route.SMS, token, b"", None) == NOT_VALID


def test_compressed_token_verifies_nothing() -> None:
    signer = signing.Signer(key="secret", sep="~", salt=SALT)
    token = signer.sign_object(["sms", "default", {"x": "y" * 500}], compress=True)

    assert token.startswith(".")
    assert verify(Route.SMS, token, b"", None) == NOT_VALID
