"""What Hoiio refuses, by its status words, and the readers of parameters that refuse it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from . import outcomes
from .posting import NotAUrl, Unresolved, loopback_address

# Characters.
LONGEST_URL = 4000
LONGEST_TAG = 256

NUMBER = re.compile(r"\+[0-9]{5,15}")


class Refused(Exception):
    """Hoiio answers with this status word."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request of a known application."""

    account: str
    params: Mapping[str, str]

    def text(self, name: str, default: str = "") -> str:
        """A parameter; an empty one is as good as none."""
        return self.params.get(name) or default

    def whole(self, name: str, default: int, most: int, *, refused: str) -> int:
        """A whole number from 0 to the most."""
        text = self.text(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) <= most):
            raise Refused(refused)
        return int(text)

    def number(self, name: str, default: str = "") -> str:
        """A phone number that can be called or written to."""
        return phone_number(self.text(name, default), name)

    def numbers(self, name: str, most: int) -> list[str]:
        """Phone numbers with commas between."""
        texts = [text.strip() for text in self.text(name).split(",")]
        if len(texts) > most:
            raise Refused(f"error_{name}_too_many")
        return [phone_number(text, name) for text in texts]


def phone_number(text: str, name: str) -> str:
    if not NUMBER.fullmatch(text):
        raise Refused(f"error_{name}_invalid")
    refusal = outcomes.refusal(text, name)
    if refusal:
        raise Refused(refusal)
    return text


def check_tag(asked: Asked) -> None:
    if len(asked.text("tag")) > LONGEST_TAG:
        raise Refused("error_tag_invalid_length")


def check_url(url: str, *, invalid: str, unresolved: str) -> None:
    """The sandbox would post to it: an http URL of this machine."""
    if len(url) > LONGEST_URL:
        raise Refused(invalid)
    try:
        loopback_address(url)
    except NotAUrl as error:
        raise Refused(invalid) from error
    except Unresolved as error:
        raise Refused(unresolved) from error
