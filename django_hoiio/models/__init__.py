"""Notifications, the latest state of each transaction, failed receivers, high-water marks and daily totals."""

from .failures import RECEIVER_LENGTH, ReceiverFailure
from .marks import HighWaterMark
from .notifications import CLAIM, CLOCK_TOLERANCE, LINKS, Notification, NotificationQuerySet
from .runs import IvrRun
from .totals import ClosedDay, DailyTotal
from .transactions import (
    CALL_STATUSES,
    MODEL_OF_KIND,
    TRANSACTION_MODELS,
    Call,
    Fax,
    Sms,
    Transaction,
    overdue_q,
)

__all__ = [
    "CALL_STATUSES",
    "CLAIM",
    "CLOCK_TOLERANCE",
    "LINKS",
    "MODEL_OF_KIND",
    "RECEIVER_LENGTH",
    "TRANSACTION_MODELS",
    "Call",
    "ClosedDay",
    "DailyTotal",
    "Fax",
    "HighWaterMark",
    "IvrRun",
    "Notification",
    "NotificationQuerySet",
    "ReceiverFailure",
    "Sms",
    "Transaction",
    "overdue_q",
]
