"""The way of a notification: read it, keep it, tell it. Whatever brings a notification comes through here."""

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
    """Take in what has come. Raises `django.db.Error` where it could not be kept; receivers change nothing.

    With `ivr=False`, the receivers of an interactive call are left alone, because it comes late.
    """
    recorded = record(raw, parse(raw))
    if recorded.is_pending:
        _dispatch(recorded, ivr=ivr)
    return recorded


def _dispatch(recorded: Recorded, *, ivr: bool) -> None:
    """Have the receivers run, here or in a worker. Those of an interactive call never wait for a queue."""
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
        logger.error(
            "Notification %s could not be handed to the task queue: %s.", notification.pk, type(error).__name__
        )
        dispatch.release(notification)
    else:
        hand_over(notification)
