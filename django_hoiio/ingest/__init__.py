"""Ingest a notification: parse, store and dispatch it. All sources of notifications call `ingest`."""

from __future__ import annotations

from django_hoiio import dispatch
from django_hoiio.conf import conf
from django_hoiio.enums import Kind, Source
from django_hoiio.logs import get_logger
from django_hoiio.models import Notification
from django_hoiio.parsing import RawNotification, parse

from .upsert import Stored, store

__all__ = ["Stored", "ingest"]

logger = get_logger(__name__)


def ingest(raw: RawNotification, *, ivr: bool = True) -> Stored:
    """Parse and store a notification, then dispatch it.

    Raises `django.db.Error` if it cannot be stored. Failing receivers raise nothing. With `ivr=False`, do not run the
    receivers of an interactive call, because the notification is late.
    """
    stored = store(raw, parse(raw))
    notification = stored.notification
    # Each POST has its own uuid, so no other process can have stored it, but an attempt whose answer was lost.
    is_ours = stored.is_new or notification.source == Source.WEBHOOK
    if is_ours and notification.dispatched_at is None:
        _dispatch(notification, ivr=ivr)
    return stored


def _dispatch(notification: Notification, *, ivr: bool) -> None:
    """Run the receivers here or in a worker. Those of interactive calls never use the queue: a caller waits."""
    if Kind(notification.kind).is_ivr:
        if ivr:
            dispatch.run(notification)
    elif conf.DISPATCH == "task":
        _hand_over(notification)
    else:
        dispatch.run(notification)


def _hand_over(notification: Notification) -> None:
    try:
        # Django 5.2 has no tasks without django-tasks.
        from django_hoiio.tasks import hand_over
    except ImportError as error:
        logger.error("Notification %s could not be enqueued: %s.", notification.pk, type(error).__name__)
        dispatch.release(notification)
    else:
        hand_over(notification)
