"""What is kept: notifications as they came, the latest state of each transaction, failed receivers,
marks, and daily totals."""

from .failures import ReceiverFailure
from .marks import HighWaterMark
from .notifications import Notification
from .querysets import OUTCOMES, is_missed, is_overdue
from .totals import DailyTotal
from .transactions import MODELS, TAIL_LENGTH, Call, Fax, Sms, Transaction, tail_of

__all__ = [
    "MODELS",
    "OUTCOMES",
    "TAIL_LENGTH",
    "Call",
    "DailyTotal",
    "Fax",
    "HighWaterMark",
    "Notification",
    "ReceiverFailure",
    "Sms",
    "Transaction",
    "is_missed",
    "is_overdue",
    "tail_of",
]
