from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from django_hoiio import signals
from django_hoiio.client import HoiioClient
from django_hoiio.models import Call, Notification
from django_hoiio.sandbox import real_time
from django_hoiio.sandbox.delivery import Faults
from django_hoiio.sandbox.exchange import HANDSET
from django_hoiio.sandbox.real_time import exchange, line

from .application import GREETING, MENU, dial, menu
from .conftest import Complaints, Open
from .people import Mouse
from .reading import NUMBER, announced, answered, posts, state, words

SECOND = "+6591234568"
HOSTILE = "<script>document.title = 'mine'</script><img src=x onerror=\"document.title = 'mine'\">"


@contextmanager
def holding(page: Page, action: str) -> Iterator[None]:
    """Hold the requests of an action, and release them at the end, the last one first."""
    held: list[Route] = []
    is_open = False

    def hold_or_continue(route: Route) -> None:
        if is_open:
            route.continue_()
        else:
            held.append(route)

    with page.expect_request(f"**/telephone/{action}/**"):
        page.route(f"**/telephone/{action}/**", hold_or_continue)
        yield
    is_open = True
    for route in reversed(held):
        route.continue_()


# The keypad and the number.


def test_keys_enter_a_new_number_without_a_call(telephone: Page) -> None:
    expect(telephone.locator("#number")).to_have_value(NUMBER)
    for key in "6590":
        telephone.keyboard.press(key)

    expect(telephone.locator("#number")).to_have_value("+6590")


@pytest.mark.parametrize("field", ["msg", "number"])
def test_digits_in_a_text_field_are_not_keypad_keys(telephone: Page, field: str) -> None:
    telephone.locator(f"#{field}").focus()
    telephone.keyboard.type("12#")

    expect(telephone.locator(f"#{field}")).to_have_value("12#")
    expect(telephone.locator("#number")).to_have_value("12#" if field == "number" else NUMBER)


def test_numbers_of_the_application_are_offered(telephone: Page) -> None:
    telephone.locator("#number").fill("+65000")
    choice = telephone.get_by_role("button", name=NUMBER)
    expect(choice).to_have_attribute("aria-pressed", "false")
    choice.click()

    expect(telephone.locator("#number")).to_have_value(NUMBER)
    expect(choice).to_have_attribute("aria-pressed", "true")


def test_unknown_number_is_refused_with_a_message(telephone: Page, complaints: Complaints) -> None:
    telephone.locator("#number").fill("+6500000000")
    telephone.keyboard.press("Enter")

    expect(telephone.get_by_role("alert")).not_to_be_empty()
    state(telephone, "Ready")
    assert all("400" in complaint for complaint in complaints)
    complaints.clear()


def test_double_click_on_the_call_key_calls_once(telephone: Page) -> None:
    with holding(telephone, "call"):
        telephone.locator("#green").dblclick()
    state(telephone, "Press keys")

    expect(telephone.get_by_role("alert")).to_be_hidden()
    assert words(telephone)[0] == f"You call {NUMBER}."


def test_keys_pressed_quickly_arrive_in_order(telephone: Page) -> None:
    with HoiioClient() as client:
        session = client.ivr.dial(dest=HANDSET, msg=GREETING).session
        state(telephone, "The application calls")
        telephone.keyboard.press("Enter")
        state(telephone, "On the line")
        client.ivr.gather(session=session, max_digits=6, timeout=600)
    expect(telephone.locator("#slots .slot")).to_have_count(6)
    with holding(telephone, "press"):
        telephone.keyboard.type("40921")
    expect(telephone.locator("#slots .full")).to_have_count(5)

    assert telephone.locator("#slots .slot").all_text_contents() == [*"40921", ""]
    assert words(telephone)[-1] == "You press: 40921"


def test_display_shows_that_the_application_speaks(telephone: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_time, "SPEAKING_RATE", 0.001)
    dial(HANDSET)
    state(telephone, "The application calls")
    telephone.keyboard.press("Enter")
    state(telephone, "The application speaks")
    expect(telephone.locator("#caption")).to_have_text(GREETING)
    assert posts(telephone) == []

    assert line.run_alarms(30)

    state(telephone, "On the line")
    answered(telephone, 1)


# The people.


