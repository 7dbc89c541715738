"""A block before the running one has ended, the time that a text takes, and the tags of blocks."""

from __future__ import annotations

import threading

import pytest

from django_hoiio.sandbox import real_time
from django_hoiio.sandbox.real_time import exchange, line
from tests.clients import HANDSET, NUMBER, TIMEOUT, ReceivedNotification, SandboxClient

from .blocks import ENDED, UNANSWERED, block, facts, spoken, status

DEST = "+6511111111"

# Each block that a call which waits would take.
BLOCKS: dict[str, dict[str, object]] = {
    "middle/play": {},
    "middle/gather": {},
    "middle/record": {},
    "middle/monitor": {},
    "middle/hold": {},
    "end/transfer": {"dest": DEST},
    "end/hangup": {},
}


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a text of a few characters last for hours."""
    monkeypatch.setattr(real_time, "SPEAKING_RATE", 0.001)


@pytest.fixture
def scheduled(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each alarm, at a character per second. None of them runs."""
    seconds: list[float] = []
    monkeypatch.setattr(real_time, "SPEAKING_RATE", 1)
    monkeypatch.setattr(line, "schedule", lambda job, after: seconds.append(after))
    return seconds


def call_state(sandbox_client: SandboxClient) -> str:
    return str(sandbox_client.state()["call"]["state"])


# Too early.


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("path", BLOCKS)
def test_block_is_refused_until_the_text_before_it_has_been_spoken(sandbox_client: SandboxClient, path: str) -> None:
    session = sandbox_client.call()
    assert status(sandbox_client, "middle/play", session, msg="Hello") == "success_ok"
    before = sandbox_client.state()

    assert status(sandbox_client, path, session, **BLOCKS[path]) == "error_session_not_ready"

    assert (sandbox_client.state(), before["call"]["state"]) == (before, "playing")
    assert facts(sandbox_client.let_time_pass()[-1]) == {"ivr_block": "play", "call_state": "ongoing"}
    assert status(sandbox_client, path, session, **BLOCKS[path]) == "success_ok"


@pytest.mark.parametrize("running", ["middle/gather", "middle/record", "end/transfer"])
@pytest.mark.parametrize("path", BLOCKS)
def test_block_is_refused_while_another_one_waits_for_the_caller(
    sandbox_client: SandboxClient, path: str, running: str
) -> None:
    session = sandbox_client.call()
    block(sandbox_client, running, session, **BLOCKS[running])
    before = sandbox_client.state()

    assert status(sandbox_client, path, session, **BLOCKS[path]) == "error_session_not_ready"
    assert sandbox_client.state() == before


def test_second_block_within_one_request_is_refused(sandbox_client: SandboxClient) -> None:
    """Even if the first one has no text, its end is not notified yet."""
    sandbox_client.call_api("number/update_forwarding", number=NUMBER, forward_to=sandbox_client.application)
    answers: list[str] = []

    def play_and_gather(heard: ReceivedNotification) -> None:
        sandbox_client.meanwhile = None
        answers.extend(status(sandbox_client, f"middle/{name}", heard.params["session"]) for name in ("play", "gather"))

    sandbox_client.meanwhile = play_and_gather
    session = sandbox_client.call()

    assert answers == ["success_ok", "error_session_not_ready"]
    assert facts(sandbox_client.heard()[-1]) == {"ivr_block": "play", "call_state": "ongoing"}
    assert status(sandbox_client, "middle/gather", session) == "success_ok"


def test_block_is_refused_before_the_call_is_notified(sandbox_client: SandboxClient) -> None:
    sandbox_client.do("faults", delay=3600)
    session = sandbox_client.do("call", to=NUMBER)["call"]["session"]

    assert status(sandbox_client, "middle/play", session) == "error_session_not_ready"


def test_dropped_notification_lets_the_call_take_its_next_block(sandbox_client: SandboxClient) -> None:
    sandbox_client.do("faults", drop="true")
    session = sandbox_client.do("call", to=NUMBER)["call"]["session"]

    answers = [status(sandbox_client, path, session) for path in ("middle/play", "middle/monitor", "middle/gather")]

    assert (answers, sandbox_client.heard()) == (["success_ok"] * 3, [])


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("running", [*BLOCKS][:-1])
def test_forced_hangup_is_accepted_at_any_time(sandbox_client: SandboxClient, running: str) -> None:
    session = sandbox_client.call()
    block(sandbox_client, running, session, msg="One moment", **BLOCKS[running])
    assert status(sandbox_client, "end/hangup", session) == "error_session_not_ready"

    assert facts(block(sandbox_client, "end/hangup", session, force="enabled")) == {**ENDED, "ivr_block": "hangup"}
    assert call_state(sandbox_client) == "ended"


