"""Flows that are written in unexpected ways, and faults at bad moments."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy
from django.views.debug import ExceptionReporter

from django_hoiio import ivr
from django_hoiio.exceptions import HoiioError
from django_hoiio.ivr import flows, runs
from django_hoiio.models import Call, IvrRun, Notification, ReceiverFailure, Sms
from django_hoiio.retention.redaction import redact_runs
from django_hoiio.testing import Hoiio

from .conftest import NUMBER

BOB = "+6561234567"


# The flow runs again from its beginning.


def test_result_that_the_flow_changes_is_as_it_was_when_the_flow_runs_again(hoiio: Hoiio, declare: Any) -> None:
    heard: list[Any] = []

    async def survey(call: ivr.Call) -> None:
        answers = [call.pass_on.pop("order")]
        answers += call.once("list", list)
        held = await call.hold("Please wait.")
        held["count"] += 1
        for _ in range(2):
            answers.append(await call.gather("And?", max_digits=1))
        call.once("store", heard.extend, [*answers, held])

    declare(survey).dial(BOB, pass_on={"order": "7"})
    (person,) = hoiio.calls
    person.answer()
    ivr.resume(person.call, {"count": 1})
    hoiio.wait()
    person.press("1")
    person.press("2")

    assert heard == ["7", "1", "2", {"count": 2}]


class Broken(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")


@pytest.mark.parametrize(
    ("function", "caught"),
    [
        (lambda: Sms.objects.get(txn_ref="none"), Sms.DoesNotExist),
        (lambda: {}["none"], KeyError),
        (lambda: exec("raise Broken(1, 'x')"), Broken),  # noqa: S102
    ],
)
def test_exception_of_once_is_raised_again_and_the_function_not_called(
    hoiio: Hoiio, declare: Any, function: Callable[[], Any], caught: type[Exception]
) -> None:
    calls: list[None] = []

    def call_once() -> Any:
        calls.append(None)
        return function() if len(calls) == 1 else "found"

    async def entry(call: ivr.Call) -> None:
        try:
            call.once("find", call_once)
            await call.play("Found.")
        except caught:
            await call.gather("Not found.", max_digits=1)
        await call.gather("More?")

    declare(entry)
    caller = hoiio.call()
    caller.press("1")

    assert (caller.transcript.splitlines(), len(calls)) == (["Not found.", "More?"], 1)


def test_exception_of_once_whose_class_is_not_found_ends_in_the_apology(hoiio: Hoiio, declare: Any) -> None:
    class Local(Exception):
        pass

    def fail() -> None:
        raise Local

    async def entry(call: ivr.Call) -> None:
        try:
            call.once("fail", fail)
        except Local:
            await call.gather("No.", max_digits=1)

    declare(entry)
    hoiio.allow_failures()
    caller = hoiio.call()
    caller.press("1")

    assert caller.heard == flows.APOLOGY
    assert "Local at an earlier notification" in str(hoiio.failures[0])


def test_once_within_once_is_an_error(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        call.once("outer", lambda: call.once("inner", str))

    declare(entry)
    with pytest.raises(RuntimeError, match=r"once\('inner'\) was called in the function of another once"):
        hoiio.call()


@pytest.mark.django_db(transaction=True)
def test_transaction_around_a_block_is_an_error(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        with transaction.atomic():
            call.once("write", lambda: Sms.objects.create(dest=BOB).dest)
            await call.gather("Press.")

    declare(entry)
    hoiio.allow_failures()
    caller = hoiio.call()

    assert (caller.heard, Sms.objects.count()) == (flows.APOLOGY, 0)
    assert [type(each) for each in hoiio.failures] == [ivr.NotInAFlow]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_flow_that_catches_everything_is_let_go_between_two_steps(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        while True:
            try:
                await call.menu("Press 1.", keys="1")
                break
            except:  # noqa: E722, S112
                continue
        await call.play("Thank you.")

    declare(entry)
    caller = hoiio.call()
    caller.press("1")

    assert (caller.transcript.splitlines(), caller.ended) == (["Press 1.", "Thank you."], True)


def test_end_of_the_call_is_no_exception_that_a_flow_catches_by_mistake(hoiio: Hoiio, declare: Any) -> None:
    texts: list[str] = []

    async def entry(call: ivr.Call) -> None:
        while True:
            try:
                await call.gather("Press.", max_digits=1)
            except Exception:
                call.once("text", texts.append, "again")

    declare(entry)
    hoiio.call().hang_up()

    assert (texts, IvrRun.objects.get().is_over) == ([], True)


# Awaiting what is not a block.


@pytest.mark.filterwarnings("ignore:coroutine")
def test_flow_that_another_flow_does_not_await_is_an_error(hoiio: Hoiio, declare: Any) -> None:
    @ivr.flow
    async def stars(call: ivr.Call) -> str:
        return await call.menu("1 to 5?", keys="12345")

    async def entry(call: ivr.Call) -> None:
        stars(call)  # type: ignore[unused-coroutine]
        await call.gather("Goodbye.")

    declare(entry)
    with pytest.raises(RuntimeError, match="another flow, was not awaited"):
        hoiio.call()


def test_function_without_async_is_an_error(hoiio: Hoiio, declare: Any) -> None:
    declare(lambda call: None)
    with pytest.raises(TypeError, match="write `async def`"):
        hoiio.call()


# Limits.


def test_longest_text_of_a_menu_is_checked_at_once(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        await call.menu("x" * 990, keys="1", wrong="That is not one of the keys.")

    declare(entry)
    with pytest.raises(ValueError, match="1000"):
        hoiio.call()


def test_too_long_apology_is_refused_when_the_flow_is_declared() -> None:
    with pytest.raises(ValueError, match="1000"):
        ivr.flow(apology="x" * 1001)(None)  # type: ignore[arg-type]


def test_numbers_are_a_list() -> None:
    with pytest.raises(TypeError, match=re.escape("write numbers=['+6531234567']")):
        ivr.flow(numbers=NUMBER)(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("apology", "heard"), [("", ""), (gettext_lazy("Sorry."), "Sorry."), ("No.", "No.")], ids=["none", "lazy", "text"]
)
@pytest.mark.parametrize("raised", [KeyError("x"), asyncio.CancelledError()], ids=repr)
def test_call_of_a_flow_that_raises_ends_with_its_apology(
    hoiio: Hoiio, apology: Any, heard: str, raised: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows, "_flows", {})

    @ivr.flow(numbers=[NUMBER], apology=apology)
    async def entry(call: ivr.Call) -> None:
        raise raised

    hoiio.allow_failures()
    caller = hoiio.call()

    assert (caller.heard, caller.ended, hoiio.failures) == (heard, True, [raised])


@pytest.mark.parametrize("value", [float("nan"), "a\0b", "\ud800", Decimal(1), {1: "a"}], ids=repr)
def test_value_that_cannot_be_stored_is_refused(hoiio: Hoiio, declare: Any, value: Any) -> None:
    async def queue(call: ivr.Call) -> None:
        await call.hold("Please wait.")

    declare(queue)
    caller = hoiio.call()
    with pytest.raises(ValueError, match="The value would not come back unchanged"):
        ivr.resume(caller.call, value)


@pytest.mark.parametrize("value", [float("nan"), "a\0b", "\ud800", Decimal(1)], ids=repr)
def test_result_of_once_that_cannot_be_stored_is_refused(hoiio: Hoiio, declare: Any, value: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        call.once("value", lambda: value)

    declare(entry)
    with pytest.raises(TypeError, match="must be JSON"):
        hoiio.call()


def test_call_without_a_flow_cannot_be_resumed(hoiio: Hoiio) -> None:
    caller = hoiio.call()
    with pytest.raises(ValueError, match="does not hold its caller"):
        ivr.resume(caller.call)


# Numbers, and the beginning of a call.


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("declared", "called"),
    [(NUMBER, " 6531234567"), (NUMBER, "6531234567"), ("+65 3123 4567", NUMBER), ("6531234567", NUMBER)],
)
def test_number_may_be_written_in_different_ways(
    hoiio: Hoiio, declared: str, called: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows, "_flows", {})

    @ivr.flow(numbers=[declared])
    async def entry(call: ivr.Call) -> None:
        await call.play("Hello.")

    hoiio.allow_failures()
    # The session is none of Hoiio's, so the block is refused.
    hoiio.post("ivr_answer", session="S1", to=called, call_state="ringing")

    assert IvrRun.objects.get().flow == entry.name


@pytest.mark.django_db(transaction=True)
def test_run_has_the_numbers_of_a_call_that_has_no_row(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        await call.play("Hello.")

    declare(entry)
    hoiio.allow_failures()
    hoiio.post("ivr_answer", session="S1", txn_ref=None, from_=BOB, to=NUMBER, call_state="ringing")

    run = IvrRun.objects.get()
    assert (run.call, run.from_number, run.to_number) == (None, BOB, NUMBER)


def test_person_hears_goodbye_if_a_deploy_removed_the_flow_before_the_answer(hoiio: Hoiio, declare: Any) -> None:
    async def survey(call: ivr.Call) -> None:
        await call.gather("How was it?")

    flow = declare(survey)
    flow.dial(BOB)
    del flows._flows[flow.name]
    (person,) = hoiio.calls
    person.answer()

    assert (person.heard, person.ended) == (flows.GOODBYE, True)


@pytest.mark.django_db(transaction=True)
def test_module_that_cannot_be_imported_stops_no_recovery(
    hoiio: Hoiio, declare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def entry(call: ivr.Call) -> None:
        await call.gather("One.", max_digits=1)
        await call.gather("Two.", max_digits=1)

    (tmp_path / "broken_surveys.py").write_text("import nowhere_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    flow = declare(entry)
    caller = hoiio.call(from_="+6598765432")
    IvrRun.objects.update(leased_until=hoiio.now + timedelta(seconds=10))
    caller.press("1")
    monkeypatch.setattr(flow, "name", "broken_surveys.survey")
    hoiio.allow_failures()
    flow.dial(BOB)
    with monkeypatch.context() as killed:
        killed.setattr(runs, "advance", lambda pk: None)
        hoiio.calls[0].answer()
    Notification.objects.filter(kind="ivr_dial").update(dispatched_at=None)
    hoiio.wait(seconds=11)

    assert ivr.recover() == 2
    assert (caller.heard, hoiio.calls[0].heard) == ("Two.", flows.APOLOGY)


# Faults at bad moments.


def elsewhere(act: Callable[[], object]) -> None:
    """Do something by another connection to the database."""

    def act_and_close() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=act_and_close)
    thread.start()
    thread.join()


def redact() -> None:
    with transaction.atomic():
        redact_runs(IvrRun.objects.all())


def lose_first_answer(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Let Hoiio take the first request to a path, and lose its answer."""
    respond, lost = Hoiio._respond, []

    def respond_or_lose(hoiio: Hoiio, requested: str, request: Any) -> Any:
        answer = respond(hoiio, requested, request)
        if requested == path and not lost:
            lost.append(path)
            raise requests.ReadTimeout
        return answer

    monkeypatch.setattr(Hoiio, "_respond", respond_or_lose)


