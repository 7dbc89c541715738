"""Base class of the client's resources: one request from arguments to response."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from inspect import isfunction
from types import MappingProxyType
from typing import Any

from django.views.decorators.debug import sensitive_variables

from django_hoiio.ingest.outgoing import enter
from django_hoiio.notify_urls import signed_url

from .connection import Connection
from .decoding import decode
from .encoding import encode
from .endpoints import AWAITED, Endpoint, ResponseType

PassOn = Mapping[str, Any] | None


class Resource:
    """A group of Hoiio's endpoints whose paths share a prefix.

    Variables hold numbers, texts and signed URLs. Django's error reports mask them in all public methods and in the
    functions that these call.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, held in list(vars(cls).items()):
            if isfunction(held) and not name.startswith("_"):
                setattr(cls, name, sensitive_variables()(held))

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _request(
        self,
        endpoint: Endpoint[ResponseType],
        params: Mapping[str, Any],
        *,
        pass_on: PassOn = None,
        notify: bool = True,
        block: Mapping[str, Any] = MappingProxyType({}),
    ) -> ResponseType:
        """Encode and send a request, decode the response and store the transactions that it started."""
        urls = self._notify_urls(endpoint, pass_on, block, notify=notify)
        request = encode(params, endpoint.encoders) | urls
        answer = self._connection.send(endpoint.path, request, is_read_only=endpoint.is_read_only)
        response = decode(endpoint.response, answer, endpoint.path)
        for txn_ref, fields in response.started(request):
            enter(AWAITED[endpoint.route], self._connection.account, txn_ref, fields)
        return response

    def _notify_urls(
        self, endpoint: Endpoint[ResponseType], pass_on: PassOn, block: Mapping[str, Any], *, notify: bool
    ) -> dict[str, str]:
        if not notify and pass_on is not None:
            raise ValueError("pass_on comes back with notifications; leave it out, or leave out notify=False.")
        if endpoint.route is None or not notify:
            return {}
        kind = {"kind": endpoint.block.value} if endpoint.block else {}
        block = {**kind, **block}
        url = signed_url(endpoint.route, account=self._connection.account, pass_on=pass_on, block=block)
        return dict.fromkeys(endpoint.notify_as, url)


def period(from_: datetime | None, to: datetime | None, page: int) -> dict[str, Any]:
    """Return the parameters of a history period. Raises `ValueError` if it is invalid."""
    params = {"from": from_, "to": to, "page": page}
    # Check types and time zones first: Python cannot compare a naive datetime with an aware one.
    encode(params, {})
    if from_ and to and from_ >= to:
        raise ValueError("from_ is not before to.")
    return params
