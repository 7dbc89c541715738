"""Several people on the telephone page: each has a call and a conversation of their own."""

from __future__ import annotations

import pytest

from tests.clients import HANDSET, NUMBER, SandboxClient

from .blocks import block

SECOND, WITHHELD, DEST = "+6591234568", "private", "+6511111111"


@pytest.fixture
def second(sandbox_client: SandboxClient) -> SandboxClient:
    sandbox_client.call_api("number/update_forwarding", number=NUMBER, forward_to=sandbox_client.application)
    return sandbox_client.as_person(SECOND)


def test_two_people_are_in_two_calls_at_once(sandbox_client: SandboxClient, second: SandboxClient) -> None:
    sessions = [person.call() for person in (sandbox_client, second)]
    for session in sessions:
        block(sandbox_client, "middle/gather", session, max_digits=1)

    second.do("press", digits="2")
    sandbox_client.do("press", digits="1")

    heard = [(params["session"], params["from"], params.get("digits")) for params in sandbox_client.heard()]
    assert heard == [
        (sessions[0], HANDSET, None),
        (sessions[1], SECOND, None),
        (sessions[1], SECOND, "2"),
        (sessions[0], HANDSET, "1"),
    ]
    second.do("hangup")
    assert [person.state()["call"]["state"] for person in (sandbox_client, second)] == ["ongoing", "ended"]


def test_each_person_sees_only_their_own_conversation(sandbox_client: SandboxClient, second: SandboxClient) -> None:
    session = second.call()
    block(sandbox_client, "middle/play", session, msg="Hello")
    second.do("press", digits="7")
    second.do("text", to=NUMBER, msg="Is it ready?")
    sandbox_client.call_api("sms/send", dest=SECOND, msg="It is ready.")

    shown = ("call", "spoken", "key", "sms_in", "sms_out")
    assert sandbox_client.entries(*shown) == []
    assert [entry.get("text") or entry.get("digits") or entry["msg"] for entry in second.entries(*shown)] == [
        f"You call {NUMBER}.",
        "No receiver of your application has answered. It still rings.",
        "The application answers.",
        "Hello",
        "7",
        "Is it ready?",
        "It is ready.",
    ]


def test_everybody_sees_the_notifications_and_the_sms_to_others(
    sandbox_client: SandboxClient, second: SandboxClient
) -> None:
    sandbox_client.call_api("sms/send", dest=DEST, msg="hello", notify_url=sandbox_client.application)
    sandbox_client.heard()

    types = [[entry["type"] for entry in person.entries()] for person in (sandbox_client, second)]
    assert types == [["sms_out", "notification", "notification"]] * 2


def test_person_is_asked_for_by_number_and_the_first_one_answers_for_unknown_ones(
    sandbox_client: SandboxClient,
) -> None:
    handsets = [sandbox_client.as_person(number).state()["handset"] for number in (SECOND, WITHHELD, DEST, "")]

    assert handsets == [SECOND, WITHHELD, HANDSET, HANDSET]


def test_withheld_number_is_private(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api("number/update_forwarding", number=NUMBER, forward_to=sandbox_client.application)
    caller = sandbox_client.as_person(WITHHELD)

    caller.call()

    (notified,) = sandbox_client.heard()
    assert (notified["from"], notified["to"]) == (WITHHELD, NUMBER)
    caller.do("hangup")
    assert caller.state()["call"]["state"] == "ended"
    assert sandbox_client.state()["call"] is None
    assert sandbox_client.call_api("voice/query_status", txn_ref=notified["txn_ref"])["dest1"] == WITHHELD


def test_only_the_telephone_of_the_called_person_rings(sandbox_client: SandboxClient, second: SandboxClient) -> None:
    sandbox_client.call_api("ivr/start/dial", dest=SECOND)

    assert (sandbox_client.state()["call"], second.state()["call"]["state"]) == (None, "ringing")
    assert sandbox_client.refused("answer") == "You are not in a call."
    second.do("answer")
    assert [entry["text"] for entry in second.entries("call")][:2] == [f"{NUMBER} calls you.", "You answer."]


def test_person_in_a_call_is_busy_and_the_other_one_is_not(
    sandbox_client: SandboxClient, second: SandboxClient
) -> None:
    second.call()

    _, (busy,) = sandbox_client.call_api_and_wait("ivr/start/dial", dest=SECOND)
    _, nothing_yet = sandbox_client.call_api_and_wait("ivr/start/dial", dest=HANDSET)

    assert (busy["dial_status"], nothing_yet) == ("busy", [])
    assert (sandbox_client.state()["call"]["state"], second.state()["call"]["state"]) == ("ringing", "ringing")


def test_call_between_two_people_fails_if_the_second_one_is_busy(
    sandbox_client: SandboxClient, second: SandboxClient
) -> None:
    second.call()

    _, (notified,) = sandbox_client.call_api_and_wait("voice/call", dest1=HANDSET, dest2=SECOND)

    assert (notified["call_status_dest1"], notified["call_status_dest2"]) == ("answered", "busy")
    assert sandbox_client.state()["call"] is None
