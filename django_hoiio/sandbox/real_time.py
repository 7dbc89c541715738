"""The sandbox of this process: a line on which time passes, with a thread for alarms and one for notifications."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from http import HTTPStatus
from http.client import HTTPException
from urllib.parse import urlsplit

from django.urls import reverse
from django.utils import timezone

from django_hoiio.conf import conf
from django_hoiio.logs import get_logger

from . import errors
from .delivery import Delivery, InvalidUrl, UnknownHost, loopback_address, post
from .exchange import HANDSET, Exchange
from .line import Job, PostResult

logger = get_logger(__name__)

# The people on the telephone page, each a caller of their own. The last one withholds the number.
PEOPLE = (HANDSET, "+6591234568", "private")

# Seconds to wait until the API response is sent. Notifications must also go out if the server never closes it.
RESPONSE_TIMEOUT = 5

# Characters of a spoken text per second.
SPEAKING_RATE = 20


class Scheduler:
    """Runs jobs in the order of their due times, and equal ones in the order of scheduling.

    Its thread starts with the first job and ends with the process.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Job]] = []
        self._numbers = itertools.count()
        self._is_busy = False
        self._thread: threading.Thread | None = None

    def schedule(self, job: Job, *, after: float = 0) -> None:
        """Run a job on the scheduler's thread after `after` seconds."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + after, next(self._numbers), job))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def cancel_all(self) -> None:
        """Discard jobs that have not started."""
        with self._changed:
            self._due.clear()
            self._changed.notify_all()

    def run_now(self, seconds: float) -> bool:
        """Run all waiting jobs now; return False if they take longer than `seconds`.

        Jobs that these jobs schedule keep their own delay.
        """
        done = threading.Event()
        with self._changed:
            self._due = [(-math.inf, number, job) for _, number, job in self._due]
            heapq.heapify(self._due)
        self.schedule(done.set, after=-math.inf)
        return done.wait(seconds)

    def wait(self, seconds: float) -> bool:
        """Wait until no job is left; return False on timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._due and not self._is_busy, seconds)

    def _run(self) -> None:
        while True:
            job = self._next()
            try:
                job()
            # A failed job must not stop the thread.
            except Exception as error:  # noqa: BLE001
                logger.error("A scheduled job of the sandbox failed: %s.", type(error).__name__)
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()

    def _next(self) -> Job:
        with self._changed:
            while not self._due or self._due[0][0] > time.monotonic():
                self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
            self._is_busy = True
            return heapq.heappop(self._due)[2]


class RealTimeLine:
    """Posts to this machine alone. The people use the telephone page."""

    def __init__(self) -> None:
        self._alarms = Scheduler("hoiio sandbox alarm")
        self._posts = Scheduler("hoiio sandbox post")

    def now(self) -> datetime:
        return timezone.now()

    def schedule(self, job: Job, *, after: float) -> None:
        self._alarms.schedule(job, after=after)

    def deliver(self, job: Job, *, after: float, once: threading.Event | None) -> None:
        self._posts.schedule(partial(_run_once, once, job), after=after)

    def post(self, delivery: Delivery) -> PostResult:
        try:
            status = post(delivery, loopback_only=True).status
        except (InvalidUrl, UnknownHost) as error:
            return PostResult(None, f"It was not sent: {error}.")
        except TimeoutError:
            return PostResult(None, "There was no answer in time.")
        except (OSError, HTTPException) as error:
            return PostResult(None, f"There was no answer ({type(error).__name__}).")
        if status == HTTPStatus.OK:
            return PostResult(status)
        return PostResult(status, f"It was answered with {status}, and Hoiio does not send it again.")

    def check_url(self, url: str) -> None:
        loopback_address(url)

    def file_url(self, name: str) -> str:
        """Return a link to this sandbox that looks signed, as Hoiio's links do."""
        api = urlsplit(conf.API_URL)
        path = reverse("hoiio_sandbox:file", args=[name])
        return f"{api.scheme}://{api.netloc}{path}?Expires=1990000000&AWSAccessKeyId=SANDBOX&Signature=c2FuZGJveA%3D%3D"

    def speaking_time(self, text: str) -> float:
        return len(text) / SPEAKING_RATE

    def is_person(self, number: str) -> bool:
        return number in PEOPLE

    def call_outcome(self, number: str) -> str:
        return errors.call_outcome(number)

    def sms_outcome(self, number: str) -> Sequence[str]:
        return errors.sms_outcome(number)

    # For tests.

    def run_alarms(self, seconds: float) -> bool:
        """Run all alarms now; return False if they take longer than `seconds`. New ones keep their delay."""
        return self._alarms.run_now(seconds)

    def wait(self, seconds: float) -> bool:
        """Wait until all notifications are posted; return False on timeout."""
        return self._posts.wait(seconds)

    def close(self) -> None:
        """Discard alarms, and notifications that are not sent yet."""
        self._alarms.cancel_all()
        self._posts.cancel_all()


def _run_once(event: threading.Event | None, job: Job) -> None:
    if event is not None:
        event.wait(RESPONSE_TIMEOUT)
    job()


line = RealTimeLine()
exchange = Exchange(line)
