"""Replay the notifications of a transaction to find what each changed. This is not stored. No database access.

Merges like the statement in `merging`, by the same stamps, in the order in which the notifications were stored. One
from the spool was received earlier, but merged into a row that later ones had already changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from django_hoiio.enums import Kind, Rank
from django_hoiio.models import Call, Notification, Sms, Transaction
from django_hoiio.parsing import parse

from .merging import NO_STAMP, STAMP_LENGTH, Change, stamps_of
from .raw import raw_of
from .states import change_of, digest_of, part_of

# The moment in the stamps of what was sent.
_SENT = NO_STAMP[1:]


class Why(Enum):
    """Reason why a field was not changed."""

    # A final report is not overwritten by one that is not final.
    FINAL = "final"
    # A report that got further is not undone by an earlier one.
    FURTHER = "further"
    # The value of a later report stays.
    LATER = "later"
    # Another report identifies the remote party more reliably.
    PARTY = "party"


class Passed(Enum):
    """Reason why a notification was skipped."""

    # Its content was removed.
    REDACTED = "redacted"
    # Its state could not be written.
    UNWRITTEN = "unwritten"
    # It belongs to another model, or to none.
    NOTHING = "nothing"
    # It named only its session, and no call of that session was stored yet.
    NO_CALL = "no call"
    # It named only its session, and another call of that session was the newest.
    ANOTHER_CALL = "another call"
    # It belongs to another SMS with the same reference.
    ANOTHER_PART = "another part"


@dataclass(frozen=True, kw_only=True)
class AppliedChange:
    """A field that a notification set or changed."""

    name: str
    old: Any
    new: Any


@dataclass(frozen=True, kw_only=True)
class RefusedChange:
    """A field whose value in a notification was not applied."""

    name: str
    stored: Any
    reported: Any
    why: Why


@dataclass(frozen=True, kw_only=True)
class Step:
    """One notification and its effects on the row."""

    notification: Notification
    changes: Sequence[AppliedChange] = ()
    refusals: Sequence[RefusedChange] = ()
    # Set if it was skipped.
    passed: Passed | None = None
    # The row after it: the fields that notifications report.
    state: Mapping[str, Any] = field(default_factory=dict)


def replay(row: Transaction, notifications: Iterable[Notification], *, rivals: Sequence[Call] = ()) -> list[Step]:
    """Return the effects of each notification on a row, in the order in which they were stored.

    `notifications` are all of the row's `notifications`, or the first ones stored. `rivals` are the other calls of its
    session: a notification that names only the session went to the newest one.
    """
    in_order = sorted(notifications, key=lambda notification: notification.pk)
    is_older = all(row.created_at < each.received_at for each in in_order)
    stage = _Stage(row, rivals, is_older=is_older)
    played = [stage.play(notification) for notification in in_order]
    own = stage.own()
    return [step if at is None or at is own else _elsewhere(step) for at, step in played]


def sent(row: Transaction) -> dict[str, Any]:
    """Return the sent values of a row that Hoiio has not reported since, by field."""
    return {name: getattr(row, name) for name in _stamps_of_sent(row)}


def _stamps_of_sent(row: Transaction) -> dict[str, str]:
    stamps = {name: row.stamps[at * STAMP_LENGTH :][:STAMP_LENGTH] for at, name in enumerate(row.reported)}
    return {name: stamp for name, stamp in stamps.items() if stamp[1:] == _SENT and stamp != NO_STAMP}


def _elsewhere(step: Step) -> Step:
    return Step(notification=step.notification, passed=Passed.ANOTHER_PART)


@dataclass(kw_only=True)
class _Row:
    """A row during the replay."""

    part: str
    values: dict[str, Any]
    stamps: dict[str, str] = field(default_factory=dict)

    def merge(self, change: Change) -> tuple[list[AppliedChange], list[RefusedChange]]:
        changes, refusals = [], []
        stamps = stamps_of(change)
        for name in change.model.reported:
            if name not in change.values:
                continue
            old, new, stamp = self.values[name], change.values[name], stamps[name in change.model.remote_party_fields]
            before = self.stamps.get(name, NO_STAMP)
            if stamp >= before:
                self.values[name], self.stamps[name] = new, stamp
                changes += [AppliedChange(name=name, old=old, new=new)] * (new != old)
            elif new != old:
                why = Why.PARTY if name in change.model.remote_party_fields else _why(before, stamp)
                refusals.append(RefusedChange(name=name, stored=old, reported=new, why=why))
        return changes, refusals


def _why(before: str, stamp: str) -> Why:
    if before[0] == stamp[0]:
        return Why.LATER
    return Why.FINAL if int(before[0]) == Rank.FINAL else Why.FURTHER


class _Stage:
    """The rows of one reference during the replay."""

    def __init__(self, row: Transaction, rivals: Sequence[Call], *, is_older: bool) -> None:
        self.row = row
        self.rivals = rivals
        self.rows: list[_Row] = []
        before = sent(row)
        # It was sent, or its first notifications were deleted.
        if before or is_older:
            first = self._at("")
            first.values.update(before)
            first.stamps.update(_stamps_of_sent(row))

    def own(self) -> _Row | None:
        """Return the replayed row of `self.row`. If the first texts were deleted, it is found by its text."""
        if not isinstance(self.row, Sms):
            return self.rows[0] if self.rows else None
        part, msg = self.row.part, self.row.msg
        return next((at for at in self.rows if at.part == part), None) or next(
            (at for at in self.rows if at.values["msg"] == msg or digest_of(at.values["msg"]) == part), None
        )

    def play(self, notification: Notification) -> tuple[_Row | None, Step]:
        if notification.redacted_at is not None:
            return None, Step(notification=notification, passed=Passed.REDACTED)
        if "state" in notification.problems:
            return None, Step(notification=notification, passed=Passed.UNWRITTEN)
        raw = raw_of(notification)
        parsed = parse(raw)
        change = change_of(raw, parsed)
        at = Passed.NOTHING if change is None or change.model is not type(self.row) else self._find(change, parsed.kind)
        if change is None or isinstance(at, Passed):
            return None, Step(notification=notification, passed=at if isinstance(at, Passed) else Passed.NOTHING)
        changes, refusals = at.merge(change)
        step = Step(notification=notification, changes=changes, refusals=refusals, state=dict(at.values))
        return at, step

    def _find(self, change: Change, kind: Kind) -> _Row | Passed:
        if change.key is None:
            return self._by_session(change)
        if kind == Kind.SMS_RECEIVED and change.key == Sms.key:
            return self._by_text(change.values.get("msg", ""))
        return self._at("")

    def _by_session(self, change: Change) -> _Row | Passed:
        """A notification that names only the session belongs to the newest call that was stored."""
        age = self.row.created_at, self.row.pk
        there = [rival for rival in self.rivals if rival.created_at <= change.received_at]
        if any((rival.created_at, rival.pk) > age for rival in there) or (there and not self.rows):
            return Passed.ANOTHER_CALL
        return self.rows[0] if self.rows else Passed.NO_CALL

    def _by_text(self, msg: str) -> _Row:
        texts = {at.part: at.values["msg"] for at in self.rows}
        part = part_of(msg, texts) if texts else ""
        for at in self.rows:
            # This is the second text. From now on each row has the digest of its text.
            if part and at.part == "":
                at.part = digest_of(at.values["msg"])
        return self._at(part)

    def _at(self, part: str) -> _Row:
        found = next((at for at in self.rows if at.part == part), None)
        if found is None:
            found = _Row(part=part, values=_empty_values(type(self.row)))
            self.rows.append(found)
        return found


def _empty_values(model: type[Transaction]) -> dict[str, Any]:
    return {each.name: each.get_default() for each in model._meta.concrete_fields if each.name in model.reported}
