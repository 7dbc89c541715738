"""Fill all tables with a year of traffic: every kind, some failed receivers, some pending notifications."""

from __future__ import annotations

from django.apps import apps
from django.db import connection
from django.db.models import F
from django.utils import timezone

from .growth import grow, settle
from .stories import MIX

# One in this many.
FAILED = 500
PENDING = 10_000
# One in this many failed receivers is not resolved.
UNRESOLVED = 10

_TEXT = {
    "sqlite": "CAST({} AS TEXT)",
    "postgresql": "convert_from({}, 'UTF8')",
    "mysql": "CONVERT({} USING utf8mb4)",
}


def mix(rows: int) -> None:
    """Fill all tables, and the plain one, up to this many notifications."""
    notifications = apps.get_model("django_hoiio", "Notification")._default_manager
    before = notifications.order_by("-pk").values_list("pk", flat=True).first() or 0
    grow(rows, MIX)
    new = notifications.filter(pk__gt=before)
    _fail(list(new.annotate(place=F("pk") % FAILED).filter(place=0).values_list("pk", flat=True)))
    new.annotate(place=F("pk") % PENDING).filter(place=PENDING // 2).update(
        dispatched_at=None, claimed_until=F("received_at")
    )
    _copy_to_plain()
    settle(
        [apps.get_model(*label) for label in (("django_hoiio", "ReceiverFailure"), ("benchmarks", "PlainNotification"))]
    )


def _fail(keys: list[int]) -> None:
    """Give each notification a failed receiver; most are resolved."""
    failures = apps.get_model("django_hoiio", "ReceiverFailure")
    now = timezone.now()
    failures._default_manager.bulk_create(
        [
            failures(
                notification_id=key,
                signal="notification_received",
                receiver="shop.receivers.bill",
                attempts=1 + place % 5,
                traceback="Traceback (most recent call last):\nValueError: there is no such order",
                failed_at=now,
                resolved_at=now if place % UNRESOLVED else None,
            )
            for place, key in enumerate(keys)
        ],
        batch_size=1_000,
    )


def _copy_to_plain() -> None:
    """Copy the notifications to the plain table."""
    text = _TEXT[connection.vendor].format("body")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO benchmarks_plainnotification (id, received_at, txn_ref, kind, query, body)"
            f" SELECT id, received_at, COALESCE(txn_ref, ''), kind, query, {text} FROM django_hoiio_notification"
            " WHERE id > (SELECT COALESCE(MAX(id), 0) FROM benchmarks_plainnotification)"
        )
