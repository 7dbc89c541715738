"""SMS, one by one and in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from . import endpoints
from .encoding import Recipients
from .resource import PassOn, Resource, period
from .responses import BulkSmsResponse, SentResponse, SmsHistoryResponse, SmsStatusResponse


class SmsResource(Resource):
    """SMS. Numbers are E.164, as +6591234567."""

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
        """Send an SMS. The text is split, and charged, in up to three parts.

        They hold 160, 306 and 459 characters of ASCII, where ``[ ] \\ ^ { } |``, the euro sign and the end of a line
        count double, or 70, 134 and 201 where any other character makes it Unicode. `sender_name` has 3 to 11
        characters.
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
        """Send a text to up to 1,000 numbers: to each of `dest`, or, filled in for each, to `recipients`.

        `msg` is as long as in `send`. With `recipients` it is a Mustache template, ``Hello {{name}}``, and each is a
        dict with `dest` and what the template asks for: how long that makes each text, Hoiio alone checks. Nothing is
        entered: no message has a txn_ref until its notification tells it.
        """
        if (dest is None) == (recipients is None):
            raise ValueError("dest and recipients: give one of them.")
        endpoint = endpoints.SMS_BULK_SEND if recipients is None else endpoints.SMS_BULK_SEND_TEMPLATE
        params = {"dest": dest, "recipients": recipients, "msg": msg, "sender_name": sender_name, "tag": tag}
        return self._request(endpoint, params, pass_on=pass_on, notify=notify)

    def query_status(self, *, txn_ref: str) -> SmsStatusResponse:
        """How an SMS stands. A bulk SMS as a whole cannot be asked for."""
        return self._request(endpoints.SMS_QUERY_STATUS, {"txn_ref": txn_ref})

    def get_history(
        self, *, from_: datetime | None = None, to: datetime | None = None, page: int = 1
    ) -> SmsHistoryResponse:
        """The SMS, sent and received, from `from_` on and before `to`; both need a time zone."""
        return self._request(endpoints.SMS_GET_HISTORY, period(from_, to, page))
