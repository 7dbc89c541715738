"""A phone menu for servers that kill themselves. The number of a caller says at which point of which step, once a call."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django_hoiio import dispatch, ingest, ivr
from django_hoiio.ivr import runs
from django_hoiio.models import Sms

from .listening import write

# The directory with a file for each kill. Without it, the process kills nothing.
KILLS = "HOIIO_FAULTS_KILLS"

POINTS = (
    # Before the notification is committed.
    "uncommitted",
    # After that, before the run is leased.
    "committed",
    # Before the block is sent.
    "leased",
    # After that, before it is recorded.
    "sent",
    # After everything is recorded, before the notification is answered.
    "between",
    # At the end of a function that `call.once` calls.
    "once",
    "never",
)


def number_of(caller: int, point: str, step: int) -> str:
    """Return the number of a caller. Step 0 is the beginning of the call."""
    return f"+65{900_000 + caller}{POINTS.index(point)}{step}"


MENU = "Press 1 or 2."


def code_text(key: str) -> str:
    return f"You pressed {key}. Enter your code."


def record_text(code: str) -> str:
    return f"Your code is {code}. Speak."


def thanks_text(key: str, code: str) -> str:
    return f"Thank you for {key} and {code}."


@ivr.flow
async def reception(call: ivr.Call) -> None:
    try:
        key = await call.menu(MENU, keys="12", timeout=60)
        call.once("key", note, call.from_number, "key", call.step)
        code = await call.gather(code_text(key), max_digits=6, timeout=60)
        await call.record(record_text(code))
        call.once("recording", note, call.from_number, "recording", call.step)
        await call.hang_up(thanks_text(key, code))
    finally:
        call.once("end", note, call.from_number, "end", call.step)


def note(number: str, name: str, step: int) -> None:
    """Leave a row in the database of the calls, and a line in a file."""
    Sms.objects.create(dest=number, tag=name)
    write(f"{number} {name}\n")
    kill("once", number, step)


def kill(point: str, number: str, step: int) -> None:
    """Kill this process if the caller's number says so and this did not happen before."""
    folder = os.environ.get(KILLS)
    if folder and number.endswith(f"{POINTS.index(point)}{step}") and not Path(folder, number).exists():
        Path(folder, number).touch()
        os.kill(os.getpid(), signal.SIGKILL)


Moment = Callable[..., tuple[str, int]]


def _killing(function: Callable[..., Any], moment: Moment, *, before: str = "", after: str = "") -> Any:
    """Wrap a function. `moment` returns the caller's number and the step, from its arguments."""

    def killing(*args: Any) -> Any:
        if before:
            kill(before, *moment(*args))
        result = function(*args)
        if after:
            kill(after, *moment(*args))
        return result

    return killing


def _of_raw(raw: Any, parsed: Any) -> tuple[str, int]:
    return parsed.params["from"], raw.block.get("step", 0)


def _of_notification(notification: Any) -> tuple[str, int]:
    return notification.params["from"], notification.block.get("step", 0)


def _of_block(advance: Any, block: Any, number: int) -> tuple[str, int]:
    return advance.run.from_number, number - 1


if KILLS in os.environ:
    ingest.store = _killing(ingest.store, _of_raw, before="uncommitted")
    dispatch.run = _killing(dispatch.run, _of_notification, before="committed", after="between")
    runs._Advance._request = _killing(runs._Advance._request, _of_block, before="leased", after="sent")
