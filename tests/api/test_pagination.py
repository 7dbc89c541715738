"""Pages and filters of the read API."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import pytest
from django.test import Client

from django_hoiio.api import pagination
from django_hoiio.enums import Kind, Source
from django_hoiio.models import Call, Fax, Notification, Sms
from django_hoiio.parsing.parameters import suffix_of
from tests.users import EVERYTHING, staff

pytestmark = pytest.mark.django_db

API = "/api/hoiio/"
BEGAN = datetime(2026, 11, 1, tzinfo=timezone.utc)


@pytest.fixture
def scan_limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """A page scans at most ten rows without an index."""
    monkeypatch.setattr(pagination, "SCAN_LIMIT", 10)
    return 10


def sms(number: int, **fields: Any) -> Sms:
    """Return an SMS that was sent in the hour of its number."""
    remote = fields.get("remote_number", f"+65{90000000 + number}")
    moment = BEGAN + timedelta(hours=number)
    fields = {"txn_ref": f"AA-S-{number}", "direction": "outgoing", "created_at": moment, **fields}
    return Sms(
        **{"updated_at": moment, "remote_number": remote, "remote_suffix": suffix_of(remote), "dest": remote, **fields}
    )


def make(count: int, **fields: Any) -> None:
    Sms.objects.bulk_create([sms(number, **fields) for number in range(count)])


def read(client: Client, path: str, status: int = 200, **query: object) -> Any:
    response = client.get(f"{API}{path}" if "://" not in path else path, query or None)
    assert response.status_code == status, response.content
    return json.loads(response.content)


def pages(client: Client, path: str, link: str = "next", **query: object) -> Iterator[list[str]]:
    """Yield the references on each page, following the links."""
    address: str | None = f"{API}{path}?{urlencode(query)}" if "?" not in path else path
    while address:
        page = json.loads(client.get(address).content)
        yield [row["txn_ref"] for row in page["results"]]
        address = page[link]


def found(client: Client, path: str, **query: object) -> list[str]:
    return [txn_ref for page in pages(client, path, **query) for txn_ref in page]


# Pages.


@pytest.mark.parametrize(
    "query", [{}, {"created_from": "2000-01-01T00:00:00Z"}, {"tag": "t"}, {"direction": "outgoing"}]
)
def test_pages_lead_through_all_rows_and_back(query: dict[str, str]) -> None:
    make(25, tag="t")
    client = staff()
    newest_first = [f"AA-S-{number}" for number in range(24, -1, -1)]

    assert list(pages(client, "sms/", page_size=10, **query)) == [
        newest_first[:10],
        newest_first[10:20],
        newest_first[20:],
    ]
    second = read(client, "sms/", page_size=10, **query)["next"]
    third = read(client, second)["next"]
    back = read(client, read(client, third)["previous"])["next"]
    assert read(client, back)["results"] == read(client, third)["results"]
    assert list(pages(client, third, link="previous")) == [newest_first[20:], newest_first[10:20], newest_first[:10]]


@pytest.mark.parametrize("query", [{}, {"created_from": "2000-01-01T00:00:00Z"}, {"tag": "t"}])
def test_full_page_without_further_rows_is_the_last(query: dict[str, str]) -> None:
    make(10, tag="t")

    page = read(staff(), "sms/", page_size=10, **query)

    assert (len(page["results"]), page["next"], page["previous"]) == (10, None, None)


def test_page_has_a_hundred_rows_by_default() -> None:
    make(101)

    assert [len(page) for page in pages(staff(), "sms/")] == [100, 1]


@pytest.mark.parametrize("size", ["0", "501", "-1", "x", "1.5", "9" * 20, "٣"])
def test_invalid_page_size_is_refused(size: str) -> None:
    assert read(staff(), "sms/", 400, page_size=size) == {"page_size": ["A page has 1 to 500 rows."]}


def test_new_rows_do_not_shift_pages() -> None:
    make(20)
    client = staff()
    first = read(client, "sms/", page_size=10)
    Sms.objects.bulk_create([sms(number) for number in range(20, 30)])

    rest = found(client, first["next"])
    back = list(pages(client, read(client, first["next"])["previous"], link="previous"))

    assert rest == [f"AA-S-{number}" for number in range(9, -1, -1)]
    assert back == [[f"AA-S-{number}" for number in numbers] for numbers in (range(19, 9, -1), range(29, 19, -1))]


def test_rows_of_the_same_moment_are_on_one_page_each() -> None:
    make(25, created_at=BEGAN)

    read_in_all = found(staff(), "sms/", page_size=4, created_from="2026-11-01T00:00:00Z")

    assert read_in_all == [f"AA-S-{number}" for number in range(24, -1, -1)]


def test_empty_table_has_one_empty_page() -> None:
    client = staff()

    for query in (
        {},
        {"tag": "t"},
        {"final": "true"},
        {"direction": "incoming"},
        {"updated_since": "2026-01-01T00:00Z"},
    ):
        assert read(client, "sms/", **query) == {"next": None, "previous": None, "results": []}


NOT_ITS_OWN = "This cursor does not belong to this list; follow the links of its pages, with all other parameters."


def cursor(position: str, *, newer: bool = False) -> str:
    """Return the cursor of a position, as REST framework encodes it."""
    return b64encode(urlencode({**({"r": "1"} if newer else {}), "p": position}).encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        *("x", "older", "older.5", "abcd", "%%%", "é", "5", cursor(""), cursor("x"), cursor("pk"), cursor("pk.5")),
        *(cursor("pk.0.x"), cursor("pk.0.-1"), cursor("pk.0.1\n"), cursor("pk.0.٣"), cursor("pk.0.5.1")),
        *(cursor("sideways.0.1"), cursor("created_at.0.1"), cursor(f"pk.0.{'9' * 20}"), b64encode(b"o=5").decode()),
    ],
)
@pytest.mark.parametrize("path", ["sms/", "totals/"])
def test_invalid_cursor_is_refused(path: str, text: str) -> None:
    assert read(staff(), path, 404, cursor=text) == {"detail": NOT_ITS_OWN}


LISTS: list[dict[str, str]] = [{}, {"final": "false"}, {"tag": "t"}, {"updated_since": "2026-01-01T00:00:00Z"}]


@pytest.mark.parametrize("query", LISTS)
def test_cursor_of_another_list_is_not_found(query: dict[str, str]) -> None:
    make(3, tag="t")
    Notification.objects.bulk_create(
        [notification(number, received_at=BEGAN - timedelta(days=999)) for number in (1, 2)]
    )
    client = staff()
    key_order, moment_order, _key_order, reported = (
        read(client, "sms/", page_size=1, **each)["next"] for each in LISTS
    )
    # The feed may continue by key, if it has begun so.
    own = {"final": {moment_order}, "updated_since": {reported, key_order}}.get(next(iter(query), ""), {key_order})

    for link in {key_order, moment_order, reported} - own:
        (of_another,) = parse_qs(urlsplit(link).query)["cursor"]
        assert read(client, "sms/", 404, cursor=of_another, **query) == {"detail": NOT_ITS_OWN}


LAST = "9" * 18
FAR = "9" * 16


@pytest.mark.parametrize(
    ("query", "below", "above"),
    [
        ({}, "pk.0.0", f"pk.0.{LAST}"),
        # Scanned by key.
        ({"account": "default"}, "pk.0.0", f"pk.0.{LAST}"),
        ({"tag": "t"}, "pk.0.0", f"pk.0.{LAST}"),
        ({"final": "false"}, "created_at.0.0", f"created_at.{FAR}.{LAST}"),
    ],
)
def test_cursor_beyond_the_ends_returns_the_page_at_the_end(query: dict[str, str], below: str, above: str) -> None:
    make(3, tag="t")
    client, every = staff(), ["AA-S-2", "AA-S-1", "AA-S-0"]

    def beyond(position: str, *, newer: bool = False) -> tuple[list[str], list[list[str]], list[list[str]]]:
        page = read(client, "sms/", cursor=cursor(position, newer=newer), **query)
        rest = [list(pages(client, page[link], link=link)) if page[link] else [] for link in ("next", "previous")]
        return [row["txn_ref"] for row in page["results"]], *rest

    assert beyond(above)[:2] == (every, [])
    assert beyond(below, newer=True)[::2] == (every, [])
    # The page is empty, and the link back leads to all rows.
    assert beyond(above, newer=True) == ([], [every], [])
    assert beyond(below) == ([], [], [every])


@pytest.mark.parametrize("query", [{}, {"account": "default"}, {"tag": "t"}, {"final": "false"}])
def test_previous_pages_have_each_row_once(query: dict[str, str]) -> None:
    make(25, tag="t")
    client = staff()
    second = read(client, read(client, "sms/", page_size=10, **query)["next"])
    Sms.objects.bulk_create([sms(number, tag="t") for number in range(25, 28)])

    back = list(pages(client, second["previous"], link="previous"))

    assert back == [[f"AA-S-{number}" for number in numbers] for numbers in (range(24, 14, -1), range(27, 24, -1))]


# Filters.


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"txn_ref": "AA-S-3"}, [3]),
        ({"txn_ref": "AA-S-"}, []),
        ({"bulk_txn_ref": "AA-B-1"}, [2]),
        ({"bulk_txn_ref": "AA-B"}, []),
        ({"tag": "order 77"}, [4]),
        ({"tag": "order"}, []),
        ({"tag": " order 77"}, []),
        ({"number": "+6591231111"}, [5, 1]),
        ({"number": "6591231111"}, [5, 1]),
        ({"number": "+65 9123 1111"}, [5, 1]),
        ({"number": "1231111"}, []),
        ({"number": "+6091231111"}, []),
        ({"number": "ALERT"}, [6]),
        ({"number": "%"}, []),
        ({"number": " "}, []),
        ({"account": "second"}, [3]),
        ({"direction": "incoming"}, [6]),
        ({"sms_status": "delivered"}, [2, 1]),
        # A status that Hoiio does not document.
        ({"sms_status": "bounced"}, [4]),
        ({"sms_status": "deliver"}, []),
        ({"status": "success_ok"}, [2]),
        ({"final": "true"}, [2, 1]),
        ({"final": "false"}, [6, 5, 4, 3, 0]),
        ({"created_from": "2026-11-01T04:00:00Z"}, [6, 5, 4]),
        ({"created_to": "2026-11-01T02:00:00Z"}, [1, 0]),
        ({"created_from": "2026-11-01T10:00:00+08:00", "created_to": "2026-11-01T12:00:00+08:00"}, [3, 2]),
        ({"final": "true", "created_from": "2026-11-01T02:00:00Z"}, [2]),
        ({"final": "false", "number": "+6591231111"}, [5]),
        ({"number": "+6591231111", "sms_status": "delivered"}, [1]),
        ({"number": "+6591231111", "tag": "order 77"}, []),
        ({"final": "true", "sms_status": "delivered", "bulk_txn_ref": "AA-B-1"}, [2]),
        ({"final": "true", "sms_status": "queued"}, []),
        ({"direction": "outgoing", "account": "default", "created_to": "2026-11-01T04:00:00Z"}, [2, 1, 0]),
        ({"tag": "", "number": "", "final": "", "created_from": "", "account": "second"}, [3]),
    ],
)
def test_filter_of_sms(query: dict[str, str], numbers: list[int]) -> None:
    Sms.objects.bulk_create(
        [
            sms(0),
            sms(1, remote_number="+6591231111", sms_status="delivered", is_final=True),
            sms(2, bulk_txn_ref="AA-B-1", status="success_ok", sms_status="delivered", is_final=True),
            sms(3, account="second"),
            sms(4, tag="order 77", sms_status="bounced"),
            sms(5, remote_number="+6591231111", sms_status="queued"),
            sms(6, remote_number="ALERT", direction="incoming"),
        ]
    )

    assert found(staff("view_personal_data"), "sms/", **query) == [f"AA-S-{number}" for number in numbers]


@pytest.mark.parametrize("number", ["91231111", "9123 1111", "591231111", "+6591231111"])
def test_number_search_needs_the_permission_to_view_numbers(number: str) -> None:
    Sms.objects.bulk_create([sms(1, remote_number="+6591231111"), sms(2)])

    assert found(staff("view_personal_data"), "sms/", number=number) == ["AA-S-1"]
    refused = staff().get(f"{API}sms/", {"number": number})
    assert (refused.status_code, refused.json()) == (
        403,
        {"detail": "Searching for a number needs the permission django_hoiio.view_personal_data."},
    )


@pytest.mark.parametrize(
    ("query", "references"),
    [
        ({"call_state": "ringing"}, ["AA-C-1"]),
        ({"call_status": "busy"}, ["AA-C-2"]),
        ({"call_status_dest1": "answered"}, ["AA-C-3"]),
        ({"call_status_dest2": "failed"}, ["AA-C-3"]),
        ({"dial_status": "unanswered"}, ["AA-C-4"]),
        ({"transfer_status": "busy"}, ["AA-C-4"]),
        ({"session": "S1"}, ["AA-C-4", "AA-C-1"]),
        ({"session": "S"}, []),
    ],
)
def test_filter_of_calls(query: dict[str, str], references: list[str]) -> None:
    moments = {"created_at": BEGAN, "updated_at": BEGAN}
    Call.objects.create(txn_ref="AA-C-1", call_state="ringing", session="S1", **moments)
    Call.objects.create(txn_ref="AA-C-2", call_status="busy", session="S2", **moments)
    Call.objects.create(txn_ref="AA-C-3", call_status_dest1="answered", call_status_dest2="failed", **moments)
    Call.objects.create(txn_ref="AA-C-4", dial_status="unanswered", transfer_status="busy", session="S1", **moments)

    assert found(staff(), "calls/", **query) == references


def test_filter_of_faxes() -> None:
    for number, status in enumerate(("answered", "failed")):
        Fax.objects.create(txn_ref=f"AA-F-{number}", fax_status=status, created_at=BEGAN, updated_at=BEGAN)

    assert found(staff(), "faxes/", fax_status="failed") == ["AA-F-1"]


def notification(number: int, **fields: Any) -> Notification:
    moment = BEGAN + timedelta(hours=number)
    made = {"kind": Kind.SMS_STATUS, "route": "sms", "txn_ref": f"AA-S-{number}", "received_at": moment}
    return Notification(**{"uuid": uuid4(), "source": Source.WEBHOOK, "dispatched_at": moment, **made, **fields})


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"kind": "sms_received"}, [1]),
        ({"route": "any"}, [2]),
        ({"account": "second"}, [3]),
        ({"txn_ref": "AA-S-3"}, [3]),
        ({"session": "S1"}, [4]),
        ({"received_from": "2026-11-01T03:00:00Z"}, [4, 3]),
        ({"received_to": "2026-11-01T01:00:00Z"}, [0]),
        ({"received_from": "2026-11-01T01:00:00Z", "kind": "sms_status", "account": "second"}, [3]),
        ({"kind": "unknown"}, []),
    ],
)
def test_filter_of_notifications(query: dict[str, str], numbers: list[int]) -> None:
    Notification.objects.bulk_create(
        [
            notification(0),
            notification(1, kind=Kind.SMS_RECEIVED),
            notification(2, route="any"),
            notification(3, account="second"),
            notification(4, session="S1"),
        ]
    )

    assert found(staff(), "notifications/", **query) == [f"AA-S-{number}" for number in numbers]


@pytest.mark.parametrize(
    ("path", "query", "reasons"),
    [
        (
            "sms/",
            {"stauts": "x"},
            "Unknown parameter. The parameters are account, tag, bulk_txn_ref, sms_status, status, txn_ref, ",
        ),
        ("sms/", {"kind": "sms_status"}, "Unknown parameter."),
        ("sms/", {"direction": "sideways"}, "Select a valid choice. sideways is not one of the available choices."),
        ("sms/", {"final": "maybe"}, "Select a valid choice. maybe is not one of the available choices."),
        ("sms/", {"tag": "x" * 257}, "Ensure this value has at most 256 characters (it has 257)."),
        ("sms/", {"tag": "\0"}, "Null characters are not allowed."),
        ("sms/", {"created_from": "2026-11-25"}, "Write a moment with its offset from UTC, for example 2026-11-25T10"),
        ("sms/", {"created_from": "2026-11-25T10:00:00"}, "Write a moment with its offset from UTC"),
        ("sms/", {"created_to": "2026-13-25T10:00:00Z"}, "Write a moment with its offset from UTC"),
        ("sms/", {"updated_since": "yesterday"}, "Write a moment with its offset from UTC"),
        ("notifications/", {"kind": "sms"}, "Select a valid choice. sms is not one of the available choices."),
        ("totals/", {"day_from": "yesterday"}, "Write a day, for example 2026-11-25."),
        ("totals/", {"day_to": "2026-02-30"}, "Write a day, for example 2026-11-25."),
        ("totals/", {"page_size": "5"}, "Unknown parameter. The parameters are day_from, day_to, account, traffic."),
    ],
)
def test_invalid_parameter_is_refused(path: str, query: dict[str, str], reasons: str) -> None:
    (name,) = query
    refused = read(staff(*EVERYTHING), path, 400, **query)

    assert list(refused) == [name]
    assert refused[name][0].startswith(reasons)


@pytest.mark.parametrize(
    "moment",
    ["2026-11-01T10:00:00+08:00", "2026-11-01t02:00:00.000z", "2026-11-01T02:00Z", "2026-10-31T21:00:00-05:00"],
)
def test_moment_may_be_written_with_any_offset(moment: str) -> None:
    make(4)
    client = staff()

    assert found(client, "sms/", created_from=moment) == ["AA-S-3", "AA-S-2"]
    # Without percent-encoding of the plus.
    assert len(json.loads(client.get(f"{API}sms/?created_from={moment}").content)["results"]) == 2


def test_repeated_parameter_is_refused() -> None:
    client = staff()

    for path in ("sms/?tag=a&tag=b", "totals/?traffic=sms_sent&traffic=sms_sent", "sms/?cursor=x&cursor="):
        (reasons,) = read(client, path, 400).values()
        assert reasons == ["It is given more than once."]


@pytest.mark.parametrize("parameter", ["created_from", "created_to", "updated_since"])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"])
def test_moment_outside_the_range_of_dates_is_accepted(parameter: str, moment: str) -> None:
    make(1)
    assert read(staff(), "sms/", **{parameter: moment})["next"] is None


# Unknown parameters.

GUESSES = [
    "ordering", "search", "order_by", "o", "from", "to", "from_number", "from_number__startswith", "dest",
    "remote_number", "remote_number__startswith", "remote_suffix", "msg", "msg__contains", "part", "fax_url", "fields",
    "body", "query", "params", "params__from", "headers", "pass_on", "history_is_whole", "tag__startswith", "txn_ref__lt", "id__lt",
]  # fmt: skip


@pytest.mark.parametrize("permissions", [(), ("view_personal_data",), EVERYTHING])
@pytest.mark.parametrize("path", ["notifications/", "calls/", "sms/", "faxes/", "totals/"])
def test_other_parameters_than_the_filters_are_refused(path: str, permissions: tuple[str, ...]) -> None:
    client = staff(*permissions)

    assert [name for name in GUESSES if client.get(API + path, {name: "x"}).status_code != 400] == []


def test_partial_number_is_answered_like_an_unknown_number() -> None:
    Sms.objects.bulk_create([sms(1, remote_number="+6591231111")])
    client = staff()
    (nothing,) = {client.get(f"{API}sms/", {"number": "+6500000000"}).content}
    parts = [
        "91231111",
        "+65",
        "+659123",
        "+6591231",
        "1111",
        "%",
        "_",
        "+659123111%",
        "+659123111_",
        "••••1111",
        "+65••••1111",
    ]

    assert {client.get(f"{API}sms/", {"number": part}).content for part in parts} == {nothing}


def test_detail_page_ignores_filters() -> None:
    Sms.objects.bulk_create([sms(1, remote_number="+6591231111")])
    row, client = Sms.objects.get(), staff()

    answers = [client.get(f"{API}sms/{row.pk}/", {"msg__contains": text, "sms_status": text}) for text in "abc"]

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1


# Scan limit.


def test_page_without_an_index_scans_a_bounded_number_of_rows(scan_limit: int) -> None:
    Sms.objects.bulk_create(
        [sms(number, sms_status="failed" if number in (2, 24) else "queued") for number in range(25)]
    )

    assert list(pages(staff(), "sms/", sms_status="failed")) == [["AA-S-24"], [], ["AA-S-2"]]


def test_page_of_a_date_range_without_an_index_scans_a_bounded_number_of_rows(scan_limit: int) -> None:
    Sms.objects.bulk_create(
        [
            sms(number, is_final=number % 2 == 0, sms_status="failed" if number in (2, 37) else "queued")
            for number in range(40)
        ]
    )
    client = staff()
    query = {"sms_status": "failed", "created_from": "2026-11-01T00:00:00Z"}

    # Each page scans ten final rows and ten others.
    assert list(pages(client, "sms/", **query)) == [["AA-S-37"], ["AA-S-2"], []]
    assert list(pages(client, "sms/", final="true", **query)) == [[], ["AA-S-2"], []]
    last = read(client, read(client, read(client, "sms/", **query)["next"])["next"])
    assert list(pages(client, last["previous"], link="previous")) == [["AA-S-2"], ["AA-S-37"], []]


def test_tag_with_too_many_rows_is_scanned_by_key(scan_limit: int) -> None:
    make(25, tag="campaign")
    Sms.objects.bulk_create([sms(number) for number in range(25, 50)])

    assert list(pages(staff(), "sms/", tag="campaign"))[:3] == [[], [], [f"AA-S-{n}" for n in range(24, 19, -1)]]
    assert found(staff(), "sms/", tag="campaign") == [f"AA-S-{number}" for number in range(24, -1, -1)]


def test_term_with_fewer_rows_is_used_of_two_terms(scan_limit: int) -> None:
    make(25, tag="campaign")

    assert list(pages(staff("view_personal_data"), "sms/", tag="campaign", number="90000007")) == [["AA-S-7"]]
