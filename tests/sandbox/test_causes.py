"""The cause that `hoiio_trigger` names for each answer: of the project with a faulty setting, or of a server or a proxy."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.urls import path
from django.views.decorators.http import require_GET

from django_hoiio.models import Notification
from tests.clients import SandboxClient, project
from tests.sandbox.test_trigger import refused, trigger

Next = Callable[[HttpRequest], HttpResponse]

HOST = "my.example.com"
PRINTED = "Give Hoiio the URLs that `manage.py hoiio_urls` prints."
REFUSED = (
    "403: A proxy or a middleware refuses it; the app itself is exempt from CSRF. Exempt the path of django_hoiio.urls"
    " there."
)
BY_HTTPS = (
    "301: Django does not see that the request came by https (django_hoiio.W014). Write SECURE_PROXY_SSL_HEADER ="
    ' ("HTTP_X_FORWARDED_PROTO", "https"), and in nginx `proxy_set_header X-Forwarded-Proto $scheme;`. If --url is http,'
    " add --host."
)
NOT_INCLUDED = (
    '404: The URLs are not included there (django_hoiio.W015). Write path("hoiio/", include("django_hoiio.urls")).'
)
NOT_STORED = (
    "503: The database and the spool failed, or a transaction was open (django_hoiio.W016); see the server's log."
)
SHORT_LINE = "The server takes only shorter URLs. Start gunicorn with --limit-request-line 8190."
LOST = "No answer: The worker was killed, or the port expects https; see the server's log."
NOT_HOIIO = "{} of {} notifications were not answered with 200. {}"


# The project, with a faulty setting or middleware.


def require_login(get_response: Next) -> Next:
    return lambda request: redirect_to_login(request.get_full_path())


def forbid(get_response: Next) -> Next:
    return lambda request: HttpResponseForbidden("no")


def fail(get_response: Next) -> Next:
    def middleware(request: HttpRequest) -> HttpResponse:
        raise LookupError

    return middleware


def open_a_transaction(get_response: Next) -> Next:
    return transaction.atomic(get_response)


def use_other_urls(get_response: Next) -> Next:
    def middleware(request: HttpRequest) -> HttpResponse:
        request.urlconf = "tests.sandbox.test_causes"  # type: ignore[attr-defined]
        return get_response(request)

    return middleware


urlpatterns = [path("hoiio/fax/<token>/", require_GET(lambda request, token: HttpResponse()))]

HERE = "tests.sandbox.test_causes"
SECURITY, COMMON = "django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"


@pytest.fixture
def serve(settings: Any) -> Iterator[Callable[..., str]]:
    """A function that serves the project with these settings."""
    with_servers: list[Any] = []

    def serve(*middleware: str, **changes: Any) -> str:
        settings.MIDDLEWARE = [*middleware]
        settings.HOIIO = {"REQUIRE_VERIFICATION": True}
        for name, value in changes.items():
            setattr(settings, name, value)
        with_servers.append(project())
        return str(with_servers[-1].__enter__())

    yield serve
    for server in with_servers:
        server.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("middleware", "changes", "arguments", "cause"),
    [
        (SECURITY, {"SECURE_SSL_REDIRECT": True}, ["call_ended"], BY_HTTPS),
        (
            COMMON,
            {"PREPEND_WWW": True},
            ["call_ended"],
            f"301: PREPEND_WWW redirects it. Put www. before the host in HOIIO['PUBLIC_URL']. {PRINTED}",
        ),
        (
            f"{HERE}.require_login",
            {},
            ["call_ended"],
            "302: A middleware requires a login. Exempt the path of django_hoiio.urls there.",
        ),
        (
            COMMON,
            {"ALLOWED_HOSTS": ["www.example.com"]},
            ["call_ended"],
            "400: Add the host to ALLOWED_HOSTS (django_hoiio.W013), and write `proxy_set_header Host $host;` in nginx.",
        ),
        (
            COMMON,
            {},
            ["call_ended", "--unsigned"],
            "403: It could not be verified. Give the server the same HOIIO['SIGNING_KEYS'], or else SECRET_KEY.",
        ),
        (
            f"{HERE}.forbid",
            {},
            ["call_ended"],
            REFUSED,
        ),
        (f"{HERE}.use_other_urls", {}, ["call_ended"], NOT_INCLUDED),
        (
            f"{HERE}.use_other_urls",
            {},
            ["fax_received"],
            "405: Another view answers at this path. Include django_hoiio.urls before it.",
        ),
        (
            f"{HERE}.fail",
            {},
            ["call_ended"],
            "500: Something outside of the app raised, usually a middleware; see the server's log.",
        ),
    ],
)
def test_faulty_project_is_named(
    serve: Callable[..., str], middleware: str, changes: dict[str, Any], arguments: list[str], cause: str
) -> None:
    url = serve(middleware, **changes)

    assert refused(*arguments, "--host", HOST, "--url", url) == NOT_HOIIO.format(1, 1, cause)


@pytest.mark.django_db(transaction=True)
def test_transaction_of_a_middleware_is_named(serve: Callable[..., str]) -> None:
    url = serve(f"{HERE}.open_a_transaction")

    assert refused("call_ended", "--url", url) == NOT_HOIIO.format(1, 1, NOT_STORED)
    assert Notification.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_rehearsal_passes_if_the_project_is_set_up_for_a_proxy(serve: Callable[..., str]) -> None:
    url = serve(
        SECURITY,
        COMMON,
        SECURE_SSL_REDIRECT=True,
        SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
        ALLOWED_HOSTS=[HOST],
    )

    assert trigger("call_ended", "--host", HOST, "--url", url)[-1] == "1 notification sent and answered with 200."
    assert Notification.objects.count() == 1


# Other servers and proxies.

NGINX = b"<html>\r\n<body>\r\n<center><h1>Error</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
GUNICORN = b"<html><body><h1><p>Bad Request</p></h1>\n Request Line is too large (4095 &gt; 4094)</body></html>"
NOT_PASSED_ON = "nginx does not pass it on. Write `proxy_pass http://127.0.0.1:8000;` for its location."


@pytest.mark.parametrize(
    ("status", "page", "cause"),
    [
        (400, b"", "The body did not arrive completely; see the server's log."),
        (400, NGINX, "nginx expects TLS on this port. Write https:// in --url."),
        (400, GUNICORN, SHORT_LINE),
        (
            403,
            NGINX,
            REFUSED.removeprefix("403: "),
        ),
        (404, NGINX, NOT_PASSED_ON),
        (405, NGINX, NOT_PASSED_ON),
        (411, b"", "The server cannot read a chunked body. Write `proxy_request_buffering on;` in nginx."),
        (413, b"", "The body exceeds 1 MiB, or a smaller limit of a proxy."),
        (413, NGINX, "nginx takes only smaller bodies. Write `client_max_body_size 1m;`."),
        (414, GUNICORN, SHORT_LINE),
        (414, NGINX, "nginx takes only shorter URLs. Write `large_client_header_buffers 4 16k;`."),
        (418, b"", "See the server's log."),
        (502, NGINX, "nginx does not reach the server. Start gunicorn, with the --bind that proxy_pass names."),
        (503, NGINX, "nginx limits the requests. Remove limit_req and limit_conn for this path."),
        (504, NGINX, "The server did not answer nginx within proxy_read_timeout. Limit the waits for the database."),
    ],
)
def test_answer_is_named(status: int, page: bytes, cause: str, sandbox_client: SandboxClient) -> None:
    sandbox_client.status, sandbox_client.page = status, page

    assert refused("--script", "sms_delivered") == NOT_HOIIO.format(2, 2, f"{status}: {cause}")


@pytest.mark.parametrize(
    ("location", "page", "cause"),
    [
        ("https://127.0.0.1{path}", b"", BY_HTTPS),
        (
            "https://127.0.0.1{path}",
            NGINX,
            "301: nginx redirects it. Write --url https://127.0.0.1, and remove redirects from its server block.",
        ),
        ("{path}/", b"", f"301: APPEND_SLASH redirects it (django_hoiio.W017). {PRINTED}"),
        (
            "/en{path}",
            b"",
            "301: It leads to another URL, and Hoiio does not follow. Remove the redirect of this path.",
        ),
        (
            "http://other.example.com{path}",
            b"",
            "301: It leads to another URL, and Hoiio does not follow. Remove the redirect of this path.",
        ),
    ],
)
def test_redirect_is_named_and_not_followed(
    location: str, page: bytes, cause: str, sandbox_client: SandboxClient
) -> None:
    sandbox_client.status, sandbox_client.page = 301, page
    sandbox_client.meanwhile = lambda heard: sandbox_client.headers.update(Location=location.format(path=heard.path))

    assert refused("call_ended") == NOT_HOIIO.format(1, 1, cause)
    assert len(sandbox_client.notifications) == 1


def test_each_cause_is_named_once(sandbox_client: SandboxClient) -> None:
    answers = iter([503, 413, 503, 200])
    sandbox_client.meanwhile = lambda heard: setattr(sandbox_client, "status", next(answers))

    assert refused("call_ended", "--repeat", "4") == NOT_HOIIO.format(
        3, 4, f"{NOT_STORED} 413: The body exceeds 1 MiB, or a smaller limit of a proxy."
    )


# No answer.


@contextmanager
def listening(handle: Callable[[socket.socket], None]) -> Iterator[str]:
    """Accept one connection and handle it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: handle(server.accept()[0]))
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def hang_up(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.close()


def speak_plainly(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    connection.close()


def test_connection_that_is_closed_is_named(settings: Any) -> None:
    settings.HOIIO = {}
    with listening(hang_up) as address:
        assert refused("call_ended", "--url", f"http://{address}") == NOT_HOIIO.format(1, 1, LOST)


def test_server_without_tls_is_named(settings: Any) -> None:
    settings.HOIIO = {}
    with listening(speak_plainly) as address:
        assert refused("call_ended", "--url", f"https://{address}") == NOT_HOIIO.format(
            1, 1, "No answer: The port has no TLS. Write http:// in --url."
        )


def test_server_that_hangs_is_named(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HOIIO = {}
    monkeypatch.setattr("django_hoiio.sandbox.delivery.TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert refused("call_ended", "--url", f"http://127.0.0.1:{server.getsockname()[1]}") == NOT_HOIIO.format(
            1, 1, "No answer: Each worker is busy, or waits for the database. Limit the waits; see the server's log."
        )