def test_forced_hangup_ends_a_call_that_is_not_answered(sandbox_client: SandboxClient) -> None:
    session = sandbox_client.call_api("ivr/start/dial", dest=HANDSET)["session"]

    notified = block(sandbox_client, "end/hangup", session, force="enabled")

    assert facts(notified) == {**UNANSWERED, "ivr_block": "hangup"}
    assert sandbox_client.state()["call"]["state"] == "ended"


# The time that a text takes.


def test_speaking_takes_a_second_for_twenty_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_time, "SPEAKING_RATE", 20)

    assert [line.speaking_time(text) for text in ("", "Hello", "a" * 60)] == [0, 0.25, 3]


@pytest.mark.usefixtures("slow")
def test_nobody_waits_for_a_text_that_only_a_machine_hears(sandbox_client: SandboxClient) -> None:
    answer, notified = sandbox_client.call_api_and_wait("ivr/start/dial", dest=DEST, msg="Hello")

    assert facts(notified[0]) == {"ivr_block": "dial", "call_state": "ongoing", "dial_status": "answered"}
    assert facts(block(sandbox_client, "middle/play", answer["session"], msg="Hello"))["ivr_block"] == "play"


@pytest.mark.usefixtures("slow")
def test_block_without_a_text_takes_no_time(sandbox_client: SandboxClient) -> None:
    assert facts(block(sandbox_client, "middle/play", sandbox_client.call()))["ivr_block"] == "play"


@pytest.mark.usefixtures("slow")
def test_call_ends_only_after_the_last_text(sandbox_client: SandboxClient) -> None:
    assert block(sandbox_client, "end/hangup", sandbox_client.call(), msg="Goodbye") == {}
    assert (call_state(sandbox_client), spoken(sandbox_client)) == ("playing", ["Goodbye"])

    assert facts(sandbox_client.let_time_pass()[-1]) == {**UNANSWERED, "ivr_block": "hangup"}
    assert call_state(sandbox_client) == "ended"


@pytest.mark.usefixtures("slow")
def test_caller_is_transferred_after_the_text(sandbox_client: SandboxClient) -> None:
    assert block(sandbox_client, "end/transfer", sandbox_client.call(), dest=DEST, msg="One moment") == {}
    assert call_state(sandbox_client) == "playing"

    transferred = {"ivr_block": "transfer", "call_state": "ongoing", "transfer_status": "answered"}
    assert facts(sandbox_client.let_time_pass()[-1]) == transferred


