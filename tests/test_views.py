"""Webhook view: accepted and refused requests, and their responses."""

from __future__ import annotations

import hmac
import importlib
import io
import logging
import stat
import uuid
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.signing import Signer
from django.db import DatabaseError, OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.urls import NoReverseMatch, include, path, resolve, reverse

from django_hoiio import ingest as ingesting
from django_hoiio import spool, urls, views
from django_hoiio.enums import Kind, Route, VerifiedBy
from django_hoiio.ingest.reports import raw_of
from django_hoiio.masking import MaskingFilter
from django_hoiio.models import Notification, Sms
from django_hoiio.notify_urls import notify_url
from django_hoiio.parsing import parse
from django_hoiio.signals import sms_status
from django_hoiio.verification import SALT, sign
from tests.conftest import FORM, Post

pytestmark = pytest.mark.django_db

STATUS = b"txn_ref=AA-S-1&sms_status=delivered"
LIMIT = views.BODY_LIMIT


def send(path: str = "sms/", body: bytes = STATUS, method: str = "POST", **kwargs: Any) -> HttpResponse:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    response: Any = client.generic(method, f"/hoiio/{path}", body, content_type=FORM, **kwargs)
    return response


# Routes.


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("route", Route)
def test_each_route_works_with_and_without_a_trailing_slash(post: Post, route: Route, slash: str) -> None:
    assert post(f"{route}{slash}", STATUS).route == route


def test_root_url_accepts_every_kind(post: Post) -> None:
    assert post("", STATUS).route == Route.ANY


def test_root_url_works_without_its_slash_beside_the_included_urls() -> None:
    assert Client().post("/hoiio", STATUS, content_type=FORM).status_code == 200
    assert Notification.objects.get().route == Route.ANY


def test_root_url_without_its_slash_is_never_redirected(settings: Any) -> None:
    settings.ROOT_URLCONF = type("urls", (), {"urlpatterns": [path("hoiio/", include("django_hoiio.urls"))]})

    assert Client().post("/hoiio", STATUS, content_type=FORM).status_code == 404


@pytest.mark.parametrize("route", Route)
def test_routes_have_names(route: Route) -> None:
    assert reverse(f"django_hoiio:{route}") == f"/hoiio/{route}/"
    assert resolve(f"/hoiio/{route}").kwargs == {"route": route}


def test_urls_can_be_loaded_again() -> None:
    again = importlib.reload(urls)

    assert [str(each.pattern) for each in again.urlpatterns][-1] == ""


@pytest.mark.parametrize("route", Route)
def test_signed_url_has_a_name(route: Route) -> None:
    assert reverse("django_hoiio:signed", kwargs={"route": route, "token": "x~y"}) == f"/hoiio/{route}/x~y/"
    assert resolve(f"/hoiio/{route}/x~y").kwargs == {"route": route, "token": "x~y"}
    with pytest.raises(NoReverseMatch):
        reverse("django_hoiio:signed", kwargs={"route": "mms", "token": "x~y"})


@pytest.mark.parametrize("path", ["sms/x/y", "mms", "sms//", "SMS", "x~y"])
def test_other_paths_are_not_found(path: str) -> None:
    assert send(path).status_code == 404
    assert Notification.objects.count() == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["", "sms", "sms/"])
def test_other_methods_are_refused(path: str, method: str) -> None:
    response = send(path, method=method)

    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert Notification.objects.count() == 0


def test_csrf_token_and_login_are_not_required() -> None:
    assert "django.middleware.csrf.CsrfViewMiddleware" in settings.MIDDLEWARE
    assert "django.contrib.auth.middleware.LoginRequiredMiddleware" in settings.MIDDLEWARE

    assert send().status_code == 200


# Verification.

ACCOUNTS = {"default": {"ACCESS_TOKEN": "token"}, "second": {"ACCESS_TOKEN": ["new", "old"]}}


@pytest.fixture
def strict(settings: Any) -> None:
    settings.HOIIO = {"PUBLIC_URL": "https://my.example.com", "ACCOUNTS": ACCOUNTS}


def signed(route: str = "sms", **kwargs: Any) -> str:
    return notify_url(route, **kwargs).removeprefix("https://my.example.com/hoiio/")


