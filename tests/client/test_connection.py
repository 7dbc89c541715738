"""Connection failures, retries, and secrets that no error, log or page may show."""

from __future__ import annotations

import logging
import socket
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest
import responses
from django.views.debug import ExceptionReporter

from django_hoiio.client import HoiioClient, connection
from django_hoiio.exceptions import (
    ConnectionFailed,
    HoiioError,
    InsufficientCredit,
    InvalidParameter,
    RateLimited,
    ServerError,
)
from django_hoiio.models import Sms
from tests.clients import serving
from tests.fake_hoiio import SUCCESS, Hoiio, Reply, Request

pytestmark = pytest.mark.django_db

DEST, MSG = "+6591234567", "a very private text"
REPORT = {"status": "success_ok", "txn_ref": "AA-S-1", "sms_status": "queued"}
FAULT = {"status": "error_internal_server_error"}
PRIVATE = (DEST, DEST[1:], MSG, "new-token", "old-token", "private+text")


def send(client: HoiioClient) -> Any:
    return client.sms.send(dest=DEST, msg=MSG)


def query(client: HoiioClient) -> Any:
    return client.sms.query_status(txn_ref="AA-S-1")


@pytest.fixture
def fake_hoiio() -> Iterator[Hoiio]:
    """A fake Hoiio at the other end of a real connection."""
    hoiio = Hoiio()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            # The client's address identifies the connection.
            code, headers, content = hoiio.answer(self.path, body, {**self.headers, "X-Peer": str(self.client_address)})
            self.send_response(code)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        hoiio.url = f"{url}/open/"
        yield hoiio


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the pauses instead of sleeping."""
    waited: list[float] = []
    monkeypatch.setattr(connection.time, "sleep", waited.append)
    return waited


@pytest.fixture
def closed_port(hoiio: Hoiio, settings: Any) -> str:
    """Return an address of this machine where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings.HOIIO = {**settings.HOIIO, "API_URL": f"http://127.0.0.1:{port}/open/"}
    return f"127.0.0.1:{port}"


# Invalid responses.

NOT_HOIIO = {
    "HTML": (200, b"<html>+6591234567</html>", {}),
    "empty": (200, b"", {}),
    "list": [SUCCESS],
    "text": "success_ok",
    "number": 1,
    "nothing": (200, b"null", {}),
    "object without status": {"txn_ref": "AA-S-1"},
    "status that is no text": {"status": 200, "txn_ref": "AA-S-1"},
    "broken off": (200, b'{"status": "success_ok", "txn_ref": "AA-', {}),
    "deep": (200, b"[" * 100_000, {}),
    "not UTF-8": (200, b'{"status": "\xff"}', {}),
    "fault of a proxy": (502, b"<h1>Bad gateway</h1>", {}),
    "fault without a word": (500, b"", {}),
}


@pytest.mark.parametrize("reply", NOT_HOIIO.values(), ids=NOT_HOIIO)
def test_invalid_response_raises_connection_failed_and_stores_nothing(
    hoiio: Hoiio, hoiio_client: HoiioClient, reply: Reply
) -> None:
    hoiio.says(reply)

    with pytest.raises(ConnectionFailed) as raised:
        send(hoiio_client)
    code = reply[0] if isinstance(reply, tuple) else 200
    assert (raised.value.status, raised.value.may_have_happened) == ("", True)
    assert str(raised.value) == (
        f"The response to sms/send is not Hoiio's: HTTP {code}, and no JSON object with a status."
        " Check HOIIO['API_URL']. Hoiio may have carried the request out."
    )
    assert not Sms.objects.exists()


@pytest.mark.parametrize("code", [200, 400, 403, 500])
def test_status_in_the_body_counts_whatever_the_http_status_is(
    hoiio: Hoiio, hoiio_client: HoiioClient, code: int
) -> None:
    hoiio.says((code, SUCCESS, {}), (code, {"status": "error_insufficient_credit"}, {}))

    assert send(hoiio_client).txn_ref == "AA-S-1"
    with pytest.raises(InsufficientCredit):
        send(hoiio_client)


@pytest.mark.parametrize("without", ["txn_ref", "session"])
def test_success_without_a_reference_raises_server_error(hoiio: Hoiio, hoiio_client: HoiioClient, without: str) -> None:
    hoiio.says({name: value for name, value in SUCCESS.items() if name != without})

    with pytest.raises(ServerError) as raised:
        hoiio_client.ivr.dial(dest=DEST)
    assert (raised.value.may_have_happened, str(raised.value)) == (
        True,
        f"Hoiio answered ivr/start/dial without {without}; check Hoiio's portal.",
    )


