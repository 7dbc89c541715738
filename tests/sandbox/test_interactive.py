from __future__ import annotations

from typing import Any

import pytest

from django_hoiio.sandbox.real_time import exchange
from tests.clients import HANDSET, NUMBER, SandboxClient

from .blocks import ENDED, UNANSWERED, block, facts, spoken, status

DEST = "+6511111111"
PARTIES = {"from": HANDSET, "to": NUMBER}

# An incoming call.


def test_incoming_call_is_posted_to_the_url_of_the_number(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api("number/update_forwarding", number=NUMBER, forward_to=sandbox_client.application)

    session = sandbox_client.call()

    (notified,) = sandbox_client.heard()
    txn_ref = notified["txn_ref"]
    assert notified == {
        "ivr_block": "answer",
        "session": session,
        "txn_ref": txn_ref,
        "call_state": "ringing",
        "tag": "",
        **PARTIES,
    }
    remembered = sandbox_client.call_api("voice/query_status", txn_ref=txn_ref)
    names = ("dest1", "number", "call_status_dest1", "status")
    assert [remembered[name] for name in names] == [HANDSET, NUMBER, "ongoing", "success_ok"]


def test_abandoned_call_is_reported_and_not_charged(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api("number/update_forwarding", number=NUMBER, forward_to=sandbox_client.application)
    sandbox_client.call()

    sandbox_client.do("hangup")

    notified = sandbox_client.heard()[-1]
    assert facts(notified) == UNANSWERED
    assert (
        sandbox_client.call_api("voice/query_status", txn_ref=notified["txn_ref"])["call_status_dest1"] == "unanswered"
    )


@pytest.mark.parametrize(("path", "name"), [("middle/play", "play"), ("middle/monitor", "monitor")])
def test_block_without_input_is_reported_at_once(sandbox_client: SandboxClient, path: str, name: str) -> None:
    notified = block(
        sandbox_client, path, sandbox_client.call(), msg="Hello <speech language='en-GB' gender='male'>you</speech>."
    )

    assert facts(notified) == {"ivr_block": name, "call_state": "ongoing"}
    assert {key: notified[key] for key in PARTIES} == PARTIES
    assert (spoken(sandbox_client), sandbox_client.state()["call"]["state"]) == (["Hello you ."], "ongoing")


def test_play_without_a_notify_url_ends_the_call(sandbox_client: SandboxClient) -> None:
    session = sandbox_client.call()

    assert sandbox_client.call_api("ivr/middle/play", session=session, msg="Goodbye")["status"] == "success_ok"

    assert sandbox_client.state()["call"]["state"] == "ended"
    assert status(sandbox_client, "middle/play", session) == "error_session_ended"


@pytest.mark.parametrize(
    ("options", "keys", "digits"),
    [
        ({"max_digits": 2}, ["12"], "12"),
        ({"max_digits": 2}, ["1", "23"], "12"),
        ({"max_digits": 4}, ["1", "#"], "1"),
        ({"max_digits": 0}, ["0012*#"], "0012*"),
        ({}, ["123456789012", "#"], "123456789012"),
        ({"max_digits": 3}, ["#"], ""),
    ],
)
def test_keys_are_gathered_up_to_max_digits_or_a_hash(
    sandbox_client: SandboxClient, options: dict[str, object], keys: list[str], digits: str
) -> None:
    assert block(sandbox_client, "middle/gather", sandbox_client.call(), **options) == {}
    assert sandbox_client.state()["call"]["state"] == "gathering"

    for key in keys:
        sandbox_client.do("press", digits=key)

    assert facts(sandbox_client.heard()[-1]) == {"ivr_block": "gather", "call_state": "ongoing", "digits": digits}


def test_telephone_shows_the_gathered_keys(sandbox_client: SandboxClient) -> None:
    block(sandbox_client, "middle/gather", sandbox_client.call(), max_digits=4)

    call = sandbox_client.do("press", digits="12")["call"]

    assert (call["state"], call["max_digits"], call["digits"]) == ("gathering", 4, "12")


@pytest.mark.parametrize(("attempts", "keys", "digits"), [(1, "", ""), (1, "1", "1"), (2, "1", "1")])
def test_gather_ends_at_the_timeout(sandbox_client: SandboxClient, attempts: int, keys: str, digits: str) -> None:
    block(sandbox_client, "middle/gather", sandbox_client.call(), max_digits=2, timeout=600, attempts=attempts)
    if keys:
        sandbox_client.do("press", digits=keys)

    assert facts(sandbox_client.let_time_pass()[-1]) == {
        "ivr_block": "gather",
        "call_state": "ongoing",
        "digits": digits,
    }


def test_each_key_restarts_the_timeout(sandbox_client: SandboxClient) -> None:
    block(sandbox_client, "middle/gather", sandbox_client.call(), max_digits=2, timeout=600)
    (call,) = exchange.calls.values()
    waited_for = call.step

    sandbox_client.do("press", digits="1")

    assert call.step != waited_for


def test_timeout_of_an_ended_block_does_not_affect_the_next_one(sandbox_client: SandboxClient) -> None:
    session = sandbox_client.call()
    block(sandbox_client, "middle/gather", session, max_digits=1, timeout=600)
    sandbox_client.do("press", digits="1")
    before = len(sandbox_client.heard())

    assert len(sandbox_client.let_time_pass()) == before
    assert sandbox_client.state()["call"]["state"] == "ongoing"


def test_timeout_of_a_discarded_call_does_nothing(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api_and_wait("ivr/start/dial", dest=HANDSET)
    exchange.reset()

    assert (sandbox_client.let_time_pass(), sandbox_client.entries()) == ([], [])


def test_gather_plays_its_message_at_each_attempt(sandbox_client: SandboxClient) -> None:
    session = sandbox_client.call()
    before = len(sandbox_client.heard())
    block(sandbox_client, "middle/gather", session, msg="Press a key", attempts=3, timeout=600)

    notified = [len(sandbox_client.let_time_pass()) - before for _ in range(3)]

    assert (notified, spoken(sandbox_client)) == ([0, 0, 1], ["Press a key"] * 3)


def test_recording_is_reported_with_a_link_to_the_spoken_text(sandbox_client: SandboxClient) -> None:
    block(sandbox_client, "middle/record", sandbox_client.call(), msg="Speak after the tone")

    sandbox_client.do("speak", text="Grüezi, bitte zurückrufen")

    notified = sandbox_client.heard()[-1]
    link = notified.pop("record_url")
    assert facts(notified) == {"ivr_block": "record", "call_state": "ongoing"}
    status, content = sandbox_client.request("GET", link.removeprefix(sandbox_client.url))
    assert (status, content.decode()) == (200, "Grüezi, bitte zurückrufen")
    assert sandbox_client.entries("recorded") == [{"type": "recorded", "text": "Grüezi, bitte zurückrufen"}]


@pytest.mark.parametrize("way", ["hash", "time"])
def test_recording_ends_with_a_hash_or_at_its_maximum_duration(sandbox_client: SandboxClient, way: str) -> None:
    block(sandbox_client, "middle/record", sandbox_client.call(), max_duration=600)

    if way == "hash":
        sandbox_client.do("press", digits="5#")
    notified = sandbox_client.let_time_pass()[-1]

    assert {"record_url", "ivr_block"} <= set(notified)
    assert notified["call_state"] == "ongoing"


@pytest.mark.parametrize(
    ("path", "params", "result"),
    [
        ("middle/gather", {"max_digits": 4}, {"ivr_block": "gather", "digits": "12"}),
        ("middle/record", {}, {"ivr_block": "record"}),
        ("end/transfer", {"dest": DEST}, {"ivr_block": "transfer", "transfer_status": "answered"}),
    ],
)
def test_hangup_within_a_block_ends_block_and_call_in_one_notification(
    sandbox_client: SandboxClient, path: str, params: dict[str, object], result: dict[str, str]
) -> None:
    block(sandbox_client, path, sandbox_client.call(), **params)
    sandbox_client.do("press", digits="12")
    before = len(sandbox_client.heard())

    sandbox_client.do("hangup")

    (notified,) = sandbox_client.heard()[before:]
    assert ("record_url" in notified) == (path == "middle/record")
    notified.pop("record_url", "")
    assert facts(notified) == {**ENDED, **result}


def test_hangup_between_blocks_is_posted_to_the_url_of_the_last_block(sandbox_client: SandboxClient) -> None:
    block(sandbox_client, "middle/play", sandbox_client.call())

    sandbox_client.do("hangup")

    assert facts(sandbox_client.heard()[-1]) == ENDED
    assert sandbox_client.notifications[-1].query == "x_order=17"


def test_end_is_not_posted_if_the_last_block_has_no_url(sandbox_client: SandboxClient) -> None:
    session = sandbox_client.call()
    before = len(sandbox_client.heard())
    sandbox_client.call_api("ivr/end/transfer", session=session, dest=DEST)

    sandbox_client.do("hangup")

    assert len(sandbox_client.heard()) == before


def test_call_on_hold_accepts_only_unhold(sandbox_client: SandboxClient) -> None:
    session = sandbox_client.call()
    block(sandbox_client, "middle/play", session)
    assert block(sandbox_client, "middle/hold", session, msg="Please wait") == {}
    assert sandbox_client.state()["call"]["state"] == "held"

    for path, more in (
        ("middle/play", {}),
        ("middle/hold", {}),
        ("middle/gather", {}),
        ("middle/record", {}),
        ("middle/monitor", {}),
        ("end/transfer", {"dest": DEST}),
        ("end/hangup", {}),
    ):
        assert status(sandbox_client, path, session, **more) == "error_session_not_ready"
    notified = block(sandbox_client, "middle/unhold", session)
    assert facts(notified) == {"ivr_block": "unhold", "call_state": "ongoing"}
    assert status(sandbox_client, "middle/unhold", session) == "error_session_not_on_hold"


def test_hangup_on_hold_is_posted_to_the_url_of_the_last_block(sandbox_client: SandboxClient) -> None:
    session = sandbox_client.call()
    block(sandbox_client, "middle/play", session)
    sandbox_client.call_api("ivr/middle/hold", session=session)

    sandbox_client.do("hangup")

    assert facts(sandbox_client.heard()[-1]) == ENDED
    assert sandbox_client.notifications[-1].query == "x_order=17"


def test_recording_of_a_monitored_call_is_reported_after_the_end(sandbox_client: SandboxClient) -> None:
    session = sandbox_client.call()
    monitor_url = sandbox_client.application.replace("x_order", "x_monitor")
    block(sandbox_client, "middle/monitor", session, monitor_notify_url=monitor_url)
    assert status(sandbox_client, "middle/monitor", session) == "error_monitor_in_progress"

    sandbox_client.do("hangup")

    *_, ended, recording = sandbox_client.heard()
    assert facts(ended) == ENDED
    assert set(recording) == {"ivr_block", "session", "txn_ref", "tag", "from", "to", "monitor_url"}
    assert sandbox_client.notifications[-1].query == "x_monitor=17"


def test_monitored_call_reports_to_one_url_by_default(sandbox_client: SandboxClient) -> None:
    block(sandbox_client, "middle/monitor", sandbox_client.call())

    sandbox_client.do("hangup")

    assert "monitor_url" in sandbox_client.heard()[-1]
    assert sandbox_client.notifications[-1].query == "x_order=17"


def test_transferred_call_ends_when_the_caller_hangs_up(sandbox_client: SandboxClient) -> None:
    session = sandbox_client.call()
    notified = block(sandbox_client, "end/transfer", session, dest=DEST, msg="One moment")
    assert facts(notified) == {"ivr_block": "transfer", "call_state": "ongoing", "transfer_status": "answered"}
    assert sandbox_client.state()["call"]["state"] == "transferred"
    assert status(sandbox_client, "middle/play", session) == "error_session_not_ready"

    sandbox_client.do("hangup")

    assert facts(sandbox_client.heard()[-1]) == {**ENDED, "ivr_block": "transfer", "transfer_status": "answered"}


@pytest.mark.parametrize("outcome", [("+6500000100", "failed"), ("+6500000200", "busy"), ("+6500000300", "unanswered")])
def test_failed_transfer_ends_the_call_unless_on_failure_is_continue(
    sandbox_client: SandboxClient, outcome: tuple[str, str]
) -> None:
    dest, word = outcome
    session = sandbox_client.call()
    notified = block(sandbox_client, "end/transfer", session, dest=dest, on_failure="continue")
    assert facts(notified) == {"ivr_block": "transfer", "call_state": "ongoing", "transfer_status": word}

    notified = block(sandbox_client, "end/transfer", session, dest=dest)

    assert facts(notified) == {**ENDED, "ivr_block": "transfer", "transfer_status": word}


@pytest.mark.parametrize(("dest", "room"), [("room:R1234", "R1234"), ("room:", None)])
def test_transfer_to_a_room_names_the_room(sandbox_client: SandboxClient, dest: str, room: str | None) -> None:
    answer = sandbox_client.call_api("ivr/end/transfer", session=sandbox_client.call(), dest=dest)

    assert (answer["status"], answer["room"]) == ("success_ok", room or answer["room"])
    assert answer["room"].startswith("R")


@pytest.mark.parametrize("is_ringing", [True, False])
def test_application_hangs_up(sandbox_client: SandboxClient, is_ringing: bool) -> None:
    session = sandbox_client.call()
    if not is_ringing:
        block(sandbox_client, "middle/play", session)

    notified = block(sandbox_client, "end/hangup", session, msg="Goodbye")

    assert facts(notified) == {**(UNANSWERED if is_ringing else ENDED), "ivr_block": "hangup"}
    assert (spoken(sandbox_client), sandbox_client.state()["call"]["state"]) == (["Goodbye"], "ended")


def test_forced_hangup_ends_the_call_at_once_without_a_message(sandbox_client: SandboxClient) -> None:
    session = sandbox_client.call()
    block(sandbox_client, "middle/record", session)
    assert status(sandbox_client, "end/hangup", session) == "error_session_not_ready"
    assert status(sandbox_client, "end/hangup", session, force="enabled", msg="Goodbye") == "error_malformed_params"

    notified = block(sandbox_client, "end/hangup", session, force="enabled")

    assert facts(notified) == {**ENDED, "ivr_block": "hangup"}
    assert status(sandbox_client, "end/hangup", session, force="enabled") == "error_session_ended"


@pytest.mark.parametrize(
    ("path", "params", "word"),
    [
        ("middle/gather", {"max_digits": 256}, "error_invalid_max_digits"),
        ("middle/gather", {"timeout": "soon"}, "error_invalid_timeout"),
        ("middle/gather", {"attempts": -1}, "error_invalid_attempts"),
        ("middle/record", {"max_duration": "x"}, "error_invalid_max_duration"),
        ("end/transfer", {"dest": "x"}, "error_dest_invalid"),
        ("end/transfer", {"dest": "room:a b"}, "error_dest_invalid"),
        ("end/transfer", {"dest": DEST, "on_failure": "cry"}, "error_on_failure_invalid"),
        ("end/transfer", {"dest": DEST, "caller_id": "+6599999999"}, "error_caller_id_invalid"),
        ("middle/play", {"msg": "x" * 1001}, "error_msg_invalid_length"),
        ("middle/play", {"msg": "<speech>hello"}, "error_msg_invalid_xml"),
        ("middle/play", {"msg": "hello</speech>"}, "error_msg_invalid_xml"),
        ("middle/play", {"msg": "<speech><url>http://x/a.mp3</speech></url>"}, "error_msg_invalid_xml"),
        ("middle/play", {"msg": "1 < 2"}, "error_msg_invalid_xml"),
        ("middle/play", {"msg": "<script>x</script>"}, "error_msg_invalid_xml"),
        ("middle/play", {"msg": '<speech language="klingon">x</speech>'}, "error_msg_invalid_language"),
        ("middle/play", {"msg": '<speech gender="robot">x</speech>'}, "error_msg_invalid_gender"),
        ("middle/play", {"msg": "<url>a.mp3</url>"}, "error_msg_invalid_url"),
        ("middle/play", {"msg": "<url>http://[/a.mp3</url>"}, "error_msg_invalid_url"),
        ("middle/play", {"msg": "<url>http://example.com/a.ogg</url>"}, "error_msg_invalid_file_format"),
    ],
)
def test_invalid_block_is_refused_and_the_call_continues(
    sandbox_client: SandboxClient, path: str, params: dict[str, Any], word: str
) -> None:
    session = sandbox_client.call()

    before = sandbox_client.state()

    assert status(sandbox_client, path, session, **params) == word

    assert sandbox_client.state() == before
    assert (
        status(sandbox_client, "middle/play", session, msg="1 &lt; 2 <url>http://example.com/a.mp3</url>")
        == "success_ok"
    )
    assert spoken(sandbox_client) == ["1 < 2 ♪ http://example.com/a.mp3"]


def test_blocks_follow_one_another_from_within_the_notifications(sandbox_client: SandboxClient) -> None:
    """The application requests the next block before it answers, as receivers do."""
    sandbox_client.call_api("number/update_forwarding", number=NUMBER, forward_to=sandbox_client.application)
    steps = iter(["middle/play", "middle/gather", "middle/record", "end/hangup"])
    sandbox_client.meanwhile = lambda heard: sandbox_client.call_api(
        f"ivr/{next(steps)}", session=heard.params["session"], notify_url=sandbox_client.application
    )

    sandbox_client.do("call", to=NUMBER)
    sandbox_client.heard()
    sandbox_client.do("press", digits="1#")
    sandbox_client.heard()
    sandbox_client.do("speak", text="hello")
    sandbox_client.meanwhile, _ = None, sandbox_client.heard()

    blocks = [(params["ivr_block"], params["call_state"]) for params in sandbox_client.heard()]
    assert blocks == [
        ("answer", "ringing"),
        ("play", "ongoing"),
        ("gather", "ongoing"),
        ("record", "ongoing"),
        ("hangup", "ended"),
    ]


# A call of the application.


def test_answered_telephone_receives_the_message(sandbox_client: SandboxClient) -> None:
    answer, notified = sandbox_client.call_api_and_wait(
        "ivr/start/dial", dest=HANDSET, msg="Your bicycle is ready", tag="t"
    )
    assert notified == []
    call = sandbox_client.state()["call"]
    assert (call["session"], call["direction"], call["state"], call["number"]) == (
        answer["session"],
        "outgoing",
        "ringing",
        NUMBER,
    )
    assert status(sandbox_client, "middle/play", answer["session"]) == "error_session_not_ready"

    sandbox_client.do("answer")

    (notified_now,) = sandbox_client.heard()
    assert notified_now == {
        "ivr_block": "dial",
        "session": answer["session"],
        "txn_ref": answer["txn_ref"],
        "call_state": "ongoing",
        "tag": "t",
        "dest": HANDSET,
        "dial_status": "answered",
    }
    assert spoken(sandbox_client) == ["Your bicycle is ready"]
    block(sandbox_client, "middle/gather", answer["session"], max_digits=1)
    sandbox_client.do("press", digits="7")
    assert facts(sandbox_client.heard()[-1])["digits"] == "7"


@pytest.mark.parametrize("way", ["decline", "wait", "hangup"])
def test_telephone_that_is_not_answered_ends_the_call(sandbox_client: SandboxClient, way: str) -> None:
    answer, _ = sandbox_client.call_api_and_wait("ivr/start/dial", dest=HANDSET)

    if way != "wait":
        sandbox_client.do(way)
    (notified,) = sandbox_client.let_time_pass()

    word = "busy" if way == "decline" else "unanswered"
    assert facts(notified) == {**UNANSWERED, "ivr_block": "dial", "dial_status": word}
    assert sandbox_client.call_api("voice/query_status", txn_ref=answer["txn_ref"])["call_status_dest1"] == word


def test_dialled_call_without_a_notify_url_ends_after_its_message(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api("ivr/start/dial", dest=HANDSET, msg="Your bicycle is ready")

    sandbox_client.do("answer")

    assert (spoken(sandbox_client), sandbox_client.state()["call"]["state"]) == (["Your bicycle is ready"], "ended")


@pytest.mark.parametrize("word", ["failed", "busy", "unanswered"])
def test_number_decides_the_result_of_a_dialled_call(sandbox_client: SandboxClient, word: str) -> None:
    dest = {"failed": "+6500000100", "busy": "+6500000200", "unanswered": "+6500000300"}[word]

    _, (notified,) = sandbox_client.call_api_and_wait("ivr/start/dial", dest=dest)

    assert facts(notified) == {**UNANSWERED, "ivr_block": "dial", "dial_status": word}


def test_machine_answers_presses_and_speaks_automatically(sandbox_client: SandboxClient) -> None:
    answer, (dialled,) = sandbox_client.call_api_and_wait("ivr/start/dial", dest=DEST, msg="Hello")
    session = answer["session"]
    assert facts(dialled) == {"ivr_block": "dial", "call_state": "ongoing", "dial_status": "answered"}

    assert facts(block(sandbox_client, "middle/gather", session, max_digits=3))["digits"] == "111"
    assert facts(block(sandbox_client, "middle/gather", session))["digits"] == "1"
    link = block(sandbox_client, "middle/record", session)["record_url"]
    assert sandbox_client.request("GET", link.removeprefix(sandbox_client.url)) == (
        200,
        b"This is a message from the sandbox.",
    )
    block(sandbox_client, "end/transfer", session, dest="+6522222222")
    transferred = {"ivr_block": "transfer", "transfer_status": "answered"}
    assert [facts(notified) for notified in sandbox_client.heard()[-2:]] == [
        {**transferred, "call_state": "ongoing"},
        {**transferred, **ENDED},
    ]
    assert sandbox_client.entries("spoken", "recorded", "call") == []


def test_machine_hangs_up_if_no_block_follows(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api_and_wait("ivr/start/dial", dest=DEST)

    assert facts(sandbox_client.let_time_pass()[-1]) == ENDED


def test_telephone_in_a_call_is_busy_for_others(sandbox_client: SandboxClient) -> None:
    sandbox_client.call()

    _, (dialled,) = sandbox_client.call_api_and_wait("ivr/start/dial", dest=HANDSET)
    _, (called,) = sandbox_client.call_api_and_wait("voice/call", dest1=DEST, dest2=HANDSET)

    assert (dialled["dial_status"], called["call_status_dest1"], called["call_status_dest2"]) == (
        "busy",
        "answered",
        "busy",
    )


@pytest.mark.parametrize(
    ("params", "way", "words"),
    [
        ({"dest2": DEST}, "answer", ("answered", "answered")),
        ({"dest2": DEST}, "decline", ("busy", "unanswered")),
        ({"dest1": DEST, "dest2": HANDSET}, "answer", ("answered", "answered")),
        ({"dest1": DEST, "dest2": HANDSET}, "decline", ("answered", "busy")),
        ({"dest1": DEST, "dest2": HANDSET}, "hangup", ("answered", "unanswered")),
        ({"dest1": DEST, "dest2": HANDSET}, "wait", ("answered", "unanswered")),
    ],
)
def test_telephone_takes_part_in_a_call_between_two_numbers(
    sandbox_client: SandboxClient, params: dict[str, str], way: str, words: tuple[str, str]
) -> None:
    sandbox_client.call_api_and_wait("voice/call", **params)
    assert (sandbox_client.state()["call"]["state"], sandbox_client.state()["call"]["number"]) == ("ringing", DEST)

    if way != "wait":
        sandbox_client.do(way)
    if way == "answer":
        assert sandbox_client.state()["call"]["state"] == "ongoing"
        sandbox_client.do("hangup")
    (notified,) = sandbox_client.let_time_pass()

    assert (notified["call_status_dest1"], notified["call_status_dest2"]) == words
    assert notified["duration"] == ("1" if way == "answer" else "0")


def test_application_hangs_up_a_call_that_the_telephone_is_in(sandbox_client: SandboxClient) -> None:
    answer, _ = sandbox_client.call_api_and_wait("voice/call", dest2=DEST)
    sandbox_client.do("answer")

    assert sandbox_client.call_api("voice/hangup", txn_ref=answer["txn_ref"]) == {"status": "success_ok"}

    assert [entry["text"] for entry in sandbox_client.entries("call")][-1] == "The application hung up."
    assert sandbox_client.state()["call"]["state"] == "ended"
