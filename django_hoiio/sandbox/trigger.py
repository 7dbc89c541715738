"""Post samples and scripts of notifications to a running server, as Hoiio would."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.client import HTTPException
from random import SystemRandom
from typing import Any
from urllib.parse import urlencode

from django.utils import timezone

from django_hoiio.conf import conf
from django_hoiio.enums import Kind, Route
from django_hoiio.notify_urls import webhook_path
from django_hoiio.verification import sign

from .causes import cause_of
from .delivery import Delivery, InvalidUrl, RawRequest, is_dropped, post
from .exchange import unused_number
from .samples import ROUTE_OF_KIND, Changes, ScriptStep, sample, with_changes
from .wire import notified_date


@dataclass(frozen=True, kw_only=True)
class TriggerRequest:
    """Notifications to send, the server, and the faults to simulate."""

    steps: Sequence[ScriptStep]
    # Scheme and host, for example `http://127.0.0.1:8000`.
    server: str
    # The public host, for example `my.example.com`, for which a proxy in front of the server takes https requests.
    host: str = ""
    # A literal request that each step posts instead of its parameters.
    raw: RawRequest | None = None
    account: str = "default"
    # Overrides the route of the kind.
    route: Route | None = None
    # Changes to the parameters of every notification.
    changes: Changes = field(default_factory=dict)
    pass_on: Mapping[str, Any] = field(default_factory=dict)
    repeat: int = 1
    is_shuffled: bool = False
    params_in: str = "body"
    # If false, post to the URL without a token, so that only the signature can verify the notification.
    has_token: bool = True
    has_bad_signature: bool = False
    # Seconds before each notification.
    delay: float = 0
    # From 0 to 1.
    drop_rate: float = 0


@dataclass(frozen=True, kw_only=True)
class TriggerResult:
    """One notification and its response."""

    kind: Kind
    txn_ref: str
    # `None` if there was no response or the notification was dropped.
    status: int | None = None
    # Why there was no response.
    error: str = ""
    # The likely cause of anything but 200, and what to do.
    cause: str = ""
    is_dropped: bool = False


def send(order: TriggerRequest) -> Iterator[TriggerResult]:
    """Post the notifications one after the other and yield each result. Repeated ones are identical."""
    number, date = unused_number(timezone.now()), notified_date(timezone.now())
    steps = [*order.steps] * order.repeat
    if order.is_shuffled:
        SystemRandom().shuffle(steps)
    for at, step in enumerate(steps, start=1):
        changes = {**step.changes, **order.changes}
        is_sample = order.raw is None
        params = (
            sample(step.kind, number=number + step.of, date=date, changes=changes)
            if is_sample
            else with_changes({}, changes)
        )
        result = TriggerResult(kind=step.kind, txn_ref=params.get("txn_ref", ""))
        if is_dropped(at, order.drop_rate):
            yield replace(result, is_dropped=True)
            continue
        time.sleep(order.delay)
        yield _post(_delivery(order, step.kind, params), result)


def _delivery(order: TriggerRequest, kind: Kind, params: Mapping[str, str]) -> Delivery:
    route = order.route or ROUTE_OF_KIND[kind]
    key = next(iter(conf.access_tokens(order.account)), "" if order.has_bad_signature else None)
    return Delivery(
        url=order.server.rstrip("/") + _path(order, route),
        host=order.host,
        params=params,
        params_in=order.params_in,
        raw=order.raw,
        key=key,
        has_bad_signature=order.has_bad_signature,
    )


def _path(order: TriggerRequest, route: Route) -> str:
    if order.has_token:
        token = sign(route, order.account, order.pass_on)
        return webhook_path("signed", route=route, token=token)
    path = webhook_path(route.value)
    return f"{path}?{urlencode(order.pass_on)}" if order.pass_on else path


def _post(delivery: Delivery, result: TriggerResult) -> TriggerResult:
    try:
        answer = post(delivery, loopback_only=False)
    except (InvalidUrl, OSError, HTTPException) as error:
        failure = str(error) if isinstance(error, InvalidUrl) else type(error).__name__
        return replace(result, error=failure, cause=cause_of(failure, delivery))
    cause = "" if answer.status == HTTPStatus.OK else cause_of(answer, delivery)
    return replace(result, status=answer.status, cause=cause)
