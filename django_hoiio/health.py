"""Health figures: what is pending, failed or overdue. Each count stops at a limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Model, QuerySet
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from . import spool
from .admin.formatting import COUNT_LIMIT, capped_number_text
from .conf import conf
from .enums import Source
from .models import Call, Fax, Notification, ReceiverFailure, Sms, Transaction

# Where the lists of the rows are that a user may look at.
Lists = Mapping[type[Model], str]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One thing to look at each morning."""

    label: str
    value: str
    note: str = ""
    # What mends it.
    command: str = ""
    is_alarming: bool = False
    # The list of what it counts.
    url: str = ""
    # The exact time of what it tells.
    moment: datetime | None = None


def standing(lists: Lists, now: datetime) -> list[Figure]:
    """What concerns the rows that a user may look at."""
    return [figure(lists[model], now) for model, figure in _FIGURES if model in lists]


def _last_notification(url: str, now: datetime) -> Figure:
    newest = Notification.objects.order_by("-received_at").values_list("received_at", "source").first()
    label = _("Last notification")
    if newest is None:
        return Figure(label=label, value=_("none yet"), url=url)
    moment, source = newest
    note = "" if source == Source.WEBHOOK else str(Source(source).label)
    return Figure(label=label, value=_ago(moment, now), note=note, url=url, moment=moment)


def _ago(moment: datetime, now: datetime) -> str:
    if now - moment < timedelta(minutes=1):
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(moment, now, depth=1)}


def _untold(url: str, now: datetime) -> Figure:
    rows = Notification.objects.pending().unclaimed(now)
    return _alarm(_("Never told"), _count(rows), f"{url}?untold=yes", command="hoiio_recover")


def _spooled(url: str, now: datetime) -> Figure:
    label, folder = _("Waiting in the spool"), conf.SPOOL_DIR
    if folder is None:
        return Figure(label=label, value=_("no spool"), note=_("HOIIO['SPOOL_DIR'] is not set."))
    try:
        waiting, refused = (
            spool.count(folder, suffix, COUNT_LIMIT + 1) for suffix in (spool.SUFFIX, spool.QUARANTINED)
        )
    except OSError as error:
        return Figure(label=label, value=_("not readable"), note=error.strerror or "", is_alarming=True)
    note = _("%(number)s set aside") % {"number": capped_number_text(refused)} if refused else ""
    return Figure(
        label=label,
        value=capped_number_text(waiting),
        note=note,
        command="hoiio_recover" if waiting else "",
        is_alarming=bool(waiting or refused),
    )


def _failed(url: str, now: datetime) -> Figure:
    rows = ReceiverFailure.objects.unresolved()
    return _alarm(_("Failed receivers"), _count(rows), f"{url}?unresolved=yes", command="hoiio_recover")


def _overdue(label: str, model: type[Transaction], url: str, now: datetime) -> Figure:
    rows: Any = model._default_manager.all()
    return _alarm(label, _count(rows.overdue()), f"{url}?overdue=yes", command="hoiio_reconcile")


def _count(rows: QuerySet[Any]) -> int:
    """How many there are, counted no further than one above `MOST`."""
    return rows.order_by()[: COUNT_LIMIT + 1].count()


def _alarm(label: str, number: int, url: str, *, command: str) -> Figure:
    return Figure(
        label=label,
        value=capped_number_text(number),
        command=command if number else "",
        is_alarming=number > 0,
        url=url,
    )


_FIGURES: tuple[tuple[type[Model], Callable[[str, datetime], Figure]], ...] = (
    (Notification, _last_notification),
    (Notification, _spooled),
    (Notification, _untold),
    (ReceiverFailure, _failed),
    (Call, lambda url, now: _overdue(_("Calls overdue"), Call, url, now)),
    (Sms, lambda url, now: _overdue(_("SMS overdue"), Sms, url, now)),
    (Fax, lambda url, now: _overdue(_("Faxes overdue"), Fax, url, now)),
)
