"""Phone menus of the example project.

A flow runs again at each notification of its call: from its beginning, through the stored answers, to the next block.
So it only awaits blocks. Whatever changes or reads anything else is a function that `call.once` calls.
"""

from __future__ import annotations

from datetime import datetime

from django.core.mail import send_mail
from django.utils.timezone import localtime

from django_hoiio import ivr

from .client import hoiio_client

WORKSHOP, SALES = "+6531234567", "+6561234567"


@ivr.flow(numbers=[WORKSHOP])
async def reception(call: ivr.Call) -> None:
    """Connect callers with sales, or take a message. Text callers who hang up before that."""
    recording = None
    try:
        if is_open(call.now):
            offer, keys = "Press 1 for sales, or 2 to leave a message.", "12"
        else:
            offer, keys = "We are closed. Press 2 to leave a message.", "2"
        choice = await call.menu(f"Welcome to the workshop. {offer}", keys=keys, wrong="There is nothing on that key.")
        if choice == "":
            await call.hang_up("Goodbye.")
        if choice == "1":
            outcome = await call.transfer(SALES)
            if outcome.answered:
                return
            await call.play("Nobody is there.")
        recording = await call.record("Speak after the tone, and press # at the end.", max_seconds=60)
        call.once("mail", mail_message, recording.url, call.from_number)
        await call.hang_up("Thank you, and goodbye.")
    except ivr.HungUp:
        if recording is None:
            call.once("text", text_back, call.from_number)


def is_open(moment: datetime) -> bool:
    """Return whether the workshop is open: Monday to Saturday, 9 to 19 o'clock."""
    local = localtime(moment)
    return local.weekday() < 6 and 9 <= local.hour < 19


def mail_message(url: str, number: str) -> None:
    # The link is a secret: anybody who has it can listen.
    send_mail(f"Message from {number}", f"Listen to it: {url}", None, ["workshop@example.com"])


def text_back(number: str) -> None:
    # A withheld number cannot be texted.
    if number.startswith("+"):
        with hoiio_client() as client:
            client.sms.send(dest=number, msg="Sorry that we missed you. We call you back.")


@ivr.flow
async def pick_up(call: ivr.Call) -> None:
    """Say goodbye to a customer whose bicycle is ready. `pick_up.dial` calls and speaks the news."""
    await call.hang_up("Thank you, and goodbye.")
