"""The page of a bulk SMS: outcomes and costs of its messages, and the numbers that failed."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_hoiio.admin import bulk
from django_hoiio.admin.bulk import bulk_of, outcome_of, shares_of
from django_hoiio.models import Sms
from django_hoiio.parsing.parameters import suffix_of
from tests.conftest import Post
from tests.users import EVERYTHING, look, queries, staff, text, url

pytestmark = pytest.mark.django_db

PATH = reverse("admin:django_hoiio_sms_bulk")
REFERENCE = "AA-B-147"


def see(client: Client, reference: str = REFERENCE, account: str = "default") -> str:
    return look(client, PATH, account=account, bulk_txn_ref=reference)


@pytest.fixture
def sent(post: Post) -> None:
    """Receive a bulk SMS of six messages, each with another outcome."""
    accepted = "status=success_ok&bulk_txn_ref=AA-B-147"
    for body in [
        # Accepted and then delivered; delivered and then accepted.
        f"{accepted}&txn_ref=AA-S-1&dest=%2B6580000001",
        "sms_status=delivered&txn_ref=AA-S-1&dest=%2B6580000001&debit=0.032&currency=SGD",
        "sms_status=delivered&txn_ref=AA-S-2&dest=%2B6580000002&debit=0.064&currency=SGD",
        f"{accepted}&txn_ref=AA-S-2&dest=%2B6580000002",
        f"{accepted}&txn_ref=AA-S-3&dest=%2B6580000003",
        "sms_status=failed&txn_ref=AA-S-3&dest=%2B6580000003&debit=0.000&currency=USD",
        f"{accepted}&txn_ref=AA-S-4&dest=%2B6580000004",
        "sms_status=queued&txn_ref=AA-S-4&dest=%2B6580000004",
        f"{accepted}&txn_ref=AA-S-5&dest=%2B6580000005",
        # Refused, and so without a reference.
        "status=error_dest_not_supported&bulk_txn_ref=AA-B-147&dest=%2B15551234567",
        # Of no bulk SMS, and of another one.
        "sms_status=delivered&txn_ref=AA-S-7&dest=%2B6580000007&debit=5",
        "status=success_ok&bulk_txn_ref=AA-B-1477&txn_ref=AA-S-8&dest=%2B6580000008",
    ]:
        post("sms/", body)


def shares(page: str) -> dict[str, str]:
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)
    return {title: " ".join(re.sub(r"<[^>]*>", " ", value).split()) for title, value in found}


def numbers(page: str) -> list[str] | None:
    found = re.search(r'<pre tabindex="0" id="hoiio-numbers">(.*?)</pre>', page, re.S)
    return found and found[1].split("\n")


# Counts.


@pytest.mark.usefixtures("sent")
def test_messages_are_counted_by_outcome() -> None:
    page = see(staff())
    assert shares(page) == {
        "Accepted": "5",
        "Delivered": "2",
        "Waiting": "2",
        "Failed": "1",
        "Refused": "1",
        "Cost": "0.096 SGD 0.000 USD",
    }
    assert "6 messages, 5 accepted. " in text(page)
    assert "Hoiio has not reported the cost of 3 messages." in text(page)


@pytest.mark.parametrize(
    ("sms_status", "status", "outcome"),
    [
        ("", "success_ok", "waiting"),
        ("", "", "waiting"),
        ("", "error_x", "refused"),
        ("queued", "success_ok", "waiting"),
        ("martian", "success_ok", "waiting"),
        ("delivered", "", "delivered"),
        ("failed", "success_ok", "failed"),
        ("error", "success_ok", "failed"),
        # A message with a delivery status was not refused.
        ("delivered", "error_x", "delivered"),
    ],
)
def test_outcome_is_the_delivery_status_or_else_whether_hoiio_accepted_the_message(
    sms_status: str, status: str, outcome: str
) -> None:
    assert outcome_of(Sms(sms_status=sms_status, status=status)) == outcome


def test_costs_in_different_currencies_are_not_added() -> None:
    priced = [("SGD", "0.1"), ("SGD", "0.2"), ("USD", "0.4"), ("", "0.8")]
    rows = [Sms(currency=currency, debit=Decimal(debit)) for currency, debit in priced]
    assert bulk_of(rows).costs == {"SGD": Decimal("0.3"), "USD": Decimal("0.4"), "": Decimal("0.8")}


def test_bar_is_filled_completely() -> None:
    words = ["delivered"] * 3 + ["failed"] * 2 + ["queued"] * 2
    parts = shares_of(bulk_of([Sms(sms_status=word) for word in words]))
    assert [(part.name, part.count, part.start, part.width) for part in parts] == [
        ("delivered", 3, 0, 428.57),
        ("waiting", 2, 428.57, 285.71),
        ("failed", 2, 714.28, 285.71),
        ("refused", 0, 999.99, 0),
    ]


# Numbers that failed.


@pytest.mark.usefixtures("sent")
def test_numbers_that_failed_are_listed_for_copying() -> None:
    page = see(staff("view_personal_data"))
    assert numbers(page) == ["+6580000003", "+15551234567"]
    failed = Sms.objects.get(txn_ref="AA-S-3")
    assert f'<a href="{url(failed)}">AA-S-3</a>' in page
    assert f'<a href="{url(failed, "conversation")}">+6580000003</a>' in page
    # If there is a delivery status, the page does not show that the message was accepted.
    assert re.findall(r'<span class="hoiio-label hoiio-error">(.*?)</span>', page) == [
        "failed",
        "error_dest_not_supported",
    ]


@pytest.mark.usefixtures("sent")
def test_numbers_are_masked_and_cannot_be_copied_without_permission() -> None:
    page = see(staff("view_recordings", "view_raw"))
    assert numbers(page) is None
    assert ("80000003" in page, "5551234567" in page, "+65••••0003" in page) == (False, False, True)


def test_bulk_without_failures_lists_no_numbers(post: Post) -> None:
    post("sms/", "status=success_ok&bulk_txn_ref=AA-B-1&txn_ref=AA-S-1&dest=%2B6580000001")
    page = see(staff("view_personal_data"), "AA-B-1")
    assert (numbers(page), "Numbers that failed" in page, "Failed messages" in page) == (None, False, False)
    assert shares(page)["Cost"] == "unknown"


@pytest.mark.usefixtures("sent")
def test_number_that_failed_twice_is_listed_once(post: Post) -> None:
    post("sms/", "status=error_dest_not_supported&bulk_txn_ref=AA-B-147&dest=%2B15551234567")
    assert numbers(see(staff("view_personal_data"))) == ["+6580000003", "+15551234567"]


# Links.


@pytest.mark.usefixtures("sent")
def test_each_of_its_messages_and_the_search_link_to_it() -> None:
    link = f'<a href="{PATH}?account=default&amp;bulk_txn_ref=AA-B-147">Bulk SMS AA-B-147</a>'
    viewer = staff()
    pages = [look(viewer, url(sms)) for sms in Sms.objects.filter(bulk_txn_ref=REFERENCE)]
    assert [link in page for page in pages] == [True] * 6
    assert "Bulk SMS" not in look(viewer, url(Sms.objects.get(txn_ref="AA-S-7")))

    search = url(Sms, "changelist")
    assert f"6 of these belong to one bulk SMS: {link}" in look(viewer, search, q=" AA-B-147 ")
    assert [PATH in look(viewer, search, q=term) for term in ("AA-B-14", "AA-S-1", "", "\0", "x" * 9000)] == [False] * 5


def test_same_reference_in_another_account_is_another_bulk_sms() -> None:
    now = timezone.now()
    for account in ("default", "second", "second"):
        Sms.objects.create(bulk_txn_ref="AA-B-1", account=account, created_at=now, updated_at=now)
    assert shares(see(staff(), "AA-B-1", "second"))["Accepted"] == "2"
    assert "Account second." in see(staff(), "AA-B-1", "second")
    assert look(staff(), url(Sms, "changelist"), q="AA-B-1").count(PATH) == 2


def test_reference_from_outside_is_escaped() -> None:
    now = timezone.now()
    reference = '"><script>&/ é'
    row = Sms.objects.create(bulk_txn_ref=reference, account="<b>", created_at=now, updated_at=now)
    viewer = staff(*EVERYTHING)
    pages = [see(viewer, reference, "<b>"), look(viewer, url(row)), look(viewer, url(Sms, "changelist"), q=reference)]
    assert [("><script>" in page, "<b>." in page) for page in pages] == [(False, False)] * 3
    path = re.search(r'href="([^"]*/bulk/[^"]*)"', pages[1])
    assert path
    assert "Bulk SMS" in look(viewer, path[1].replace("&amp;", "&"))


@pytest.mark.parametrize(
    "query",
    [{}, {"bulk_txn_ref": ""}, {"bulk_txn_ref": "AA-B-9"}, {"bulk_txn_ref": "\0"}, {"bulk_txn_ref": "x" * 9000}]
    + [{"bulk_txn_ref": REFERENCE, "account": account} for account in ("other", "\0", "")],
)
@pytest.mark.usefixtures("sent")
def test_unknown_bulk_is_not_found(query: dict[str, Any]) -> None:
    assert staff().get(PATH, query).status_code == 404


@pytest.mark.usefixtures("sent")
def test_anonymous_user_and_staff_without_permission_are_refused() -> None:
    query = {"bulk_txn_ref": REFERENCE}
    assert Client().get(PATH, query).status_code == 302
    assert staff(*EVERYTHING, views=("call",)).get(PATH, query).status_code == 403


# Queries.


def _fill(count: int) -> None:
    now, number = timezone.now(), "+6580000000"
    Sms.objects.bulk_create(
        [
            Sms(
                txn_ref=f"AA-M-{at}",
                bulk_txn_ref="AA-B-2",
                sms_status="failed",
                remote_number=f"{number}{at}",
                remote_suffix=suffix_of(number),
                created_at=now,
                updated_at=now,
            )
            for at in range(count)
        ],
        batch_size=500,
    )


def test_page_of_a_full_bulk_needs_no_more_queries_than_a_small_one() -> None:
    viewer = staff(*EVERYTHING)
    _fill(2)
    few = queries(viewer, PATH, bulk_txn_ref="AA-B-2")
    Sms.objects.all().delete()
    _fill(1000)
    assert queries(viewer, PATH, bulk_txn_ref="AA-B-2") == few
    page = see(viewer, "AA-B-2")
    assert len(numbers(page) or []) == 1000
    assert (page.count("<tr><td>"), "Only the first 200 are listed." in page) == (bulk.MAX_LISTED, True)


def test_bulk_that_is_too_big_is_cut_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MAX_MESSAGES", 10)
    _fill(11)
    page = see(staff(), "AA-B-2")
    assert "There are more than 10; the first 10 are counted here." in page
    assert shares(page)["Failed"] == "10"
