from __future__ import annotations

import base64
import json
from collections import Counter
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from django_hoiio.sandbox import wire
from django_hoiio.sandbox.endpoints import ENDPOINTS
from django_hoiio.sandbox.real_time import exchange
from tests.clients import APP, FAX, FORM, HANDSET, NUMBER, SandboxClient

PDF = b"%PDF-1.4 \0\xff /Type /Page /Type /Pages /Type /Page"
DEST = "+6511111111"

# The least that each call of Hoiio's API needs.
LEAST: dict[str, dict[str, str]] = {
    "voice/call": {"dest2": DEST},
    "voice/conference": {"dest": DEST},
    "conference/call": {"dest": DEST},
    "conference/moderate": {"txn_ref": "x", "action": "kick"},
    "voice/hangup": {"txn_ref": "x"},
    "voice/query_status": {"txn_ref": "x"},
    "voice/get_history": {},
    "voice/get_rate": {"dest2": DEST},
    "sms/send": {"dest": DEST, "msg": "hello"},
    "sms/bulk_send": {"dest": DEST, "msg": "hello"},
    "sms/get_rate": {"dest": DEST},
    "sms/query_status": {"txn_ref": "x"},
    "sms/get_history": {},
    "fax/send": {"dest": DEST, "file": base64.b64encode(PDF).decode()},
    "fax/get_rate": {"dest": DEST},
    "fax/query_status": {"txn_ref": "x"},
    "fax/get_history": {},
    "ivr/start/dial": {"dest": DEST},
    "ivr/middle/play": {"session": "x"},
    "ivr/middle/gather": {"session": "x", "notify_url": "http://127.0.0.1/"},
    "ivr/middle/record": {"session": "x", "notify_url": "http://127.0.0.1/"},
    "ivr/middle/monitor": {"session": "x", "notify_url": "http://127.0.0.1/"},
    "ivr/middle/hold": {"session": "x"},
    "ivr/middle/unhold": {"session": "x"},
    "ivr/end/transfer": {"session": "x", "dest": DEST},
    "ivr/end/hangup": {"session": "x"},
    "number/get_active": {},
    "number/update_forwarding": {"number": NUMBER},
    "number/get_countries": {},
    "number/get_choices": {"country": "SG"},
    "number/get_rates": {"country": "SG"},
    "number/subscribe": {"number": "+6561230001", "duration": "1"},
    "user/get_balance": {},
    "user/get_info": {},
}
# Endpoints that need an existing transaction or session.
UNKNOWN_REFERENCE = {"txn_ref": "error_invalid_txn_ref", "session": "error_invalid_session"}


def without(answer: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in names}


# Every call.


def test_sandbox_has_every_endpoint_of_the_api() -> None:
    assert set(ENDPOINTS) == set(LEAST)


@pytest.mark.parametrize("path", LEAST)
def test_every_endpoint_answers_a_request_with_the_required_parameters(
    sandbox_client: SandboxClient, path: str
) -> None:
    expected = next((word for name, word in UNKNOWN_REFERENCE.items() if name in LEAST[path]), "success_ok")

    assert sandbox_client.call_api(path, **LEAST[path])["status"] == expected


@pytest.mark.parametrize(
    ("path", "name"),
    [(path, name) for path, needed in LEAST.items() for name in needed if path not in ("sms/get_rate", "fax/get_rate")],
)
def test_missing_or_empty_parameter_is_named(sandbox_client: SandboxClient, path: str, name: str) -> None:
    answers = [
        sandbox_client.call_api(path, **without(LEAST[path], name)),
        sandbox_client.call_api(path, **{**LEAST[path], name: ""}),
    ]

    assert answers == [{"status": f"error_{name}_param_missing"}] * 2


@pytest.mark.parametrize("path", LEAST)
def test_wrong_credentials_are_refused_by_every_endpoint(sandbox_client: SandboxClient, path: str) -> None:
    answers = [
        sandbox_client.post(f"/sandbox/open/{path}", {**LEAST[path], **credentials})[1]
        for credentials in (
            {},
            {"app_id": "app"},
            {"app_id": "app", "access_token": ""},
            {"app_id": "nobody", "access_token": "new-token"},
            {"app_id": "app", "access_token": "other-token"},
            {"app_id": "app", "access_token": "töken"},
        )
    ]

    assert [answer.pop("status") for answer in answers] == [
        "error_app_id_param_missing",
        "error_access_token_param_missing",
        "error_access_token_param_missing",
        "error_invalid_app_id",
        "error_invalid_access_token",
        "error_invalid_access_token",
    ]
    assert answers == [{}] * 6


def test_each_token_of_an_account_is_accepted(sandbox_client: SandboxClient) -> None:
    for app_id, token in (("app", "new-token"), ("app", "old-token"), ("other-app", "other-token")):
        _, answer = sandbox_client.post("/sandbox/open/user/get_info", {"app_id": app_id, "access_token": token})
        assert answer["status"] == "success_ok"


def test_request_may_be_a_get_a_form_or_an_upload_with_or_without_a_slash(sandbox_client: SandboxClient) -> None:
    query = urlencode(APP)
    multipart = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in APP.items()
    )
    answers = [
        sandbox_client.request("GET", f"/sandbox/open/number/get_active?{query}"),
        sandbox_client.request("GET", f"/sandbox/open/number/get_active/?{query}"),
        sandbox_client.request("POST", "/sandbox/open/number/get_active/", query.encode(), FORM),
        sandbox_client.request(
            "POST",
            "/sandbox/open/number/get_active",
            f"{multipart}--b--".encode(),
            {"Content-Type": "multipart/form-data; boundary=b"},
        ),
    ]

    assert [(status, answer["entries_count"]) for status, answer in answers] == [(200, "2")] * 4


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(sandbox_client: SandboxClient, method: str) -> None:
    assert sandbox_client.request(method, "/sandbox/open/user/get_info", urlencode(APP).encode(), FORM) == (
        200,
        {"status": "error_invalid_http_method"},
    )


