"""A call in progress whose run is redacted."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from django_hoiio import ivr
from django_hoiio.ivr import flows, runs
from django_hoiio.models import IvrRun
from django_hoiio.retention.forgetting import forget
from django_hoiio.retention.redaction import redact_runs
from django_hoiio.testing import Hoiio
from tests.conftest import values

BOB = "+6561234567"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def test_call_whose_run_was_redacted_says_goodbye(hoiio: Hoiio, declare: Any) -> None:
    async def reception(call: ivr.Call) -> None:
        await call.gather("Your PIN?")
        await call.record("Speak.")

    declare(reception)
    caller = hoiio.call(from_=BOB)
    forget([BOB])
    caller.press("1234#")

    run = IvrRun.objects.get()
    assert (caller.heard, caller.ended, run.is_over) == (flows.GOODBYE, True, True)
    assert [(step["name"], step["answer"]) for step in run.steps] == [
        ("gather", {"call_state": "ongoing"}),
        ("hangup", {"call_state": "ended"}),
    ]
    assert hoiio.sent[-1].path == "ivr/end/hangup"


def test_held_call_whose_run_was_redacted_says_goodbye(hoiio: Hoiio, declare: Any) -> None:
    async def queue(call: ivr.Call) -> None:
        await call.hold("Please wait.")

    declare(queue)
    caller = hoiio.call(from_=BOB)
    forget([BOB])
    ivr.resume(caller.call, "bob")
    hoiio.wait()

    assert (caller.heard.splitlines()[-1], caller.ended) == (flows.GOODBYE, True)
    assert IvrRun.objects.get().steps[0]["value"] is None


def test_process_that_advances_a_run_while_it_is_redacted_stores_nothing_of_it(
    hoiio: Hoiio, declare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def reception(call: ivr.Call) -> None:
        await call.gather(f"Your PIN, {await call.gather('Your name?')}?")

    declare(reception)
    caller = hoiio.call(from_=BOB)
    request = runs._Advance._request

    def redact_and_request(*args: Any) -> None:
        redact_runs(IvrRun.objects.all())
        request(*args)

    with monkeypatch.context() as patched:
        patched.setattr(runs._Advance, "_request", redact_and_request)
        caller.press("1234#")
    caller.press("5678#")

    run = IvrRun.objects.get()
    assert (caller.heard, caller.ended, run.is_over) == (flows.GOODBYE, True, True)
    assert not {"1234", "5678", "PIN"} & set(re.findall(r"\w+", repr(values(run))))


def test_answer_that_was_redacted_before_the_flow_got_it_ends_in_a_goodbye(hoiio: Hoiio, declare: Any) -> None:
    async def reception(call: ivr.Call) -> None:
        await call.gather("Your PIN?")
        await call.record("Speak.")

    declare(reception)
    caller = hoiio.call(from_=BOB)
    # Another process has the lease.
    IvrRun.objects.update(leased_until=hoiio.now + timedelta(seconds=10))
    caller.press("1234#")
    forget([BOB])
    ivr.recover()
    hoiio.wait()

    assert (caller.heard, caller.ended) == (flows.GOODBYE, True)
