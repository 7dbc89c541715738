"""Notifications, the latest state of each transaction, failed receivers, high-water marks and daily totals."""

# The names that are repeated are not public.
from .failures import RECEIVER_LENGTH as RECEIVER_LENGTH
from .failures import ReceiverFailure
from .marks import HighWaterMark
from .notifications import CLAIM as CLAIM
from .notifications import CLOCK_TOLERANCE as CLOCK_TOLERANCE
from .notifications import LINKS as LINKS
from .notifications import Notification, NotificationQuerySet
from .runs import IvrRun
from .totals import ClosedDay, DailyTotal
from .transactions import CALL_STATUSES as CALL_STATUSES
from .transactions import MODEL_OF_KIND as MODEL_OF_KIND
from .transactions import TRANSACTION_MODELS as TRANSACTION_MODELS
from .transactions import Call, Fax, Sms, Transaction, overdue_q

__all__ = [
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
