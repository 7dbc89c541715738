"""`number/…`: the account's numbers and their notify URLs, and numbers to subscribe to."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django_hoiio.parsing.parameters import HOIIO_TIME
from django_hoiio.sandbox import sms
from django_hoiio.sandbox.errors import ApiError, ApiRequest
from django_hoiio.sandbox.records import SandboxNumber
from django_hoiio.sandbox.wire import CURRENCY, amount

CHOICES_PER_PAGE = 20
# Numbers to subscribe to, by place.
_CHOICES = {"SG": range(6561230001, 6561230026), "US-CA": range(14155550101, 14155550126)}
_CAPABILITY = ["VOICE", "FAX", "SMS"]
_STATES = [{"code": "CA", "name": "California", "capability": _CAPABILITY}]
_COUNTRIES: list[dict[str, Any]] = [
    {"code": "SG", "name": "Singapore", "prefix": "65", "states": []},
    {"code": "US", "name": "USA", "prefix": "1", "states": _STATES},
]
# Of a month, by country.
_PRICES = {"SG": Decimal(5), "US": Decimal(4)}
# Values of `duration`, and the months to pay for. A month has 30 days here.
_MONTHS = {"1": 1, "3": 3, "12": 12, "auto_extend": 1}


def get_active(request: ApiRequest) -> dict[str, Any]:
    """List the numbers of the account."""
    return _listed(
        [
            _details(number, _today(request))
            for number in request.exchange.numbers()
            if number.account == request.account
        ]
    )


def update_forwarding(request: ApiRequest) -> dict[str, Any]:
    """Set a number's notify URLs and its mode, voice or fax. Missing parameters stay unchanged."""
    number = _own(request, "number")
    mode = request.text("mode", number.mode)
    if mode not in ("voice", "fax"):
        raise ApiError("error_mode_invalid")
    # Hoiio's manuals use the first name, an SDK the second.
    sms_to = request.params.get("forward_sms_to", request.params.get("forward_to_sms"))
    number.mode = mode
    number.forward_to = request.params.get("forward_to", number.forward_to)
    number.forward_sms_to = sms_to if sms_to is not None else number.forward_sms_to
    request.exchange.touch()
    return {}


def get_countries(request: ApiRequest) -> dict[str, Any]:
    """List the countries with numbers to subscribe to. `states` is empty if a country has none."""
    return _listed(_COUNTRIES)


def get_choices(request: ApiRequest) -> dict[str, Any]:
    """List the free numbers of a country or, in the USA, of a state, 20 on a page."""
    place = "-".join(filter(None, (request.text("country"), request.text("state"))))
    if place not in _CHOICES:
        raise ApiError("error_state_param_missing" if place == "US" else "error_no_number_available")
    free = [f"+{number}" for number in _CHOICES[place] if request.exchange.number(f"+{number}") is None]
    entries = [{"number": number, "capability": _CAPABILITY} for number in free[request.page(CHOICES_PER_PAGE)]]
    return {"total_entries_count": str(len(free)), **_listed(entries)}


def get_rates(request: ApiRequest) -> dict[str, Any]:
    """List the prices of a number, by the months of the subscription."""
    price = _PRICES.get(request.text("country"))
    if price is None:
        raise ApiError("error_no_number_available")
    rates = [{"duration": text, "rate": amount(price * months)} for text, months in _MONTHS.items() if text.isdigit()]
    return {"currency": CURRENCY, **_listed(rates)}


def subscribe(request: ApiRequest) -> dict[str, Any]:
    """Subscribe to a free number, or extend the subscription of one of the account's numbers."""
    text, months = request.number("number"), _MONTHS.get(request.text("duration"))
    if months is None:
        raise ApiError("error_invalid_duration")
    number = request.exchange.number(text) or _choice(request, text)
    if number is None or number.account != request.account:
        raise ApiError("error_number_not_available")
    debit = _PRICES[number.place[:2]] * months
    sms.charge(request.exchange, request.account, debit)
    number.expiry = _expiry(number, _today(request)) + timedelta(days=30 * months)
    number.is_auto_extended |= request.text("duration") == "auto_extend"
    request.exchange.add_number(number)
    return {"currency": CURRENCY, "debit": amount(debit), "expiry": f"{number.expiry}"}


def is_incoming_rate(request: ApiRequest) -> bool:
    """Return whether a rate is requested for `incoming`, one of the account's numbers, instead of for `dest`."""
    given = [name for name in ("dest", "incoming") if request.text(name)]
    if len(given) != 1:
        raise ApiError(f"error_dest_incoming_both_{'present' if given else 'missing'}")
    if given == ["dest"]:
        request.number("dest")
    else:
        _own(request, "incoming")
    return given == ["incoming"]


def _own(request: ApiRequest, name: str) -> SandboxNumber:
    number = request.exchange.number(request.number(name))
    if number is None or number.account != request.account:
        raise ApiError("error_number_not_assigned")
    return number


def _choice(request: ApiRequest, text: str) -> SandboxNumber | None:
    """Return a number to subscribe to, as one of the account."""
    for place, numbers in _CHOICES.items():
        if int(text) in numbers:
            return SandboxNumber(
                number=text, account=request.account, place=place, expiry=_today(request), is_auto_extended=False
            )
    return None


def _listed(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {"entries_count": str(len(entries)), "entries": entries}


def _details(number: SandboxNumber, today: date) -> dict[str, Any]:
    is_voice = number.mode == "voice"
    country, _, state = number.place.partition("-")
    return {
        "number": number.number,
        "forward_to": number.target("ivr" if is_voice else "fax"),
        "forward_sms_to": number.target("sms") if is_voice else number.forward_sms_to or "",
        "mode": number.mode,
        "expiry": f"{_expiry(number, today)}",
        "auto_extend_status": "enabled" if number.is_auto_extended else "disabled",
        "country": country,
        "state": state,
        "capabilities": ["VOICE", "SMS"] if is_voice else ["FAX"],
    }


def _expiry(number: SandboxNumber, today: date) -> date:
    return number.expiry or today + timedelta(days=365)


def _today(request: ApiRequest) -> date:
    return request.exchange.now().astimezone(HOIIO_TIME).date()
