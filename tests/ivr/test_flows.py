"""Phone menus, called by the people of the test kit."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps

from django_hoiio import ivr
from django_hoiio.client import HoiioClient
from django_hoiio.dispatch import Outcome, retry
from django_hoiio.ivr import flows
from django_hoiio.models import IvrRun, Notification, ReceiverFailure, Sms
from django_hoiio.testing import Hoiio
from tests.conftest import deadlock, failing

from .conftest import NUMBER

SALES = "+6561234567"


mailed: list[str] = []


def mail(url: str, number: str) -> None:
    mailed.append(f"{number}: {url[:5]}")


@pytest.fixture
def reception(declare: Any) -> ivr.Flow[..., Any]:
    mailed.clear()

    async def reception(call: ivr.Call) -> None:
        choice = await call.menu(
            "Press 1 for sales, 2 to leave a message.", keys="12", silence="I heard nothing.", wrong="Not that key."
        )
        if choice == "":
            await call.play("Goodbye.")
            return
        if choice == "1":
            outcome = await call.transfer(SALES)
            if outcome.answered:
                return
            await call.play("Nobody is there.")
        recording = await call.record("Speak after the tone.", max_seconds=120)
        call.once("mail", mail, recording.url, call.from_number)
        await call.play("Thank you.")

    flow: ivr.Flow[..., Any] = declare(reception)
    return flow


@pytest.mark.usefixtures("reception")
def test_caller_leaves_a_message(hoiio: Hoiio) -> None:
    caller = hoiio.call(from_="+6598765432")
    assert caller.heard == "Press 1 for sales, 2 to leave a message."
    caller.press("2")
    assert caller.heard == "Speak after the tone."
    caller.record("My bicycle broke down")

    assert (caller.heard, caller.ended) == ("Thank you.", True)
    assert mailed == ["+6598765432: https"]
    run = IvrRun.objects.get()
    assert (run.is_over, run.has_ended, run.call, run.leased_until) == (True, True, caller.call, None)
    assert [step["name"] for step in run.steps] == ["gather", "record", "play", "hangup"]


@pytest.mark.usefixtures("reception")
def test_menu_asks_again_and_gives_up(hoiio: Hoiio) -> None:
    caller = hoiio.call()
    caller.press("9")
    assert caller.heard == "Not that key. Press 1 for sales, 2 to leave a message."
    caller.stay_silent()
    assert caller.heard == "I heard nothing. Press 1 for sales, 2 to leave a message."
    caller.press("0")

    assert (caller.heard, caller.ended) == ("Goodbye.", True)


@pytest.mark.usefixtures("reception")
def test_recording_that_came_with_the_end_of_the_call_is_not_lost(hoiio: Hoiio) -> None:
    caller = hoiio.call()
    caller.press("2")
    caller.hang_up()

    assert len(mailed) == 1
    assert IvrRun.objects.get().is_over
    # Hoiio is not asked for anything after the end.
    assert hoiio.sent[-1].path == "ivr/middle/record"


@pytest.mark.usefixtures("reception")
def test_flow_goes_on_after_a_transfer_that_nobody_answers(hoiio: Hoiio) -> None:
    caller = hoiio.call()
    caller.press("1")
    caller.far_end("busy")

    assert caller.heard == "Nobody is there.\nSpeak after the tone."


@pytest.mark.usefixtures("reception")
def test_flow_sends_nothing_after_an_answered_transfer(hoiio: Hoiio) -> None:
    caller = hoiio.call()
    caller.press("1")
    caller.far_end("answered")
    assert (caller.state, IvrRun.objects.get().is_over) == ("transferred", True)
    caller.hang_up()

    assert hoiio.sent[-1].path == "ivr/end/transfer"
    assert mailed == []


@pytest.mark.usefixtures("reception")
def test_repeated_notifications_change_nothing(hoiio: Hoiio) -> None:
    hoiio.faults(twice=True)
    caller = hoiio.call()
    caller.press("2")
    caller.record("hello")

    assert caller.transcript == "Press 1 for sales, 2 to leave a message.\nSpeak after the tone.\nThank you."
    assert len(mailed) == 1


@pytest.mark.usefixtures("reception")
def test_two_callers_do_not_meet(hoiio: Hoiio) -> None:
    first, second = hoiio.call(from_="+6590000001"), hoiio.call(from_="+6590000002")
    first.press("2")
    second.press("1")
    first.record("first")
    second.far_end("busy")
    second.record("second")

    assert [line.partition(":")[0] for line in mailed] == ["+6590000001", "+6590000002"]


def test_flows_await_flows(hoiio: Hoiio, declare: Any) -> None:
    async def hours(call: ivr.Call, day: str) -> str:
        return await call.menu(f"{day}: 1 for mornings, 2 for evenings.", keys="12")

    async def entry(call: ivr.Call) -> None:
        for day in ("Monday", "Tuesday"):
            part = await hours(call, day)
            await call.play(f"{day} {part}.")

    declare(entry)
    caller = hoiio.call()
    caller.press("1")
    caller.press("2")

    assert caller.transcript.splitlines()[1::2] == ["Monday 1.", "Tuesday 2."]


def test_call_of_the_project_runs_a_flow_when_it_is_answered(hoiio: Hoiio, declare: Any) -> None:
    async def survey(call: ivr.Call) -> None:
        await call.play(f"Order {call.pass_on['order']}.")

    flow = declare(survey)
    flow.dial("+6598765432", msg="Good morning.", pass_on={"order": 7})
    flow.dial("+6511111111", msg="Good morning.")
    answered, declined = hoiio.calls
    answered.answer()
    declined.decline()

    assert (answered.heard, answered.ended) == ("Good morning.\nOrder 7.", True)
    assert IvrRun.objects.count() == 1


def test_held_caller_goes_on_with_a_value(hoiio: Hoiio, declare: Any) -> None:
    async def queue(call: ivr.Call) -> None:
        place = await call.hold("Please wait.")
        await call.play(f"You are {place}.")

    declare(queue)
    caller = hoiio.call()
    assert caller.state == "held"
    ivr.resume(caller.call, "next")
    hoiio.wait()
    with pytest.raises(ValueError, match="does not hold its caller"):
        ivr.resume(caller.call)

    assert (caller.heard, caller.ended) == ("Please wait.\nYou are next.", True)


# Ways out.


def test_hang_up_is_raised_where_the_flow_waits(hoiio: Hoiio, declare: Any) -> None:
    done: list[str] = []

    async def entry(call: ivr.Call) -> None:
        try:
            await call.gather("Press a key.")
        except ivr.HungUp:
            call.once("note", done.append, "hung up")
            raise
        finally:
            call.once("close", done.append, "closed")

    declare(entry)
    hoiio.call().hang_up()

    assert done == ["hung up", "closed"]


def test_refused_block_is_an_exception_in_the_flow(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        try:
            await call.transfer(SALES)
        except ivr.BlockFailed as failed:
            await call.play(f"No: {failed.status}")
            await call.gather("And now?")

    declare(entry)
    hoiio.refuse("ivr/end/transfer", "error_insufficient_credit")
    caller = hoiio.call()
    assert caller.heard == "No: error_insufficient_credit\nAnd now?"
    caller.press("#")

    assert caller.ended


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_caught", [True, False])
def test_refused_block_is_logged_once(hoiio: Hoiio, declare: Any, caplog: Any, is_caught: bool) -> None:
    async def entry(call: ivr.Call) -> None:
        with suppress(ivr.BlockFailed if is_caught else ()):
            await call.transfer(SALES)

    flow = declare(entry)
    hoiio.allow_failures()
    for path in ("ivr/end/transfer", "ivr/end/hangup")[: 1 if is_caught else 2]:
        hoiio.refuse(path, "error_insufficient_credit")
    hoiio.call()

    failed = f"Receiver {flow.name} of ivr_flow failed for notification {Notification.objects.latest('pk').pk}"
    pk = IvrRun.objects.latest("pk").pk
    logged = [each.getMessage() for each in caplog.records if each.name.startswith("django_hoiio")]
    assert logged == [
        f"Step 1 of run {pk} failed: error_insufficient_credit." if is_caught else f"{failed}: BlockFailed."
    ]


@pytest.mark.parametrize("status", ["error_internal_server_error", None])
def test_refused_hang_up_at_the_end_of_a_flow_ends_it(hoiio: Hoiio, declare: Any, status: str | None) -> None:
    async def entry(call: ivr.Call) -> None:
        await call.play("Hello.")

    declare(entry)
    hoiio.refuse("ivr/end/hangup", status)
    hoiio.call()

    run = IvrRun.objects.get()
    assert ([step["name"] for step in run.steps], run.is_over) == (["play", "hangup"], True)


def test_unreachable_hoiio_is_an_exception_in_the_flow(hoiio: Hoiio, declare: Any) -> None:
    statuses: list[str] = []

    async def entry(call: ivr.Call) -> None:
        try:
            await call.play("Hello.")
        except ivr.BlockFailed as failed:
            call.once("note", statuses.append, failed.status)

    declare(entry)
    hoiio.refuse("ivr/middle/play", None)
    assert hoiio.call().ended

    assert statuses == [""]


@pytest.mark.django_db(transaction=True)
def test_exception_in_a_flow_apologizes_and_is_recorded(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        await call.gather("Press a key.")
        raise KeyError("broken")

    flow = declare(entry)
    hoiio.allow_failures()
    caller = hoiio.call()
    caller.press("1#")

    assert (caller.heard, caller.ended) == (flows.APOLOGY, True)
    failure = ReceiverFailure.objects.get()
    assert (failure.signal, failure.receiver) == ("ivr_flow", flow.name)
    # The call is over.
    assert retry(failure, ignore_backoff=True) == Outcome.RESOLVED


def test_flow_that_a_deploy_has_changed_says_goodbye(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        await call.menu("Press 1.", keys="1")
        await call.play("One.")

    flow = declare(entry)
    changed, unchanged = hoiio.call(from_="+6590000001"), hoiio.call(from_="+6590000002")

    async def other_text(call: ivr.Call) -> None:
        await call.menu("Please press 1.", keys="1")
        await call.play("Two.")

    flow.function = other_text
    unchanged.press("1")
    assert unchanged.heard == "Two."

    async def other_keys(call: ivr.Call) -> None:
        await call.menu("Press 1.", keys="12")

    flow.function = other_keys
    changed.press("1")
    assert (changed.heard, changed.ended) == (flows.GOODBYE, True)


def test_deploy_that_removes_a_flow_ends_its_calls_alone(hoiio: Hoiio, declare: Any) -> None:
    async def removed(call: ivr.Call) -> None:
        await call.gather("Press a key.")

    async def other(call: ivr.Call) -> None:
        await call.gather(f"You pressed {await call.gather('Press a key.')}.")

    flow = declare(removed)
    ivr.flow(numbers=["+6561112222"])(other)
    ended, untouched = hoiio.call(from_="+6590000001"), hoiio.call(from_="+6590000002", to="+6561112222")
    del flows._flows[flow.name]
    ended.press("1#")
    untouched.press("1#")

    assert (ended.heard, ended.ended) == (flows.GOODBYE, True)
    assert (untouched.heard, untouched.ended) == ("You pressed 1.", False)


# What a flow must not do.


@pytest.mark.parametrize(
    "act",
    [
        lambda call: Sms.objects.count(),
        lambda call: Sms.objects.create(dest=SALES),
        lambda call: HoiioClient().sms.send(dest=SALES, msg="hello"),
    ],
)
def test_effects_belong_into_once(hoiio: Hoiio, declare: Any, act: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        act(call)
        await call.play("Hello.")

    declare(entry)
    with pytest.raises(ivr.NotInAFlow, match=r"call\.once"):
        hoiio.call()


@pytest.mark.filterwarnings("ignore:coroutine 'Call._answer' was never awaited")
def test_block_without_await_is_an_error(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        call.play("Hello.")  # type: ignore[unused-coroutine]
        await call.play("Goodbye.")

    declare(entry)
    with pytest.raises(RuntimeError, match="was not awaited"):
        hoiio.call()


def test_result_of_once_is_the_same_each_time(hoiio: Hoiio, declare: Any) -> None:
    counted: list[int] = []

    def count() -> int:
        counted.append(len(counted))
        return len(counted)

    async def entry(call: ivr.Call) -> None:
        first = call.once("count", count)
        await call.gather("Press.")
        second = call.once("count", count)
        await call.gather(f"{first} {second}")

    declare(entry)
    caller = hoiio.call()
    caller.press("1#")

    assert caller.heard == "1 2"


def test_once_is_repeated_after_a_deadlock(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        call.once("write", lambda: Sms.objects.create(dest=SALES).dest)
        await call.play("Hello.")

    declare(entry)
    with failing("UPDATE django_hoiio_ivrrun SET remembered", deadlock(), times=1):
        assert hoiio.call().transcript == "Hello."
    assert Sms.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_refused_block_is_stored_after_a_deadlock(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        with suppress(ivr.BlockFailed):
            await call.transfer(SALES)
        await call.gather("Nobody is there.")

    declare(entry)
    hoiio.refuse("ivr/end/transfer", "error_insufficient_credit")
    with failing("UPDATE django_hoiio_ivrrun SET steps", deadlock(), times=1):
        assert hoiio.call().transcript == "Nobody is there."


def test_exception_of_once_undoes_its_writes(hoiio: Hoiio, declare: Any) -> None:
    def write() -> None:
        Sms.objects.create(dest=SALES)
        raise ValueError("no")

    async def entry(call: ivr.Call) -> None:
        try:
            call.once("write", write)
        except ValueError:
            await call.play("No.")

    declare(entry)
    assert hoiio.call().transcript == "No."
    assert not Sms.objects.exists()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda call: call.menu("x", keys="1a"), r"The keys of a menu are 0 to 9 and \*, not '1a'\."),
        (lambda call: call.play("x" * 1001), "msg"),
        (lambda call: call.gather(max_digits=256), "max_digits"),
    ],
)
def test_block_that_hoiio_would_refuse_is_an_error_when_it_is_made(
    hoiio: Hoiio, declare: Any, make: Any, message: str
) -> None:
    async def entry(call: ivr.Call) -> None:
        await make(call)

    declare(entry)
    with pytest.raises(ValueError, match=message):
        hoiio.call()


def test_number_of_the_settings_has_its_flow(hoiio: Hoiio, declare: Any, settings: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        await call.play("Hello.")

    flow = declare(entry)
    settings.HOIIO = {"IVR_FLOWS": {"+6561112222": flow.name}}

    assert hoiio.call(to="+6561112222").transcript == "Hello."


@pytest.mark.parametrize("line", ["import nowhere_at_all", "from django_hoiio import nothing"])
def test_module_of_a_flow_that_cannot_be_imported_is_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    name = f"flows_{len(line)}"
    (tmp_path / f"{name}.py").write_text(f"{line}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ImportError):
        flows.by_name(f"{name}.reception")
    assert flows.by_name("nowhere.reception") is flows.by_name("tests.ivr.nothing") is flows.by_name("x") is None


def test_number_without_a_flow_rings(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        await call.play("Hello.")

    declare(entry)
    assert hoiio.call(to="+6561112222").state == "ringing"
    assert not IvrRun.objects.exists()


# Each block, and each error of a flow's author.


def test_rest_of_the_call_is_monitored(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        await call.monitor("This call is recorded.")
        await call.gather("Press a key.")

    declare(entry)
    caller = hoiio.call()
    assert caller.heard == "This call is recorded.\nPress a key."
    caller.hang_up()

    assert hoiio.signals == ["ivr_answer", "ivr_monitor", "ivr_gather", "ivr_ended", "ivr_monitor"]


@pytest.mark.parametrize("block", ["hold", "monitor", "record", "transfer"])
def test_caller_who_leaves_in_a_block_ends_the_flow(hoiio: Hoiio, declare: Any, block: str) -> None:
    left: list[str] = []

    async def entry(call: ivr.Call) -> None:
        try:
            await (call.transfer(SALES) if block == "transfer" else getattr(call, block)("One moment."))
            await call.gather("Press a key.")
        except ivr.HungUp:
            call.once("left", left.append, block)

    declare(entry)
    hoiio.call().hang_up()

    assert left == [block]


def test_declared_flows_await_one_another(hoiio: Hoiio, declare: Any) -> None:
    async def ask(call: ivr.Call, question: str) -> str:
        return await call.menu(question, keys="12")

    asking = declare(ask)

    async def entry(call: ivr.Call) -> None:
        await call.play(await asking(call, "Press 1 or 2."))

    declare(entry).numbers = (NUMBER,)
    asking.numbers = ()
    caller = hoiio.call(to=NUMBER)
    caller.press("2")

    assert (caller.heard, repr(asking)) == (
        "2",
        f"<Flow {__name__}.test_declared_flows_await_one_another.<locals>.ask>",
    )


@pytest.mark.parametrize("seconds", [0, 1], ids=["yields", "needs a loop"])
def test_flow_that_awaits_something_else_is_an_error(hoiio: Hoiio, declare: Any, seconds: int) -> None:
    async def entry(call: ivr.Call) -> None:
        await asyncio.sleep(seconds)

    declare(entry)
    with pytest.raises(ivr.NotInAFlow, match="something else than its call's blocks"):
        hoiio.call()


@pytest.mark.django_db(transaction=True)
def test_flow_has_at_most_200_steps(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        while True:
            await call.gather("Press a key.", max_digits=1)

    declare(entry)
    hoiio.allow_failures()
    caller = hoiio.call()
    for _ in range(200):
        caller.press("1")

    assert (caller.heard, caller.ended) == (flows.APOLOGY, True)
    assert [str(each) for each in hoiio.failures] == ["A flow may have 200 steps."]


def test_result_of_once_must_be_json(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        call.once("set", lambda: {1, 2})
        await call.play("Hello.")

    declare(entry)
    with pytest.raises(TypeError, match=r"The result of once\('set'\) must be JSON, not set\."):
        hoiio.call()


def test_finally_runs_with_effect_at_the_end_alone(
    hoiio: Hoiio, declare: Any, caplog: pytest.LogCaptureFixture
) -> None:
    closed: list[str] = []

    async def entry(call: ivr.Call) -> None:
        try:
            await call.gather("Press a key.")
            await call.gather("And another.")
        finally:
            call.once("close", closed.append, "closed")
            await call.play("Goodbye.")

    declare(entry)
    caller = hoiio.call()
    caller.press("1#")
    assert (closed, caller.heard) == ([], "And another.")
    caller.press("2#")

    assert (closed, caller.heard, caller.ended) == (["closed"], "Goodbye.", True)
    assert caplog.text == ""


def test_exception_in_finally_between_two_steps_is_logged(
    hoiio: Hoiio, declare: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def entry(call: ivr.Call) -> None:
        try:
            await call.gather("Press a key.")
        finally:
            int("no number")

    declare(entry)
    caller = hoiio.call()

    assert caller.state == "gathering"
    assert "A flow raised ValueError in a `finally` while it was let go between two steps." in caplog.text


def test_block_in_finally_is_sent_at_the_end_alone(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        try:
            await call.gather("Press a key.")
            await call.gather("And another.")
        finally:
            await call.play("Goodbye.")

    declare(entry)
    caller = hoiio.call()
    caller.press("1#")
    assert caller.heard == "And another."
    caller.press("2#")

    assert (caller.heard, caller.ended) == ("Goodbye.", True)


def test_flow_that_raises_after_the_call_has_ended_sends_no_apology(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        try:
            await call.gather("Press a key.")
        except ivr.HungUp:
            raise ValueError("no") from None

    declare(entry)
    hoiio.allow_failures()
    hoiio.call().hang_up()

    assert ([sent.path for sent in hoiio.sent], [str(each) for each in hoiio.failures]) == (
        ["ivr/middle/gather"],
        ["no"],
    )


def test_refused_apology_is_logged(hoiio: Hoiio, declare: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def entry(call: ivr.Call) -> None:
        raise ValueError("no")

    declare(entry)
    hoiio.allow_failures()
    hoiio.refuse("ivr/end/hangup", "error_internal_server_error")
    hoiio.call()

    assert "could not say goodbye: error_internal_server_error." in caplog.text


def test_once_that_takes_longer_than_the_lease_has_no_effect(
    hoiio: Hoiio, declare: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def be_overtaken() -> None:
        Sms.objects.create(dest=SALES)
        IvrRun.objects.update(leased_until=hoiio.now + timedelta(minutes=1))

    async def entry(call: ivr.Call) -> None:
        call.once("slow", be_overtaken)
        await call.play("Hello.")

    declare(entry)
    caller = hoiio.call()

    assert (caller.heard, Sms.objects.count()) == ("", 0)
    assert "lost its lease: a step took over 10 seconds, or the call was redacted." in caplog.text


def test_block_that_could_not_be_reached_and_runs_all_the_same_is_waited_for(hoiio: Hoiio, declare: Any) -> None:
    async def entry(call: ivr.Call) -> None:
        try:
            await call.gather("Press a key.")
        except ivr.BlockFailed:
            await call.play("Once more.")

    declare(entry)
    hoiio.refuse("ivr/middle/gather", None)
    hoiio.refuse("ivr/middle/play", "error_session_not_ready")
    hoiio.call()

    run = IvrRun.objects.get()
    assert str(run) == f"{run.flow} ({run.session})"
    assert [(step["name"], "failed" in step) for step in run.steps] == [("gather", False)]


def test_flows_of_the_settings_are_imported_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(flows, "_flows", {})
    monkeypatch.syspath_prepend(tmp_path)
    code = "from django_hoiio import ivr\n\n@ivr.flow\nasync def night(call): ...\n"
    (tmp_path / "flows_of_the_night.py").write_text(code, encoding="utf-8")
    settings.HOIIO = {"IVR_FLOWS": {NUMBER: "flows_of_the_night.night"}}

    apps.get_app_config("django_hoiio").ready()

    assert [flow.name for flow in flows.declared()] == ["flows_of_the_night.night"]
