"""The test kit, as the tests of a project use it."""

from __future__ import annotations

import sys
from copy import copy
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from django_hoiio.client import HoiioClient
from django_hoiio.exceptions import ConnectionFailed, HoiioError, InsufficientCredit
from django_hoiio.models import Call, Fax, Sms
from django_hoiio.signals import sms_received, sms_status
from django_hoiio.testing import Hoiio, LostNotification

pytestmark = pytest.mark.usefixtures("project")


def test_sms_is_answered_and_the_answer_delivered(hoiio: Hoiio) -> None:
    hoiio.sms("HELLO", from_="+6598765432")

    (sent,) = hoiio.sent
    assert (sent.path, sent.dest, sent.msg) == ("sms/send", "+6598765432", "You wrote HELLO.")
    assert sent.row().sms_status == ""
    sent.deliver("failed")
    assert sent.row().sms_status == "failed"
    assert hoiio.signals == ["sms_received", "sms_status"]
    assert hoiio.notifications[-1].pass_on == {"answer_to": Sms.objects.get(direction="incoming").txn_ref}


def test_caller_hears_presses_and_records(hoiio: Hoiio) -> None:
    caller = hoiio.call(from_="+6598765432", to="+6531234567")
    assert (caller.heard, caller.state) == ("Press 1 or 2.", "gathering")
    caller.press("2")
    assert (caller.heard, caller.state) == ("Speak.", "recording")
    caller.record("My bicycle broke down")
    assert (caller.heard, caller.ended) == ("Goodbye.", True)
    assert caller.transcript == "Press 1 or 2.\nSpeak.\nGoodbye."
    assert (caller.call.from_number, caller.call.to_number) == ("+6598765432", "+6531234567")
    assert hoiio.signals == ["ivr_answer", "ivr_gather", "ivr_record", "ivr_hangup", "ivr_ended"]


def test_caller_hangs_up_while_recording(hoiio: Hoiio) -> None:
    caller = hoiio.call()
    caller.press("2")
    caller.hang_up()

    assert caller.ended
    assert hoiio.signals[-2:] == ["ivr_record", "ivr_ended"]


def test_silent_caller_hears_what_follows(hoiio: Hoiio) -> None:
    caller = hoiio.call()
    begun = hoiio.now
    caller.stay_silent()

    assert (caller.heard, caller.ended) == ("Goodbye.", True)
    assert (hoiio.now - begun).total_seconds() == 15


@pytest.mark.parametrize(("status", "state"), [("busy", "ended"), ("answered", "transferred")])
def test_other_end_of_a_transfer_decides(hoiio: Hoiio, status: str, state: str) -> None:
    caller = hoiio.call()
    caller.press("1")
    assert caller.state == "transferring"
    caller.far_end(status)

    assert caller.state == state


def test_caller_may_withhold_the_number(hoiio: Hoiio) -> None:
    assert hoiio.call(from_=None).call.from_number == "private"


def test_several_callers_may_withhold_the_number_at_once(hoiio: Hoiio) -> None:
    first, second = hoiio.call(from_=None), hoiio.call(from_=None)
    first.press("2")

    assert (first.heard, second.heard) == ("Speak.", "Press 1 or 2.")
    assert {first.call.from_number, second.call.from_number} == {"private"}


def test_transcript_is_complete_however_much_happens(hoiio: Hoiio) -> None:
    caller = hoiio.call()
    with HoiioClient() as client:
        client.sms.bulk_send(dest=[f"+65911{number:05}" for number in range(1000)], msg="hello", notify=False)
    caller.press("2")

    assert caller.transcript == "Press 1 or 2.\nSpeak."


def test_callers_hear_only_their_own_call(hoiio: Hoiio) -> None:
    first, second = hoiio.call(from_="+6590000001"), hoiio.call(from_="+6590000002")
    first.press("2")

    assert (first.heard, second.heard) == ("Speak.", "Press 1 or 2.")


def test_number_that_nobody_has_named_belongs_to_the_project(hoiio: Hoiio) -> None:
    caller = hoiio.call(to="+6561112222")
    hoiio.sms("HELLO", to="+6561112223")

    assert caller.call.to_number == "+6561112222"
    assert Sms.objects.get(direction="incoming").to_number == "+6561112223"


