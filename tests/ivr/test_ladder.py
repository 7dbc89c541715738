"""The phone menu on the page of its call in the admin."""

from __future__ import annotations

from typing import Any

import pytest

from django_hoiio import ivr
from django_hoiio.testing import Hoiio
from tests.users import EVERYTHING, look, staff, text, url


@pytest.fixture
def caller(hoiio: Hoiio, declare: Any) -> Any:
    async def menu(call: ivr.Call) -> None:
        await call.menu("Press 1.", keys="1", tries=2)
        outcome = await call.transfer("+6561234567")
        if not outcome.answered:
            await call.record("Speak.")

    declare(menu)
    caller = hoiio.call(from_="+6598765432")
    caller.stay_silent()
    caller.press("1")
    caller.far_end("busy")
    caller.record("hello")
    return caller


def test_page_of_a_call_shows_what_was_asked_and_what_the_caller_did(caller: Any) -> None:
    page = text(look(staff(*EVERYTHING), url(caller.call)))

    for shown in (
        "Phone menu",
        "Press 1. · keys 1",
        "pressed no key",
        "pressed 1",
        "+6561234567",
        "busy",
        "Speak.",
        "after 0.0 s",
    ):
        assert shown in page


def test_page_masks_texts_keys_and_numbers(caller: Any) -> None:
    page = text(look(staff(), url(caller.call)))

    assert "Phone menu" in page
    for hidden in ("Press 1.", "pressed 1", "+6561234567", "Speak."):
        assert hidden not in page


def test_refused_block_and_the_one_that_runs_are_shown(hoiio: Hoiio, declare: Any) -> None:
    async def menu(call: ivr.Call) -> None:
        try:
            await call.transfer("+6561234567")
        except ivr.BlockFailed:
            await call.gather("Your number?")

    declare(menu)
    hoiio.refuse("ivr/end/transfer", "error_insufficient_credit")

    page = text(look(staff(*EVERYTHING), url(hoiio.call().call)))

    assert "Hoiio refused it: error_insufficient_credit" in page
    assert "Your number? …" in page
