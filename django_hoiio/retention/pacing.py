"""How much is done at a time, so that nobody waits for long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import connections, transaction

from ..recording.patience import patiently

Result = TypeVar("Result")

# Seconds that a transaction aims to take. One may take longer than the one before it, and it is some way from here to
# the second that docs/privacy.rst names.
AIM = 0.1

FIRST, MOST = 50, 1000


class Pace:
    """How many rows go into the next transaction: more where the one before was quick, fewer where it was slow."""

    def __init__(self) -> None:
        self.size = FIRST
        # Seconds that the slowest has taken.
        self.slowest = 0.0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Time what is done within, and rest as long after it: who waits for the lock of SQLite gets it then."""
        begun = time.monotonic()
        yield
        took = time.monotonic() - begun
        self.slowest = max(self.slowest, took)
        self.size = max(1, min(MOST, self.size * 2, int(self.size * AIM / max(took, 1e-6))))
        time.sleep(took)


def in_one(carry_out: Callable[[], Result], pace: Pace, using: str) -> Result:
    """Do it in one transaction, and again where a deadlock or a lock comes in between. Raises `django.db.Error`."""

    def carry_out_whole() -> Result:
        with transaction.atomic(using=using, durable=True):
            return carry_out()

    with pace.transaction():
        return patiently(carry_out_whole, connections[using])
