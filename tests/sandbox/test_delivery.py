from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from django_hoiio.sandbox.delivery import Delivery, InvalidUrl, UnknownHost, loopback_address, post, signed_request
from tests.clients import Desk

LOOPBACK, ELSEWHERE = "127.0.0.1", "203.0.113.7"


def leading_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
    """Let the name `desk.test` have these addresses, each time it is asked for others, and in the end none."""
    look_up, left = socket.getaddrinfo, list(answers)

    def answer(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "desk.test":
            return look_up(host, *args, **kwargs)
        if not left:
            raise socket.gaierror("no address")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in left.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.parametrize("addresses", [[ELSEWHERE], [LOOPBACK, ELSEWHERE], [ELSEWHERE, LOOPBACK], []])
def test_name_is_this_machine_s_only_when_all_its_addresses_are(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    leading_to(monkeypatch, addresses)

    with pytest.raises(InvalidUrl):
        loopback_address("http://desk.test/")


def test_name_without_an_address_is_unresolved(monkeypatch: pytest.MonkeyPatch) -> None:
    leading_to(monkeypatch)

    with pytest.raises(UnknownHost):
        loopback_address("http://desk.test/")


def test_name_that_changes_its_address_leads_nowhere_else(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that was looked at is the one that is connected to."""
    leading_to(monkeypatch, [LOOPBACK], [ELSEWHERE])
    monkeypatch.setattr("django_hoiio.sandbox.delivery.TIMEOUT", 1)
    url = desk.application.replace(LOOPBACK, "desk.test")

    assert post(Delivery(url=url, params={"a": "1"}), loopback_only=True) == 200
    assert [heard.params for heard in desk.notifications] == [{"a": "1"}]


def test_host_of_the_url_is_named_to_the_server() -> None:
    sealed = signed_request(Delivery(url="http://desk.test:8000/x?y=1#z", params={"msg": "a b&ü"}, by="both"))

    assert sealed.headers["Host"] == "desk.test:8000"
    assert (sealed.target, sealed.body) == ("/x?y=1&msg=a+b%26%C3%BC", b"msg=a+b%26%C3%BC")
    assert "X-Hoiio-Signature" not in sealed.headers


def test_url_without_a_path_is_posted_to_its_root() -> None:
    assert signed_request(Delivery(url="http://desk.test", params={"a": "1"}, by="query")).target == "/?a=1"


def test_letter_to_the_sandbox_s_own_machine_is_all_that_is_sent_there(desk: Desk) -> None:
    parts = urlsplit(desk.application)
    letter = Delivery(url=f"http://{LOOPBACK}:{parts.port}/hoiio/", params={"a": "1"}, key="token")

    assert post(letter, loopback_only=True) == 200
    with pytest.raises(InvalidUrl):
        post(Delivery(url=f"http://{ELSEWHERE}/", params={}), loopback_only=True)