def test_flow_goes_on_if_the_answer_to_its_block_was_lost(
    hoiio: Hoiio, declare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def entry(call: ivr.Call) -> None:
        await call.gather("One.", max_digits=1)
        await call.gather("Two.", max_digits=1)

    declare(entry)
    lose_first_answer(monkeypatch, "ivr/middle/gather")
    caller = hoiio.call()
    caller.press("1")

    assert (caller.transcript.splitlines(), hoiio.failures) == (["One.", "Two."], [])


def test_second_monitor_is_a_refused_block(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        await call.monitor()
        try:
            await call.monitor()
        except ivr.BlockFailed as failed:
            await call.gather(failed.status)

    declare(entry)
    assert hoiio.call().heard == "error_monitor_in_progress"


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.django_db(transaction=True)
def test_process_that_ends_after_a_refused_block_leaves_no_silence(
    hoiio: Hoiio, declare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def entry(call: ivr.Call) -> None:
        try:
            await call.transfer(BOB)
        except ivr.BlockFailed:
            await call.gather("Nobody is there.")

    declare(entry)
    hoiio.refuse("ivr/end/transfer", "error_insufficient_credit")
    hoiio.allow_failures()
    request = runs._Advance._request

    def request_or_end(advance: Any, block: Any, number: int) -> None:
        if block.name == "gather":
            raise Killed
        request(advance, block, number)

    with monkeypatch.context() as killed:
        killed.setattr(runs._Advance, "_request", request_or_end)
        killed.setattr(runs, "_release", lambda run: True)
        caller = hoiio.call()
    assert caller.heard == ""
    hoiio.wait(seconds=11)

    assert ivr.recover() == 1
    assert caller.heard == "Nobody is there."


@pytest.mark.django_db(transaction=True)
def test_process_that_lost_its_lease_does_not_hang_up(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        elsewhere(lambda: IvrRun.objects.update(leased_until=timezone.now() + timedelta(minutes=1)))
        raise KeyError("late")

    declare(entry)
    hoiio.allow_failures()
    caller = hoiio.call()

    assert (caller.ended, [type(each) for each in hoiio.failures]) == (False, [KeyError])


@pytest.mark.django_db(transaction=True)
def test_call_that_is_redacted_within_a_step_hears_goodbye(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        await call.gather("Your PIN?", max_digits=1)
        call.once("redact", elsewhere, redact)
        await call.gather("Your name?")

    declare(entry)
    caller = hoiio.call()
    caller.press("1")
    assert caller.heard == ""

    assert ivr.recover() == 1
    assert (caller.heard, caller.ended) == (flows.GOODBYE, True)


@pytest.mark.django_db(transaction=True)
def test_task_that_is_quicker_than_its_flow_waits_for_the_hold(hoiio: Hoiio, declare: Any) -> None:
    errors: list[BaseException] = []
    tasks: list[threading.Thread] = []

    def resume(pk: int) -> None:
        try:
            ivr.resume(Call.objects.get(pk=pk), "ready")
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    def enqueue() -> None:
        (pk,) = Call.objects.values_list("pk", flat=True)
        tasks.append(threading.Thread(target=resume, args=[pk]))
        transaction.on_commit(tasks[0].start)

    async def entry(call: ivr.Call) -> None:
        call.once("task", enqueue)
        await call.gather(await call.hold("Please wait."))

    declare(entry)
    caller = hoiio.call()
    tasks[0].join()
    hoiio.wait()

    assert (caller.heard, errors) == ("Please wait.\nready", [])


# What is logged and reported.


@pytest.mark.django_db(transaction=True)
def test_log_has_nothing_that_the_call_has_told(hoiio: Hoiio, declare: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def survey(call: ivr.Call) -> None:
        pin = await call.gather("PIN?", max_digits=4)
        name = call.once("name", lambda: {"name": "Melanie"})
        await call.gather("Press 1.", max_digits=1)
        raise ValueError(f"{pin} {name} {call.to_number} {call.pass_on} is unknown")

    declare(survey).dial("+6598765432", pass_on={"mobile": ["+6577778888"]})
    hoiio.allow_failures()
    (person,) = hoiio.calls
    person.answer()
    person.press("8471")
    person.press("1")

    assert ReceiverFailure.objects.count() == 1
    assert "is unknown" in caplog.text
    assert not re.search("8471|Melanie|98765432|77778888", caplog.text)


def test_log_has_no_digest_of_a_number(hoiio: Hoiio, declare: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def before(call: ivr.Call) -> None:
        await call.transfer(BOB)

    async def after(call: ivr.Call) -> None:
        await call.gather("Press.")

    flow = declare(before)
    caller = hoiio.call()
    flow.function = after
    caller.far_end("busy")

    assert "Step 1 was transfer and is now another gather." in caplog.text


@pytest.mark.parametrize("name", ["dial", "resume"])
def test_error_page_masks_numbers_texts_and_values(hoiio: Hoiio, declare: Any, name: str) -> None:
    async def entry(call: ivr.Call) -> None:
        await call.hold("Please wait.")

    flow = declare(entry)
    caller = hoiio.call()
    hoiio.refuse("ivr/start/dial", "error_insufficient_credit")
    hoiio.refuse("ivr/middle/unhold", "error_insufficient_credit")
    acts: dict[str, Callable[[], Any]] = {
        "dial": lambda: flow.dial("+6598765432", msg="Good morning, Melanie."),
        "resume": lambda: ivr.resume(caller.call, "Melanie"),
    }
    with pytest.raises(HoiioError) as raised:
        acts[name]()

    page = ExceptionReporter(None, raised.type, raised.value, raised.tb.tb_next.tb_next).get_traceback_text()
    frames = ExceptionReporter(None, raised.type, raised.value, raised.tb.tb_next.tb_next).get_traceback_frames()
    assert "Melanie" not in page
    assert not re.search("Melanie|98765432", repr([frame["vars"] for frame in frames]))
