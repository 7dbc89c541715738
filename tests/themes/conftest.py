"""The workshop and its users, as in the tests in a browser."""

from __future__ import annotations

import os

import pytest

from tests.browser.conftest import Complaints, browser, console_url, django_db_setup, staff

__all__ = ["Complaints", "browser", "console_url", "django_db_setup", "staff"]

# Playwright runs its event loop in the thread of the tests, so Django assumes async code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


def pytest_configure(config: pytest.Config) -> None:
    # A theme may use what Django deprecates.
    for warning in ("DeprecationWarning", "PendingDeprecationWarning"):
        config.addinivalue_line("filterwarnings", f"ignore::{warning}")


@pytest.fixture(scope="module")
def days() -> int:
    """Long enough for totals to be closed."""
    return 10