@pytest.mark.parametrize("entries", ["AA-S-1", [["AA-S-1"]], {"txn_ref": "AA-S-1"}])
def test_history_with_invalid_entries_raises_server_error(
    hoiio: Hoiio, hoiio_client: HoiioClient, entries: Any
) -> None:
    hoiio.says({"status": "success_ok", "entries": entries})

    with pytest.raises(
        ServerError, match=r"^Hoiio answered sms/get_history with entries that are not a list of objects"
    ):
        hoiio_client.sms.get_history()


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(hoiio: Hoiio, hoiio_client: HoiioClient, code: int) -> None:
    hoiio.says((code, b"", {"Location": hoiio.url + "elsewhere"}))

    with pytest.raises(ConnectionFailed) as raised:
        send(hoiio_client)
    assert str(raised.value) == (
        "The response to sms/send is a redirect, which is not followed; correct HOIIO['API_URL']."
    )
    assert hoiio.request.path == "/open/sms/send"


@pytest.mark.parametrize("location", ["http://[", "\x80"])
def test_redirect_to_an_invalid_address_raises_without_the_token(
    hoiio: Hoiio, hoiio_client: HoiioClient, location: str
) -> None:
    hoiio.says((302, b"", {"Location": location}))

    with pytest.raises(ConnectionFailed) as raised:
        send(hoiio_client)
    assert raised.value.may_have_happened
    assert raised.value.__cause__ is raised.value.__context__ is None


def test_refused_connection_reports_that_nothing_was_sent(closed_port: str) -> None:
    with HoiioClient() as client, pytest.raises(ConnectionFailed) as raised:
        send(client)
    assert (raised.value.may_have_happened, str(raised.value)) == (
        False,
        "No response from Hoiio to sms/send: ConnectionError. It was not sent.",
    )


