from __future__ import annotations

import threading
from http import HTTPStatus
from typing import Any

import pytest

from django_hoiio.notify_urls import notify_url
from tests.clients import FAX, HANDSET, NUMBER, TIMEOUT, ReceivedNotification, SandboxClient

DEST = "+6511111111"


def test_state_of_an_unused_telephone(sandbox_client: SandboxClient) -> None:
    state = sandbox_client.state()

    assert isinstance(state.pop("revision"), int)
    assert state == {
        "handset": HANDSET,
        "numbers": [NUMBER, "+6531234569"],
        "call": None,
        "faults": {
            "params_in": "body",
            "delay": 0,
            "duplicate": False,
            "drop": False,
            "drop_rate": 0,
            "bad_signature": False,
            "own_in_query": False,
            "unnamed_blocks": False,
            "short_legs": False,
        },
        "entries": [],
    }


def test_state_contains_only_newer_entries(sandbox_client: SandboxClient) -> None:
    sandbox_client.do("text", to=NUMBER, msg="one")
    sandbox_client.heard()
    seen = sandbox_client.state()["revision"]
    assert sandbox_client.state(after=seen)["entries"] == []

    status, answer = sandbox_client.post(f"/sandbox/telephone/text/?after={seen}", {"to": NUMBER, "msg": "two"})

    assert (status, [entry["type"] for entry in answer["entries"]]) == (200, ["sms_in", "notification"])
    waiting = answer["entries"][1]
    sandbox_client.heard()
    (answered,) = sandbox_client.state(after=answer["revision"])["entries"]
    assert (waiting["state"], answered["state"], answered["id"]) == ("waiting", "answered", waiting["id"])
    assert answered["revision"] > waiting["revision"]


@pytest.mark.parametrize("after", ["", "x", "-1", "9" * 5000, "%C2%B2"])
def test_invalid_revision_returns_all_entries(sandbox_client: SandboxClient, after: str) -> None:
    sandbox_client.do("text", to=NUMBER, msg="one")

    status, answer = sandbox_client.request("GET", f"/sandbox/telephone/state/?after={after}")

    assert (status, answer["entries"][0]["type"]) == (200, "sms_in")


