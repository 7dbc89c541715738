"""Numbers that come out badly, so that failures can be tried. No real number begins like these."""

from __future__ import annotations

import re

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


def of_call(number: str) -> str:
    """`answered`, `failed`, `busy`, `unanswered`, or `ongoing`: answered, and going on until it is hung up."""
    return _CALLS.get(_digit(number), "answered")


def of_sms(number: str) -> tuple[str, ...]:
    """The words of the reports that follow."""
    return _SMS.get(_digit(number), ("queued", "delivered"))


def refusal(number: str, name: str) -> str | None:
    """The status word that a request with this number in that parameter is refused with."""
    word = _REFUSALS.get(_digit(number))
    return word and word.format(name)


def _digit(number: str) -> str:
    found = _SPECIAL.fullmatch(number)
    return found[1] if found else ""
