"""The checks of a project's flows."""

from __future__ import annotations

import inspect
import logging
import random
import uuid
from datetime import datetime
from functools import update_wrapper
from types import ModuleType
from typing import Any

import pytest
from django.core.checks import Error, registry
from django.utils import timezone
from django.utils.timezone import localtime

import example_project.flows  # noqa: F401 it declares flows
from django_hoiio import ivr
from django_hoiio.ivr.checks import check_flows
from django_hoiio.ivr.flows import by_number

from .conftest import NUMBER

logger = logging.getLogger(__name__)


def found() -> list[tuple[str | None, str]]:
    return [(each.id, each.msg) for each in check_flows(None)]


def line_of(function: Any, text: str) -> int:
    """Return the line of this file, in which a function has a text."""
    lines, first = inspect.getsourcelines(function)
    return next(number for number, line in enumerate(lines, first) if text in line)


def is_open() -> bool:
    return timezone.now().hour < 19  # indirectly


def night() -> str:
    return "It is late."


async def careless(call: ivr.Call) -> None:
    if is_open():
        await call.play(f"{random.choice('ab')} {uuid.uuid4()}")
    await call.play(str(localtime()))
    await call.play(str(datetime.now(tz=timezone.get_current_timezone())))


async def careful(call: ivr.Call) -> None:
    try:
        await call.play(f"{localtime(call.now)} {night()} {'x'.upper()}")
        await call.play(call.once("key", lambda: str(uuid.uuid4())))
    except ivr.HungUp:
        logger.info("It is run at the end alone.")
    finally:
        call.once("log", logger.info, str(random.random()))
        await call.play("Goodbye.")


async def tidy(call: ivr.Call) -> None:
    try:
        await call.play("Hello.")
    finally:
        logger.info("The call is over.")


def test_code_that_gives_another_result_each_time_is_a_warning(declare: Any) -> None:
    declare(careless)

    message = (
        "The flow tests.ivr.test_checks.careless calls {}() in line {}, with another result each time it runs again."
    )
    assert found() == [
        ("django_hoiio.W019", message.format("random.choice", line_of(careless, "random.choice"))),
        ("django_hoiio.W019", message.format("uuid.uuid4", line_of(careless, "uuid.uuid4"))),
        ("django_hoiio.W019", message.format("localtime", line_of(careless, "localtime"))),
        ("django_hoiio.W019", message.format("datetime.now", line_of(careless, "datetime.now"))),
        ("django_hoiio.W019", message.format("timezone.now", line_of(is_open, "indirectly"))),
    ]


def test_code_that_once_calls_is_no_warning(declare: Any) -> None:
    declare(careful)

    assert found() == []


def test_effect_in_finally_is_a_warning(declare: Any) -> None:
    declare(tidy)

    line = line_of(tidy, "logger.info")
    message = f"The flow tests.ivr.test_checks.tidy calls logger.info() in line {line} in a `finally`, which runs at each notification."
    assert found() == [("django_hoiio.W020", message)]


def test_number_of_two_flows_is_an_error_unless_the_settings_decide(declare: Any, settings: Any) -> None:
    declare(careful)
    declare(_another)

    assert check_flows(None) == [
        Error(
            f"Several flows answer {NUMBER}: tests.ivr.test_checks.careful and tests.ivr.test_checks._another.",
            hint=f"Remove the number from all decorators but one, or write 'IVR_FLOWS': {{{NUMBER!r}: '…'}}.",
            id="django_hoiio.E020",
        )
    ]
    settings.HOIIO = {"IVR_FLOWS": {NUMBER: "tests.ivr.test_checks.careful"}}
    assert check_flows(None) == []


async def _another(call: ivr.Call) -> None:
    await call.play("Hello.")


def test_name_that_a_decorator_gives_to_several_flows_is_an_error(declare: Any) -> None:
    def announced(function: Any) -> Any:
        async def wrapper(call: ivr.Call) -> None:
            await function(call)

        return wrapper

    first = declare(announced(careful))
    ivr.flow(announced(_another))

    assert [error for error in check_flows(None) if error.id == "django_hoiio.E021"] == [
        Error(
            f"Several flows have the name {first.name}, so only the last one answers.",
            hint="Write functools.wraps in the decorator below ivr.flow.",
            id="django_hoiio.E021",
        )
    ]


def test_flow_without_a_source_is_not_checked(declare: Any) -> None:
    namespace: dict[str, Any] = {"__name__": __name__}
    exec("async def menu(call):\n    await call.play(str(__import__('random').random()))", namespace)  # noqa: S102
    declare(namespace["menu"])

    assert found() == []


class Shop:
    """A class of a project that runs code wherever somebody looks."""

    @property
    def client(self) -> Any:
        raise RuntimeError("There is no database yet.")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("There is no database yet.")

    __hash__ = None  # type: ignore[assignment]

    def __call__(self) -> str:
        return ""


class LazyModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        raise ImportError(name)


shop: Any = Shop()
lazy: Any = LazyModule("lazy")


async def buying(call: ivr.Call) -> None:
    await call.play(f"{shop.client.name()} {shop()} {lazy.name()} {uuid.uuid4()}")


def test_object_that_cannot_be_looked_at_is_not_checked(declare: Any) -> None:
    declare(buying)

    (warning,) = found()
    assert "buying calls uuid.uuid4()" in warning[1]


class Decorated:
    """A decorator that leaves no function."""

    def __init__(self, function: Any) -> None:
        update_wrapper(self, function)
        self.function = function

    async def __call__(self, call: ivr.Call) -> None:
        await self.function(call)


def test_flow_that_is_no_function_is_not_checked(declare: Any) -> None:
    declare(Decorated(careless))

    assert found() == []


@pytest.mark.parametrize("value", [None, 5, ["x"]])
def test_flows_in_the_settings_of_another_type_are_left_to_the_check_of_the_settings(
    declare: Any, settings: Any, value: Any
) -> None:
    settings.HOIIO = {"IVR_FLOWS": value}
    declare(careful)

    assert found() == []


def test_flows_of_the_example_pass_the_registered_check() -> None:
    assert "example_project.flows.reception" in by_number().values()
    assert found() == []
    assert check_flows in registry.registry.get_checks()