def test_timeout_reports_that_the_request_may_have_been_carried_out(hoiio: Hoiio, settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.HOIIO = {**settings.HOIIO, "API_URL": f"http://127.0.0.1:{silent.getsockname()[1]}/"}
        with HoiioClient(timeouts=(5, 0.05)) as client, pytest.raises(ConnectionFailed) as raised:
            send(client)
    assert (raised.value.may_have_happened, str(raised.value)) == (
        True,
        "No response from Hoiio to sms/send: ReadTimeout. Hoiio may have carried it out.",
    )


def test_broken_connection_reports_that_the_request_may_have_been_carried_out(
    hoiio: Hoiio, hoiio_client: HoiioClient
) -> None:
    hoiio.says((200, b"{", {"Content-Length": "99", "Connection": "close"}))

    with pytest.raises(ConnectionFailed) as raised:
        send(hoiio_client)
    assert raised.value.may_have_happened


# Settings of every request.


def test_every_request_has_timeouts(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    with responses.RequestsMock() as mock:
        mock.post(f"{hoiio.url}sms/send", json=SUCCESS)
        mock.post(f"{hoiio.url}sms/query_status", json=REPORT)
        send(hoiio_client)
        query(hoiio_client)

        assert [call.request.req_kwargs["timeout"] for call in mock.calls] == [(5.0, 30.0)] * 2


def test_requests_share_a_connection_until_it_is_closed(hoiio: Hoiio) -> None:
    with HoiioClient() as client:
        for _ in range(3):
            query(client)
    with HoiioClient() as client:
        query(client)

    peers = [request.headers["X-Peer"] for request in hoiio.requests]
    assert peers[0] == peers[1] == peers[2] != peers[3]


def test_request_is_a_form_without_parameters_in_the_url(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    send(hoiio_client)

    assert hoiio.request.path == "/open/sms/send"
    assert hoiio.request.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_loopback_is_requested_without_a_proxy(
    hoiio: Hoiio, monkeypatch: pytest.MonkeyPatch, hoiio_client: HoiioClient
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")

    assert send(hoiio_client).txn_ref == "AA-S-1"


@pytest.mark.parametrize(
    ("url", "proxies"), [("https://my.example.com/", {"https": "http://proxy"}), ("http://127.0.0.1/", {})]
)
def test_proxy_is_used_for_other_hosts_only(
    settings: Any, monkeypatch: pytest.MonkeyPatch, url: str, proxies: dict[str, str]
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy")
    settings.HOIIO = {"API_URL": url, "ACCOUNTS": {"default": {"APP_ID": "a", "ACCESS_TOKEN": "t"}}}

    with responses.RequestsMock() as mock, HoiioClient() as client:
        mock.post(f"{url}sms/query_status", json=REPORT)
        query(client)

        assert dict(mock.calls[0].request.req_kwargs["proxies"]) == proxies


# Retries.


@pytest.mark.parametrize("broken", [FAULT, (502, b"", {}), {"status": "error_service_not_available"}])
@pytest.mark.parametrize("times", [1, 2])
def test_query_is_retried_with_pauses(
    hoiio: Hoiio, hoiio_client: HoiioClient, pauses: list[float], broken: Reply, times: int
) -> None:
    hoiio.says(*[broken] * times, REPORT)

    assert query(hoiio_client).sms_status == "queued"
    assert (len(hoiio.requests), pauses) == (times + 1, [0.5, 2.0][:times])


def test_query_fails_after_three_attempts(hoiio: Hoiio, hoiio_client: HoiioClient, pauses: list[float]) -> None:
    hoiio.says(FAULT)

    with pytest.raises(ServerError):
        query(hoiio_client)
    assert (len(hoiio.requests), pauses) == (3, [0.5, 2.0])


def test_query_without_a_connection_is_retried(closed_port: str, pauses: list[float]) -> None:
    with HoiioClient() as client, pytest.raises(ConnectionFailed):
        query(client)
    assert pauses == [0.5, 2.0]


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("error_invalid_txn_ref", InvalidParameter),
        ("error_rate_limit_exceeded", RateLimited),
        ("error_odd", HoiioError),
    ],
)
def test_refused_query_is_not_retried(
    hoiio: Hoiio, hoiio_client: HoiioClient, pauses: list[float], word: str, meaning: type[HoiioError]
) -> None:
    hoiio.says({"status": word})

    with pytest.raises(HoiioError) as raised:
        query(hoiio_client)
    assert (type(raised.value), raised.value.status) == (meaning, word)
    assert (len(hoiio.requests), pauses) == (1, [])


@pytest.mark.parametrize(
    "broken", [FAULT, (502, b"", {}), (200, b"{", {"Content-Length": "99", "Connection": "close"})]
)
def test_request_that_costs_money_is_never_retried(
    hoiio: Hoiio, hoiio_client: HoiioClient, pauses: list[float], broken: Reply
) -> None:
    hoiio.says(broken)

    with pytest.raises((ServerError, ConnectionFailed)):
        send(hoiio_client)
    assert (len(hoiio.requests), pauses) == (1, [])


def test_request_that_costs_money_is_not_sent_twice_if_the_open_connection_was_closed(
    hoiio: Hoiio, hoiio_client: HoiioClient, pauses: list[float]
) -> None:
    def hang_up(request: Request) -> None:
        hoiio.replies = [(200, b"", {"Content-Length": "99", "Connection": "close"})]

    query(hoiio_client)
    hoiio.meanwhile = hang_up
    with pytest.raises(ConnectionFailed):
        send(hoiio_client)

    assert ([request.path for request in hoiio.requests], pauses) == (["/open/sms/query_status", "/open/sms/send"], [])


# Secrets.


@pytest.mark.parametrize(
    "reply",
    [
        {"status": "error_dest_invalid", "dest": DEST, "msg": MSG},
        {"status": f"error of {DEST} with new-token"},
        {"status": "success_ok", "dest": DEST},
        (500, f"{DEST} {MSG} new-token".encode(), {}),
        (302, b"", {"Location": f"/?access_token=new-token&dest={DEST}"}),
        (200, b"{", {"Content-Length": "99", "Connection": "close"}),
    ],
    ids=["error_for", "odd status", "without txn_ref", "fault", "redirect", "broken off"],
)
def test_nothing_private_is_logged_or_in_an_exception(
    hoiio: Hoiio, hoiio_client: HoiioClient, caplog: pytest.LogCaptureFixture, reply: Reply
) -> None:
    hoiio.says(reply)
    caplog.set_level(logging.DEBUG)

    with pytest.raises(HoiioError) as raised:
        send(hoiio_client)
    error = raised.value
    printed = "".join(traceback.format_exception(error))
    shown = caplog.text + printed + str(error) + repr(error) + repr(vars(error))
    assert [secret for secret in PRIVATE if secret in shown] == []
    # A chained exception of requests would contain the request.
    assert (error.__cause__, error.__context__) == (None, None)


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:1/"], ids=["bad answer", "no answer"])
def test_error_page_with_all_variables_does_not_show_the_token(hoiio: Hoiio, settings: Any, url: str | None) -> None:
    # Random, because the error page also shows the source code.
    accounts = {"default": {"APP_ID": "app", "ACCESS_TOKEN": uuid4().hex}}
    settings.HOIIO = {**settings.HOIIO, "ACCOUNTS": accounts, "API_URL": url or hoiio.url}
    hoiio.says((500, b"", {}))

    with HoiioClient() as client, pytest.raises(ConnectionFailed) as raised:
        send(client)

    page = ExceptionReporter(None, ConnectionFailed, raised.value, raised.tb.tb_next).get_traceback_html()
    assert "sms/send" in page
    assert accounts["default"]["ACCESS_TOKEN"] not in page


def test_representations_contain_no_secret(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    shown = repr(hoiio_client) + repr(hoiio_client._connection) + repr(hoiio_client.sms)

    assert "token" not in shown
