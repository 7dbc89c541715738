"""The statements of a step, compared with a receiver that sends the same block."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_hoiio import ivr
from django_hoiio.models import Notification
from django_hoiio.signals import ivr_answer, ivr_flow, ivr_gather
from django_hoiio.testing import Hoiio

# Lease the run, read what has arrived, and store the step. MariaDB returns no row of an UPDATE.
MORE = {"mysql": 4}.get(connection.vendor, 3)


def statements(hoiio: Hoiio) -> list[int]:
    """Return the number of statements of some steps of a new call."""
    caller, counts = hoiio.call(), []
    for _ in range(4):
        with CaptureQueriesContext(connection) as captured:
            caller.press("1")
        counts.append(len(captured))
    caller.hang_up()
    return counts


def test_each_step_takes_three_statements_more_than_a_plain_receiver(hoiio: Hoiio, declare: Any) -> None:
    async def menu(call: ivr.Call) -> None:
        while True:
            await call.gather("Press a key.", max_digits=1)

    def send_block(notification: Notification, **kwargs: Any) -> None:
        if notification.params["call_state"] != "ended":
            client = notification.client()
            client.ivr.gather(session=str(notification.session), msg="Press a key.", max_digits=1)

    declare(menu)
    of_flow = statements(hoiio)
    ivr_flow.disconnect(sender=Notification, dispatch_uid="django_hoiio.ivr")
    for signal in (ivr_answer, ivr_gather):
        signal.connect(send_block, dispatch_uid="plain")
    try:
        plain = statements(hoiio)
    finally:
        for signal in (ivr_answer, ivr_gather):
            signal.disconnect(dispatch_uid="plain")

    assert [one - other for one, other in zip(of_flow, plain, strict=True)] == [MORE] * 4
