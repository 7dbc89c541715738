"""What each notification of a transaction changed: it is not stored, so all are read and merged anew. No database.

Like the statement in `merging`, and by its stamps. The notifications are taken in the order in which they were kept:
one that came earlier and was kept later, as from the spool, met what was there by then.
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
    """Why a field stays as it is."""

    # A final report is not undone by one that is not.
    FINAL = "final"
    # A report that got further is not undone by an earlier one.
    FURTHER = "further"
    # What came later stays.
    LATER = "later"
    # Another report knows better who the other party is.
    PARTY = "party"


class Passed(Enum):
    """Why a notification changed nothing at all."""

    # What it said was removed.
    REDACTED = "redacted"
    # Its state could not be written.
    UNWRITTEN = "unwritten"
    # It is of another kind, or of none.
    NOTHING = "nothing"
    # It named its session alone, and no call of that was known yet.
    NO_CALL = "no call"
    # It named its session alone, of which another call was the newest.
    ANOTHER_CALL = "another call"
    # It belongs to another SMS with the same reference.
    ANOTHER_PART = "another part"


@dataclass(frozen=True, kw_only=True)
class Changed:
    """A field that a notification filled, or filled anew."""

    name: str
    old: Any
    new: Any


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A field of which a notification said something that was not taken."""

    name: str
    kept: Any
    said: Any
    why: Why


@dataclass(frozen=True, kw_only=True)
class Step:
    """One notification, and what it did to the row."""

    notification: Notification
    changes: Sequence[Changed] = ()
    refusals: Sequence[Refused] = ()
    # Where it did nothing at all.
    passed: Passed | None = None
    # The row after it, by the fields that notifications tell.
    state: Mapping[str, Any] = field(default_factory=dict)


def replay(row: Transaction, notifications: Iterable[Notification], *, rivals: Sequence[Call] = ()) -> list[Step]:
    """What each notification did to a row, in the order in which they were kept.

    `notifications` are all of the row's `notifications`, or those that were kept first. `rivals` are the other calls
    of its session: what names the session alone went to the newest one.
    """
    in_order = sorted(notifications, key=lambda notification: notification.pk)
    is_older = all(row.created_at < each.received_at for each in in_order)
    stage = _Stage(row, rivals, is_older=is_older)
    played = [stage.play(notification) for notification in in_order]
    own = stage.own()
    return [step if at is None or at is own else _elsewhere(step) for at, step in played]


def sent(row: Transaction) -> dict[str, Any]:
    """What stands in a row as it was sent, by field: Hoiio has told nothing else of it since."""
    return {name: getattr(row, name) for name in _stamps_of_sent(row)}


def _stamps_of_sent(row: Transaction) -> dict[str, str]:
    stamps = {name: row.stamps[at * STAMP_LENGTH :][:STAMP_LENGTH] for at, name in enumerate(row.reported)}
    return {name: stamp for name, stamp in stamps.items() if stamp[1:] == _SENT and stamp != NO_STAMP}


def _elsewhere(step: Step) -> Step:
    return Step(notification=step.notification, passed=Passed.ANOTHER_PART)


@dataclass(kw_only=True)
class _Row:
    """A row while it is played."""

    part: str
    values: dict[str, Any]
    stamps: dict[str, str] = field(default_factory=dict)

    def merge(self, change: Change) -> tuple[list[Changed], list[Refused]]:
        changes, refusals = [], []
        stamps = stamps_of(change)
        for name in change.model.reported:
            if name not in change.values:
                continue
            old, new, stamp = self.values[name], change.values[name], stamps[name in change.model.party]
            before = self.stamps.get(name, NO_STAMP)
            if stamp >= before:
                self.values[name], self.stamps[name] = new, stamp
                changes += [Changed(name=name, old=old, new=new)] * (new != old)
            elif new != old:
                why = Why.PARTY if name in change.model.party else _why(before, stamp)
                refusals.append(Refused(name=name, kept=old, said=new, why=why))
        return changes, refusals


def _why(before: str, stamp: str) -> Why:
    if before[0] == stamp[0]:
        return Why.LATER
    return Why.FINAL if int(before[0]) == Rank.FINAL else Why.FURTHER


class _Stage:
    """The rows that bear one reference, while its notifications are played."""

    def __init__(self, row: Transaction, rivals: Sequence[Call], *, is_older: bool) -> None:
        self.row = row
        self.rivals = rivals
        self.rows: list[_Row] = []
        before = sent(row)
        # It was sent, or what told of it first is kept no more.
        if before or is_older:
            first = self._at("")
            first.values.update(before)
            first.stamps.update(_stamps_of_sent(row))

    def own(self) -> _Row | None:
        """Which of the rows is the one that was asked for; where first texts are kept no more, its text tells."""
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
        """A call's notification that names the session alone goes to the newest call that was there."""
        age = self.row.created_at, self.row.pk
        there = [rival for rival in self.rivals if rival.created_at <= change.received_at]
        if any((rival.created_at, rival.pk) > age for rival in there) or (there and not self.rows):
            return Passed.ANOTHER_CALL
        return self.rows[0] if self.rows else Passed.NO_CALL

    def _by_text(self, msg: str) -> _Row:
        texts = {at.part: at.values["msg"] for at in self.rows}
        part = part_of(msg, texts) if texts else ""
        for at in self.rows:
            # A second text: from now on each bears its digest.
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
