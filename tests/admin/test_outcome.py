"""The outcome of calls, and the status of SMS: the same in the lists, on the pages, in the totals and in the API."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from django_hoiio.enums import CallOutcome
from django_hoiio.models import Call, Sms
from tests.counting import DAY, fill, receive

pytestmark = pytest.mark.django_db

TEXT_OF_A_CELL = re.compile(r'<td class="field-(?P<name>\w+)">(?:<[^/][^>]*>)*(?P<text>[^<]*)')


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


def calls_list(client: Client, **query: str) -> Any:
    return client.get(reverse("admin:django_hoiio_call_changelist"), query)


def cells(page: Any) -> list[dict[str, str]]:
    """Return the columns of each row, newest first."""
    rows = page.content.decode().partition("<tbody>")[2].split("</tr>")[:-1]
    return [{found["name"]: found["text"] for found in TEXT_OF_A_CELL.finditer(row)} for row in rows]


IVR = "&session=S1&call_state=ended&"
COURSES = {
    "answered": ("ivr", f"{IVR}from=%2B6591231111&to=%2B6531230000&duration=2", "answered", "success"),
    "missed": ("ivr", f"{IVR}from=%2B6591231111&to=%2B6531230000&duration=0", "missed", "warning"),
    "missed by an agent": ("ivr", f"{IVR}from=%2B6591231111&duration=2&transfer_status=busy", "missed", "warning"),
    "outgoing and missed": ("voice", "&dest2=%2B6591231111&call_status_dest1=answered&call_status_dest2=unanswered", "missed", "warning"),
    "busy": ("voice", "&dest2=%2B6591231111&call_status_dest1=answered&call_status_dest2=busy", "busy", "warning"),
    "failed": ("voice", "&dest2=%2B6591231111&call_status_dest1=failed", "failed", "error"),
    "ringing": ("ivr", "&session=S1&call_state=ringing&from=%2B6591231111", "in progress", "pending"),
    "unknown": ("ivr", IVR, "unknown", "plain"),
}  # fmt: skip


@pytest.mark.parametrize(("route", "content", "word", "tone"), COURSES.values(), ids=COURSES)
def test_list_shows_the_outcome_as_one_label(root: Client, route: str, content: str, word: str, tone: str) -> None:
    receive(f"txn_ref=AA-C-1{content}", route=route)

    page = calls_list(root).content.decode()

    assert f'<td class="field-status_words"><span class="hoiio-label hoiio-{tone}">{word}</span></td>' in page


def test_list_shows_own_number_duration_and_recording(root: Client) -> None:
    receive("txn_ref=AA-C-1&session=S1&call_state=ringing&from=%2B6591231111&to=%2B6531230000", route="ivr")
    receive("txn_ref=AA-C-1&session=S1&call_state=ongoing&record_url=https%3A%2F%2Fexample.com%2F1.mp3", route="ivr")
    receive("txn_ref=AA-C-1&session=S1&call_state=ended&duration=3", route="ivr")
    receive("txn_ref=AA-C-2&dest2=%2B6591231111&call_status_dest1=answered", route="voice")

    shown = [{name: row[name] for name in ("own_number", "length", "recorded")} for row in cells(calls_list(root))]

    assert shown == [
        {"own_number": "-", "length": "-", "recorded": "-"},
        {"own_number": "+6531230000", "length": "3\u00a0min", "recorded": "recorded"},
    ]


def test_dashboard_list_and_api_count_the_same_calls(root: Client, settings: Any) -> None:
    fill(random.Random(7), 300, 20)
    outcomes = {outcome: Call.objects.filter(outcome=outcome).count() for outcome in CallOutcome.values}
    assert min(outcomes[each] for each in ("answered", "missed", "busy", "failed")) > 0

    panels = root.get(reverse("admin:app_list", args=["django_hoiio"]), {"days": "30"}).context["volumes"]
    shown = sum(int(note.split()[0]) for note in (each.note for each in panels if each.title.startswith("Calls")))
    listed = {each: calls_list(root, outcome=each).context["cl"].result_count for each in outcomes}
    api = {
        each: len(root.get(reverse("hoiio_api:call-list"), {"outcome": each, "page_size": "200"}).json()["results"])
        for each in outcomes
    }

    assert shown == outcomes["answered"]
    assert (listed, api) == ({name: min(number, 50) for name, number in outcomes.items()}, outcomes)


def test_outcome_filter_offers_every_outcome(root: Client) -> None:
    (outcome,) = (each for each in calls_list(root).context["cl"].filter_specs if each.title == "outcome")

    assert outcome.lookup_choices == CallOutcome.choices


def test_status_filter_of_sms_finds_incoming_ones_as_received(root: Client) -> None:
    receive("txn_ref=AA-SI-1&from=%2B6591231111&to=%2B6531230000&msg=hello", route="sms")
    receive("txn_ref=AA-S-2&dest=%2B6591231111&sms_status=delivered", route="sms", ago=DAY)

    pages = {
        status: root.get(reverse("admin:django_hoiio_sms_changelist"), {"sms_status": status})
        for status in ("received", "delivered", "queued")
    }

    found = {status: [row.txn_ref for row in page.context["cl"].result_list] for status, page in pages.items()}
    assert found == {"received": ["AA-SI-1"], "delivered": ["AA-S-2"], "queued": []}
    assert [row["status_words"] for row in cells(pages["received"])] == ["received"]


def test_status_that_is_also_the_error_of_a_fax_is_shown_once(root: Client) -> None:
    receive("txn_ref=AA-F-1&dest=%2B6591231111&fax_status=busy&fax_error_code=busy", route="fax")

    page = root.get(reverse("admin:django_hoiio_fax_changelist")).content.decode()

    assert '<td class="field-status_words"><span class="hoiio-label hoiio-warning">busy</span></td>' in page


def test_final_is_neither_good_nor_bad(root: Client) -> None:
    receive("txn_ref=AA-S-1&dest=%2B6591231111&sms_status=failed", route="sms")

    page = root.get(reverse("admin:django_hoiio_sms_change", args=[Sms.objects.get().pk])).content.decode()

    assert re.search(r'field-is_final_text">.*?<div class="readonly">yes</div>', page, re.S)
    assert "icon-yes" not in page.partition('field-is_final_text"')[2].partition("</fieldset>")[0]


def test_list_without_a_search_shows_no_help_for_it(root: Client) -> None:
    page = root.get(reverse("admin:django_hoiio_dailytotal_changelist")).content.decode()

    assert 'id="searchbar_helptext"' not in page
