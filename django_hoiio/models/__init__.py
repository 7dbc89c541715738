"""What is kept: notifications as they came, the latest state of each transaction, failed receivers,
marks, and daily totals."""

from .failures import ReceiverFailure
from .marks import HighWaterMark
from .notifications import Notification
from .querysets import ANSWERED, OUTCOMES
from .totals import ClosedDay, DailyTotal
from .transactions import MODELS, TAIL_LENGTH, Call, Fax, Sms, Transaction, tail_of

__all__ = [
    "ANSWERED",
    "MODELS",
    "OUTCOMES",
    "TAIL_LENGTH",
    "Call",
    "ClosedDay",
    "DailyTotal",
    "Fax",
    "HighWaterMark",
    "Notification",
    "ReceiverFailure",
    "Sms",
    "Transaction",
    "tail_of",
]
