"""The signals: one for each kind of notification, and one for all of them.

Every receiver gets

* `sender`: the `Notification` class,
* `notification`: the `Notification` that came, already committed,
* `attempt`: 1 the first time, 2 when a failed receiver is run again, and so on,
* `call`, `sms`, `fax`: the row of that model which the notification brought up to date, the other two `None`;
  all three are `None` where the notification names no transaction.

Receivers run after the commit and outside any transaction. One that fails is recorded as a `ReceiverFailure`, reported
by `receiver_failed`, and stops no other.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, NamedTuple

from django.dispatch import Signal

from .enums import Kind

# A partial may contain itself.
MAX_PARTIALS = 100


class Identity(NamedTuple):
    """Identify a receiver that has no `dispatch_uid`."""

    owner: int
    function: int


class StandIn:
    """Stand in the list of a signal for a receiver whose attributes Django must not read.

    Django asks each receiver whether it is a method or a coroutine function, and a mock or a proxy may answer anything.
    """

    def __init__(self, receiver: Any, *, weak: bool) -> None:
        self._receiver = receiver
        self._is_weak = weak
        if weak:
            is_method = type(receiver) is MethodType
            self._receiver = weakref.WeakMethod(receiver) if is_method else weakref.ref(receiver)
            # Lives as long as the receiver, so that Django's own weak reference to this object ends with it.
            weakref.finalize(receiver.__self__ if is_method else receiver, _let_go, self).atexit = False

    @property
    def receiver(self) -> Any:
        """The receiver; `None` if nothing else holds it any more."""
        return self._receiver() if self._is_weak else self._receiver

    def __call__(self, **arguments: Any) -> Any:
        return self.receiver(**arguments)


class NotificationSignal(Signal):
    """A Django signal to which any object can be connected."""

    def connect(
        self, receiver: Callable[..., Any], sender: object = None, weak: bool = True, dispatch_uid: Any = None
    ) -> None:
        uid = dispatch_uid or _identity(receiver)
        if _is_plain(receiver):
            super().connect(receiver, sender, weak, uid)
        else:
            super().connect(StandIn(receiver, weak=weak), sender, weak, uid)

    def disconnect(
        self, receiver: Callable[..., Any] | None = None, sender: object = None, dispatch_uid: Any = None
    ) -> bool:
        return super().disconnect(None, sender, dispatch_uid or _identity(receiver))


def _identity(receiver: object) -> Identity:
    # A bound method is a new object each time.
    if type(receiver) is MethodType:
        return Identity(id(receiver.__self__), id(receiver.__func__))
    return Identity(id(receiver), 0)


def _is_plain(receiver: object) -> bool:
    """Tell whether reading the attributes of a receiver runs no foreign code."""
    for _ in range(MAX_PARTIALS):
        if type(receiver) is MethodType:
            receiver = receiver.__func__
        elif type(receiver) is functools.partial:
            receiver = receiver.func
        else:
            break
    return type(receiver) in (FunctionType, BuiltinFunctionType)


def _let_go(stand_in: StandIn) -> None:
    """Do nothing: that the receiver is gone is enough."""


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

# A receiver of one of these signals raised, the first time or when it was retried. Its receivers get `sender` (the
# class `Notification`), `failure` (the `ReceiverFailure`, already committed) and `exception` (what was raised).
receiver_failed = NotificationSignal()

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


# Every signal by its name, as the failure log stores it.
BY_NAME: dict[str, NotificationSignal] = {
    **{kind.value: signal for kind, signal in SIGNALS.items()},
    "notification_received": notification_received,
}
