"""The timeline of a call, SMS or fax: an event for each notification, and one for what was known before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db.models import Model
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.timesince import timesince
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_hoiio.enums import KNOWN_STATUSES, Source
from django_hoiio.ingest.history import Change, Passed, Step, Why, steps_of, values_before
from django_hoiio.masking import FIELD_MASKS, LINK, RAW, FieldMask
from django_hoiio.models import Notification, ReceiverFailure, Transaction

from .formatting import value_text
from .inspector import problems_of
from .sections import open_button

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

Link = Callable[[Model, str], str]

# Notifications to replay, from the first. If there are more, the latest are shown without a replay.
MAX_EVENTS = 200
MAX_LATEST_EVENTS = 20
# Failures whose traceback is on the page. The traceback of the others is on their own page.
MAX_TRACEBACKS = 20
# Characters of a changed value.
MAX_LENGTH = 300
# Receivers called after this time were called late.
LATE_AFTER = timedelta(minutes=1)

# Parameters that are events and not state: title and mask.
RESULTS: dict[str, tuple[_StrOrPromise, FieldMask]] = {
    "digits": (_("Keys pressed"), RAW),
    "record_url": (_("Recording"), LINK),
    "monitor_url": (_("Recording of the whole call"), LINK),
}

# Derived from other fields, so not shown.
_DERIVED = ("remote_suffix",)


@dataclass(frozen=True, kw_only=True)
class FieldChange:
    """A changed field, with masked values as text."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, kw_only=True)
class ReceiverResult:
    """A receiver that was called, and its failure, if any."""

    # Signal and receiver name; a link to the failure, if any.
    name: str
    failure: ReceiverFailure | None = None
    traceback: str = ""