def test_unknown_path_is_not_found(sandbox_client: SandboxClient) -> None:
    for path in ("mms/send", "sms", "sms/send/more"):
        assert sandbox_client.post(f"/sandbox/open/{path}", dict(APP)) == (
            404,
            {"status": "error_service_not_available"},
        )


@pytest.mark.parametrize("api_url", ["https://secure.hoiio.com/open/", "http://192.168.1.5/sandbox/open/", "http://[/"])
def test_sandbox_is_not_found_unless_the_api_url_is_this_machine(
    sandbox_client: SandboxClient, settings: Any, api_url: str
) -> None:
    settings.HOIIO = {**settings.HOIIO, "API_URL": api_url}

    paths = ["", "open/user/get_info", "telephone/state/", "recordings/rec-1.mp3"]
    assert [sandbox_client.request("GET", f"/sandbox/{path}?{urlencode(APP)}")[0] for path in paths] == [404] * 4
    assert sandbox_client.post("/sandbox/telephone/call/", {"to": NUMBER})[0] == 404


def test_accounts_do_not_see_one_another(sandbox_client: SandboxClient) -> None:
    txn_ref = sandbox_client.call_api("sms/send", dest=DEST, msg="hello")["txn_ref"]
    session = sandbox_client.call()
    other = {"app_id": "other-app", "access_token": "other-token"}

    assert sandbox_client.call_api("sms/query_status", txn_ref=txn_ref, **other) == {
        "status": "error_txn_ref_access_denied"
    }
    assert sandbox_client.call_api("ivr/middle/play", session=session, **other) == {
        "status": "error_session_access_denied"
    }
    assert sandbox_client.call_api("sms/get_history", **other)["entries"] == []
    assert sandbox_client.call_api("number/update_forwarding", number=NUMBER, **other) == {
        "status": "error_number_not_assigned"
    }
    numbers = [entry["number"] for entry in sandbox_client.call_api("number/get_active", **other)["entries"]]
    assert numbers == ["+6531234569", "+6531234570"]


# The notify URL.


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("http://127.0.0.1:9/", "success_ok"),
        ("http://127.9.9.9:9/", "success_ok"),
        ("http://localhost:9/x?y=1", "success_ok"),
        ("http://[::1]:9/", "success_ok"),
        ("http://192.168.1.5/", "error_invalid_notify_url"),
        ("http://8.8.8.8/", "error_invalid_notify_url"),
        ("http://0.0.0.0/", "error_invalid_notify_url"),
        ("http://169.254.169.254/latest/", "error_invalid_notify_url"),
        ("http://[fe80::1]/", "error_invalid_notify_url"),
        ("https://127.0.0.1/", "error_invalid_notify_url"),
        ("ftp://127.0.0.1/", "error_invalid_notify_url"),
        ("http://me:secret@127.0.0.1/", "error_invalid_notify_url"),
        ("http://127.0.0.1:0/", "error_invalid_notify_url"),
        ("http://127.0.0.1:x/", "error_invalid_notify_url"),
        ("http://127.0.0.1:99999/", "error_invalid_notify_url"),
        ("http://[", "error_invalid_notify_url"),
        ("http:///path", "error_invalid_notify_url"),
        ("http://127.0.0.1/a b", "error_invalid_notify_url"),
        ("http://127.0.0.1/\r\nX: y", "error_invalid_notify_url"),
        ("/hoiio/sms/", "error_invalid_notify_url"),
        ("http://127.0.0.1/" + "x" * 4000, "error_invalid_notify_url"),
        ("http://a..b/", "error_unable_to_resolve_notify_url"),
    ],
)
def test_notify_url_is_one_of_this_machine(sandbox_client: SandboxClient, url: str, status: str) -> None:
    assert sandbox_client.call_api("sms/send", dest=DEST, msg="hello", notify_url=url)["status"] == status


def test_request_without_a_notify_url_sends_no_notification(sandbox_client: SandboxClient) -> None:
    for path in ("sms/send", "sms/bulk_send", "voice/call", "conference/call", "fax/send", "ivr/start/dial"):
        assert sandbox_client.call_api(path, **LEAST[path])["status"] == "success_ok"

    assert (sandbox_client.heard(), sandbox_client.entries("notification")) == ([], [])


def test_tag_has_at_most_256_characters(sandbox_client: SandboxClient) -> None:
    assert sandbox_client.call_api("sms/send", **LEAST["sms/send"], tag="x" * 256)["status"] == "success_ok"
    assert sandbox_client.call_api("sms/send", **LEAST["sms/send"], tag="x" * 257) == {
        "status": "error_tag_invalid_length"
    }


# Refusals of one call.

