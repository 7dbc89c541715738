"""The signals: one for each kind of notification, and one for all of them.

Every receiver gets

* `sender`: the `Notification` class,
* `notification`: the `Notification` that came, already committed,
* `attempt`: 1 the first time, 2 when a failed receiver is run again, and so on,
* `call`, `sms`, `fax`: the row of that model which the notification brought up to date, the other two `None`;
  all three are `None` where the notification names no transaction.

Receivers run after the commit and outside any transaction. One that fails is noted in the ledger and stops no other.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from django.dispatch import Signal
from django.dispatch.dispatcher import NONE_ID, _make_id  # type: ignore[attr-defined]  # the stubs lack it

from .kinds import Kind


class Listener(NamedTuple):
    """A receiver under the name by which the ledger knows it."""

    label: str
    receiver: Callable[..., Any]
    is_async: bool


class NotificationSignal(Signal):
    """A Django signal that can name its receivers."""

    def listeners(self, sender: object) -> Iterator[Listener]:
        """Yield the receivers that are alive and listen to `sender`, in the order in which they were connected."""
        wanted = (NONE_ID, _make_id(sender))
        # A copy, because a receiver may connect another. Django 5.2 keeps (key, receiver, is_async), 6.0 and later
        # (key, receiver, sender, is_async).
        for (uid, listens_to), reference, *_, is_async in list(self.receivers):
            receiver = reference() if isinstance(reference, weakref.ReferenceType) else reference
            if receiver is not None and listens_to in wanted:
                named = uid != _make_id(receiver)
                yield Listener(str(uid) if named else _label(receiver), receiver, is_async)


def _label(receiver: Any) -> str:
    """Name a receiver by module and qualified name, also a partial or a callable object."""
    while hasattr(receiver, "func"):
        receiver = receiver.func
    if not hasattr(receiver, "__qualname__"):
        receiver = type(receiver)
    return f"{receiver.__module__}.{receiver.__qualname__}"


# Any notification at all, after the signal of its kind.
notification_received = NotificationSignal()

# A call between two numbers is over; `call` has its statuses, duration and cost. Also a leg of a conference.
call_ended = NotificationSignal()

# Somebody texted one of our numbers; `sms.msg` is the text. A long text comes as several of these.
sms_received = NotificationSignal()

# Hoiio reports how far an SMS of ours has got, in `sms.sms_status`; it may do so several times.
sms_status = NotificationSignal()

# One message of a bulk SMS was accepted or refused, in `sms.status`; `sms.bulk_txn_ref` names the batch.
bulk_sms_status = NotificationSignal()

# Somebody faxed one of our numbers; `fax.fax_url` is the document, unless `fax.fax_status` says that it failed.
fax_received = NotificationSignal()

# Hoiio reports how far a fax of ours has got, in `fax.fax_status`.
fax_status = NotificationSignal()

# Somebody calls one of our numbers. It rings until a block is sent to `notification.session`.
ivr_answer = NotificationSignal()

# The call that we made was answered or not, in `call.dial_status`.
ivr_dial = NotificationSignal()

# The message was played to its end.
ivr_play = NotificationSignal()

# The caller pressed keys, in `notification.params["digits"]`: empty or missing where no key came in time.
ivr_gather = NotificationSignal()

# A message was recorded; `notification.params["record_url"]` is a secret link to it.
ivr_record = NotificationSignal()

# Monitoring began, or its recording is ready: then `notification.params["monitor_url"]` is a secret link to it.
ivr_monitor = NotificationSignal()

# The call was handed on, or could not be, in `call.transfer_status`.
ivr_transfer = NotificationSignal()

# The hang-up that we asked for is done.
ivr_hangup = NotificationSignal()

# The caller is off hold and waits for the next block.
ivr_unhold = NotificationSignal()

# A block is finished, and the notification does not say which.
ivr_step = NotificationSignal()

# The interactive call is over; `call` has its duration and cost. Sent beside the block's own signal where a
# notification reports both.
ivr_ended = NotificationSignal()

# Nothing in the notification says what it is. Look at it in the admin.
unknown = NotificationSignal()

SIGNALS = {
    Kind.CALL_ENDED: call_ended,
    Kind.SMS_RECEIVED: sms_received,
    Kind.SMS_STATUS: sms_status,
    Kind.BULK_SMS_STATUS: bulk_sms_status,
    Kind.FAX_RECEIVED: fax_received,
    Kind.FAX_STATUS: fax_status,
    Kind.IVR_ANSWER: ivr_answer,
    Kind.IVR_DIAL: ivr_dial,
    Kind.IVR_PLAY: ivr_play,
    Kind.IVR_GATHER: ivr_gather,
    Kind.IVR_RECORD: ivr_record,
    Kind.IVR_MONITOR: ivr_monitor,
    Kind.IVR_TRANSFER: ivr_transfer,
    Kind.IVR_HANGUP: ivr_hangup,
    Kind.IVR_UNHOLD: ivr_unhold,
    Kind.IVR_STEP: ivr_step,
    Kind.IVR_ENDED: ivr_ended,
    Kind.UNKNOWN: unknown,
}


# Every signal by its name, as the ledger knows it.
BY_NAME: dict[str, NotificationSignal] = {
    **{kind.value: signal for kind, signal in SIGNALS.items()},
    "notification_received": notification_received,
}


def listeners_of(facts: tuple[Kind, ...], sender: object) -> Iterator[tuple[str, Listener]]:
    """Who is to be told what a notification reports, in the order of telling, each with the name of the signal."""
    for name, signal in _signals_of(facts):
        for listener in signal.listeners(sender):
            yield name, listener


@cache
def _signals_of(facts: tuple[Kind, ...]) -> list[tuple[str, NotificationSignal]]:
    return [(name, BY_NAME[name]) for name in (*(fact.value for fact in facts), "notification_received")]
