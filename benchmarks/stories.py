"""The templates that are multiplied: the notifications of one transaction, from the first to the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from urllib.parse import urlsplit

from django_hoiio.notify_urls import notify_url

from .traffic import bodies

# Placeholders in every template. Each copy has its own name, number, session and tag instead.
MARK = "template-0"
NUMBER = "00000000"
TAG = "order-0"

# Shares are of this many transactions.
ALL = 10_000


@dataclass(frozen=True, kw_only=True)
class Story:
    """The reports of one transaction, each as Hoiio posts it."""

    txn_ref: str
    reports: Sequence[bytes]
    route: str = "sms"
    share: int = ALL

    @property
    def path(self) -> str:
        """The path that Hoiio posts its reports to."""
        return urlsplit(notify_url(self.route, pass_on={"username": "bob"})).path


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
