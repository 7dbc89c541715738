"""Random callers of three flows hear and cause what one run of the plain coroutine says and causes."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from django_hoiio import ivr
from django_hoiio.ingest import ingest
from django_hoiio.ivr import flows
from django_hoiio.ivr.blocks import ENDPOINTS, Answer, Block
from django_hoiio.models import IvrRun
from django_hoiio.testing import Caller, Hoiio
from django_hoiio.testing.line import TestLine
from tests.conftest import raw_notification

# In all. `HOIIO_TEST_CALLS=1000` is the thorough run.
CALLS = int(os.environ.get("HOIIO_TEST_CALLS", "60"))

# Seconds that a late notification takes.
LATE = 5

REFUSED_PATHS = [endpoint.path for name, endpoint in ENDPOINTS.items() if name not in ("hangup", "unhold")]
STATUSES = ["error_insufficient_credit", "error_internal_server_error", None]

Function = Callable[[ivr.Call], Any]


# The flows.


async def stars(call: ivr.Call, question: str) -> int:
    for _ in range(2):
        key = await call.menu(question, keys="12345", tries=2, silence="Are you there?", wrong="Not that key.")
        if key:
            return int(key)
        await call.play("Let us try that again.")
    return call.once("none", lambda: 0)


async def survey(call: ivr.Call) -> None:
    given: list[int] = []
    try:
        while len(given) < 3:
            given.append(await stars(call, f"How was part {len(given)}?"))
        await call.play(f"That makes {sum(given)} stars.")
        code = await call.gather("Your code, and #?", timeout=5)
        while sum(given) < 9 and len(given) < 5:
            recording = await call.record(f"What was wrong, {code}?")
            given.append(5 if recording.hung_up else 1)
            call.once("complaint", lambda: None)
    except ivr.BlockFailed as failed:
        await call.hang_up(f"Sorry: {failed.status}.")
    finally:
        call.once("stars", lambda: given)


async def desk(call: ivr.Call, dest: str) -> bool:
    try:
        outcome = await call.transfer(dest)
    except ivr.BlockFailed as failed:
        return call.once("refused", bool, failed.status)
    if not outcome.answered:
        await call.play(f"That desk is {outcome.status}.")
    return outcome.answered


async def office(call: ivr.Call) -> None:
    try:
        await call.monitor("This call is recorded.")
        for turn in range(3):
            place = await call.hold(f"Please wait, turn {turn}.")
            await call.play(f"You are number {place}.")
            for dest in ("+6561234567", "+6561234568"):
                if await desk(call, dest):
                    return
            if await stars(call, "How long was the wait?") > 3:
                break
        await call.hang_up("Goodbye.")
    except ivr.BlockFailed as failed:
        await call.hang_up(f"Sorry: {failed.status}.")
    except ivr.HungUp:
        call.once("missed", lambda: call.from_number)
        await call.play("Nobody hears this.")


@pytest.fixture(params=["reception", "survey", "office"])
def function(request: pytest.FixtureRequest, declare: Any) -> Function:
    """Declare a flow, and return its function."""
    functions = {
        "reception": importlib.import_module("example_project.flows").reception.function,
        "survey": survey,
        "office": office,
    }
    # What the import has declared.
    flows._flows.clear()
    chosen: Function = functions[request.param]
    declare(chosen)
    return chosen


# The callers.


class Act(NamedTuple):
    """What a caller did, and what Hoiio refuses from then on: a path and a status."""

    name: str
    value: Any = None
    refused: tuple[str, str | None] = ("", None)


class RandomCaller:
    """A caller who acts at random until the call ends."""

    def __init__(self, hoiio: Hoiio, chance: Random) -> None:
        self.hoiio, self.chance = hoiio, chance
        self.is_late = chance.random() < 0.3
        hoiio.faults(late=LATE if self.is_late else 0, twice=chance.random() < 0.3)
        self.acts = [Act("call", refused=self._refuse())]
        self.number = f"+659{chance.randrange(10**7):07}"
        self.begun = len(hoiio.notifications)
        self.caller: Caller = hoiio.call(from_=self.number)

    def run(self) -> None:
        while not self.caller.ended:
            getattr(self, f"_when_{self.caller.state}")()
            self._repeat()
        self.hoiio.wait(seconds=LATE)
        self._repeat()

    def _refuse(self) -> tuple[str, str | None]:
        """Let Hoiio refuse one kind of block, or none."""
        self._accept()
        if self.chance.random() > 0.4:
            return "", None
        path, status = self.chance.choice(REFUSED_PATHS), self.chance.choice(STATUSES)
        self.hoiio.refuse(path, status)
        return path, status

    def _accept(self) -> None:
        for path in REFUSED_PATHS:
            self.hoiio.accept(path)

    def _repeat(self) -> None:
        """Receive a notification of the call again, however old it is."""
        received = self.hoiio.notifications[self.begun :]
        if received and self.chance.random() < 0.2:
            old = self.chance.choice(received)
            ingest(raw_notification("ivr", old.query, bytes(old.body), block=old.block, received_at=self.hoiio.now))

    def _act(self, name: str, value: Any = None, do: Callable[[], None] = lambda: None) -> None:
        self.acts.append(Act(name, value, self._refuse()))
        do()

    def _hang_up_or(self, *others: Callable[[], None]) -> None:
        if self.chance.random() < 0.07:
            self._act("hang up", do=self.caller.hang_up)
        else:
            self.chance.choice(others)()

    def _silent(self) -> None:
        self._act("silent", do=self.caller.stay_silent)

    def _when_ringing(self) -> None:
        """Wait for the next block, whose request is late."""
        assert self.is_late, "Nobody takes care of the caller."
        if self.chance.random() < 0.07:
            self._accept()
            self.acts.append(Act("hang up before"))
            self.caller.hang_up()
        else:
            step = self.caller._live.step
            self.hoiio.wait(seconds=LATE)
            assert self.caller._live.step > step, "Nobody takes care of the caller."

    _when_ongoing = _when_ringing

    def _when_playing(self) -> None:
        self._hang_up_or(self._silent)

    def _when_gathering(self) -> None:
        keys = "".join(self.chance.choices("1234567890*#", k=self.chance.randint(0, 3))) + "#"
        press = lambda: self._act("press", keys, lambda: self.caller.press(keys))  # noqa: E731
        self._hang_up_or(press, press, press, self._silent)

    def _when_recording(self) -> None:
        self._hang_up_or(lambda: self._act("speak", do=lambda: self.caller.record("Hello.")), self._silent)

    def _when_held(self) -> None:
        def resume() -> None:
            ivr.resume(self.caller.call, place)
            self.hoiio.wait()

        place = self.chance.choice([1, "two", None, {"three": [4]}])
        self._hang_up_or(lambda: self._act("resume", place, resume))

    def _when_transferring(self) -> None:
        status = self.chance.choice(["answered", "busy", "unanswered", "failed"])
        self._hang_up_or(lambda: self._act("far end", status, lambda: self.caller.far_end(status)))

    def _when_transferred(self) -> None:
        self.caller.hang_up()


# The reference.


class Plain(NamedTuple):
    """What one run of a plain coroutine says and causes, and how it ends."""

    spoken: list[str]
    # The names of `once`, each with its step.
    done: list[str]
    error: type[BaseException] | None = None


def run_plainly(function: Function, acts: Sequence[Act], from_number: str, now: datetime) -> Plain:
    """Run a flow once from its beginning to its end, each block with what the caller did."""
    remembered: dict[str, Any] = {}
    call = ivr.Call(
        session="S",
        account="default",
        from_number=from_number,
        to_number="",
        pass_on={},
        now=now,
        remembered=remembered,
        remember=lambda key, function: remembered.update({key: None if function_is_outside(key) else function()}),
    )
    running, spoken = function(call), []
    (_, _, (path, status)), *left = acts
    go_on, is_over = partial(running.send, None), False
    while True:
        try:
            block = go_on()
        except (StopIteration, ivr.HungUp):
            return Plain(spoken, sorted(remembered))
        except ivr.BlockFailed as error:
            return Plain([*spoken, flows.APOLOGY], sorted(remembered), type(error))
        call.step += 1
        is_over = is_over or (bool(left) and left[0].name == "hang up before")
        if is_over:
            go_on = partial(running.throw, ivr.HungUp())
        elif ENDPOINTS[block.name].path == path:
            go_on = partial(running.throw, ivr.BlockFailed(status or ""))
        else:
            spoken += [block.params["msg"]] if "msg" in block.params else []
            (name, value, (path, status)), *left = left
            answer = answer_of(block, name, value, now)
            is_over = answer.has_ended or value == "answered"
            go_on = partial(running.send, answer)


def function_is_outside(key: str) -> bool:
    """Return whether a function of `once` sends something. The reference sends nothing."""
    return key.partition(":")[2] in ("mail", "text")


def answer_of(block: Block, name: str, value: Any, now: datetime) -> Answer:
    """Return what Hoiio reports of a block."""
    has_ended = name == "hang up" or block.name == "hangup"
    params = {"call_state": "ended" if has_ended else "ongoing"}
    if block.name == "gather":
        digits = value.partition("#")[0] if name == "press" else ""
        params["digits"] = digits[: block.params.get("max_digits")]
    elif block.name == "record":
        params["record_url"] = "https://files.hoiio.test/rec"
    elif block.name == "transfer":
        params["transfer_status"] = value or "unanswered"
    return Answer(name=block.name, digest=block.digest, params=params, value=value, at=now)


@pytest.mark.django_db(transaction=True)
def test_random_callers_hear_what_the_plain_coroutine_says(
    hoiio: Hoiio, function: Function, settings: Any, monkeypatch: pytest.MonkeyPatch, mailoutbox: Any
) -> None:
    settings.TIME_ZONE = "Asia/Singapore"
    # So that callers can hang up in each text.
    monkeypatch.setattr(TestLine, "speaking_time", lambda self, text: 1)
    hoiio.now = datetime(2026, 12, 1, 10, tzinfo=ZoneInfo("Asia/Singapore"))
    hoiio.allow_failures()
    for number in range(-(-CALLS // 3)):
        chance = Random(f"{function.__name__} {number}")
        hoiio.wait(hours=chance.randrange(24))
        failed, mails, now = len(hoiio.failures), len(mailoutbox), hoiio.now
        one = RandomCaller(hoiio, chance)
        one.run()

        plain = run_plainly(function, one.acts, one.number, now)
        run = IvrRun.objects.latest("pk")
        assert one.caller.transcript.splitlines() == plain.spoken, (number, one.acts)
        assert sorted(run.remembered) == plain.done, (number, one.acts)
        assert [type(each) for each in hoiio.failures[failed:]] == ([plain.error] if plain.error else [])
        assert len(mailoutbox) - mails == sum(name.endswith(":mail") for name in plain.done)
        assert (run.is_over, run.leased_until, run.has_waiting) == (True, None, False)
