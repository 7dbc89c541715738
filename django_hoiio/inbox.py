"""Ingest a notification: parse, store and dispatch it. All sources of notifications call `receive`."""

from __future__ import annotations

from . import dispatch
from .conf import conf
from .enums import Kind
from .logs import get_logger
from .models import Notification
from .parsing import RawNotification, parse
from .recording import Recorded, record

logger = get_logger(__name__)


def receive(raw: RawNotification, *, ivr: bool = True) -> Recorded:
    """Parse and store a notification, then dispatch it.

    Raises `django.db.Error` if it cannot be stored. Failing receivers raise nothing. With `ivr=False`, do not run the
    receivers of an interactive call, because the notification is late.
    """
    recorded = record(raw, parse(raw))
    if recorded.is_pending:
        _dispatch(recorded, ivr=ivr)
    return recorded


def _dispatch(recorded: Recorded, *, ivr: bool) -> None:
    """Run the receivers here or in a worker. Those of interactive calls never use the queue: a caller waits."""
    if Kind(recorded.notification.kind).is_ivr:
        if ivr:
            dispatch.run(recorded.notification, recorded.transaction)
    elif conf.DISPATCH == "task":
        _hand_over(recorded.notification)
    else:
        dispatch.run(recorded.notification, recorded.transaction)


def _hand_over(notification: Notification) -> None:
    try:
        # Django 5.2 has no tasks without django-tasks.
        from .tasks import hand_over
    except ImportError as error:
        logger.error("Notification %s could not be enqueued: %s.", notification.pk, type(error).__name__)
        dispatch.release(notification)
    else:
        hand_over(notification)
