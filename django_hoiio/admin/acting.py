"""What can be done from a list or a page: each action with a permission of its own, by POST alone, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import model_format_dict, unquote
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect

from django_hoiio.views import non_atomic_everywhere

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Model]
else:
    ModelAdmin = admin.ModelAdmin

Action = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponseBase | None]

RUN_RECEIVERS = "django_hoiio.run_receivers"
DISPATCH = "django_hoiio.dispatch"
RECONCILE = "django_hoiio.reconcile"
EXPORT = "django_hoiio.export"


class ActingAdmin(ModelAdmin):
    """Offers the functions in `actions` to those who have their permissions, on the list and on the page of a row.

    What a project has given to all lists of its site is not among them: it may change or delete.
    """

    actions: Any = ()

    def fitting_actions(self, row: Any) -> Iterable[Action]:
        """Those of the actions that are offered on the page of the row, where the user may have them."""
        return ()

    # Who may.

    def has_run_receivers_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(RUN_RECEIVERS)

    def has_dispatch_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(DISPATCH)

    def has_reconcile_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(RECONCILE)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(EXPORT)

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        # Django 6.1 has actions on pages too, and says where it asks for them.
        where = () if action_location is None else (action_location,)
        offered: Mapping[str, Any] = super().get_actions(request, *where)
        return {name: offered[name] for name in self._functions() if name in offered}

    def _functions(self) -> dict[str, Action]:
        return {action.__name__: action for action in self.actions or ()}

    # Where.

    # A receiver that is run must not stand in a transaction with what counts it, and what is streamed in none at all.
    @non_atomic_everywhere
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "POST":
            self._refuse_what_is_not_offered(request)
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

    def _refuse_what_is_not_offered(self, request: HttpRequest) -> None:
        """What is not in the list of actions was written by hand."""
        if set(filter(None, request.POST.getlist("action"))) - set(self.get_actions(request)):
            raise PermissionDenied
        if not all(_is_key(each) for each in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise BadRequest("A row is named by its key, a whole number.")

    def _act_on(self, request: HttpRequest, object_id: str) -> Any:
        row, name = self.get_object(request, object_id), request.POST["action"]
        if row is None or not self.has_view_permission(request, row) or name not in self.get_actions(request):
            raise PermissionDenied
        answer = self._functions()[name](self, request, self.get_queryset(request).filter(pk=row.pk))
        return answer or HttpResponseRedirect(request.get_full_path())

    def _buttons(self, request: HttpRequest, row: Model) -> Iterator[tuple[str, str]]:
        """The name and the words of each action for a row."""
        offered = self.get_actions(request)
        for action in self.fitting_actions(row):
            if action.__name__ in offered:
                words = getattr(action, "short_description", action.__name__)
                yield action.__name__, words % model_format_dict(self.opts)


def _is_key(text: str) -> bool:
    # As many digits as every database takes for a key.
    return text.isascii() and text.isdigit() and len(text) < 19
