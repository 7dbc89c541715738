"""SMS, single and bulk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from . import endpoints
from .encoding import Recipients
from .resource import PassOn, Resource, period
from .responses import BulkSmsResponse, SentResponse, SmsHistoryResponse, SmsRateResponse, SmsStatusResponse


class SmsResource(Resource):
    """SMS. Numbers are in E.164 format, such as +6591234567."""

    def send(
        self,
        *,
        dest: str,
        msg: str,
        sender_name: str | None = None,
        tag: str | None = None,
        pass_on: PassOn = None,
        notify: bool = True,
    ) -> SentResponse:
        """Send an SMS. Hoiio splits the text into up to three parts and charges each.

        One, two and three parts hold 160, 306 and 459 ASCII characters, or 70, 134 and 201 Unicode characters. In
        ASCII, ``[ ] \\ ^ { } |``, the euro sign and line feeds count double. `sender_name` has 3 to 11 characters.
        """
        params = {"dest": dest, "msg": msg, "sender_name": sender_name, "tag": tag}
        return self._request(endpoints.SMS_SEND, params, pass_on=pass_on, notify=notify)

    def bulk_send(
        self,
        *,
        msg: str,
        dest: Sequence[str] | None = None,
        recipients: Recipients | None = None,
        sender_name: str | None = None,
        tag: str | None = None,
        pass_on: PassOn = None,
        notify: bool = True,
    ) -> BulkSmsResponse:
        """Send a text to up to 1,000 numbers: the same to each of `dest`, or a personal one to each of `recipients`.

        `msg` has the limits of `send`. With `recipients` it is a Mustache template, ``Hello {{name}}``, whose length
        only Hoiio checks; each recipient is a dict with `dest` and the template's variables. No row is stored until a
        notification reports the txn_ref of a message.
        """
        if (dest is None) == (recipients is None):
            raise ValueError("dest and recipients: give one of them.")
        endpoint = endpoints.SMS_BULK_SEND if recipients is None else endpoints.SMS_BULK_SEND_TEMPLATE
        params = {"dest": dest, "recipients": recipients, "msg": msg, "sender_name": sender_name, "tag": tag}
        return self._request(endpoint, params, pass_on=pass_on, notify=notify)

    def query_status(self, *, txn_ref: str) -> SmsStatusResponse:
        """Return the status of an SMS. Hoiio has no status of a bulk SMS as a whole."""
        return self._request(endpoints.SMS_QUERY_STATUS, {"txn_ref": txn_ref})

    def get_history(
        self, *, from_: datetime | None = None, to: datetime | None = None, page: int = 1
    ) -> SmsHistoryResponse:
        """Return sent and received SMS from `from_` on and before `to`. Both moments need a time zone."""
        return self._request(endpoints.SMS_GET_HISTORY, period(from_, to, page))

    def get_rate(
        self, *, dest: str | None = None, incoming: str | None = None, msg: str | None = None
    ) -> SmsRateResponse:
        """Return the price of an SMS to `dest`, or of an SMS that arrives at `incoming`, one of the account's numbers.

        With `msg`, the response also has its parts and its whole price. Raises `InvalidParameter` if the number is not
        valid. Hoiio's manual only names this request; its parameters and response are known from Hoiio's SDKs.
        """
        if (dest is None) == (incoming is None):
            raise ValueError("dest and incoming: give one of them.")
        return self._request(endpoints.SMS_GET_RATE, {"dest": dest, "incoming": incoming, "msg": msg})
