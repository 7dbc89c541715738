"""Requests and responses of each call of the client."""

from __future__ import annotations

import inspect
import io
import re
import subprocess
import sys
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime, timezone
from types import SimpleNamespace, TracebackType
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.views.debug import ExceptionReporter

from django_hoiio import exceptions
from django_hoiio.client import HoiioClient, endpoints, responses
from django_hoiio.client.account import configure_number
from django_hoiio.client.endpoints import Endpoint
from django_hoiio.client.resource import Resource
from django_hoiio.client.responses import HoiioResponse
from django_hoiio.enums import Route, VerifiedBy
from django_hoiio.exceptions import InvalidParameter, ServerError
from django_hoiio.models import Sms
from django_hoiio.verification import VerificationResult, verify
from tests import ROOT
from tests.documents import code_of
from tests.fake_hoiio import Hoiio

pytestmark = pytest.mark.django_db

DONE = {"status": "success_ok"}
PDF = b"%PDF-1.4\n..."
MORNING = datetime(2026, 1, 31, 1, 2, 3, tzinfo=timezone.utc)
NOON = datetime(2026, 1, 31, 4, 0, 0, 999, tzinfo=timezone.utc)
PERIOD = {"from": "2026-01-31 09:02:03", "to": "2026-01-31 12:00:00", "page": "2"}
DEST, DEST1, DEST2 = "+6511111111", "+6522222222", "+6533333333"

SENT = responses.SentResponse(status="success_ok", txn_ref="AA-S-1")
CONFERENCE = responses.ConferenceResponse(status="success_ok", txn_refs=("AA-C-1",))
ACCEPTED = HoiioResponse(status="success_ok")

Call = tuple[str, str, dict[str, Any], dict[str, str], HoiioResponse]

