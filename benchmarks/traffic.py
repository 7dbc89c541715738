"""The requests, and posting them in process: a bulk SMS with two reports per recipient, and a mixture of all kinds."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count, islice
from typing import Any
from urllib.parse import urlsplit

from django.core.handlers.wsgi import WSGIHandler

from django_hoiio.notify_urls import notify_url

FORM = "application/x-www-form-urlencoded"
USER_AGENT = "Jakarta Commons-HttpClient/3.0.1"

# Scatters the numbers, as those of an address book are. `post.lua` does the same.
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


def signed_path(route: str = "sms") -> str:
    """Return the path of a signed notify URL."""
    return urlsplit(notify_url(route, pass_on={"username": "bob"})).path


def environ(path: str, body: bytes) -> dict[str, Any]:
    """Return a request as a WSGI server passes it on."""
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_TYPE": FORM,
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_USER_AGENT": USER_AGENT,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def post(request: dict[str, Any]) -> None:
    """Let the project answer a request. Raises RuntimeError if the status is not 200."""
    _application()(request, _accept).close()


@cache
def _application() -> Callable[..., Any]:
    return WSGIHandler()


def _accept(status: str, headers: Any, exc_info: Any = None) -> Any:
    if not status.startswith("200 "):
        raise RuntimeError(f"A candidate answered {status}.")


# Placeholders in every template. Each copy has its own name, number, session and tag instead.
MARK = "template-0"
NUMBER = "00000000"
TAG = "order-0"

# Shares are of this many transactions.
ALL = 10_000


@dataclass(frozen=True, kw_only=True)
class Story:
    """The reports of one transaction, each as Hoiio posts it, from the first to the last."""

    txn_ref: str
    reports: Sequence[bytes]
    route: str = "sms"
    share: int = ALL

    @property
    def path(self) -> str:
        """The path that Hoiio posts its reports to."""
        return signed_path(self.route)


def _story(share: int, route: str, prefix: str, *reports: str) -> Story:
    txn_ref = f"{prefix}-{MARK}"
    return Story(
        txn_ref=txn_ref,
        reports=[f"{report}&txn_ref={txn_ref}".encode() for report in reports],
        route=route,
        share=share,
    )


# Also posted by `benchmarks.receive`.
DELIVERED = Story(txn_ref=f"AA-S-{MARK}", reports=list(islice(bodies(f"AA-S-{MARK}"[:-2]), 2)))

_SENT = f"dest=%2B65{NUMBER}&date=2012-06-06+11%3A15%3A20.0&currency=SGD&rate=0.032&debit=0.032&tag={TAG}&split_count=1"
_CALL = f"dest1=%2B6500000001&dest2=%2B65{NUMBER}&date=2012-06-06+11%3A15%3A20&currency=SGD&rate=0.036&tag={TAG}"
_CALLER = f"from=%2B65{NUMBER}&to=%2B6500000001&session=S-{MARK}&date=2012-06-06+11%3A15%3A20"
_FAX = "date=2012-06-06+11%3A15%3A20&currency=SGD&rate=0.05"
_RECORDED = "record_url=https%3A%2F%2Frecordings.example.com%2F1.mp3"

# A year of a workshop that sends many SMS: some kinds are frequent, others rare.
MIX = (
    Story(txn_ref=DELIVERED.txn_ref, reports=DELIVERED.reports, share=4_700),
    _story(400, "sms", "AA-S1", f"{_SENT}&sms_status=queued", f"{_SENT}&sms_status=failed"),
    _story(10, "sms", "AA-S2", f"{_SENT}&sms_status=queued"),
    _story(2, "sms", "AA-S3", f"{_SENT}&sms_status=error"),
    _story(
        *(900, "sms", "AA-S4"),
        f"status=success_ok&bulk_txn_ref=AA-B-{MARK}&dest=%2B65{NUMBER}",
        # All SMS of a campaign have its tag.
        f"{_SENT.replace(TAG, 'campaign')}&sms_status=delivered",
    ),
    _story(1_300, "sms", "AA-SI", f"msg=Is+it+ready%3F&from=%2B65{NUMBER}&to=%2B6500000001&debit=0.013&currency=SGD"),
    _story(
        *(700, "voice", "AA-C"),
        f"{_CALL}&call_status_dest1=answered&call_status_dest2=answered&duration=4&debit=0.144",
    ),
    _story(300, "voice", "AA-C1", f"{_CALL}&call_status_dest1=answered&call_status_dest2=busy&duration=0&debit=0.000"),
    _story(
        *(900, "ivr", "AA-C2"),
        f"{_CALLER}&ivr_block=answer&call_state=ringing",
        f"{_CALLER}&ivr_block=gather&call_state=ongoing&digits=1",
        f"{_CALLER}&ivr_block=record&call_state=ongoing&{_RECORDED}",
        f"{_CALLER}&call_state=ended&duration=2&debit=0.072&currency=SGD",
    ),
    _story(
        *(400, "ivr", "AA-C3"),
        f"{_CALLER}&ivr_block=answer&call_state=ringing",
        f"{_CALLER}&call_state=ended&duration=0",
    ),
    _story(3, "ivr", "AA-C4", f"{_CALLER}&ivr_block=transfer&call_state=ongoing&transfer_status=unanswered"),
    _story(
        *(200, "fax", "AA-C5"),
        f"{_FAX}&fax_status=answered&from=%2B65{NUMBER}&to=%2B6500000001&fax_pages=3"
        "&fax_url=https%3A%2F%2Ffaxes.example.com%2F1.pdf",
    ),
    _story(
        *(180, "fax", "AA-C6"),
        f"{_FAX}&fax_status=ongoing&dest=%2B65{NUMBER}",
        f"{_FAX}&fax_status=answered&dest=%2B65{NUMBER}&fax_pages=2&debit=0.100",
    ),
    _story(4, "fax", "AA-C7", f"{_FAX}&fax_status=failed&fax_error_code=no_answer&dest=%2B65{NUMBER}"),
    _story(1, "any", "AA-X", "news=good"),
)
