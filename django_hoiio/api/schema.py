"""OpenAPI schema of the API. It is imported if drf-spectacular is installed."""

from __future__ import annotations

from typing import Any

from django.utils.encoding import force_str
from drf_spectacular.extensions import OpenApiFilterExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_serializer, extend_schema_view
from rest_framework import serializers

from .filters import ListFilter
from .serializers import CallSerializer, FaxSerializer, NotificationSerializer, SmsSerializer, TotalSerializer
from .views import CallViewSet, FaxViewSet, NotificationViewSet, SmsViewSet, TotalViewSet

_PAGES = (
    "The newest first. Follow `next` until it is null. A page that is asked for what no index of the database answers"
    " ({rest}) looks through a bounded number of rows: it may have fewer rows than fit, or none, and a `next` all the"
    " same."
)
_ORDER = " With `final`, `created_from` or `created_to` the order is that of `created_at`, else that of the keys."
_RECEIVED = " With `received_from` or `received_to` the order is that of `received_at`, else that of the keys."


class WordSchema(OpenApiSerializerFieldExtension):
    """Describe a string with its known values. Clients must accept other values too."""

    target_class = "django_hoiio.api.serializers.ExtensibleChoice"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        return {"type": "string", "x-extensible-enum": [word for word in self.target.choices if word]}


class BytesSchema(OpenApiSerializerFieldExtension):
    target_class = "django_hoiio.api.serializers.Base64Field"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        return {"type": "string", "format": "byte"}


class ParametersSchema(OpenApiFilterExtension):
    """Describe the query parameters by the `schema` and `example` of the filters."""

    target_class = "django_hoiio.api.filters.FilterBackend"
    match_subclasses = True
    # Takes precedence over the extension of the base class.
    priority = 1

    def get_schema_operation_parameters(self, auto_schema: AutoSchema, *args: Any, **kwargs: Any) -> list[Any]:
        view: Any = auto_schema.view
        return [_parameter(name, each) for name, each in view.filterset_class.base_filters.items()]


def _parameter(name: str, parameter: ListFilter) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        # The form of the browsable API sends empty parameters.
        "allowEmptyValue": True,
        "description": force_str(parameter.extra["help_text"]),
        "schema": dict(parameter.schema),
        "example": parameter.example,
    }


class ErrorResponse(serializers.Serializer[Any]):
    """The reason why a request was refused."""

    detail = serializers.CharField()


# The errors of each parameter.
_REASONS = {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}


_REFUSALS = {
    401: OpenApiResponse(ErrorResponse, "Not logged in."),
    403: OpenApiResponse(ErrorResponse, "The user is not staff, or has no permission to view these rows."),
    429: OpenApiResponse(ErrorResponse, "Too many requests; retry after the seconds in the header `Retry-After`."),
}
_NO_ROW = OpenApiResponse(ErrorResponse, "No such row.")
_NO_PAGE = OpenApiResponse(ErrorResponse, "The cursor belongs to a list with other parameters.")
_MISASKED = OpenApiResponse(_REASONS, "An unknown parameter, or a value that cannot be read.")


def _describe(view: Any, *, plural: str, listed: Any, rows: str, row: str = "") -> None:
    """Describe the list view, and the detail view if there is one."""
    for serializer in {listed, view.serializer_class}:
        # The prefix prevents clashes with other apps of the project.
        extend_schema_serializer(component_name=f"Hoiio{serializer.__name__.removesuffix('Serializer')}")(serializer)
    operations = {
        "list": extend_schema(
            operation_id=f"hoiio_{plural}_list",
            summary=rows.partition(".")[0],
            description=rows,
            tags=["hoiio"],
            responses={200: listed(many=True), 400: _MISASKED, 404: _NO_PAGE, **_REFUSALS},
        ),
        "retrieve": extend_schema(
            operation_id=f"hoiio_{plural}_retrieve",
            summary=row.partition(".")[0],
            description=row,
            tags=["hoiio"],
            responses={200: view.serializer_class, 404: _NO_ROW, **_REFUSALS},
        ),
    }
    extend_schema_view(**{name: each for name, each in operations.items() if hasattr(view, name)})(view)


_describe(
    NotificationViewSet,
    plural="notifications",
    listed=NotificationSerializer,
    rows="What Hoiio posted, without the raw request. " + _PAGES.format(rest="`kind`, `route`, `account`") + _RECEIVED,
    row="One notification, with the raw request for those who may see it.",
)
_describe(
    CallViewSet,
    plural="calls",
    listed=CallSerializer,
    rows="Calls, each with its latest state. "
    + _PAGES.format(rest="`account`, `direction`, the words of `call_state` to `transfer_status`")
    + _ORDER,
    row="One call with its latest state.",
)
_describe(
    SmsViewSet,
    plural="sms",
    listed=SmsSerializer,
    rows="SMS, sent and received, each with its latest state. "
    + _PAGES.format(rest="`account`, `direction`, `sms_status`, `status`")
    + _ORDER,
    row="One SMS with its latest state.",
)
_describe(
    FaxViewSet,
    plural="faxes",
    listed=FaxSerializer,
    rows="Faxes, sent and received, each with its latest state. "
    + _PAGES.format(rest="`account`, `direction`, `fax_status`")
    + _ORDER,
    row="One fax with its latest state.",
)
_describe(
    TotalViewSet,
    plural="totals",
    listed=TotalSerializer,
    rows="What each day came to: how many calls, SMS and faxes, and what Hoiio charged. A page has 31 days, in order of"
    " day, account, kind and currency; follow `next` to the days before. A day is counted anew until it is closed.",
)
