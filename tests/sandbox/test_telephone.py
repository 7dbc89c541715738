from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest

from django_hoiio.notify_urls import notify_url
from tests.clients import FAX, HANDSET, NUMBER, Desk

DEST = "+6511111111"


def test_state_of_an_unused_telephone(desk: Desk) -> None:
    state = desk.state()

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
        },
        "entries": [],
    }


def test_state_contains_only_newer_entries(desk: Desk) -> None:
    desk.do("text", to=NUMBER, msg="one")
    desk.heard()
    seen = desk.state()["revision"]
    assert desk.state(after=seen)["entries"] == []

    status, answer = desk.post(f"/sandbox/telephone/text/?after={seen}", {"to": NUMBER, "msg": "two"})

    assert (status, [entry["type"] for entry in answer["entries"]]) == (200, ["sms_in", "notification"])
    waiting = answer["entries"][1]
    desk.heard()
    (answered,) = desk.state(after=answer["revision"])["entries"]
    assert (waiting["state"], answered["state"], answered["id"]) == ("waiting", "answered", waiting["id"])
    assert answered["revision"] > waiting["revision"]


@pytest.mark.parametrize("after", ["", "x", "-1", "9" * 5000, "%C2%B2"])
def test_invalid_revision_returns_all_entries(desk: Desk, after: str) -> None:
    desk.do("text", to=NUMBER, msg="one")

    status, answer = desk.request("GET", f"/sandbox/telephone/state/?after={after}")

    assert (status, answer["entries"][0]["type"]) == (200, "sms_in")


def test_entries_are_the_last_thousand(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_hoiio.sandbox.exchange.MAX_ENTRIES", 3)
    desk.ask("number/update_forwarding", number=NUMBER, forward_sms_to="")

    for at in range(5):
        desk.do("text", to=NUMBER, msg=str(at))

    assert [entry["msg"] for entry in desk.entries()] == ["2", "3", "4"]


def test_text_reaches_the_application(desk: Desk) -> None:
    desk.do("text", to=NUMBER, msg="hello <b>")

    (notified,) = desk.heard()
    assert {name: notified[name] for name in ("from", "to", "msg")} == {
        "from": HANDSET,
        "to": NUMBER,
        "msg": "hello <b>",
    }
    assert desk.entries("sms_in") == [{"type": "sms_in", "from": HANDSET, "to": NUMBER, "msg": "hello <b>"}]


def test_long_text_arrives_in_parts_of_at_most_152_characters(desk: Desk) -> None:
    desk.do("text", to=NUMBER, msg="a" * 160)
    desk.do("text", to=NUMBER, msg="b" * 152 + "c" * 152 + "d")

    notified = desk.heard()
    assert [params["msg"] for params in notified] == ["a" * 160, "b" * 152, "c" * 152, "d"]
    assert len({params["txn_ref"] for params in notified}) == 4


def test_notification_is_shown_with_its_response_and_pass_on_parameters(desk: Desk, settings: Any) -> None:
    url = notify_url("sms", pass_on={"username": "bob"})
    desk.status = 503

    desk.ask("sms/send", dest="+6500000900", msg="hello", notify_url=f"{url}?x=1&empty=")

    assert desk.heard()
    (entry,) = desk.entries("notification")
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


def test_redirect_is_a_failure_and_not_followed(desk: Desk) -> None:
    desk.status, desk.headers = HTTPStatus.FOUND, {"Location": desk.application}

    desk.asked("sms/send", dest="+6500000900", msg="hello")

    (entry,) = desk.entries("notification")
    assert (entry["state"], entry["status"], len(desk.notifications)) == ("failed", 302, 1)


@pytest.mark.parametrize(("url", "error"), [("http://127.0.0.1:1/", "There was no answer (ConnectionRefusedError).")])
def test_unanswered_notification_is_shown_as_failed(desk: Desk, url: str, error: str) -> None:
    desk.ask("sms/send", dest="+6500000900", msg="hello", notify_url=url)

    desk.heard()
    (entry,) = desk.entries("notification")
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
        ("text", {"to": FAX, "msg": "hello"}, f"{FAX} is a fax number and takes no SMS; write to another one."),
        (
            "text",
            {},
            "That number is not the application's; HOIIO['ACCOUNTS'] needs APP_ID and ACCESS_TOKEN.",
        ),
        ("text", {"to": NUMBER, "msg": "x" * 5001}, "That is 5001 characters; 5000 are the most."),
        ("press", {"digits": "1"}, "You are in no call."),
        ("press", {"digits": ""}, "The telephone has the keys 0 to 9, * and #."),
        ("press", {"digits": "A"}, "The telephone has the keys 0 to 9, * and #."),
        ("speak", {"text": "hello"}, "You are in no call."),
        ("answer", {}, "The telephone does not ring."),
        ("decline", {}, "The telephone does not ring."),
        ("hangup", {}, "You are in no call."),
        ("faults", {"params_in": "post"}, "Notifications are sent by body, query or both."),
        ("faults", {"delay": "-1"}, "It needs a number from 0 to 3600."),
        ("faults", {"delay": "nan"}, "It needs a number from 0 to 3600."),
        ("faults", {"delay": "soon"}, "It needs a number from 0 to 3600."),
        ("faults", {"drop_rate": "1.1"}, "It needs a number from 0 to 1."),
    ],
)
def test_invalid_action_is_refused_and_changes_nothing(
    desk: Desk, action: str, form: dict[str, object], message: str
) -> None:
    before = desk.state()

    assert desk.refused(action, **form) == message
    assert desk.state() == before