@dataclass(frozen=True, kw_only=True)
class Event:
    """An entry of the timeline. Empty parts are not shown."""

    title: _StrOrPromise
    moment: datetime
    notification: Notification | None = None
    # How the notification was received, and why it changed nothing.
    remarks: Sequence[_StrOrPromise] = ()
    changes: Sequence[FieldChange] = ()
    refusals: Sequence[str] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    results: Sequence[tuple[_StrOrPromise, str]] = ()
    receivers: Sequence[ReceiverResult] = ()
    pass_on: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The events, oldest first. If there are too many, `latest` follows after a gap."""

    events: Sequence[Event]
    latest: Sequence[Event]
    # Number of notifications before the gap.
    limit: int


def timeline_of(row: Transaction, request: HttpRequest, link: Link) -> Timeline:
    """Return the timeline of an unmasked row, masked for the user of `request`.

    `link` turns a text into a link to a row's page, if the user may open it. The number of queries is constant.
    """
    notifications = _first(row)
    is_cut = len(notifications) > MAX_EVENTS
    first, latest = notifications[:MAX_EVENTS], _latest(row, notifications[MAX_EVENTS - 1]) if is_cut else []
    before = {} if is_cut else values_before(row, first)
    builder = _EventBuilder(request, link, _failures_of([*first, *latest], row))
    steps = sorted(steps_of(row, first, before), key=lambda step: (step.notification.received_at, step.notification.pk))
    return Timeline(
        events=[*builder.beginning(row, before, steps), *map(builder.event, steps)],
        latest=[builder.event(Step(notification=each, is_replayed=False)) for each in latest],
        limit=MAX_EVENTS,
    )


def _first(row: Transaction) -> list[Notification]:
    """Return one more than `MAX_EVENTS` notifications that the row contains, or that have its reference and no row."""
    found = list(row.notifications.order_by("pk")[: MAX_EVENTS + 1])
    if row.txn_ref is not None:
        unlinked = Notification.objects.using(row._state.db).unlinked()
        found += unlinked.filter(txn_ref=row.txn_ref, account=row.account).order_by("pk")[: MAX_EVENTS + 1]
    return sorted(found, key=lambda each: each.pk)[: MAX_EVENTS + 1]


def _latest(row: Transaction, last: Notification) -> list[Notification]:
    latest = row.notifications.filter(pk__gt=last.pk).order_by("-pk")[:MAX_LATEST_EVENTS]
    return sorted(latest, key=lambda each: (each.received_at, each.pk))


def _failures_of(notifications: Sequence[Notification], row: Transaction) -> list[ReceiverFailure]:
    failures = ReceiverFailure.objects.using(row._state.db).defer("traceback").order_by("pk")
    return list(failures.filter(notification__in=[each.pk for each in notifications])[: MAX_EVENTS * 5])


class _EventBuilder:
    """Format the steps of the replay for one user, with masks."""

    def __init__(self, request: HttpRequest, link: Link, failures: Sequence[ReceiverFailure]) -> None:
        self.request = request
        self.link = link
        self.masks = {name: each for name, each in FIELD_MASKS.items() if not each.is_visible(request)}
        self.sees_raw = RAW.is_visible(request)
        self.failures: dict[int, list[ReceiverFailure]] = {}
        for failure in failures:
            self.failures.setdefault(failure.notification_id, []).append(failure)
        self.tracebacks = self._tracebacks(failures) if self.sees_raw and failures else {}

    def beginning(self, row: Transaction, before: Mapping[str, Any], steps: Sequence[Step]) -> Iterator[Event]:
        """Yield an event for what was known before the first stored notification."""
        changes = [Change(name=name, old=None, new=value) for name, value in before.items()]
        is_older = steps != [] and row.created_at < steps[0].notification.received_at
        if before:
            yield Event(title=_("Sent by this project"), moment=row.created_at, changes=self._changes(changes))
        elif is_older or not steps:
            why = _("Its first notifications were deleted, or later reports replaced all that was sent.")
            yield Event(title=_("Created earlier"), moment=row.created_at, remarks=[why])

    def event(self, step: Step) -> Event:
        notification = step.notification
        return Event(
            title=self.link(notification, notification.get_kind_display()),
            moment=notification.received_at,
            notification=notification,
            remarks=list(_remarks(step)),
            changes=self._changes(step.changes),
            refusals=list(self._refusals(step.refusals)),
            problems=problems_of(notification),
            results=list(self._results(notification)),
            receivers=list(self._receivers(notification)),
            pass_on=notification.pass_on if self.sees_raw else {},
        )

    def _changes(self, changes: Sequence[Change]) -> list[FieldChange]:
        shown = {each.new for each in changes if each.name in ("from_number", "dest", "dest2")}
        seen = [
            each
            for each in changes
            if each.name not in _DERIVED and not (each.name == "remote_number" and each.new in shown)
        ]
        return [
            FieldChange(name=each.name, old=self._text(each.name, each.old), new=self._text(each.name, each.new))
            for each in seen
        ]

    def _refusals(self, refusals: Sequence[Change]) -> Iterator[str]:
        for each in refusals:
            # If another field stays as it is, the row obviously stays final too.
            if each.name in _DERIVED or (each.name == "is_final" and len(refusals) > 1):
                continue
            reported = self._text(each.name, each.new)
            stored = self._text(each.name, each.old) or gettext("empty")
            why = (
                gettext("%s does not overwrite a final status") % reported
                if _is_word(each)
                else _REASONS.get(each.why, "")
            )
            yield gettext("%(name)s stays %(value)s: %(why)s") % {"name": each.name, "value": stored, "why": why}

    def _text(self, name: str, value: Any) -> str:
        field_mask = self.masks.get(name)
        return field_mask.mask(str(value or "")) if field_mask else Truncator(value_text(value)).chars(MAX_LENGTH)

    def _results(self, notification: Notification) -> Iterator[tuple[_StrOrPromise, str]]:
        for name, (title, field_mask) in RESULTS.items():
            text = notification.params.get(name)
            if name == "digits" and text == "":
                yield title, gettext("none before the time-out")
            elif text:
                show = open_button if field_mask is LINK else str
                yield title, (show(text) if field_mask.is_visible(self.request) else field_mask.mask(text))

    def _receivers(self, notification: Notification) -> Iterator[ReceiverResult]:
        failed = {(each.signal, each.receiver): each for each in self.failures.get(notification.pk, ())}
        limit = ReceiverFailure._meta.get_field("receiver").max_length
        for signal, label in _called(notification.receivers):
            yield self._receiver(signal, label, failed.pop((signal, label[:limit]), None))
        # Failures of notifications stored before their receivers were recorded.
        for (signal, label), failure in failed.items():
            yield self._receiver(signal, label, failure)

    def _receiver(self, signal: str, label: str, failure: ReceiverFailure | None) -> ReceiverResult:
        traceback = self.tracebacks.get(failure.pk, "") if failure else ""
        name = f"{signal} → {label}"
        return ReceiverResult(name=self.link(failure, name) if failure else name, failure=failure, traceback=traceback)

    def _tracebacks(self, failures: Sequence[ReceiverFailure]) -> dict[int, str]:
        first = [failure.pk for failure in islice(failures, MAX_TRACEBACKS)]
        rows = ReceiverFailure.objects.using(failures[0]._state.db).filter(pk__in=first)
        return dict(rows.values_list("pk", "traceback"))


def _called(receivers: Any) -> Iterator[tuple[str, str]]:
    """Yield signal and name of each receiver that was called. Malformed entries are skipped."""
    for pair in receivers if isinstance(receivers, list) else ():
        if isinstance(pair, (list, tuple)) and len(pair) == 2:
            yield str(pair[0]), str(pair[1])


def _is_word(refused: Change) -> bool:
    return refused.name in KNOWN_STATUSES and refused.why == Why.FINAL


def _remarks(step: Step) -> Iterator[_StrOrPromise]:
    notification = step.notification
    if notification.source in _SOURCE_NOTES:
        yield _SOURCE_NOTES[Source(notification.source)]
    if step.passed is not None:
        yield _NO_CHANGE_NOTES[step.passed]
    elif step.is_replayed and not (step.changes or step.refusals or RESULTS.keys() & notification.params.keys()):
        yield _("It changed nothing.")
    if notification.dispatched_at is None:
        yield _("Its receivers have not all run yet.")
    elif notification.dispatched_at - notification.received_at > LATE_AFTER:
        yield gettext("Its receivers ran %s after it was received.") % timesince(
            notification.received_at, notification.dispatched_at
        )


_SOURCE_NOTES: dict[Source, _StrOrPromise] = {
    Source.SPOOL: _("Stored in the spool while the database was unavailable."),
    Source.POLL: _("Read from Hoiio's API."),
}
_REASONS: dict[Why | None, _StrOrPromise] = {
    Why.FINAL: _("a report that is not final does not overwrite a final one"),
    Why.FURTHER: _("a less advanced report does not overwrite a more advanced one"),
    Why.LATER: _("an earlier report does not overwrite a later one"),
    Why.PARTY: _("another report is more certain about the remote party"),
}
_NO_CHANGE_NOTES: dict[Passed, _StrOrPromise] = {
    Passed.REDACTED: _("Redacted: its content was removed."),
    Passed.UNWRITTEN: _("It changed nothing, because its state could not be stored; hoiio_recover tries again."),
    Passed.NOTHING: _("It has the same reference but reports nothing about this row."),
}
