"""Test a project's receivers and phone menus: Hoiio and the people on the telephone, in the process of the test::

    def test_keyword(hoiio):
        hoiio.sms("HOURS", from_="+6591234567")
        assert hoiio.sent[-1].msg == "We are open 9 to 7."

`hoiio` is a fixture for pytest. `HoiioMixin` is for `TestCase`.
"""

from __future__ import annotations

from contextlib import ExitStack

from .hoiio import Caller, Hoiio, SentRequest
from .line import LostNotification

__all__ = ["Caller", "Hoiio", "HoiioMixin", "LostNotification", "SentRequest"]


class HoiioMixin:
    """Gives each test of a `TestCase` a `Hoiio` in `self.hoiio`. Name it before `TestCase`."""

    hoiio: Hoiio

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        stack = ExitStack()
        self.hoiio = stack.enter_context(Hoiio())
        self.addCleanup(stack.close)  # type: ignore[attr-defined]