def signature(body: bytes = STATUS, token: str = "token") -> dict[str, str]:  # noqa: S107
    return {"X-Hoiio-Signature": hmac.new(token.encode(), body, "sha256").hexdigest()}


def test_unverified_request_is_refused(
    strict: None, django_assert_num_queries: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with django_assert_num_queries(0), caplog.at_level(logging.WARNING, "django_hoiio"):
        response = send()

    assert (response.status_code, response.content) == (403, b"")
    assert Notification.objects.count() == 0
    assert [record.getMessage() for record in caplog.records if record.name == "django_hoiio.views"] == [
        views.NOT_VERIFIED % "sms"
    ]


def test_verification_is_required_by_default(settings: Any) -> None:
    del settings.HOIIO
    assert send().status_code == 403

    settings.HOIIO = {"REQUIRE_VERIFICATION": False}
    assert send().status_code == 200
    assert Notification.objects.get().verified_by == VerifiedBy.NONE


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("route", Route)
def test_signed_url_is_accepted_and_returns_the_pass_on_values(strict: None, route: Route, slash: str) -> None:
    pass_on = {"username": "bob", "x": "~ é + %2B & = 😀", "tag": "mine", "nested": {"a": [1, None]}}
    url = signed(route, account="second", pass_on=pass_on)

    assert send(url.rstrip("/") + slash).status_code == 200

    stored = Notification.objects.get()
    assert (stored.verified_by, stored.account, stored.route, stored.pass_on) == (
        VerifiedBy.URL,
        "second",
        route,
        pass_on,
    )
    assert (stored.params["txn_ref"], stored.problems, stored.unverified_params) == ("AA-S-1", {}, [])


@pytest.mark.parametrize("kind", [Kind.IVR_PLAY, Kind.IVR_HANGUP, Kind.IVR_UNHOLD, Kind.IVR_GATHER])
@pytest.mark.parametrize(("state", "ended"), [("ongoing", []), ("ended", ["ivr_ended"])])
def test_signed_block_names_the_signals_and_is_stored(
    strict: None, heard: list[Any], kind: Kind, state: str, ended: list[str]
) -> None:
    block = {"kind": kind.value, "step": 2}
    body = f"txn_ref=AA-C-1&session=S1&call_state={state}".encode()

    assert send(f"ivr/{sign(Route.IVR, 'default', {}, block)}/", body).status_code == 200

    notification = Notification.objects.get()
    assert (notification.kind, notification.block, notification.pass_on) == (kind, block, {})
    assert [name for name, _ in heard] == [kind, *ended, "notification_received"]


def test_block_is_taken_from_a_signed_url_only(post: Post) -> None:
    notification = post('ivr/?block={"kind":"ivr_play"}', "session=S1&call_state=ongoing")

    assert (notification.kind, notification.block) == (Kind.IVR_STEP, {})


def test_signed_pass_on_values_override_the_query_and_other_parameters_are_stored(strict: None) -> None:
    assert send(signed(pass_on={"username": "bob"}) + "?username=eve&x=1&txn_ref=AA-S-9").status_code == 200

    stored = Notification.objects.get()
    assert (stored.pass_on, stored.params["txn_ref"]) == ({"username": "bob", "x": "1"}, "AA-S-1")


@pytest.mark.parametrize(("token", "account"), [("token", "default"), ("new", "second"), ("old", "second")])
@pytest.mark.parametrize("case", ["lower", "upper"])
def test_signature_is_accepted_and_identifies_the_account(strict: None, token: str, account: str, case: str) -> None:
    headers = {name: getattr(value, case)() for name, value in signature(token=token).items()}

    assert send(headers=headers).status_code == 200

    stored = Notification.objects.get()
    assert (stored.verified_by, stored.account, stored.problems) == (VerifiedBy.SIGNATURE, account, {})


def test_signature_verifies_only_the_body(strict: None) -> None:
    query = "txn_ref=AA-S-9&sms_status=failed&debit=1&username=bob&x=query"
    body = STATUS + b"&x=body"

    assert send(f"sms?{query}", body, headers=signature(body)).status_code == 200

    stored = Notification.objects.get()
    assert stored.params == {"txn_ref": "AA-S-1", "sms_status": "delivered"}
    assert (stored.pass_on, stored.unverified_params, stored.query) == (
        {"username": "bob", "x": "body"},
        ["username"],
        query,
    )
    assert list(Sms.objects.values_list("txn_ref", "sms_status", "debit")) == [("AA-S-1", "delivered", None)]


def test_signature_of_an_empty_body_verifies_nothing(strict: None) -> None:
    assert send("sms?txn_ref=AA-S-1&sms_status=delivered", b"", headers=signature(b"")).status_code == 403
    assert Notification.objects.count() == 0


def test_signed_url_with_a_wrong_signature_is_accepted_with_a_problem(strict: None) -> None:
    assert send(signed(), headers=signature(token="rotated")).status_code == 200

    stored = Notification.objects.get()
    assert (stored.verified_by, stored.problems) == (VerifiedBy.URL, {"signature": "does not match the body"})


def test_broken_token_with_a_right_signature_is_accepted_with_a_problem(strict: None) -> None:
    assert send("sms/broken~token/", headers=signature()).status_code == 200

    stored = Notification.objects.get()
    assert stored.verified_by == VerifiedBy.SIGNATURE
    assert stored.problems == {"token": "the token of the notify URL is not valid"}


def test_url_signed_with_an_old_key_is_accepted_with_a_problem(strict: None, settings: Any) -> None:
    settings.HOIIO = {**settings.HOIIO, "SIGNING_KEYS": ["old"]}
    url = signed()
    settings.HOIIO = {**settings.HOIIO, "SIGNING_KEYS": ["new", "old"]}

    assert send(url).status_code == 200
    problem = "the notify URL was signed with an old key; give Hoiio a new URL"
    assert Notification.objects.get().problems == {"token": problem}


def test_log_of_a_refusal_has_no_content_of_the_request(strict: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(MaskingFilter())
    url = signed(pass_on={"secret": "1"})

    send(url[:-2] + "x/?from=%2B6511111111&msg=secret+text", STATUS + b"&dest=%2B6522222222")

    assert len(caplog.records) == 2
    assert not any(private in caplog.text for private in (url[4:40], "6511111111", "6522222222", "secret"))


# Bytes.


def test_request_is_stored_byte_for_byte(post: Post) -> None:
    body = b"msg=caf\xe9%00\x00%2B+&txn_ref=AA-SI-1&from=%252B651"

    stored = post("sms?x=%41+b&x=2&;=%00", body)
    stored.refresh_from_db()

    assert (stored.query, bytes(stored.body)) == ("x=%41+b&x=2&;=%00", body)
    assert (stored.params["msg"], stored.pass_on) == ("café\ufffd\ufffd+ ", {"x": "2", ";": "\ufffd"})
    assert Sms.objects.get().msg == "café\ufffd\ufffd+ "


def test_query_with_bytes_invalid_in_a_url_is_stored_percent_encoded() -> None:
    # WSGI passes the raw bytes as Latin-1 text.
    response = send("sms", b"", QUERY_STRING=b"msg=caf\xe9\x00&from=1".decode("latin-1"))

    assert response.status_code == 200
    stored = Notification.objects.get()
    assert (stored.query, stored.params) == ("msg=caf%E9%00&from=1", {"msg": "café\ufffd", "from": "1"})


@pytest.mark.parametrize("place", ["query", "body"])
def test_five_thousand_parameters_and_a_value_of_64_kilobytes_are_stored(post: Post, place: str) -> None:
    many = "&".join(f"x{number}={number}" for number in range(5000))
    content = f"{many}&msg={'m' * 65536}&txn_ref=AA-SI-1"

    stored = post(f"any?{content}") if place == "query" else post("any", content)
    stored.refresh_from_db()

    assert stored.pass_on == {f"x{number}": str(number) for number in range(5000)}
    assert (stored.kind, stored.params["msg"], stored.transaction.msg) == (Kind.SMS_RECEIVED, "m" * 65536, "m" * 65536)  # type: ignore[union-attr]
    assert (stored.query or bytes(stored.body).decode()) == content


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ("", {"parameters": "there are no parameters"}),
        ("username=bob", {"parameters": "none of the parameters is Hoiio's"}),
        ("txn_ref=AA-S-1&sms_status=martian", {"sms_status": "is not a value that Hoiio documents"}),
        (
            "txn_ref=AA-S-1&sms_status=queued&date=soon&debit=much",
            {"date": "is not a date", "debit": "is not an amount"},
        ),
        (
            f"sms_status=queued&txn_ref={'x' * 65}",
            {"txn_ref": "is longer than 64 characters"},
        ),
    ],
)
def test_unreadable_parameters_are_stored_and_reported_as_problems(
    post: Post, content: str, problems: dict[str, str]
) -> None:
    stored = post("any", content)
    stored.refresh_from_db()

    assert (stored.problems, bytes(stored.body)) == (problems, content.encode())


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"txn_ref": "AA-S-1", "sms_status": "delivered"}'),
        (
            "multipart/form-data; boundary=b",
            (
                b'--b\r\nContent-Disposition: form-data; name="txn_ref"\r\n\r\nAA-S-1\r\n'
                b'--b\r\nContent-Disposition: form-data; name="sms_status"\r\n\r\ndelivered\r\n--b--\r\n'
            ),
        ),
    ],
)
def test_json_and_multipart_bodies_are_parsed(post: Post, content_type: str, body: bytes) -> None:
    stored = post("any", body, content_type)

    assert (stored.params, bytes(stored.body)) == ({"txn_ref": "AA-S-1", "sms_status": "delivered"}, body)


