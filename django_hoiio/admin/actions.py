"""The actions: run failed receivers again, tell what was never told, ask Hoiio how things stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db import Error, router
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_hoiio.dispatch import Outcome
from django_hoiio.logs import get_logger
from django_hoiio.models import ReceiverFailure
from django_hoiio.recovery.by_hand import Done, run_failed, tell_untold
from django_hoiio.recovery.turns import AT_ONCE

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from django_hoiio.reconciliation import Report

    from .reading import ReadOnlyAdmin

logger = get_logger(__name__)

# So many of Hoiio's refusals are told one by one.
FAILURES = 5

_OUTCOMES: dict[Outcome, _StrPromise] = {
    Outcome.MENDED: gettext_lazy("%d mended"),
    Outcome.FAILED: gettext_lazy("%d failed again"),
    Outcome.DISCONNECTED: gettext_lazy("%d no longer connected"),
    Outcome.TAKEN: gettext_lazy("%d taken by another process"),
    Outcome.BLANKED: gettext_lazy("%d of notifications that are blanked"),
}

# By the name of what was found.
_ANSWERS: dict[str, _StrPromise] = {
    "CHANGED": gettext_lazy("%d had gone on"),
    "MISSING": gettext_lazy("%d were missing"),
    "KNOWN": gettext_lazy("%d with nothing new"),
    "STRANGER": gettext_lazy("%d unknown to Hoiio"),
}


@admin.action(description=gettext_lazy("Run failed receivers again"), permissions=["run_receivers"])
def run_receivers(model_admin: ReadOnlyAdmin, request: HttpRequest, rows: QuerySet[Any]) -> None:
    """Run the failed receivers among the rows, or of the notifications among them, and say what became of them."""
    written = _where_written(rows)
    ledger = ReceiverFailure.objects.where_written()
    failures = written if rows.model is ReceiverFailure else ledger.filter(notification__in=written.values("pk"))
    done = run_failed(failures)
    _log(request, done.receivers.total(), "receivers")
    if not done.receivers:
        model_admin.message_user(request, _("None of these has a failed receiver to run again."), messages.WARNING)
    else:
        model_admin.message_user(request, _words(_receivers(done), _late(done), _left(done.is_cut)), _level(done))


@admin.action(description=gettext_lazy("Tell receivers what they were never told"), permissions=["dispatch"])
def dispatch(model_admin: ReadOnlyAdmin, request: HttpRequest, rows: QuerySet[Any]) -> None:
    """Tell those of the notifications that were never told, and say what became of them."""
    done = tell_untold(_where_written(rows))
    _log(request, done.told, "notifications")
    if not done.told and not done.claimed:
        model_admin.message_user(request, _("None of these waits to be told."), messages.WARNING)
        return
    told = ngettext("%d notification was told.", "%d notifications were told.", done.told) % done.told
    said = _words(told, _receivers(done), _late(done), _claimed(done), _left(done.is_cut))
    model_admin.message_user(request, said, messages.WARNING if done.claimed else _level(done))


@admin.action(description=gettext_lazy("Ask Hoiio how things stand"), permissions=["reconcile"])
def reconcile(model_admin: ReadOnlyAdmin, request: HttpRequest, rows: QuerySet[Any]) -> None:
    """Ask Hoiio after the calls, SMS or faxes, take in what is news, and say what that was."""
    rows = _where_written(rows)
    names = list(rows.exclude(txn_ref=None).order_by("pk").values_list("account", "txn_ref")[: AT_ONCE + 1])
    try:
        # By name, so that the admin works without the client's packages.
        report, is_cut = import_module("django_hoiio.reconciliation.by_hand").ask_after(rows.model, names)
    except ImportError as error:
        model_admin.message_user(request, str(error), messages.ERROR)
        return
    except Error as error:
        # What a database says may quote numbers and texts.
        why = _("The database did not take it (%s); try it again later.") % type(error).__name__
        model_admin.message_user(request, why, messages.ERROR)
        return
    _log(request, report.asked, "questions to Hoiio")
    for said, level in _outcome(report, is_cut, names):
        model_admin.message_user(request, said, level)


def _where_written(rows: QuerySet[Any]) -> Any:
    """The same rows, from the database that is written to, whole, and without the order of the list."""
    return rows.using(router.db_for_write(rows.model)).defer(None).select_related(None).order_by()


def _log(request: HttpRequest, count: int, what: str) -> None:
    logger.info("User %s had %s %s tried from the admin.", request.user.pk, count, what)


# What is said of it: numbers and references, and nothing of what a notification holds.


def _words(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _receivers(done: Done) -> str:
    counted = ", ".join(str(words) % done.receivers[each] for each, words in _OUTCOMES.items() if done.receivers[each])
    return _("Receivers: %s.") % counted if counted else ""


def _late(done: Done) -> str:
    return _counted(
        done.late,
        ngettext(
            "%d of them belongs to an interactive call, and may have dialled or played late.",
            "%d of them belong to interactive calls, and may have dialled or played late.",
            done.late,
        ),
    )


def _claimed(done: Done) -> str:
    return _counted(
        done.claimed,
        ngettext(
            "%d is left to the process that has claimed it.",
            "%d are left to the processes that have claimed them.",
            done.claimed,
        ),
    )


def _counted(count: int, words: str) -> str:
    return words % count if count else ""


def _left(is_cut: bool) -> str:
    return _("There are more than one request has time for; do it again for the rest.") if is_cut else ""


def _level(done: Done) -> int:
    is_well = not done.is_cut and set(+done.receivers) <= {Outcome.MENDED}
    return messages.SUCCESS if is_well else messages.WARNING


def _outcome(report: Report, is_cut: bool, names: Sequence[object]) -> Iterator[tuple[str, int]]:
    """The messages, each with its level."""
    if not names:
        yield _("None of these has a reference that Hoiio could be asked by."), messages.WARNING
    if report.asked:
        yield _words(_answers(report), _left(is_cut)), messages.INFO
    if report.failures:
        yield _failures(report), messages.ERROR


def _answers(report: Report) -> str:
    """How often Hoiio was asked, and what it said."""
    asked = ngettext("Hoiio was asked %d time", "Hoiio was asked %d times", report.asked) % report.asked
    by_name = {found.name: count for found, count in report.found.items()} | {"STRANGER": report.strangers}
    counted = ", ".join(str(words) % by_name[name] for name, words in _ANSWERS.items() if by_name.get(name))
    return f"{asked}: {counted}." if counted else f"{asked}."


def _failures(report: Report) -> str:
    """What Hoiio's refusals say, which holds no token and no number."""
    more = len(report.failures) - FAILURES
    return _words(
        *report.failures[:FAILURES], _counted(more, _("There are %d more such failures.")) if more > 0 else ""
    )
