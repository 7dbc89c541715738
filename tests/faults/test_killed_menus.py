"""Phone menus whose servers kill themselves at each point of a step, and 200 callers at once. Hoiio is a sandbox.

`HOIIO_TEST_CALLS` is the number of calls to kill at each point.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.db import connection

from django_hoiio.models import IvrRun, Sms
from django_hoiio.sandbox import exchange as exchanges
from django_hoiio.sandbox import handset, real_time
from django_hoiio.sandbox.exchange import Exchange, LiveCall
from django_hoiio.sandbox.line import Job
from django_hoiio.sandbox.real_time import RealTimeLine
from django_hoiio.sandbox.records import State
from tests.clients import ACCOUNTS, NUMBER, project

from .conftest import Figures
from .menus import KILLS, MENU, POINTS, code_text, number_of, record_text, thanks_text
from .processes import Environment, free_port, gunicorn, start_command

pytestmark = pytest.mark.django_db(transaction=True)

CALLS = int(os.environ.get("HOIIO_TEST_CALLS", "10"))
AT_ONCE = 200

# Seconds between the beginnings of two calls of which most are killed.
PAUSE = 0.15

# Seconds that a caller may wait. On a quiet machine it is less than 12: the lease, and a round of the recovery.
LONGEST = 30

# Seconds after which a slow caller reacts. The call is recovered before that.
THINKING = 15

# The steps at which a call is killed at a point. The last one sends no block, and only three have an effect.
STEPS = {point: range(5) for point in POINTS} | {"leased": range(4), "sent": range(4), "once": (1, 3, 4)}

# As docs/performance.rst recommends.
SQLITE = {
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=10000;",
}


Condition = Callable[[], bool]


class BusyLine(RealTimeLine):
    """Posts many notifications at once. Every number is a person's."""

    def __init__(self) -> None:
        super().__init__()
        self._pool = ThreadPoolExecutor(32)

    def deliver(self, job: Job, *, after: float, once: Event | None) -> None:
        self._pool.submit(real_time._run_once, once, job)

    def is_person(self, number: str) -> bool:
        return True

    def close(self) -> None:
        super().close()
        self._pool.shutdown()


class Caller:
    """A person with keys and words of their own."""

    live: LiveCall

    def __init__(
        self, exchange: Exchange, number: int, point: str = "never", step: int = 0, *, is_slow: bool = False
    ) -> None:
        self._exchange, self.point, self.step, self.is_slow = exchange, point, step, is_slow
        self.number = number_of(number, point, step)
        self.key, self.code, self.words = "12"[number % 2], f"{number:06}", f"This is {number}."
        # Some react while the server still records the block, and the others later.
        self._reaction = number % 2 * 0.3
        # Seconds from each act to the next block.
        self.waits: list[float] = []

    def talk(self) -> Iterator[Condition]:
        """Do one thing after the other. Yield what to wait for after each."""
        yield from self._act(self._call, State.GATHERING)
        yield from self._act(lambda: handset.press(self.live, self.key), State.GATHERING)
        yield from self._act(lambda: handset.press(self.live, self.code), State.RECORDING)
        yield from self._act(lambda: handset.speak(self.live, self.words), State.ENDED)

    def hang_up(self) -> None:
        next(self._act(lambda: handset.hang_up(self.live), State.ENDED))

    def _call(self) -> None:
        self.live = handset.call(self._exchange, self.number, NUMBER)

    def _act(self, act: Callable[[], None], state: State) -> Iterator[Condition]:
        begun = time.monotonic()
        with self._exchange.locked() as notices:
            act()
        self._exchange.send(notices)
        yield lambda: self.live.state == state
        self.waits.append(time.monotonic() - begun)
        is_thinking = self.is_slow and len(self.waits) == self.step + 1
        until = time.monotonic() + (THINKING if is_thinking else self._reaction)
        yield lambda: time.monotonic() >= until

    @property
    def heard(self) -> list[str]:
        with self._exchange.locked():
            entries = [entry.details for entry in self._exchange.entries.values() if entry.type == "spoken"]
        return [details["text"] for details in entries if details["person"] == self.number]

    @property
    def expected(self) -> list[str]:
        """What a caller hears whose server is not killed."""
        return [MENU, code_text(self.key), record_text(self.code), thanks_text(self.key, self.code)]


def converse(callers: Iterable[Caller], exchange: Exchange, *, pause: float, killed: Path) -> None:
    """Let one after the other call, and wait until all calls have ended. Whose notification is lost hangs up."""
    coming, next_call = list(reversed(list(callers))), time.monotonic()
    until = next_call + 5 * pause * len(coming) + 4 * LONGEST
    talking: dict[Caller, tuple[Iterator[Condition], Condition]] = {}
    while coming or talking:
        # A busy machine gets fewer callers at once, unless all call at once.
        while coming and time.monotonic() >= next_call and (not pause or len(exchange._unsent) < 8):
            talk = coming[-1].talk()
            talking[coming.pop()] = talk, next(talk)
            next_call = time.monotonic() + pause
        for caller, (talk, is_time) in list(talking.items()):
            if is_time() and (following := next(talk, None)):
                talking[caller] = talk, following
            elif caller.live.is_over:
                del talking[caller]
            elif caller.point == "uncommitted" and (killed / caller.number).exists():
                caller.hang_up()
        assert time.monotonic() < until, [(caller.number, caller.live.state, caller.heard) for caller in talking]
        time.sleep(0.005)


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    """A sandbox that deletes no old records, and posts many notifications at once."""
    monkeypatch.setattr(exchanges, "MAX_ENTRIES", 1_000_000)
    monkeypatch.setattr(exchanges, "MAX_FILES", 1_000_000)
    exchange = Exchange(BusyLine())
    monkeypatch.setattr(real_time, "exchange", exchange)
    yield exchange
    exchange.line.close()  # type: ignore[attr-defined]


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    folder = tmp_path / "killed"
    folder.mkdir()
    return folder


