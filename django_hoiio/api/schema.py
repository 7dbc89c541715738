"""OpenAPI schema of the API. It is imported if drf-spectacular is installed."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiFilterExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_serializer, extend_schema_view
from rest_framework import serializers

from .filters import ListFilter
from .pagination import query_parameter
from .serializers import CallSerializer, FaxSerializer, NotificationSerializer, SmsSerializer, TotalSerializer
from .views import CallViewSet, FaxViewSet, NotificationViewSet, SmsViewSet, TotalViewSet

_PAGES = (
    "Newest first. Follow `next` until it is null. No index answers some parameters ({unindexed}): with these, a page"
    " scans a limited number of rows, and may have few rows or none although `next` is not null."
)
_ORDER = " Ordered by `created_at` with `final`, `created_from` or `created_to`, otherwise by key."
_RECEIVED = " Ordered by `received_at` with `received_from` or `received_to`, otherwise by key."


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
    described = query_parameter(name, parameter.extra["help_text"], parameter.schema)
    return {**described, "example": parameter.example}


class ErrorResponse(serializers.Serializer[Any]):
    """The reason why a request was refused."""

    detail = serializers.CharField()


# The errors of each parameter.
_PARAMETER_ERRORS = {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}


_ERRORS = {
    401: OpenApiResponse(ErrorResponse, "Not logged in."),
    403: OpenApiResponse(ErrorResponse, "The user is not staff, or has no permission to view these rows."),
    429: OpenApiResponse(ErrorResponse, "Too many requests; retry after the seconds in the header `Retry-After`."),
}
_NO_ROW = OpenApiResponse(ErrorResponse, "No such row.")
_NO_PAGE = OpenApiResponse(ErrorResponse, "The cursor belongs to a list with other parameters.")
_INVALID = OpenApiResponse(_PARAMETER_ERRORS, "An unknown parameter or an invalid value.")


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
            responses={200: listed(many=True), 400: _INVALID, 404: _NO_PAGE, **_ERRORS},
        ),
        "retrieve": extend_schema(
            operation_id=f"hoiio_{plural}_retrieve",
            summary=row.partition(".")[0],
            description=row,
            tags=["hoiio"],
            responses={200: view.serializer_class, 404: _NO_ROW, **_ERRORS},
        ),
    }
    extend_schema_view(**{name: each for name, each in operations.items() if hasattr(view, name)})(view)


_describe(
    NotificationViewSet,
    plural="notifications",
    listed=NotificationSerializer,
    rows="Notifications that Hoiio posted, without the raw requests. "
    + _PAGES.format(unindexed="`kind`, `route`, `account`")
    + _RECEIVED,
    row="One notification, with the raw request if the user has the permission for it.",
)
_describe(
    CallViewSet,
    plural="calls",
    listed=CallSerializer,
    rows="Calls, each with its latest state. "
    + _PAGES.format(unindexed="`account`, `direction`, `call_state` and the other statuses")
    + _ORDER,
    row="One call with its latest state.",
)
_describe(
    SmsViewSet,
    plural="sms",
    listed=SmsSerializer,
    rows="SMS, sent and received, each with its latest state. "
    + _PAGES.format(unindexed="`account`, `direction`, `sms_status`, `status`")
    + _ORDER,
    row="One SMS with its latest state.",
)
_describe(
    FaxViewSet,
    plural="faxes",
    listed=FaxSerializer,
    rows="Faxes, sent and received, each with its latest state. "
    + _PAGES.format(unindexed="`account`, `direction`, `fax_status`")
    + _ORDER,
    row="One fax with its latest state.",
)
_describe(
    TotalViewSet,
    plural="totals",
    listed=TotalSerializer,
    rows="Daily totals: the number of calls, SMS and faxes, and the cost. A page has 31 days, ordered by day, account,"
    " traffic and currency; follow `next` to earlier days. A day is recounted until it is closed.",
)
