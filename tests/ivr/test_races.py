"""Two notifications of one call at once: real requests of the view, in threads with their own connections."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.test import Client

from django_hoiio import ivr
from django_hoiio.models import IvrRun, Notification
from tests.conftest import FORM
from tests.fake_hoiio import SUCCESS, Hoiio, Request
from tests.ingest.test_concurrency import LEVELS, at_once

from .conftest import NUMBER

pytestmark = pytest.mark.django_db(transaction=True)

# Of each race. `HOIIO_TEST_CALLS=1000` is the thorough run.
CALLS = int(os.environ.get("HOIIO_TEST_CALLS", "30"))
SESSIONS = [f"S{number}" for number in range(CALLS)]

Post = Callable[[], None]


@pytest.fixture(autouse=True)
def _account(fake_hoiio: Hoiio, settings: Any) -> None:
    settings.HOIIO = {
        "API_URL": fake_hoiio.url,
        "PUBLIC_URL": "https://my.example.com",
        "ACCOUNTS": {"default": {"APP_ID": "app", "ACCESS_TOKEN": "token"}},
        "REQUIRE_VERIFICATION": False,
    }


@pytest.fixture(autouse=True)
def hung_up(declare: Any) -> list[tuple[str, str]]:
    """Declare the flow of the calls. Return the session of each `HungUp`, with the key that was pressed before it."""
    hung_up: list[tuple[str, str]] = []

    async def menu(call: ivr.Call) -> None:
        key = ""
        try:
            key = await call.gather("Press a key.", max_digits=1)
            await call.gather("And another.", max_digits=1)
        except ivr.HungUp:
            hung_up.append((call.session, key))

    declare(menu)
    return hung_up


def notification(path: str, session: str, **params: str) -> Post:
    """Return a function that posts a notification of a call."""
    params = {"session": session, "txn_ref": f"AA-{session}", "from": "+6591234567", "to": NUMBER, **params}

    def post() -> None:
        assert Client().post(path, urlencode(params), content_type=FORM).status_code == 200

    return post


def beginning(session: str) -> Post:
    return notification("/hoiio/ivr/", session, ivr_block="answer", call_state="ringing")


def of_block(fake_hoiio: Hoiio, session: str, **params: str) -> Post:
    """Return a function that posts a notification to the URL of the last block of a call."""
    (*_, block) = (each for each in fake_hoiio.requests if each.params["session"] == session)
    return notification(urlsplit(block.params["notify_url"]).path, session, **{"call_state": "ongoing", **params})


def race(first: Sequence[Post], second: Sequence[Post], level: str) -> None:
    """Post each notification of the first process at once with its neighbour of the second."""
    start = threading.Barrier(2, timeout=30)

    def post_all(own: Sequence[Post]) -> None:
        for post in own:
            start.wait()
            post()

    assert at_once([partial(post_all, first), partial(post_all, second)], level) == []


def sent(fake_hoiio: Hoiio) -> Counter[int]:
    """Return how many calls were sent how many blocks."""
    return Counter(Counter(request.params["session"] for request in fake_hoiio.requests).values())


def check_settled() -> None:
    """No run is leased, and none is left for another process."""
    assert not IvrRun.objects.exclude(leased_until=None, has_waiting=False).exists()
    assert not Notification.objects.pending().exists()


@pytest.mark.parametrize("level", LEVELS)
def test_call_that_begins_twice_is_sent_one_block(fake_hoiio: Hoiio, level: str) -> None:
    begun = [beginning(each) for each in SESSIONS]

    race(begun, begun, level)

    assert sent(fake_hoiio) == {1: CALLS}
    check_settled()


@pytest.mark.parametrize("level", LEVELS)
def test_repeated_result_is_answered_by_one_block(fake_hoiio: Hoiio, level: str) -> None:
    for session in SESSIONS:
        beginning(session)()
    results = [of_block(fake_hoiio, each, ivr_block="gather", digits="1") for each in SESSIONS]

    race(results, results, level)

    assert sent(fake_hoiio) == {2: CALLS}
    check_settled()


@pytest.mark.parametrize("level", LEVELS)
def test_result_and_end_at_once_hang_up_once(fake_hoiio: Hoiio, hung_up: list[tuple[str, str]], level: str) -> None:
    for session in SESSIONS:
        beginning(session)()
    results = [of_block(fake_hoiio, each, ivr_block="gather", digits="1") for each in SESSIONS]
    ends = [of_block(fake_hoiio, each, call_state="ended", duration="1") for each in SESSIONS]
    fake_hoiio.says({"status": "error_session_ended"})

    race(results, ends, level)

    assert sorted(session for session, _ in hung_up) == sorted(SESSIONS)
    assert IvrRun.objects.filter(is_over=True).count() == CALLS
    assert max(sent(fake_hoiio)) <= 2
    # A result that is stored after the end may come too late.
    last = dict(Notification.objects.order_by("pk").values_list("session", "params__call_state"))
    assert {each for each in SESSIONS if last[each] == "ended"} <= {session for session, key in hung_up if key}
    check_settled()


def test_result_is_returned_although_the_end_came_before_it(fake_hoiio: Hoiio, hung_up: list[tuple[str, str]]) -> None:
    """Both come before the first block is stored as sent."""

    def press_and_hang_up(request: Request) -> None:
        fake_hoiio.meanwhile = lambda request: None
        end = of_block(fake_hoiio, "S1", call_state="ended", duration="1")
        result = of_block(fake_hoiio, "S1", ivr_block="gather", digits="1")
        for post in (end, result):
            assert at_once([post]) == []

    fake_hoiio.says(SUCCESS, {"status": "error_session_ended"})
    fake_hoiio.meanwhile = press_and_hang_up
    beginning("S1")()

    assert hung_up == [("S1", "1")]
    check_settled()
