"""Compute daily totals and health figures in Python from each row, as expected values."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

from django_hoiio.enums import Traffic
from django_hoiio.ingest import ingest
from django_hoiio.models import Call, Fax, Notification, ReceiverFailure, Sms
from tests.conftest import raw_notification

DAY = timedelta(days=1)

KNOWN_STATUSES = {
    Traffic.CALLS_MADE: "answered",
    Traffic.CALLS_RECEIVED: "answered",
    Traffic.SMS_SENT: "delivered",
    Traffic.FAXES_SENT: "answered",
    Traffic.FAXES_RECEIVED: "answered",
}
OUTCOMES = ("call_status", "call_status_dest1", "call_status_dest2", "dial_status", "transfer_status")


# Notifications.


def receive(body: str, *, ago: timedelta = timedelta(0), route: str = "any", **fields: Any) -> None:
    """Receive a notification that is `ago` old."""
    ingest(raw_notification(route, "", body, received_at=datetime.now(timezone.utc) - ago, **fields))


def fill(chance: random.Random, number: int, days: int) -> None:
    """Ingest `number` random notifications of the last `days`."""
    for place in range(number):
        phone = f"%2B65{chance.randrange(10**8):08d}"
        second = chance.choice(["answered", "unanswered", "failed"])
        route, body = chance.choice(
            [
                ("sms", f"dest={phone}&sms_status={chance.choice(['queued', 'delivered', 'failed', 'error', 'odd'])}"),
                ("sms", f"from={phone}&to=%2B6500000000&msg=hello"),
                ("voice", f"dest1={phone}&call_status_dest1={chance.choice(['answered', 'busy'])}"),
                ("voice", f"dest1={phone}&call_status_dest1=answered&call_status_dest2={second}&duration=3"),
                ("ivr", f"from={phone}&to=%2B6500000000&call_state=ended&duration={chance.randrange(3)}"),
                ("fax", f"dest={phone}&fax_status={chance.choice(['answered', 'busy', 'ongoing'])}"),
                ("fax", f"from={phone}&fax_status=answered"),
            ]
        )
        cost = chance.choice(
            ["", "&debit=0.032&currency=SGD", "&debit=0.000001&currency=USD", "&debit=2", "&debit=0&currency=MYR"]
        )
        receive(
            f"txn_ref=AA-{place}&{body}{cost}",
            route=route,
            ago=DAY * days * chance.random(),
            account=chance.choice(["default", "default", "shop"]),
        )


# Expected values.


def expected_tables(today: date, days: int, account: str = "") -> dict[str, list[list[str]]]:
    """Return the two tables of the dashboard."""
    shown = [today - DAY * ago for ago in range(days)]
    counts: Counter[tuple[Traffic, date]] = Counter()
    succeeded: Counter[tuple[Traffic, date]] = Counter()
    spent: dict[tuple[str, date], Decimal] = {}
    for row in [*Call.objects.all(), *Sms.objects.all(), *Fax.objects.all()]:
        day = row.created_at.astimezone(timezone.utc).date()
        if day not in shown or account not in ("", row.account):
            continue
        counts[kind_of(row), day] += 1
        succeeded[kind_of(row), day] += has_succeeded(row)
        spent[row.currency, day] = spent.get((row.currency, day), Decimal(0)) + (row.debit or 0)
    columns: list[list[str]] = []
    for kind in Traffic:
        columns += _two_columns(kind, [counts[kind, day] for day in shown], [succeeded[kind, day] for day in shown])
    dear = sorted({currency for (currency, _day), amount in spent.items() if amount})
    money = [
        _column(name or "no currency", [spent.get((name, day), Decimal(0)) for day in shown], _money) for name in dear
    ]
    beside = ["Day", "Total", *(day.isoformat() for day in shown)]
    return {"Calls, SMS and faxes by day": _rows(beside, columns), "Spend by day": _rows(beside, money)}


def expected_health_figures(overdue_after: timedelta) -> dict[str, str]:
    """Return the pending, failed and overdue figures by name."""
    now = datetime.now(timezone.utc)
    overdue = {
        name: [row for row in model.objects.all() if not row.is_final and row.created_at < now - overdue_after]
        for name, model in (("Calls overdue", Call), ("SMS overdue", Sms), ("Faxes overdue", Fax))
    }
    pending = [row for row in Notification.objects.all() if row.claimed_until and row.claimed_until < now]
    failed = [row for row in ReceiverFailure.objects.all() if row.resolved_at is None]
    counted = {"Pending": pending, "Failed receivers": failed, **overdue}
    return {name: str(len(rows)) for name, rows in counted.items()}


def kind_of(row: Any) -> Traffic:
    names = {
        Call: ("calls_received", "calls_made"),
        Sms: ("sms_received", "sms_sent"),
        Fax: ("faxes_received", "faxes_sent"),
    }
    return Traffic(names[type(row)][row.direction == "outgoing"])


def has_succeeded(row: Any) -> bool:
    if isinstance(row, Call):
        statuses = {getattr(row, name) for name in OUTCOMES} - {""}
        return row.is_final and (statuses == {"answered"} or (not statuses and bool(row.duration)))
    if isinstance(row, Fax):
        return row.fax_status == "answered"
    return row.direction == "incoming" or row.sms_status == "delivered"


def _two_columns(kind: Traffic, counts: list[int], succeeded: list[int]) -> Iterator[list[str]]:
    if any(counts):
        yield _column(str(kind.label)[0].upper() + str(kind.label)[1:], counts, _grouped)
        if kind in KNOWN_STATUSES:
            yield _column(f"of these {KNOWN_STATUSES[kind]}", succeeded, _grouped)


def _column(title: str, amounts: list[Any], written: Callable[[Any], str]) -> list[str]:
    return [title, written(sum(amounts)), *map(written, amounts)]


def _grouped(number: int) -> str:
    return f"{number:,}"


def _money(amount: Decimal | int) -> str:
    whole, _, digits = f"{Decimal(amount):,.6f}".partition(".")
    return f"{whole}.{digits[:3]}{digits[3:].rstrip('0')}"


def _rows(beside: list[str], columns: Iterable[list[str]]) -> list[list[str]]:
    return [list(row) for row in zip(beside, *columns, strict=True)]


# Actual values.


class Tables(HTMLParser):
    """The text of the table rows after each `<summary>` of a page."""

    def __init__(self, page: Any) -> None:
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] = []
        self._inside = ""
        self.feed(page.content.decode())

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "tr":
            self._rows.append([])
        elif tag in ("th", "td"):
            self._rows[-1].append("")
        elif tag == "summary":
            self._rows = []
        if tag in ("th", "td", "summary"):
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""
        elif tag == "table":
            self._rows = []

    def handle_data(self, data: str) -> None:
        if self._inside == "summary":
            self.found[data] = self._rows
        elif self._inside:
            self._rows[-1][-1] += data
