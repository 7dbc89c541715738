"""A receiver may be any object: it is called once or recorded as failed, blocks nothing, and changes no response."""

from __future__ import annotations

import functools
import gc
import logging
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from django.utils.functional import SimpleLazyObject
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from django_hoiio.models import Notification, ReceiverFailure, Sms
from django_hoiio.receivers import name_of
from django_hoiio.recovery import recover
from django_hoiio.signals import receiver_failed, sms_received
from tests.conftest import FORM

pytestmark = pytest.mark.django_db

TEXT = b"txn_ref=AA-SI-1&msg=secret&from=%2B6591231111&to=%2B6500000000"


@pytest.fixture(autouse=True)
def _disconnected() -> Iterator[None]:
    yield
    for signal in (sms_received, receiver_failed):
        signal.receivers.clear()
        signal.sender_receivers_cache.clear()


def post(body: bytes = TEXT) -> int:
    return Client().generic("POST", "/hoiio/sms/", body, content_type=FORM).status_code


# Receivers.

calls: list[str] = []


def plain(**kwargs: Any) -> None:
    calls.append("called")


async def coroutine(**kwargs: Any) -> None:
    calls.append("called")


def wrapped_coroutine(**kwargs: Any) -> Any:
    """Wrap `async def` in a plain decorator."""
    return coroutine(**kwargs)


class Methods:
    def bound(self, **kwargs: Any) -> None:
        plain()

    async def bound_coroutine(self, **kwargs: Any) -> None:
        plain()

    @staticmethod
    def static(**kwargs: Any) -> None:
        plain()

    @classmethod
    def of_class(cls, **kwargs: Any) -> None:
        plain()


class CallableObject:
    def __call__(self, **kwargs: Any) -> None:
        plain()


class AsyncCallable:
    async def __call__(self, **kwargs: Any) -> None:
        plain()


class Awaitable:
    def __await__(self) -> Iterator[Any]:
        plain()
        yield from ()


class HasEveryAttribute(CallableObject):
    def __getattr__(self, name: str) -> Any:
        return self


class RaisesAlways(CallableObject):
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class ExitsOnAttributeAccess(CallableObject):
    def __getattribute__(self, name: str) -> Any:
        raise SystemExit(name)


class NamedByANumber(CallableObject):
    def __getattribute__(self, name: str) -> Any:
        return 7


class EqualToEverything(CallableObject):
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1


class CannotBeCompared(CallableObject):
    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise RuntimeError


class PretendsToBeAFunction(CallableObject):
    __class__ = property(lambda self: type(plain))  # type: ignore[assignment]


class HasFuncOfItsOwn(CallableObject):
    @property
    def func(self) -> HasFuncOfItsOwn:
        return self


