"""Call the phone menu, with the test kit: `pytest --ds example_project.settings example_project`."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from django_hoiio.testing import Hoiio

from .flows import pick_up

SINGAPORE = ZoneInfo("Asia/Singapore")
WORKSHOP, SALES, CALLER = "+6531234567", "+6561234567", "+6598765432"

WELCOME = "Welcome to the workshop."
OPEN = f"{WELCOME} Press 1 for sales, or 2 to leave a message."
CLOSED = f"{WELCOME} We are closed. Press 2 to leave a message."
RECORD = "Speak after the tone, and press # at the end."
SORRY = "Sorry that we missed you. We call you back."


@pytest.fixture(autouse=True)
def _opening_hours(hoiio: Hoiio) -> None:
    hoiio.now = datetime(2026, 12, 1, 10, tzinfo=SINGAPORE)


def test_caller_leaves_a_message(hoiio: Hoiio, mailoutbox: Any) -> None:
    caller = hoiio.call(from_=CALLER)
    assert caller.heard == OPEN
    caller.press("2")
    assert caller.heard == RECORD
    caller.record("The chain came off again.")

    assert (caller.heard, caller.ended) == ("Thank you, and goodbye.", True)
    (mail,) = mailoutbox
    assert (mail.subject, mail.to) == (f"Message from {CALLER}", ["workshop@example.com"])
    assert mail.body.startswith("Listen to it: https://files.hoiio.test/rec-")


def test_message_of_a_caller_who_hangs_up_in_it_is_mailed_and_not_texted(hoiio: Hoiio, mailoutbox: Any) -> None:
    caller = hoiio.call(from_=CALLER)
    caller.press("2")
    caller.hang_up()

    assert [mail.subject for mail in mailoutbox] == [f"Message from {CALLER}"]
    assert hoiio.sent[-1].path == "ivr/middle/record"


def test_caller_who_hangs_up_is_texted_once(hoiio: Hoiio) -> None:
    hoiio.faults(twice=True)
    hoiio.call(from_=CALLER).hang_up()

    texts = [(sent.dest, sent.msg) for sent in hoiio.sent if sent.path == "sms/send"]
    assert texts == [(CALLER, SORRY)]


def test_caller_without_a_number_is_not_texted(hoiio: Hoiio) -> None:
    hoiio.call(from_=None).hang_up()

    assert [sent.path for sent in hoiio.sent] == ["ivr/middle/gather"]


def test_refused_text_fails_no_receiver(hoiio: Hoiio, caplog: pytest.LogCaptureFixture) -> None:
    hoiio.refuse("sms/send", "error_insufficient_credit")
    hoiio.call(from_=CALLER).hang_up()

    assert "Not done: " in caplog.text


def test_sales_answer(hoiio: Hoiio, mailoutbox: Any) -> None:
    caller = hoiio.call(from_=CALLER)
    caller.press("1")
    assert hoiio.sent[-1].dest == SALES
    caller.far_end("answered")
    caller.hang_up()

    assert (hoiio.sent[-1].path, mailoutbox) == ("ivr/end/transfer", [])


@pytest.mark.parametrize("status", ["busy", "unanswered", "failed"])
def test_sales_do_not_answer(hoiio: Hoiio, status: str) -> None:
    caller = hoiio.call()
    caller.press("1")
    caller.far_end(status)

    assert caller.heard == f"Nobody is there.\n{RECORD}"


@pytest.mark.parametrize(
    ("day", "hour", "heard"),
    [(1, 8, CLOSED), (1, 9, OPEN), (1, 18, OPEN), (1, 19, CLOSED), (5, 18, OPEN), (6, 10, CLOSED)],
)
def test_sales_are_offered_in_business_hours(hoiio: Hoiio, day: int, hour: int, heard: str) -> None:
    hoiio.now = datetime(2026, 12, day, hour, tzinfo=SINGAPORE)

    assert hoiio.call().heard == heard


def test_menu_of_a_call_does_not_change_when_the_workshop_closes(hoiio: Hoiio) -> None:
    hoiio.now = datetime(2026, 12, 1, 18, 59, 55, tzinfo=SINGAPORE)
    caller = hoiio.call()
    hoiio.wait(seconds=8)
    caller.press("1")

    assert hoiio.sent[-1].dest == SALES


def test_wrong_keys_and_silence_end_the_call(hoiio: Hoiio) -> None:
    caller = hoiio.call()
    caller.press("9")
    assert caller.heard == f"There is nothing on that key. {OPEN}"
    caller.stay_silent()
    assert caller.heard == OPEN
    caller.stay_silent()

    assert (caller.heard, caller.ended) == ("Goodbye.", True)


def test_customer_who_is_called_hears_goodbye(hoiio: Hoiio) -> None:
    pick_up.dial(CALLER, msg="Your bicycle is ready.")
    (customer,) = hoiio.calls
    customer.answer()

    assert (customer.transcript, customer.ended) == ("Your bicycle is ready.\nThank you, and goodbye.", True)