def test_people_answer_or_decline_the_calls_of_the_project(hoiio: Hoiio) -> None:
    with HoiioClient() as client:
        client.ivr.dial(dest="+6598765432", msg="Good morning.")
        client.voice.call(dest1="+6511111111", dest2="+6522222222")
        client.voice.call(dest1="+6533333333", dest2="+6522222222")
    dialled, declined, missed = hoiio.calls
    assert [each.state for each in hoiio.calls] == ["ringing"] * 3
    dialled.answer()
    declined.decline()
    hoiio.wait(seconds=30)

    assert (dialled.heard, dialled.state) == ("Good morning.\nGoodbye.", "ended")
    assert (declined.call.call_status_dest1, missed.call.call_status_dest1) == ("busy", "unanswered")


def test_fax_is_received_and_delivered(hoiio: Hoiio) -> None:
    hoiio.fax(from_="+6598765432", pages=3)
    with HoiioClient() as client:
        client.fax.send(dest="+6511111111", file=b"%PDF-1.4 /Type /Page")
    hoiio.sent[-1].deliver()

    assert hoiio.signals == ["fax_received", "fax_status"]
    assert Fax.objects.get(direction="incoming").from_number == "+6598765432"
    assert Fax.objects.get(direction="outgoing").fax_status == "answered"


def test_every_message_of_a_bulk_sms_is_delivered(hoiio: Hoiio) -> None:
    with HoiioClient() as client:
        client.sms.bulk_send(dest=["+6511111111", "+6522222222"], msg="hello")
    hoiio.wait()
    hoiio.sent[-1].deliver()

    assert list(Sms.objects.values_list("sms_status", flat=True)) == ["delivered", "delivered"]


def test_any_notification_can_be_posted(hoiio: Hoiio) -> None:
    hoiio.post("call_ended", txn_ref="AA-C-1", dest1="+6511111111", duration="3", tag=None)
    hoiio.post("sms_received", from_="+6522222222", msg="hi")

    assert (Call.objects.get().duration, Call.objects.get().tag) == (3, "")
    assert hoiio.sent[-1].dest == "+6522222222"


# Failures.


def broken(**kwargs: Any) -> None:
    raise KeyError("broken")


@pytest.fixture
def failing() -> Any:
    sms_received.connect(broken)
    yield
    sms_received.disconnect(broken)


@pytest.mark.usefixtures("failing")
def test_receiver_that_raises_fails_the_test_with_its_traceback(hoiio: Hoiio) -> None:
    with pytest.raises(KeyError, match="broken") as raised:
        hoiio.sms("HELLO")

    assert raised.traceback[-1].name == "broken"
    assert [type(each) for each in hoiio.failures] == [KeyError]


@pytest.mark.usefixtures("failing")
def test_allowed_failure_is_collected(hoiio: Hoiio) -> None:
    hoiio.allow_failures()
    hoiio.sms("HELLO")

    assert [str(each) for each in hoiio.failures] == ["'broken'"]


@pytest.mark.usefixtures("failing")
def test_failed_receiver_runs_again_in_a_recovery(hoiio: Hoiio) -> None:
    hoiio.allow_failures()
    hoiio.sms("HELLO")
    hoiio.wait(minutes=10)
    sms_received.disconnect(broken)
    sms_received.connect(lambda **kwargs: None, weak=False, dispatch_uid="repaired")
    result = hoiio.recover()
    sms_received.disconnect(dispatch_uid="repaired")

    assert sum(result.receivers.values()) == 1


