"""How often Hoiio may be asked."""

from __future__ import annotations

import time
from collections import deque

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
