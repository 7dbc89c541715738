"""The pages of the admin in a browser: no inline content, and accessible in every theme and width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from django_hoiio.enums import Kind
from django_hoiio.ingest.outgoing import enter
from django_hoiio.models import Call, Fax, Notification, Sms
from django_hoiio.signals import sms_received, sms_status

from .conftest import Open
from .console import root
from .test_accessibility import DESKTOP, PHONE, violations

CUSTOMER = "+6591231111"

POSTED: list[tuple[str, dict[str, str]]] = [
    ("sms", {"msg": "Is my bike ready? The chain came off again.", "from": CUSTOMER, "to": "+6533330000", "txn_ref": "AA-SI-85", "debit": "0.013", "currency": "SGD", "date": "2012-10-30 12:20:50"}),
    ("sms", {"sms_status": "queued", "txn_ref": "AA-S-1", "dest": CUSTOMER, "tag": "order 77", "rate": "0.032", "currency": "SGD"}),
    ("sms", {"sms_status": "delivered", "txn_ref": "AA-S-1", "dest": CUSTOMER, "debit": "0.032", "split_count": "2", "date": "2012-10-30 12:30:50"}),
    ("sms", {"sms_status": "queued", "txn_ref": "AA-S-1", "dest": CUSTOMER, "tag": "order 78", "rate": "dear"}),
    ("ivr", {"ivr_block": "answer", "call_state": "ringing", "session": "S1", "txn_ref": "AA-C-1", "from": CUSTOMER, "to": "+6533330000"}),
    ("ivr", {"call_state": "ongoing", "session": "S1", "txn_ref": "AA-C-1", "digits": "2"}),
    ("ivr", {"call_state": "ongoing", "session": "S1", "txn_ref": "AA-C-1", "record_url": "https://files.example.com/rec-1.mp3"}),
    ("ivr", {"call_state": "ended", "session": "S1", "txn_ref": "AA-C-1", "duration": "2", "debit": "0.036", "currency": "SGD"}),
    ("voice", {"dest1": "+6581231111", "dest2": CUSTOMER, "call_status_dest1": "answered", "call_status_dest2": "busy", "txn_ref": "AA-C-2", "duration": "0", "debit": "0.000", "currency": "SGD"}),
    ("fax", {"txn_ref": "AA-C-3", "fax_status": "answered", "from": CUSTOMER, "to": "+6533330000", "fax_url": "https://files.example.com/fax-1.pdf", "fax_pages": "3"}),
]  # fmt: skip


@pytest.fixture
def filled(live_server: Any, settings: Any) -> Iterator[str]:
    """Post notifications of every kind, of one customer and of a bulk SMS. Yields the URL of the server."""
    client = Client()

    def fail(**arguments: Any) -> None:
        raise ValueError("no such order")

    def works(**arguments: Any) -> None:
        pass

    sms_received.connect(fail, dispatch_uid="shop.bill")
    sms_status.connect(works, dispatch_uid="shop.note")
    enter(Kind.SMS_STATUS, "default", "AA-S-1", {"dest": CUSTOMER, "msg": "Yes, come and get it!", "tag": "order 77"})
    for route, params in [*POSTED, *_bulk()]:
        client.post(f"/hoiio/{route}/?x_order=77", urlencode(params), content_type="application/x-www-form-urlencoded")
    yield live_server.url
    sms_received.disconnect(dispatch_uid="shop.bill")
    sms_status.disconnect(dispatch_uid="shop.note")


def _bulk() -> Iterator[tuple[str, dict[str, str]]]:
    words = ["delivered"] * 6 + ["failed", "queued", ""]
    for at, word in enumerate(words):
        named = {"txn_ref": f"AA-S-10{at}", "dest": f"+658000000{at}"}
        yield "sms", {**named, "status": "success_ok", "bulk_txn_ref": "AA-B-147"}
        if word:
            yield "sms", {**named, "sms_status": word, "debit": "0.032", "currency": "SGD" if at else "USD"}
    refused = {"status": "error_dest_not_supported", "dest": "+15551234567", "bulk_txn_ref": "AA-B-147"}
    yield "sms", refused


@pytest.fixture
def look(open_as: Open, filled: str) -> Open:
    """Open a page of the admin as a superuser, or as another user."""

    def look(path: str, *, user: User | None = None, **options: Any) -> Page:
        return open_as(filled + path, user or root(), **options)

    return look


def change_page(row: Model | None) -> str:
    assert row is not None
    return reverse(f"admin:django_hoiio_{row._meta.model_name}_change", args=[row.pk])


def pages() -> dict[str, str]:
    sms = Sms.objects.get(txn_ref="AA-S-1")
    query = urlencode({"account": "default", "bulk_txn_ref": "AA-B-147"})
    return {
        "sms": change_page(sms),
        "sms-received": change_page(Sms.objects.get(txn_ref="AA-SI-85")),
        "call": change_page(Call.objects.get(txn_ref="AA-C-1")),
        "fax": change_page(Fax.objects.get()),
        "notification": change_page(Notification.objects.filter(txn_ref="AA-S-1").latest("pk")),
        "conversation": reverse("admin:django_hoiio_sms_conversation", args=[sms.pk]),
        "bulk": f"{reverse('admin:django_hoiio_sms_bulk')}?{query}",
    }


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(look: Open, viewport: dict[str, int], color_scheme: str) -> None:
    found = {}
    for name, path in pages().items():
        # Without the bypass, the policy would block axe's own script.
        page = look(path, viewport=viewport, color_scheme=color_scheme, bypass_csp=True)
        found[name] = violations(page)

    assert [each for each in found.items() if each[1]] == []


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_no_page_has_an_inline_script_or_style_or_is_wider_than_its_window(
    look: Open, viewport: dict[str, int]
) -> None:
    # The fixture `complaints` fails the test if the policy blocks something.
    wide = {}
    for name, path in pages().items():
        page = look(path, viewport=viewport)
        wide[name] = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")

    assert [each for each in wide.items() if each[1] > 0] == []


def test_command_line_is_copied_by_the_button(look: Open, filled: str) -> None:
    page = look(pages()["notification"], permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()

    expect(page.get_by_role("status")).to_have_text("Copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("pre", has_text="hoiio_trigger").text_content()
    assert copied.startswith("python manage.py hoiio_trigger --route=sms")


def test_command_line_is_selected_if_the_clipboard_is_blocked(look: Open) -> None:
    page = look(pages()["notification"])
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('blocked')); }")
    page.get_by_role("button", name="Copy").click()

    expect(page.get_by_role("status")).to_have_text("Selected: copy it with the keyboard.")
    assert page.evaluate("getSelection().toString()").startswith("python manage.py hoiio_trigger")


def test_without_scripts_the_command_line_is_shown_without_a_copy_button(look: Open) -> None:
    page = look(pages()["notification"], java_script_enabled=False)

    expect(page.locator("pre", has_text="hoiio_trigger")).to_be_visible()
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)


def test_traceback_opens_from_the_keyboard(look: Open) -> None:
    page = look(pages()["sms-received"])
    traceback = page.locator(".hoiio-event pre")
    expect(traceback).to_be_hidden()

    page.locator(".hoiio-event summary").focus()
    page.keyboard.press("Enter")
    expect(traceback).to_contain_text("ValueError: no such order")


def test_incoming_messages_are_on_the_left_and_outgoing_ones_on_the_right(look: Open) -> None:
    page = look(pages()["conversation"], viewport=DESKTOP)
    column = page.locator(".hoiio-conversation").bounding_box()
    assert column is not None
    edges = {}
    for side in ("incoming", "outgoing"):
        box = page.locator(f".hoiio-{side}").first.bounding_box()
        assert box is not None
        edges[side] = (box["x"] == column["x"], box["x"] + box["width"] == column["x"] + column["width"])

    assert edges == {"incoming": (True, False), "outgoing": (False, True)}


def test_pages_link_to_each_other(look: Open) -> None:
    page = look(pages()["sms"])
    page.get_by_role("link", name="Conversation").click()
    expect(page).to_have_title("Conversation with +6591231111 | Django site admin")
    assert "6591231111" not in page.url

    page.get_by_role("link", name="AA-C-1", exact=True).click()
    expect(page.locator(".hoiio-sentence")).to_contain_text("Call from +6591231111")
    page.get_by_role("link", name="IVR: keys gathered").click()
    expect(page.get_by_text("event; stored only with the notification")).to_be_visible()
