"""Actions of the admin: retry failed receivers, dispatch pending notifications, refresh statuses, export."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import model_format_dict, unquote
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import Error, router
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_hoiio.dispatch import Outcome
from django_hoiio.logs import get_logger
from django_hoiio.models import ReceiverFailure
from django_hoiio.recovery.batches import MAX_ITEMS
from django_hoiio.recovery.manual import ManualResult, dispatch_pending, retry_failed
from django_hoiio.views import non_atomic_everywhere

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from django_hoiio.reconciliation import ReconciliationResult

    ModelAdmin = admin.ModelAdmin[Model]
else:
    ModelAdmin = admin.ModelAdmin

Action = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponseBase | None]

RETRY_RECEIVERS = "django_hoiio.retry_receivers"
DISPATCH = "django_hoiio.dispatch"
RECONCILE = "django_hoiio.reconcile"
EXPORT = "django_hoiio.export"


class ActionAdmin(ModelAdmin):
    """Offer the functions in `actions`, on the list and on the page of a row, to users who have their permissions.

    The site-wide actions of a project are not offered, because they may change or delete rows.
    """

    actions: Any = ()

    def row_actions(self, row: Any) -> Iterable[Action]:
        """Return the actions that make sense for `row`. Its page offers those that the user has permission for."""
        return ()

    # Permissions.

    def has_retry_receivers_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(RETRY_RECEIVERS)

    def has_dispatch_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(DISPATCH)

    def has_reconcile_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(RECONCILE)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(EXPORT)

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        # Django 6.1 also has actions on change pages, and passes the location.
        where = () if action_location is None else (action_location,)
        offered: Mapping[str, Any] = super().get_actions(request, *where)
        return {name: offered[name] for name in self._functions() if name in offered}

    def _functions(self) -> dict[str, Action]:
        return {action.__name__: action for action in self.actions or ()}

    # Views.

    # No ATOMIC_REQUESTS: a receiver and the count of its attempts must not share a transaction, and an export streams
    # after the view has returned.
    @non_atomic_everywhere
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "POST":
            self._reject_forged(request)
        functions = self._functions()
        offered = [functions[name] for name in self.get_actions(request)]
        exports = [each.__name__ for each in offered if "export" in getattr(each, "allowed_permissions", ())]
        return super().changelist_view(request, {"export_action": next(iter(exports), None), **(extra_context or {})})

    @non_atomic_everywhere
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "POST" and "action" in request.POST:
            answer: HttpResponse = self._act_on(request, unquote(object_id))
            return answer
        return super().change_view(request, object_id, form_url, extra_context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["row_actions"] = list(self._buttons(request, context["original"]))
        return super().render_change_form(request, context, *args, **kwargs)

    def _reject_forged(self, request: HttpRequest) -> None:
        """Reject a forged POST: an action that is not offered, or a key that is not a whole number."""
        if set(filter(None, request.POST.getlist("action"))) - set(self.get_actions(request)):
            raise PermissionDenied
        if not all(_is_key(each) for each in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise BadRequest("The key of a row must be an integer.")

    def _act_on(self, request: HttpRequest, object_id: str) -> Any:
        row, name = self.get_object(request, object_id), request.POST["action"]
        if row is None or not self.has_view_permission(request, row) or name not in self.get_actions(request):
            raise PermissionDenied
        answer = self._functions()[name](self, request, self.get_queryset(request).filter(pk=row.pk))
        return answer or HttpResponseRedirect(request.get_full_path())

    def _buttons(self, request: HttpRequest, row: Model) -> Iterator[tuple[str, str]]:
        """Yield the name and label of each action for `row` that the user may run."""
        offered = self.get_actions(request)
        for action in self.row_actions(row):
            if action.__name__ in offered:
                description = getattr(action, "short_description", action.__name__)
                yield action.__name__, description % model_format_dict(self.opts)


def _is_key(text: str) -> bool:
    # Every database accepts a key of 18 digits.
    return text.isascii() and text.isdigit() and len(text) < 19


logger = get_logger(__name__)

# Failures to list one by one.
MAX_FAILURES_SHOWN = 5

_OUTCOMES: dict[Outcome, _StrPromise] = {
    Outcome.RESOLVED: gettext_lazy("%d resolved"),
    Outcome.FAILED: gettext_lazy("%d failed"),
    Outcome.NOT_REGISTERED: gettext_lazy("%d no longer registered"),
    Outcome.TAKEN: gettext_lazy("%d taken by another process"),
    Outcome.REDACTED: gettext_lazy("%d skipped (redacted)"),
}

# Keyed by the names of `Found`, and UNKNOWN for references that Hoiio does not know.
_ANSWERS: dict[str, _StrPromise] = {
    "CHANGED": gettext_lazy("%d changed"),
    "MISSING": gettext_lazy("%d missing"),
    "UNCHANGED": gettext_lazy("%d unchanged"),
    "UNKNOWN": gettext_lazy("%d unknown to Hoiio"),
}


@admin.action(description=gettext_lazy("Retry failed receivers"), permissions=["retry_receivers"])
def retry_receivers(model_admin: ActionAdmin, request: HttpRequest, rows: QuerySet[Any]) -> None:
    """Retry the failed receivers in `rows`, or those of the notifications in `rows`, and report the outcomes."""
    written = _where_written(rows)
    failures = ReceiverFailure.objects.on_primary()
    failures = written if rows.model is ReceiverFailure else failures.filter(notification__in=written.values("pk"))
    done = retry_failed(failures)
    _log(request, done.receivers.total(), "receivers")
    if not done.receivers:
        model_admin.message_user(
            request, _("None of the selected rows has a failed receiver to retry."), messages.WARNING
        )
    else:
        model_admin.message_user(request, _joined(_receivers(done), _late(done), _left(done.is_cut)), _level(done))


@admin.action(description=gettext_lazy("Dispatch pending notifications"), permissions=["dispatch"])
def dispatch(model_admin: ActionAdmin, request: HttpRequest, rows: QuerySet[Any]) -> None:
    """Dispatch the pending notifications in `rows` and report the outcomes."""
    done = dispatch_pending(_where_written(rows))
    _log(request, done.dispatched, "notifications")
    if not done.dispatched and not done.claimed:
        model_admin.message_user(request, _("None of the selected notifications is pending."), messages.WARNING)
        return
    dispatched = (
        ngettext("%d notification was dispatched.", "%d notifications were dispatched.", done.dispatched)
        % done.dispatched
    )
    message = _joined(dispatched, _receivers(done), _late(done), _claimed(done), _left(done.is_cut))
    model_admin.message_user(request, message, messages.WARNING if done.claimed else _level(done))


@admin.action(description=gettext_lazy("Refresh status from Hoiio"), permissions=["reconcile"])
def reconcile(model_admin: ActionAdmin, request: HttpRequest, rows: QuerySet[Any]) -> None:
    """Poll Hoiio for the calls, SMS or faxes in `rows`, ingest what changed, and report it."""
    rows = _where_written(rows)
    names = list(rows.exclude(txn_ref=None).order_by("pk").values_list("account", "txn_ref")[: MAX_ITEMS + 1])
    try:
        # The client needs requests, which the admin does without.
        from django_hoiio.reconciliation.manual import refresh

        result, is_cut = refresh(rows.model, names)
    except ImportError as error:
        model_admin.message_user(request, str(error), messages.ERROR)
        return
    except Error as error:
        # A database error may quote numbers and texts.
        why = _("The database is unavailable (%s); try again later.") % type(error).__name__
        model_admin.message_user(request, why, messages.ERROR)
        return
    _log(request, result.requests, "requests to Hoiio")
    for message, level in _outcome(result, is_cut, names):
        model_admin.message_user(request, message, level)


def _where_written(rows: QuerySet[Any]) -> Any:
    """Read the same rows from the primary database, with all columns and in no order."""
    return rows.using(router.db_for_write(rows.model)).defer(None).select_related(None).order_by()


def _log(request: HttpRequest, count: int, what: str) -> None:
    logger.info("User %s ran an admin action: %s %s.", request.user.pk, count, what)


# Messages to the user: counts and references, no content of notifications.


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _receivers(done: ManualResult) -> str:
    counted = ", ".join(str(text) % done.receivers[each] for each, text in _OUTCOMES.items() if done.receivers[each])
    return _("Receivers: %s.") % counted if counted else ""


def _late(done: ManualResult) -> str:
    return _counted(
        done.late,
        ngettext(
            "%d of them belongs to an interactive call, and may have dialled or played late.",
            "%d of them belong to interactive calls, and may have dialled or played late.",
            done.late,
        ),
    )


def _claimed(done: ManualResult) -> str:
    return _counted(
        done.claimed,
        ngettext(
            "%d is being dispatched by another process.",
            "%d are being dispatched by other processes.",
            done.claimed,
        ),
    )


def _counted(count: int, text: str) -> str:
    return text % count if count else ""


def _left(is_cut: bool) -> str:
    return _("The limit of one request was reached; repeat the action for the remaining rows.") if is_cut else ""


def _level(done: ManualResult) -> int:
    is_well = not done.is_cut and set(+done.receivers) <= {Outcome.RESOLVED}
    return messages.SUCCESS if is_well else messages.WARNING


def _outcome(result: ReconciliationResult, is_cut: bool, names: Sequence[object]) -> Iterator[tuple[str, int]]:
    """Yield each message with its level."""
    if not names:
        yield _("None of the selected rows has a transaction reference."), messages.WARNING
    if result.requests:
        yield _joined(_answers(result), _left(is_cut)), messages.INFO
    if result.failures:
        yield _failures(result), messages.ERROR


def _answers(result: ReconciliationResult) -> str:
    """Count the requests to Hoiio and their results."""
    requests = ngettext("%d request to Hoiio", "%d requests to Hoiio", result.requests) % result.requests
    by_name = {found.name: count for found, count in result.found.items()} | {"UNKNOWN": result.unknown}
    counted = ", ".join(str(text) % by_name[name] for name, text in _ANSWERS.items() if by_name.get(name))
    return f"{requests}: {counted}." if counted else f"{requests}."


def _failures(result: ReconciliationResult) -> str:
    """List the first failures. Their messages hold no token and no phone number."""
    more = len(result.failures) - MAX_FAILURES_SHOWN
    return _joined(*result.failures[:MAX_FAILURES_SHOWN], _counted(more, _("%d more failures.")) if more > 0 else "")
