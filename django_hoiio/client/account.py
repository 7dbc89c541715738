"""The account, its Hoiio Numbers, and where their notifications are posted."""

from __future__ import annotations

import re
from typing import Literal

from django.views.decorators.debug import sensitive_variables

from django_hoiio.enums import Route
from django_hoiio.notify_urls import notify_url

from . import endpoints
from .resource import PassOn, Resource
from .responses import BalanceResponse, HoiioResponse, Number, NumbersResponse, UserResponse


class NumberResource(Resource):
    """The account's Hoiio Numbers."""

    def get_active(self) -> NumbersResponse:
        """The numbers, and what each is set to."""
        return self._request(endpoints.NUMBER_GET_ACTIVE, {})

    def update_forwarding(
        self,
        *,
        number: str,
        forward_to: str | None = None,
        forward_sms_to: str | None = None,
        mode: Literal["voice", "fax"] | None = None,
    ) -> HoiioResponse:
        """Set where a number's notifications go: of calls, or with `mode="fax"` of faxes, and of SMS.

        The URLs come from `notify_url`; `manage.py hoiio_urls --number … --configure` does all of it.
        """
        params = {"number": number, "forward_to": forward_to, "forward_sms_to": forward_sms_to, "mode": mode}
        return self._request(endpoints.NUMBER_UPDATE_FORWARDING, params)


class UserResource(Resource):
    """The account itself."""

    def get_balance(self) -> BalanceResponse:
        """The credit that is left. At most 60 times a minute."""
        return self._request(endpoints.USER_GET_BALANCE, {})

    def get_info(self) -> UserResponse:
        """Whose account it is."""
        return self._request(endpoints.USER_GET_INFO, {})


# What a number must be capable of for a parameter of update_forwarding, and the route of its URL.
_VOICE, _FAX, _SMS = ("VOICE", Route.IVR), ("FAX", Route.FAX), ("SMS", Route.SMS)


def find_number(numbers: NumbersResponse, number: str) -> Number:
    """The account's number that has these digits. Raises `LookupError`."""
    for each in numbers.entries:
        if _digits(each.number) == _digits(number):
            return each
    raise LookupError("The account has no such number; Hoiio's portal lists its numbers.")


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
def configure_number(numbers: NumberResource, number: Number, urls: dict[str, str]) -> None:
    """Set the URLs that `urls_for` gave. The mode stays what it is: Hoiio takes a mode that is left out for `voice`."""
    mode: Literal["voice", "fax"] = "fax" if number.mode == "fax" else "voice"
    numbers.update_forwarding(
        number=number.number, mode=mode, forward_to=urls.get("forward_to"), forward_sms_to=urls.get("forward_sms_to")
    )
