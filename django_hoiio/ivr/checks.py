"""System checks of the flows: numbers that two of them answer, and code that must not run at each notification."""

from __future__ import annotations

import ast
import inspect
import os
import random
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Warning
from django.utils import timezone

from django_hoiio.conf import conf

from . import flows

_CLOCKS = (timezone.now, time.time, datetime.now, datetime.utcnow, datetime.today, date.today)
# The current time, if they get no argument.
_CONVERSIONS = (timezone.localtime, timezone.localdate)
_RANDOM = (os.urandom, uuid.uuid1, uuid.uuid4)

# The project's code may run if any other object is compared, or asked for an attribute.
_INERT = (FunctionType, MethodType, BuiltinFunctionType, ModuleType, type, random.Random)


def check_flows(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check the numbers and the source of each flow that is imported."""
    declared = flows.declared()
    functions = [each for each in declared if isinstance(each.function, FunctionType | MethodType)]
    sources = (message for flow in functions for message in _check_source(flow.name, flow.function))
    return [*_contested_numbers(declared), *_shared_names(), *sources]


def _contested_numbers(declared: Sequence[flows.Flow[..., Any]]) -> Iterator[CheckMessage]:
    decided = conf.IVR_FLOWS if conf.has_flows else {}
    numbers = [number for flow in declared for number in flow.numbers if number not in decided]
    for number in sorted({each for each in numbers if numbers.count(each) > 1}):
        names = " and ".join(flow.name for flow in declared if number in flow.numbers)
        yield Error(
            f"Several flows answer {number}: {names}.",
            hint=f"Remove the number from all decorators but one, or write 'IVR_FLOWS': {{{number!r}: '…'}}.",
            id="django_hoiio.E020",
        )


def _shared_names() -> Iterator[CheckMessage]:
    for name in sorted(flows.shared_names):
        yield Error(
            f"Several flows have the name {name}, so only the last one answers.",
            hint="Write functools.wraps in the decorator below ivr.flow.",
            id="django_hoiio.E021",
        )


def _check_source(name: str, flow: Callable[..., Any]) -> Iterator[CheckMessage]:
    trees = _trees_of(flow)
    for function, tree in trees.items():
        for node in _calls_below(tree):
            if _is_unpredictable(_resolve(node.func, function), node):
                yield Warning(
                    f"The flow {name} calls {_place(node, function)}, with another result each time it runs again.",
                    hint="Use call.now for the time, and call.once() for anything else.",
                    id="django_hoiio.W019",
                )
    for node in _calls_in_finally(trees[flow]):
        yield Warning(
            f"The flow {name} calls {_place(node, flow)} in a `finally`, which runs at each notification.",
            hint="Call it by call.once(), which does nothing before the flow ends.",
            id="django_hoiio.W020",
        )


def _trees_of(flow: Callable[..., Any]) -> dict[Callable[..., Any], ast.AST]:
    """Parse the function of a flow, and those of its module that it calls, directly or not."""
    trees: dict[Callable[..., Any], ast.AST] = {}
    waiting = [flow]
    for function in waiting:
        if function not in trees:
            trees[function] = _tree_of(function)
            called = [_resolve(node.func, function) for node in _calls_below(trees[function])]
            waiting += [
                each for each in called if isinstance(each, FunctionType) and each.__module__ == flow.__module__
            ]
    return trees


def _tree_of(function: Callable[..., Any]) -> ast.AST:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    # A function that was made without a file.
    except (OSError, SyntaxError):
        return ast.Module([], [])


def _calls_below(node: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls that run again with the flow: all but those that are left to `once`."""
    if isinstance(node, ast.Call):
        yield node
        if _is_once(node):
            return
    for child in ast.iter_child_nodes(node):
        yield from _calls_below(child)


def _calls_in_finally(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls in `finally`, except `once` and what is awaited."""
    for block in (each.finalbody for each in ast.walk(tree) if isinstance(each, ast.Try)):
        awaited = [node.value for each in block for node in ast.walk(each) if isinstance(node, ast.Await)]
        for node in (call for each in block for call in _calls_below(each)):
            if not _is_once(node) and node not in awaited:
                yield node


def _is_once(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr == "once"


def _resolve(node: ast.AST, function: Callable[..., Any]) -> Any:
    """Return the object of a dotted name in the module of a function, or `None` if it cannot be looked at."""
    found = None
    if isinstance(node, ast.Name):
        found = function.__globals__.get(node.id)
    elif isinstance(node, ast.Attribute):
        # Even a module or a class may run code for it.
        with suppress(Exception):
            found = getattr(_resolve(node.value, function), node.attr, None)
    return found if issubclass(type(found), _INERT) else None


def _is_unpredictable(called: Any, node: ast.Call) -> bool:
    if called in _CONVERSIONS:
        return not node.args and not node.keywords
    is_random = isinstance(getattr(called, "__self__", None), random.Random)
    return is_random or called in _CLOCKS + _RANDOM or getattr(called, "__module__", None) in ("random", "secrets")


def _place(node: ast.Call, function: Callable[..., Any]) -> str:
    line = function.__code__.co_firstlineno + node.lineno - 1
    return f"{ast.unparse(node.func)}() in line {line}"
