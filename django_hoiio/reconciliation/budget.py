"""How often Hoiio may be asked."""

from __future__ import annotations

import threading
import time
from collections import deque

from ..conf import conf
from ..exceptions import RateLimited

MINUTE = 60.0


class Budget:
    """So many calls within any minute of this process."""

    def __init__(self, calls_per_minute: int) -> None:
        self._asked: deque[float] = deque(maxlen=calls_per_minute)

    def spend(self) -> None:
        """Spend one call; wait for it where the minute's calls are spent."""
        if len(self._asked) == self._asked.maxlen:
            time.sleep(max(0.0, self._asked[0] + MINUTE - time.monotonic()))
        self._asked.append(time.monotonic())


class HurriedBudget(Budget):
    """The same for those who cannot wait, in whatever thread."""

    def __init__(self, calls_per_minute: int) -> None:
        super().__init__(calls_per_minute)
        self._lock = threading.Lock()

    def spend(self) -> None:
        """Spend one call. Raises `RateLimited` where the minute's calls are spent."""
        with self._lock:
            if self.is_spent:
                raise RateLimited(
                    "",
                    f"Hoiio may be asked {self._asked.maxlen} times a minute, says HOIIO['CALLS_PER_MINUTE'], and was;"
                    " ask again in a minute.",
                )
            self._asked.append(time.monotonic())

    @property
    def is_spent(self) -> bool:
        return len(self._asked) == self._asked.maxlen and self._asked[0] + MINUTE > time.monotonic()


_OF_THIS_PROCESS: dict[tuple[str, int], HurriedBudget] = {}


def hurried_budget(account: str) -> HurriedBudget:
    """What an account has for all that is asked by hand in this process."""
    calls = conf.CALLS_PER_MINUTE
    return _OF_THIS_PROCESS.setdefault((account, calls), HurriedBudget(calls))
