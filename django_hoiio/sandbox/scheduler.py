"""Run functions on a thread when they are due, one after the other."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
from collections.abc import Callable

from django_hoiio.logs import get_logger

logger = get_logger(__name__)

Job = Callable[[], None]


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
