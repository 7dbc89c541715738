"""The account, its Hoiio Numbers and their notify URLs."""

from __future__ import annotations

import re
from typing import Literal

from django.views.decorators.debug import sensitive_variables

from django_hoiio.enums import Route
from django_hoiio.notify_urls import notify_url

from . import endpoints, responses
from .resource import PassOn, Resource


class NumberResource(Resource):
    """The account's Hoiio Numbers, and numbers to subscribe to; how that is done is known from Hoiio's SDKs alone."""

    def get_active(self) -> responses.NumbersResponse:
        """Return the numbers and their settings."""
        return self._request(endpoints.NUMBER_GET_ACTIVE, {})

    def update_forwarding(
        self,
        *,
        number: str,
        forward_to: str | None = None,
        forward_sms_to: str | None = None,
        mode: Literal["voice", "fax"] | None = None,
    ) -> responses.HoiioResponse:
        """Set a number's notify URLs: `forward_to` for calls (for faxes with `mode="fax"`), `forward_sms_to` for SMS.

        `notify_url` makes the URLs. `manage.py hoiio_urls --number … --configure` makes and sets them.
        """
        params = {"number": number, "forward_to": forward_to, "forward_sms_to": forward_sms_to, "mode": mode}
        return self._request(endpoints.NUMBER_UPDATE_FORWARDING, params)

    def get_countries(self) -> responses.CountriesResponse:
        """Return the countries, and their states, that have numbers to subscribe to."""
        return self._request(endpoints.NUMBER_GET_COUNTRIES, {})

    def get_choices(self, *, country: str, state: str | None = None, page: int = 1) -> responses.NumbersResponse:
        """Return numbers to subscribe to, 20 on a page.

        `country` and `state` are codes of `get_countries`, such as SG, and US with CA. Raises `InvalidParameter` if the
        state is missing, or if there is no number.
        """
        return self._request(endpoints.NUMBER_GET_CHOICES, {"country": country, "state": state, "page": page})

    def get_rates(self, *, country: str) -> responses.NumberRatesResponse:
        """Return what a number of this country costs. A rate is for all months of the subscription together."""
        return self._request(endpoints.NUMBER_GET_RATES, {"country": country})

    def subscribe(self, *, number: str, duration: int | Literal["auto_extend"]) -> responses.SubscriptionResponse:
        """Subscribe to a number, or extend its subscription, and pay for it.

        `duration` is in months: 1, 3 or 12; `auto_extend` pays for a month, again and again. Raises
        `InvalidParameter` if the number is not available, `InsufficientCredit`, and `NotPermitted` for a trial account.
        """
        return self._request(endpoints.NUMBER_SUBSCRIBE, {"number": number, "duration": duration})


class UserResource(Resource):
    """The account itself."""

    def get_balance(self) -> responses.BalanceResponse:
        """Return the remaining credit. Hoiio allows 60 requests a minute."""
        return self._request(endpoints.USER_GET_BALANCE, {})

    def get_info(self) -> responses.UserResponse:
        """Return the account's owner and settings."""
        return self._request(endpoints.USER_GET_INFO, {})


# The capability that a parameter of update_forwarding needs, and the route of its URL.
_VOICE, _FAX, _SMS = ("VOICE", Route.IVR), ("FAX", Route.FAX), ("SMS", Route.SMS)


def find_number(numbers: responses.NumbersResponse, number: str) -> responses.NumberResponse:
    """Return the account's number with these digits. Raises `LookupError`."""
    for each in numbers.entries:
        if digits(each.number) == digits(number):
            return each
    raise LookupError("The account has no such number; Hoiio's portal lists its numbers.")


def digits(number: str) -> str:
    """Return the digits of a number, however it is written."""
    return re.sub(r"\D", "", number, flags=re.ASCII)


def urls_for(
    number: responses.NumberResponse, *, account: str, pass_on: PassOn = None, urlconf: str | None = None
) -> dict[str, str]:
    """Return the signed notify URLs for a number, by parameter of `number.update_forwarding`.

    `forward_to` is a fax URL for a number in the mode `fax`, and a call URL for any other number. If Hoiio reports no
    capabilities, the number gets all URLs.
    """
    wanted = {"forward_to": _FAX if number.mode == "fax" else _VOICE, "forward_sms_to": _SMS}
    return {
        name: notify_url(route, account=account, pass_on=pass_on, urlconf=urlconf)
        for name, (capability, route) in wanted.items()
        if capability in number.capabilities or not number.capabilities
    }


@sensitive_variables()
def configure_number(numbers: NumberResource, number: responses.NumberResponse, urls: dict[str, str]) -> None:
    """Set the URLs that `urls_for` returned. Send the current mode, because Hoiio sets a missing mode to `voice`."""
    mode: Literal["voice", "fax"] = "fax" if number.mode == "fax" else "voice"
    numbers.update_forwarding(
        number=number.number, mode=mode, forward_to=urls.get("forward_to"), forward_sms_to=urls.get("forward_sms_to")
    )