def test_few_headers_and_the_remote_address_are_stored() -> None:
    send(
        headers={"User-Agent": "Hoiio\0", "X-Hoiio-Signature": "abc", "Cookie": "secret=1", "Authorization": "x"},
        REMOTE_ADDR="unix:" + "x" * 300,
    )

    stored = Notification.objects.get()
    assert stored.headers == {"Content-Type": FORM, "User-Agent": "Hoiio\ufffd", "X-Hoiio-Signature": "abc"}
    assert stored.remote_addr == ("unix:" + "x" * 300)[:255]


@pytest.mark.parametrize("peer", [None, "", "nobody", "::ffff:1.2.3.4"])
def test_odd_or_missing_peer_loses_no_row(peer: str | None) -> None:
    assert send(REMOTE_ADDR=peer).status_code == 200
    assert Notification.objects.get().remote_addr == (peer or "")


# Size.


class Untouched(io.BytesIO):
    """A request body that counts the bytes read."""

    was_read = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.was_read += len(data)
        return data


def _request(body: io.BytesIO, **environ: Any) -> HttpRequest:
    request = RequestFactory().post("/hoiio/sms/", **environ)
    return type(request)({**request.environ, "wsgi.input": body, **environ})


def test_body_of_exactly_one_mebibyte_is_stored(post: Post) -> None:
    stored = post("any", b"x=" + b"y" * (LIMIT - 2))

    assert len(bytes(stored.body)) == LIMIT


