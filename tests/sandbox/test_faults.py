from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any

import pytest

from django_hoiio.enums import Kind, Route, VerifiedBy
from django_hoiio.sandbox.api import Answer
from django_hoiio.sandbox.delivery import is_dropped
from django_hoiio.sandbox.scheduler import Scheduler
from django_hoiio.verification import verify
from tests.clients import PATIENCE, Desk, Heard

DEST = "+6511111111"
ERROR = "+6500000900"


def send(desk: Desk, dest: str = ERROR) -> list[Heard]:
    """Send an SMS of which one thing is told; gives all that came."""
    desk.ask("sms/send", dest=dest, msg="hello", notify_url=desk.application)
    desk.heard()
    return desk.notifications


@pytest.mark.parametrize(("by", "in_query", "in_body"), [("body", 0, 1), ("query", 1, 0), ("both", 1, 1)])
def test_parameters_come_in_the_body_the_query_string_or_both(desk: Desk, by: str, in_query: int, in_body: int) -> None:
    desk.do("faults", by=by)

    (heard,) = send(desk)

    assert heard.path == "/hoiio/"
    # What the project put there comes first, and unchanged.
    assert heard.query.split("&")[0] == "x_order=17"
    assert ("sms_status=error" in heard.query, "sms_status=error" in heard.body) == (bool(in_query), bool(in_body))


@pytest.mark.parametrize("by", ["body", "query", "both"])
def test_signature_is_that_of_the_body_by_the_newest_token(desk: Desk, by: str) -> None:
    desk.do("faults", by=by)

    (heard,) = send(desk)

    verdict = verify(Route.ANY, None, heard.body.encode(), heard.signature)
    if by == "query":
        assert verdict.problems == {"signature": "matches, but the body is empty, which verifies nothing"}
    else:
        assert (verdict.verified_by, verdict.account, verdict.problems) == (VerifiedBy.SIGNATURE, "default", {})


def test_wrong_signature_proves_nothing(desk: Desk) -> None:
    desk.do("faults", wrong_signature="true")

    (heard,) = send(desk)

    assert heard.signature is not None
    assert len(heard.signature) == 64
    verdict = verify(Route.ANY, None, heard.body.encode(), heard.signature)
    assert (verdict.verified_by, verdict.problems) == (VerifiedBy.NONE, {"signature": "does not match the body"})
    assert desk.entries("notification")[0]["faults"] == ["wrong_signature"]


def test_twice_is_the_same_once_more(desk: Desk) -> None:
    desk.do("faults", twice="on")

    first, second = send(desk)

    assert first == second
    assert [entry["faults"] for entry in desk.entries("notification")] == [[], ["twice"]]


def test_lost_is_never_posted(desk: Desk) -> None:
    desk.do("faults", lost="1", twice="1")

    assert send(desk) == []
    (entry,) = desk.entries("notification")
    assert (entry["state"], entry["faults"], entry["status"]) == ("lost", ["lost"], None)


def test_late_lets_others_pass(desk: Desk) -> None:
    desk.do("faults", late="1")
    desk.ask("sms/send", dest=ERROR, msg="late", tag="late", notify_url=desk.application)
    desk.do("faults", late="0")
    desk.ask("sms/send", dest=ERROR, msg="prompt", tag="prompt", notify_url=desk.application)

    assert [params["tag"] for params in desk.heard()] == ["prompt", "late"]
    assert [entry["faults"] for entry in desk.entries("notification")] == [["late"], []]


def test_share_of_many_is_lost_and_the_history_still_has_them(desk: Desk) -> None:
    desk.do("faults", lost_share="0.3")
    dests = [f"+6590{at:04}" for at in range(1000)]
    desk.ask("sms/bulk_send", dest=",".join(dests), msg="hello", notify_url=desk.application)

    kinds = Counter(next(iter(params)) for params in desk.heard())

    # Of 1,000 acceptances, and of 1,000 SMS that were queued and then delivered.
    assert kinds == {"status": 700, "sms_status": 1400}
    total = desk.ask("sms/get_history")["total_entries_count"]
    assert total == "1000"