def test_each_number_has_a_call_of_its_own(telephone: Page, open_telephone: Open) -> None:
    other = open_telephone()
    other.get_by_label("Your number").select_option(SECOND)
    expect(other.locator("#link")).to_have_text("Connected")
    Mouse(telephone).call()
    Mouse(other).call()
    for page in (telephone, other):
        state(page, "Press keys")
    Mouse(other).hang_up()
    state(other, "Ready")
    answered(telephone, 3)

    state(telephone, "Press keys")
    assert "You hung up." not in words(telephone)
    assert words(other) == [
        f"You call {NUMBER}.",
        "The application answers.",
        f"The application says: {MENU}",
        "You hung up.",
    ]
    callers = Call.objects.order_by("call_state").values_list("from_number", "call_state")
    assert list(callers) == [(SECOND, "ended"), (HANDSET, "ringing")]


def test_call_continues_while_another_number_is_chosen(telephone: Page) -> None:
    Mouse(telephone).call()
    state(telephone, "Press keys")

    telephone.get_by_label("Your number").select_option(SECOND)
    state(telephone, "Ready")
    assert words(telephone) == []
    telephone.get_by_label("Your number").select_option(HANDSET)

    state(telephone, "Press keys")
    assert words(telephone)[0] == f"You call {NUMBER}."


def test_chosen_number_stays_after_a_reload(telephone: Page) -> None:
    telephone.get_by_label("Your number").select_option(label="withheld")
    expect(telephone.locator("#link")).to_have_text("Connected")
    telephone.reload()

    expect(telephone.get_by_label("Your number")).to_have_value("private")
    Mouse(telephone).call()
    state(telephone, "Press keys")
    assert Call.objects.get().from_number == "private"


def test_sms_go_to_the_conversation_of_their_number(telephone: Page, open_telephone: Open) -> None:
    other = open_telephone()
    other.get_by_label("Your number").select_option(SECOND)
    expect(other.locator("#link")).to_have_text("Connected")
    Mouse(other).text("Is it ready?")
    expect(other.locator("#bubbles > li")).to_have_count(2)
    answered(telephone, 3)

    assert words(other) == [f"SMS to {NUMBER}: Is it ready?", "SMS from the application: You wrote: Is it ready?"]
    assert words(telephone) == []


def test_keys_in_the_list_of_numbers_are_not_of_the_telephone(telephone: Page) -> None:
    Mouse(telephone).call()
    state(telephone, "Press keys")
    telephone.get_by_label("Your number").focus()
    for key in ("1", "Escape"):
        telephone.keyboard.press(key)
    Mouse(telephone).press("2")
    state(telephone, "Recording")

    assert [text for text in words(telephone) if text.startswith("You ")] == [f"You call {NUMBER}.", "You press: 2"]


def test_call_that_no_receiver_answers_is_explained(telephone: Page) -> None:
    signals.ivr_answer.disconnect(menu)
    Mouse(telephone).call()
    hint = "No receiver of your application has answered. It still rings."
    expect(telephone.locator("#caption")).to_have_text(hint)

    state(telephone, "It rings …")
    assert words(telephone) == [f"You call {NUMBER}.", hint]
    assert announced(telephone) == words(telephone)


# Notifications.


