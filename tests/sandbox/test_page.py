from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

import django_hoiio
from django_hoiio.sandbox.telephone import ACTIONS

APP = Path(django_hoiio.__file__).parent
PARTS = sorted([*APP.glob("static/django_hoiio/sandbox/*"), *APP.glob("templates/django_hoiio/sandbox/*")])
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


pytestmark = pytest.mark.urls("tests.browser.urls")


@pytest.fixture(autouse=True)
def _sandbox(settings: Any) -> None:
    settings.HOIIO = {"API_URL": "http://127.0.0.1:8000/sandbox/open/"}


def test_page_needs_no_login_and_has_a_strict_policy(client: Client) -> None:
    response = client.get("/sandbox/")

    assert (response.status_code, response["Content-Security-Policy"]) == (200, POLICY)


def test_page_contains_the_url_of_each_endpoint(client: Client) -> None:
    page = client.get("/sandbox/").content.decode()

    found = dict(re.findall(r'data-(\w+)-url="([^"]+)"', page))
    assert found == {action: reverse(f"hoiio_sandbox:{action}") for action in ACTIONS}


def test_page_sets_a_csrf_token(client: Client) -> None:
    response = client.get("/sandbox/")

    assert "csrftoken" in response.cookies
    assert b'name="csrfmiddlewaretoken"' in response.content


def test_page_accepts_only_reading(client: Client) -> None:
    assert client.head("/sandbox/").status_code == 200
    assert Client().post("/sandbox/").status_code == 405


def test_page_is_not_found_unless_the_api_url_is_this_machine(client: Client, settings: Any) -> None:
    settings.HOIIO = {"API_URL": "https://secure.hoiio.com/open/"}

    assert client.get("/sandbox/").status_code == 404


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_page_uses_no_other_host_and_creates_no_markup_from_text(part: Path) -> None:
    source = part.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")

    assert (
        re.findall(
            r"(?:https?:)?//\w[\w.-]+\.\w+|@import|innerHTML|outerHTML|insertAdjacentHTML|document\.write", source
        )
        == []
    )


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_page_has_no_inline_script_or_style(part: Path) -> None:
    if part.suffix == ".html":
        source = part.read_text(encoding="utf-8")

        assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", source) == []
