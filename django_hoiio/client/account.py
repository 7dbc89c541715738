"""The numbers of the account, and the account itself."""

from __future__ import annotations

from typing import Literal

from . import endpoints
from .answers import Answer, Balance, Numbers, User
from .group import Group


class NumberGroup(Group):
    """The account's Hoiio Numbers."""

    def get_active(self) -> Numbers:
        """The numbers, and what each is set to."""
        return self._ask(endpoints.NUMBER_GET_ACTIVE, {})

    def update_forwarding(
        self,
        *,
        number: str,
        forward_to: str | None = None,
        forward_sms_to: str | None = None,
        mode: Literal["voice", "fax"] | None = None,
    ) -> Answer:
        """Set where a number's notifications go: of calls, or with `mode="fax"` of faxes, and of SMS.

        The URLs come from `notify_url`; `manage.py hoiio_urls --number … --configure` does all of it.
        """
        params = {"number": number, "forward_to": forward_to, "forward_sms_to": forward_sms_to, "mode": mode}
        return self._ask(endpoints.NUMBER_UPDATE_FORWARDING, params)


class UserGroup(Group):
    """The account itself."""

    def get_balance(self) -> Balance:
        """The credit that is left. At most 60 times a minute."""
        return self._ask(endpoints.USER_GET_BALANCE, {})

    def get_info(self) -> User:
        """Whose account it is."""
        return self._ask(endpoints.USER_GET_INFO, {})
