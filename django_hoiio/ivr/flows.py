"""The flows of the project, and the numbers that they answer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables

from django_hoiio.client import HoiioClient
from django_hoiio.client.account import digits
from django_hoiio.client.endpoints import IVR_DIAL
from django_hoiio.client.responses import DialResponse
from django_hoiio.conf import conf

from .blocks import Block
from .call import Call

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Function = Callable[Concatenate[Call, Arguments], Coroutine[Any, Any, Result]]

# Spoken if the flow raises, and if a deploy has changed it during the call.
APOLOGY = "We are sorry, something went wrong. Please call again."
GOODBYE = "We are sorry, please call again."

_flows: dict[str, Flow[Any, Any]] = {}

# The names of flows that a decorator has given to several.
shared_names: set[str] = set()


class Flow(Generic[Arguments, Result]):
    """A phone menu. Other flows may await it like its function."""

    def __init__(
        self, function: Function[Arguments, Result], numbers: Sequence[str], apology: str, goodbye: str
    ) -> None:
        if isinstance(numbers, str):
            raise TypeError(f"The numbers of a flow are a list; write numbers=[{numbers!r}].")
        for text in (apology, goodbye):
            # Raises if it is too long. A translation has its length when it is spoken.
            if text and isinstance(text, str):
                Block(name="hangup", params={"msg": text})
        self.function, self.numbers = function, tuple(numbers)
        self.apology, self.goodbye = apology, goodbye
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.__doc__ = function.__doc__
        known = _flows.get(self.name)
        # Reloading a module makes another code object.
        if known and getattr(known.function, "__code__", known) is getattr(function, "__code__", None):
            shared_names.add(self.name)
        _flows[self.name] = self

    def __repr__(self) -> str:
        return f"<Flow {self.name}>"

    def __call__(self, call: Call, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Coroutine[Any, Any, Result]:
        call.unawaited += 1
        return self._awaited(call, *args, **kwargs)

    async def _awaited(self, call: Call, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        call.unawaited -= 1
        return await self.function(call, *args, **kwargs)

    @sensitive_variables()
    def dial(
        self,
        dest: str,
        *,
        msg: str | None = None,
        caller_id: str | None = None,
        max_duration: int | None = None,
        tag: str | None = None,
        pass_on: Mapping[str, Any] | None = None,
        account: str = "default",
    ) -> DialResponse:
        """Call a number; the flow begins when it answers. `pass_on` is `call.pass_on`. Raises `HoiioError`."""
        with HoiioClient(account) as client:
            params = {"dest": dest, "msg": msg, "caller_id": caller_id, "max_duration": max_duration, "tag": tag}
            return client.ivr._request(IVR_DIAL, params, pass_on=pass_on, block={"flow": self.name})


def by_name(name: str) -> Flow[..., Any] | None:
    """Return a flow, also one whose module is not imported yet. Raises `ImportError` if its module raises it."""
    if name in _flows:
        return _flows[name]
    try:
        found = import_string(name)
    except ImportError as error:
        if error.name and not f"{name}.".startswith(f"{error.name}."):
            raise
        return None
    return found if isinstance(found, Flow) else None


def declared() -> list[Flow[..., Any]]:
    """Return the flows whose modules are imported."""
    return list(_flows.values())


def by_number() -> dict[str, str]:
    """Return the name of the flow that answers each number: as in `HOIIO['IVR_FLOWS']`, or else in a decorator."""
    return {number: flow.name for flow in declared() for number in flow.numbers} | dict(conf.IVR_FLOWS)


def name_for(number: str) -> str | None:
    """Return the name of the flow that answers a number, which Hoiio and the project may write in different ways."""
    wanted = digits(number)
    return next((name for written, name in by_number().items() if digits(written) == wanted), None)
