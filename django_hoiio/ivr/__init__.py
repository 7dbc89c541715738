"""Phone menus as straight-line code that survives a crash::

    @ivr.flow(numbers=["+6531234567"])
    async def reception(call):
        choice = await call.menu("Press 1 for sales, 2 to leave a message.", keys="12")
        if choice == "1":
            await call.transfer("+6561234567")

A flow is a coroutine. What its caller did is stored in one row for each call, and at each notification the flow runs
again from its beginning, through the stored answers, to the next block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

from django.core import checks as django_checks

from django_hoiio.exceptions import NotInAFlow
from django_hoiio.models import Notification
from django_hoiio.signals import ivr_flow

from .call import BlockFailed, Call, HungUp, Recording, Transfer
from .checks import check_flows
from .flows import APOLOGY, GOODBYE, Arguments, Flow, Function, Result
from .runs import recover, resume, take_up

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


@overload
def flow(function: Function[Arguments, Result], /) -> Flow[Arguments, Result]: ...
@overload
def flow(
    *, numbers: Sequence[str] = (), apology: str = APOLOGY, goodbye: str = GOODBYE
) -> Callable[[Function[Arguments, Result]], Flow[Arguments, Result]]: ...
def flow(
    function: Function[..., Any] | None = None,
    /,
    *,
    numbers: Sequence[str] = (),
    apology: str = APOLOGY,
    goodbye: str = GOODBYE,
) -> Any:
    """Declare a coroutine as a phone menu, which answers these numbers.

    `apology` is spoken if it raises, `goodbye` if a deploy has changed it during a call.
    """

    def declare(function: Function[..., Any]) -> Flow[..., Any]:
        # As a receiver, so that a notification is pending until its flow has run.
        ivr_flow.connect(take_up, sender=Notification, dispatch_uid="django_hoiio.ivr")
        django_checks.register(check_flows)
        return Flow(function, numbers, apology, goodbye)

    return declare if function is None else declare(function)
