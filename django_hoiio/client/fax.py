"""Faxes."""

from __future__ import annotations

from datetime import datetime
from typing import BinaryIO, Literal

from . import endpoints
from .resource import PassOn, Resource, period
from .responses import FaxHistoryResponse, FaxStatusResponse, RateResponse, SentResponse


class FaxResource(Resource):
    """Faxes. Numbers are in E.164 format, such as +6591234567."""

    def send(
        self,
        *,
        dest: str,
        file: bytes | BinaryIO,
        filename: str | None = None,
        caller_id: str | None = None,
        fax_header: str | None = None,
        tag: str | None = None,
        pass_on: PassOn = None,
        notify: bool = True,
    ) -> SentResponse:
        """Send a PDF of up to 2 MB in A4 or Letter: its bytes, or the file opened in binary mode.

        `fax_header` has up to 100 characters. `None` means Hoiio's default text; an empty text means no header.
        """
        params = {
            "dest": dest,
            "file": file,
            "filename": filename,
            "caller_id": caller_id,
            "fax_header": fax_header,
            "tag": tag,
        }
        return self._request(endpoints.FAX_SEND, params, pass_on=pass_on, notify=notify)

    def query_status(self, *, txn_ref: str) -> FaxStatusResponse:
        """Return the status of a sent or received fax."""
        return self._request(endpoints.FAX_QUERY_STATUS, {"txn_ref": txn_ref})

    def get_history(
        self,
        *,
        from_: datetime | None = None,
        to: datetime | None = None,
        page: int = 1,
        type: Literal["incoming", "outgoing", "all"] = "all",  # noqa: A002
    ) -> FaxHistoryResponse:
        """Return faxes from `from_` on and before `to`, including ongoing ones. Both moments need a time zone."""
        return self._request(endpoints.FAX_GET_HISTORY, {**period(from_, to, page), "type": type})

    def get_rate(self, *, dest: str | None = None, incoming: str | None = None) -> RateResponse:
        """Return the price of a fax to `dest`, or of a fax that arrives at `incoming`, one of the account's numbers.

        It is per minute, as in Hoiio's newer manual. Raises `ServerError` if Hoiio sends no faxes to that country.
        """
        if (dest is None) == (incoming is None):
            raise ValueError("dest and incoming: give one of them.")
        return self._request(endpoints.FAX_GET_RATE, {"dest": dest, "incoming": incoming})
