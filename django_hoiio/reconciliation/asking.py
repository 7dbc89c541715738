"""Asking Hoiio how things stand, within the budget."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..client import HoiioClient
from ..client.fax import FaxGroup
from ..client.sms import SmsGroup
from ..client.voice import VoiceGroup
from ..conf import conf
from ..kinds import Channel
from ..parsing.fields import storable
from .budget import Budget
from .report import Report


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What Hoiio says of one call, SMS or fax."""

    account: str
    channel: Channel
    txn_ref: str
    # In Hoiio's names, as texts.
    said: Mapping[str, str]
    # Just before Hoiio was asked: what came later is newer.
    asked_at: datetime


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of history."""

    entries: Sequence[Entry]
    # On all pages; `None` where Hoiio does not say.
    total: int | None


class Asker:
    """Asks in the name of one account. Every call raises `HoiioError`."""

    def __init__(self, account: str, client: HoiioClient, report: Report, budget: Budget | None = None) -> None:
        self.account = account
        self._groups: dict[Channel, VoiceGroup | SmsGroup | FaxGroup] = {
            Channel.VOICE: client.voice,
            Channel.SMS: client.sms,
            Channel.FAX: client.fax,
        }
        self._budget = budget or Budget(conf.CALLS_PER_MINUTE)
        self._report = report

    def history(self, channel: Channel, begin: datetime, end: datetime, page: int) -> Page:
        """A page of what began from `begin` on and before `end`."""
        asked_at = self._spend()
        answer = self._groups[channel].get_history(from_=begin, to=end, page=page)
        entries = [self._entry(channel, report.said, asked_at) for report in answer.entries]
        return Page(entries=entries, total=answer.total_entries_count)

    def status(self, channel: Channel, txn_ref: str) -> Entry:
        """How one transaction stands."""
        asked_at = self._spend()
        answer = self._groups[channel].query_status(txn_ref=txn_ref)
        return self._entry(channel, {**answer.said, "txn_ref": txn_ref}, asked_at)

    def _spend(self) -> datetime:
        self._budget.spend()
        self._report.asked += 1
        return datetime.now(timezone.utc)

    def _entry(self, channel: Channel, said: Mapping[str, Any], asked_at: datetime) -> Entry:
        # The word of the query is none of the transaction.
        texts = {storable(name): _text(value) for name, value in said.items() if name != "status"}
        return Entry(
            account=self.account,
            channel=channel,
            txn_ref=texts.get("txn_ref", ""),
            said=texts,
            asked_at=asked_at,
        )


def _text(value: Any) -> str:
    if value is None:
        return ""
    return storable(value if isinstance(value, str) else json.dumps(value))
