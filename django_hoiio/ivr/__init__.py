"""Phone menus as straight-line code that survives a crash.

    @ivr.flow(numbers=["+6531234567"])
    async def reception(call):
        choice = await call.menu("Press 1 for sales, 2 to leave a message.", keys="12")
        if choice == "1":
            await call.transfer("+6561234567")

A flow is a coroutine. What its caller did is stored in one row for each call, and at each notification the flow runs
again from its beginning, through the stored answers, to the next block.
"""

from __future__ import annotations

from django_hoiio.exceptions import NotInAFlow

from .call import BlockFailed, Call, HungUp, Recording, Transfer
from .flows import Flow, flow
from .runs import recover, resume

__all__ = [
    "BlockFailed",
    "Call",
    "Flow",
    "HungUp",
    "NotInAFlow",
    "Recording",
    "Transfer",
    "flow",
    "recover",
    "resume",
]
