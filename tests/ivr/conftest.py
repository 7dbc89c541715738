from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from django_hoiio import ivr
from django_hoiio.ivr import flows
from django_hoiio.pytest_plugin import hoiio

__all__ = ["hoiio"]

NUMBER = "+6531234567"


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], ivr.Flow[..., Any]]:
    """Declare flows for the test alone."""
    monkeypatch.setattr(flows, "_flows", {})
    monkeypatch.setattr(flows, "shared_names", set())
    return ivr.flow(numbers=[NUMBER])