def test_body_over_one_mebibyte_is_refused_unread() -> None:
    body = Untouched(b"x" * (LIMIT + 1))

    response = views.receive(_request(body, CONTENT_LENGTH=str(LIMIT + 1)), route=Route.SMS)

    assert (response.status_code, response.content, body.was_read) == (413, b"", 0)
    assert Notification.objects.count() == 0


def test_chunked_body_is_read_where_the_server_marks_its_end() -> None:
    request = _request(
        Untouched(STATUS), CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input_terminated": True}
    )

    assert views.receive(request, route=Route.SMS).status_code == 200
    assert Notification.objects.get().params == {"txn_ref": "AA-S-1", "sms_status": "delivered"}


def test_chunked_body_over_one_mebibyte_is_refused_and_read_no_further() -> None:
    body = Untouched(b"x" * (3 * LIMIT))
    request = _request(body, CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input_terminated": True})

    response = views.receive(request, route=Route.SMS)

    assert (response.status_code, body.was_read) == (413, LIMIT + 1)
    assert Notification.objects.count() == 0


def test_chunked_body_without_an_end_is_refused_with_length_required() -> None:
    response = send(HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="")

    assert (response.status_code, response.content) == (411, b"")
    assert Notification.objects.count() == 0


def test_body_that_breaks_off_is_refused() -> None:
    response = views.receive(_request(Untouched(b"txn_ref=AA-S-1&debit=0.0"), CONTENT_LENGTH="100"), route=Route.SMS)

    assert (response.status_code, response.content) == (400, b"")
    assert Notification.objects.count() == 0


@pytest.mark.parametrize("error", [OSError("reset"), ValueError("bad chunk"), StopIteration()])
def test_body_that_the_server_cannot_deliver_is_refused(error: Exception) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise error

    assert views.receive(_request(Broken(), CONTENT_LENGTH="100"), route=Route.SMS).status_code == 400
    assert Notification.objects.count() == 0


def test_limits_of_django_for_uploads_do_not_apply(post: Post, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 1

    assert post("sms?x=1&y=2", STATUS).params == {"txn_ref": "AA-S-1", "sms_status": "delivered"}


@pytest.mark.parametrize("length", ["", "0"])
def test_body_without_a_length_is_empty(length: str) -> None:
    assert send("sms?txn_ref=AA-S-1&sms_status=queued", CONTENT_LENGTH=length).status_code == 200
    assert Notification.objects.get().body == b""


@pytest.mark.parametrize("length", ["x", "-1", "+4", "4_0", "4, 9", "4 9", "0x4", "\uff14", "4.0"])
def test_content_length_that_is_no_number_is_refused(length: str) -> None:
    assert send("sms?txn_ref=AA-S-1&sms_status=queued", CONTENT_LENGTH=length).status_code == 400
    assert Notification.objects.count() == 0


@pytest.mark.parametrize("encoding", ["chunked", "Chunked", "gzip, chunked", "gzip", "identity"])
@pytest.mark.parametrize("length", ["0", "4", str(LIMIT + 1)])
def test_content_length_beside_a_transfer_encoding_is_refused(length: str, encoding: str) -> None:
    """Servers read as much as one of the two headers states; the smaller would truncate the notification."""
    assert send(CONTENT_LENGTH=length, HTTP_TRANSFER_ENCODING=encoding).status_code == 400
    assert Notification.objects.count() == 0


@pytest.mark.parametrize("encoding", ["gzip", "identity", "xchunked", "chunked, gzip"])
def test_transfer_encoding_that_does_not_end_the_body_is_refused(encoding: str) -> None:
    request = _request(
        Untouched(STATUS), CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING=encoding, **{"wsgi.input_terminated": True}
    )

    assert views.receive(request, route=Route.SMS).status_code == 400
    assert Notification.objects.count() == 0


def test_empty_transfer_encoding_is_none() -> None:
    """Proxies that pass each header by name may pass an empty one."""
    assert send(HTTP_TRANSFER_ENCODING="").status_code == 200
    assert Notification.objects.get().body == STATUS


def test_content_length_with_thousands_of_zeros_is_a_number() -> None:
    body = io.BytesIO(STATUS)

    assert views.receive(_request(body, CONTENT_LENGTH="0" * 5000 + "100"), route=Route.SMS).status_code == 400


# Tokens signed with the right key, but not made by `sign`.


@pytest.mark.parametrize(
    "value", [{"a": 1}, ["sms", "default"], ["sms", None, {}], ["sms", "default", []], "sms", None]
)
@pytest.mark.parametrize("compress", [True, False])
def test_signed_token_of_another_shape_is_refused(strict: None, value: Any, compress: bool) -> None:
    token = Signer(sep="~", salt=SALT).sign_object([value, "x" * 500] if compress else value, compress=compress)

    assert send(f"sms/{token}/").status_code == 403
    assert Notification.objects.count() == 0


def test_signed_url_of_a_removed_account_is_still_accepted(strict: None) -> None:
    path = f"sms/{sign(Route.SMS, 'gone', {})}/"

    assert send(path).status_code == 200
    assert send(path, **signature()).status_code == 200
    assert [(row.account, row.verified_by) for row in Notification.objects.all()] == [("gone", VerifiedBy.URL)] * 2


class ReadsFirst:
    """A middleware that reads the body before the view."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.POST.get("x")
        answer: HttpResponse = self.get_response(request)
        return answer


def test_body_that_a_middleware_has_read_is_stored(post: Post, settings: Any) -> None:
    settings.MIDDLEWARE = [f"{__name__}.ReadsFirst", *settings.MIDDLEWARE]

    assert bytes(post("sms", STATUS).body) == STATUS


MULTIPART = b'--b\r\nContent-Disposition: form-data; name="sms_status"\r\n\r\ndelivered\r\n--b--\r\n'


class ReadsStreamFirst(ReadsFirst):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.read(5)
        answer: HttpResponse = self.get_response(request)
        return answer


def post_multipart(client: Any, path: str, **headers: str) -> HttpResponse:
    """Post over WSGI or ASGI."""

    async def answer() -> Any:
        return await posted

    form = "multipart/form-data; boundary=b"
    posted: Any = client().generic("POST", f"/hoiio/{path}", MULTIPART, content_type=form, headers=headers)
    response: HttpResponse = async_to_sync(answer)() if client is AsyncClient else posted
    return response


CONSUMED = {"body": "a middleware had read it before the webhook"}
both_servers = pytest.mark.parametrize("client", [Client, AsyncClient])


@both_servers
@pytest.mark.parametrize("middleware", ["ReadsFirst", "ReadsStreamFirst"])
def test_query_is_stored_if_a_middleware_has_consumed_the_body(
    strict: None, settings: Any, caplog: pytest.LogCaptureFixture, client: Any, middleware: str
) -> None:
    settings.MIDDLEWARE = [f"{__name__}.{middleware}", *settings.MIDDLEWARE]

    response = post_multipart(client, f"sms/{sign(Route.SMS, 'default', {})}?txn_ref=AA-S-1&sms_status=queued")

    stored = Notification.objects.get()
    assert (response.status_code, stored.verified_by) == (200, VerifiedBy.URL)
    assert (bytes(stored.body), stored.params) == (b"", {"txn_ref": "AA-S-1", "sms_status": "queued"})
    assert stored.problems == CONSUMED
    assert parse(raw_of(stored)).problems == CONSUMED
    assert (
        "The body of a notification on the route sms is lost, because a middleware had read it: it must not use"
        " request.POST or request.read() before the webhook."
    ) in caplog.messages


@both_servers
def test_signature_of_a_consumed_body_verifies_nothing(strict: None, settings: Any, client: Any) -> None:
    settings.MIDDLEWARE = [f"{__name__}.ReadsFirst", *settings.MIDDLEWARE]
    of_body = hmac.new(b"t", MULTIPART, "sha256").hexdigest()
    of_nothing = hmac.new(b"t", b"", "sha256").hexdigest()
    settings.HOIIO = {**settings.HOIIO, "ACCOUNTS": {"default": {"ACCESS_TOKEN": "t"}}}

    for signature in (of_body, of_nothing):
        response = post_multipart(client, "sms?txn_ref=AA-S-1", **{"X-Hoiio-Signature": signature})
        assert response.status_code == 403
    assert Notification.objects.count() == 0

    signed = f"sms/{sign(Route.SMS, 'default', {})}?txn_ref=AA-S-1&sms_status=queued"
    assert post_multipart(client, signed, **{"X-Hoiio-Signature": of_body}).status_code == 200
    assert Notification.objects.get().problems == CONSUMED


class ReadsAfterwards:
    """A middleware that reads the body and the form after the view."""

    seen: tuple[bytes, dict[str, Any]]

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer: HttpResponse = self.get_response(request)
        ReadsAfterwards.seen = (request.body, request.POST.dict())
        return answer


@both_servers
def test_middleware_can_read_the_body_after_the_view(settings: Any, client: Any) -> None:
    settings.MIDDLEWARE = [f"{__name__}.ReadsAfterwards", *settings.MIDDLEWARE]

    assert post_multipart(client, "sms").status_code == 200
    assert ReadsAfterwards.seen == (MULTIPART, {"sms_status": "delivered"})
    assert bytes(Notification.objects.get().body) == MULTIPART


def test_middleware_can_read_a_chunked_body_after_the_view() -> None:
    chunked = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    request = _request(io.BytesIO(STATUS), CONTENT_TYPE=FORM, **chunked)

    assert views.receive(request).status_code == 200
    assert (request.body, request.POST["txn_ref"]) == (STATUS, "AA-S-1")


def test_middleware_that_reads_a_refused_body_does_not_change_the_answer(settings: Any) -> None:
    settings.MIDDLEWARE = [f"{__name__}.ReadsAfterwards", *settings.MIDDLEWARE]

    assert send(body=STATUS, CONTENT_LENGTH=str(len(STATUS) + 1)).status_code == 400


def test_empty_body_that_a_middleware_has_read_is_empty(settings: Any) -> None:
    settings.MIDDLEWARE = [f"{__name__}.ReadsStreamFirst", *settings.MIDDLEWARE]

    assert send("sms?txn_ref=AA-S-1&sms_status=queued", b"", CONTENT_LENGTH="0").status_code == 200
    assert Notification.objects.get().problems == {}


# The database.


@pytest.mark.parametrize("error", [OperationalError("could not connect"), OperationalError("database is locked")])
def test_unavailable_database_is_not_answered_with_200(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(ingesting, "store", refuse)
    with caplog.at_level(logging.ERROR, "django_hoiio"):
        response = send(body=STATUS + b"&dest=%2B6511111111")

    assert (response.status_code, response.content) == (503, b"")
    assert "6511111111" not in caplog.text


@pytest.mark.parametrize("error", [OperationalError("could not connect"), DatabaseError("disk is full")])
def test_database_that_is_away_sends_the_notification_to_the_spool(
    monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path, error: Exception
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise error

    settings.HOIIO = {"REQUIRE_VERIFICATION": False, "SPOOL_DIR": tmp_path / "spool"}
    monkeypatch.setattr(ingesting, "store", refuse)

    assert send("sms?x=1", REMOTE_ADDR="127.0.0.1").status_code == 200

    (path,) = (tmp_path / "spool").iterdir()
    waiting = spool.load(path)
    assert (waiting.route, waiting.query, waiting.body, waiting.remote_addr) == (Route.SMS, "x=1", STATUS, "127.0.0.1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


class OneTransactionForAll:
    """A middleware that wraps each request in a transaction, which could still be rolled back."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with transaction.atomic():
            answer: HttpResponse = self.get_response(request)
            return answer


@pytest.mark.django_db(transaction=True)
def test_transaction_of_a_middleware_cannot_roll_back_an_accepted_notification(
    settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.MIDDLEWARE = [f"{__name__}.OneTransactionForAll", *settings.MIDDLEWARE]
    assert send().status_code == 503
    assert (
        " could not be stored. On the database 'default' a transaction was already open, which could roll the notification"
        " back. Exempt the webhook from the middleware or decorator that opens it, perhaps"
        f" {__name__}.OneTransactionForAll: docs/reference/checks.rst, W016." in caplog.text
    )

    settings.HOIIO = {"REQUIRE_VERIFICATION": False, "SPOOL_DIR": tmp_path}
    assert send().status_code == 200
    assert len(list(spool.pending(tmp_path))) == 1


def test_unavailable_database_and_spool_are_not_answered_with_200(
    monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("away")

    (tmp_path / "file").write_text("in the way")
    settings.HOIIO = {"REQUIRE_VERIFICATION": False, "SPOOL_DIR": tmp_path / "file"}
    monkeypatch.setattr(ingesting, "store", refuse)

    assert send().status_code == 503


@pytest.mark.django_db(transaction=True)
def test_atomic_requests_cannot_roll_back_a_stored_notification(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    inside = []

    def witness(**kwargs: Any) -> None:
        inside.append(connection.in_atomic_block)

    sms_status.connect(witness)
    try:
        assert send().status_code == 200
    finally:
        sms_status.disconnect(witness)
    assert (Notification.objects.count(), Sms.objects.count(), inside) == (1, 1, [False])


def test_each_notification_has_its_own_uuid() -> None:
    send()
    send()

    uuids = list(Notification.objects.values_list("uuid", flat=True))
    assert len(set(uuids)) == 2
    assert all(isinstance(raw_notification, uuid.UUID) for raw_notification in uuids)