class LazyProxy:
    """Creates its object on the first access to any attribute, including its class."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.__dict__["_made"] = functools.cache(make)

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        return self.__dict__["_made"]().__class__

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_made"](), name)

    def __call__(self, **kwargs: Any) -> Any:
        return self.__dict__["_made"]()(**kwargs)


def nested_partial() -> Any:
    partial = functools.partial(plain)
    for _ in range(300):
        # Python merges partials without attributes into one.
        partial.kind = "nested"  # type: ignore[attr-defined]
        partial = functools.partial(partial)
    return partial


def a_mock(kind: type[mock.Mock], **kwargs: Any) -> Any:
    def effect(**arguments: Any) -> Any:
        calls.append("called")
        return mock.DEFAULT

    return kind(side_effect=effect, **kwargs)


METHODS = Methods()
OBJECTS: dict[str, Callable[[], Any]] = {
    "function": lambda: plain,
    "lambda": lambda: lambda **kwargs: plain(),
    "coroutine function": lambda: coroutine,
    "wrapped coroutine": lambda: wrapped_coroutine,
    "returns an awaitable": lambda: lambda **kwargs: Awaitable(),
    "bound method": lambda: METHODS.bound,
    "bound coroutine": lambda: METHODS.bound_coroutine,
    "static method": lambda: Methods.static,
    "class method": lambda: Methods.of_class,
    "callable": CallableObject,
    "async callable": AsyncCallable,
    "partial": lambda: functools.partial(plain, x=1),
    "partial of a coroutine": lambda: functools.partial(coroutine, x=1),
    "partial of a partial": lambda: functools.partial(functools.partial(METHODS.bound), x=1),
    "partial of a mock": lambda: functools.partial(a_mock(mock.Mock)),
    "nested partial": nested_partial,
    "Mock": lambda: a_mock(mock.Mock),
    "MagicMock": lambda: a_mock(mock.MagicMock),
    "AsyncMock": lambda: a_mock(mock.AsyncMock),
    "mock with a spec": lambda: a_mock(mock.Mock, spec=plain),
    "autospec": lambda: mock.create_autospec(plain, side_effect=plain),
    "lazy function": lambda: LazyProxy(lambda: plain),
    "lazy coroutine": lambda: LazyProxy(lambda: coroutine),
    "lazy mock": lambda: LazyProxy(lambda: a_mock(mock.MagicMock)),
    "answers anything": HasEveryAttribute,
    "raises always": RaisesAlways,
    "exits on attribute access": ExitsOnAttributeAccess,
    "named by a number": NamedByANumber,
    "equal to everything": EqualToEverything,
    "cannot be compared": CannotBeCompared,
    "pretends to be a function": PretendsToBeAFunction,
    "has a func of its own": HasFuncOfItsOwn,
}


@pytest.mark.parametrize("name", OBJECTS)
def test_any_object_is_called_once(name: str) -> None:
    calls.clear()
    receiver = OBJECTS[name]()
    sms_received.connect(receiver, weak=False)

    assert post() == 200

    assert (calls, ReceiverFailure.objects.count()) == (["called"], 0)
    assert Notification.objects.get().dispatched_at is not None


@pytest.mark.parametrize("name", [name for name in OBJECTS if "lambda" not in name])
def test_any_object_is_disconnected_again(name: str) -> None:
    receiver = OBJECTS[name]()
    sms_received.connect(receiver)
    sms_received.connect(receiver)

    assert (len(sms_received.receivers), sms_received.disconnect(receiver), sms_received.receivers) == (1, True, [])


@given(names=st.lists(st.sampled_from(sorted(OBJECTS)), min_size=1, max_size=6), weak=st.booleans())
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_object_is_called_once_in_any_combination(names: list[str], weak: bool) -> None:
    calls.clear()
    sms_received.receivers.clear()
    receivers = [OBJECTS[name]() for name in names]
    for number, receiver in enumerate(receivers):
        sms_received.connect(receiver, weak=weak, dispatch_uid=f"receiver-{number}")
    before = Notification.objects.count()

    assert post() == 200

    assert len(calls) == len(names)
    assert (Notification.objects.count(), ReceiverFailure.objects.count()) == (before + 1, 0)


@pytest.mark.parametrize(
    "harm",
    [ValueError("x"), SystemExit(1), KeyboardInterrupt(), GeneratorExit(), BaseException("x"), RecursionError()],
)
def test_receiver_that_raises_is_recorded_and_the_others_run(harm: BaseException) -> None:
    calls.clear()
    sms_received.connect(mock.Mock(side_effect=harm), weak=False)
    sms_received.connect(mock.AsyncMock(side_effect=ValueError), weak=False)
    sms_received.connect(plain)

    assert post() == 200

    assert (calls, ReceiverFailure.objects.count()) == (["called"], 2)


def test_object_is_called_if_a_project_sends_the_signal_itself() -> None:
    receiver = mock.Mock(return_value="seen")
    sms_received.connect(receiver, weak=False)

    ((_, returned),) = sms_received.send(sender=Notification, attempt=1)

    assert returned == "seen"
    assert receiver.call_args_list == [mock.call(signal=sms_received, sender=Notification, attempt=1)]


def test_object_that_cannot_be_called_is_recorded_as_failed() -> None:
    sms_received.connect(SimpleLazyObject(lambda: plain), weak=False)

    assert post() == 200

    assert "object is not callable" in ReceiverFailure.objects.get().traceback


def test_deleted_receiver_is_not_called() -> None:
    calls.clear()
    receiver = CallableObject()
    sms_received.connect(receiver)
    del receiver
    gc.collect()

    assert (post(), calls) == (200, [])


def test_receiver_that_contains_yield_fails_because_its_body_would_not_run() -> None:
    def generator(**kwargs: Any) -> Iterator[None]:
        yield

    sms_received.connect(generator)

    assert post() == 200

    assert "A receiver must not contain `yield`." in ReceiverFailure.objects.get().traceback


# Names.


def decorated(**kwargs: Any) -> None:
    """A receiver with its own name."""


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (lambda: decorated, "tests.test_receivers.decorated"),
        (lambda: functools.partial(functools.partial(decorated)), "tests.test_receivers.decorated"),
        (nested_partial, "functools.partial"),
        (lambda: METHODS.bound, "tests.test_receivers.Methods.bound"),
        (lambda: Methods.of_class, "tests.test_receivers.Methods.of_class"),
        (CallableObject, "tests.test_receivers.CallableObject"),
        (mock.Mock, "unittest.mock.Mock"),
        (HasFuncOfItsOwn, "tests.test_receivers.HasFuncOfItsOwn"),
        (HasEveryAttribute, "tests.test_receivers.HasEveryAttribute"),
        (ExitsOnAttributeAccess, "tests.test_receivers.ExitsOnAttributeAccess"),
    ],
)
def test_name_is_that_of_the_function_or_the_class(made: Callable[[], Any], name: str) -> None:
    assert name_of(made()) == name


def test_partial_of_itself_has_a_name_and_can_be_connected() -> None:
    endless = functools.partial(plain)
    endless.__setstate__((endless, (), {}, {}))

    sms_received.connect(endless)

    assert name_of(endless) == "functools.partial"
    assert sms_received.disconnect(endless)


def test_failed_object_without_a_name_is_retried() -> None:
    receiver = mock.Mock(side_effect=[ValueError, None])
    sms_received.connect(receiver, weak=False)
    assert post() == 200
    ReceiverFailure.objects.update(failed_at="2020-01-01T00:00Z")

    report = recover()

    assert (receiver.call_count, report.is_incomplete) == (2, False)


# Reports of failures.


def fail(**kwargs: Any) -> None:
    raise LookupError(f"no customer has {kwargs['sms'].from_number}, who wrote {kwargs['sms'].msg}")


def test_receiver_failed_reports_the_first_failure_and_each_retry() -> None:
    seen = []
    receiver_failed.connect(lambda **kwargs: seen.append(kwargs), weak=False, dispatch_uid="seen")
    sms_received.connect(fail)
    assert post() == 200
    ReceiverFailure.objects.update(failed_at="2020-01-01T00:00Z")
    recover()

    failure = ReceiverFailure.objects.get()
    assert [(each["sender"], each["failure"], type(each["exception"])) for each in seen] == [
        (Notification, failure, LookupError)
    ] * 2
    assert [each["failure"].attempts for each in seen] == [1, 2]


def test_receiver_of_receiver_failed_that_raises_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    receiver_failed.connect(mock.Mock(side_effect=SystemExit), weak=False, dispatch_uid="shop.alarm")
    sms_received.connect(fail)
    sms_received.connect(plain)
    calls.clear()

    assert post() == 200

    assert (calls, ReceiverFailure.objects.count()) == (["called"], 1)
    assert "Receiver shop.alarm of receiver_failed failed" in caplog.text


def test_log_of_a_failure_has_its_traceback_and_names_the_receiver(caplog: pytest.LogCaptureFixture) -> None:
    sms_received.connect(fail)

    assert post() == 200

    (record,) = [record for record in caplog.records if record.name == "django_hoiio.dispatch"]
    assert record.getMessage().startswith("Receiver tests.test_receivers.fail of sms_received failed for notification")
    assert record.exc_info is not None
    assert (record.exc_info[0] or object).__name__ == "LookupError"
    assert "in fail" in caplog.text


class Printing(logging.Handler):
    """Output of a project's handler that ignores cached formatting."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        formatter = logging.Formatter()
        exception = formatter.formatException(record.exc_info) if record.exc_info else ""
        values = [repr(value) for value in vars(record).values()]
        self.lines.append("\n".join([record.getMessage(), formatter.format(record), exception, *values]))
        if record.exc_info and record.exc_info[2]:
            traceback: Any = record.exc_info[2]
            while traceback:
                self.lines.append(repr(traceback.tb_frame.f_locals))
                traceback = traceback.tb_next


