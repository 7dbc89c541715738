"""Error statuses of Hoiio's API, and phone numbers that provoke them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django_hoiio.notify_urls import MAX_URL_LENGTH

from .delivery import InvalidUrl, UnknownHost
from .exchange import Exchange

# The digit after +6500000 selects the outcome; any two digits follow.
_SPECIAL = re.compile(r"\+6500000([1-9])\d\d")

# Outcome of a call and reported statuses of an SMS, by that digit.
_CALLS = {"1": "failed", "2": "busy", "3": "unanswered", "4": "ongoing", "9": "failed"}
_SMS = {
    "1": ("queued", "failed"),
    "2": ("queued", "failed"),
    "3": ("queued", "failed"),
    "4": ("queued",),
    "9": ("error",),
}

# Error status of a request with such a number; `{}` is the name of the parameter.
_REFUSALS = {
    "5": "error_{}_not_supported",
    "6": "error_insufficient_credit",
    "7": "error_not_allowed_for_trial",
    "8": "error_internal_server_error",
}


def call_outcome(number: str) -> str:
    """Return `answered`, `failed`, `busy`, `unanswered`, or `ongoing`: answered, and lasting until hung up."""
    return _CALLS.get(_digit(number), "answered")


def sms_outcome(number: str) -> tuple[str, ...]:
    """Return the statuses to report, in order."""
    return _SMS.get(_digit(number), ("queued", "delivered"))


def error_of_number(number: str, name: str) -> str | None:
    """Return the error status for this number in the parameter `name`, if any."""
    word = _REFUSALS.get(_digit(number))
    return word and word.format(name)


def _digit(number: str) -> str:
    found = _SPECIAL.fullmatch(number)
    return found[1] if found else ""


# Characters.
MAX_TAG_LENGTH = 256

NUMBER_PATTERN = re.compile(r"\+[0-9]{5,15}")


class ApiError(Exception):
    """An error response of the API."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class ApiRequest:
    """An authenticated API request."""

    exchange: Exchange
    account: str
    params: Mapping[str, str]

    def text(self, name: str, default: str = "") -> str:
        """Return a parameter; an empty value counts as missing."""
        return self.params.get(name) or default

    def whole(self, name: str, default: int, most: int, *, status: str) -> int:
        """Return an integer from 0 to `most`; raise `ApiError` with `status` if it is not one."""
        text = self.text(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) <= most):
            raise ApiError(status)
        return int(text)

    def page(self, size: int) -> slice:
        """Return where the entries of the requested page are."""
        page = self.whole("page", 1, 10**8, status="error_page_invalid")
        if page < 1:
            raise ApiError("error_page_invalid")
        return slice((page - 1) * size, page * size)

    def number(self, name: str, default: str = "") -> str:
        """Return a phone number; raise `ApiError` if it is invalid or provokes an error."""
        return phone_number(self.text(name, default), name)

    def numbers(self, name: str, most: int) -> list[str]:
        """Return comma-separated phone numbers, at most `most` of them."""
        texts = [text.strip() for text in self.text(name).split(",")]
        if len(texts) > most:
            raise ApiError(f"error_{name}_too_many")
        return [phone_number(text, name) for text in texts]


def phone_number(text: str, name: str) -> str:
    if not NUMBER_PATTERN.fullmatch(text):
        raise ApiError(f"error_{name}_invalid")
    status = error_of_number(text, name)
    if status:
        raise ApiError(status)
    return text


def check_tag(request: ApiRequest) -> None:
    if len(request.text("tag")) > MAX_TAG_LENGTH:
        raise ApiError("error_tag_invalid_length")


def check_url(request: ApiRequest, name: str, *, invalid: str, unresolved: str) -> None:
    """Raise `ApiError` unless notifications can be posted to the URL in the parameter `name`."""
    url = request.text(name)
    if len(url) > MAX_URL_LENGTH:
        raise ApiError(invalid)
    try:
        request.exchange.line.check_url(url)
    except InvalidUrl as error:
        raise ApiError(invalid) from error
    except UnknownHost as error:
        raise ApiError(unresolved) from error
