"""Serializers. Fields are named as on the wire; money and dates are text without loss."""

from __future__ import annotations

import base64
from typing import Any, ClassVar

from django.db.models import BinaryField, DateTimeField, DecimalField
from django.utils.translation import gettext_lazy as _
from rest_framework import ISO_8601, serializers

from django_hoiio.masking import RAW, RAW_FIELDS
from django_hoiio.models import Call, DailyTotal, Fax, Notification, Sms
from django_hoiio.models.transactions import CALL_STATUSES


class ExtensibleChoice(serializers.ChoiceField):
    """A known value or any other. Hoiio may send unlisted values, and later versions of this app may know more."""


class Money(serializers.DecimalField):
    """An amount as text, regardless of the project's number settings."""

    coerce_to_string = True


class MomentField(serializers.DateTimeField):
    """A moment in ISO 8601 with the offset of the project's time zone, regardless of its date settings."""

    format = ISO_8601


class Base64Field(serializers.Field[Any, Any, str, Any]):
    def to_representation(self, value: bytes | memoryview) -> str:
        return base64.b64encode(value).decode("ascii")


class RowSerializer(serializers.ModelSerializer[Any]):
    serializer_choice_field = ExtensibleChoice
    serializer_field_mapping: ClassVar[dict[type[Any], Any]] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        BinaryField: Base64Field,
        DateTimeField: MomentField,
        DecimalField: Money,
    }


def _json(name: str, field: type[Any], **kwargs: Any) -> Any:
    """Return a field for a JSON column of a notification, with the type of its content."""
    column: Any = Notification._meta.get_field(name)
    return field(read_only=True, help_text=column.help_text, **kwargs)


class RawSerializer(RowSerializer):
    """The raw request of a notification and its decoded parameters."""

    params = _json("params", serializers.DictField, child=serializers.CharField())
    pass_on = _json("pass_on", serializers.DictField)
    unverified_params = _json("unverified_params", serializers.ListField, child=serializers.CharField())
    headers = _json("headers", serializers.DictField, child=serializers.CharField())

    class Meta:
        model = Notification
        fields = RAW_FIELDS
        read_only_fields = fields


_RECEIVED = ("id", "uuid", "received_at", "kind", "route", "account", "txn_ref", "session", "verified_by", "source")
_HANDLED = ("remote_addr", "problems", "state_error", "receivers", "dispatched_at", "redacted_at")


class NotificationSerializer(RowSerializer):
    problems = _json("problems", serializers.DictField, child=serializers.CharField())
    receivers = _json("receivers", serializers.ListField, child=serializers.ListField(child=serializers.CharField()))

    class Meta:
        model = Notification
        fields: tuple[str, ...] = (*_RECEIVED, *_HANDLED)
        read_only_fields = fields


class NotificationDetailSerializer(NotificationSerializer):
    """A notification with its raw request, for users who may view all of it."""

    raw = RawSerializer(
        source="*",
        allow_null=True,
        read_only=True,
        help_text=_("The raw request; null without the permissions to view raw requests, numbers and recordings."),
    )

    class Meta(NotificationSerializer.Meta):
        fields = (*NotificationSerializer.Meta.fields, "raw")
        read_only_fields = fields

    def to_representation(self, instance: Notification) -> dict[str, Any]:
        written: dict[str, Any] = super().to_representation(instance)
        return written if RAW.is_visible(self.context["request"]) else {**written, "raw": None}


# The first and last fields of every call, SMS and fax, and those that only some have.
_FIRST = ("id", "account", "txn_ref", "tag", "direction", "is_final")
_LAST = ("date", "currency", "rate", "debit", "created_at", "updated_at", "redacted_at", "notification_uuid")
_NUMBERS = ("remote_number", "from", "to", "dest")
_CALL = ("session", "outcome", "call_state", *CALL_STATUSES)
_LEGS = ("dest1", "dest2", "room", "duration")
_SMS = ("bulk_txn_ref", "part", "sms_status", "status")
# `from` is a Python keyword, so the columns have other names.
_WIRE = {"from": {"source": "from_number"}, "to": {"source": "to_number"}}


class CallSerializer(RowSerializer):
    class Meta:
        model = Call
        fields = (*_FIRST, *_CALL, *_NUMBERS, *_LEGS, *_LAST)
        read_only_fields = fields
        extra_kwargs = _WIRE


class SmsSerializer(RowSerializer):
    class Meta:
        model = Sms
        fields = (*_FIRST, *_SMS, *_NUMBERS, "msg", "split_count", *_LAST)
        read_only_fields = fields
        extra_kwargs = _WIRE


class FaxSerializer(RowSerializer):
    class Meta:
        model = Fax
        fields = (*_FIRST, "fax_status", "fax_error_code", *_NUMBERS, "fax_url", "fax_pages", "duration", *_LAST)
        read_only_fields = fields
        extra_kwargs = _WIRE


class TotalSerializer(RowSerializer):
    class Meta:
        model = DailyTotal
        fields = ("day", "account", "traffic", "currency", "count", "succeeded", "debit")
        read_only_fields = fields