def test_notification_that_the_project_does_not_answer_fails_the_test(hoiio: Hoiio, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["elsewhere.example"]

    with pytest.raises(LostNotification, match=r"answered 400. .*Add the host to ALLOWED_HOSTS"):
        hoiio.sms("HELLO")


def test_token_of_a_lost_notification_is_masked(hoiio: Hoiio, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["elsewhere.example"]

    with pytest.raises(LostNotification, match=r"^/hoiio/sms/••••/ answered 400"):
        hoiio.sms("HELLO")


def test_project_that_redirects_to_https_behind_a_proxy_it_does_not_know_fails_the_test(
    hoiio: Hoiio, settings: Any
) -> None:
    settings.MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", *settings.MIDDLEWARE]
    settings.SECURE_SSL_REDIRECT = True
    with pytest.raises(LostNotification, match=r"answered 301. .*SECURE_PROXY_SSL_HEADER"):
        hoiio.sms("HELLO")

    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    hoiio.sms("HELLO")


def test_keys_that_nobody_takes_fail_the_test_with_what_was_said(hoiio: Hoiio) -> None:
    caller = hoiio.call()
    caller.press("2")

    with pytest.raises(AssertionError, match=r"not transferring(.|\n)*spoken: Speak\."):
        caller.far_end("busy")
    caller.hang_up()
    with pytest.raises(AssertionError, match="The call is ended, not gathering or recording"):
        caller.press("1")
    with pytest.raises(AssertionError, match="The call has ended"):
        caller.hang_up()
    assert repr(caller) == "<Caller +6591234567: ended>"


def test_caller_for_whom_nothing_waits_cannot_stay_silent(hoiio: Hoiio) -> None:
    caller = hoiio.call()
    caller.press("1")

    with pytest.raises(AssertionError, match="Nothing waits for the caller: the call is transferring"):
        caller.stay_silent()


def test_act_that_the_telephone_refuses_fails_the_test_with_its_reason(hoiio: Hoiio) -> None:
    caller = hoiio.call()

    with pytest.raises(AssertionError, match="You are in a call; hang up first"):
        hoiio.call()
    with pytest.raises(AssertionError, match=r"(?s)keys.*spoken: Press 1 or 2\."):
        caller.press("x")


def test_parameter_that_was_not_sent_is_named(hoiio: Hoiio) -> None:
    hoiio.sms("HELLO")

    with pytest.raises(AttributeError, match=r"The request to sms/send has no parameter 'text'\."):
        hoiio.sent[-1].text  # noqa: B018


def test_request_can_be_copied(hoiio: Hoiio) -> None:
    hoiio.sms("HELLO")

    assert copy(hoiio.sent[-1]) == hoiio.sent[-1]


def test_request_that_started_nothing_has_no_row_and_no_report(hoiio: Hoiio) -> None:
    hoiio.refuse("sms/send", "error_insufficient_credit")
    with pytest.raises(InsufficientCredit):
        hoiio.sms("HELLO")

    for act in (hoiio.sent[-1].row, hoiio.sent[-1].deliver):
        with pytest.raises(AssertionError, match="started no call, SMS or fax; Hoiio answered 'error_insufficient_"):
            act()


def test_status_that_hoiio_does_not_have_is_refused(hoiio: Hoiio) -> None:
    with HoiioClient() as client:
        client.sms.send(dest="+6511111111", msg="hello")
        client.fax.send(dest="+6511111111", file=b"%PDF-1.4 /Type /Page")
        client.voice.call(dest1="+6533333333", dest2="+6522222222")
    sms, fax, _ = hoiio.sent
    caller = hoiio.call()
    caller.press("1")
    acts = [
        (lambda: sms.deliver("delivred"), "sms_status 'delivred'; it has delivered, error, failed, queued, received."),
        (lambda: fax.deliver("sent"), "fax_status 'sent'; it has answered, busy, failed, ongoing, unanswered."),
        (lambda: hoiio.calls[0].decline("no"), "dial_status 'no'; it has answered, busy, failed, ongoing, unanswered."),
        (lambda: caller.far_end("no"), "transfer_status 'no'; it has answered, busy, failed, ongoing, unanswered."),
    ]

    for act, message in acts:
        with pytest.raises(ValueError) as raised:  # noqa: PT011
            act()
        assert str(raised.value) == f"Hoiio has no {message}"


def test_only_sms_and_faxes_are_delivered(hoiio: Hoiio) -> None:
    with HoiioClient() as client:
        client.sms.send(dest="+6591234567", msg="hello", notify=False)
        client.voice.call(dest1="+6591234567", dest2="+6591234568")
    unreported, call = hoiio.sent

    with pytest.raises(AssertionError, match="The request to sms/send has no notify_url"):
        unreported.deliver()
    with pytest.raises(AssertionError, match=r"People answer calls: see hoiio\.calls\."):
        call.deliver()


@pytest.mark.usefixtures("failing")
@pytest.mark.skipif(sys.version_info < (3, 11), reason="Exceptions have no notes")
def test_first_of_several_failures_counts_the_others(hoiio: Hoiio) -> None:
    hoiio.faults(twice=True)

    with pytest.raises(KeyError) as raised:
        hoiio.sms("HELLO")
    assert raised.value.__notes__ == ["More failed: 1 × KeyError."]


def test_kit_within_a_transaction_says_what_to_do(hoiio: Hoiio) -> None:
    with transaction.atomic(), pytest.raises(AssertionError, match="Call it after the block"):
        hoiio.sms("HELLO")


def test_kit_within_a_coroutine_says_what_to_do(hoiio: Hoiio) -> None:
    async def test() -> None:
        hoiio.sms("HELLO")

    import asyncio

    with pytest.raises(AssertionError, match="sync_to_async"):
        asyncio.run(test())


# Hoiio's side.


def test_request_is_refused(hoiio: Hoiio) -> None:
    hoiio.refuse("sms/send", "error_insufficient_credit")
    with pytest.raises(InsufficientCredit):
        hoiio.sms("HELLO")
    assert hoiio.sent[-1].answer == {"status": "error_insufficient_credit"}

    hoiio.accept("sms/send")
    hoiio.sms("HELLO")


def test_request_is_not_answered(hoiio: Hoiio) -> None:
    hoiio.refuse("sms/send", None)

    with pytest.raises(ConnectionFailed):
        hoiio.sms("HELLO")


@pytest.mark.parametrize("status", [None, "error_internal_server_error"])
def test_query_that_fails_is_retried_without_a_sleep(
    hoiio: Hoiio, monkeypatch: pytest.MonkeyPatch, status: str | None
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    hoiio.refuse("sms/query_status", status)

    with HoiioClient() as client, pytest.raises(HoiioError):
        client.sms.query_status(txn_ref="AA-S-1")
    assert slept == [0, 0]


def test_path_that_hoiio_does_not_have_cannot_be_refused(hoiio: Hoiio) -> None:
    with pytest.raises(ValueError, match=r"Hoiio has no path 'sms\.send'; it has .*, sms/send, "):
        hoiio.refuse("sms.send", "error_insufficient_credit")


def test_notifications_are_lost_late_and_repeated(hoiio: Hoiio) -> None:
    hoiio.faults(lost=1)
    hoiio.sms("HELLO")
    assert hoiio.notifications == []

    hoiio.faults(late=60)
    hoiio.sms("HELLO")
    assert hoiio.notifications == []
    hoiio.wait(seconds=60)
    assert len(hoiio.notifications) == 1

    hoiio.faults(twice=True)
    hoiio.sms("HELLO")
    assert [each.is_repeat for each in hoiio.notifications] == [False, False, True]


def test_shuffled_reports_lead_to_the_same_state(hoiio: Hoiio) -> None:
    hoiio.faults(shuffled=True)
    with HoiioClient() as client:
        client.sms.bulk_send(dest=[f"+6511111{number:03}" for number in range(20)], msg="hello")
    hoiio.wait()
    order = [each.params["dest"] for each in hoiio.notifications]

    assert sorted(order) != order
    assert Sms.objects.count() == 20


def test_row_of_which_no_report_comes_is_overdue_after_a_while(hoiio: Hoiio) -> None:
    hoiio.sms("HELLO")
    assert not Sms.objects.overdue().exists()
    hoiio.wait(hours=2)

    assert Sms.objects.overdue().exists()


# The project's settings.


def test_settings_of_the_project_are_used(hoiio: Hoiio, settings: Any) -> None:
    settings.HOIIO = {
        "PUBLIC_URL": "https://my.example.com",
        "ACCOUNTS": {"default": {"APP_ID": "own", "ACCESS_TOKEN": "secret"}, "second": {}},
    }
    hoiio.sms("HELLO")
    hoiio.call(to="+6531234569")

    assert hoiio.sent[0].notify_url.startswith("https://my.example.com/hoiio/sms/")
    assert [each.account for each in hoiio.notifications] == ["default", "second"]


def test_accounts_without_credentials_are_distinguished(hoiio: Hoiio, settings: Any) -> None:
    settings.HOIIO = {"ACCOUNTS": {"shop": {}, "support": {}}}
    with HoiioClient("support") as client:
        client.sms.send(dest="+6511111111", msg="hello")

    assert hoiio.sent[-1].row().account == "support"


def test_nothing_is_filled_in_after_the_test(settings: Any) -> None:
    settings.HOIIO = {}
    with Hoiio():
        HoiioClient()

    with pytest.raises(ImproperlyConfigured):
        HoiioClient()


def test_client_that_the_project_keeps_reaches_the_kit(settings: Any, db: None) -> None:
    settings.HOIIO = {"ACCOUNTS": {"default": {"APP_ID": "own", "ACCESS_TOKEN": "secret"}}}
    client = HoiioClient()
    with Hoiio() as hoiio:
        client.user.get_balance()

    assert [each.path for each in hoiio.sent] == ["user/get_balance"]


@pytest.mark.usefixtures("hoiio")
def test_delivery_report_of_a_request_from_the_test_arrives_on_its_own(hoiio: Hoiio) -> None:
    seen = []
    sms_status.connect(lambda sms, **kwargs: seen.append(sms.sms_status), weak=False, dispatch_uid="seen")
    with HoiioClient() as client:
        client.sms.send(dest="+6511111111", msg="hello")
    hoiio.sent[-1].deliver()
    sms_status.disconnect(dispatch_uid="seen")

    assert seen == ["delivered"]