@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.3, 0.5, 0.999, 1])
def test_share_that_is_lost_is_exact_and_the_same_each_time(share: float) -> None:
    lost = [at for at in range(1, 1001) if is_dropped(at, share)]

    assert (len(lost), lost) == (round(1000 * share), [at for at in range(1, 1001) if is_dropped(at, share)])


def test_faults_that_are_not_named_stay(desk: Desk) -> None:
    desk.do("faults", by="both", late="0.5", twice="true", lost="true", wrong_signature="true")

    assert desk.do("faults", twice="false")["faults"] == {
        "by": "both",
        "late": 0.5,
        "twice": False,
        "lost": True,
        "lost_share": 1.0,
        "wrong_signature": True,
    }
    assert desk.do("faults", lost="")["faults"]["lost_share"] == 0


def test_application_that_has_several_things_to_hear_hears_them_in_order(desk: Desk) -> None:
    for at in range(20):
        desk.ask("sms/send", dest=DEST, msg="hello", tag=str(at), notify_url=desk.application)

    heard = [(params["tag"], params["sms_status"]) for params in desk.heard()]
    assert heard == [(str(at), status) for at in range(20) for status in ("queued", "delivered")]


def test_notification_comes_only_after_the_answer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    came = threading.Event()
    came_before: list[bool] = []
    desk.meanwhile = lambda heard: came.set()
    close = Answer.close

    def closing(answer: Answer) -> None:
        came_before.append(came.wait(0.3))
        close(answer)

    monkeypatch.setattr(Answer, "close", closing)
    send(desk)

    assert (came_before, came.is_set()) == ([False], True)


# Through the receiving side.


@pytest.mark.django_db
def test_what_is_sent_is_what_the_receiving_side_reads(desk: Desk, post: Any, settings: Any) -> None:
    desk.do("faults", by="query")
    (heard,) = send(desk)
    settings.HOIIO = {**settings.HOIIO, "REQUIRE_VERIFICATION": False}

    kept = post(f"sms/?{heard.query}", heard.body)

    assert (kept.kind, kept.params["sms_status"], kept.pass_on) == (Kind.SMS_STATUS, "error", {"x_order": "17"})


# The clockwork.


def test_clockwork_does_what_is_due_in_order_and_survives_what_fails(caplog: pytest.LogCaptureFixture) -> None:
    clock = Scheduler("test")
    done: list[int] = []

    def fail() -> None:
        raise ValueError("+6511111111")

    clock.do(lambda: done.append(3), after=0.2)
    clock.do(lambda: done.append(1))
    clock.do(fail)
    clock.do(lambda: done.append(2))

    assert clock.wait(PATIENCE)
    assert done == [1, 2, 3]
    assert [record.getMessage() for record in caplog.records] == ["The sandbox could not do what was due: ValueError."]


def test_clockwork_forgets_what_has_not_begun() -> None:
    clock = Scheduler("test")
    done: list[int] = []
    clock.do(lambda: done.append(1), after=600)

    assert not clock.wait(0)
    clock.forget()

    assert clock.wait(PATIENCE)
    assert done == []


def test_hurried_clockwork_does_what_waits_and_not_what_comes_of_it() -> None:
    clock = Scheduler("test")
    done: list[int] = []

    def again() -> None:
        done.append(1)
        clock.do(lambda: done.append(2), after=600)

    clock.do(again, after=600)

    assert clock.hurry(PATIENCE)
    assert done == [1]
    clock.forget()


def test_clockwork_whose_thread_has_ended_begins_anew() -> None:
    """As after a fork, which takes no thread along."""
    clock = Scheduler("test")
    clock._thread = threading.Thread(target=time.sleep, args=(0,))
    done = threading.Event()

    clock.do(done.set)

    assert done.wait(PATIENCE)
