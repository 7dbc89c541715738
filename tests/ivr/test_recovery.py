"""Phone menus whose process has ended in the middle, and the loop that takes them over."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_hoiio import ivr
from django_hoiio.ivr import flows
from django_hoiio.models import IvrRun, Notification, ReceiverFailure
from django_hoiio.testing import Hoiio
from tests import ROOT


@pytest.fixture
def _menu(declare: Any) -> None:
    async def menu(call: ivr.Call) -> None:
        key = await call.menu("Press 1 or 2.", keys="12")
        await call.gather(f"You pressed {key}.")

    declare(menu)


def recover() -> str:
    out = StringIO()
    call_command("hoiio_recover", stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("_menu")
def test_run_of_a_dead_process_is_taken_over_when_its_lease_is_over(hoiio: Hoiio) -> None:
    caller = hoiio.call()
    IvrRun.objects.update(leased_until=hoiio.now + timedelta(seconds=10))
    caller.press("1")
    assert caller.heard == ""
    assert "taken over" not in recover()
    hoiio.wait(seconds=11)

    assert recover().splitlines()[1:] == ["Phone menus: 1 taken over."]
    assert (caller.heard, caller.state) == ("You pressed 1.", "gathering")
    assert len(recover().splitlines()) == 1


@pytest.mark.usefixtures("_menu")
def test_recovery_of_the_test_kit_takes_over_too(hoiio: Hoiio) -> None:
    caller = hoiio.call()
    IvrRun.objects.update(leased_until=hoiio.now + timedelta(seconds=10))
    caller.press("1")
    hoiio.wait(seconds=11)
    hoiio.recover()

    assert caller.heard == "You pressed 1."


@pytest.mark.usefixtures("_menu")
def test_notification_that_found_the_lease_taken_is_taken_up_after_its_end(hoiio: Hoiio) -> None:
    caller = hoiio.call()
    IvrRun.objects.update(leased_until=hoiio.now + timedelta(seconds=10))
    caller.press("2")
    # The other process has ended after its last look.
    IvrRun.objects.update(leased_until=None)

    assert ivr.recover() == 1
    assert caller.heard == "You pressed 2."


@pytest.mark.usefixtures("_menu")
def test_block_that_was_sent_before_the_crash_is_not_sent_again(hoiio: Hoiio) -> None:
    caller = hoiio.call()
    # As if the process had ended before it could store what it sent.
    IvrRun.objects.update(steps=[], seen=[], leased_until=hoiio.now - timedelta(seconds=1))

    assert ivr.recover() == 1
    assert caller.transcript == "Press 1 or 2."
    caller.press("1")
    assert caller.heard == "You pressed 1."


@pytest.mark.usefixtures("_menu")
def test_call_goes_on_after_a_block_that_was_sent_again_before_its_result_arrived(hoiio: Hoiio) -> None:
    caller = hoiio.call()
    IvrRun.objects.update(steps=[], seen=[], leased_until=hoiio.now - timedelta(seconds=1))
    hoiio.faults(lost=1)
    caller.press("1")
    hoiio.faults()
    assert ivr.recover() == 1
    assert caller.transcript == "Press 1 or 2.\nPress 1 or 2."

    entries = [entry.details for entry in hoiio._exchange.entries.values()]
    (late,) = [entry["params"] for entry in entries if "dropped" in entry.get("faults", [])]
    with hoiio._turn():
        hoiio._exchange.notify("default", caller._live.notify_url, late)
    assert caller.transcript == "Press 1 or 2.\nPress 1 or 2."
    caller.press("2")
    assert (caller.state, caller.heard) == ("gathering", "You pressed 1.")


@pytest.mark.usefixtures("_menu")
def test_notifications_that_stay_pending_cost_no_statement_each(hoiio: Hoiio) -> None:
    for number in range(3):
        hoiio.call(from_=f"+659000000{number}").press("1")
        # No flow answers this number.
        hoiio.call(from_=f"+658000000{number}", to="+6561112222")
    Notification.objects.update(dispatched_at=None)
    hoiio.wait(seconds=11)

    with CaptureQueriesContext(connection) as captured:
        assert ivr.recover() == 0
    assert len(captured) == 3


@pytest.mark.usefixtures("_menu")
def test_notification_that_no_process_took_up_begins_or_goes_on(hoiio: Hoiio) -> None:
    caller = hoiio.call()
    # As if the process had ended after the commit.
    IvrRun.objects.all().delete()
    caller.call.notifications.update(dispatched_at=None)
    hoiio.wait(seconds=11)

    assert ivr.recover() == 1
    IvrRun.objects.update(seen=[], steps=[])
    assert ivr.recover() == 1
    assert (IvrRun.objects.get().seen, caller.transcript) == ([caller.call.notifications.get().pk], "Press 1 or 2.")


def test_loop_goes_on_without_a_database_and_ends_when_it_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "project.py").write_text("from tests.settings import *\nROOT_URLCONF = 'urls'")
    (tmp_path / "urls.py").write_text("print('URLs imported')\nurlpatterns = []")
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "project", "PYTHONPATH": str(ROOT)}
    environment["HOIIO_TEST_DATABASE"] = "sqlite"
    loop = subprocess.Popen(
        [sys.executable, "-u", "-m", "django", "hoiio_recover", "--loop"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert loop.stderr is not None
    # There is no table. It says so each second.
    for _ in range(2):
        while "The database is unavailable" not in loop.stderr.readline():
            assert loop.poll() is None
            time.sleep(0)
    loop.send_signal(signal.SIGTERM)
    printed, _ = loop.communicate(timeout=30)

    # Before a caller waits for a block, which has a notify URL.
    assert (loop.returncode, printed.splitlines()[0]) == (0, "URLs imported")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("raised", [ValueError("no"), SystemExit(2), asyncio.CancelledError()], ids=repr)
def test_flow_that_raises_in_the_recovery_is_recorded_and_stops_no_other(
    hoiio: Hoiio, declare: Any, raised: BaseException
) -> None:
    async def menu(call: ivr.Call) -> None:
        key = await call.menu("Press 1 or 2.", keys="12")
        if key == "2":
            raise raised
        await call.gather("Thank you.")

    flow = declare(menu)
    hoiio.allow_failures()
    callers = [hoiio.call(), hoiio.call(from_="+6598765432")]
    IvrRun.objects.update(leased_until=hoiio.now + timedelta(seconds=10))
    for caller, key in zip(callers, "21", strict=True):
        caller.press(key)
    hoiio.wait(seconds=11)

    assert ivr.recover() == 2
    hoiio.wait()
    assert [caller.heard for caller in callers] == [flows.APOLOGY, "Thank you."]
    assert hoiio.failures == [raised]
    assert ReceiverFailure.objects.get().receiver == flow.name