def test_notification_shows_the_posted_parameters(telephone: Page) -> None:
    Mouse(telephone).text("Is it ready?")
    answered(telephone, 3)
    post = telephone.locator("#posts > li").last
    post.locator("summary").click()

    notification = Notification.objects.get(kind="sms_received")
    shown = post.locator("tr").evaluate_all(
        "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    assert dict(shown) == notification.params
    expect(post.locator(".address")).to_have_text("POST /hoiio/sms/••••/ in the body")


@pytest.mark.parametrize(
    ("switch", "expected"),
    [
        ("Duplicated", [("sms_received", "answered 200"), ("sms_received", "answered 200", "duplicate")]),
        ("Dropped", [("sms_received", "dropped")]),
        ("Wrong signature", [("sms_received", "answered 200", "bad signature")]),
    ],
)
def test_fault_can_be_switched_on(telephone: Page, switch: str, expected: list[tuple[str, ...]]) -> None:
    telephone.locator("#faults summary").click()
    telephone.get_by_label(switch).check()
    expect(telephone.locator("#faults-on")).to_have_text("1 on")
    Mouse(telephone).text("Is it ready?")
    expect(telephone.locator("#posts > li:not([data-state=waiting])")).not_to_have_count(0)

    assert [post for post in posts(telephone) if post[0] == "sms_received"][: len(expected)] == expected


@pytest.mark.parametrize(
    ("switch", "fault"),
    [
        ("Your parameters in the query alone", "own_in_query"),
        ("Blocks without a name", "unnamed_blocks"),
        ("Conference legs as dest", "short_legs"),
    ],
)
def test_fault_can_be_switched_on_and_off(telephone: Page, switch: str, fault: str) -> None:
    telephone.locator("#faults summary").click()
    telephone.get_by_label(switch).check()
    expect(telephone.locator("#faults-on")).to_have_text("1 on")
    assert exchange.faults == Faults(**{fault: True})
    telephone.reload()
    expect(telephone.locator("#faults-on")).to_have_text("1 on")
    telephone.locator("#faults summary").click()
    telephone.get_by_label(switch).uncheck()
    expect(telephone.locator("#faults-on")).to_be_hidden()

    assert exchange.faults == Faults()


def test_notification_without_a_server_is_shown_as_failed(telephone: Page, settings: Any) -> None:
    # The port of the discard protocol, which no server uses.
    settings.HOIIO = {**settings.HOIIO, "PUBLIC_URL": "http://127.0.0.1:9"}
    Mouse(telephone).text("Is it ready?")
    expect(telephone.locator("#posts > li[data-state=failed]")).to_have_count(1)

    error = telephone.locator(".error").text_content()
    assert posts(telephone) == [("sms_received", "failed")]
    assert error
    assert f"The notification sms_received failed. {error}" in announced(telephone)


# Untrusted text.


def test_script_in_a_text_is_shown_as_text(telephone: Page) -> None:
    Mouse(telephone).text(HOSTILE)
    expect(telephone.locator("#bubbles > li")).to_have_count(2)
    telephone.locator("#posts summary").first.click()

    assert words(telephone) == [f"SMS to {NUMBER}: {HOSTILE}", f"SMS from the application: You wrote: {HOSTILE}"]
    assert telephone.locator("main :is(script, img)").count() == 0
    assert telephone.title() == "Telephone – Hoiio sandbox"


# Announcements.


def test_events_are_announced_once(telephone: Page) -> None:
    Mouse(telephone).call()
    state(telephone, "Press keys")
    Mouse(telephone).hang_up()
    state(telephone, "Ready")
    answered(telephone, 2)

    assert announced(telephone) == [
        f"You call {NUMBER}.",
        "The application answers.",
        f"The application says: {MENU}",
        "You hung up.",
    ]


def test_earlier_events_are_shown_but_not_announced(telephone: Page, open_telephone: Open) -> None:
    Mouse(telephone).text("Is it ready?")
    expect(telephone.locator("#bubbles > li")).to_have_count(2)
    other = open_telephone()
    expect(other.locator("#bubbles > li")).to_have_count(2)

    assert words(other) == words(telephone)
    assert announced(other) == []


# The server.


def test_lost_connection_is_shown_until_the_server_is_back(telephone: Page, complaints: Complaints) -> None:
    def refuse(route: Route) -> None:
        route.abort("connectionrefused")

    telephone.route("**/telephone/**", refuse)
    expect(telephone.locator("#link")).to_have_text("The server does not answer. Trying again …")
    telephone.locator("#green").click()
    expect(telephone.get_by_role("alert")).to_have_text("The server did not respond; the action failed.")
    telephone.unroute("**/telephone/**", refuse)
    expect(telephone.locator("#link")).to_have_text("Connected")
    Mouse(telephone).text("Is it ready?")
    expect(telephone.get_by_role("alert")).to_be_hidden()

    assert {complaint.partition(": net::")[0] for complaint in complaints} == {"Failed to load resource"}
    complaints.clear()


def test_page_continues_after_a_restart_of_the_server(telephone: Page) -> None:
    Mouse(telephone).text("Is it ready?")
    expect(telephone.locator("#bubbles > li")).to_have_count(2)
    answered(telephone, 3)
    exchange.reset()
    Mouse(telephone).text("Still there?")
    expect(telephone.locator("#bubbles > li")).to_have_count(4)

    assert words(telephone)[2:] == [
        f"SMS to {NUMBER}: Still there?",
        "SMS from the application: You wrote: Still there?",
    ]


def test_expired_form_is_reported(telephone: Page, complaints: Complaints) -> None:
    telephone.context.clear_cookies()
    telephone.locator("#green").click()

    expect(telephone.get_by_role("alert")).to_have_text("This page has expired; reload it.")
    assert all("403" in complaint for complaint in complaints)
    complaints.clear()
