"""The dashboard on the app's page in the admin: health figures, and volumes and costs of the last days.

A figure is shown if the site has a list of the rows that it counts and the user may view this list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db import router
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from django_hoiio.conf import conf
from django_hoiio.enums import Source
from django_hoiio.health import (
    latest_notification,
    overdue_transactions,
    pending_notifications,
    spool_files,
    unresolved_failures,
)
from django_hoiio.models import Call, DailyTotal, Fax, Notification, ReceiverFailure, Sms, Transaction
from django_hoiio.retention.totals import SETTLED_AFTER, Total, closed_up_to, counted_from, day_of, totals

from .charts import DailyCharts
from .formatting import capped_number_text, day_text, number_text

# Days.
PERIODS = (7, 30, 90, 365)
DEFAULT_PERIOD = 30

# Open days if totals are closed once a day: today, the days that are not settled, and the next day to be closed.
EXPECTED_OPEN_DAYS = SETTLED_AFTER.days + 2

DAY = timedelta(days=1)


# The address of the change list of each model that the user may view.
Lists = Mapping[type[Model], str]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One health figure, with a link to the list that it counts."""

    label: str
    value: str
    note: str = ""
    # The management command that takes care of it.
    command: str = ""
    is_alarming: bool = False
    url: str = ""
    moment: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class SelectionLink:
    """A link to another period or account."""

    label: str
    url: str
    is_chosen: bool


@dataclass(frozen=True, kw_only=True)
class _Selection:
    """The selected period and account."""

    days: int
    # Empty for all accounts.
    account: str

    def choices(self, accounts: Sequence[str]) -> Mapping[str, Sequence[SelectionLink]]:
        return {
            "periods": [
                self._choice(_("%(number)s days") % {"number": days}, days=days, account=self.account)
                for days in PERIODS
            ],
            "accounts": [
                self._choice(account or _("All accounts"), days=self.days, account=account)
                for account in ("", *accounts)
                if len(accounts) > 1
            ],
        }

    def _choice(self, label: str, *, days: int, account: str) -> SelectionLink:
        query = {"days": days, "account": account} if account else {"days": days}
        return SelectionLink(
            label=label, url=f"?{urlencode(query)}", is_chosen=(days, account) == (self.days, self.account)
        )


def dashboard_context(request: HttpRequest, app_list: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the template context, limited to the lists in `app_list`. Invalid URL parameters are ignored."""
    lists, now = _lists(app_list), timezone.now()
    figures = [figure(lists[model], now) for model, figure in _FIGURES if model in lists]
    if DailyTotal not in lists:
        return {"figures": figures}
    today = day_of(now)
    days = [today - DAY * ago for ago in reversed(range(_days(request)))]
    found = totals(days[0], today)
    accounts = _accounts(found)
    account = request.GET.get("account", "")
    selection = _Selection(days=len(days), account=account if account in accounts else "")
    figures.append(_closing(days, lists[DailyTotal]))
    charts = _charts(days, found, selection.account)
    return {
        "figures": figures,
        "days": days,
        "first": day_text(days[0], today),
        **selection.choices(accounts),
        **charts,
    }


def _lists(app_list: Iterable[Mapping[str, Any]]) -> Lists:
    """Map each model to the URL of its list if the user may view it. The admin has checked this already."""
    # Themes and menu packages add entries without these keys.
    models = [model for app in app_list for model in app.get("models", ()) if model.get("model")]
    viewed = [model for model in models if model.get("admin_url") and model.get("perms", {}).get("view")]
    return {model["model"]: model["admin_url"] for model in viewed}


def _days(request: HttpRequest) -> int:
    return {str(days): days for days in PERIODS}.get(request.GET.get("days", ""), DEFAULT_PERIOD)


def _accounts(found: Iterable[Total]) -> list[str]:
    """Return the accounts in the settings and those that have totals."""
    return sorted({*conf.given.get("ACCOUNTS", ()), *(total.account for total in found)})


def _charts(days: Sequence[date], found: Iterable[Total], account: str) -> dict[str, Any]:
    charts = DailyCharts(days=days, totals=[total for total in found if account in ("", total.account)])
    (volumes, volume_table), (spend, spend_table) = charts.volumes(), charts.spend()
    return {"volumes": volumes, "volume_table": volume_table, "spend": spend, "spend_table": spend_table}


def _closing(days: Sequence[date], url: str) -> Figure:
    """Return the last closed day, and warn if too many of `days` are counted on each request."""
    first_open = counted_from(router.db_for_read(DailyTotal))
    mark = closed_up_to(router.db_for_read(DailyTotal))
    still_open = sum(day >= first_open for day in days) if first_open else 0
    is_behind = still_open > EXPECTED_OPEN_DAYS
    return Figure(
        label=_("Totals closed through"),
        value=date_format(mark, "DATE_FORMAT") if mark else _("no day yet"),
        note=_("%(number)s days are recounted on each visit") % {"number": number_text(still_open)}
        if is_behind
        else "",
        command="hoiio_prune" if is_behind else "",
        is_alarming=is_behind,
        url=url,
    )


def _last_notification(url: str, now: datetime) -> Figure:
    latest = latest_notification()
    label = _("Last notification")
    if latest is None:
        return Figure(label=label, value=_("none yet"), url=url)
    moment, source = latest
    note = "" if source == Source.WEBHOOK else str(source.label)
    return Figure(label=label, value=_ago(moment, now), note=note, url=url, moment=moment)


def _ago(moment: datetime, now: datetime) -> str:
    if now - moment < timedelta(minutes=1):
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(moment, now, depth=1)}


def _spool(url: str, now: datetime) -> Figure:
    label, folder = _("Not yet imported"), conf.SPOOL_DIR
    if folder is None:
        return Figure(label=label, value=_("no spool"), note=_("HOIIO['SPOOL_DIR'] is not set."))
    try:
        pending, quarantined = spool_files(folder)
    except OSError as error:
        return Figure(label=label, value=_("not readable"), note=error.strerror or "", is_alarming=True)
    return Figure(
        label=label,
        value=capped_number_text(pending),
        note=_("%(number)s in quarantine") % {"number": capped_number_text(quarantined)} if quarantined else "",
        command="hoiio_recover" if pending else "",
        is_alarming=bool(pending or quarantined),
    )


def _count(label: str, number: int, url: str, *, command: str) -> Figure:
    return Figure(
        label=label,
        value=capped_number_text(number),
        command=command if number else "",
        is_alarming=number > 0,
        url=url,
    )


def _pending(url: str, now: datetime) -> Figure:
    return _count(_("Pending"), pending_notifications(now), f"{url}?pending=yes", command="hoiio_recover")


def _failed(url: str, now: datetime) -> Figure:
    return _count(_("Failed receivers"), unresolved_failures(), f"{url}?unresolved=yes", command="hoiio_recover")


def _overdue(label: str, model: type[Transaction], url: str) -> Figure:
    return _count(label, overdue_transactions(model), f"{url}?overdue=yes", command="hoiio_reconcile")


_FIGURES: tuple[tuple[type[Model], Callable[[str, datetime], Figure]], ...] = (
    (Notification, _last_notification),
    (Notification, _spool),
    (Notification, _pending),
    (ReceiverFailure, _failed),
    (Call, lambda url, now: _overdue(_("Calls overdue"), Call, url)),
    (Sms, lambda url, now: _overdue(_("SMS overdue"), Sms, url)),
    (Fax, lambda url, now: _overdue(_("Faxes overdue"), Fax, url)),
)
