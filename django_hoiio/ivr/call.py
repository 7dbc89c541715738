"""The call as its flow sees it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from pkgutil import resolve_name
from typing import Any, ParamSpec, TypeVar

from django_hoiio.client.connection import in_flow
from django_hoiio.notify_urls import through_json

from .blocks import Answer, Block

# A flow that catches even `GeneratorExit` gets it this often; then it cannot be let go.
MAX_EXITS = 200

# True while a function of `once` runs.
in_once: ContextVar[bool] = ContextVar("django_hoiio.in_once", default=False)

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


class HungUp(BaseException):
    """The call has ended. `except Exception` does not catch it."""


class BlockFailed(Exception):
    """Hoiio refused a block or could not be reached. `status` is Hoiio's error status, empty without a response."""

    def __init__(self, status: str) -> None:
        super().__init__(f"Hoiio refused the block with {status}." if status else "Hoiio could not be reached.")
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A recorded message. `url` is a secret link that expires."""

    url: str
    #: True if the caller hung up instead of pressing #.
    hung_up: bool


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """The result of a transfer."""

    #: answered, busy, unanswered or failed.
    status: str

    @property
    def answered(self) -> bool:
        return self.status == "answered"


class Call:
    """An interactive call. `await` its blocks, and do everything else by `once`."""

    def __init__(
        self,
        *,
        session: str,
        account: str,
        from_number: str,
        to_number: str,
        pass_on: Mapping[str, Any],
        now: datetime,
        remembered: Mapping[str, Any],
        remember: Callable[[str, Callable[[], Any]], Any],
    ) -> None:
        self.session, self.account = session, account
        self.from_number, self.to_number, self.pass_on = from_number, to_number, deepcopy(pass_on)
        # When the notification was received that the flow is at.
        self.now = now
        # The number of the last block, and whether the flow is being let go before its next one.
        self.step = 0
        self.is_leaving = False
        self._exits = 0
        # Blocks and flows that were made and not awaited yet.
        self.unawaited = 0
        self._remembered, self._remember = remembered, remember

    def play(self, msg: str) -> Coroutine[Any, Any, None]:
        """Speak a text of up to 1,000 characters."""
        return self._ask(Block(name="play", params={"msg": msg}), _nothing)

    def gather(
        self, msg: str | None = None, *, max_digits: int | None = None, timeout: int | None = None
    ) -> Coroutine[Any, Any, str]:
        """Return the keys that the caller pressed, up to `max_digits` or #; empty after `timeout` idle seconds."""
        return self._ask(Block(name="gather", params=_given(msg=msg, max_digits=max_digits, timeout=timeout)), _digits)

    def menu(
        self,
        msg: str,
        *,
        keys: str,
        tries: int = 3,
        timeout: int | None = None,
        silence: str = "",
        wrong: str = "",
    ) -> Coroutine[Any, Any, str]:
        """Return the key that the caller pressed, one of `keys`. After `tries` attempts, return an empty text.

        `silence` and `wrong` are spoken before `msg` if the caller pressed no key, or another.
        """
        if not keys or set(keys) - set("0123456789*"):
            raise ValueError(f"The keys of a menu are 0 to 9 and *, not {keys!r}.")
        for before in filter(None, (silence, wrong)):
            # Raises here if it is too long, and not when the caller presses a wrong key.
            Block(name="gather", params={"msg": f"{before} {msg}"})
        self.unawaited += 1
        return self._menu(msg, keys, tries, timeout, silence, wrong)

    async def _menu(self, msg: str, keys: str, tries: int, timeout: int | None, silence: str, wrong: str) -> str:
        self.unawaited -= 1
        text = msg
        for _ in range(tries):
            params = _given(msg=text, max_digits=1, timeout=timeout)
            digit = await self._ask(Block(name="gather", params=params, keys=keys), _digits)
            if digit and digit in keys:
                return digit
            text = f"{wrong if digit else silence} {msg}".strip()
        return ""

    def record(self, msg: str | None = None, *, max_seconds: int = 120) -> Coroutine[Any, Any, Recording]:
        """Record the caller, until # or for `max_seconds`. Hoiio's link to the recording expires."""
        return self._ask(Block(name="record", params=_given(msg=msg, max_duration=max_seconds)), _recording)

    def transfer(
        self, dest: str, *, msg: str | None = None, caller_id: str | None = None
    ) -> Coroutine[Any, Any, Transfer]:
        """Connect the caller with a number, or with the conference room `room:ID`. If it fails, the flow goes on."""
        params = _given(dest=dest, msg=msg, caller_id=caller_id, on_failure="continue")
        return self._ask(Block(name="transfer", params=params), _transfer)

    def monitor(self, msg: str | None = None) -> Coroutine[Any, Any, None]:
        """Record the rest of the call. The link comes with the signal `ivr_monitor` after the call."""
        return self._ask(Block(name="monitor", params=_given(msg=msg)), _nothing)

    def hold(self, msg: str | None = None) -> Coroutine[Any, Any, Any]:
        """Repeat a text until `ivr.resume(call, value)`; return the value."""
        return self._ask(Block(name="hold", params=_given(msg=msg)), _value)

    def hang_up(self, msg: str | None = None) -> Coroutine[Any, Any, None]:
        """Speak a text and end the call. Raises `HungUp`."""
        return self._ask(Block(name="hangup", params=_given(msg=msg)), _nothing)

    def once(
        self,
        name: str,
        function: Callable[Arguments, Result],
        /,
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Call a function when the flow first gets here, and return the same result each time after.

        What it does in the database of the calls happens exactly once, anything else at least once. The result must be
        JSON. Use another name for each call of `once` between two blocks. If the function raises, the flow gets the
        exception, and one of the same class at each later notification.
        """
        if self.is_leaving:
            raise GeneratorExit
        if in_once.get():
            raise RuntimeError(f"once({name!r}) was called in the function of another once(). Call it after that one.")
        key, failed = f"{self.step}:{name}", f"failed {self.step}:{name}"
        if failed in self._remembered:
            raise _as_before(name, self._remembered[failed])
        if key not in self._remembered:
            with _outside():
                try:
                    self._remember(key, lambda: _as_json(name, function(*args, **kwargs)))
                except Exception as error:
                    kind = type(error)
                    self._remember(failed, lambda: f"{kind.__module__}:{kind.__qualname__}")
                    raise
        result: Result = deepcopy(self._remembered[key])
        return result

    def _ask(self, block: Block, read: Callable[[Answer], Result]) -> Coroutine[Any, Any, Result]:
        self.unawaited += 1
        return self._answer(block, read)

    async def _answer(self, block: Block, read: Callable[[Answer], Result]) -> Result:
        self.unawaited -= 1
        if self.is_leaving:
            self._exit()
        answer: Answer = await _Request(block)
        return read(answer)

    def _exit(self) -> None:
        """Let go of the flow at this point, unless it goes on all the same."""
        self._exits += 1
        if self._exits < MAX_EXITS:
            raise GeneratorExit


class _Request:
    """Hands a block to the run, and takes the answer."""

    def __init__(self, block: Block) -> None:
        self._block = block

    def __await__(self) -> Generator[Block, Answer, Answer]:
        return (yield self._block)


def _given(**params: Any) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _nothing(answer: Answer) -> None:
    if answer.has_ended:
        raise HungUp


def _value(answer: Answer) -> Any:
    if answer.has_ended:
        raise HungUp
    return deepcopy(answer.value)


def _digits(answer: Answer) -> str:
    if answer.has_ended:
        raise HungUp
    return answer.params.get("digits", "")


def _recording(answer: Answer) -> Recording:
    url = answer.params.get("record_url", "")
    if answer.has_ended and not url:
        raise HungUp
    return Recording(url=url, hung_up=answer.has_ended)


def _transfer(answer: Answer) -> Transfer:
    status = answer.params.get("transfer_status", "")
    if answer.has_ended and not status:
        raise HungUp
    return Transfer(status=status)


def _as_json(name: str, result: Any) -> Any:
    try:
        return through_json(result)
    except ValueError as error:
        raise TypeError(f"The result of once({name!r}) must be JSON, not {type(result).__name__}.") from error


def _as_before(name: str, path: str) -> Exception:
    """Return an exception of the class that a function of `once` raised, so that the flow catches it again."""
    try:
        kind = resolve_name(path)
        error: Exception = kind.__new__(kind)
    # A class within a function, or one that needs arguments.
    except (ImportError, AttributeError, ValueError, TypeError):
        error = RuntimeError()
    error.args = (f"once({name!r}) raised {path} at an earlier notification.",)
    return error


@contextmanager
def _outside() -> Iterator[None]:
    flow, once = in_flow.set(False), in_once.set(True)
    try:
        yield
    finally:
        in_flow.reset(flow)
        in_once.reset(once)
