"""What a reconciliation did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum


class Found(Enum):
    """What an entry of Hoiio's told."""

    KNOWN = "nothing new"
    MISSING = "a call, SMS or fax that nothing was known of"
    CHANGED = "how one that was known has gone on"


@dataclass(kw_only=True)
class Report:
    """What a reconciliation did, in numbers, and why something could not be asked, in sentences."""

    dry_run: bool = False
    asked: int = 0
    # Entries of history.
    read: int = 0
    # Transactions that were overdue, and those of them that Hoiio does not know.
    overdue: int = 0
    strangers: int = 0
    found: Counter[Found] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        missing, changed = self.found[Found.MISSING], self.found[Found.CHANGED]
        return (
            f"Asked Hoiio {self.asked} times: {self.read} entries of history and {self.overdue} overdue"
            f" ({self.strangers} of them unknown to Hoiio). {'Would take in' if self.dry_run else 'Took in'}"
            f" {missing + changed}: {missing} were missing, {changed} had gone on."
            f" {len(self.failures)} could not be asked."
        )
