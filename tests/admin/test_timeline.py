"""The page of a call, SMS or fax: its state in words, and its timeline."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.db.models import F

from django_hoiio.admin import timeline
from django_hoiio.enums import Kind, Source
from django_hoiio.ingest import ingest
from django_hoiio.ingest.outgoing import enter
from django_hoiio.models import Call, Fax, Notification, ReceiverFailure, Sms, Transaction
from django_hoiio.retention.redaction import redact_notifications
from django_hoiio.signals import notification_received, sms_received
from tests.conftest import Post, raw_notification
from tests.users import EVERYTHING, act, events, look, queries, staff, text, url

pytestmark = pytest.mark.django_db

MORNING = datetime(2012, 6, 6, 3, 15, tzinfo=timezone.utc)


def receive(body: str, minute: float = 0, **fields: Any) -> Notification:
    raw = raw_notification(
        "any", fields.pop("query", ""), body, received_at=MORNING + timedelta(minutes=minute), **fields
    )
    notification = ingest(raw).notification
    Notification.objects.filter(pk=notification.pk).update(dispatched_at=F("received_at"))
    return notification


def sms() -> Sms:
    return Sms.objects.get()


# State.


@pytest.mark.parametrize(
    ("model", "body", "sentence"),
    [
        (Sms, "sms_status=delivered&dest=%2B6591231111&date=2012-06-06+11:15:20.0&debit=0.032&currency=SGD", "Delivered. Sent to +65••••1111 on 6 Jun 2012, 03:15; cost 0.032 SGD."),
        (Sms, "sms_status=delivered&dest=%2B6591231111&split_count=3", "Delivered. Sent to +65••••1111 on 6 Jun 2012, 03:15; in 3 parts."),
        (Sms, "sms_status=failed&dest=%2B6591231111", "Failed. Sent to +65••••1111 on 6 Jun 2012, 03:15."),
        (Sms, "sms_status=error", "Failed: an error at Hoiio. On 6 Jun 2012, 03:15."),
        (Sms, "status=error_dest&dest=%2B6591231111", "Refused: error_dest. Sent to +65••••1111 on 6 Jun 2012, 03:15."),
        (Sms, "msg=hello&from=%2B6591231111", "Received from +65••••1111 on 6 Jun 2012, 03:15."),
        (Sms, "msg=hello&from=", "Received on 6 Jun 2012, 03:15."),
        (Call, "call_status_dest1=answered&call_status_dest2=answered&dest2=%2B6591231111&duration=2", "Answered. Call to +65••••1111 on 6 Jun 2012, 03:15; 2 minutes."),
        (Call, "call_status_dest1=answered&call_status_dest2=busy&dest2=%2B6591231111", "Busy (status of the second leg: busy). Call to +65••••1111 on 6 Jun 2012, 03:15."),
        (Call, "session=S1&call_state=ended&from=%2B6591231111&duration=0", "Missed. Call from +65••••1111 on 6 Jun 2012, 03:15; 0 minutes."),
        (Call, "session=S1&call_state=ended&from=&duration=1", "Answered. Call on 6 Jun 2012, 03:15, number withheld; 1 minute."),
        (Fax, "fax_status=answered&from=%2B6591231111&fax_pages=1", "Received from +65••••1111 on 6 Jun 2012, 03:15; 1 page."),
        (Fax, "fax_status=answered&dest=%2B6591231111", "Arrived. Sent to +65••••1111 on 6 Jun 2012, 03:15."),
        (Fax, "fax_status=failed&fax_error_code=busy&dest=%2B6591231111", "Failed (failed, busy). Sent to +65••••1111 on 6 Jun 2012, 03:15."),
    ],
)  # fmt: skip
def test_state_is_described_in_one_sentence(model: type[Transaction], body: str, sentence: str) -> None:
    receive(f"txn_ref=AA-1&{body}")
    page = look(staff(), url(model._default_manager.get()))
    assert _sentence(page) == sentence


def _sentence(page: str) -> str:
    found = re.search(r'<p class="hoiio-sentence">(.*?)</p>', page, re.S)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("model", "body", "beginning"),
    [
        (Sms, "sms_status=queued", "Waiting: Hoiio has queued it."),
        (Sms, "status=success_ok&dest=%2B65", "Accepted (success_ok), not delivered yet."),
        (Sms, "sms_status=martian", "Status “martian”, which Hoiio does not document."),
        (Call, "session=S1&call_state=ringing", "Ringing."),
        (Call, "session=S1&call_state=ongoing", "In progress."),
        (Fax, "fax_status=ongoing", "In progress."),
        (Fax, "fax_status=martian", "Status “martian”, which Hoiio does not document."),
    ],
)
def test_row_that_is_not_final_is_shown_as_overdue_after_a_while(
    settings: Any, model: type[Transaction], body: str, beginning: str
) -> None:
    receive(f"txn_ref=AA-1&{body}")
    row, viewer = model._default_manager.get(), staff()
    assert _sentence(look(viewer, url(row))).startswith(beginning)
    assert "Overdue: no final status for" in _sentence(look(viewer, url(row)))
    settings.HOIIO = {"OVERDUE_AFTER": timedelta(days=365 * 100)}
    assert "Overdue" not in _sentence(look(viewer, url(row)))


# Timeline.


def test_each_notification_shows_its_changes_and_its_refused_changes() -> None:
    receive("txn_ref=AA-S-1&sms_status=queued&tag=order+77", 0)
    receive("txn_ref=AA-S-1&sms_status=delivered&debit=0.032", 1)
    receive("txn_ref=AA-S-1&sms_status=queued&tag=order+78&rate=dear", 2)
    receive("txn_ref=AA-S-1&sms_status=delivered", 3)

    assert events(look(staff(), url(sms()))) == [
        "SMS status tag order 77 sms_status queued",
        "SMS status is_final no → yes debit 0.032 sms_status queued → delivered",
        "SMS status tag order 77 → order 78 sms_status stays delivered: queued does not overwrite a final status ⚠ rate: is not an amount",
        "SMS status It changed nothing.",
    ]


def test_events_are_in_the_order_of_receipt_and_show_what_an_older_report_could_not_change() -> None:
    receive("txn_ref=AA-S-1&sms_status=failed", 5)
    receive("txn_ref=AA-S-1&sms_status=delivered", 1, source=Source.SPOOL)

    older, newer = events(look(staff(), url(sms())))[-2:]
    assert older == (
        "SMS status sms_status stays failed: an earlier report does not overwrite a later one "
        "Stored in the spool while the database was unavailable."
    )
    assert newer == "SMS status is_final no → yes sms_status failed"


def test_poll_and_late_dispatch_have_a_note() -> None:
    polled = receive("txn_ref=AA-S-1&sms_status=queued", source=Source.POLL)
    Notification.objects.filter(pk=polled.pk).update(dispatched_at=MORNING + timedelta(minutes=20))
    assert events(look(staff(), url(sms()))) == [
        "SMS status sms_status queued Read from Hoiio's API. Its receivers ran 20 minutes after it was received."
    ]
    Notification.objects.filter(pk=polled.pk).update(dispatched_at=None)
    assert "Its receivers have not all run yet." in events(look(staff(), url(sms())))[0]


def test_timeline_of_a_sent_sms_starts_with_the_request() -> None:
    enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": "+6591231111", "msg": "hello <b>"})
    page = look(staff("view_personal_data"), url(sms()))
    assert events(page) == ["Sent by this project direction outgoing dest +6591231111 msg hello <b>"]
    assert "hello &lt;b&gt;" in page
    assert events(look(staff(), url(sms()))) == ["Sent by this project direction outgoing dest +65••••1111 msg ••••"]


def test_timeline_notes_that_the_first_notifications_were_deleted() -> None:
    receive("txn_ref=AA-S-1&sms_status=queued", 0).delete()
    receive("txn_ref=AA-S-1&sms_status=delivered", 1)
    first, second = events(look(staff(), url(sms())))
    assert first.startswith("Created earlier Its first notifications were deleted")
    assert second == "SMS status is_final no → yes sms_status delivered"


def test_redacted_notification_is_shown_as_redacted() -> None:
    notification = receive("txn_ref=AA-S-1&sms_status=queued&digits=12", 0)
    redact_notifications([notification.pk], "default")
    Sms.objects.update(redacted_at=MORNING)
    page = look(staff(*EVERYTHING), url(sms()))
    assert events(page) == ["SMS status Redacted: its content was removed."]
    assert "Its numbers and texts were removed on 6 Jun 2012, 03:15." in text(page)


def test_results_of_ivr_blocks_are_events() -> None:
    receive("txn_ref=AA-C-1&session=S1&call_state=ringing&from=%2B6591231111", 0)
    receive("txn_ref=AA-C-1&session=S1&call_state=ongoing&digits=73*519", 1)
    receive("txn_ref=AA-C-1&session=S1&call_state=ongoing&digits=", 2)
    receive("txn_ref=AA-C-1&session=S1&call_state=ongoing&record_url=https://example.com/rec-113.mp3", 3)

    call = Call.objects.get()
    page = look(staff(*EVERYTHING), url(call))
    assert [entry.partition(" call_state")[0] for entry in events(page)[1:]] == [
        "IVR: keys gathered Keys pressed 73*519",
        "IVR: keys gathered Keys pressed none before the time-out",
        "IVR: voice recorded Recording Open",
    ]
    assert 'href="https://example.com/rec-113.mp3" target="_blank" rel="noreferrer noopener"' in page
    masked = look(staff("view_personal_data"), url(call))
    assert [each for each in ("73*519", "rec-113") if each in masked] == []
    assert "Recording ••••" in events(masked)[3]


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x"])
def test_recording_without_a_web_address_is_not_linked(link: str) -> None:
    receive(f"txn_ref=AA-C-1&session=S1&record_url={link}")
    page = look(staff(*EVERYTHING), url(Call.objects.get()))
    assert (link in page, "Recording not a web address" in events(page)[0]) == (False, True)


def test_texts_numbers_and_pass_on_values_are_masked_and_escaped() -> None:
    receive(
        "txn_ref=AA-SI-1&msg=%3Cscript%3Ealert(1)%3C/script%3E&from=%2B6591231111&to=%2B6500000000&date=%3Cb%3E",
        query="x_user=%3Cscript%3Ebob",
    )
    everything = look(staff(*EVERYTHING), url(sms()))
    assert "<script>alert" not in everything
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in everything
    assert "Your parameters: x_user <script>bob" in events(everything)[0]

    assert events(look(staff(), url(sms()))) == [
        "SMS received direction incoming is_final no → yes from_number +65••••1111 to_number +65••••0000 msg •••• ⚠ date: is not a date"
    ]


def test_refused_number_is_masked() -> None:
    receive("txn_ref=AA-S-1&sms_status=delivered&dest=%2B6591231111", 0)
    receive("txn_ref=AA-S-1&sms_status=queued&dest=%2B6581232222", 1)
    (refusal,) = re.findall(r"dest stays [^<]*", look(staff(), url(sms())))
    assert refusal == "dest stays +65••••1111: a report that is not final does not overwrite a final one"


# Receivers.


@pytest.fixture
def billed(post: Post) -> Sms:
    """An SMS with one failed receiver and others that succeeded."""

    def fail(**arguments: Any) -> None:
        raise ValueError("no customer has +6591231111 <b>")

    sms_received.connect(fail, dispatch_uid="shop.<b>bill")
    notification = post("sms/", "msg=hello&from=%2B6591231111&txn_ref=AA-SI-1")
    sms_received.disconnect(dispatch_uid="shop.<b>bill")
    called = [["sms_received", "shop.<b>bill"], ["sms_received", "shop.log"], ["notification_received", "<script>"]]
    Notification.objects.filter(pk=notification.pk).update(receivers=called)
    return Sms.objects.get()


def test_receivers_are_named_with_their_outcome(billed: Sms) -> None:
    page = look(staff(), url(billed))
    (event,) = events(page)
    assert "sms_received → shop.<b>bill failed, after 1 attempt, last on" in event
    assert event.endswith("sms_received → shop.log succeeded notification_received → <script> succeeded")
    assert ("→ <script>" in page, "no customer has" in page, "Traceback" in page) == (False, False, False)
    assert f'<a href="{url(ReceiverFailure.objects.get())}">sms_received → shop.&lt;b&gt;bill</a>' in page


def test_page_shows_each_receiver_from_its_failure_until_it_succeeds(post: Post) -> None:
    orders: list[str] = []

    def bill(**arguments: Any) -> None:
        orders.remove("77")

    sms_received.connect(bill, dispatch_uid="shop.bill")
    sms_received.connect(lambda **arguments: None, weak=False, dispatch_uid="shop.log")
    notification_received.connect(lambda **arguments: None, weak=False, dispatch_uid="shop.count")
    viewer, shown = staff(*EVERYTHING, "retry_receivers"), []
    try:
        notification = post("sms/?x_order=77", "msg=hello&from=%2B6591231111&txn_ref=AA-SI-1")
        for order in ("78", "77", ""):
            shown.append(_untimed(events(look(viewer, url(sms())))[0].partition("shop.bill")[2]))
            orders.append(order)
            act(viewer, "retry_receivers", [notification])
    finally:
        for signal in (sms_received, notification_received):
            for name in ("shop.bill", "shop.log", "shop.count"):
                signal.disconnect(dispatch_uid=name)

    others = (
        "sms_received → shop.log succeeded notification_received → shop.count succeeded Your parameters: x_order 77"
    )
    traceback = "Traceback ValueError: list.remove(x): x not in list"
    assert shown == [
        f"failed, after 1 attempt, last on … {traceback} {others}",
        f"failed, after 2 attempts, last on … {traceback} {others}",
        f"resolved on …, after 3 attempts {traceback} {others}",
    ]


def _untimed(words: str) -> str:
    untimed = re.sub(r"\d+ [A-Z][a-z]+ \d{4}, \d\d:\d\d", "…", words.strip())
    return re.sub(r"(Traceback) .*?(ValueError: list\.remove\(x\): x not in list)", r"\1 \2", untimed)


def test_traceback_is_shown_only_to_users_who_may_see_raw_requests(billed: Sms) -> None:
    page = look(staff(*EVERYTHING), url(billed))
    assert "<details><summary>Traceback</summary>" in page
    assert "ValueError: no customer has +6591231111 &lt;b&gt;" in page


def test_resolved_receiver_is_shown_as_resolved(billed: Sms) -> None:
    ReceiverFailure.objects.update(attempts=3, resolved_at=MORNING)
    assert "shop.<b>bill resolved on 6 Jun 2012, 03:15, after 3 attempts" in events(look(staff(), url(billed)))[0]


@pytest.mark.parametrize("receivers", [[], {}, ["x"], [["x"]], [[1, 2]], "x", [["sms_received", "x" * 9000]]])
def test_failure_is_shown_even_if_the_recorded_receivers_are_malformed(billed: Sms, receivers: Any) -> None:
    Notification.objects.update(receivers=receivers)
    assert "sms_received → shop.<b>bill failed, after 1 attempt" in events(look(staff(), url(billed)))[0]


def test_page_that_the_user_may_not_open_is_not_linked(billed: Sms) -> None:
    page = look(staff(views=("sms",)), url(billed))
    assert (url(billed.notifications.get()) in page, url(ReceiverFailure.objects.get()) in page) == (False, False)
    assert events(page)[0].startswith("SMS received")


# Many notifications.


def _fill(count: int) -> Sms:
    receive("txn_ref=AA-S-1&sms_status=queued", 0)
    model = Notification.objects.get()
    fields = {field.name: getattr(model, field.name) for field in Notification._meta.fields if field.name != "id"}
    later = [
        raw_notification("any", "", f"txn_ref=AA-S-1&sms_status=queued&tag={at}", source=Source.POLL)
        for at in range(count)
    ]
    Notification.objects.bulk_create(
        [
            Notification(**{**fields, "uuid": each.uuid, "body": each.body, "received_at": each.received_at})
            for each in later
        ],
        batch_size=500,
    )
    return sms()


def test_timeline_of_very_many_notifications_is_cut_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MAX_EVENTS", 5)
    monkeypatch.setattr(timeline, "MAX_LATEST_EVENTS", 2)
    row = _fill(20)
    page = look(staff(), url(row))
    shown = events(page)
    assert len(shown) == 5 + 1 + 2
    assert shown[5].startswith("Only the first 5 notifications are analysed here.")
    assert '?q=AA-S-1">All notifications</a>' in page
    newest = row.notifications.order_by("-pk")[0]
    assert url(newest) in page
    assert shown[-1] == "SMS status"


def test_page_of_many_notifications_needs_one_query_more_than_of_few() -> None:
    viewer = staff(*EVERYTHING)
    row = _fill(3)
    few = queries(viewer, url(row))
    row = _more(row, 2 * timeline.MAX_EVENTS)
    # One more query for the latest notifications.
    assert queries(viewer, url(row)) == few + 1
    assert len(events(look(viewer, url(row)))) == timeline.MAX_EVENTS + 1 + timeline.MAX_LATEST_EVENTS


def _more(row: Sms, count: int) -> Sms:
    Notification.objects.all().delete()
    row.delete()
    return _fill(count)


def test_many_failures_need_no_more_queries_than_few(post: Post) -> None:
    def fail(**arguments: Any) -> None:
        raise ValueError

    sms_received.connect(fail, dispatch_uid="shop.bill")
    try:
        post("sms/", "msg=hello&from=%2B6591231111&txn_ref=AA-SI-1")
        viewer, counts = staff(*EVERYTHING), []
        for _ in range(2):
            counts.append(queries(viewer, url(sms())))
            for _ in range(9):
                post("sms/", "msg=hello&from=%2B6591231111&txn_ref=AA-SI-1")
    finally:
        sms_received.disconnect(dispatch_uid="shop.bill")
    assert counts[0] == counts[1]