LONG = "x" * 460


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("sms/send", {"dest": "12345"}, "error_dest_invalid"),
        ("sms/send", {"dest": "+65 1111"}, "error_dest_invalid"),
        ("sms/send", {"dest": "+6500000500"}, "error_dest_not_supported"),
        ("sms/send", {"dest": "+6500000600"}, "error_insufficient_credit"),
        ("sms/send", {"dest": "+6500000700"}, "error_not_allowed_for_trial"),
        ("sms/send", {"dest": "+6500000800"}, "error_internal_server_error"),
        ("sms/send", {"msg": LONG}, "error_msg_too_big"),
        ("sms/send", {"msg": LONG[:459]}, "success_ok"),
        ("sms/send", {"msg": "é" * 202}, "error_msg_too_big"),
        ("sms/send", {"msg": "[" * 229}, "success_ok"),
        ("sms/send", {"msg": "[" * 230}, "error_msg_too_big"),
        ("sms/send", {"sender_name": "no"}, "error_invalid_sender_name"),
        ("sms/send", {"sender_name": "Workshop"}, "success_ok"),
        ("sms/bulk_send", {"msg": "x" * 460}, "error_msg_too_big"),
        ("sms/bulk_send", {"dest": ",".join([DEST] * 1001)}, "error_dest_too_many"),
        ("sms/bulk_send", {"recipients": "{"}, "error_malformed_params"),
        ("sms/bulk_send", {"recipients": "{}"}, "error_malformed_params"),
        ("sms/bulk_send", {"recipients": "[" * 100_000}, "error_malformed_params"),
        ("sms/bulk_send", {"recipients": '[{"name": "Ann"}]'}, "error_malformed_params"),
        ("voice/call", {"dest2": "x"}, "error_dest2_invalid"),
        ("voice/call", {"dest1": "x"}, "error_dest1_invalid"),
        ("voice/call", {"dest1": "+6500000500"}, "error_dest1_not_supported"),
        ("voice/call", {"dest2": "+6500000500"}, "error_dest2_not_supported"),
        ("voice/call", {"dest1": DEST}, "error_same_dest1_dest2"),
        ("voice/call", {"dest2": HANDSET}, "error_same_dest1_dest2"),
        ("voice/call", {"caller_id": "+6599999999"}, "error_caller_id_invalid"),
        ("voice/call", {"caller_id": NUMBER}, "success_ok"),
        ("voice/call", {"caller_id": "private"}, "success_ok"),
        ("voice/call", {"max_duration": "-1"}, "error_max_duration_invalid"),
        ("voice/call", {"max_duration": "²"}, "error_max_duration_invalid"),
        ("conference/call", {"dest": ",".join([DEST] * 9)}, "error_dest_too_many"),
        ("conference/call", {"dest": f"{DEST},x"}, "error_dest_invalid"),
        ("conference/call", {"room": "a room"}, "error_invalid_room"),
        ("conference/call", {"room": "x" * 33}, "error_invalid_room"),
        ("conference/moderate", {"action": "shout"}, "error_malformed_params"),
        ("fax/send", {"file": "!"}, "error_file_invalid"),
        ("fax/send", {"file": base64.b64encode(b"GIF89a").decode()}, "error_file_invalid"),
        ("fax/send", {"file": base64.b64encode(PDF + bytes(2**21)).decode()}, "error_file_too_big"),
        ("fax/send", {"file": base64.b64encode(PDF + bytes(2**21 - len(PDF))).decode()}, "success_ok"),
        ("fax/send", {"fax_header": "x" * 101}, "error_malformed_params"),
        ("ivr/start/dial", {"max_duration": "x"}, "error_invalid_max_duration"),
        ("ivr/start/dial", {"msg": "x" * 1001}, "error_msg_invalid_length"),
        ("number/update_forwarding", {"number": "x"}, "error_number_invalid"),
        ("number/update_forwarding", {"number": "+6599999999"}, "error_number_not_assigned"),
        ("number/update_forwarding", {"mode": "telex"}, "error_mode_invalid"),
        ("number/update_forwarding", {"forward_to": "http://8.8.8.8/"}, "error_forward_to_invalid"),
        ("number/update_forwarding", {"forward_sms_to": "x"}, "error_forward_to_invalid"),
        ("number/update_forwarding", {"forward_to": "http://a..b/"}, "error_unable_to_resolve_forward_to"),
        ("sms/get_history", {"from": "yesterday"}, "error_from_invalid"),
        ("sms/get_history", {"to": "2026-13-01 00:00:00"}, "error_to_invalid"),
        (
            "sms/get_history",
            {"from": "2026-01-02 00:00:00", "to": "2026-01-01 00:00:00"},
            "error_to_before_from",
        ),
        ("voice/get_history", {"page": "0"}, "error_page_invalid"),
        ("voice/get_history", {"page": "x"}, "error_page_invalid"),
        ("fax/get_history", {"type": "sideways"}, "error_invalid_type"),
    ],
)
def test_invalid_request_is_refused_as_hoiio_does(
    sandbox_client: SandboxClient, path: str, params: dict[str, str], status: str
) -> None:
    assert sandbox_client.call_api(path, **{**LEAST[path], **params})["status"] == status


def test_refused_request_leaves_no_trace(sandbox_client: SandboxClient) -> None:
    balance = sandbox_client.call_api("user/get_balance")

    assert sandbox_client.call_api("sms/send", dest=DEST, msg=LONG)["status"] == "error_msg_too_big"
    assert sandbox_client.call_api("voice/call", dest1=DEST, dest2=DEST)["status"] == "error_same_dest1_dest2"
    assert (
        sandbox_client.call_api("sms/get_history")["entries"]
        == sandbox_client.call_api("voice/get_history")["entries"]
        == []
    )
    assert (sandbox_client.call_api("user/get_balance"), sandbox_client.entries()) == (balance, [])


