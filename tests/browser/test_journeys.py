"""Calls and texts from start to end, each with only a mouse and with only a keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from django_hoiio.models import Call, Notification, Sms
from django_hoiio.sandbox.exchange import HANDSET

from .application import GREETING, MENU, THANKS, TONE, dial
from .people import Keyboard, Mouse, Person
from .reading import NUMBER, answered, posts, state, words


@pytest.fixture(params=[Mouse, Keyboard], ids=["mouse", "keyboard"])
def person(request: pytest.FixtureRequest, telephone: Page) -> Person:
    return request.param(telephone)


def test_call_passes_menu_and_recording_until_its_end(person: Person, telephone: Page) -> None:
    person.call()
    state(telephone, "Press keys")
    expect(telephone.locator("#caption")).to_have_text(MENU)
    person.press("2")
    state(telephone, "Recording")
    person.speak("My chain came off.")
    state(telephone, "Ready")
    answered(telephone, 4)

    assert words(telephone) == [
        f"You call {NUMBER}.",
        "The application answers.",
        f"The application says: {MENU}",
        "You press: 2",
        f"The application says: {TONE.format(2)}",
        "Your recording: My chain came off.",
        f"The application says: {THANKS}",
        "The application hung up.",
    ]
    assert posts(telephone) == [
        ("ivr_answer", "answered 200"),
        ("ivr_gather", "answered 200"),
        ("ivr_record", "answered 200"),
        ("ivr_hangup", "answered 200"),
    ]
    call = Call.objects.get()
    assert (call.from_number, call.to_number, call.call_state, call.is_final) == (HANDSET, NUMBER, "ended", True)
    assert list(Notification.objects.order_by("pk").values_list("kind", flat=True)) == [
        kind for kind, _ in posts(telephone)
    ]


def test_text_is_replied_to(person: Person, telephone: Page) -> None:
    person.text("Is it ready?")
    expect(telephone.locator("#bubbles > li")).to_have_count(2)
    expect(telephone.locator("#msg")).to_have_value("")
    # The reply arrives before the server has responded to the notification.
    expect(telephone.locator("#posts > li .outcome").last).to_have_text("answered 200")

    assert words(telephone) == [f"SMS to {NUMBER}: Is it ready?", "SMS from the application: You wrote: Is it ready?"]
    assert posts(telephone)[0] == ("sms_received", "answered 200")
    assert set(Sms.objects.values_list("msg", flat=True)) == {"Is it ready?", "You wrote: Is it ready?"}


def test_call_is_hung_up_by_the_person(person: Person, telephone: Page) -> None:
    person.call()
    state(telephone, "Press keys")
    person.hang_up()
    state(telephone, "Ready")
    answered(telephone, 2)

    assert words(telephone) == [
        f"You call {NUMBER}.",
        "The application answers.",
        f"The application says: {MENU}",
        "You hung up.",
    ]
    assert posts(telephone) == [("ivr_answer", "answered 200"), ("ivr_gather", "answered 200")]
    assert Call.objects.get().call_state == "ended"


def test_call_of_the_application_is_answered(person: Person, telephone: Page) -> None:
    dial(HANDSET)
    state(telephone, "The application calls")
    person.answer()
    expect(telephone.locator(".application.voice .words")).to_have_text(GREETING)
    answered(telephone, 1)

    assert posts(telephone)[0] == ("ivr_dial", "answered 200")


def test_call_of_the_application_is_declined(person: Person, telephone: Page) -> None:
    dial(HANDSET)
    state(telephone, "The application calls")
    person.decline()
    state(telephone, "Ready")

    expect(telephone.locator(".application.voice")).to_have_count(0)