# Group and method, path, arguments, parameters without the credentials and the notify URL, and the response.
# Each method twice: with the required arguments, and with all arguments.
CALLS: list[Call] = [
    ("voice.call", "voice/call", {"dest2": DEST2}, {"dest2": DEST2}, SENT),
    (
        "voice.call",
        "voice/call",
        {"dest1": DEST1, "dest2": DEST2, "caller_id": "private", "max_duration": 600, "tag": "t"},
        {"dest1": DEST1, "dest2": DEST2, "caller_id": "private", "max_duration": "600", "tag": "t"},
        SENT,
    ),
    *(
        call
        for name, path in (("voice.conference", "voice/conference"), ("conference.call", "conference/call"))
        for call in (
            (name, path, {"dest": [DEST1]}, {"dest": DEST1}, CONFERENCE),
            (
                name,
                path,
                {"dest": [DEST1, DEST2], "room": "R.1_a", "caller_id": DEST, "tag": "t"},
                {"dest": f"{DEST1},{DEST2}", "room": "R.1_a", "caller_id": DEST, "tag": "t"},
                CONFERENCE,
            ),
        )
    ),
    (
        "conference.moderate",
        "conference/moderate",
        {"txn_ref": "AA-C-1", "action": "mute"},
        {"txn_ref": "AA-C-1", "action": "mute"},
        ACCEPTED,
    ),
    ("voice.hangup", "voice/hangup", {"txn_ref": "AA-C-1"}, {"txn_ref": "AA-C-1"}, ACCEPTED),
    (
        "voice.query_status",
        "voice/query_status",
        {"txn_ref": "AA-C-1"},
        {"txn_ref": "AA-C-1"},
        responses.CallStatusResponse(status="success_ok", txn_ref="AA-S-1"),
    ),
    ("voice.get_history", "voice/get_history", {}, {"page": "1"}, responses.CallHistoryResponse(status="success_ok")),
    (
        "voice.get_history",
        "voice/get_history",
        {"from_": MORNING, "to": NOON, "page": 2},
        PERIOD,
        responses.CallHistoryResponse(status="success_ok"),
    ),
    (
        "voice.get_rate",
        "voice/get_rate",
        {"dest2": DEST2},
        {"dest2": DEST2},
        responses.RateResponse(status="success_ok"),
    ),
    (
        "sms.send",
        "sms/send",
        {"dest": DEST, "msg": "hoiio wörld & €\n"},
        {"dest": DEST, "msg": "hoiio wörld & €\n"},
        SENT,
    ),
    (
        "sms.send",
        "sms/send",
        {"dest": DEST, "msg": "m", "sender_name": "Hoiio", "tag": ""},
        {"dest": DEST, "msg": "m", "sender_name": "Hoiio", "tag": ""},
        SENT,
    ),
    (
        "sms.bulk_send",
        "sms/bulk_send",
        {"dest": [DEST1, DEST2], "msg": "m"},
        {"dest": f"{DEST1},{DEST2}", "msg": "m"},
        responses.BulkSmsResponse(status="success_ok", bulk_txn_ref="AA-B-1"),
    ),
    (
        "sms.bulk_send",
        "sms/bulk_send",
        {"recipients": [{"dest": DEST, "name": "Bob"}], "msg": "Hi {{name}}", "sender_name": DEST1, "tag": "t"},
        {
            "recipients": f'[{{"dest": "{DEST}", "name": "Bob"}}]',
            "msg": "Hi {{name}}",
            "sender_name": DEST1,
            "tag": "t",
        },
        responses.BulkSmsResponse(status="success_ok", bulk_txn_ref="AA-B-1"),
    ),
    (
        "sms.query_status",
        "sms/query_status",
        {"txn_ref": "AA-S-1"},
        {"txn_ref": "AA-S-1"},
        responses.SmsStatusResponse(status="success_ok", txn_ref="AA-S-1"),
    ),
    ("sms.get_history", "sms/get_history", {}, {"page": "1"}, responses.SmsHistoryResponse(status="success_ok")),
    (
        "sms.get_history",
        "sms/get_history",
        {"from_": MORNING, "to": NOON, "page": 2},
        PERIOD,
        responses.SmsHistoryResponse(status="success_ok"),
    ),
    *(
        (
            f"{group}.get_rate",
            f"{group}/get_rate",
            arguments,
            arguments,
            (responses.SmsRateResponse if group == "sms" else responses.RateResponse)(status="success_ok"),
        )
        for group, arguments in (
            ("sms", {"dest": DEST, "msg": "m"}),
            ("sms", {"incoming": DEST}),
            ("fax", {"dest": DEST}),
            ("fax", {"incoming": DEST}),
        )
    ),
    ("fax.send", "fax/send", {"dest": DEST, "file": PDF}, {"dest": DEST, "file": "JVBERi0xLjQKLi4u"}, SENT),
    (
        "fax.send",
        "fax/send",
        {
            "dest": DEST,
            "file": io.BytesIO(PDF),
            "filename": "f.pdf",
            "caller_id": DEST1,
            "fax_header": "",
            "tag": "t",
        },
        {
            "dest": DEST,
            "file": "JVBERi0xLjQKLi4u",
            "filename": "f.pdf",
            "caller_id": DEST1,
            "fax_header": "",
            "tag": "t",
        },
        SENT,
    ),
    (
        "fax.query_status",
        "fax/query_status",
        {"txn_ref": "AA-C-1"},
        {"txn_ref": "AA-C-1"},
        responses.FaxStatusResponse(status="success_ok", txn_ref="AA-S-1"),
    ),
    (
        "fax.get_history",
        "fax/get_history",
        {},
        {"page": "1", "type": "all"},
        responses.FaxHistoryResponse(status="success_ok"),
    ),
    (
        "fax.get_history",
        "fax/get_history",
        {"from_": MORNING, "to": NOON, "page": 2, "type": "incoming"},
        {**PERIOD, "type": "incoming"},
        responses.FaxHistoryResponse(status="success_ok"),
    ),
    (
        "ivr.dial",
        "ivr/start/dial",
        {"dest": DEST},
        {"dest": DEST},
        responses.DialResponse(status="success_ok", txn_ref="AA-S-1", session="S1"),
    ),
    (
        "ivr.dial",
        "ivr/start/dial",
        {"dest": DEST, "msg": "m", "caller_id": DEST1, "max_duration": 60, "tag": "t"},
        {"dest": DEST, "msg": "m", "caller_id": DEST1, "max_duration": "60", "tag": "t"},
        responses.DialResponse(status="success_ok", txn_ref="AA-S-1", session="S1"),
    ),
    ("ivr.play", "ivr/middle/play", {"session": "S1", "msg": "m"}, {"session": "S1", "msg": "m"}, ACCEPTED),
    ("ivr.gather", "ivr/middle/gather", {"session": "S1"}, {"session": "S1"}, ACCEPTED),
    (
        "ivr.gather",
        "ivr/middle/gather",
        {"session": "S1", "msg": "m", "max_digits": 0, "timeout": 15, "attempts": 2, "tag": "t"},
        {"session": "S1", "msg": "m", "max_digits": "0", "timeout": "15", "attempts": "2", "tag": "t"},
        ACCEPTED,
    ),
    ("ivr.record", "ivr/middle/record", {"session": "S1"}, {"session": "S1"}, ACCEPTED),
    (
        "ivr.record",
        "ivr/middle/record",
        {"session": "S1", "msg": "m", "max_duration": 120, "tag": "t"},
        {"session": "S1", "msg": "m", "max_duration": "120", "tag": "t"},
        ACCEPTED,
    ),
    ("ivr.monitor", "ivr/middle/monitor", {"session": "S1"}, {"session": "S1"}, ACCEPTED),
    ("ivr.monitor", "ivr/middle/monitor", {"session": "S1", "msg": "m"}, {"session": "S1", "msg": "m"}, ACCEPTED),
    ("ivr.hold", "ivr/middle/hold", {"session": "S1"}, {"session": "S1"}, ACCEPTED),
    ("ivr.hold", "ivr/middle/hold", {"session": "S1", "msg": "m"}, {"session": "S1", "msg": "m"}, ACCEPTED),
    ("ivr.unhold", "ivr/middle/unhold", {"session": "S1"}, {"session": "S1"}, ACCEPTED),
    (
        "ivr.transfer",
        "ivr/end/transfer",
        {"session": "S1", "dest": "room:"},
        {"session": "S1", "dest": "room:"},
        responses.TransferResponse(status="success_ok"),
    ),
    (
        "ivr.transfer",
        "ivr/end/transfer",
        {"session": "S1", "dest": DEST, "msg": "m", "caller_id": DEST1, "on_failure": "continue", "tag": "t"},
        {"session": "S1", "dest": DEST, "msg": "m", "caller_id": DEST1, "on_failure": "continue", "tag": "t"},
        responses.TransferResponse(status="success_ok"),
    ),
    ("ivr.hangup", "ivr/end/hangup", {"session": "S1", "msg": "m"}, {"session": "S1", "msg": "m"}, ACCEPTED),
    ("ivr.hangup", "ivr/end/hangup", {"session": "S1", "force": True}, {"session": "S1", "force": "enabled"}, ACCEPTED),
    ("number.get_active", "number/get_active", {}, {}, responses.NumbersResponse(status="success_ok")),
    (
        "number.update_forwarding",
        "number/update_forwarding",
        {"number": DEST, "forward_to": "https://a.example", "forward_sms_to": "https://b.example", "mode": "fax"},
        {"number": DEST, "forward_to": "https://a.example", "forward_sms_to": "https://b.example", "mode": "fax"},
        ACCEPTED,
    ),
    ("number.get_countries", "number/get_countries", {}, {}, responses.CountriesResponse(status="success_ok")),
    (
        "number.get_choices",
        "number/get_choices",
        {"country": "SG"},
        {"country": "SG", "page": "1"},
        responses.NumbersResponse(status="success_ok"),
    ),
    (
        "number.get_choices",
        "number/get_choices",
        {"country": "US", "state": "CA", "page": 2},
        {"country": "US", "state": "CA", "page": "2"},
        responses.NumbersResponse(status="success_ok"),
    ),
    (
        "number.get_rates",
        "number/get_rates",
        {"country": "SG"},
        {"country": "SG"},
        responses.NumberRatesResponse(status="success_ok"),
    ),
    *(
        (
            "number.subscribe",
            "number/subscribe",
            {"number": DEST, "duration": duration},
            {"number": DEST, "duration": f"{duration}"},
            responses.SubscriptionResponse(status="success_ok"),
        )
        for duration in (12, "auto_extend")
    ),
    ("user.get_balance", "user/get_balance", {}, {}, responses.BalanceResponse(status="success_ok")),
    ("user.get_info", "user/get_info", {}, {}, responses.UserResponse(status="success_ok")),
]
CREDENTIALS = {"app_id": "app", "access_token": "new-token"}
ENDPOINTS = {each.path: each for each in vars(endpoints).values() if isinstance(each, Endpoint)}
NOTIFIED = {call[0]: call for call in CALLS if ENDPOINTS[call[1]].route}
# These blocks always need a notification, so the client does not accept notify=False.
ALWAYS_NOTIFIED = {"ivr.gather", "ivr.record", "ivr.monitor"}

