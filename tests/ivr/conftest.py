from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from django_hoiio import ivr
from django_hoiio.ivr import flows
from django_hoiio.pytest_plugin import hoiio

__all__ = ["hoiio"]

NUMBER = "+6531234567"


@pytest.fixture
def declare() -> Iterator[Callable[[Any], ivr.Flow[..., Any]]]:
    """Declare flows for the test alone."""
    before = dict(flows._flows)
    yield ivr.flow(numbers=[NUMBER])
    flows._flows.clear()
    flows._flows.update(before)
