from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any

import pytest

from django_hoiio.enums import Kind, Route, VerifiedBy
from django_hoiio.sandbox.api import Answer
from django_hoiio.sandbox.delivery import Delivery, is_dropped, signed_request
from django_hoiio.sandbox.real_time import Scheduler
from django_hoiio.verification import verify
from tests.clients import TIMEOUT, ReceivedNotification, SandboxClient

DEST = "+6511111111"
ERROR = "+6500000900"


def send(sandbox_client: SandboxClient, dest: str = ERROR) -> list[ReceivedNotification]:
    """Send an SMS with a single notification, and return all received ones."""
    sandbox_client.call_api("sms/send", dest=dest, msg="hello", notify_url=sandbox_client.application)
    sandbox_client.heard()
    return sandbox_client.notifications


@pytest.mark.parametrize(("params_in", "in_query", "in_body"), [("body", 0, 1), ("query", 1, 0), ("both", 1, 1)])
def test_parameters_are_sent_in_the_body_the_query_string_or_both(
    sandbox_client: SandboxClient, params_in: str, in_query: int, in_body: int
) -> None:
    sandbox_client.do("faults", params_in=params_in)

    (heard,) = send(sandbox_client)

    assert heard.path == "/hoiio/"
    # The project's own parameters come first and unchanged.
    assert heard.query.split("&")[0] == "x_order=17"
    assert ("sms_status=error" in heard.query, "sms_status=error" in heard.body) == (bool(in_query), bool(in_body))


@pytest.mark.parametrize(
    ("faults", "is_in_body"),
    [
        ({}, True),
        ({"params_in": "both"}, True),
        # Nothing is in the body.
        ({"params_in": "query"}, False),
        ({"own_in_query": "true"}, False),
        ({"own_in_query": "true", "params_in": "both"}, False),
    ],
)
def test_own_parameters_of_the_url_arrive_in_the_body_as_well(
    sandbox_client: SandboxClient, faults: dict[str, str], is_in_body: bool
) -> None:
    sandbox_client.do("faults", **faults)

    (heard,) = send(sandbox_client)

    assert ("x_order=17" in heard.query.split("&"), "x_order=17" in heard.body.split("&")) == (True, is_in_body)


def test_own_parameters_arrive_as_they_are_and_contradict_none_of_hoiios() -> None:
    url = "http://127.0.0.1/x?app_state=a%20b+c&empty=&d%65st=%2B652&flag"

    signed = signed_request(Delivery(url=url, params={"dest": "+651"}))

    assert signed.target == "/x?app_state=a%20b+c&empty=&d%65st=%2B652&flag"
    assert signed.body == b"dest=%2B651&app_state=a%20b+c&empty=&flag"


@pytest.mark.parametrize("params_in", ["body", "query", "both"])
def test_signature_is_of_the_body_with_the_newest_token(sandbox_client: SandboxClient, params_in: str) -> None:
    sandbox_client.do("faults", params_in=params_in)

    (heard,) = send(sandbox_client)

    verdict = verify(Route.ANY, None, heard.body.encode(), heard.signature)
    if params_in == "query":
        assert verdict.problems == {"signature": "matches, but the body is empty, which verifies nothing"}
    else:
        assert (verdict.verified_by, verdict.account, verdict.problems) == (VerifiedBy.SIGNATURE, "default", {})


def test_bad_signature_verifies_nothing(sandbox_client: SandboxClient) -> None:
    sandbox_client.do("faults", bad_signature="true")

    (heard,) = send(sandbox_client)

    assert heard.signature is not None
    assert len(heard.signature) == 64
    verdict = verify(Route.ANY, None, heard.body.encode(), heard.signature)
    assert (verdict.verified_by, verdict.problems) == (VerifiedBy.NONE, {"signature": "does not match the body"})
    assert sandbox_client.entries("notification")[0]["faults"] == ["bad_signature"]


def test_duplicate_is_identical(sandbox_client: SandboxClient) -> None:
    sandbox_client.do("faults", duplicate="on")

    first, second = send(sandbox_client)

    assert first == second
    assert [entry["faults"] for entry in sandbox_client.entries("notification")] == [[], ["duplicate"]]


def test_dropped_notification_is_never_posted(sandbox_client: SandboxClient) -> None:
    sandbox_client.do("faults", drop="1", duplicate="1")

    assert send(sandbox_client) == []
    (entry,) = sandbox_client.entries("notification")
    assert (entry["state"], entry["faults"], entry["status"]) == ("dropped", ["dropped"], None)


def test_delayed_notification_does_not_hold_up_others(sandbox_client: SandboxClient) -> None:
    sandbox_client.do("faults", delay="1")
    sandbox_client.call_api("sms/send", dest=ERROR, msg="delayed", tag="delayed", notify_url=sandbox_client.application)
    sandbox_client.do("faults", delay="0")
    sandbox_client.call_api("sms/send", dest=ERROR, msg="prompt", tag="prompt", notify_url=sandbox_client.application)

    assert [params["tag"] for params in sandbox_client.heard()] == ["prompt", "delayed"]
    assert [entry["faults"] for entry in sandbox_client.entries("notification")] == [["delayed"], []]


def test_share_of_notifications_is_dropped_and_the_history_is_complete(sandbox_client: SandboxClient) -> None:
    sandbox_client.do("faults", drop_rate="0.3")
    dests = [f"+6590{at:04}" for at in range(100)]
    sandbox_client.call_api("sms/bulk_send", dest=",".join(dests), msg="hello", notify_url=sandbox_client.application)

    kinds = Counter(next(iter(params)) for params in sandbox_client.heard())

    # Of 100 acceptances, and of 100 SMS that were queued and then delivered.
    assert kinds == {"status": 70, "sms_status": 140}
    total = sandbox_client.call_api("sms/get_history")["total_entries_count"]
    assert total == "100"