each_call = pytest.mark.parametrize(
    ("name", "path", "arguments", "sent_params", "answer"),
    CALLS,
    ids=[f"{call[0]}({', '.join(call[2])})" for call in CALLS],
)
each_notified = pytest.mark.parametrize("name", NOTIFIED)


def ask(client: HoiioClient, name: str, **arguments: Any) -> Any:
    group, method = name.split(".")
    return getattr(getattr(client, group), method)(**arguments)


def notify_urls(request: Any) -> dict[str, str]:
    return {name: text for name, text in request.params.items() if name.endswith("notify_url")}


def verified(url: str) -> tuple[str, VerificationResult]:
    """Return the route of a notify URL and the result of its verification."""
    route, token = url.removeprefix("https://my.example.com/hoiio/").strip("/").split("/")
    return route, verify(Route(route), token, b"", None)


@each_call
def test_call_sends_its_arguments_and_returns_the_response(
    hoiio: Hoiio,
    hoiio_client: HoiioClient,
    name: str,
    path: str,
    arguments: dict[str, Any],
    sent_params: dict[str, str],
    answer: HoiioResponse,
) -> None:
    for value in arguments.values():
        if isinstance(value, io.BytesIO):
            value.seek(0)
    returned = ask(hoiio_client, name, **arguments)

    sent = {name: text for name, text in hoiio.request.params.items() if name not in notify_urls(hoiio.request)}
    assert (hoiio.request.path, sent) == (f"/open/{path}", {**CREDENTIALS, **sent_params})
    assert (returned, type(returned)) == (answer, type(answer))


