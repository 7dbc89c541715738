"""Fixtures for a browser, the telephone page and an application, all local."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import override_settings
from django.test.utils import setup_databases, teardown_databases
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from django_hoiio.sandbox.real_time import exchange, line

from . import console
from .admin_policy import POLICY
from .application import listening
from .workshop import ACCOUNTS, Workshop

# Playwright runs its event loop in the thread of the tests, so Django assumes async code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

# Milliseconds. A busy machine may be slow.
expect.set_options(timeout=20_000)

Open = Callable[..., Page]


@pytest.fixture(scope="session", autouse=True)
def _project() -> Iterator[None]:
    apps = [*django_settings.INSTALLED_APPS, "django.contrib.staticfiles"]
    middleware = [
        "tests.browser.admin_policy.strict",
        *django_settings.MIDDLEWARE,
        "tests.browser.served.record",
    ]
    with override_settings(INSTALLED_APPS=apps, ROOT_URLCONF="tests.browser.urls", MIDDLEWARE=middleware):
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """Create the database. pytest-django creates none if no test is marked, like the tests that share rows."""
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
    yield
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "There is no chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        yield browser
        browser.close()


@pytest.fixture
def application(live_server: Any, settings: Any) -> Iterator[str]:
    """Connect the application to an empty sandbox. Yields the URL of the telephone."""
    settings.HOIIO = {
        "ACCOUNTS": {"default": {"APP_ID": "app", "ACCESS_TOKEN": "token"}},
        "PUBLIC_URL": live_server.url,
        "API_URL": f"{live_server.url}/sandbox/open/",
    }
    exchange.reset()
    with listening():
        yield f"{live_server.url}/sandbox/"
        # Pending notifications would reach the next test.
        line.close()
        assert line.wait(30)


class Complaints(list[str]):
    """Messages in the browser's console (including policy violations), and errors of the page."""

    def watch(self, page: Page) -> None:
        page.on("console", lambda message: self.append(message.text))
        page.on("pageerror", lambda error: self.append(str(error)))


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    """Fail the test if there are any. A test that provokes some clears them."""
    complaints = Complaints()
    yield complaints
    assert complaints == []


@pytest.fixture
def open_telephone(browser: Browser, application: str, complaints: Complaints) -> Iterator[Open]:
    """Open the telephone in a new window. It may send requests only to its own server."""
    contexts, requested = [], set()

    def open_telephone(**options: Any) -> Page:
        context = browser.new_context(**{"reduced_motion": "reduce", **options})
        contexts.append(context)
        page = context.new_page()
        complaints.watch(page)
        page.on("request", lambda request: requested.add(urlsplit(request.url).netloc))
        page.goto(application)
        expect(page.locator("#link")).to_have_text("Connected")
        return page

    yield open_telephone
    for context in contexts:
        context.close()
    assert requested == {urlsplit(application).netloc}


@pytest.fixture
def telephone(open_telephone: Open) -> Page:
    return open_telephone()


@pytest.fixture
def open_as(browser: Browser, complaints: Complaints) -> Iterator[Open]:
    """Open a page of the admin in a new window, as a logged-in user or anonymously."""
    with ExitStack() as windows:

        def open_as(url: str, who: User | None, **options: Any) -> Page:
            context = windows.enter_context(console.window(browser, url, who, **options))
            page = context.new_page()
            complaints.watch(page)
            response = page.goto(url)
            assert response is not None
            assert (response.status, response.headers["content-security-policy"]) == (200, POLICY)
            return page

        yield open_as


# The admin, shared by the read-only tests of a file.


@pytest.fixture(scope="module")
def days() -> int:
    """Number of days of workshop data."""
    return 3


@pytest.fixture(scope="module")
def staff(
    days: int, django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, User]]:
    """Users of the workshop by role. Its data is deleted after the file."""
    spool: Path = tmp_path_factory.mktemp("spool")
    given = {"REQUIRE_VERIFICATION": False, "ACCOUNTS": ACCOUNTS, "SPOOL_DIR": str(spool)}
    with override_settings(HOIIO=given), django_db_blocker.unblock():
        Workshop(days).open()
        yield console.hire()
        call_command("flush", verbosity=0, interactive=False)


@pytest.fixture(scope="module")
def console_url(staff: dict[str, User]) -> Iterator[str]:
    server = LiveServer("127.0.0.1")
    yield f"{server.url}/admin/"
    server.stop()


@pytest.fixture
def look(open_as: Open, console_url: str, staff: dict[str, User]) -> Open:
    """Open a page of the admin as one of these users, or anonymously."""

    def look(path: str = "django_hoiio/", who: str = "chief", **options: Any) -> Page:
        return open_as(console_url + path, staff.get(who), **options)

    return look
