"""`user/…` and `number/…`: the account, its balance, its numbers and their notify URLs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django_hoiio.conf import conf
from django_hoiio.parsing.parameters import HOIIO_TIME
from django_hoiio.sandbox.errors import NUMBER_PATTERN, ApiError, ApiRequest
from django_hoiio.sandbox.exchange import HANDSET, exchange, now
from django_hoiio.sandbox.records import SandboxNumber
from django_hoiio.sandbox.wire import CURRENCY, amount

# Requests of an account to one path.
MAX_PER_MINUTE = 60


def get_balance(request: ApiRequest) -> dict[str, Any]:
    """Return the balance: paid points and the bonus, which is spent first."""
    check_frequency(request.account, "user/get_balance")
    points, bonus = exchange.balance(request.account)
    balance = {"balance": points + bonus, "points": points, "bonus": bonus}
    return {"currency": CURRENCY, **{name: amount(money) for name, money in balance.items()}}


def get_info(request: ApiRequest) -> dict[str, Any]:
    own = [number.number for number in exchange.numbers() if number.account == request.account]
    return {
        "uid": f"AA-{1001 + list(conf.ACCOUNTS).index(request.account)}",
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
    """Raise `ApiError` if no credit is left."""
    if sum(exchange.balance(account)) <= 0:
        raise ApiError("error_insufficient_credit")


def check_frequency(account: str, path: str) -> None:
    """Raise `ApiError` for the 61st request within a minute."""
    recent = exchange.requests[account, path]
    while recent and now() - recent[0] >= timedelta(minutes=1):
        recent.popleft()
    if len(recent) >= MAX_PER_MINUTE:
        raise ApiError("error_rate_limit_exceeded")
    recent.append(now())


def get_active(request: ApiRequest) -> dict[str, Any]:
    """List the numbers of the account."""
    own = [_details(number) for number in exchange.numbers() if number.account == request.account]
    return {"entries_count": str(len(own)), "entries": own}


def update_forwarding(request: ApiRequest) -> dict[str, Any]:
    """Set a number's notify URLs and its mode, voice or fax. Missing parameters stay unchanged."""
    number = _own(request)
    mode = request.text("mode", number.mode)
    if mode not in ("voice", "fax"):
        raise ApiError("error_mode_invalid")
    # Hoiio's manuals use the first name, an SDK the second.
    sms_to = request.params.get("forward_sms_to", request.params.get("forward_to_sms"))
    if sms_to and mode == "fax":
        raise ApiError("error_incoming_sms_not_supported")
    number.mode = mode
    number.forward_to = request.params.get("forward_to", number.forward_to)
    number.forward_sms_to = sms_to if sms_to is not None else number.forward_sms_to
    exchange.touch()
    return {}


def _own(request: ApiRequest) -> SandboxNumber:
    text = request.text("number")
    if not NUMBER_PATTERN.fullmatch(text):
        raise ApiError("error_number_invalid")
    number = exchange.number(text)
    if number is None or number.account != request.account:
        raise ApiError("error_number_not_assigned")
    return number


def _details(number: SandboxNumber) -> dict[str, Any]:
    is_voice = number.mode == "voice"
    return {
        "number": number.number,
        "forward_to": number.target("ivr" if is_voice else "fax"),
        "forward_sms_to": number.target("sms") if is_voice else "",
        "mode": number.mode,
        "expiry": f"{now().astimezone(HOIIO_TIME) + timedelta(days=365):%Y-%m-%d}",
        "auto_extend_status": "enabled",
        "country": "SG",
        "state": "",
        "capabilities": ["VOICE", "SMS"] if is_voice else ["FAX"],
    }
