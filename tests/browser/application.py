"""The application under test: answer a call with a menu, record a message, hang up, and reply to SMS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django_hoiio import signals
from django_hoiio.client import HoiioClient
from django_hoiio.models import Notification, Sms

MENU = "Welcome to the workshop. Press 1 for the hours, 2 to leave a message."
TONE = "You pressed {}. Please speak after the tone."
THANKS = "Thank you. We call back."
GREETING = "This is the workshop: your bicycle is ready."


def menu(notification: Notification, **kwargs: Any) -> None:
    with HoiioClient() as client:
        client.ivr.gather(session=notification.session, msg=MENU, max_digits=1, timeout=600)


def take_message(notification: Notification, **kwargs: Any) -> None:
    if notification.params.get("call_state") == "ended":
        return
    with HoiioClient() as client:
        client.ivr.record(session=notification.session, msg=TONE.format(notification.params["digits"]))


def thank(notification: Notification, **kwargs: Any) -> None:
    if notification.params.get("call_state") == "ended":
        return
    with HoiioClient() as client:
        client.ivr.hangup(session=notification.session, msg=THANKS)


def reply(sms: Sms, **kwargs: Any) -> None:
    with HoiioClient() as client:
        client.sms.send(dest=sms.from_number, msg=f"You wrote: {sms.msg}", pass_on={"answer_to": sms.txn_ref})


def dial(number: str) -> None:
    """Call a number and say `GREETING`."""
    with HoiioClient() as client:
        client.ivr.dial(dest=number, msg=GREETING)


RECEIVERS = {
    signals.ivr_answer: menu,
    signals.ivr_gather: take_message,
    signals.ivr_record: thank,
    signals.sms_received: reply,
}


@contextmanager
def listening() -> Iterator[None]:
    for signal, receiver in RECEIVERS.items():
        signal.connect(receiver)
    try:
        yield
    finally:
        for signal, receiver in RECEIVERS.items():
            signal.disconnect(receiver)
