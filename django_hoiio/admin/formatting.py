"""Format values, statuses and amounts for display. The caller masks the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from django_hoiio.conf import conf
from django_hoiio.enums import CallOutcome, CallState, CallStatus, Direction, FaxStatus, SmsStatus
from django_hoiio.health import COUNT_LIMIT
from django_hoiio.models import CALL_STATUSES, Call, Fax, Sms, Transaction

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

_TENTH = Decimal("0.1")


def number_text(number: int) -> str:
    return number_format(number, force_grouping=True)


def capped_number_text(number: int) -> str:
    """Format a count that stops at one above `COUNT_LIMIT`: `1,000+`."""
    return f"{number_text(COUNT_LIMIT)}+" if number > COUNT_LIMIT else number_text(number)


def money_text(value: Decimal) -> str:
    """Format an amount with 3 to 6 decimals, without trailing zeros."""
    digits = f"{value:.6f}"
    return number_format(digits[:-3] + digits[-3:].rstrip("0"), force_grouping=True)


def percent_text(part: int, whole: int) -> str:
    """Format a percentage to a tenth. Only all is 100 % and only none is 0 %; nothing is rounded to either."""
    if part in (0, whole):
        return f"{100 if part else 0} %"
    percent = (Decimal(100) * part / whole).quantize(_TENTH)
    return f"{number_format(min(max(percent, _TENTH), 100 - _TENTH))} %"


def day_text(day: date, today: date) -> str:
    """Format a day, with the year if it is not the current year."""
    return date_format(day, "j M" if day.year == today.year else "j M Y")


def amount_text(value: Decimal | None, currency: str) -> str:
    """Format an amount with its currency: `0.032 SGD`; empty for None."""
    return "" if value is None else f"{money_text(value)} {currency}".rstrip()


def moment_text(value: datetime) -> str:
    """Format a moment in the current time zone: `3 Mar 2026, 10:15`, which is unambiguous in every country."""
    return date_format(timezone.localtime(value), "j M Y, H:i")


def value_text(value: Any) -> str:
    """Format a field's value: statuses as Hoiio wrote them; empty for None."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, Decimal):
        return amount_text(value, "")
    return "" if value is None else str(value)


class Status(NamedTuple):
    """A reported status: Hoiio's word, the title of its field, and the word to display."""

    raw: str
    title: str
    word: str


def statuses_of(row: Transaction, names: tuple[str, ...]) -> Iterator[Status]:
    """Yield the statuses that Hoiio has reported for a row."""
    # Django's admin shows a field with choices as empty if its value is not one of them.
    fields = {field.name: field for field in row._meta.fields}
    for name in names:
        raw = getattr(row, name)
        if raw:
            yield Status(raw, str(fields[name].verbose_name), str(dict(fields[name].flatchoices).get(raw, raw)))


def sentence(row: Transaction) -> str:
    """Describe the status of a row, and what it was, in plain words."""
    parts = (_STATUS_SENTENCES[type(row)](row), _summary(row), _overdue_note(row), _redacted_note(row))
    return " ".join(part for part in parts if part)


# Direction, remote party, time and cost.

_SUMMARIES: dict[tuple[type[Transaction], str], tuple[_StrOrPromise, _StrOrPromise]] = {
    (Sms, Direction.OUTGOING): (_("Sent to %(number)s on %(moment)s"), _("Sent on %(moment)s")),
    (Sms, Direction.INCOMING): (_("Received from %(number)s on %(moment)s"), _("Received on %(moment)s")),
    (Call, Direction.OUTGOING): (_("Call to %(number)s on %(moment)s"), _("Call on %(moment)s")),
    (Call, Direction.INCOMING): (_("Call from %(number)s on %(moment)s"), _("Call on %(moment)s, number withheld")),
    (Fax, Direction.OUTGOING): (_("Sent to %(number)s on %(moment)s"), _("Sent on %(moment)s")),
    (Fax, Direction.INCOMING): (_("Received from %(number)s on %(moment)s"), _("Received on %(moment)s")),
}
_DEFAULT_SUMMARY = (_("With %(number)s, on %(moment)s"), _("On %(moment)s"))


def _summary(row: Transaction) -> str:
    with_number, without = _SUMMARIES.get((type(row), row.direction), _DEFAULT_SUMMARY)
    values = {"number": row.remote_number, "moment": moment_text(row.date or row.created_at)}
    return "; ".join([str(with_number if row.remote_number else without) % values, *size_texts(row), *_cost(row)]) + "."


