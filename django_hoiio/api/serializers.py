"""Serializers. Fields are named as on the wire; money and dates are text without loss."""

from __future__ import annotations

import base64
from typing import Any, ClassVar

from django.db.models import DateTimeField, DecimalField
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from django_hoiio.masking import RAW
from django_hoiio.models import Call, DailyTotal, Fax, Notification, Sms


class ExtensibleChoice(serializers.ChoiceField):
    """A known value or any other. Hoiio may send unlisted values, and later versions of this app may know more."""


class Money(serializers.DecimalField):
    """An amount as text, regardless of the project's number settings."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "coerce_to_string": True, "localize": False})


class MomentField(serializers.DateTimeField):
    """A moment in ISO 8601 with the offset of the project's time zone, regardless of its date settings."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "format": "iso-8601"})


class Base64Field(serializers.Field[Any, Any, str, Any]):
    def to_representation(self, value: bytes | memoryview) -> str:
        return base64.b64encode(value).decode("ascii")


class RowSerializer(serializers.ModelSerializer[Any]):
    serializer_choice_field = ExtensibleChoice
    serializer_field_mapping: ClassVar[dict[type[Any], Any]] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        DateTimeField: MomentField,
        DecimalField: Money,
    }


class RawSerializer(serializers.Serializer[Notification]):
    """The raw request of a notification and its decoded parameters."""

    params = serializers.DictField(
        child=serializers.CharField(), help_text=_("Hoiio's own parameters, percent-decoded once."), read_only=True
    )
    pass_on = serializers.DictField(
        help_text=_("The project's own parameters, as Hoiio passed them back."), read_only=True
    )
    unverified_params = serializers.ListField(
        child=serializers.CharField(),
        help_text=_("The pass-on parameters that the signature does not cover."),
        read_only=True,
    )
    query = serializers.CharField(
        help_text=_("As received; bytes that a URL cannot hold are percent-encoded."), read_only=True
    )
    body = Base64Field(help_text=_("As received, byte for byte, in base64."), read_only=True)
    headers = serializers.DictField(
        child=serializers.CharField(),
        help_text=_("The headers that are stored: content type, user agent, signature."),
        read_only=True,
    )


class NotificationSerializer(RowSerializer):
    problems = serializers.DictField(
        child=serializers.CharField(),
        help_text=_("Parameters that could not be read, each with the reason."),
        read_only=True,
    )
    receivers = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text=_("The receivers that ran, each with its signal."),
        read_only=True,
    )

    class Meta:
        model = Notification
        fields: tuple[str, ...] = (
            "id",
            "uuid",
            "received_at",
            "kind",
            "route",
            "account",
            "txn_ref",
            "session",
            "verified_by",
            "source",
            "remote_addr",
            "problems",
            "state_error",
            "receivers",
            "dispatched_at",
            "redacted_at",
        )
        read_only_fields = fields


class NotificationDetailSerializer(NotificationSerializer):
    """A notification with its raw request, for users who may view all of it."""

    raw = RawSerializer(
        source="*",
        allow_null=True,
        read_only=True,
        help_text=_(
            "The raw request; null for users without the permissions to view raw requests, numbers and recordings."
        ),
    )

    class Meta(NotificationSerializer.Meta):
        fields = (*NotificationSerializer.Meta.fields, "raw")
        read_only_fields = fields

    def to_representation(self, instance: Notification) -> dict[str, Any]:
        written: dict[str, Any] = super().to_representation(instance)
        return written if RAW.is_visible(self.context["request"]) else {**written, "raw": None}


# Columns of the detail view only. They may hold a megabyte.
DETAIL_FIELDS = tuple(RawSerializer().fields)


# The first and last fields of every call, SMS and fax.
_FIRST = ("id", "account", "txn_ref", "tag", "direction", "is_final")
_LAST = ("date", "currency", "rate", "debit", "created_at", "updated_at", "redacted_at", "notification_uuid")
_NUMBERS = ("remote_number", "from", "to", "dest")
# `from` is a Python keyword, so the columns have other names.
_WIRE = {"from": {"source": "from_number"}, "to": {"source": "to_number"}}


class CallSerializer(RowSerializer):
    class Meta:
        model = Call
        fields = (
            *_FIRST,
            "session",
            "call_state",
            "call_status",
            "call_status_dest1",
            "call_status_dest2",
            "dial_status",
            "transfer_status",
            *_NUMBERS,
            "dest1",
            "dest2",
            "room",
            "duration",
            *_LAST,
        )
        read_only_fields = fields
        extra_kwargs = _WIRE


class SmsSerializer(RowSerializer):
    class Meta:
        model = Sms
        fields = (
            *_FIRST,
            "bulk_txn_ref",
            "part",
            "sms_status",
            "status",
            *_NUMBERS,
            "msg",
            "split_count",
            *_LAST,
        )
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
