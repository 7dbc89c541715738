"""Setting where the notifications of a Hoiio Number go."""

from __future__ import annotations

import re
from typing import Literal

from django.views.decorators.debug import sensitive_variables

from ..kinds import Route
from ..notify_urls import notify_url
from .account import NumberGroup
from .answers import Number, Numbers
from .group import PassOn

# What a number must be capable of for a parameter of update_forwarding, and the route of its URL.
_VOICE, _FAX, _SMS = ("VOICE", Route.IVR), ("FAX", Route.FAX), ("SMS", Route.SMS)


def find(numbers: Numbers, number: str) -> Number:
    """The account's number that has these digits. Raises `LookupError`."""
    for each in numbers.entries:
        if _digits(each.number) == _digits(number):
            return each
    raise LookupError("The account has no such number; its numbers stand in Hoiio's portal.")


def _digits(number: str) -> str:
    return re.sub(r"\D", "", number, flags=re.ASCII)


def urls_for(number: Number, *, account: str, pass_on: PassOn = None) -> dict[str, str]:
    """The signed notify URLs that a number can take, by the parameters of `number.update_forwarding`.

    A number in the mode `fax` gets one for faxes, any other one for calls. Where Hoiio does not say what the number
    is capable of, it gets all of them.
    """
    wanted = {"forward_to": _FAX if number.mode == "fax" else _VOICE, "forward_sms_to": _SMS}
    return {
        name: notify_url(route, account=account, pass_on=pass_on)
        for name, (capability, route) in wanted.items()
        if capability in number.capabilities or not number.capabilities
    }


@sensitive_variables()
def configure(numbers: NumberGroup, number: Number, urls: dict[str, str]) -> None:
    """Set the URLs that `urls_for` gave. The mode stays what it is: Hoiio takes a mode that is left out for `voice`."""
    mode: Literal["voice", "fax"] = "fax" if number.mode == "fax" else "voice"
    numbers.update_forwarding(
        number=number.number, mode=mode, forward_to=urls.get("forward_to"), forward_sms_to=urls.get("forward_sms_to")
    )
