"""The line of the test kit: time stands still, and notifications are posted with Django's test client."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone, tzinfo
from http import HTTPStatus
from random import Random
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from django.db import connections
from django.db.models import QuerySet
from django.test import Client, TestCase

from django_hoiio import masking
from django_hoiio.conf import conf
from django_hoiio.models import Notification
from django_hoiio.notify_urls import is_absolute
from django_hoiio.sandbox.causes import cause_of
from django_hoiio.sandbox.delivery import Answer, Delivery, InvalidUrl, signed_request
from django_hoiio.sandbox.line import Job, PostResult

# The host of PUBLIC_URL if the project has none. Django's test runner allows the host `testserver`.
STAND_IN_HOST = "hoiio-test.example"


class LostNotification(AssertionError):
    """The project did not answer a notification with 200. Hoiio does not send it again."""


class Clock:
    """A clock that stands still until `move`. It follows freezegun and time-machine if they move the time.

    It replaces `datetime` in `django.utils.timezone`.
    """

    # In seconds. Bound to the class, because freezegun replaces what a module has imported.
    _monotonic = staticmethod(time.monotonic)
    _TOLERANCE = 1.0

    def __init__(self) -> None:
        self._moved = timedelta(0)
        self._start = self._seen = datetime.now(tz=timezone.utc)
        self._seen_at = self._monotonic()

    def __instancecheck__(self, value: object) -> bool:
        return isinstance(value, datetime)

    def __call__(self, *args: Any, **kwargs: Any) -> datetime:
        return datetime(*args, **kwargs)  # noqa: DTZ001  # as the project wrote it

    def __getattr__(self, name: str) -> Any:
        return getattr(datetime, name)

    def now(self, tz: tzinfo | None = timezone.utc) -> datetime:
        seen, seen_at = datetime.now(tz=timezone.utc), self._monotonic()
        passed = (seen - self._seen).total_seconds()
        if abs(passed - (seen_at - self._seen_at)) > self._TOLERANCE:
            self._start = seen
        self._seen, self._seen_at = seen, seen_at
        moment = (self._start + self._moved).astimezone(tz)
        return moment if tz else moment.replace(tzinfo=None)

    def move(self, moment: datetime) -> None:
        self._moved += moment - self.now()


class TestLine:
    """Every number is a person's, whom the test speaks for."""

    # pytest must not collect this class.
    __test__ = False

    def __init__(self) -> None:
        self.clock = Clock()
        self.is_shuffled = False
        self.failures: list[BaseException] = []
        self.notifications: list[Notification] = []
        self._client = Client(enforce_csrf_checks=True)
        self._random = Random(0)  # noqa: S311 the same order in each run
        self._posts: deque[Job] = deque()
        self._alarms: list[tuple[datetime, int, Job]] = []
        self._numbers = itertools.count()
        self._is_running = False

    def now(self) -> datetime:
        return self.clock.now()

    def schedule(self, job: Job, *, after: float) -> None:
        heapq.heappush(self._alarms, (self.now() + timedelta(seconds=after), next(self._numbers), job))

    def deliver(self, job: Job, *, after: float, once: Event | None) -> None:
        if after:
            self.schedule(lambda: self._posts.append(job), after=after)
        else:
            self._posts.append(job)

    def run(self) -> None:
        """Post all notifications that wait, one after the other, never one within another."""
        if self._is_running:
            return
        self._is_running = True
        try:
            while self._posts:
                if self.is_shuffled:
                    self._random.shuffle(self._posts)
                self._posts.popleft()()
        finally:
            self._is_running = False

    def next_alarm(self, until: datetime | None = None) -> bool:
        """Move the time to the next alarm and run it. Return False if there is none, or none until this time."""
        if not self._alarms or (until is not None and self._alarms[0][0] > until):
            return False
        at, _, job = heapq.heappop(self._alarms)
        self.clock.move(max(at, self.now()))
        job()
        self.run()
        return True

    def post(self, delivery: Delivery) -> PostResult:
        """Post a notification as a proxy does that ends TLS, and collect what fails."""
        known = set(self._rows().order_by("-pk").values_list("pk", flat=True)[:1])
        try:
            answer = self._answer(delivery)
        # Whatever a middleware raises.
        except Exception as error:  # noqa: BLE001
            self.failures.append(error)
            return PostResult(None, f"It raised {type(error).__name__}.")
        self.notifications += self._rows().filter(pk__gt=max(known, default=0)).order_by("pk")
        if answer.status != HTTPStatus.OK:
            path = masking.line(urlsplit(delivery.url).path)
            self.failures.append(LostNotification(f"{path} answered {answer.status}. {cause_of(answer, delivery)}"))
        return PostResult(answer.status)

    def _answer(self, delivery: Delivery) -> Answer:
        signed, parts = signed_request(delivery), urlsplit(delivery.url)
        host = "testserver" if parts.netloc == STAND_IN_HOST else parts.netloc
        headers = {name: text for name, text in signed.headers.items() if name not in ("Connection", "Content-Type")}
        # The proxy ends TLS, as in the documented deployment.
        proxied: Any = dict([conf.proxy_ssl_header]) if conf.proxy_ssl_header and parts.scheme == "https" else {}
        with commits():
            response = self._client.generic(
                "POST",
                signed.target,
                signed.body,
                content_type=signed.headers["Content-Type"],
                headers={**headers, "Host": host},
                **proxied,
            )
        return Answer(response.status_code, response.headers.get("Location", ""), response.content.decode()[:2000])

    def _rows(self) -> QuerySet[Notification]:
        return Notification.objects.on_primary()

    def check_url(self, url: str) -> None:
        if not is_absolute(url):
            raise InvalidUrl("it is not an absolute http or https URL")

    def file_url(self, name: str) -> str:
        return f"https://files.hoiio.test/{name}?Expires=1990000000&Signature=c2FuZGJveA%3D%3D"

    def speaking_time(self, text: str) -> float:
        return 0

    def is_person(self, number: str) -> bool:
        return True

    def call_outcome(self, number: str) -> str:
        return ""

    def sms_outcome(self, number: str) -> Sequence[str]:
        return ()


@contextmanager
def commits() -> Iterator[None]:
    """Run the callbacks of `transaction.on_commit` at the end, also within the transaction of a `TestCase`."""
    with ExitStack() as stack:
        for alias in connections:
            if connections[alias].in_atomic_block:
                stack.enter_context(TestCase.captureOnCommitCallbacks(using=alias, execute=True))
        yield