def test_calls_of_this_module_cover_every_method_and_path(hoiio_client: HoiioClient) -> None:
    methods = {
        f"{group}.{method}"
        for group, held in vars(hoiio_client).items()
        if isinstance(held, Resource)
        for method, _ in inspect.getmembers(held, inspect.ismethod)
        if not method.startswith("_")
    }

    assert {call[0] for call in CALLS} == methods
    assert {call[1] for call in CALLS} == set(ENDPOINTS)


def test_calls_of_this_module_cover_every_argument_and_all_are_keyword_only(hoiio_client: HoiioClient) -> None:
    for name in {call[0] for call in CALLS}:
        group, method = name.split(".")
        parameters = inspect.signature(getattr(getattr(hoiio_client, group), method)).parameters
        tried = {argument for call in CALLS if call[0] == name for argument in call[2]}
        assert {each.kind for each in parameters.values()} <= {inspect.Parameter.KEYWORD_ONLY}
        assert set(parameters) - tried <= {"pass_on", "notify", "tag", "dest1", "msg"}, name
        assert set(parameters) >= tried


def test_only_status_and_history_queries_may_be_repeated() -> None:
    assert {path for path, each in ENDPOINTS.items() if each.is_read_only} == {
        f"{group}/{query}" for group in ("voice", "sms", "fax") for query in ("query_status", "get_history")
    }


# Notify URLs.


