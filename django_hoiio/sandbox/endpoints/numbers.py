"""`number/…`: the application's numbers, and where news of them go."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ...parsing.parameters import HOIIO_TIME
from ..exchange import exchange, now
from ..records import Number
from ..refusals import NUMBER, Asked, Refused


def get_active(asked: Asked) -> dict[str, Any]:
    """List the numbers of the account."""
    own = [_told(number) for number in exchange.numbers() if number.account == asked.account]
    return {"entries_count": str(len(own)), "entries": own}


def update_forwarding(asked: Asked) -> dict[str, Any]:
    """Set where a number's notifications go, and whether it takes calls or faxes. What is not sent stays."""
    number = _own(asked)
    mode = asked.text("mode", number.mode)
    if mode not in ("voice", "fax"):
        raise Refused("error_mode_invalid")
    # The manuals have the one name, an SDK the other.
    sms_to = asked.params.get("forward_sms_to", asked.params.get("forward_to_sms"))
    if sms_to and mode == "fax":
        raise Refused("error_incoming_sms_not_supported")
    number.mode = mode
    number.forward_to = asked.params.get("forward_to", number.forward_to)
    number.forward_sms_to = sms_to if sms_to is not None else number.forward_sms_to
    exchange.touch()
    return {}


def _own(asked: Asked) -> Number:
    text = asked.text("number")
    if not NUMBER.fullmatch(text):
        raise Refused("error_number_invalid")
    number = exchange.number(text)
    if number is None or number.account != asked.account:
        raise Refused("error_number_not_assigned")
    return number


def _told(number: Number) -> dict[str, Any]:
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
