"""Explain the state of a row by its stored notifications. No database access."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django_hoiio.enums import Rank
from django_hoiio.models import Notification, Transaction

from .reports import linked_report
from .state import PARTY, Report, certainty, fold, state_of


class Why(Enum):
    """Reason why a field was not changed."""

    # A final report is not overwritten by one that is not final.
    FINAL = "final"
    # A report that got further is not undone by an earlier one.
    FURTHER = "further"
    # The value of a later report stays.
    LATER = "later"
    # Another report is more certain about the remote party.
    PARTY = "party"


class Passed(Enum):
    """Reason why a notification was skipped."""

    # Its content was removed.
    REDACTED = "redacted"
    # Its state could not be written.
    UNWRITTEN = "unwritten"
    # It has the reference of the row, and reports nothing of any transaction.
    NOTHING = "nothing"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A field that a notification changed from `old` to `new`; or, with `why`, whose `new` value was not applied."""

    name: str
    old: Any
    new: Any
    why: Why | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One notification and its effects on the row."""

    notification: Notification
    changes: Sequence[Change] = ()
    refusals: Sequence[Change] = ()
    # Set if it was skipped.
    passed: Passed | None = None
    # False if the step was not computed.
    is_replayed: bool = True


def steps_of(row: Transaction, notifications: Iterable[Notification], before: Mapping[str, Any]) -> list[Step]:
    """Return the effects of each notification on a row, in the order in which they were stored.

    `notifications` are those that the row contains or that have its reference; `before` are the values that the row had
    before them.
    """
    state: Mapping[str, Any] = {**empty_state(row), **before}
    start, reports, steps = state, list[Report](), []
    for notification in sorted(notifications, key=lambda each: each.pk):
        if passed := _passed(notification, row):
            steps.append(Step(notification=notification, passed=passed))
            continue
        report = linked_report(notification, row)
        reports.append(report)
        old, state = state, fold(reports, start)
        # In the order of the model's fields.
        values = {name: report.values[name] for name in row.reported if name in report.values}
        steps.append(
            Step(
                notification=notification,
                changes=[
                    Change(name=name, old=old[name], new=state[name]) for name in values if state[name] != old[name]
                ],
                refusals=[
                    Change(name=name, old=state[name], new=value, why=_why(name, report, reports))
                    for name, value in values.items()
                    if state[name] != value
                ],
            )
        )
    return steps


def values_before(row: Transaction, notifications: Iterable[Notification]) -> dict[str, Any]:
    """Return the values of a row that none of its notifications gave it: those that were sent.

    Without the whole history, nothing is known of them.
    """
    if not row.history_is_whole:
        return {}
    reports = [linked_report(each, row) for each in notifications if _passed(each, row) is None]
    state, reported = state_of(row), {name for report in reports for name in report.values}
    if certainty(state) > certainty(fold(reports, empty_state(row))):
        reported -= {*PARTY}
    return {name: value for name, value in state.items() if name not in reported and value not in ("", None, False)}


def empty_state(row: Transaction) -> dict[str, Any]:
    """Return the state of a row without reports."""
    return {field.name: field.get_default() for field in row._meta.concrete_fields if field.name in row.reported}


def _passed(notification: Notification, row: Transaction) -> Passed | None:
    if notification.redacted_at is not None:
        return Passed.REDACTED
    if notification.state_error:
        return Passed.UNWRITTEN
    is_linked = getattr(notification, f"{row._meta.model_name}_id") == row.pk
    return None if is_linked else Passed.NOTHING


def _why(name: str, report: Report, reports: Iterable[Report]) -> Why:
    if name in PARTY:
        return Why.PARTY
    newest = max(each.rank for each in reports if name in each.values and each.version > report.version)
    if newest == report.rank:
        return Why.LATER
    return Why.FINAL if newest == Rank.FINAL else Why.FURTHER
