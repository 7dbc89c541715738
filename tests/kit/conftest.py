"""The fixture of the pytest plugin, and the receivers of a small project."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from django_hoiio import signals
from django_hoiio.client import HoiioClient
from django_hoiio.models import Notification, Sms
from django_hoiio.pytest_plugin import hoiio

__all__ = ["hoiio"]


def reply(notification: Notification, sms: Sms, **kwargs: Any) -> None:
    with HoiioClient() as client:
        client.sms.send(dest=sms.from_number, msg=f"You wrote {sms.msg}.", pass_on={"answer_to": sms.txn_ref})


def menu(notification: Notification, **kwargs: Any) -> None:
    """A phone menu that leaves nobody without an answer."""
    if notification.params["call_state"] == "ended" or notification.params.get("transfer_status") == "answered":
        return
    with HoiioClient(notification.account) as client:
        if notification.kind == "ivr_answer":
            client.ivr.gather(session=notification.session, msg="Press 1 or 2.", max_digits=1)
        elif notification.kind == "ivr_gather" and notification.params["digits"] == "1":
            client.ivr.transfer(session=notification.session, dest="+6561234567", on_failure="continue")
        elif notification.kind == "ivr_gather" and notification.params["digits"] == "2":
            client.ivr.record(session=notification.session, msg="Speak.")
        else:
            client.ivr.hangup(session=notification.session, msg="Goodbye.")


@pytest.fixture
def project() -> Iterator[None]:
    """Connect the receivers of the project."""
    connected = [(signals.sms_received, reply)]
    connected += [(signal, menu) for kind, signal in signals.SIGNALS.items() if kind.is_ivr]
    for signal, receiver in connected:
        signal.connect(receiver)
    yield
    for signal, receiver in connected:
        signal.disconnect(receiver)
