"""What is kept: the notifications as they came, the latest state of each transaction, and the failed receivers."""

from .failures import ReceiverFailure
from .notifications import Notification
from .transactions import MODELS, TAIL_LENGTH, Call, Fax, Sms, Transaction, tail_of

__all__ = ["MODELS", "TAIL_LENGTH", "Call", "Fax", "Notification", "ReceiverFailure", "Sms", "Transaction", "tail_of"]
