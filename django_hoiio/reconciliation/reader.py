"""Read Hoiio's history and statuses within the rate limit."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from django.utils import timezone

from django_hoiio.client import HoiioClient
from django_hoiio.client.fax import FaxResource
from django_hoiio.client.sms import SmsResource
from django_hoiio.client.voice import VoiceResource
from django_hoiio.conf import conf
from django_hoiio.enums import Channel
from django_hoiio.exceptions import RateLimited
from django_hoiio.parsing.fields import storable


class Found(Enum):
    """The result of comparing an entry with the database."""

    UNCHANGED = "unchanged"
    MISSING = "missing"
    CHANGED = "changed"


@dataclass(kw_only=True)
class ReconciliationResult:
    """Counts of a reconciliation, and a message for each failure."""

    dry_run: bool = False
    requests: int = 0
    #: Entries of history.
    read: int = 0
    #: Polled transactions, and those that Hoiio does not know.
    overdue: int = 0
    unknown: int = 0
    found: Counter[Found] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        missing, changed = self.found[Found.MISSING], self.found[Found.CHANGED]
        return (
            f"Sent {self.requests} requests: {self.read} entries of history and {self.overdue} overdue"
            f" ({self.unknown} of them unknown to Hoiio). {'Would change' if self.dry_run else 'Changed'}"
            f" {missing + changed}: {missing} were missing, {changed} had another status."
            f" {len(self.failures)} requests failed."
        )


MINUTE = 60.0


class RequestBudget:
    """A limit of requests within any minute."""

    def __init__(self, calls_per_minute: int) -> None:
        self._request_times: deque[float] = deque(maxlen=calls_per_minute)

    def spend(self) -> None:
        """Spend one request. Wait if the minute's limit is reached."""
        if len(self._request_times) == self._request_times.maxlen:
            time.sleep(max(0.0, self._request_times[0] + MINUTE - time.monotonic()))
        self._request_times.append(time.monotonic())


class SharedBudget(RequestBudget):
    """A thread-safe limit that raises instead of waiting."""

    def __init__(self, calls_per_minute: int) -> None:
        super().__init__(calls_per_minute)
        self._lock = threading.Lock()

    def spend(self) -> None:
        """Spend one request. Raises `RateLimited` if the minute's limit is reached."""
        with self._lock:
            if self.is_spent:
                raise RateLimited(
                    "",
                    f"HOIIO['RECONCILE_REQUESTS_PER_MINUTE'] allows {self._request_times.maxlen} requests a minute;"
                    " try again in a minute.",
                )
            self._request_times.append(time.monotonic())

    @property
    def is_spent(self) -> bool:
        return (
            len(self._request_times) == self._request_times.maxlen
            and self._request_times[0] + MINUTE > time.monotonic()
        )


_OF_THIS_PROCESS: dict[tuple[str, int], SharedBudget] = {}


def shared_budget(account: str) -> SharedBudget:
    """Return the limit for all manual requests of an account in this process."""
    calls = conf.RECONCILE_REQUESTS_PER_MINUTE
    return _OF_THIS_PROCESS.setdefault((account, calls), SharedBudget(calls))


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Hoiio's report of one call, SMS or fax."""

    account: str
    channel: Channel
    txn_ref: str
    # By Hoiio's names, all values as text.
    params: Mapping[str, str]
    # Just before the request, so that a notification that was received since is newer.
    requested_at: datetime


@dataclass(frozen=True, kw_only=True)
class HistoryPage:
    """A page of history."""

    entries: Sequence[Entry]
    # On all pages; `None` if Hoiio does not report it.
    total: int | None


class ApiReader:
    """Read history and statuses for one account. Each request raises `HoiioError`."""

    def __init__(
        self, account: str, client: HoiioClient, result: ReconciliationResult, budget: RequestBudget | None = None
    ) -> None:
        self.account = account
        self._groups: dict[Channel, VoiceResource | SmsResource | FaxResource] = {
            Channel.VOICE: client.voice,
            Channel.SMS: client.sms,
            Channel.FAX: client.fax,
        }
        self._budget = budget or RequestBudget(conf.RECONCILE_REQUESTS_PER_MINUTE)
        self._result = result

    def history(self, channel: Channel, begin: datetime, end: datetime, page: int) -> HistoryPage:
        """Return a page of transactions that began from `begin` on and before `end`."""
        requested_at = self._spend()
        answer = self._groups[channel].get_history(from_=begin, to=end, page=page)
        entries = [self._entry(channel, each.raw, requested_at) for each in answer.entries]
        return HistoryPage(entries=entries, total=answer.total_entries_count)

    def status(self, channel: Channel, txn_ref: str) -> Entry:
        """Return the status of one transaction."""
        requested_at = self._spend()
        answer = self._groups[channel].query_status(txn_ref=txn_ref)
        return self._entry(channel, {**answer.raw, "txn_ref": txn_ref}, requested_at)

    def _spend(self) -> datetime:
        self._budget.spend()
        self._result.requests += 1
        return timezone.now()

    def _entry(self, channel: Channel, params: Mapping[str, Any], requested_at: datetime) -> Entry:
        # `status` belongs to the request, not to the transaction.
        texts = {storable(name): _text(value) for name, value in params.items() if name != "status"}
        return Entry(
            account=self.account,
            channel=channel,
            txn_ref=texts.get("txn_ref", ""),
            params=texts,
            requested_at=requested_at,
        )


def _text(value: Any) -> str:
    if value is None:
        return ""
    return storable(value if isinstance(value, str) else json.dumps(value))
