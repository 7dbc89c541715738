"""The requests: a bulk SMS with two reports per recipient, queued and then delivered."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from urllib.parse import urlsplit

from django_hoiio.notify_urls import notify_url

FORM = "application/x-www-form-urlencoded"
USER_AGENT = "Jakarta Commons-HttpClient/3.0.1"

# Scatters the numbers, as those of an address book are. `post.lua` and `growth.py` do the same.
SCATTER = 54_018_521

# `post.lua` has the same.
_BODY = (
    "rate=0.032&dest=%2B65{phone:08d}&tag=order-{number}&sms_status={status}&debit=0.032&date=2012-06-06+11%3A15%3A20.0"
    "&split_count=1&txn_ref={txn_ref}&currency=SGD"
)


def bodies(prefix: str) -> Iterator[bytes]:
    """Yield bodies endlessly; different prefixes never name the same SMS."""
    for number in count():
        for status in ("queued", "delivered"):
            yield _BODY.format(
                number=number, phone=number * SCATTER % 10**8, status=status, txn_ref=f"{prefix}-{number}"
            ).encode()


def signed_path() -> str:
    """Return the path of a signed notify URL."""
    return urlsplit(notify_url("sms", pass_on={"username": "bob"})).path