@each_notified
def test_notify_url_is_signed_and_contains_the_pass_on_parameters(
    hoiio: Hoiio, hoiio_client: HoiioClient, name: str
) -> None:
    _, path, arguments, _, _ = NOTIFIED[name]

    ask(hoiio_client, name, **{**arguments, **fresh(arguments)}, pass_on={"username": "bob", "order": 17})

    urls = notify_urls(hoiio.request)
    assert set(urls) == {"notify_url", *(["monitor_notify_url"] if name == "ivr.monitor" else [])}
    for url in urls.values():
        route, verdict = verified(url)
        assert route == ENDPOINTS[path].route
        assert verdict == VerificationResult(
            verified_by=VerifiedBy.URL,
            account="default",
            pass_on={"username": "bob", "order": 17},
            block={"kind": name.replace("ivr.", "ivr_")} if name.startswith("ivr.") else {},
        )


def fresh(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"file": PDF} if "file" in arguments else {}


@pytest.mark.parametrize("name", sorted(NOTIFIED.keys() - ALWAYS_NOTIFIED))
def test_notify_url_can_be_left_out(hoiio: Hoiio, hoiio_client: HoiioClient, name: str) -> None:
    arguments = NOTIFIED[name][2]

    ask(hoiio_client, name, **{**arguments, **fresh(arguments)}, notify=False)

    assert notify_urls(hoiio.request) == {}


def test_calls_without_notifications_send_no_notify_url(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    for name, _, arguments, _, _ in CALLS:
        if name not in NOTIFIED:
            ask(hoiio_client, name, **arguments)

    assert all(notify_urls(request) == {} for request in hoiio.requests)


def test_pass_on_without_a_notification_is_refused(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    with pytest.raises(ValueError, match=r"^pass_on comes back with notifications; leave it out"):
        hoiio_client.sms.send(dest=DEST, msg="m", notify=False, pass_on={"a": "b"})
    assert hoiio.requests == []


def test_missing_public_url_is_an_error_and_nothing_is_sent(hoiio: Hoiio, settings: Any) -> None:
    settings.HOIIO = {**settings.HOIIO, "PUBLIC_URL": None}

    with HoiioClient() as client:
        with pytest.raises(ImproperlyConfigured, match=r"HOIIO\['PUBLIC_URL'\] is ''"):
            client.sms.send(dest=DEST, msg="m")
        assert hoiio.requests == []
        assert client.sms.send(dest=DEST, msg="m", notify=False) == SENT


# Accounts.


def test_account_has_its_own_credentials_and_notify_urls(hoiio: Hoiio) -> None:
    with HoiioClient("second") as client:
        client.sms.send(dest=DEST, msg="m")

    params = hoiio.request.params
    assert (params["app_id"], params["access_token"]) == ("other-app", "other-token")
    assert verified(params["notify_url"])[1].account == "second"


@pytest.mark.parametrize(
    ("account", "missing"),
    [
        ({}, "APP_ID"),
        ({"APP_ID": "", "ACCESS_TOKEN": "t"}, "APP_ID"),
        ({"APP_ID": "a"}, "ACCESS_TOKEN"),
        ({"APP_ID": " \n", "ACCESS_TOKEN": "t"}, "APP_ID"),
        ({"APP_ID": "a", "ACCESS_TOKEN": ["", "\n", None]}, "ACCESS_TOKEN"),
    ],
)
def test_account_without_credentials_is_a_clear_error(settings: Any, account: dict[str, str], missing: str) -> None:
    settings.HOIIO = {"ACCOUNTS": {"default": account}}

    with pytest.raises(ImproperlyConfigured) as raised:
        HoiioClient()
    assert str(raised.value) == (f"HOIIO['ACCOUNTS']['default'] has no {missing}; copy it from Hoiio's portal.")


def test_unknown_account_is_a_clear_error(hoiio: Hoiio) -> None:
    with pytest.raises(ValueError, match=r"^HOIIO\['ACCOUNTS'\] has no account 'third'; it has default, second\.$"):
        HoiioClient("third")


@pytest.mark.parametrize("url", ["http://my.example.com/open/", "ftp://127.0.0.1/", "", "127.0.0.1:8000/open/"])
def test_token_is_never_sent_unencrypted(settings: Any, url: str) -> None:
    settings.HOIIO = {"API_URL": url, "ACCOUNTS": {"default": {"APP_ID": "a", "ACCESS_TOKEN": "t"}}}

    with pytest.raises(
        ImproperlyConfigured, match=r"which would send the access token unencrypted; write an https URL"
    ):
        HoiioClient()


@pytest.mark.parametrize("ending", ["", "/"])
def test_api_url_works_with_and_without_a_trailing_slash(hoiio: Hoiio, settings: Any, ending: str) -> None:
    settings.HOIIO = {**settings.HOIIO, "API_URL": hoiio.url.rstrip("/") + ending}

    with HoiioClient() as client:
        client.user.get_balance()

    assert hoiio.request.path == "/open/user/get_balance"


# Django's error page, which is mailed to ADMINS if DEBUG is False.

STARS = "********************"


def reporter(error: BaseException, trace: TracebackType | None) -> ExceptionReporter:
    """Return a reporter for all frames except that of the test."""
    assert trace is not None
    return ExceptionReporter(None, type(error), error, trace.tb_next)


def shown(error: BaseException, trace: TracebackType | None) -> set[str]:
    """Return the variables of all frames outside this file, as the error page shows them."""
    frames = [frame for frame in reporter(error, trace).get_traceback_frames() if frame["filename"] != __file__]
    return {str(value) for frame in frames for _, value in frame["vars"]}


@each_call
def test_error_page_masks_the_arguments_of_a_call(
    hoiio: Hoiio,
    hoiio_client: HoiioClient,
    name: str,
    path: str,
    arguments: dict[str, Any],
    sent_params: dict[str, str],
    answer: HoiioResponse,
) -> None:
    hoiio.says({"status": "error_malformed_params"})

    with pytest.raises(InvalidParameter) as raised:
        ask(hoiio_client, name, **{**arguments, **fresh(arguments)})

    assert shown(raised.value, raised.tb) == {STARS}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("sms.send", {"dest": DEST, "msg": "m" * 460}),
        ("sms.bulk_send", {"recipients": [{"dest": DEST, "at": NOON}], "msg": "m"}),
        ("sms.get_history", {"from_": NOON, "to": MORNING}),
    ],
)
def test_error_page_masks_arguments_that_the_client_refuses(
    hoiio_client: HoiioClient, name: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"\S") as raised:
        ask(hoiio_client, name, **arguments)

    assert shown(raised.value, raised.tb) == {STARS}


