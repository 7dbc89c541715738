from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest

from django_hoiio.notify_urls import notify_url
from tests.clients import FAX, HANDSET, NUMBER, Desk

DEST = "+6511111111"


def test_state_of_a_telephone_with_which_nothing_was_done(desk: Desk) -> None:
    state = desk.state()

    assert isinstance(state.pop("revision"), int)
    assert state == {
        "handset": HANDSET,
        "numbers": [NUMBER, "+6531234569"],
        "call": None,
        "faults": {
            "by": "body",
            "late": 0,
            "twice": False,
            "lost": False,
            "lost_share": 0,
            "wrong_signature": False,
        },
        "entries": [],
    }


def test_state_brings_only_what_is_newer(desk: Desk) -> None:
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
def test_revision_that_is_none_brings_everything(desk: Desk, after: str) -> None:
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

    (told,) = desk.heard()
    assert {name: told[name] for name in ("from", "to", "msg")} == {"from": HANDSET, "to": NUMBER, "msg": "hello <b>"}
    assert desk.entries("sms_in") == [{"type": "sms_in", "from": HANDSET, "to": NUMBER, "msg": "hello <b>"}]


def test_long_text_arrives_in_parts_of_at_most_152_characters(desk: Desk) -> None:
    desk.do("text", to=NUMBER, msg="a" * 160)
    desk.do("text", to=NUMBER, msg="b" * 152 + "c" * 152 + "d")

    told = desk.heard()
    assert [params["msg"] for params in told] == ["a" * 160, "b" * 152, "c" * 152, "d"]
    assert len({params["txn_ref"] for params in told}) == 4


def test_notification_is_shown_with_what_came_back_of_it(desk: Desk, settings: Any) -> None:
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
        "by": "body",
        "pass_on": {"x": "1", "empty": "", "username": "bob"},
        "state": "failed",
        "status": 503,
        "error": "It was answered with 503, and Hoiio does not send it again.",
        "faults": [],
    }


def test_redirect_is_no_answer_and_not_followed(desk: Desk) -> None:
    desk.status, desk.headers = HTTPStatus.FOUND, {"Location": desk.application}

    desk.asked("sms/send", dest="+6500000900", msg="hello")

    (entry,) = desk.entries("notification")
    assert (entry["state"], entry["status"], len(desk.notifications)) == ("failed", 302, 1)


@pytest.mark.parametrize(("url", "error"), [("http://127.0.0.1:1/", "There was no answer (ConnectionRefusedError).")])
def test_notification_that_nobody_takes_is_shown_as_failed(desk: Desk, url: str, error: str) -> None:
    desk.ask("sms/send", dest="+6500000900", msg="hello", notify_url=url)

    desk.heard()
    (entry,) = desk.entries("notification")
    assert (entry["state"], entry["status"], entry["error"]) == ("failed", None, error)


@pytest.mark.parametrize(
    ("action", "form", "sentence"),
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
        ("faults", {"by": "post"}, "Notifications are sent by body, query or both."),
        ("faults", {"late": "-1"}, "It needs a number from 0 to 3600."),
        ("faults", {"late": "nan"}, "It needs a number from 0 to 3600."),
        ("faults", {"late": "soon"}, "It needs a number from 0 to 3600."),
        ("faults", {"lost_share": "1.1"}, "It needs a number from 0 to 1."),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    desk: Desk, action: str, form: dict[str, object], sentence: str
) -> None:
    before = desk.state()

    assert desk.refused(action, **form) == sentence
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


def test_keys_outside_a_block_are_shown_and_go_nowhere(desk: Desk) -> None:
    session = desk.call()
    before = len(desk.heard())

    desk.do("press", digits="12#")

    assert desk.entries("key") == [{"type": "key", "digits": "12#"}]
    assert (len(desk.heard()), desk.state()["call"]["session"]) == (before, session)


def test_course_of_a_call_is_told_in_words(desk: Desk) -> None:
    session = desk.call()
    desk.ask("ivr/middle/play", session=session, msg="Hello", notify_url=desk.application)
    desk.ask("ivr/end/transfer", session=session, dest=DEST)
    desk.do("hangup")

    told = [entry.get("text") for entry in desk.entries("call", "spoken")]
    assert told == [f"You call {NUMBER}.", "The application answers.", "Hello", f"Handed on to {DEST}.", "You hung up."]


def test_what_the_application_sends_is_shown(desk: Desk) -> None:
    sms = desk.ask("sms/send", dest=HANDSET, msg="hello", sender_name="Workshop")
    fax = desk.ask("fax/send", dest=DEST, file="JVBERi0xLjQ=")

    assert desk.entries() == [
        {"type": "sms_out", "from": "Workshop", "to": HANDSET, "msg": "hello", "txn_ref": sms["txn_ref"]},
        {"type": "fax_out", "to": DEST, "txn_ref": fax["txn_ref"]},
    ]


def test_telephone_does_nothing_for_another_site(desk: Desk) -> None:
    """A page from elsewhere can post a form, but knows no token."""
    for action in ("call", "text", "press", "speak", "answer", "decline", "hangup", "faults"):
        status, _ = desk.request("POST", f"/sandbox/telephone/{action}/")
        assert status == 403
        assert desk.request("GET", f"/sandbox/telephone/{action}/")[0] == 405
    assert desk.request("POST", "/sandbox/telephone/state/", headers={"Cookie": "x=y"})[0] in (403, 405)
    assert desk.entries() == []


def test_recording_that_was_not_kept_is_not_found(desk: Desk) -> None:
    assert desk.request("GET", "/sandbox/recordings/rec-1.mp3")[0] == 404


def test_oldest_recordings_are_forgotten(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_hoiio.sandbox.exchange.MAX_FILES", 2)
    links = []
    session = desk.ask("ivr/start/dial", dest=DEST, notify_url=desk.application)["session"]
    desk.heard()
    for _ in range(3):
        _, (told,) = desk.asked("ivr/middle/record", session=session)
        links.append(told["record_url"].removeprefix(desk.url))

    assert [desk.request("GET", link)[0] for link in links] == [404, 200, 200]
