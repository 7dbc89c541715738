"""The pytest fixture `hoiio`. The kit is imported only when a test uses it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing import Hoiio


@pytest.fixture
def hoiio(db: None) -> Iterator[Hoiio]:
    """Hoiio within the process of the test: `hoiio.sms("HELLO")`, `hoiio.call()`, `hoiio.sent`."""
    # The models need Django's settings, which pytest-django sets up later.
    from .testing import Hoiio

    with Hoiio() as kit:
        yield kit
