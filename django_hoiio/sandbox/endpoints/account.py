"""`user/…`: the account, its money, and how often it may ask."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ...conf import conf
from ..exchange import HANDSET, exchange, now
from ..refusals import Asked, Refused
from ..wire import CURRENCY, amount

# Requests of one application to one path.
MOST_A_MINUTE = 60


def get_balance(asked: Asked) -> dict[str, Any]:
    """What is left: the points that were paid for, and the bonus, which is spent first."""
    check_frequency(asked.account, "user/get_balance")
    points, bonus = exchange.balance(asked.account)
    balance = {"balance": points + bonus, "points": points, "bonus": bonus}
    return {"currency": CURRENCY, **{name: amount(money) for name, money in balance.items()}}


def get_info(asked: Asked) -> dict[str, Any]:
    """Who the account belongs to."""
    own = [number.number for number in exchange.numbers() if number.account == asked.account]
    return {
        "uid": f"AA-{1001 + list(conf.ACCOUNTS).index(asked.account)}",
        "name": "Sandbox",
        "mobile_number": HANDSET,
        "caller_ids": [HANDSET, *own, "private"],
        "email": "sandbox@localhost",
        "country": "SG",
        "prefix": "65",
        "currency": CURRENCY,
        "time_zone": "GMT+8",
        "user_status": "active",
        "sms_rebrand_status": "enabled",
        "call_rebrand_status": "enabled",
    }


def check_credit(account: str) -> None:
    """There is any credit left."""
    if sum(exchange.balance(account)) <= 0:
        raise Refused("error_insufficient_credit")


def check_frequency(account: str, path: str) -> None:
    """Refuse the sixty-first request of a minute."""
    recent = exchange.requests[account, path]
    while recent and now() - recent[0] >= timedelta(minutes=1):
        recent.popleft()
    if len(recent) >= MOST_A_MINUTE:
        raise Refused("error_rate_limit_exceeded")
    recent.append(now())