def test_entries_are_the_last_thousand(sandbox_client: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_hoiio.sandbox.exchange.MAX_ENTRIES", 3)
    sandbox_client.call_api("number/update_forwarding", number=NUMBER, forward_sms_to="")

    for at in range(5):
        sandbox_client.do("text", to=NUMBER, msg=str(at))

    assert [entry["msg"] for entry in sandbox_client.entries()] == ["2", "3", "4"]


def test_text_reaches_the_application(sandbox_client: SandboxClient) -> None:
    sandbox_client.do("text", to=NUMBER, msg="hello <b>")

    (notified,) = sandbox_client.heard()
    assert {name: notified[name] for name in ("from", "to", "msg")} == {
        "from": HANDSET,
        "to": NUMBER,
        "msg": "hello <b>",
    }
    assert sandbox_client.entries("sms_in") == [{"type": "sms_in", "from": HANDSET, "to": NUMBER, "msg": "hello <b>"}]


def test_long_text_arrives_in_parts_of_at_most_152_characters(sandbox_client: SandboxClient) -> None:
    sandbox_client.do("text", to=NUMBER, msg="a" * 160)
    sandbox_client.do("text", to=NUMBER, msg="b" * 152 + "c" * 152 + "d")

    notified = sandbox_client.heard()
    assert [params["msg"] for params in notified] == ["a" * 160, "b" * 152, "c" * 152, "d"]
    assert len({params["txn_ref"] for params in notified}) == 4


def test_notification_is_shown_with_its_response_and_pass_on_parameters(
    sandbox_client: SandboxClient, settings: Any
) -> None:
    url = notify_url("sms", pass_on={"username": "bob"})
    sandbox_client.status = 503

    sandbox_client.call_api("sms/send", dest="+6500000900", msg="hello", notify_url=f"{url}?x=1&empty=")

    assert sandbox_client.heard()
    (entry,) = sandbox_client.entries("notification")
    params = entry.pop("params")
    assert (params["sms_status"], params["dest"]) == ("error", "+6500000900")
    assert entry == {
        "type": "notification",
        "kind": "sms_status",
        "path": "/hoiio/sms/••••/",
        "params_in": "body",
        "pass_on": {"x": "1", "empty": "", "username": "bob"},
        "state": "failed",
        "status": 503,
        "error": "It was answered with 503, and Hoiio does not send it again.",
        "faults": [],
    }


def test_redirect_is_a_failure_and_not_followed(sandbox_client: SandboxClient) -> None:
    sandbox_client.status, sandbox_client.headers = HTTPStatus.FOUND, {"Location": sandbox_client.application}

    sandbox_client.call_api_and_wait("sms/send", dest="+6500000900", msg="hello")

    (entry,) = sandbox_client.entries("notification")
    assert (entry["state"], entry["status"], len(sandbox_client.notifications)) == ("failed", 302, 1)


@pytest.mark.parametrize(("url", "error"), [("http://127.0.0.1:1/", "There was no answer (ConnectionRefusedError).")])
def test_unanswered_notification_is_shown_as_failed(sandbox_client: SandboxClient, url: str, error: str) -> None:
    sandbox_client.call_api("sms/send", dest="+6500000900", msg="hello", notify_url=url)

    sandbox_client.heard()
    (entry,) = sandbox_client.entries("notification")
    assert (entry["state"], entry["status"], entry["error"]) == ("failed", None, error)


@pytest.mark.parametrize(
    ("action", "form", "message"),
    [
        (
            "call",
            {"to": "+6599999999"},
            "That number is not the application's; HOIIO['ACCOUNTS'] needs APP_ID and ACCESS_TOKEN.",
        ),
        ("call", {"to": FAX}, f"{FAX} is a fax number; call another one."),
        ("text", {"to": FAX, "msg": "hello"}, f"{FAX} is a fax number and cannot receive SMS; use another number."),
        (
            "text",
            {},
            "That number is not the application's; HOIIO['ACCOUNTS'] needs APP_ID and ACCESS_TOKEN.",
        ),
        ("text", {"to": NUMBER, "msg": "x" * 5001}, "The text has 5001 characters; at most 5000 are allowed."),
        ("press", {"digits": "1"}, "You are not in a call."),
        ("speak", {"text": "hello"}, "You are not in a call."),
        ("answer", {}, "You are not in a call."),
        ("decline", {}, "You are not in a call."),
        ("hangup", {}, "You are not in a call."),
        ("faults", {"params_in": "post"}, "Notifications are sent by body, query or both."),
        ("faults", {"delay": "-1"}, "It needs a number from 0 to 3600."),
        ("faults", {"delay": "nan"}, "It needs a number from 0 to 3600."),
        ("faults", {"delay": "soon"}, "It needs a number from 0 to 3600."),
        ("faults", {"drop_rate": "1.1"}, "It needs a number from 0 to 1."),
    ],
)
def test_invalid_action_is_refused_and_changes_nothing(
    sandbox_client: SandboxClient, action: str, form: dict[str, object], message: str
) -> None:
    before = sandbox_client.state()

    assert sandbox_client.refused(action, **form) == message
    assert sandbox_client.state() == before


@pytest.mark.parametrize("digits", ["", "A", "1" * 51])
def test_keys_that_no_telephone_has_are_refused(sandbox_client: SandboxClient, digits: str) -> None:
    sandbox_client.call()

    assert sandbox_client.refused("press", digits=digits) == "The telephone has the keys 0 to 9, * and #."
    assert sandbox_client.entries("key") == []


def test_one_call_at_a_time(sandbox_client: SandboxClient) -> None:
    sandbox_client.call()

    assert sandbox_client.refused("call", to=NUMBER) == "You are in a call; hang up first."
    assert sandbox_client.refused("answer") == "The telephone is not ringing."
    assert sandbox_client.refused("decline") == "The telephone is not ringing."
    assert sandbox_client.refused("speak", text="x") == "Nothing is being recorded."
    sandbox_client.do("hangup")
    assert sandbox_client.refused("hangup") == "You are not in a call."
    sandbox_client.call()
    assert sandbox_client.state()["call"]["state"] == "ringing"


def test_keys_outside_a_block_are_shown_and_not_sent(sandbox_client: SandboxClient) -> None:
    session = sandbox_client.call()
    before = len(sandbox_client.heard())

    sandbox_client.do("press", digits="12#")

    assert sandbox_client.entries("key") == [{"type": "key", "digits": "12#"}]
    assert (len(sandbox_client.heard()), sandbox_client.state()["call"]["session"]) == (before, session)


def test_course_of_a_call_is_logged_as_text(sandbox_client: SandboxClient) -> None:
    session = sandbox_client.call()
    sandbox_client.call_api("ivr/middle/play", session=session, msg="Hello", notify_url=sandbox_client.application)
    sandbox_client.heard()
    sandbox_client.call_api("ivr/end/transfer", session=session, dest=DEST)
    sandbox_client.do("hangup")

    notified = [entry.get("text") for entry in sandbox_client.entries("call", "spoken")]
    assert notified == [
        f"You call {NUMBER}.",
        "No receiver of your application has answered. It still rings.",
        "The application answers.",
        "Hello",
        f"Transferred to {DEST}.",
        "You hung up.",
    ]


@pytest.mark.parametrize("fault", [{}, {"duplicate": "true"}])
def test_call_that_no_receiver_answers_has_one_hint(sandbox_client: SandboxClient, fault: dict[str, str]) -> None:
    sandbox_client.do("faults", **fault)

    sandbox_client.call()

    assert [entry["text"] for entry in sandbox_client.entries("call")] == [
        f"You call {NUMBER}.",
        "No receiver of your application has answered. It still rings.",
    ]


@pytest.mark.parametrize("path", ["middle/play", "middle/gather", "end/hangup"])
def test_call_that_a_receiver_answers_or_refuses_has_no_hint(sandbox_client: SandboxClient, path: str) -> None:
    sandbox_client.call_api("number/update_forwarding", number=NUMBER, forward_to=sandbox_client.application)

    def begin(heard: ReceivedNotification) -> None:
        sandbox_client.meanwhile = None
        sandbox_client.call_api(f"ivr/{path}", session=heard.params["session"], notify_url=sandbox_client.application)

    sandbox_client.meanwhile = begin
    sandbox_client.call()

    texts = [entry["text"] for entry in sandbox_client.entries("call")]
    assert "No receiver of your application has answered. It still rings." not in texts


def test_call_that_was_given_up_before_the_application_answered_has_no_hint(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api("number/update_forwarding", number=NUMBER, forward_to=sandbox_client.application)
    posted, given_up = threading.Event(), threading.Event()

    def answer_late(heard: ReceivedNotification) -> None:
        posted.set()
        assert given_up.wait(TIMEOUT)

    sandbox_client.meanwhile = answer_late
    sandbox_client.do("call", to=NUMBER)
    assert posted.wait(TIMEOUT)
    sandbox_client.do("hangup")
    given_up.set()
    sandbox_client.heard()

    assert [entry["text"] for entry in sandbox_client.entries("call")] == [f"You call {NUMBER}.", "You hung up."]


def test_sms_and_faxes_of_the_application_are_shown(sandbox_client: SandboxClient) -> None:
    sms = sandbox_client.call_api("sms/send", dest=HANDSET, msg="hello", sender_name="Workshop")
    fax = sandbox_client.call_api("fax/send", dest=DEST, file="JVBERi0xLjQ=")

    assert sandbox_client.entries() == [
        {"type": "sms_out", "from": "Workshop", "to": HANDSET, "msg": "hello", "txn_ref": sms["txn_ref"]},
        {"type": "fax_out", "to": DEST, "txn_ref": fax["txn_ref"]},
    ]


def test_telephone_refuses_requests_of_another_site(sandbox_client: SandboxClient) -> None:
    """A page from elsewhere can post a form, but knows no token."""
    for action in ("call", "text", "press", "speak", "answer", "decline", "hangup", "faults"):
        status, _ = sandbox_client.request("POST", f"/sandbox/telephone/{action}/")
        assert status == 403
        assert sandbox_client.request("GET", f"/sandbox/telephone/{action}/")[0] == 405
    assert sandbox_client.request("POST", "/sandbox/telephone/state/", headers={"Cookie": "x=y"})[0] in (403, 405)
    assert sandbox_client.entries() == []


def test_unknown_recording_is_not_found(sandbox_client: SandboxClient) -> None:
    assert sandbox_client.request("GET", "/sandbox/recordings/rec-1.mp3")[0] == 404


def test_oldest_recordings_are_deleted(sandbox_client: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_hoiio.sandbox.exchange.MAX_FILES", 2)
    links = []
    session = sandbox_client.call_api("ivr/start/dial", dest=DEST, notify_url=sandbox_client.application)["session"]
    sandbox_client.heard()
    for _ in range(3):
        _, (notified,) = sandbox_client.call_api_and_wait("ivr/middle/record", session=session)
        links.append(notified["record_url"].removeprefix(sandbox_client.url))

    assert [sandbox_client.request("GET", link)[0] for link in links] == [404, 200, 200]