@pytest.mark.parametrize("place", ["", "django_hoiio", "django_hoiio.dispatch"])
def test_no_handler_sees_a_number_or_a_text(place: str) -> None:
    handler, logger = Printing(), logging.getLogger(place)
    logger.addHandler(handler)
    sms_received.connect(fail)
    try:
        assert post() == 200
    finally:
        logger.removeHandler(handler)

    written = "\n".join(handler.lines)
    assert "LookupError" in written
    assert not any(private in written for private in ("91231111", "secret"))


def test_without_any_logging_nothing_private_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Python then prints warnings and errors to the standard error by itself."""
    root, ours = logging.getLogger(), logging.getLogger("django_hoiio")
    before = root.handlers[:], ours.handlers[:], ours.propagate
    root.handlers[:], ours.handlers[:] = [], []
    sms_received.connect(fail)
    try:
        assert post() == 200
    finally:
        root.handlers[:], ours.handlers[:], ours.propagate = before

    printed = capsys.readouterr().err
    assert "Receiver tests.test_receivers.fail of sms_received failed" in printed
    assert not any(private in printed for private in ("91231111", "secret"))


def test_traceback_is_stored_unmasked_for_users_with_the_permission() -> None:
    sms_received.connect(fail)

    assert post() == 200

    assert "no customer has +6591231111, who wrote secret" in ReceiverFailure.objects.get().traceback
    assert Sms.objects.get().msg == "secret"
