"""The client with the sandbox over real HTTP: notifications update the rows of sent requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from io import StringIO
from typing import Any, TypeVar

import pytest
from django.core.management import call_command
from django.core.servers.basehttp import WSGIRequestHandler

from django_hoiio.client import HoiioClient, responses
from django_hoiio.exceptions import (
    HoiioError,
    InsufficientCredit,
    InvalidCredentials,
    InvalidParameter,
    InvalidState,
    NotPermitted,
    ServerError,
)
from django_hoiio.models import Call, Fax, Notification, Sms, Transaction
from django_hoiio.sandbox.endpoints import ENDPOINTS as OFFERED
from django_hoiio.sandbox.real_time import exchange, line
from tests.client.test_client import ENDPOINTS

# The server and the sandbox's thread need committed rows.
pytestmark = pytest.mark.django_db(transaction=True)

DEST, DEST2 = "+6511111111", "+6522222222"
# A call to this number continues until it is hung up.
ENDLESS = "+6500000400"
PDF = b"%PDF-1.4\n/Type /Page"

Found = TypeVar("Found")


@pytest.fixture
def client(live_server: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[HoiioClient]:
    """A client of a sandbox in which nothing has happened yet."""
    # Send each response at once, and not 40 ms later, when the client has acknowledged the headers.
    monkeypatch.setattr(WSGIRequestHandler, "disable_nagle_algorithm", True)
    settings.HOIIO = {
        "ACCOUNTS": {"default": {"APP_ID": "app", "ACCESS_TOKEN": "token"}},
        "PUBLIC_URL": live_server.url,
        "API_URL": f"{live_server.url}/sandbox/open/",
    }
    exchange.reset()
    with HoiioClient() as client:
        yield client
    # Running calls and pending notifications would affect the next test.
    line.close()
    assert line.wait(30)


def until(find: Callable[[], Found | None]) -> Found:
    """Wait for a result of another thread."""
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        found = find()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("The result did not appear in time.")


def final(model: type[Transaction], txn_ref: str) -> Any:
    return until(lambda: model._base_manager.filter(txn_ref=txn_ref, is_final=True).first())


def notified(kind: str, **about: str) -> Notification:
    return until(lambda: Notification.objects.filter(kind=kind, **about).first())


def test_sandbox_has_exactly_the_endpoints_of_the_client() -> None:
    assert set(ENDPOINTS) == set(OFFERED)


# Notifications update the rows of sent requests.


def test_sms(client: HoiioClient) -> None:
    sent = client.sms.send(dest=DEST, msg="hello", sender_name="Hoiio", tag="order-17", pass_on={"username": "bob"})
    waiting = Sms.objects.get(txn_ref=sent.txn_ref)

    row = final(Sms, sent.txn_ref)
    report = client.sms.query_status(txn_ref=sent.txn_ref)

    assert (row.pk, row.sms_status, row.msg, row.tag, row.dest) == (waiting.pk, "delivered", "hello", "order-17", DEST)
    assert {notification.pass_on["username"] for notification in row.notifications.all()} == {"bob"}
    assert (report.sms_status, report.debit, report.date) == ("delivered", row.debit, row.date)
    assert Sms.objects.count() == 1


def test_sms_without_notifications(client: HoiioClient) -> None:
    sent = client.sms.send(dest=DEST, msg="hello", notify=False)

    assert client.sms.query_status(txn_ref=sent.txn_ref).sms_status == "delivered"
    assert exchange.wait(30)
    assert (Sms.objects.get(txn_ref=sent.txn_ref).sms_status, Notification.objects.count()) == ("", 0)


@pytest.mark.parametrize("to", [{"dest": [DEST, DEST2]}, {"recipients": [{"dest": DEST}, {"dest": DEST2}]}])
def test_bulk_sms(client: HoiioClient, to: dict[str, Any]) -> None:
    sent = client.sms.bulk_send(msg="hello", **to)

    def both() -> list[Sms] | None:
        rows = list(Sms.objects.filter(bulk_txn_ref=sent.bulk_txn_ref, sms_status="delivered").order_by("dest"))
        return rows if len(rows) == 2 else None

    assert [(row.dest, row.status) for row in until(both)] == [(DEST, "success_ok"), (DEST2, "success_ok")]


def test_call(client: HoiioClient) -> None:
    sent = client.voice.call(dest1=DEST, dest2=DEST2, caller_id="private", max_duration=60, tag="t")
    waiting = Call.objects.get(txn_ref=sent.txn_ref)

    row = final(Call, sent.txn_ref)
    report = client.voice.query_status(txn_ref=sent.txn_ref)

    assert (row.pk, row.call_status_dest1, row.call_status_dest2) == (waiting.pk, "answered", "answered")
    assert (row.dest1, row.dest2, row.tag, row.remote_number) == (DEST, DEST2, "t", DEST2)
    assert (report.call_status_dest1, report.duration, report.debit) == ("answered", row.duration, row.debit)


@pytest.mark.parametrize("path", ["voice.conference", "conference.call"])
def test_conference(client: HoiioClient, path: str) -> None:
    group, method = path.split(".")
    begun = getattr(getattr(client, group), method)(dest=[DEST, DEST2], room="R1", tag="t")

    rows = [final(Call, txn_ref) for txn_ref in begun.txn_refs]

    assert begun.room == "R1"
    assert [(row.dest, row.room, row.tag) for row in rows] == [(DEST, "R1", "t"), (DEST2, "R1", "t")]
    assert Call.objects.count() == 2


def test_participant_of_a_conference_is_muted_and_removed(client: HoiioClient) -> None:
    (txn_ref,) = client.conference.call(dest=[ENDLESS]).txn_refs

    client.conference.moderate(txn_ref=txn_ref, action="mute")
    client.conference.moderate(txn_ref=txn_ref, action="unmute")
    client.conference.moderate(txn_ref=txn_ref, action="kick")

    assert final(Call, txn_ref).call_status == "answered"


def test_call_is_hung_up(client: HoiioClient) -> None:
    sent = client.voice.call(dest1=DEST, dest2=ENDLESS)
    running = client.voice.query_status(txn_ref=sent.txn_ref)
    assert (running.call_status_dest2, running.duration, running.debit) == ("ongoing", None, None)

    client.voice.hangup(txn_ref=sent.txn_ref)

    assert final(Call, sent.txn_ref).call_status_dest2 == "answered"


def test_fax(client: HoiioClient) -> None:
    sent = client.fax.send(dest=DEST, file=PDF, filename="f.pdf", fax_header="", tag="t")
    waiting = Fax.objects.get(txn_ref=sent.txn_ref)

    row = final(Fax, sent.txn_ref)
    report = client.fax.query_status(txn_ref=sent.txn_ref)

    assert (row.pk, row.fax_status, row.fax_pages, row.tag) == (waiting.pk, "answered", 1, "t")
    assert (report.fax_status, report.fax_pages, report.debit, report.dest) == ("answered", 1, row.debit, DEST)


def test_largest_fax_arrives(client: HoiioClient) -> None:
    sent = client.fax.send(dest=DEST, file=PDF + bytes(2 * 1024 * 1024 - len(PDF)))

    assert final(Fax, sent.txn_ref).fax_status == "answered"


def test_interactive_call_block_by_block(client: HoiioClient) -> None:
    dialled = client.ivr.dial(dest=DEST, msg="Welcome", max_duration=600, tag="t", pass_on={"step": "dial"})
    waiting = Call.objects.get(txn_ref=dialled.txn_ref)
    session = {"session": dialled.session}
    assert (waiting.session, waiting.dest, notified("ivr_dial").pass_on) == (dialled.session, DEST, {"step": "dial"})

    client.ivr.monitor(**session, msg="This call is recorded")
    notified("ivr_monitor")
    client.ivr.play(**session, msg="Hello")
    notified("ivr_play")
    client.ivr.gather(**session, msg="Press a key", max_digits=1, timeout=5, attempts=2)
    assert notified("ivr_gather").params["digits"] == "1"
    client.ivr.record(**session, msg="Speak", max_duration=60)
    assert notified("ivr_record").params["record_url"]
    client.ivr.hold(**session, msg="Wait")
    client.ivr.unhold(**session)
    notified("ivr_unhold")
    client.ivr.hangup(**session, msg="Bye")
    notified("ivr_hangup")
    until(lambda: [row for row in Notification.objects.filter(kind="ivr_monitor") if "monitor_url" in row.params])

    row = final(Call, dialled.txn_ref)
    assert (row.pk, row.call_state, row.dial_status, row.tag) == (waiting.pk, "ended", "answered", "t")
    with pytest.raises(InvalidState, match=r"^Hoiio refused ivr/middle/play with error_session_ended; "):
        client.ivr.play(**session, msg="Still there?")


def test_interactive_call_is_transferred(client: HoiioClient) -> None:
    dialled = client.ivr.dial(dest=DEST)
    notified("ivr_dial")

    transferred = client.ivr.transfer(session=dialled.session, dest="room:R7", msg="One moment")

    assert transferred.room == "R7"
    assert final(Call, dialled.txn_ref).call_state == "ended"


def test_interactive_call_is_hung_up_by_force(client: HoiioClient) -> None:
    dialled = client.ivr.dial(dest=DEST)
    notified("ivr_dial")
    client.ivr.hold(session=dialled.session)
    with pytest.raises(InvalidState):
        client.ivr.play(session=dialled.session, msg="Hello")

    client.ivr.hangup(session=dialled.session, force=True)

    assert final(Call, dialled.txn_ref).call_state == "ended"


# Histories.


def test_histories_list_all_transactions_page_by_page(client: HoiioClient) -> None:
    before = datetime.now(timezone.utc) - timedelta(seconds=2)
    texts = [client.sms.send(dest=DEST, msg="hello", notify=False).txn_ref for _ in range(101)]
    call = client.voice.call(dest2=DEST2, dest1=DEST, notify=False).txn_ref
    fax = client.fax.send(dest=DEST, file=PDF, notify=False).txn_ref
    period = {"from_": before, "to": datetime.now(timezone.utc) + timedelta(seconds=2)}

    pages = [client.sms.get_history(**period, page=page) for page in (1, 2, 3)]

    assert [(page.total_entries_count, page.entries_count, len(page.entries)) for page in pages] == [
        (101, 100, 100),
        (101, 1, 1),
        (101, 0, 0),
    ]
    assert sorted(entry.txn_ref for page in pages for entry in page.entries) == sorted(texts)
    assert [entry.txn_ref for entry in client.voice.get_history(**period).entries] == [call]
    assert [entry.txn_ref for entry in client.fax.get_history(**period, type="outgoing").entries] == [fax]
    assert client.fax.get_history(**period, type="incoming").entries == ()
    assert client.sms.get_history(to=before).entries == ()
    entry = pages[1].entries[0]
    assert isinstance(entry, responses.SmsStatusResponse)
    assert before <= (entry.date or before) < period["to"]


# Numbers and the account.


def test_number_is_configured_and_its_sms_are_received(client: HoiioClient, live_server: Any) -> None:
    number = next(each for each in client.number.get_active().entries if each.mode == "voice")
    out = StringIO()
    call_command("hoiio_urls", number=number.number, configure=True, pass_on=["shop=north"], stdout=out)

    after = next(each for each in client.number.get_active().entries if each.number == number.number)
    client.sms.send(dest=number.number, msg="to oneself", notify=False)

    assert out.getvalue().endswith("Set 2 URLs.\n")
    assert after.forward_to.startswith(f"{live_server.url}/hoiio/ivr/")
    assert after.forward_sms_to.startswith(f"{live_server.url}/hoiio/sms/")
    assert after.forward_to in out.getvalue()
    assert after.forward_sms_to in out.getvalue()
    assert notified("sms_received").pass_on == {"shop": "north"}


def test_fax_number_is_configured(client: HoiioClient, live_server: Any) -> None:
    number = next(each for each in client.number.get_active().entries if each.mode == "fax")

    call_command("hoiio_urls", number=number.number, configure=True, stdout=StringIO())

    after = next(each for each in client.number.get_active().entries if each.number == number.number)
    assert after.forward_to.startswith(f"{live_server.url}/hoiio/fax/")
    assert (after.mode, after.forward_sms_to) == ("fax", "")


def test_subscribed_number_receives_sms(client: HoiioClient) -> None:
    number = client.number.get_choices(country="US", state="CA").entries[0].number
    (price,) = [each.rate for each in client.number.get_rates(country="US").entries if each.duration == 3]

    bought = client.number.subscribe(number=number, duration=3)
    client.sms.send(dest=number, msg="hello", notify=False)

    entry = client.number.get_active().entries[-1]
    assert (bought.debit, bought.expiry) == (price, entry.expiry)
    assert (entry.number, entry.country, entry.state) == (number, "US", "CA")
    assert notified("sms_received").params["to"] == number
    assert [country.code for country in client.number.get_countries().entries] == ["SG", "US"]


def test_prices_are_those_of_the_notifications(client: HoiioClient) -> None:
    price = client.sms.get_rate(dest=DEST, msg="x" * 307)
    sent = client.sms.send(dest=DEST, msg="x" * 307)

    row = final(Sms, sent.txn_ref)
    assert (price.total_cost, price.split_count, price.is_unicode) == (row.debit, row.split_count, False)
    assert client.fax.get_rate(dest=DEST).rate == client.sms.get_rate(dest=DEST).rate == row.rate


def test_account(client: HoiioClient) -> None:
    balance, user, rate = client.user.get_balance(), client.user.get_info(), client.voice.get_rate(dest2=DEST2)

    assert balance.balance == (balance.points or 0) + (balance.bonus or 0)
    assert (user.uid != "", user.caller_ids != (), user.currency) == (True, True, balance.currency)
    assert None not in (rate.rate, rate.talktime)


# Refusals.


@pytest.mark.parametrize(
    ("dest", "meaning"),
    [
        ("+6500000500", InvalidParameter),
        ("+6500000600", InsufficientCredit),
        ("+6500000700", NotPermitted),
        ("+6500000800", ServerError),
        ("no number", InvalidParameter),
    ],
)
def test_refused_sms_raises_and_is_not_stored(client: HoiioClient, dest: str, meaning: type[HoiioError]) -> None:
    with pytest.raises(HoiioError) as raised:
        client.sms.send(dest=dest, msg="hello")
    assert type(raised.value) is meaning
    assert not Sms.objects.exists()


@pytest.mark.parametrize("wrong", [{"APP_ID": "other"}, {"ACCESS_TOKEN": "other"}])
def test_wrong_credentials_raise_invalid_credentials(client: HoiioClient, settings: Any, wrong: dict[str, str]) -> None:
    client._connection._credentials |= {name.lower(): text for name, text in wrong.items()}

    with pytest.raises(InvalidCredentials):
        client.user.get_info()


def test_unknown_references_are_refused(client: HoiioClient) -> None:
    for request in (client.voice.hangup, client.voice.query_status, client.sms.query_status, client.fax.query_status):
        with pytest.raises(InvalidParameter):
            request(txn_ref="AA-S-0")
