"""Run a flow through the answers that are known, to its next block. Pure, apart from what `once` does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import connections

from django_hoiio.client.connection import in_flow
from django_hoiio.exceptions import NotInAFlow

from .blocks import Answer, Block
from .call import BlockFailed, Call, HungUp

logger = logging.getLogger(__name__)

MAX_STEPS = 200

_FOREIGN = "A flow awaited something else than its call's blocks; do it by call.once()."


class FlowChanged(Exception):
    """The flow now asks for another block than the one that was sent: a deploy has changed it."""


class TooManySteps(Exception):
    pass


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """Where a flow has got to: the block to send as this step, or its end."""

    step: int
    # `None` if the flow has returned.
    block: Block | None
    # True if the call has ended.
    is_over: bool = False


def replay(
    flow: Callable[[Call], Any], call: Call, answers: Mapping[int, Answer | BlockFailed], *, has_ended: bool
) -> NextStep:
    """Run the flow from its beginning to the first block without an answer.

    `has_ended`: the call is over, whichever block reported it. Raises what the flow raises, and `FlowChanged`.
    """
    with _in_flow():
        return _run(flow(call), call, answers, has_ended=has_ended)


def _run(running: Any, call: Call, answers: Mapping[int, Answer | BlockFailed], *, has_ended: bool) -> NextStep:
    if not isinstance(running, Coroutine):
        raise TypeError("A flow must be a coroutine; write `async def`.")
    go_on: Callable[[], Any] = partial(running.send, None)
    in_transaction = _in_transaction()
    is_over = False
    step = 0
    while True:
        step += 1
        try:
            block = go_on()
        except StopIteration:
            _check_awaited(call)
            return NextStep(step=step, block=None, is_over=is_over or has_ended)
        except HungUp:
            return NextStep(step=step, block=None, is_over=True)
        except RuntimeError as error:
            if str(error) == "no running event loop":
                raise NotInAFlow(_FOREIGN) from error
            raise
        try:
            _check_awaited(call)
            _check_block(block, step)
            _check_transaction(in_transaction)
            answer = None if is_over else answers.get(step)
            if isinstance(answer, Answer):
                _check_unchanged(step, block, answer)
        except Exception:
            _leave(call, running)
            raise
        call.step = step
        if isinstance(answer, Answer):
            is_over, call.now = answer.has_ended, answer.at
            go_on = partial(running.send, answer)
        elif answer is not None:
            go_on = partial(running.throw, answer)
        elif is_over or has_ended:
            is_over = True
            go_on = partial(running.throw, HungUp())
        else:
            _leave(call, running)
            return NextStep(step=step, block=block)


def _in_transaction() -> list[bool]:
    return [connection.in_atomic_block for connection in connections.all()]


def _check_awaited(call: Call) -> None:
    if call.unawaited:
        raise RuntimeError("A block of the flow, or another flow, was not awaited; write `await` before it.")


def _check_block(block: object, step: int) -> None:
    if step > MAX_STEPS:
        raise TooManySteps(f"A flow may have {MAX_STEPS} steps.")
    if not isinstance(block, Block):
        raise NotInAFlow(_FOREIGN)


def _check_transaction(in_transaction: list[bool]) -> None:
    if _in_transaction() != in_transaction:
        raise NotInAFlow("A flow awaited a block within transaction.atomic(), which ends before the answer comes.")


def _check_unchanged(step: int, block: Block, answer: Answer) -> None:
    if (answer.name, answer.digest) != (block.name, block.digest):
        # Without the digests, from which a number could be guessed.
        raise FlowChanged(f"Step {step} was {answer.name} and is now another {block.name}.")


def _leave(call: Call, running: Any) -> None:
    """Let go of a flow before its next block. Its `finally` runs, in which blocks and `once` do nothing."""
    call.is_leaving = True
    try:
        running.close()
    # Whatever is in a `finally`. It runs again, with effect, at the end of the flow.
    except Exception as error:  # noqa: BLE001
        logger.warning("A flow raised %s in a `finally` while it was let go between two steps.", type(error).__name__)


@contextmanager
def _in_flow() -> Iterator[None]:
    """Refuse queries and requests to Hoiio."""
    with ExitStack() as stack:
        for connection in connections.all():
            stack.enter_context(connection.execute_wrapper(_refuse))
            # A refused query has not broken the transaction of a TestCase, although Django says so.
            stack.callback(setattr, connection, "needs_rollback", connection.needs_rollback)
        token = in_flow.set(True)
        try:
            yield
        finally:
            in_flow.reset(token)


def _refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    if in_flow.get():
        raise NotInAFlow("A flow uses the database outside of call.once(), and would do so again at each step.")
    return execute(sql, params, many, context)