@pytest.mark.usefixtures("slow")
def test_greeting_of_a_dialled_call_is_spoken_before_the_notification(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api_and_wait("ivr/start/dial", dest=HANDSET, msg="Your bicycle is ready")
    sandbox_client.do("answer")
    assert (sandbox_client.heard(), call_state(sandbox_client)) == ([], "playing")

    (notified,) = sandbox_client.let_time_pass()
    assert facts(notified) == {"ivr_block": "dial", "call_state": "ongoing", "dial_status": "answered"}


def test_timeout_of_keys_begins_after_the_text(sandbox_client: SandboxClient, scheduled: list[float]) -> None:
    block(sandbox_client, "middle/gather", sandbox_client.call(), msg="a" * 30, timeout=15, max_digits=2)
    sandbox_client.do("press", digits="1")

    assert scheduled == [45, 15]


def test_timeout_of_each_attempt_begins_after_the_text(
    sandbox_client: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds: list[float] = []
    schedule = line.schedule
    monkeypatch.setattr(real_time, "SPEAKING_RATE", 1)
    monkeypatch.setattr(line, "schedule", lambda job, after: (seconds.append(after), schedule(job, after=after)))
    block(sandbox_client, "middle/gather", sandbox_client.call(), msg="a" * 30, timeout=600, attempts=2)

    sandbox_client.let_time_pass()

    assert seconds == [630, 630]


def test_recording_lasts_for_its_maximum_after_the_text(sandbox_client: SandboxClient, scheduled: list[float]) -> None:
    block(sandbox_client, "middle/record", sandbox_client.call(), msg="a" * 30, max_duration=60)

    assert scheduled == [90]


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize(
    ("path", "params", "result"),
    [
        ("middle/play", {}, {"ivr_block": "play"}),
        ("middle/gather", {}, {"ivr_block": "gather", "digits": ""}),
        ("middle/monitor", {"monitor_notify_url": "http://127.0.0.1:1/"}, {"ivr_block": "monitor"}),
        ("end/transfer", {"dest": DEST}, {"ivr_block": "transfer", "transfer_status": "unanswered"}),
        ("end/hangup", {}, {"ivr_block": "hangup"}),
    ],
)
def test_hangup_while_a_text_is_spoken_ends_block_and_call_in_one_notification(
    sandbox_client: SandboxClient, path: str, params: dict[str, object], result: dict[str, str]
) -> None:
    session = sandbox_client.call()
    block(sandbox_client, "middle/play", session)
    before = len(sandbox_client.heard())
    block(sandbox_client, path, session, msg="One moment", **params)

    sandbox_client.do("hangup")

    assert [facts(notified) for notified in sandbox_client.let_time_pass()[before:]] == [{**ENDED, **result}]


@pytest.mark.usefixtures("slow")
def test_hangup_during_the_greeting_ends_a_dialled_call(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api_and_wait("ivr/start/dial", dest=HANDSET, msg="Your bicycle is ready")
    sandbox_client.do("answer")

    sandbox_client.do("hangup")

    (notified,) = sandbox_client.let_time_pass()
    assert facts(notified) == {**ENDED, "ivr_block": "dial", "dial_status": "answered"}


# Transfers.


def test_ringing_call_is_answered_by_a_transfer(sandbox_client: SandboxClient) -> None:
    notified = block(sandbox_client, "end/transfer", sandbox_client.call(), dest=DEST)

    assert facts(notified) == {"ivr_block": "transfer", "call_state": "ongoing", "transfer_status": "answered"}
    assert [entry["text"] for entry in sandbox_client.entries("call")][-2:] == [
        "The application answers.",
        f"Transferred to {DEST}.",
    ]


def test_hangup_while_the_far_end_rings(sandbox_client: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "call_outcome", lambda number: "")
    assert block(sandbox_client, "end/transfer", sandbox_client.call(), dest=DEST) == {}
    assert call_state(sandbox_client) == "transferring"

    sandbox_client.do("hangup")

    assert facts(sandbox_client.heard()[-1]) == {**ENDED, "ivr_block": "transfer", "transfer_status": "unanswered"}


# Tags.


def test_each_block_comes_back_with_its_own_tag(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api("number/update_forwarding", number=NUMBER, forward_to=sandbox_client.application)
    session = sandbox_client.call()
    block(sandbox_client, "middle/play", session, tag="welcome")
    block(sandbox_client, "middle/gather", session, tag="menu", max_digits=1)
    sandbox_client.do("press", digits="1")
    block(sandbox_client, "middle/record", session)

    sandbox_client.do("hangup")

    notified = [(params.get("ivr_block"), params["tag"]) for params in sandbox_client.heard()]
    assert notified == [("answer", ""), ("play", "welcome"), ("gather", "menu"), ("record", "")]


def test_block_without_a_tag_has_that_of_the_dialled_call(sandbox_client: SandboxClient) -> None:
    answer, notified = sandbox_client.call_api_and_wait("ivr/start/dial", dest=DEST, tag="order-17")

    for tag in ("hours", ""):
        notified.append(block(sandbox_client, "middle/play", answer["session"], tag=tag))

    assert [params["tag"] for params in notified] == ["order-17", "hours", "order-17"]
    history = sandbox_client.call_api("voice/query_status", txn_ref=answer["txn_ref"])
    assert history["tag"] == "order-17"


def test_recording_of_a_monitored_call_has_the_tag_of_its_block(sandbox_client: SandboxClient) -> None:
    session = sandbox_client.call()
    block(sandbox_client, "middle/monitor", session, tag="quality")
    block(sandbox_client, "middle/play", session, tag="welcome")

    sandbox_client.do("hangup")

    assert [params["tag"] for params in sandbox_client.heard()] == ["", "quality", "welcome", "welcome", "quality"]


# Waiting for the end of a text.


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("has_url", [True, False])
def test_exchange_waits_for_the_end_of_a_text_only_if_wanted(sandbox_client: SandboxClient, has_url: bool) -> None:
    url = sandbox_client.application if has_url else ""
    assert status(sandbox_client, "middle/play", sandbox_client.call(), msg="Hello", notify_url=url) == "success_ok"

    assert (exchange.wait(TIMEOUT), exchange.wait(0, for_texts=True)) == (True, False)

    ended = threading.Timer(0.1, lambda: line.run_alarms(TIMEOUT))
    ended.start()
    assert exchange.wait(TIMEOUT, for_texts=True)
    ended.join()
    assert call_state(sandbox_client) == ("ongoing" if has_url else "ended")
