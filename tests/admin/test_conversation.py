"""The conversation with one number, for every permission and any length."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from django_hoiio.admin import conversation
from django_hoiio.admin.conversation import MessagePosition, message_page, parse_position, spellings
from django_hoiio.models import Call, Fax, Sms, Transaction
from django_hoiio.parsing.parameters import suffix_of
from tests.plans import ROWS, learn
from tests.users import EVERYTHING, look, queries, staff, text, url

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 1, 1, 8, tzinfo=timezone.utc)
NUMBER = "+6591231111"
MODELS: tuple[type[Transaction], ...] = (Call, Sms, Fax)


def create(model: type[Transaction], name: str, minute: int, number: str = NUMBER, **fields: Any) -> Any:
    moment = MORNING + timedelta(minutes=minute)
    values = {"remote_number": number, "remote_suffix": suffix_of(number), "direction": "incoming", **fields}
    return model._default_manager.create(txn_ref=name, created_at=moment, updated_at=moment, **values)


def shown(page: str) -> list[str]:
    """Return the references on a page, from top to bottom."""
    return re.findall(r'<a href="/admin/django_hoiio/\w+/\d+/change/">([^<]*)</a></p>\s*</li>', page)


def address_of(row: Transaction) -> str:
    return url(row, "conversation")


def page_link(page: str, rel: str) -> str | None:
    found = re.search(rf'<a class="button" href="([^"]*)" rel="{rel}">', page)
    return found and found[1].replace("&amp;", "&")


# Content.


def test_calls_sms_and_faxes_of_the_number_are_in_order() -> None:
    row = create(Sms, "AA-S-2", 2, msg="hello")
    create(Call, "AA-C-3", 3, duration=2)
    create(Fax, "AA-F-1", 1, fax_pages=3, direction="outgoing")
    create(Sms, "AA-S-9", 2, number="+6581231111")
    # The same last digits in another country.
    create(Sms, "AA-S-8", 2, number="+6091231111")

    page = look(staff(*EVERYTHING), address_of(row))
    assert shown(page) == ["AA-F-1", "AA-S-2", "AA-C-3"]
    assert "Conversation with +6591231111" in text(page)
    assert re.findall(r'<li class="hoiio-message hoiio-([\w -]*)">', page) == [
        "outgoing",
        "incoming hoiio-current",
        "incoming",
    ]


def test_message_shows_its_type_text_status_and_cost() -> None:
    row = create(
        Sms, "AA-S-1", 0, msg="<script>\nhello", debit="0.032", currency="SGD", split_count=2, sms_status="bounced"
    )
    page = look(staff(*EVERYTHING), address_of(row))
    assert "SMS incoming 08:00:00 <script> hello bounced in 2 parts 0.032 SGD AA-S-1" in text(page)
    assert "&lt;script&gt;\nhello" in page


def test_document_of_a_fax_is_a_button() -> None:
    row = create(Fax, "AA-F-1", 0, fax_url="https://example.com/fax-1.pdf")
    assert 'href="https://example.com/fax-1.pdf" target="_blank" rel="noreferrer noopener"' in look(
        staff(*EVERYTHING), address_of(row)
    )
    assert "fax-1" not in look(staff("view_personal_data"), address_of(row))


@pytest.mark.parametrize("number", ["+6591231111", "6591231111"])
def test_number_with_and_without_plus_is_the_same(number: str) -> None:
    rows = [create(Sms, "AA-S-1", 1, "+6591231111"), create(Call, "AA-C-1", 0, "6591231111")]
    assert [shown(look(staff("view_personal_data"), address_of(row))) for row in rows] == [["AA-C-1", "AA-S-1"]] * 2
    assert spellings(number) == ["+6591231111", "6591231111"]


@pytest.mark.parametrize("number", ["ALERT", "1234", "+1234", "<b>", "ALERT 91231111"])
def test_short_number_and_name_have_a_conversation(number: str) -> None:
    row = create(Sms, "AA-S-1", 1, number)
    create(Sms, "AA-S-2", 1, "OTHER")
    page = look(staff("view_personal_data"), address_of(row))
    assert shown(page) == ["AA-S-1"]
    assert f"Conversation with {number}" in text(page)


def test_each_number_of_a_row_has_a_conversation() -> None:
    call = create(Call, "AA-C-1", 0, dest1="+6581231111", dest2=NUMBER, direction="outgoing")
    create(Sms, "AA-S-1", 0, number="+6581231111")
    viewer = staff("view_personal_data")
    assert shown(look(viewer, address_of(call), number="dest1")) == ["AA-S-1"]
    assert f'<a href="{address_of(call)}?number=dest1">+6581231111</a>' in look(viewer, url(call))


@pytest.mark.parametrize("name", ["to_number", "txn_ref", "pk", "delete", "", "x" * 9000])
def test_field_without_a_remote_number_has_no_conversation(name: str) -> None:
    row = create(Sms, "AA-S-1", 0, to_number="+6533330000")
    assert staff().get(address_of(row), {"number": name}).status_code == 404


def test_row_without_a_number_has_no_conversation_and_no_link() -> None:
    row = create(Call, "AA-C-1", 0, number="")
    assert staff().get(address_of(row)).status_code == 404
    assert address_of(row) not in look(staff(), url(row)) + look(staff(), url(Call, "changelist"))


# Permissions.


def test_number_is_in_no_url_and_masked_without_permission() -> None:
    for minute in range(60):
        row = create(Sms, f"AA-S-{minute}", minute, msg="secret words", from_number=NUMBER)
    viewer = staff()
    pages = [look(viewer, address_of(row)), look(viewer, url(row)), look(viewer, url(Sms, "changelist"))]
    assert ["91231111" in page or "secret words" in page for page in pages] == [False] * 3
    assert f'<a href="{address_of(row)}?number=from_number">+65••••1111</a>' in pages[1]
    assert f'<a href="{address_of(row)}">+65••••1111</a>' in pages[2]
    addresses = "".join(re.findall(r'href="([^"]*)"', look(staff("view_personal_data"), address_of(row))))
    assert "91231111" not in addresses


def test_users_who_may_not_see_numbers_cannot_tell_which_rows_share_one() -> None:
    """A conversation would reveal that two numbers that look alike when masked differ."""
    row = create(Sms, "AA-S-1", 1)
    create(Call, "AA-C-1", 2)
    create(Fax, "AA-F-1", 3, number="+6588881111")

    page = look(staff(), address_of(row), before=str(MessagePosition(MORNING + timedelta(1), 0, 0)))

    assert shown(page) == ["AA-S-1"]
    assert "Users with the permission “Can view phone numbers" in text(page)
    assert "Can view phone numbers" not in text(look(staff("view_personal_data"), address_of(row)))


def test_models_that_the_user_may_not_view_are_left_out() -> None:
    rows = [create(model, f"AA-{model.__name__}", at) for at, model in enumerate(MODELS)]
    viewer = staff("view_personal_data", views=("sms", "call"))
    assert [viewer.get(address_of(row)).status_code for row in rows] == [200, 200, 403]
    assert shown(look(viewer, address_of(rows[1]))) == ["AA-Call", "AA-Sms"]


def test_anonymous_user_and_staff_without_permission_are_refused() -> None:
    row = create(Sms, "AA-S-1", 0)
    assert Client().get(address_of(row)).status_code == 302
    assert staff(*EVERYTHING, views=()).get(address_of(row)).status_code == 403
    assert staff(views=()).get(f"{address_of(row)[:-15]}9/conversation/").status_code == 403


@pytest.mark.parametrize("pk", [0, 999999999, 10**30])
def test_missing_row_is_not_found(pk: int) -> None:
    assert staff().get(f"/admin/django_hoiio/sms/{pk}/conversation/").status_code == 404


# Pages.


def _pages_of(client: Client, path: str, query: str | None, rel: str) -> list[list[str]]:
    """Return the pages in one direction, each as its references."""
    pages = []
    while query is not None:
        page = look(client, path + query)
        pages.append(shown(page))
        query = page_link(page, rel)
    return pages


def _fill(count: int) -> list[str]:
    """Create rows of all models, several of each moment, and return their names in order."""
    for at in range(count):
        create(MODELS[at % 3], f"AA-{at:04}", at // 7)
    rows = [row for model in MODELS for row in model._default_manager.all()]
    return [str(row) for row in sorted(rows, key=conversation.position_of)]


def test_every_row_is_on_exactly_one_page_even_at_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "PAGE_SIZE", 4)
    names = _fill(45)
    viewer, row = staff("view_personal_data"), Sms.objects.all()[0]
    backwards = _pages_of(viewer, address_of(row), "", "prev")
    assert [name for page in reversed(backwards) for name in page] == names

    forwards = _pages_of(viewer, address_of(row), f"?after={MessagePosition(MORNING - timedelta(1), 0, 0)}", "next")
    assert [name for page in forwards for name in page] == names


def test_newest_page_has_no_newer_link_and_the_oldest_no_older_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "PAGE_SIZE", 4)
    _fill(8)
    viewer, path = staff("view_personal_data"), address_of(Sms.objects.all()[0])
    newest = look(viewer, path)
    oldest = look(viewer, path + str(page_link(newest, "prev")))
    assert (page_link(newest, "next"), page_link(oldest, "prev"), page_link(oldest, "next") is None) == (
        None,
        None,
        False,
    )
    assert shown(look(viewer, path + str(page_link(oldest, "next")))) == shown(newest)


@pytest.mark.parametrize("place", ["", "x", "1", "1-0", "-1-0-0", "9" * 16 + "-2-1", "9" * 17 + "-0-0", "1-3-1", "1-0-" + "9" * 18, "1-0-" + "9" * 19, "\0", "١-0-1"])  # fmt: skip
@pytest.mark.parametrize("way", ["before", "after"])
def test_any_position_in_the_url_is_accepted(way: str, place: str) -> None:
    row = create(Sms, "AA-S-1", 0)
    assert staff("view_personal_data").get(address_of(row), {way: place}).status_code == 200


def test_position_is_parsed_from_its_text() -> None:
    place = MessagePosition(MORNING + timedelta(microseconds=1), 2, 77)
    assert (parse_position(str(place)), parse_position("AA")) == (place, None)


# Queries.


def test_page_needs_no_more_queries_for_many_rows_than_for_one() -> None:
    viewer, row = staff(*EVERYTHING), create(Sms, "AA-S-1", 0)
    few = queries(viewer, address_of(row))
    Sms.objects.bulk_create(
        Sms(
            txn_ref=f"AA-M-{at}",
            remote_number=NUMBER,
            remote_suffix=suffix_of(NUMBER),
            created_at=MORNING,
            updated_at=MORNING,
        )
        for at in range(300)
    )
    assert queries(viewer, address_of(row)) == few
    # Three models in two spellings; the others are the session, the user, the permissions and the row.
    assert few <= 6 + 6


# MariaDB commits before it gathers statistics.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("upwards", [False, True])
def test_rows_are_read_from_the_index_at_the_start_of_the_page(model: type[Transaction], upwards: bool) -> None:
    # A fifth of them are with the number.
    numbers = [NUMBER if at % 5 == 0 else f"+658{at:07}" for at in range(5 * ROWS)]
    model._default_manager.bulk_create(
        model(
            txn_ref=f"A{at}",
            remote_number=number,
            remote_suffix=suffix_of(number),
            created_at=moment,
            updated_at=moment,
        )
        for at, number in enumerate(numbers)
        for moment in [MORNING + timedelta(minutes=at)]
    )
    learn(model)
    place = MessagePosition(MORNING + timedelta(minutes=len(numbers) / 2), MODELS.index(model), 7)
    with transaction.atomic():
        for setting in SETTINGS.get(connection.vendor, ()):
            connection.cursor().execute(setting)
        plan = conversation._rows(model, NUMBER, NUMBER, place, upwards).explain()
    # The index gives the order: nothing is sorted but rows of one moment.
    assert [each for each in PLANS[connection.vendor] if not re.search(each, plan)] == []
    assert re.search(r"TEMP B-TREE|filesort|(?<!Incremental )Sort  ", plan) is None


# Must be in the plan: the index, down to the moment.
PLANS = {
    "sqlite": [r"USING INDEX hoiio_\w+_remote_number \(remote_suffix=\? AND remote_number=\? AND created_at[<>]\?\)"],
    "postgresql": [r"using hoiio_\w+_remote_number", r"Index Cond: .*created_at"],
    "mysql": [r" range .*hoiio_\w+_remote_number 300 "],
}
# PostgreSQL rather reads a thousand rows whole and sorts them.
SETTINGS = {"postgresql": ["SET LOCAL enable_sort = off", "SET LOCAL enable_bitmapscan = off"]}


def test_page_loads_no_more_rows_than_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "PAGE_SIZE", 4)
    _fill(30)
    page = message_page(NUMBER, MODELS, before=None, after=None)
    assert (len(page.rows), page.newer, page.older is None) == (4, None, False)