@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.3, 0.5, 0.999, 1])
def test_dropped_share_is_exact_and_the_same_each_time(share: float) -> None:
    dropped = [at for at in range(1, 1001) if is_dropped(at, share)]

    assert (len(dropped), dropped) == (round(1000 * share), [at for at in range(1, 1001) if is_dropped(at, share)])


def test_blocks_are_not_named(sandbox_client: SandboxClient) -> None:
    sandbox_client.do("faults", unnamed_blocks="true")
    answer, notified = sandbox_client.call_api_and_wait("ivr/start/dial", dest=DEST)
    for path in ("play", "gather", "record", "monitor"):
        notified += sandbox_client.call_api_and_wait(f"ivr/middle/{path}", session=answer["session"])[1]
    notified += sandbox_client.call_api_and_wait("ivr/end/hangup", session=answer["session"])[1]

    assert [params for params in notified if "ivr_block" in params] == []
    kinds = [entry["kind"] for entry in sandbox_client.entries("notification")]
    assert kinds == ["ivr_dial", "ivr_step", "ivr_gather", "ivr_record", "ivr_step", "ivr_ended", "ivr_monitor"]


def test_conference_legs_are_reported_by_the_shorter_names(sandbox_client: SandboxClient) -> None:
    sandbox_client.do("faults", short_legs="true")

    _, (notified,) = sandbox_client.call_api_and_wait("conference/call", dest="+6500000200", room="R1")

    names = ("dest", "call_status", "room", "dest1", "call_status_dest1")
    assert [notified.get(name) for name in names] == ["+6500000200", "busy", "R1", None, None]


def test_faults_that_are_not_sent_stay_unchanged(sandbox_client: SandboxClient) -> None:
    sandbox_client.do("faults", params_in="both", delay="0.5", duplicate="true", drop="true", bad_signature="true")

    assert sandbox_client.do("faults", duplicate="false")["faults"] == {
        "params_in": "both",
        "delay": 0.5,
        "duplicate": False,
        "drop": True,
        "drop_rate": 1.0,
        "bad_signature": True,
        "own_in_query": False,
        "unnamed_blocks": False,
        "short_legs": False,
    }
    assert sandbox_client.do("faults", drop="")["faults"]["drop_rate"] == 0


def test_notifications_are_posted_in_order(sandbox_client: SandboxClient) -> None:
    for at in range(20):
        sandbox_client.call_api("sms/send", dest=DEST, msg="hello", tag=str(at), notify_url=sandbox_client.application)

    heard = [(params["tag"], params["sms_status"]) for params in sandbox_client.heard()]
    assert heard == [(str(at), status) for at in range(20) for status in ("queued", "delivered")]


def test_notification_is_posted_only_after_the_response(
    sandbox_client: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted = threading.Event()
    was_posted_before: list[bool] = []
    sandbox_client.meanwhile = lambda heard: posted.set()
    close = Answer.close

    def closing(answer: Answer) -> None:
        was_posted_before.append(posted.wait(0.3))
        close(answer)

    monkeypatch.setattr(Answer, "close", closing)
    send(sandbox_client)

    assert (was_posted_before, posted.is_set()) == ([False], True)


# Received by the webhook.


@pytest.mark.django_db
def test_posted_notification_is_received_and_parsed(sandbox_client: SandboxClient, post: Any, settings: Any) -> None:
    sandbox_client.do("faults", params_in="query")
    (heard,) = send(sandbox_client)
    settings.HOIIO = {**settings.HOIIO, "REQUIRE_VERIFICATION": False}

    stored = post(f"sms/?{heard.query}", heard.body)

    assert (stored.kind, stored.params["sms_status"], stored.pass_on) == (Kind.SMS_STATUS, "error", {"x_order": "17"})


# The scheduler.


def test_scheduler_runs_jobs_in_order_and_survives_a_failing_job(caplog: pytest.LogCaptureFixture) -> None:
    scheduler = Scheduler("test")
    done: list[int] = []

    def fail() -> None:
        raise ValueError("+6511111111")

    scheduler.schedule(lambda: done.append(3), after=0.2)
    scheduler.schedule(lambda: done.append(1))
    scheduler.schedule(fail)
    scheduler.schedule(lambda: done.append(2))

    assert scheduler.wait(TIMEOUT)
    assert done == [1, 2, 3]
    assert [record.getMessage() for record in caplog.records] == ["A scheduled job of the sandbox failed: ValueError."]


def test_scheduler_discards_jobs_that_have_not_started() -> None:
    scheduler = Scheduler("test")
    done: list[int] = []
    scheduler.schedule(lambda: done.append(1), after=600)

    assert not scheduler.wait(0)
    scheduler.cancel_all()

    assert scheduler.wait(TIMEOUT)
    assert done == []


def test_hurried_scheduler_runs_waiting_jobs_but_not_the_jobs_that_they_schedule() -> None:
    scheduler = Scheduler("test")
    done: list[int] = []

    def again() -> None:
        done.append(1)
        scheduler.schedule(lambda: done.append(2), after=600)

    scheduler.schedule(again, after=600)

    assert scheduler.run_now(TIMEOUT)
    assert done == [1]
    scheduler.cancel_all()


def test_scheduler_restarts_an_ended_thread() -> None:
    """As after a fork, which takes no thread along."""
    scheduler = Scheduler("test")
    scheduler._thread = threading.Thread(target=time.sleep, args=(0,))
    done = threading.Event()

    scheduler.schedule(done.set)

    assert done.wait(TIMEOUT)
