"""Measure in process: the candidates run in small batches and random order, so that noise affects all alike."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from statistics import median
from uuid import uuid4

from django.db import connection
from tqdm import tqdm

from .candidates import Candidate
from .posting import environ, post
from .traffic import bodies

BATCH = 20
# Not timed, because the caches hold the data of another candidate. This many, because
# psycopg prepares a statement at its sixth execution.
WARM_UP = 6


def take_turns(candidates: Sequence[Candidate], requests: int, title: str) -> dict[str, float]:
    """Return the seconds per request by the candidate's name: the median of its batches, `requests` in all."""
    traffic = {candidate.name: bodies(f"AA-S-{uuid4().hex[:8]}") for candidate in candidates}
    batches: dict[str, list[float]] = {candidate.name: [] for candidate in candidates}
    with tqdm(total=requests, desc=title, unit=" requests each", leave=False, disable=None) as progress:
        for _ in range(-(-requests // BATCH)):
            for candidate in random.sample(candidates, len(candidates)):
                batches[candidate.name].append(_batch(candidate, traffic[candidate.name]))
            progress.update(BATCH)
    return {name: median(seconds) for name, seconds in batches.items()}


def _batch(candidate: Candidate, traffic: Iterator[bytes]) -> float:
    """Post a batch and return the seconds that each request took."""
    path = candidate.path()
    requests = [environ(path, next(traffic)) for _ in range(WARM_UP + BATCH)]
    with candidate.on_turn():
        connection.ensure_connection()
        for request in requests[:WARM_UP]:
            post(request)
        began = time.perf_counter()
        for request in requests[WARM_UP:]:
            post(request)
        return (time.perf_counter() - began) / BATCH
