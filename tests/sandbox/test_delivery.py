from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from django_hoiio.sandbox.delivery import (
    Delivery,
    InvalidUrl,
    UnknownHost,
    is_this_machine,
    loopback_address,
    post,
    signed_request,
)
from tests.clients import SandboxClient

LOOPBACK, ELSEWHERE = "127.0.0.1", "203.0.113.7"


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
    """Let `sandbox_client.test` resolve to these addresses, to the next list at each lookup, and finally to none."""
    look_up, left = socket.getaddrinfo, list(answers)

    def answer(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "sandbox_client.test":
            return look_up(host, *args, **kwargs)
        if not left:
            raise socket.gaierror("no address")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in left.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.parametrize("addresses", [[ELSEWHERE], [LOOPBACK, ELSEWHERE], [ELSEWHERE, LOOPBACK], []])
def test_host_is_accepted_only_if_all_its_addresses_are_loopback(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    resolve_to(monkeypatch, addresses)

    with pytest.raises(InvalidUrl):
        loopback_address("http://sandbox_client.test/")


@pytest.mark.parametrize(
    ("addresses", "is_own"),
    [
        ([LOOPBACK], True),
        (["127.0.0.2"], True),
        ([ELSEWHERE], False),
        ([LOOPBACK, ELSEWHERE], False),
        ([ELSEWHERE, LOOPBACK], False),
    ],
)
def test_this_machine_has_all_addresses_of_the_host(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], is_own: bool
) -> None:
    resolve_to(monkeypatch, addresses)

    assert is_this_machine("http://sandbox_client.test") is is_own


def test_own_address_that_is_no_loopback_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    # Any address of this machine: a socket can be bound to it.
    resolve_to(monkeypatch, ["0.0.0.0"])  # noqa: S104

    assert is_this_machine("http://sandbox_client.test") is True


@pytest.mark.parametrize("url", ["http://sandbox_client.test", "my.example.com", "http://"])
def test_host_without_an_address_is_not_this_machine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    resolve_to(monkeypatch)

    assert is_this_machine(url) is False


def test_host_without_an_address_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch)

    with pytest.raises(UnknownHost):
        loopback_address("http://sandbox_client.test/")


def test_host_that_changes_its_address_is_not_looked_up_again(
    sandbox_client: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection uses the address that was checked."""
    resolve_to(monkeypatch, [LOOPBACK], [ELSEWHERE])
    monkeypatch.setattr("django_hoiio.sandbox.delivery.TIMEOUT", 1)
    url = sandbox_client.application.replace(LOOPBACK, "sandbox_client.test")

    assert post(Delivery(url=url, params={"a": "1"}), loopback_only=True).status == 200
    assert sandbox_client.heard() == [{"a": "1"}]


def test_host_header_is_that_of_the_url() -> None:
    signed = signed_request(
        Delivery(url="http://sandbox_client.test:8000/x?y=1#z", params={"msg": "a b&ü"}, params_in="both")
    )

    assert signed.headers["Host"] == "sandbox_client.test:8000"
    assert (signed.target, signed.body) == ("/x?y=1&msg=a+b%26%C3%BC", b"msg=a+b%26%C3%BC&y=1")
    assert "X-Hoiio-Signature" not in signed.headers


def test_host_header_is_the_public_host_as_a_proxy_forwards_it() -> None:
    headers = signed_request(Delivery(url="http://127.0.0.1:8000/x", host="my.example.com", params={})).headers

    assert (headers["Host"], headers["X-Forwarded-Proto"]) == ("my.example.com", "https")


def test_header_of_the_scheme_is_left_to_a_proxy_with_tls() -> None:
    headers = signed_request(Delivery(url="https://127.0.0.1/x", host="my.example.com", params={})).headers

    assert (headers["Host"], "X-Forwarded-Proto" in headers) == ("my.example.com", False)


def test_url_without_a_path_is_posted_to_the_root() -> None:
    assert (
        signed_request(Delivery(url="http://sandbox_client.test", params={"a": "1"}, params_in="query")).target
        == "/?a=1"
    )


def test_delivery_is_posted_to_this_machine_only(sandbox_client: SandboxClient) -> None:
    parts = urlsplit(sandbox_client.application)
    delivery = Delivery(url=f"http://{LOOPBACK}:{parts.port}/hoiio/", params={"a": "1"}, key="token")

    assert post(delivery, loopback_only=True).status == 200
    with pytest.raises(InvalidUrl):
        post(Delivery(url=f"http://{ELSEWHERE}/", params={}), loopback_only=True)