def size_texts(row: Transaction) -> Iterator[str]:
    """Yield the duration and the size, as far as Hoiio has reported them."""
    minutes, pages = getattr(row, "duration", None), getattr(row, "fax_pages", None)
    parts = getattr(row, "split_count", None)
    if minutes is not None:
        yield ngettext("%d minute", "%d minutes", minutes) % minutes
    if pages is not None:
        yield ngettext("%d page", "%d pages", pages) % pages
    if parts is not None and parts > 1:
        yield gettext("in %d parts") % parts


def _cost(row: Transaction) -> Iterator[str]:
    if row.debit is not None:
        yield gettext("cost %s") % amount_text(row.debit, row.currency)


# Status.

_SMS: dict[str, _StrOrPromise] = {
    SmsStatus.QUEUED: _("Waiting: Hoiio has queued it."),
    SmsStatus.DELIVERED: _("Delivered."),
    SmsStatus.FAILED: _("Failed."),
    SmsStatus.ERROR: _("Failed: an error at Hoiio."),
    SmsStatus.RECEIVED: "",
}


_CALL: dict[str, _StrOrPromise] = {
    CallOutcome.IN_PROGRESS: _("In progress."),
    CallOutcome.ANSWERED: _("Answered."),
    CallOutcome.MISSED: _("Missed."),
    CallOutcome.BUSY: _("Busy."),
    CallOutcome.FAILED: _("Failed."),
    CallOutcome.UNKNOWN: _("Ended."),
}


def _sms(row: Any) -> str:
    if row.sms_status:
        return str(_SMS.get(row.sms_status, _unknown(row.sms_status)))
    if row.status:
        is_refused = row.status.startswith("error_")
        sentence = gettext("Refused: %s.") if is_refused else gettext("Accepted (%s), not delivered yet.")
        return str(sentence % row.status)
    return gettext("No report yet.") if row.direction == Direction.OUTGOING else ""


def _unknown(word: str) -> str:
    return gettext("Status “%s”, which Hoiio does not document.") % word


def _call(row: Any) -> str:
    if row.outcome == CallOutcome.IN_PROGRESS and row.call_state == CallState.RINGING:
        return gettext("Ringing.")
    sentence = str(_CALL[row.outcome])
    unusual = [name for name in CALL_STATUSES if getattr(row, name) not in ("", CallStatus.ANSWERED)]
    if not (row.is_final and unusual):
        return sentence
    details = ", ".join(f"{status.title}: {status.word}" for status in statuses_of(row, tuple(unusual)))
    return f"{sentence[:-1]} ({details})."


def _fax(row: Any) -> str:
    if row.fax_status == FaxStatus.ANSWERED:
        return "" if row.direction == Direction.INCOMING else gettext("Arrived.")
    if row.fax_status in ("", FaxStatus.ONGOING):
        return gettext("In progress.") if not row.is_final else ""
    details = ", ".join(filter(None, [row.fax_status, row.fax_error_code]))
    return gettext("Failed (%s).") % details if row.is_final else _unknown(row.fax_status)


_STATUS_SENTENCES: dict[type[Transaction], Callable[[Any], str]] = {Sms: _sms, Call: _call, Fax: _fax}


def _overdue_note(row: Transaction) -> str:
    if row.is_final or row.created_at > timezone.now() - conf.OVERDUE_AFTER:
        return ""
    return gettext("Overdue: no final status for %s.") % timesince(row.created_at)


def _redacted_note(row: Transaction) -> str:
    if row.redacted_at is None:
        return ""
    return gettext("Its numbers and texts were removed on %s.") % moment_text(row.redacted_at)


# The classes are in theme.css. Other words, such as undocumented ones, have no colour.
_LABEL_CLASSES: dict[str, str] = {
    SmsStatus.DELIVERED: "success",
    SmsStatus.RECEIVED: "success",
    CallStatus.ANSWERED: "success",
    "success_ok": "success",
    SmsStatus.QUEUED: "pending",
    CallStatus.ONGOING: "pending",
    CallState.RINGING: "pending",
    CallOutcome.IN_PROGRESS: "pending",
    CallOutcome.MISSED: "warning",
    CallStatus.UNANSWERED: "warning",
    CallStatus.BUSY: "warning",
    SmsStatus.FAILED: "error",
    SmsStatus.ERROR: "error",
}


def label(raw: str, word: str) -> str:
    """Return a status as a coloured label. Hoiio's word determines the colour."""
    tone = "error" if raw.startswith("error_") else _LABEL_CLASSES.get(raw, "plain")
    return format_html('<span class="hoiio-label hoiio-{}">{}</span>', tone, word)


def optional_moment_text(value: datetime | None) -> str:
    return "" if value is None else moment_text(value)
