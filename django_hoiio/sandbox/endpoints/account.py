"""`user/…`: the account and its balance."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django_hoiio.conf import conf
from django_hoiio.sandbox.errors import ApiError, ApiRequest
from django_hoiio.sandbox.exchange import HANDSET
from django_hoiio.sandbox.wire import CURRENCY, amount

# Requests of an account to one path.
MAX_PER_MINUTE = 60


def get_balance(request: ApiRequest) -> dict[str, Any]:
    """Return the balance: paid points and the bonus, which is spent first."""
    check_frequency(request, "user/get_balance")
    points, bonus = request.exchange.balance(request.account)
    balance = {"balance": points + bonus, "points": points, "bonus": bonus}
    return {"currency": CURRENCY, **{name: amount(money) for name, money in balance.items()}}


def get_info(request: ApiRequest) -> dict[str, Any]:
    own = [number.number for number in request.exchange.numbers() if number.account == request.account]
    return {
        "uid": f"AA-{1001 + list(conf.ACCOUNTS).index(request.account)}",
        "name": "Sandbox",
        "mobile_number": HANDSET,
        "caller_ids": [HANDSET, *own, "private"],
        "email": "sandbox@localhost",
        "country": "SG",
        "prefix": "+65",
        "currency": CURRENCY,
        "time_zone": "GMT+8",
        "user_status": "active",
        "sms_rebrand_status": "enabled",
        "call_rebrand_status": "enabled",
    }


def check_credit(request: ApiRequest) -> None:
    """Raise `ApiError` if no credit is left."""
    if sum(request.exchange.balance(request.account)) <= 0:
        raise ApiError("error_insufficient_credit")


def check_frequency(request: ApiRequest, path: str) -> None:
    """Raise `ApiError` for the 61st request within a minute."""
    recent = request.exchange.requests[request.account, path]
    while recent and request.exchange.now() - recent[0] >= timedelta(minutes=1):
        recent.popleft()
    if len(recent) >= MAX_PER_MINUTE:
        raise ApiError("error_rate_limit_exceeded")
    recent.append(request.exchange.now())