@pytest.fixture
def servers(
    environ: Environment, exchange: Exchange, killed: Path, settings: Any
) -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Return a function that starts the servers of the project, and its recovery. The sandbox is in this process."""
    port = free_port()
    with project() as sandbox:
        settings.HOIIO = {
            "ACCOUNTS": ACCOUNTS,
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "API_URL": f"{sandbox}/sandbox/open/",
            "IVR_FLOWS": {NUMBER: "tests.faults.menus.reception"},
        }
        environ = {**environ, "HOIIO_FAULTS_HOIIO": json.dumps(settings.HOIIO), "HOIIO_FAULTS_CONN_MAX_AGE": "null"}
        if connection.vendor == "sqlite":
            environ["HOIIO_FAULTS_OPTIONS"] = json.dumps(SQLITE)

        @contextmanager
        def serve() -> Iterator[None]:
            loop = start_command(environ, "hoiio_recover", "--loop")
            try:
                with gunicorn({**environ, KILLS: str(killed)}, workers=4, port=port):
                    yield
            finally:
                loop.terminate()
                printed, _ = loop.communicate(timeout=60)
            assert loop.returncode == 0, printed

        yield serve


def wait_until_over(callers: Iterable[Caller]) -> None:
    """Wait for the flows, which run on after the calls have ended."""
    numbers, until = {caller.number for caller in callers}, time.monotonic() + LONGEST
    over = IvrRun.objects.filter(is_over=True, leased_until=None)
    while left := numbers - set(over.values_list("from_number", flat=True)):
        assert time.monotonic() < until, left
        time.sleep(0.1)


def check(callers: Iterable[Caller], exchange: Exchange) -> None:
    """Check that each caller heard what belongs to them, and that their run has their results and no other."""
    runs = {run.from_number: run for run in IvrRun.objects.all()}
    heard = {caller.number: caller.heard for caller in callers}
    assert heard == {caller.number: caller.expected for caller in callers}
    for caller in callers:
        run = runs[caller.number]
        answers = [step["answer"] for step in run.steps]
        assert [answer.get("digits") for answer in answers] == [caller.key, caller.code, None, None]
        name = answers[2]["record_url"].partition("?")[0].rpartition("/")[2]
        assert (run.session, exchange.files[name][1].decode()) == (caller.live.session, caller.words)


def effects(log: Path) -> tuple[Counter[tuple[str, ...]], Counter[tuple[str, ...]]]:
    """Return how often each effect of each caller happened, in the database and in the file."""
    in_database = Counter(Sms.objects.values_list("dest", "tag"))
    return in_database, Counter(tuple(line.split()) for line in log.read_text().splitlines())


def test_calls_of_killed_servers_go_on(
    servers: Any, exchange: Exchange, killed: Path, tmp_path: Path, figures: Figures
) -> None:
    kinds = [(point, STEPS[point][turn % len(STEPS[point])], turn) for turn in range(CALLS) for point in POINTS]
    callers = [
        # Most react at once, before the step is recovered.
        Caller(exchange, number, point, step, is_slow=point == "sent" and turn % 3 == 1)
        for number, (point, step, turn) in enumerate(kinds)
    ]
    lost = [caller for caller in callers if caller.point == "uncommitted"]
    rest = [caller for caller in callers if caller.point != "uncommitted"]

    with servers():
        converse(callers, exchange, pause=PAUSE, killed=killed)
        wait_until_over(rest)

    assert {path.name for path in killed.iterdir()} == {each.number for each in callers if each.point != "never"}
    check(rest, exchange)
    # Hoiio does not send it again, so the call stays where it is.
    assert [caller.heard for caller in lost] == [caller.expected[: caller.step] for caller in lost]
    in_database, in_file = effects(tmp_path / "calls")
    assert {(caller.number, name) for caller in rest for name in ("key", "recording", "end")} <= set(in_database)
    assert set(in_database) == set(in_file)
    assert set(in_database.values()) == {1}
    within = {caller.number for caller in rest if caller.point == "once"}
    twice = {number for (number, _), times in in_file.items() if times > 1}
    assert twice <= within
    assert max(in_file.values()) <= 2
    for point in POINTS:
        longest = [max(caller.waits, default=0) for caller in callers if caller.point == point]
        assert max(longest) < LONGEST
        figures(
            **{f"calls killed {point}": len(longest)},
            seconds_at_most=round(max(longest), 1),
            seconds_at_p50=round(statistics.median(longest), 1),
        )


def test_callers_at_once_do_not_cross(
    servers: Any, exchange: Exchange, killed: Path, tmp_path: Path, figures: Figures
) -> None:
    callers = [Caller(exchange, number) for number in range(AT_ONCE)]

    with servers():
        begun = time.monotonic()
        converse(callers, exchange, pause=0, killed=killed)
        took = time.monotonic() - begun
        wait_until_over(callers)

    check(callers, exchange)
    once = {(caller.number, name): 1 for caller in callers for name in ("key", "recording", "end")}
    assert effects(tmp_path / "calls") == (once, once)
    waits = [wait for caller in callers for wait in caller.waits]
    figures(
        callers_at_once=AT_ONCE,
        seconds=round(took, 1),
        seconds_at_most_for_a_block=round(max(waits), 1),
        seconds_at_p50=round(statistics.median(waits), 1),
    )
