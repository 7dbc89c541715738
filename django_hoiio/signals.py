"""The signals: one for each kind of notification, and one for all of them.

Every receiver gets these arguments. Accept those that you need, and `**kwargs`.

* `signal` and `sender`: the signal, and the class `Notification`.
* `notification`: the `Notification`, already committed.
* `attempt`: 1 for the first run, 2 for the first retry, and so on.
* `call`, `sms`, `fax`: the row that the notification updated; the other two are `None`.
  All three are `None` if the notification names no transaction.

Receivers run after the commit and outside any transaction. A receiver that fails does not stop the others. It is
recorded as a `ReceiverFailure` and reported by `receiver_failed`.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, NamedTuple

from django.dispatch import Signal

from .enums import Kind

__all__ = [
    "bulk_sms_status",
    "call_ended",
    "fax_received",
    "fax_status",
    "ivr_answer",
    "ivr_dial",
    "ivr_ended",
    "ivr_gather",
    "ivr_hangup",
    "ivr_monitor",
    "ivr_play",
    "ivr_record",
    "ivr_step",
    "ivr_transfer",
    "ivr_unhold",
    "notification_received",
    "receiver_failed",
    "sms_received",
    "sms_status",
    "unknown",
]

# A partial may contain itself.
MAX_PARTIALS = 100


class Identity(NamedTuple):
    """Key of a receiver without a `dispatch_uid`."""

    owner: int
    function: int


class ReceiverWrapper:
    """Wrapper of a receiver whose attributes Django must not read.

    Django checks whether a receiver is a method or a coroutine function, and a mock or a proxy may return anything.
    """

    def __init__(self, receiver: Any, *, weak: bool) -> None:
        self._receiver = receiver
        self._is_weak = weak
        if weak:
            is_method = type(receiver) is MethodType
            self._receiver = weakref.WeakMethod(receiver) if is_method else weakref.ref(receiver)
            # Lives as long as the receiver, so that Django's own weak reference to this object ends with it.
            weakref.finalize(receiver.__self__ if is_method else receiver, _release, self).atexit = False

    @property
    def receiver(self) -> Any:
        """The receiver, or `None` if it was garbage collected."""
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
            super().connect(ReceiverWrapper(receiver, weak=weak), sender, weak, uid)

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
    """Return whether reading the attributes of a receiver runs no foreign code."""
    for _ in range(MAX_PARTIALS):
        if type(receiver) is MethodType:
            receiver = receiver.__func__
        elif type(receiver) is functools.partial:
            receiver = receiver.func
        else:
            break
    return type(receiver) in (FunctionType, BuiltinFunctionType)


def _release(wrapper: ReceiverWrapper) -> None:
    """Do nothing. The finalizer only keeps the stand-in alive as long as the receiver."""


#: Any notification. Sent once for each, after the signal of its kind.
notification_received = NotificationSignal()

#: A call between two numbers, or a leg of a conference, has ended. `call` has its statuses, `duration` and `debit`.
call_ended = NotificationSignal()

#: One of your numbers received an SMS; `sms.msg` is the text. A long text arrives as several SMS.
sms_received = NotificationSignal()

#: Delivery status of an SMS that you sent, in `sms.sms_status`. Hoiio may report it several times. `queued` may be the
#: last one, and `delivered` means the operator, not the handset.
sms_status = NotificationSignal()

#: One message of a bulk SMS was accepted or refused, in `sms.status`; `sms.bulk_txn_ref` is that of the bulk SMS. `sms`
#: is `None` if a refusal has neither a reference nor a number.
bulk_sms_status = NotificationSignal()

#: One of your numbers received a fax; `fax.fax_url` is a secret link to it, unless `fax.fax_status` is a failure.
fax_received = NotificationSignal()

#: Status of a fax that you sent, in `fax.fax_status` and `fax.fax_error_code`.
fax_status = NotificationSignal()

#: One of your numbers is called. It rings until you send a block to `notification.session`, or its flow does.
ivr_answer = NotificationSignal()

#: Result of an interactive call that you made, in `call.dial_status`.
ivr_dial = NotificationSignal()

#: The message was played to its end.
ivr_play = NotificationSignal()

#: The caller pressed keys, in `notification.params["digits"]`: empty or missing if none was pressed in time.
ivr_gather = NotificationSignal()

#: A message was recorded; `notification.params["record_url"]` is a secret link to it.
ivr_record = NotificationSignal()

#: Monitoring started, or its recording is ready: then `notification.params["monitor_url"]` is a secret link to it.
ivr_monitor = NotificationSignal()

#: Result of a transfer, in `call.transfer_status`.
ivr_transfer = NotificationSignal()

#: The hang-up that you requested is done.
ivr_hangup = NotificationSignal()

#: The caller is off hold and waits for the next block.
ivr_unhold = NotificationSignal()

#: A block ended that neither Hoiio nor the notify URL names. Recognise it by `notification.pass_on` or `call.tag`.
ivr_step = NotificationSignal()

#: The interactive call has ended; `call` has its `duration` and `debit`. If one notification reports that a block and
#: the call ended, this signal follows that of the block.
ivr_ended = NotificationSignal()

# Runs the flow of an interactive call, before the receivers of its other signals. Not public: see `ivr`.
ivr_flow = NotificationSignal()

#: The notification has no known kind. Inspect it in the admin.
unknown = NotificationSignal()

#: A receiver of one of these signals raised an exception, in its first run or a retry. Receivers of this signal get
#: `sender` (the class `Notification`), `failure` (the `ReceiverFailure`, already committed) and `exception`, which is
#: not masked. If one of them raises, that is only logged.
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


# Every signal by its name in the failure log.
BY_NAME: dict[str, NotificationSignal] = {
    **{kind.value: signal for kind, signal in SIGNALS.items()},
    "notification_received": notification_received,
    "ivr_flow": ivr_flow,
}
