"""OpenAPI schema of the API. It is imported if drf-spectacular is installed."""

from __future__ import annotations

from inspect import getdoc
from typing import Any

from drf_spectacular.contrib.django_filters import DjangoFilterExtension
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
    extend_schema_serializer,
    extend_schema_view,
)

from .serializers import Base64Field
from .views import CallViewSet, FaxViewSet, NotificationViewSet, SmsViewSet, TotalViewSet


class WordSchema(OpenApiSerializerFieldExtension):
    """Describe a string with its known values. Clients must accept other values too."""

    target_class = "django_hoiio.api.serializers.ExtensibleChoice"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        return {"type": "string", "x-extensible-enum": [word for word in self.target.choices if word]}


extend_schema_field(OpenApiTypes.BYTE)(Base64Field)


class ParametersSchema(DjangoFilterExtension):
    """Add to each filter its limits and an example."""

    target_class = "django_hoiio.api.filters.FilterBackend"
    # Takes precedence over the extension of the base class.
    priority = 1

    def resolve_filter_field(self, *args: Any) -> list[dict[str, Any]]:
        *_others, name, each = args
        described: Any = super()
        (parameter,) = described.resolve_filter_field(*args)
        schema = {"type": "string", **parameter["schema"]}
        if "max_length" in each.extra:
            schema |= {"maxLength": each.extra["max_length"], "pattern": r"^[^\u0000]*$"}
        elif name == "final":
            schema = {"type": "boolean", "enum": [True, False]}
        example = _EXAMPLES.get(schema.get("format", name)) or schema.get("enum", ["answered"])[0]
        # The form of the browsable API sends empty parameters.
        return [{**parameter, "allowEmptyValue": True, "schema": schema, "example": example}]


# By name or by format.
_EXAMPLES = {
    "account": "default",
    "txn_ref": "AA-S-471804",
    "session": "S3839",
    "bulk_txn_ref": "AA-B-147",
    "number": "+6591231111",
    "tag": "order 77",
    "status": "success_ok",
    "sms_status": "delivered",
    "call_state": "ringing",
    "date": "2026-11-25",
    "date-time": "2026-11-25T10:00:00+08:00",
}
_DETAIL = {"type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"]}
_EACH = {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}
_ERRORS = {
    401: OpenApiResponse(_DETAIL, "Not logged in."),
    403: OpenApiResponse(_DETAIL, "The user is not staff, or has no permission to view these rows."),
    404: OpenApiResponse(_DETAIL, "No such row, or the cursor belongs to another list."),
    429: OpenApiResponse(_DETAIL, "Too many requests; retry after the seconds in the header `Retry-After`."),
}
_LIST_ERRORS = {**_ERRORS, 400: OpenApiResponse(_EACH, "An unknown parameter or an invalid value, with the reasons.")}


def _describe(name: str, view: Any) -> None:
    """Describe the list view, and the detail view if there is one."""
    row, listed = view.serializer_class, view(action="list").get_serializer_class()
    for each in {row, listed}:
        # The prefix prevents clashes with other apps of the project.
        extend_schema_serializer(component_name=f"Hoiio{each.__name__.removesuffix('Serializer')}")(each)
    operations = {
        "list": extend_schema(
            operation_id=f"hoiio_{name}_list",
            summary=view.__doc__,
            description=f"{view.__doc__}\n\n{getdoc(view.pagination_class)}",
            tags=["hoiio"],
            responses={200: listed(many=True), **_LIST_ERRORS},
        ),
        "retrieve": extend_schema(
            operation_id=f"hoiio_{name}_retrieve",
            summary=f"One {view.queryset.model._meta.verbose_name}, by its `id`.",
            tags=["hoiio"],
            responses={200: row, **_ERRORS},
        ),
    }
    extend_schema_view(**{each: described for each, described in operations.items() if hasattr(view, each)})(view)


_describe("notifications", NotificationViewSet)
_describe("calls", CallViewSet)
_describe("sms", SmsViewSet)
_describe("faxes", FaxViewSet)
_describe("totals", TotalViewSet)
