"""Error statuses of Hoiio's API, and phone numbers that provoke them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .delivery import InvalidUrl, UnknownHost, loopback_address

# The digit after +6500000 decides; two more follow.
_SPECIAL = re.compile(r"\+6500000([1-9])\d\d")

# How a call to it comes out, and what becomes of an SMS.
_CALLS = {"1": "failed", "2": "busy", "3": "unanswered", "4": "ongoing", "9": "failed"}
_SMS = {
    "1": ("queued", "failed"),
    "2": ("queued", "failed"),
    "3": ("queued", "failed"),
    "4": ("queued",),
    "9": ("error",),
}

# What a request that names it is refused with; the name of the parameter goes into the first.
_REFUSALS = {
    "5": "error_{}_not_supported",
    "6": "error_insufficient_credit",
    "7": "error_not_allowed_for_trial",
    "8": "error_internal_server_error",
}


def call_outcome(number: str) -> str:
    """`answered`, `failed`, `busy`, `unanswered`, or `ongoing`: answered, and going on until it is hung up."""
    return _CALLS.get(_digit(number), "answered")


def sms_outcome(number: str) -> tuple[str, ...]:
    """The words of the reports that follow."""
    return _SMS.get(_digit(number), ("queued", "delivered"))


def error_of_number(number: str, name: str) -> str | None:
    """The status word that a request with this number in that parameter is refused with."""
    word = _REFUSALS.get(_digit(number))
    return word and word.format(name)


def _digit(number: str) -> str:
    found = _SPECIAL.fullmatch(number)
    return found[1] if found else ""


# Characters.
MAX_URL_LENGTH = 4000
MAX_TAG_LENGTH = 256

NUMBER = re.compile(r"\+[0-9]{5,15}")


class ApiError(Exception):
    """Hoiio answers with this status word."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class ApiRequest:
    """A request of a known application."""

    account: str
    params: Mapping[str, str]

    def text(self, name: str, default: str = "") -> str:
        """A parameter; an empty one is as good as none."""
        return self.params.get(name) or default

    def whole(self, name: str, default: int, most: int, *, status: str) -> int:
        """A whole number from 0 to the most."""
        text = self.text(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) <= most):
            raise ApiError(status)
        return int(text)

    def number(self, name: str, default: str = "") -> str:
        """A phone number that can be called or written to."""
        return phone_number(self.text(name, default), name)

    def numbers(self, name: str, most: int) -> list[str]:
        """Phone numbers with commas between."""
        texts = [text.strip() for text in self.text(name).split(",")]
        if len(texts) > most:
            raise ApiError(f"error_{name}_too_many")
        return [phone_number(text, name) for text in texts]


def phone_number(text: str, name: str) -> str:
    if not NUMBER.fullmatch(text):
        raise ApiError(f"error_{name}_invalid")
    status = error_of_number(text, name)
    if status:
        raise ApiError(status)
    return text


def check_tag(asked: ApiRequest) -> None:
    if len(asked.text("tag")) > MAX_TAG_LENGTH:
        raise ApiError("error_tag_invalid_length")


def check_url(url: str, *, invalid: str, unresolved: str) -> None:
    """The sandbox would post to it: an http URL of this machine."""
    if len(url) > MAX_URL_LENGTH:
        raise ApiError(invalid)
    try:
        loopback_address(url)
    except InvalidUrl as error:
        raise ApiError(invalid) from error
    except UnknownHost as error:
        raise ApiError(unresolved) from error
