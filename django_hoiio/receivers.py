"""Find, name and run the connected receivers.

A receiver may be any object. Finding it and naming it never raises.
"""

from __future__ import annotations

import functools
import inspect
import sys
import weakref
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from asgiref.sync import async_to_sync
from django.dispatch.dispatcher import NONE_ID, _make_id  # type: ignore[attr-defined]  # the stubs lack it

from .enums import Kind
from .models import RECEIVER_LENGTH
from .parsing.fields import storable
from .signals import BY_NAME, MAX_PARTIALS, Identity, NotificationSignal, ReceiverWrapper

UNDER_GEVENT = (
    "An async receiver cannot run in a gevent worker, because all greenlets would see its event loop. `manage.py"
    " hoiio_recover` runs it. To run it at once, use another worker class or HOIIO['DISPATCH'] = 'task'."
)
IS_GENERATOR = "The receiver returned a generator, so its body did not run. A receiver must not contain `yield`."


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """A connected receiver."""

    uid: Any
    function: Callable[..., Any]

    @property
    def name(self) -> str:
        """The receiver name in the failure log: its `dispatch_uid`, or else its module and qualified name."""
        if type(self.uid) is Identity:
            name = name_of(self.function)
        else:
            name = _text(lambda: str(self.uid)) or _name_of_type(self.uid)
        return storable(name[:RECEIVER_LENGTH])

    def run(self, **arguments: Any) -> None:
        """Call the receiver. If it returns an awaitable, wait for it."""
        result = self.function(**arguments)
        # Check the result, because a plain function may return a coroutine. Like `await`, look at its type.
        if getattr(type(result), "__await__", None) is not None:
            _wait_for(result)
        elif type(result) in (GeneratorType, AsyncGeneratorType):
            raise TypeError(IS_GENERATOR)


def receivers_of(kinds: tuple[Kind, ...], sender: object) -> Iterator[tuple[str, Receiver]]:
    """Yield the signal name and receiver of each call to make for these kinds, in calling order."""
    flow = ("ivr_flow",) if any(kind.is_ivr for kind in kinds) else ()
    for name in (*flow, *(kind.value for kind in kinds), "notification_received"):
        for receiver in connected(BY_NAME[name], sender):
            yield name, receiver


def connected(signal: NotificationSignal, sender: object) -> Iterator[Receiver]:
    """Yield the live receivers of a signal for `sender`, in the order in which they were connected."""
    senders = (NONE_ID, _make_id(sender))
    # A copy, because a receiver may connect another. Django 5.2 stores (key, receiver, is_async), 6.0 and later
    # (key, receiver, sender, is_async).
    for (uid, listens_to), reference, *_ in list(signal.receivers):
        if listens_to not in senders:
            continue
        receiver = reference() if isinstance(reference, weakref.ReferenceType) else reference
        if type(receiver) is ReceiverWrapper:
            receiver = receiver.receiver
        if receiver is not None:
            yield Receiver(uid=uid, function=receiver)


def name_of(receiver: object) -> str:
    """Return the module and qualified name of a receiver, the same in every process. A partial has its function's name.

    An object without its own name, such as a mock, has the name of its class.
    """
    for _ in range(MAX_PARTIALS):
        if not issubclass(type(receiver), functools.partial):
            break
        # Not `receiver.func`, which a subclass may replace.
        receiver = functools.partial.func.__get__(receiver)
    qualname = _text(lambda: receiver.__qualname__)  # type: ignore[attr-defined]
    if qualname is None:
        return _name_of_type(receiver)
    module = _text(lambda: receiver.__module__)
    return f"{_module_of_type(receiver) if module is None else module}.{qualname}"


def _name_of_type(receiver: object) -> str:
    # Bypass the class, because its metaclass may override the attribute.
    return f"{_module_of_type(receiver)}.{type.__dict__['__qualname__'].__get__(type(receiver))}"


def _module_of_type(receiver: object) -> str:
    return _text(lambda: type.__dict__["__module__"].__get__(type(receiver))) or "unknown"


def _text(look: Callable[[], object]) -> str | None:
    """Return the text that foreign code returns, or `None` if it raises or returns anything else."""
    try:
        found = look()
    # Reading an attribute of a foreign object runs foreign code, which may even call sys.exit().
    except BaseException:
        return None
    return str.__str__(found) or None if issubclass(type(found), str) else None


def _wait_for(awaitable: Awaitable[Any]) -> None:
    try:
        if _is_gevent():
            raise RuntimeError(UNDER_GEVENT)
        async_to_sync(_await)(awaitable)
    finally:
        # A coroutine that has not started would warn that it was never awaited.
        if type(awaitable) is CoroutineType and inspect.getcoroutinestate(awaitable) == inspect.CORO_CREATED:
            awaitable.close()


async def _await(awaitable: Awaitable[Any]) -> None:
    await awaitable


def _is_gevent() -> bool:
    """Return whether threads are gevent's greenlets, which share the event loop of their real thread."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))