def test_fax_without_enough_credit_is_not_started(
    sandbox_client: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_hoiio.sandbox.exchange.POINTS", 0)
    monkeypatch.setattr("django_hoiio.sandbox.exchange.BONUS", Decimal("0.063"))

    assert sandbox_client.call_api("fax/send", **LEAST["fax/send"]) == {"status": "error_insufficient_credit"}
    assert (sandbox_client.call_api("fax/get_history")["entries"], sandbox_client.entries()) == ([], [])


def test_eight_calls_and_faxes_may_run_at_a_time(sandbox_client: SandboxClient) -> None:
    legs = sandbox_client.call_api("conference/call", dest=",".join(["+6500000400"] * 8))["txn_refs"]
    refused = {"status": "error_concurrent_call_limit_reached"}

    for path in ("voice/call", "conference/call", "fax/send", "ivr/start/dial"):
        assert sandbox_client.call_api(path, **LEAST[path]) == refused
    assert sandbox_client.call_api("voice/hangup", txn_ref=legs[0]) == {"status": "success_ok"}
    assert sandbox_client.call_api("voice/call", **LEAST["voice/call"])["status"] == "success_ok"


@pytest.mark.parametrize("path", ["user/get_balance", "conference/moderate"])
def test_sixty_requests_a_minute_are_answered(sandbox_client: SandboxClient, path: str) -> None:
    answers = Counter(sandbox_client.call_api(path, **LEAST[path])["status"] for _ in range(61))

    allowed = UNKNOWN_REFERENCE["txn_ref"] if "txn_ref" in LEAST[path] else "success_ok"
    assert answers == {allowed: 60, "error_rate_limit_exceeded": 1}


# SMS.


def test_sms_is_answered_reported_and_listed(sandbox_client: SandboxClient) -> None:
    answer, notified = sandbox_client.call_api_and_wait("sms/send", dest=DEST, msg="hello", tag="order-17")

    txn_ref = answer["txn_ref"]
    assert answer == {"txn_ref": txn_ref, "status": "success_ok"}
    assert txn_ref.startswith("AA-S-")
    date = notified[0]["date"]
    facts = {"tag": "order-17", "dest": DEST, "split_count": "1", "currency": "SGD", "rate": "0.032", "debit": "0.032"}
    assert notified == [
        {**facts, "txn_ref": txn_ref, "date": date, "sms_status": status} for status in ("queued", "delivered")
    ]
    assert sandbox_client.call_api("sms/query_status", txn_ref=txn_ref) == {
        **facts,
        "txn_ref": txn_ref,
        "date": date.removesuffix(".0"),
        "sms_status": "delivered",
        "src": HANDSET,
        "msg": "hello",
        "status": "success_ok",
    }


@pytest.mark.parametrize(
    ("dest", "words"),
    [
        ("+6500000100", ["queued", "failed"]),
        ("+6500000200", ["queued", "failed"]),
        ("+6500000300", ["queued", "failed"]),
        ("+6500000499", ["queued"]),
        ("+6500000900", ["error"]),
        ("+6500000000", ["queued", "delivered"]),
    ],
)
def test_number_decides_the_statuses_of_an_sms(sandbox_client: SandboxClient, dest: str, words: list[str]) -> None:
    answer, notified = sandbox_client.call_api_and_wait("sms/send", dest=dest, msg="hello")

    assert [params["sms_status"] for params in notified] == words
    assert sandbox_client.call_api("sms/query_status", txn_ref=answer["txn_ref"])["sms_status"] == words[-1]


def test_long_sms_is_charged_by_its_parts(sandbox_client: SandboxClient) -> None:
    _, notified = sandbox_client.call_api_and_wait("sms/send", dest=DEST, msg="x" * 307)

    assert [(params["split_count"], params["debit"]) for params in notified] == [("3", "0.096")] * 2


@pytest.mark.parametrize(
    ("characters", "limits"),
    [
        ("x", (160, 306, 459)),
        ("`", (160, 306, 459)),
        *((double, (80, 153, 229)) for double in "\n[]\\^{}|€"),
        ("é", (70, 134, 201)),
        ("你", (70, 134, 201)),
        # In Unicode nothing counts double.
        ("你[", (70, 134, 201)),
    ],
)
def test_sms_has_as_many_parts_as_the_manual_says(characters: str, limits: tuple[int, ...]) -> None:
    text = characters * 460

    assert [wire.parts_of(text[:limit]) for limit in limits] == [1, 2, 3]
    assert [wire.parts_of(text[: limit + 1]) for limit in limits] == [2, 3, 4]


def test_template_of_a_bulk_sms_may_be_longer_than_its_messages(sandbox_client: SandboxClient) -> None:
    recipients = json.dumps(
        [{"dest": DEST, "name": "Ann"}, {"dest": "+6522222222", "name": "x" * 460}, {"dest": "+6533333333"}]
    )

    _, notified = sandbox_client.call_api_and_wait(
        "sms/bulk_send", recipients=recipients, msg="{{" + " " * 500 + "name}}"
    )

    assert [(params["dest"], params["status"]) for params in notified if "status" in params] == [
        (DEST, "success_ok"),
        ("+6522222222", "error_msg_too_big"),
        ("+6533333333", "error_msg_empty"),
    ]


def test_sms_to_a_number_of_the_application_is_received_there(sandbox_client: SandboxClient) -> None:
    _, notified = sandbox_client.call_api_and_wait("sms/send", dest=NUMBER, msg="hello", sender_name="Workshop")

    (received,) = [params for params in notified if "msg" in params]
    assert without(received, "date", "txn_ref") == {
        "msg": "hello",
        "from": "Workshop",
        "to": NUMBER,
        "currency": "SGD",
        "debit": "0.013",
    }


def test_bulk_sms_reports_the_acceptance_of_each_message(sandbox_client: SandboxClient) -> None:
    answer, notified = sandbox_client.call_api_and_wait(
        "sms/bulk_send", dest=f"{DEST},+6500000500,x,+6500000100", msg="hello", tag="t"
    )

    assert list(answer) == ["bulk_txn_ref", "status"]
    accepted = [without(params, "txn_ref", "date") for params in notified if "status" in params]
    batch = {"bulk_txn_ref": answer["bulk_txn_ref"]}
    assert accepted == [
        {**batch, "dest": DEST, "status": "success_ok"},
        {**batch, "dest": "+6500000500", "status": "error_dest_not_supported"},
        {**batch, "dest": "x", "status": "error_dest_invalid"},
        {**batch, "dest": "+6500000100", "status": "success_ok"},
    ]
    assert [(params["dest"], params["sms_status"]) for params in notified if "sms_status" in params] == [
        (DEST, "queued"),
        (DEST, "delivered"),
        ("+6500000100", "queued"),
        ("+6500000100", "failed"),
    ]
    refs = {params["dest"]: params["txn_ref"] for params in notified if params.get("status") == "success_ok"}
    assert all(params["txn_ref"] == refs[params["dest"]] for params in notified if "sms_status" in params)


def test_bulk_sms_may_send_each_recipient_another_text(sandbox_client: SandboxClient) -> None:
    recipients = json.dumps(
        [{"dest": DEST, "name": "Ann"}, {"dest": "+6522222222", "name": 7}, {"dest": "+6533333333"}]
    )

    sandbox_client.call_api("sms/bulk_send", recipients=recipients, msg="Hello {{ name }}")

    assert [entry["msg"] for entry in sandbox_client.entries("sms_out")] == ["Hello Ann", "Hello 7", "Hello "]


# Voice.


@pytest.mark.parametrize(
    ("dest1", "dest2", "words"),
    [
        (DEST, "+6522222222", ("answered", "answered", "1", "0.018")),
        (DEST, "+6500000100", ("answered", "failed", "0", "0.000")),
        (DEST, "+6500000200", ("answered", "busy", "0", "0.000")),
        (DEST, "+6500000300", ("answered", "unanswered", "0", "0.000")),
        ("+6500000200", DEST, ("busy", "unanswered", "0", "0.000")),
        ("+6500000300", "+6500000200", ("unanswered", "unanswered", "0", "0.000")),
    ],
)
def test_ended_call_is_reported_and_listed(
    sandbox_client: SandboxClient, dest1: str, dest2: str, words: tuple[str, str, str, str]
) -> None:
    answer, (notified,) = sandbox_client.call_api_and_wait("voice/call", dest1=dest1, dest2=dest2)

    results = dict(zip(("call_status_dest1", "call_status_dest2", "duration", "debit"), words, strict=True))
    facts = {**results, "dest1": dest1, "dest2": dest2, "tag": "", "currency": "SGD", "rate": "0.018"}
    txn_ref = answer["txn_ref"]
    assert without(notified, "date") == {**facts, "txn_ref": txn_ref}
    remembered = sandbox_client.call_api("voice/query_status", txn_ref=txn_ref)
    assert remembered == {
        **facts,
        "txn_ref": txn_ref,
        "date": notified["date"].removesuffix(".0"),
        "status": "success_ok",
    }
    assert sandbox_client.call_api("voice/hangup", txn_ref=txn_ref) == {"status": "error_invalid_txn_ref"}


def test_running_call_is_ongoing_until_it_is_hung_up(sandbox_client: SandboxClient) -> None:
    answer, notified = sandbox_client.call_api_and_wait("voice/call", dest1=DEST, dest2="+6500000400")
    txn_ref = answer["txn_ref"]
    assert notified == []
    running = sandbox_client.call_api("voice/query_status", txn_ref=txn_ref)
    assert (running["call_status_dest1"], running["call_status_dest2"]) == ("ongoing", "ongoing")
    assert {"duration", "debit"} & set(running) == set()

    assert sandbox_client.call_api("voice/hangup", txn_ref=txn_ref) == {"status": "success_ok"}

    (notified_now,) = sandbox_client.heard()
    assert (notified_now["call_status_dest2"], notified_now["duration"], notified_now["debit"]) == (
        "answered",
        "1",
        "0.018",
    )


def test_call_ends_at_its_maximum_duration(sandbox_client: SandboxClient) -> None:
    _, notified = sandbox_client.call_api_and_wait("voice/call", dest2="+6500000400", dest1=DEST, max_duration=600)
    assert notified == []

    assert [params["call_status_dest2"] for params in sandbox_client.let_time_pass()] == ["answered"]


def test_conference_reports_each_leg(sandbox_client: SandboxClient) -> None:
    answer, notified = sandbox_client.call_api_and_wait(
        "conference/call", dest=f"{DEST},+6500000200", room="R.1", tag="t"
    )

    assert without(answer, "txn_refs") == {"room": "R.1", "status": "success_ok"}
    shared = {"tag": "t", "room": "R.1", "currency": "SGD", "rate": "0.018"}
    assert [without(params, "date") for params in notified] == [
        {
            **shared,
            "txn_ref": answer["txn_refs"][0],
            "dest1": DEST,
            "dest2": "",
            "call_status_dest1": "answered",
            "call_status_dest2": "",
            "duration": "1",
            "debit": "0.018",
        },
        {
            **shared,
            "txn_ref": answer["txn_refs"][1],
            "dest1": "+6500000200",
            "dest2": "",
            "call_status_dest1": "busy",
            "call_status_dest2": "",
            "duration": "0",
            "debit": "0.000",
        },
    ]


def test_older_conference_endpoint_answers_with_a_text_and_generates_a_room(sandbox_client: SandboxClient) -> None:
    answer = sandbox_client.call_api("voice/conference", dest=f"{DEST},{DEST}")

    assert [ref[:5] for ref in answer["txn_refs"].split(",")] == ["AA-C-", "AA-C-"]
    assert answer["room"].startswith("R")


def test_participant_is_muted_unmuted_and_removed(sandbox_client: SandboxClient) -> None:
    answer = sandbox_client.call_api("conference/call", dest="+6500000400", notify_url=sandbox_client.application)
    (txn_ref,) = answer["txn_refs"]

    for action in ("mute", "unmute", "kick"):
        assert sandbox_client.heard() == []
        assert sandbox_client.call_api("conference/moderate", txn_ref=txn_ref, action=action) == {
            "status": "success_ok"
        }

    assert [params["call_status_dest1"] for params in sandbox_client.heard()] == ["answered"]
    assert sandbox_client.call_api("conference/moderate", txn_ref=txn_ref, action="mute") == {
        "status": "error_invalid_txn_ref"
    }


def test_rate_reports_the_talk_time_of_the_credit(sandbox_client: SandboxClient) -> None:
    assert sandbox_client.call_api("voice/get_rate", dest2=DEST) == {
        "currency": "SGD",
        "rate": "0.018",
        "talktime": "55813",
        "status": "success_ok",
    }


# Fax.


@pytest.mark.parametrize("file", ["base64", "upload"])
def test_fax_is_reported_and_listed(sandbox_client: SandboxClient, file: str) -> None:
    form = {**APP, "dest": DEST, "tag": "t", "notify_url": sandbox_client.application}
    if file == "base64":
        _, answer = sandbox_client.post("/sandbox/open/fax/send", {**form, "file": base64.b64encode(PDF).decode()})
    else:
        parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in form.items()]
        parts.append(b'name="file"; filename="a.pdf"\r\nContent-Type: application/pdf\r\n\r\n' + PDF)
        body = b"".join(b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + b"--b--"
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        _, answer = sandbox_client.request("POST", "/sandbox/open/fax/send", body, headers)

    (notified,) = sandbox_client.heard()
    facts = {"txn_ref": answer["txn_ref"], "tag": "t", "dest": DEST, "fax_status": "answered", "fax_pages": "2"}
    money = {"currency": "SGD", "rate": "0.032", "debit": "0.064"}
    assert notified == {**facts, **money, "duration": "2", "date": notified["date"]}
    remembered = sandbox_client.call_api("fax/query_status", txn_ref=answer["txn_ref"])
    link = remembered.pop("fax_url")
    date = notified["date"].removesuffix(".0")
    assert remembered == {**facts, **money, "src": "", "date": date, "status": "success_ok"}
    assert sandbox_client.request("GET", link.removeprefix(sandbox_client.url)) == (200, PDF)


@pytest.mark.parametrize(
    ("dest", "expected"),
    [
        ("+6500000100", {"fax_status": "failed", "fax_error_code": "busy"}),
        ("+6500000200", {"fax_status": "busy", "fax_error_code": "busy"}),
        ("+6500000300", {"fax_status": "unanswered", "fax_error_code": "busy"}),
    ],
)
def test_fax_that_fails_costs_nothing(sandbox_client: SandboxClient, dest: str, expected: dict[str, str]) -> None:
    _, (notified,) = sandbox_client.call_api_and_wait("fax/send", dest=dest, file=base64.b64encode(PDF).decode())

    assert {name: notified.get(name) for name in expected} == expected
    assert (notified["duration"], notified["debit"]) == ("0", "0.000")


def test_running_fax_is_listed_and_not_reported(sandbox_client: SandboxClient) -> None:
    answer, notified = sandbox_client.call_api_and_wait(
        "fax/send", dest="+6500000400", file=base64.b64encode(PDF).decode()
    )

    remembered = sandbox_client.call_api("fax/query_status", txn_ref=answer["txn_ref"])
    assert (notified, without(remembered, "date")) == (
        [],
        {
            "txn_ref": answer["txn_ref"],
            "tag": "",
            "src": "",
            "dest": "+6500000400",
            "fax_status": "ongoing",
            "fax_pages": "2",
            "fax_url": "",
            "currency": "SGD",
            "rate": "0.032",
            "debit": "0.000",
            "status": "success_ok",
        },
    )


# Its Base64 has a plus and a slash.
AWKWARD = b"%PDF-1.4 \xfb\xef\xbe\xff\xff\xff\xfb\xef\xbe"


@pytest.mark.parametrize(
    "spell",
    [
        lambda text: text.translate(str.maketrans("+/", "-_")),
        lambda text: text.replace("+", " "),
        lambda text: "\r\n".join(text[at : at + 8] for at in range(0, len(text), 8)),
    ],
    ids=["URL-safe", "lost plus", "lines"],
)
def test_fax_is_read_in_any_spelling_of_base64(sandbox_client: SandboxClient, spell: Any) -> None:
    standard = base64.b64encode(AWKWARD).decode()
    assert {"+", "/"} <= set(standard)

    answer = sandbox_client.call_api("fax/send", dest=DEST, file=spell(standard))

    assert answer["status"] == "success_ok"
    link = sandbox_client.call_api("fax/query_status", txn_ref=answer["txn_ref"])["fax_url"]
    assert sandbox_client.request("GET", link.removeprefix(sandbox_client.url)) == (200, AWKWARD)


def test_fax_to_a_number_of_the_application_is_received_there(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api("number/update_forwarding", number=FAX, forward_to=sandbox_client.application)

    sandbox_client.call_api("fax/send", dest=FAX, file=base64.b64encode(PDF).decode())

    (notified,) = sandbox_client.heard()
    assert without(notified, "txn_ref", "fax_url", "date") == {
        "fax_status": "answered",
        "from": HANDSET,
        "to": FAX,
        "duration": "2",
        "currency": "SGD",
        "debit": "0.013",
    }
    types = ("all", "incoming", "outgoing")
    history = {way: sandbox_client.call_api("fax/get_history", type=way) for way in types}
    assert [history[way]["total_entries_count"] for way in types] == ["2", "1", "1"]
    assert history["incoming"]["entries"][0]["txn_ref"] == notified["txn_ref"]


# History.


def test_history_of_calls_always_has_two_parties(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api("conference/call", dest=DEST)
    sandbox_client.call_api("ivr/start/dial", dest=DEST)
    sandbox_client.call_api("voice/call", dest1=DEST, dest2="+6500000400")
    sandbox_client.call()

    entries = sandbox_client.call_api("voice/get_history")["entries"]

    # As the .NET SDK reads each.
    names = ("call_status_dest1", "call_status_dest2", "dest1", "dest2", "tag")
    assert [[entry[name] for name in names] for entry in entries] == [
        ["answered", "", DEST, "", ""],
        ["answered", "", DEST, "", ""],
        ["ongoing", "ongoing", DEST, "+6500000400", ""],
        ["ongoing", "", HANDSET, "", ""],
    ]


def test_history_has_a_hundred_entries_per_page(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api("sms/bulk_send", dest=",".join(f"+6590000{at:03}" for at in range(230)), msg="hello")

    pages = [sandbox_client.call_api("sms/get_history", page=page) for page in (1, 2, 3, 4)]

    assert [(page["total_entries_count"], page["entries_count"]) for page in pages] == [
        ("230", "100"),
        ("230", "100"),
        ("230", "30"),
        ("230", "0"),
    ]
    dests = [entry["dest"] for page in pages for entry in page["entries"]]
    assert dests == [f"+6590000{at:03}" for at in range(230)]


def test_history_lists_transactions_between_two_moments(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api("sms/send", dest=DEST, msg="hello")
    (entry,) = sandbox_client.call_api("sms/get_history")["entries"]
    date = entry["date"]

    assert len(sandbox_client.call_api("sms/get_history", **{"from": date})["entries"]) == 1
    assert sandbox_client.call_api("sms/get_history", to=date)["entries"] == []
    assert sandbox_client.call_api("sms/get_history", **{"from": "2999-01-01 00:00:00"})["entries"] == []
    assert len(
        sandbox_client.call_api("sms/get_history", **{"from": "2026-01-01 00:00:00", "to": "2999-01-01 00:00:00.0"})[
            "entries"
        ]
    )


def test_history_lists_incoming_sms_as_received(sandbox_client: SandboxClient) -> None:
    sandbox_client.do("text", to=NUMBER, msg="hello")

    (entry,) = sandbox_client.call_api("sms/get_history")["entries"]
    assert without(entry, "txn_ref", "date") == {
        "tag": "",
        "sms_status": "received",
        "src": HANDSET,
        "dest": NUMBER,
        "msg": "hello",
        "split_count": "1",
        "currency": "SGD",
        "rate": "0.013",
        "debit": "0.013",
    }


def test_oldest_transactions_are_forgotten(sandbox_client: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_hoiio.sandbox.exchange.MAX_TRANSACTIONS", 3)
    refs = [sandbox_client.call_api("sms/send", dest=DEST, msg="hello")["txn_ref"] for _ in range(5)]

    assert [entry["txn_ref"] for entry in sandbox_client.call_api("sms/get_history")["entries"]] == refs[2:]


def test_references_of_an_earlier_process_are_not_reused(sandbox_client: SandboxClient) -> None:
    refs = [sandbox_client.call_api("sms/send", dest=DEST, msg="hello")["txn_ref"] for _ in range(3)]
    revision = sandbox_client.state()["revision"]

    exchange.reset()

    assert sandbox_client.state()["revision"] > revision
    assert sandbox_client.call_api("sms/send", dest=DEST, msg="hello")["txn_ref"] not in refs


# Numbers and the account.


def test_numbers_forward_to_the_project_by_default(sandbox_client: SandboxClient) -> None:
    voice, fax = sandbox_client.call_api("number/get_active")["entries"]

    base = sandbox_client.application.partition("?")[0]
    shared = {"auto_extend_status": "enabled", "country": "SG", "state": ""}
    assert without(voice, "forward_to", "forward_sms_to", "expiry") == {
        **shared,
        "number": NUMBER,
        "mode": "voice",
        "capabilities": ["VOICE", "SMS"],
    }
    assert without(fax, "forward_to", "expiry") == {
        **shared,
        "number": FAX,
        "forward_sms_to": "",
        "mode": "fax",
        "capabilities": ["FAX"],
    }
    assert voice["forward_to"].startswith(f"{base}ivr/")
    assert voice["forward_sms_to"].startswith(f"{base}sms/")
    assert fax["forward_to"].startswith(f"{base}fax/")


@pytest.mark.parametrize("name", ["forward_sms_to", "forward_to_sms"])
def test_number_forwards_to_its_url(sandbox_client: SandboxClient, name: str) -> None:
    url = f"{sandbox_client.application}&x_set=1"
    sandbox_client.call_api("number/update_forwarding", number=NUMBER, forward_to=url, **{name: url})

    voice, _ = sandbox_client.call_api("number/get_active")["entries"]
    sandbox_client.do("text", to=NUMBER, msg="hello")
    sandbox_client.do("call", to=NUMBER)

    sandbox_client.heard()
    assert (voice["forward_to"], voice["forward_sms_to"]) == (url, url)
    assert [heard.query for heard in sandbox_client.notifications] == ["x_order=17&x_set=1"] * 2


def test_fax_number_forwards_sms_if_it_is_told_where_to(sandbox_client: SandboxClient) -> None:
    url = sandbox_client.application
    sandbox_client.call_api("sms/send", dest=FAX, msg="lost")
    fax = {"number": FAX, "mode": "fax", "forward_to": url, "forward_sms_to": url}
    assert sandbox_client.call_api("number/update_forwarding", **fax) == {"status": "success_ok"}

    _, entry = sandbox_client.call_api("number/get_active")["entries"]
    sandbox_client.call_api("sms/send", dest=FAX, msg="hello")

    assert {name: entry[name] for name in fax} == fax
    assert [(heard["to"], heard["msg"]) for heard in sandbox_client.heard()] == [(FAX, "hello")]


def test_omitted_forwarding_stays_and_empty_forwarding_is_removed(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api(
        "number/update_forwarding",
        number=NUMBER,
        forward_to=sandbox_client.application,
        forward_sms_to=sandbox_client.application,
    )

    sandbox_client.call_api("number/update_forwarding", number=NUMBER, forward_sms_to="")

    voice, _ = sandbox_client.call_api("number/get_active")["entries"]
    assert (voice["forward_to"], voice["forward_sms_to"]) == (sandbox_client.application, "")
    sandbox_client.do("text", to=NUMBER, msg="hello")
    assert sandbox_client.heard() == []


def test_number_may_become_a_fax_number(sandbox_client: SandboxClient) -> None:
    sandbox_client.call_api("number/update_forwarding", number=NUMBER, mode="fax")

    assert [entry["mode"] for entry in sandbox_client.call_api("number/get_active")["entries"]] == ["fax", "fax"]
    assert NUMBER not in sandbox_client.state()["numbers"]


def test_numbers_of_a_project_without_a_public_url_forward_nowhere(
    sandbox_client: SandboxClient, settings: Any
) -> None:
    settings.HOIIO = {**settings.HOIIO, "PUBLIC_URL": None}

    assert [entry["forward_to"] for entry in sandbox_client.call_api("number/get_active")["entries"]] == ["", ""]


def test_bonus_is_spent_before_the_points(sandbox_client: SandboxClient) -> None:
    def left() -> tuple[str, str, str]:
        answer = sandbox_client.call_api("user/get_balance")
        return answer["balance"], answer["points"], answer["bonus"]

    assert left() == ("1004.650", "1000.000", "4.650")
    sandbox_client.call_api("sms/send", dest=DEST, msg="hello")
    assert left() == ("1004.618", "1000.000", "4.618")
    sandbox_client.call_api("sms/bulk_send", dest=",".join([DEST] * 200), msg="hello")
    assert left() == ("998.218", "998.218", "0.000")


def test_without_credit_nothing_is_sent(sandbox_client: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_hoiio.sandbox.exchange.POINTS", 0)
    monkeypatch.setattr("django_hoiio.sandbox.exchange.BONUS", 0)

    for path in ("sms/send", "voice/call", "conference/call", "fax/send", "ivr/start/dial"):
        assert sandbox_client.call_api(path, **LEAST[path]) == {"status": "error_insufficient_credit"}
    _, notified = sandbox_client.call_api_and_wait("sms/bulk_send", **LEAST["sms/bulk_send"])
    assert [params["status"] for params in notified] == ["error_insufficient_credit"]


def test_account_info_is_returned(sandbox_client: SandboxClient) -> None:
    assert sandbox_client.call_api("user/get_info") == {
        "uid": "AA-1001",
        "name": "Sandbox",
        "mobile_number": HANDSET,
        "caller_ids": [HANDSET, NUMBER, FAX, "private"],
        "email": "sandbox@localhost",
        "country": "SG",
        "prefix": "+65",
        "currency": "SGD",
        "time_zone": "GMT+8",
        "user_status": "active",
        "sms_rebrand_status": "enabled",
        "call_rebrand_status": "enabled",
        "status": "success_ok",
    }


def test_texts_in_any_language_are_returned_unchanged(sandbox_client: SandboxClient) -> None:
    msg = "Grüezi 你好 & = + %2B"

    sandbox_client.call_api("sms/send", dest=DEST, msg=msg)
    _, raw = sandbox_client.request(
        "GET", f"/sandbox/open/sms/send?{urlencode(APP)}&dest={quote(DEST)}&msg={quote(msg)}"
    )

    assert raw["status"] == "success_ok"
    assert [entry["msg"] for entry in sandbox_client.call_api("sms/get_history")["entries"]] == [msg, msg]
