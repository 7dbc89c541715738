"""The state of a call, SMS or fax: the fold of its reports. No database access.

Each report overwrites the fields that it reports, in the order of the versions. So the result does not depend on the
order in which the reports arrive, or on how often.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django_hoiio.enums import Direction, Rank
from django_hoiio.models import Transaction

# The fields of the remote party. They are overwritten together.
PARTY = ("direction", "remote_number", "remote_suffix")

# How certain a direction is: an incoming call may have `dest` as well. A number adds one.
CERTAINTY: dict[str | None, int] = {Direction.OUTGOING: 1, Direction.INCOMING: 3}


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one notification reports of one transaction."""

    model: type[Transaction]
    account: str
    # The fields that identify the row.
    key: Mapping[str, Any]
    # The fields that it reports. A field that it does not report is missing.
    values: Mapping[str, Any]
    # The rank of the report, and when it was received.
    rank: Rank
    moment: datetime
    version: int


def state_of(row: Transaction) -> dict[str, Any]:
    """Return the values of the fields that notifications report."""
    return {name: getattr(row, name) for name in row.reported}


def certainty(state: Mapping[str, Any]) -> int:
    """Return how certain a row or a report is about the remote party; 0 if it has none."""
    return CERTAINTY.get(state.get("direction"), 0) + bool(state.get("remote_number"))


def fold(reports: Iterable[Report], state: Mapping[str, Any]) -> dict[str, Any]:
    """Return `state` with the reports applied. Reports of one version count in the given order."""
    folded = dict(state)
    for report in sorted(reports, key=lambda report: report.version):
        folded.update(applicable(report, folded))
    return folded


def applicable(report: Report, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a report, without those of a remote party that the state knows with more certainty."""
    knows_party = certainty(state) > certainty(report.values)
    return {name: value for name, value in report.values.items() if not (knows_party and name in PARTY)}


def overwritten(report: Report, later: Report) -> set[str]:
    """Return the fields of a report that a later one overwrites."""
    fields = report.values.keys() & later.values.keys()
    return fields if certainty(later.values) >= certainty(report.values) else fields - {*PARTY}


def fill(report: Report, state: Mapping[str, Any], erased: Iterable[str] = ()) -> dict[str, Any]:
    """Return the values of a report for fields that `state` lacks and that were not `erased`.

    This is all that a late report may change if newer ones are not known.
    """
    knows_party = certainty(state) >= certainty(report.values)
    return {
        name: value
        for name, value in report.values.items()
        if name not in erased and (not knows_party if name in PARTY else state[name] in ("", None))
    }
