"""The way of a notification: read it, keep it, tell it. Whatever brings a notification comes through here."""

from __future__ import annotations

from .dispatch import dispatch
from .parsing import Arrival, parse
from .recording import Recorded, record


def receive(arrival: Arrival, *, ivr: bool = True) -> Recorded:
    """Take in what has come. Raises `django.db.Error` where it could not be kept; receivers change nothing.

    With `ivr=False`, the receivers of an interactive call are left alone, because it comes late.
    """
    recorded = record(arrival, parse(arrival))
    if recorded.is_untold:
        dispatch(recorded.notification, recorded.transaction, ivr=ivr)
    return recorded
