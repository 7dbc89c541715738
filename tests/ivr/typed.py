"""The types of a flow, which mypy checks: the results of its blocks, and a forgotten `await`. Nothing runs it."""

from __future__ import annotations

from typing import Any, assert_type

from django_hoiio import ivr
from django_hoiio.client.responses import DialResponse


def price(item: str) -> int:
    return len(item)


@ivr.flow
async def ask(call: ivr.Call, question: str) -> str:
    return await call.menu(question, keys="12")


@ivr.flow(numbers=["+6531234567"])
async def reception(call: ivr.Call) -> None:
    assert_type(await call.gather("Your number?", max_digits=4), str)
    assert_type(await call.record(), ivr.Recording)
    assert_type(await call.transfer("room:sales"), ivr.Transfer)
    assert_type(await call.hold(), Any)
    assert_type(await ask(call, "Press 1 or 2."), str)
    assert_type(call.once("price", price, "wheel"), int)
    call.once("price", price, 1)  # type: ignore[arg-type]
    call.play("Hello.")  # type: ignore[unused-coroutine]
    ask(call, "Press 1 or 2.")  # type: ignore[unused-coroutine]
    await ask(call)  # type: ignore[call-arg]


assert_type(reception.dial("+6591234567", pass_on={"order": 17}), DialResponse)
