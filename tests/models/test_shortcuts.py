"""Shortcuts of the models for receivers."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from django.views.debug import ExceptionReporter

from django_hoiio.client import responses
from django_hoiio.enums import Kind, Route
from django_hoiio.exceptions import InvalidParameter
from django_hoiio.ingest import ingest
from django_hoiio.models import Notification, Sms
from django_hoiio.retention.redaction import redact_notifications
from django_hoiio.verification import verify
from tests.conftest import raw_notification
from tests.fake_hoiio import Hoiio

pytestmark = pytest.mark.django_db

NUMBER = "+6591234567"


def receive(content: str, route: str = "any", **fields: Any) -> Notification:
    return ingest(raw_notification(route, "", content, **fields)).notification


def received_sms(from_number: str = NUMBER, account: str = "default") -> Sms:
    receive(f"txn_ref=AA-SI-1&from={from_number.replace('+', '%2B')}&to=%2B6500000000&msg=hello", account=account)
    return Sms.objects.get()


# notification.has_ended


@pytest.mark.parametrize(
    ("content", "block", "has_ended"),
    [
        ("session=S1&call_state=ended", {}, True),
        ("session=S1&call_state=ended&digits=1", {}, True),
        ("session=S1&call_state=ended", {"kind": "ivr_play"}, True),
        ("session=S1&call_state=ongoing&digits=1", {}, False),
        ("session=S1&call_state=ongoing", {"kind": "ivr_hangup"}, False),
        ("session=S1&call_state=ringing", {}, False),
        ("session=S1&monitor_url=x", {}, False),
        ("call_status_dest1=answered&call_status_dest2=busy", {}, True),
        ("call_status_dest1=answered&call_status_dest2=ongoing", {}, False),
        ("call_status=unanswered", {}, True),
        ("call_status=ongoing", {}, False),
        ("sms_status=delivered", {}, False),
        ("fax_status=answered", {}, False),
        ("x=1", {}, False),
    ],
)
def test_notification_tells_whether_its_call_has_ended(content: str, block: dict[str, str], has_ended: bool) -> None:
    assert receive(f"txn_ref=AA-C-1&{content}", block=block).has_ended is has_ended


def test_redacted_end_of_a_call_is_still_its_end() -> None:
    ended = [receive("txn_ref=AA-C-1&call_state=ended"), receive("txn_ref=AA-C-2&call_status=busy")]
    redact_notifications([each.pk for each in ended], "default")

    for each in ended:
        each.refresh_from_db()
        assert (each.kind in (Kind.IVR_ENDED, Kind.CALL_ENDED), each.params, each.has_ended) == (True, {}, True)


# notification.client()


def test_client_of_a_notification_uses_its_account_and_is_one_object(hoiio: Hoiio) -> None:
    notification, other = receive("x=1", account="second"), receive("x=1")

    with notification.client() as client, other.client() as of_other:
        client.user.get_balance()
        of_other.user.get_balance()

        assert notification.client() is client
        assert [request.params["app_id"] for request in hoiio.requests] == ["other-app", "app"]


def test_loading_a_notification_makes_no_client(settings: Any) -> None:
    settings.HOIIO = {}

    assert receive("x=1")._client is None


# sms.reply()


def test_reply_sends_an_sms_to_the_sender_and_returns_the_response(hoiio: Hoiio) -> None:
    sms = received_sms(account="second")

    assert sms.reply("Thank you.", pass_on={"answer_to": 7}) == responses.SentResponse(
        status="success_ok", txn_ref="AA-S-1"
    )

    params = dict(hoiio.request.params)
    route, token = params.pop("notify_url").removeprefix("https://my.example.com/hoiio/").strip("/").split("/")
    assert (hoiio.request.path, params) == (
        "/open/sms/send",
        {"app_id": "other-app", "access_token": "other-token", "dest": NUMBER, "msg": "Thank you."},
    )
    verified = verify(Route(route), token, b"", None)
    assert (verified.account, verified.pass_on, verified.block) == ("second", {"answer_to": 7}, {})
    sent = Sms.objects.get(txn_ref="AA-S-1")
    assert (sent.account, sent.direction, sent.dest, sent.msg) == ("second", "outgoing", NUMBER, "Thank you.")


def test_number_without_a_plus_can_be_answered(hoiio: Hoiio) -> None:
    received_sms("77222").reply("Thank you.")

    assert hoiio.request.params["dest"] == "77222"


@pytest.mark.parametrize("sender", ["HOIIO", "private", "", "+", "4U2"])
def test_sender_without_a_number_cannot_be_answered(hoiio: Hoiio, sender: str) -> None:
    with pytest.raises(
        ValueError, match=r"^SMS AA-SI-1 cannot be answered, because its sender is not a phone number\.$"
    ):
        received_sms(sender).reply("Thank you.")

    assert hoiio.requests == []


@pytest.mark.parametrize("content", [f"sms_status=delivered&dest={NUMBER}".replace("+", "%2B"), "sms_status=queued"])
def test_sms_that_was_not_received_cannot_be_answered(hoiio: Hoiio, content: str) -> None:
    receive(f"txn_ref=AA-S-1&{content}")

    with pytest.raises(
        ValueError, match=re.escape("SMS AA-S-1 was not received; reply() answers a received SMS only.")
    ):
        Sms.objects.get().reply("Thank you.")

    assert hoiio.requests == []


def test_error_page_does_not_show_the_text_of_a_reply(hoiio: Hoiio) -> None:
    # Random, because the error page also shows the source code.
    text, sms = uuid4().hex, received_sms()
    hoiio.says({"status": "error_dest_invalid"})

    with pytest.raises(InvalidParameter) as raised:
        sms.reply(text)

    assert raised.tb is not None
    page = ExceptionReporter(None, type(raised.value), raised.value, raised.tb.tb_next).get_traceback_text()
    assert (text in page, NUMBER in page, "in reply" in page) == (False, False, True)
