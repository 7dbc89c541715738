"""The admin as three users see it: one sees everything, one sees numbers and texts, one sees neither."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from django.contrib.auth.models import User
from django.db.models import Model, Q
from django.urls import reverse
from django.utils.html import escape
from playwright.sync_api import Locator, Page, expect

from django_hoiio.ingest import ingest
from django_hoiio.models import Call, Fax, Notification, ReceiverFailure, Sms
from tests.conftest import raw_notification

from .conftest import Open
from .served import served
from .workshop import BULK, FORMULA, MEI, QUESTION, RECORDING, SCRIPT, STRANGER

LISTS = {
    "call": "Calls",
    "dailytotal": "Daily totals",
    "receiverfailure": "Failed receivers",
    "fax": "Faxes",
    "notification": "Notifications",
    "sms": "SMS",
}
SUPPORTED = ["Calls", "Faxes", "Notifications", "SMS"]
MASKED = "+65••••4567"
HIDDEN = "••••"

# List → its filters, and a choice of each.
FILTERS = {
    "notification": {"kind": "SMS status", "pending": "Yes", "failed receivers": "Yes", "account": "default"},
    "call": {
        "outcome": "busy",
        "direction": "incoming",
        "not final": "Yes",
        "overdue": "Yes",
        "account": "default",
    },
    "sms": {"status": "failed", "direction": "incoming", "not final": "Yes", "overdue": "Yes", "account": "default"},
    "fax": {"status": "ongoing", "direction": "outgoing", "not final": "Yes", "overdue": "Yes", "account": "default"},
    "receiverfailure": {"unresolved": "Yes", "account": "default"},
    "dailytotal": {"traffic": "SMS sent", "account": "default"},
}

sights = pytest.mark.parametrize(
    ("who", "number", "text", "sees_all"),
    [("chief", MEI, QUESTION, True), ("support", MEI, QUESTION, False), ("guest", MASKED, HIDDEN, False)],
)


@pytest.fixture(scope="module")
def days() -> int:
    """Long enough for totals to be closed."""
    return 10


@pytest.fixture(scope="module", autouse=True)
def _pending_and_overdue_rows(staff: dict[str, User]) -> None:
    """Receive a call, a fax and an SMS that never become final. The SMS is pending, as after a crash."""
    before = datetime.now(timezone.utc) - timedelta(hours=3)
    for route, body in (
        ("ivr", "txn_ref=AA-C-9201&session=S-9201&from=%2B6591110001&ivr_block=answer&call_state=ringing"),
        ("fax", "txn_ref=AA-C-9202&dest=%2B6591110002&fax_status=ongoing"),
        ("sms", "txn_ref=AA-S-9203&dest=%2B6591110003&sms_status=queued"),
    ):
        ingest(raw_notification(route, "", body, received_at=before))
    Notification.objects.filter(txn_ref="AA-S-9203").update(dispatched_at=None, claimed_until=before)


@pytest.fixture(autouse=True)
def _guest_never_sees_personal_data(_pending_and_overdue_rows: None) -> Iterator[None]:
    """Fail a test if a page of the guest contains a number, a text, or a link to a recording or a fax."""
    served.clear()
    yield
    assert leaks(served["guest"]) == set()


def leaks(pages: list[str]) -> set[str]:
    """Return all stored numbers, texts and links that the pages contain."""
    private = {RECORDING, *Fax.objects.exclude(fax_url="").values_list("fax_url", flat=True)}
    private |= {msg for msg in Sms.objects.values_list("msg", flat=True) if msg}
    numbers = {number for model in (Call, Sms, Fax) for number in model.objects.values_list("remote_number", flat=True)}
    private |= {number.lstrip("+") for number in numbers if number}
    everything = "\n".join(pages)
    return {each for each in private if each in everything or escape(each) in everything}


def address(row: Model, page: str = "change") -> str:
    return reverse(f"admin:django_hoiio_{row._meta.model_name}_{page}", args=[row.pk]).removeprefix("/admin/")


def rows(page: Page) -> Locator:
    return page.locator("#result_list tbody tr")


def references(page: Page) -> list[str]:
    return page.locator("#result_list .field-reference").all_inner_texts()


def of_mei() -> list[str]:
    found = Sms.objects.filter(remote_number=MEI).order_by("-pk").values_list("txn_ref", flat=True)
    return [str(txn_ref) for txn_ref in found]


def recorded() -> Call:
    return Call.objects.get(remote_number=MEI, direction="incoming")


@pytest.mark.parametrize(
    ("who", "names"), [("chief", [*LISTS.values()]), ("support", SUPPORTED), ("guest", [*LISTS.values()])]
)
def test_index_offers_the_lists_that_the_user_may_view(look: Open, who: str, names: list[str]) -> None:
    page = look(who=who)

    expect(page.locator("#content .app-django_hoiio tbody th")).to_have_text(names)
    for name in names:
        page.get_by_role("link", name=name, exact=True).first.click()
        expect(rows(page)).not_to_have_count(0)


@pytest.mark.parametrize(
    ("who", "term", "is_found"),
    [
        ("chief", MEI, True),
        ("chief", "9123 4567", True),
        ("support", "91234567", True),
        # Written with spaces, because the page repeats the search term.
        ("guest", "+65 9123 4567", False),
        ("guest", "9123 4567", False),
    ],
)
def test_number_and_its_last_digits_are_found_by_users_who_may_see_numbers(
    look: Open, who: str, term: str, is_found: bool
) -> None:
    page = look("django_hoiio/sms/", who)
    page.get_by_label("Search for").fill(term)
    page.get_by_role("button", name="Show").click()

    expect(page).to_have_url(re.compile(r"\?q="))
    expect(page.get_by_label("Search for")).to_have_value(term)
    assert references(page) == (of_mei() if is_found else [])


@pytest.mark.parametrize("who", ["chief", "support", "guest"])
@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("AA-SI-900", ["AA-SI-9006", "AA-SI-9004", "AA-SI-9001"]),
        ("order 3117", ["AA-S-9003", "AA-S-9002"]),
        ("aa-si-900", ["AA-SI-9006", "AA-SI-9004", "AA-SI-9001"]),
        ("order 311", ["AA-S-9003", "AA-S-9002"]),
        ("rder 3117", []),
    ],
)
def test_every_user_finds_by_reference_and_tag(look: Open, who: str, term: str, found: list[str]) -> None:
    page = look("django_hoiio/sms/", who)
    page.get_by_label("Search for").fill(term)
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(r"\?q="))
    expect(page.get_by_label("Search for")).to_have_value(term)
    assert references(page) == found


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_finds_rows(look: Open, name: str) -> None:
    page = look(f"django_hoiio/{name}/")
    every = page.locator("#changelist-filter details")
    titles = every.evaluate_all("all => all.map(each => each.dataset.filterTitle)")
    assert titles == list(FILTERS[name])

    of_title = {title: page.locator(f"details[data-filter-title='{title}']") for title in titles}
    links = [of_title[title].get_by_role("link", name=choice, exact=True) for title, choice in FILTERS[name].items()]
    queries = [link.get_attribute("href") for link in links]
    for (title, choice), query in zip(FILTERS[name].items(), queries, strict=True):
        page.goto(page.url.partition("?")[0] + str(query))
        expect(of_title[title].locator(".selected")).to_have_text(choice)
        expect(rows(page)).not_to_have_count(0)


@sights
def test_timeline_shows_the_events_with_masks(look: Open, who: str, number: str, text: str, sees_all: bool) -> None:
    page = look(address(Sms.objects.get(txn_ref="AA-SI-9001")), who)

    expect(page.locator(".hoiio-sentence")).to_contain_text(number)
    expect(page.locator(".hoiio-changes li", has_text="msg")).to_have_text(f"msg {text}")
    expect(page.locator(".hoiio-event .hoiio-success")).to_have_count(2)
    expect(page.locator(".hoiio-event summary")).to_have_count(1 if sees_all else 0)

    page.goto(page.url.replace(address(Sms.objects.get(txn_ref="AA-SI-9001")), address(recorded())))
    expect(page.locator(".hoiio-event-title strong")).to_have_text(
        ["IVR: incoming call", "IVR: keys gathered", "IVR: voice recorded", "IVR: call ended"]
    )
    links = page.locator(".hoiio-results").get_by_role("link", name="Open")
    assert links.evaluate_all("all => all.map(each => each.href)") == ([RECORDING] if sees_all else [])


@sights
def test_raw_request_and_command_are_shown_only_to_users_who_may_see_raw_requests(
    look: Open, who: str, number: str, text: str, sees_all: bool
) -> None:
    notification = Notification.objects.get(txn_ref="AA-SI-9001")
    page = look(address(notification), who, permissions=["clipboard-read", "clipboard-write"])
    expect(page.get_by_role("heading", name="Delivery")).to_be_visible()

    for title in ("Parameters", "Raw body", "Headers", "Command to post it again"):
        expect(page.get_by_role("heading", name=title)).to_have_count(1 if sees_all else 0)
    if sees_all:
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_role("status")).to_have_text("Copied.")
        assert "hoiio_trigger --route=sms" in page.evaluate("navigator.clipboard.readText()")


@sights
def test_conversation_shows_what_the_user_may_see(look: Open, who: str, number: str, text: str, sees_all: bool) -> None:
    page = look(address(Sms.objects.get(txn_ref="AA-SI-9001")), who)
    page.get_by_role("link", name="Conversation").click()

    expect(page).to_have_title(f"Conversation with {number} | Django site admin")
    sees_numbers = number == MEI
    expect(page.locator(".hoiio-message")).to_have_count(8 if sees_numbers else 1)
    expect(page.get_by_text("see the whole conversation")).to_have_count(0 if sees_numbers else 1)
    expect(page.locator(".hoiio-text").first).to_have_text(text)
    expect(page.locator(".hoiio-message").get_by_role("link", name="Open")).to_have_count(1 if sees_all else 0)
    assert MEI.lstrip("+") not in page.url


@pytest.mark.parametrize(("who", "may_copy"), [("chief", True), ("support", True), ("guest", False)])
def test_numbers_that_failed_can_be_copied_by_users_who_may_see_numbers(look: Open, who: str, may_copy: bool) -> None:
    page = look(f"django_hoiio/sms/?q={BULK}", who, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name=f"Bulk SMS {BULK}").click()

    expect(page.locator(".hoiio-sentence")).to_have_text("48 messages, 46 accepted.")
    expect(page.get_by_role("button", name="Copy")).to_have_count(1 if may_copy else 0)
    if may_copy:
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_role("status")).to_have_text("Copied.")
        failed = Sms.objects.filter(Q(sms_status="failed") | Q(status__startswith="error"), bulk_txn_ref=BULK)
        numbers = failed.order_by("pk").values_list("remote_number", flat=True)
        assert page.evaluate("navigator.clipboard.readText()") == "\n".join(numbers)


def exported(page: Page) -> dict[str, dict[str, str]]:
    """Export with the button above the list, and return the rows by reference."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Export all results").click()
    with open(download.value.path(), encoding="utf-8-sig", newline="") as file:  # noqa: PTH123
        return {row["txn_ref"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize(
    ("who", "number", "formula", "script"),
    [("chief", f"'{STRANGER}", f"'{FORMULA}", SCRIPT), ("clerk", "'+65••••5432", HIDDEN, HIDDEN)],
)
def test_export_is_guarded_and_masked(look: Open, who: str, number: str, formula: str, script: str) -> None:
    page = look("django_hoiio/sms/?q=AA-SI-91", who, accept_downloads=True)
    found = exported(page)

    assert {txn_ref: (row["from"], row["msg"]) for txn_ref, row in found.items()} == {
        "AA-SI-9102": (number, formula),
        "AA-SI-9101": (number, script),
    }


@pytest.mark.parametrize("who", ["support", "guest"])
def test_actions_without_permission_are_not_offered(look: Open, who: str) -> None:
    page = look("django_hoiio/notification/", who)

    expect(rows(page)).not_to_have_count(0)
    expect(page.get_by_role("button", name="Export all results")).to_have_count(0)
    expect(page.locator("select[name=action], .action-select")).to_have_count(0)
    page.goto(page.url + f"{Notification.objects.get(txn_ref='AA-SI-9001').pk}/change/")
    expect(page.get_by_role("heading", name="Delivery")).to_be_visible()
    expect(page.locator("button[name=action]")).to_have_count(0)


def test_script_in_a_message_is_shown_as_text(look: Open) -> None:
    page = look("django_hoiio/sms/?q=AA-SI-9101")
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.get_by_role("link", name="AA-SI-9101", exact=True).click()
    expect(page.locator(".hoiio-changes li", has_text="msg")).to_have_text(f"msg {SCRIPT}")
    page.get_by_role("link", name="Conversation").click()
    expect(page.locator(".hoiio-text").first).to_have_text(SCRIPT)
    page.goto(page.url.partition("django_hoiio/")[0] + address(Notification.objects.get(txn_ref="AA-SI-9101")))
    expect(page.locator("td", has_text=SCRIPT).first).to_have_text(SCRIPT)

    assert dialogs == []


def test_guest_sees_no_personal_data_on_any_page(look: Open) -> None:
    page = look(who="guest")
    base = page.url.partition("django_hoiio/")[0]
    about_mei = [row for model in (Call, Sms, Fax) for row in model.objects.filter(remote_number=MEI)]
    notifications = Notification.objects.filter(txn_ref__in=[row.txn_ref for row in about_mei])
    failures = ReceiverFailure.objects.filter(notification__in=notifications)
    paths = [address(row) for row in (*about_mei, *notifications, *failures)]
    paths += [f"django_hoiio/{name}/" for name in LISTS]
    paths += [address(about_mei[0], "conversation"), f"django_hoiio/sms/bulk/?bulk_txn_ref={BULK}"]

    assert {page.context.request.get(base + path).status for path in paths} == {200}
    assert len(served["guest"]) == 1 + len(paths)
    assert leaks(served["guest"]) == set()


def test_leaks_are_detected_on_the_pages_of_the_chief(look: Open) -> None:
    look(address(Sms.objects.get(txn_ref="AA-SI-9001"), "conversation"))
    look(address(recorded()))

    assert leaks(served["chief"]) >= {MEI.lstrip("+"), QUESTION, RECORDING}
