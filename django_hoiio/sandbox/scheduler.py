"""A thread that runs functions when they are due, one after the other."""

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
    """Does deeds in the order in which they are due, and those due at the same moment in the order of asking.

    Its thread starts with the first deed and ends with the process.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Job]] = []
        self._numbers = itertools.count()
        self._is_busy = False
        self._thread: threading.Thread | None = None

    def schedule(self, job: Job, *, after: float = 0) -> None:
        """Do it after so many seconds, on the clockwork's thread."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + after, next(self._numbers), job))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def forget(self) -> None:
        """Leave undone what has not begun."""
        with self._changed:
            self._due.clear()
            self._changed.notify_all()

    def hurry(self, seconds: float) -> bool:
        """Do at once all that waits for its time, as if that had passed; false when it is not done in so many seconds.

        What these deeds ask for in their turn waits for its own time.
        """
        done = threading.Event()
        with self._changed:
            self._due = [(-math.inf, number, job) for _, number, job in self._due]
            heapq.heapify(self._due)
        self.schedule(done.set, after=-math.inf)
        return done.wait(seconds)

    def wait(self, seconds: float) -> bool:
        """Wait until there is nothing left to do; false when the time was not enough."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._due and not self._is_busy, seconds)

    def _run(self) -> None:
        while True:
            job = self._next()
            try:
                job()
            # One deed that fails must not stop the clock.
            except Exception as error:  # noqa: BLE001
                logger.error("The sandbox could not do what was due: %s.", type(error).__name__)
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()

    def _next(self) -> Job:
        with self._changed:
            while not self._due or self._due[0][0] > time.monotonic():
                self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
            self._is_busy = True
            return heapq.heappop(self._due)[2]