def test_one_call_at_a_time(desk: Desk) -> None:
    desk.call()

    assert desk.refused("call", to=NUMBER) == "You are in a call; hang up first."
    assert desk.refused("answer") == "The telephone does not ring."
    assert desk.refused("speak", text="x") == "Nothing is being recorded."
    desk.do("hangup")
    assert desk.refused("hangup") == "You are in no call."
    desk.call()
    assert desk.state()["call"]["state"] == "ringing"


def test_keys_outside_a_block_are_shown_and_not_sent(desk: Desk) -> None:
    session = desk.call()
    before = len(desk.heard())

    desk.do("press", digits="12#")

    assert desk.entries("key") == [{"type": "key", "digits": "12#"}]
    assert (len(desk.heard()), desk.state()["call"]["session"]) == (before, session)


def test_course_of_a_call_is_logged_as_text(desk: Desk) -> None:
    session = desk.call()
    desk.ask("ivr/middle/play", session=session, msg="Hello", notify_url=desk.application)
    desk.ask("ivr/end/transfer", session=session, dest=DEST)
    desk.do("hangup")

    notified = [entry.get("text") for entry in desk.entries("call", "spoken")]
    assert notified == [
        f"You call {NUMBER}.",
        "The application answers.",
        "Hello",
        f"Handed on to {DEST}.",
        "You hung up.",
    ]


def test_sms_and_faxes_of_the_application_are_shown(desk: Desk) -> None:
    sms = desk.ask("sms/send", dest=HANDSET, msg="hello", sender_name="Workshop")
    fax = desk.ask("fax/send", dest=DEST, file="JVBERi0xLjQ=")

    assert desk.entries() == [
        {"type": "sms_out", "from": "Workshop", "to": HANDSET, "msg": "hello", "txn_ref": sms["txn_ref"]},
        {"type": "fax_out", "to": DEST, "txn_ref": fax["txn_ref"]},
    ]


def test_telephone_refuses_requests_of_another_site(desk: Desk) -> None:
    """A page from elsewhere can post a form, but knows no token."""
    for action in ("call", "text", "press", "speak", "answer", "decline", "hangup", "faults"):
        status, _ = desk.request("POST", f"/sandbox/telephone/{action}/")
        assert status == 403
        assert desk.request("GET", f"/sandbox/telephone/{action}/")[0] == 405
    assert desk.request("POST", "/sandbox/telephone/state/", headers={"Cookie": "x=y"})[0] in (403, 405)
    assert desk.entries() == []


def test_unknown_recording_is_not_found(desk: Desk) -> None:
    assert desk.request("GET", "/sandbox/recordings/rec-1.mp3")[0] == 404


def test_oldest_recordings_are_deleted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_hoiio.sandbox.exchange.MAX_FILES", 2)
    links = []
    session = desk.ask("ivr/start/dial", dest=DEST, notify_url=desk.application)["session"]
    desk.heard()
    for _ in range(3):
        _, (notified,) = desk.asked("ivr/middle/record", session=session)
        links.append(notified["record_url"].removeprefix(desk.url))

    assert [desk.request("GET", link)[0] for link in links] == [404, 200, 200]
