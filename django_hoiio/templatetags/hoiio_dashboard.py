"""`{% hoiio_dashboard %}`: the dashboard, for the template of the app's page in the admin."""

from __future__ import annotations

from typing import Any

from django.template import Library, RequestContext

register = Library()


@register.inclusion_tag("admin/django_hoiio/dashboard.html", takes_context=True)
def hoiio_dashboard(context: RequestContext) -> dict[str, Any]:
    # Django imports every template tag library, also in a project without the admin.
    from django_hoiio.admin.dashboard import dashboard_context

    return dashboard_context(context.request, context["app_list"])