def test_error_page_shows_neither_number_nor_text_nor_url_of_a_refusal(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    # Random, because the error page also shows the source code.
    dest, msg, passed = f"+65{uuid4().int % 10**8:08}", uuid4().hex, uuid4().hex
    hoiio.says({"status": "error_dest_invalid", "dest": dest})

    with pytest.raises(InvalidParameter) as raised:
        hoiio_client.sms.send(dest=dest, msg=msg, pass_on={"order": passed})

    page = reporter(raised.value, raised.tb).get_traceback_html()
    url = hoiio.request.params["notify_url"]
    assert "Hoiio refused sms/send with error_dest_invalid" in page
    assert [private for private in (dest, dest[1:], msg, passed, url, url[-20:]) if private in page] == []


def test_error_page_does_not_show_the_new_urls_of_a_number(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    number, url = (
        responses.NumberResponse(status="", number=f"+65{uuid4().int % 10**8:08}"),
        f"https://{uuid4().hex}.example",
    )
    hoiio.says({"status": "error_number_invalid"})

    with pytest.raises(InvalidParameter) as raised:
        configure_number(hoiio_client.number, number, {"forward_to": url})

    page = reporter(raised.value, raised.tb).get_traceback_html()
    assert [private for private in (number.number[1:], url) if private in page] == []


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("tokens", [1, 2])
def test_error_page_of_a_missing_app_id_does_not_show_the_token(settings: Any, debug: bool, tokens: int) -> None:
    token = [uuid4().hex for _ in range(tokens)]
    settings.DEBUG = debug
    settings.HOIIO = {"ACCOUNTS": {"default": {"ACCESS_TOKEN": token if tokens > 1 else token[0]}}}

    with pytest.raises(ImproperlyConfigured) as raised:
        HoiioClient()

    page = reporter(raised.value, raised.tb).get_traceback_html()
    assert "has no APP_ID" in page
    assert [each for each in token if each in page] == []


@pytest.mark.parametrize("reply", [{"status": "error_dest_invalid"}, {"status": "success_ok"}, b"<html>"])
def test_error_page_does_not_show_the_token_even_with_debug(hoiio: Hoiio, settings: Any, reply: Any) -> None:
    token = uuid4().hex
    settings.DEBUG = True
    settings.HOIIO = {**settings.HOIIO, "ACCOUNTS": {"default": {"APP_ID": "app", "ACCESS_TOKEN": token}}}
    hoiio.says(reply)

    with HoiioClient() as client, pytest.raises(exceptions.HoiioError) as raised:
        client.sms.send(dest=DEST, msg="m")

    page = reporter(raised.value, raised.tb).get_traceback_html()
    assert "sms/send" in page
    assert token not in page


# The receiving side.


def test_webhook_imports_neither_the_client_nor_its_dependencies() -> None:
    code = (
        "import sys, django; django.setup()\n"
        "import django_hoiio.urls, django_hoiio.ingest, django_hoiio.checks\n"
        "import django_hoiio.admin, django_hoiio.recovery, django_hoiio.management.commands.hoiio_urls\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('requests', 'urllib3')\n"
        "       or name.startswith(('django_hoiio.client', 'django_hoiio.ingest.outgoing'))])"
    )

    assert run(code) == "[]\n"


def test_missing_requests_package_is_reported_with_the_install_command() -> None:
    code = (
        "import sys, django; django.setup(); sys.modules['requests'] = None\n"
        "from io import StringIO\n"
        "from django.core.management import CommandError, call_command\n"
        "try: import django_hoiio.client\n"
        "except ImportError as error: print(error)\n"
        "try: call_command('hoiio_urls', number='+6511111111')\n"
        "except CommandError as error: print(error)\n"
    )

    assert run(code) == "django_hoiio.client needs requests: pip install requests\n" * 2


def run(code: str) -> str:
    environment = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": ""}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def test_file_is_sent_whole(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    everything = PDF + bytes(range(256))

    hoiio_client.fax.send(dest=DEST, file=everything)

    assert b64decode(hoiio.request.params["file"]) == everything


# docs/guides/sending.rst.


def test_page_names_every_call() -> None:
    page = (ROOT / "docs/guides/sending.rst").read_text(encoding="utf-8")

    assert [name for name in {call[0] for call in CALLS} if not _is_named(name, page)] == []


def _is_named(name: str, page: str) -> bool:
    """Return whether the page has the full name, or the method name in a row of its group."""
    group, _, method = name.partition(".")
    return f"``{name}``" in page or (f"``{group}." in page and re.search(rf"``(\w+\.)?{method}``", page) is not None)


def test_examples_of_the_page_work(hoiio: Hoiio, hoiio_client: HoiioClient) -> None:
    here: dict[str, Any] = {}
    for code in code_of(ROOT / "docs/guides/sending.rst"):
        exec(code, here)  # noqa: S102
    lead = SimpleNamespace(pk=17, phone=DEST)

    sms = here["remind"](lead)
    here["call_back"](hoiio_client, lead)
    assert (sms.tag, sms.txn_ref, list(Sms.objects.overdue())) == ("order-17", "AA-S-1", [])
    Sms.objects.update(created_at=MORNING)
    assert list(Sms.objects.overdue()) == [sms]

    assert here["try_to_send"](hoiio_client, DEST, "m") == SENT
    for word in ("error_insufficient_credit", "error_dest_invalid"):
        hoiio.says({"status": word})
        assert here["try_to_send"](hoiio_client, DEST, "m") is None
    hoiio.says({"status": "error_internal_server_error"})
    with pytest.raises(ServerError):
        here["try_to_send"](hoiio_client, DEST, "m")
