"""Measure a late report on a transaction with many stored notifications.

    python -m benchmarks.late --database sqlite

The late report is older than all but the first of them. Fields that it shares with newer reports, fields that no other
report has, and a field that only an older one has take different ways through the history.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from statistics import median
from uuid import uuid4

from .databases import made, use
from .terminal import new_parser, show, show_versions
from .traffic import FORM

BEGAN = datetime(2026, 1, 1, tzinfo=timezone.utc)
COMMON = (
    "txn_ref=AA-S-1&sms_status=queued&dest=%2B6591231111&date=2012-06-06+11%3A15%3A20.0&split_count=1&currency=SGD"
    "&rate=0.032&debit=0.032"
)
REPEATS = 9

CASES = {
    "the same fields, other values": f"{COMMON}&debit=0.064&currency=USD",
    "and one that no other report has": f"{COMMON}&debit=0.064&msg=late",
    "and one that only the oldest has": f"{COMMON}&debit=0.064&tag=late",
}


def main() -> None:
    parser = new_parser("late", __doc__)
    parser.add_argument("--notifications", type=int, default=20_000, help="of the transaction; 20000 by default")
    arguments = parser.parse_args()
    use(arguments.database)
    with made():
        show_versions()
        _store(arguments.notifications)
        rows = [(name, f"{median(_seconds(body)) * 1e3:.1f}") for name, body in CASES.items()]
        show(f"A late report, {arguments.notifications:,} notifications stored", ("it reports", "ms"), rows)


def _receive(body: str, moment: datetime) -> None:
    from django_hoiio.enums import Route
    from django_hoiio.ingest import ingest
    from django_hoiio.parsing import RawNotification

    headers = {"Content-Type": FORM}
    ingest(
        RawNotification(
            uuid=uuid4(), received_at=moment, route=Route.SMS, query="", body=body.encode(), headers=headers
        )
    )


def _store(count: int) -> None:
    """Receive the first and the last notification, and copy those between."""
    from django_hoiio.models import Notification

    _receive(f"{COMMON}&tag=first", BEGAN)
    template = Notification.objects.get()
    names = [field.attname for field in Notification._meta.concrete_fields if not field.primary_key]
    for number in range(1, count - 1):
        copied = {name: getattr(template, name) for name in names}
        seconds = 60 + number
        copied |= {
            "uuid": uuid4(),
            "received_at": BEGAN + timedelta(seconds=seconds),
            "version": template.version + seconds * 10**6,
            "body": COMMON.encode(),
            "params": {name: text for name, text in template.params.items() if name != "tag"},
        }
        Notification(**copied).save(force_insert=True)
    _receive(COMMON, BEGAN + timedelta(days=1))


def _seconds(body: str) -> Iterator[float]:
    """Yield the seconds of each of some late reports."""
    from django_hoiio.models import Notification, Sms

    for number in range(REPEATS):
        moment = BEGAN + timedelta(seconds=30, microseconds=number)
        begun = time.perf_counter()
        _receive(body, moment)
        yield time.perf_counter() - begun
        # The next one finds the row as this one did.
        Notification.objects.filter(received_at=moment).delete()
        Sms.objects.update(msg="", tag="first")


if __name__ == "__main__":
    main()
