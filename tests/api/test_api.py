"""The read API for users with different permissions, on rows of posted notifications."""

from __future__ import annotations

import base64
import html
import json
import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.pagination import PageNumberPagination
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.test import APIRequestFactory, force_authenticate

from django_hoiio.api.views import SmsViewSet
from django_hoiio.masking import RAW_FIELDS
from django_hoiio.models import Call, Fax, Notification, Sms
from tests.conftest import Post
from tests.users import EVERYTHING, logged_in, staff

pytestmark = pytest.mark.django_db

API = "/api/hoiio/"
LISTS = ("notifications", "calls", "sms", "faxes", "totals")
ROWS = {"notifications": Notification, "calls": Call, "sms": Sms, "faxes": Fax}

POSTED = [
    ("sms/?x_username=passed-on", "to=%2B6500000000&from=%2B6591231111&txn_ref=AA-SI-85&msg=%3Cb%3Ewhisper&debit=0.013000&currency=SGD&date=2012-10-30+12%3A20%3A50"),
    ("sms/", "sms_status=queued&txn_ref=AA-S-471804&dest=%2B6591231111&tag=order+77&rate=0.0325&debit=0.032&currency=SGD"),
    ("sms/", "sms_status=bounced&txn_ref=AA-S-471804&dest=%2B6591231111&rate=dear&split_count=1"),
    ("sms/", "status=success_ok&txn_ref=AA-S-471806&dest=%2B6581231111&bulk_txn_ref=AA-B-147"),
    ("sms/", "msg=no+reference&from=ALERT"),
    ("voice/", "duration=2&rate=0.036&dest1=%2B6581231111&dest2=%2B6591231111&call_status_dest1=answered&call_status_dest2=busy&tag=order+78&debit=0.072&txn_ref=AA-C-2517398&currency=SGD"),
    ("ivr/", "ivr_block=answer&call_state=ringing&session=S3839&txn_ref=AA-C-2507650&from=%2B6591231111&to=%2B6500000000"),
    ("ivr/", "call_state=ended&session=S3839&record_url=http%3A%2F%2Fwww.example.com%2Frec-113.mp3&digits=73*519"),
    ("fax/", "txn_ref=AA-C-3060997&fax_status=answered&from=%2B6591231111&to=%2B6500000000&fax_url=https%3A%2F%2Fexample.com%2Ffax-1.pdf&fax_pages=3"),
    ("fax/", "txn_ref=AA-C-3060998&fax_status=ongoing&dest=%2B6581231111"),
    ("any/", ""),
]  # fmt: skip

# Values that need a permission, as they would appear in JSON.
NUMBERS = ["91231111", "81231111", "6500000000", "ALERT", "whisper", "no reference"]
LINKS = ["rec-113", "fax-1.pdf"]
HIDDEN_RAW = ["passed-on", "73*519", "no+reference", "application/x-www-form-urlencoded"]


@pytest.fixture
def filled(post: Post) -> None:
    for path, body in POSTED:
        post(path, body)


def read(client: Client, path: str, status: int = 200, **query: object) -> Any:
    response = client.get(f"{API}{path}", query)
    assert response.status_code == status, response.content
    return json.loads(response.content)


def every_path() -> list[str]:
    """All lists, and every row that has a page."""
    rows = [f"{name}/{row.pk}/" for name, model in ROWS.items() for row in model._default_manager.all()]
    return ["", *(f"{name}/" for name in LISTS), *rows]


def everything(client: Client) -> str:
    return "".join(json.dumps(read(client, path), ensure_ascii=False) for path in every_path())


# Permissions.


@pytest.mark.usefixtures("filled")
def test_anonymous_user_is_refused(client: Client) -> None:
    # Session authentication has no WWW-Authenticate header, so the status is 403; other classes answer 401.
    assert {client.get(API + path).status_code for path in every_path()} == {403}


@pytest.mark.usefixtures("filled")
def test_user_who_is_not_staff_is_refused_despite_all_permissions() -> None:
    user = User.objects.create_user("customer")
    client = staff(*EVERYTHING)
    user.user_permissions.set(User.objects.get(username="staff1").user_permissions.all())

    assert {client.get(API + path).status_code for path in every_path()} == {200}
    assert {logged_in(user).get(API + path).status_code for path in every_path()} == {403}


@pytest.mark.usefixtures("filled")
def test_staff_without_view_permissions_is_refused() -> None:
    client = staff(*EVERYTHING, views=())

    assert {client.get(API + path).status_code for path in every_path() if path} == {403}
    assert {client.options(API + path).status_code for path in every_path() if path} == {403}


@pytest.mark.usefixtures("filled")
def test_each_list_needs_the_permission_of_its_model() -> None:
    client = staff("view_sms", views=())

    assert [client.get(f"{API}{name}/").status_code for name in LISTS] == [403, 403, 200, 403, 403]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_changed(method: str) -> None:
    client = logged_in(User.objects.create_superuser("root"))
    before = [list(model._default_manager.values()) for model in ROWS.values()]

    assert {getattr(client, method)(API + path).status_code for path in every_path()} == {405}
    assert [list(model._default_manager.values()) for model in ROWS.values()] == before


@pytest.mark.usefixtures("filled")
def test_head_and_options_are_answered() -> None:
    client = staff()

    assert {client.head(API + path).status_code for path in every_path()} == {200}
    assert {client.options(API + path).status_code for path in every_path()} == {200}


@pytest.mark.usefixtures("filled")
def test_pages_have_the_names_of_the_admin() -> None:
    client = staff()
    pages = [
        page
        for name, model in ROWS.items()
        for page in (f"{name}/", f"{name}/{model._default_manager.latest('pk').pk}/")
    ]

    assert [client.options(API + page).json()["name"] for page in (*pages, "totals/")] == [
        *("Notifications", "Notification", "Calls", "Call", "SMS", "SMS", "Faxes", "Fax", "Daily totals"),
    ]


def test_refused_page_has_its_name_without_a_query() -> None:
    class OfTheCustomer(SmsViewSet):
        renderer_classes = (BrowsableAPIRenderer,)

        def get_queryset(self) -> Any:
            return Sms.objects.filter(account=self.request.user.customer)

    answer = OfTheCustomer.as_view({"get": "list"})(APIRequestFactory().get("/")).render()

    assert answer.status_code == 403
    assert "<h1>SMS</h1>" in answer.content.decode()


def test_root_names_the_lists() -> None:
    assert read(staff(), "") == {name: f"http://testserver{API}{name}/" for name in LISTS}


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("key", ["0", "99999999", "9" * 30, "-1", "x", "1.5", "%00", "None"])
def test_missing_row_is_not_found(key: str) -> None:
    client = staff()

    assert [client.get(f"{API}{name}/{key}/").status_code for name in ROWS] == [404] * 4
    assert list(json.loads(client.get(f"{API}sms/{key}/").content)) == ["detail"]


# Fields.


@pytest.mark.usefixtures("filled")
def test_sms_in_full(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Singapore"
    row = Sms.objects.get(txn_ref="AA-S-471804")
    Sms.objects.filter(pk=row.pk).update(created_at="2026-11-25T02:00:00Z", updated_at="2026-11-25T02:00:01.5Z")

    assert read(staff(*EVERYTHING), f"sms/{row.pk}/") == {
        "id": row.pk,
        "account": "default",
        "txn_ref": "AA-S-471804",
        "tag": "order 77",
        "direction": "outgoing",
        "is_final": False,
        "bulk_txn_ref": "",
        "part": "",
        # A status that Hoiio does not document is returned as received.
        "sms_status": "bounced",
        "status": "",
        "remote_number": "+6591231111",
        "from": "",
        "to": "",
        "dest": "+6591231111",
        "msg": "",
        "split_count": 1,
        "date": None,
        "currency": "SGD",
        "rate": "0.032500",
        "debit": "0.032000",
        "created_at": "2026-11-25T10:00:00+08:00",
        "updated_at": "2026-11-25T10:00:01.500000+08:00",
        "redacted_at": None,
        "notification_uuid": None,
    }


@pytest.mark.usefixtures("filled")
def test_incoming_sms_has_from_and_to_as_on_the_wire() -> None:
    row = Sms.objects.get(txn_ref="AA-SI-85")
    written = read(staff(*EVERYTHING), f"sms/{row.pk}/")

    assert {name: written[name] for name in ("from", "to", "msg", "date")} == {
        "from": "+6591231111",
        "to": "+6500000000",
        "msg": "<b>whisper",
        "date": "2012-10-30T04:20:50Z",
    }


@pytest.mark.usefixtures("filled")
def test_notification_in_full() -> None:
    row = Notification.objects.get(txn_ref="AA-SI-85")

    assert read(staff(*EVERYTHING), f"notifications/{row.pk}/") == {
        "id": row.pk,
        "uuid": str(row.uuid),
        "received_at": row.received_at.isoformat().replace("+00:00", "Z"),
        "kind": "sms_received",
        "route": "sms",
        "account": "default",
        "txn_ref": "AA-SI-85",
        "session": None,
        "verified_by": "",
        "source": "webhook",
        "remote_addr": "127.0.0.1",
        "problems": {},
        "state_error": "",
        "receivers": [],
        "dispatched_at": row.dispatched_at.isoformat().replace("+00:00", "Z") if row.dispatched_at else None,
        "redacted_at": None,
        "raw": {
            "params": row.params,
            "pass_on": {"x_username": "passed-on"},
            "unverified_params": [],
            "query": "x_username=passed-on",
            "body": base64.b64encode(POSTED[0][1].encode()).decode(),
            "headers": {"Content-Type": "application/x-www-form-urlencoded"},
        },
    }


def test_bytes_and_values_of_any_kind_are_returned_as_stored(post: Post) -> None:
    row = post("sms/", b"msg=caf\xe9\xff\x00&from=%2B6591231111")
    Notification.objects.filter(pk=row.pk).update(pass_on={"a": [1, None, {"b": "c"}]})
    raw = read(staff(*EVERYTHING), f"notifications/{row.pk}/")["raw"]

    assert base64.b64decode(raw["body"]) == b"msg=caf\xe9\xff\x00&from=%2B6591231111"
    assert raw["pass_on"] == {"a": [1, None, {"b": "c"}]}


@pytest.mark.usefixtures("filled")
def test_list_has_the_rows_of_the_detail_pages_without_the_raw_request() -> None:
    client = staff(*EVERYTHING)
    for name in ROWS:
        (*_, row) = read(client, f"{name}/")["results"]
        whole = read(client, f"{name}/{row['id']}/")
        whole.pop("raw", None)
        assert row == whole


@pytest.mark.usefixtures("filled")
def test_every_field_of_a_model_is_serialized_except_internal_ones() -> None:
    # The suffix is a part of the number; the block decides the kind; the claim and the versions are internal.
    internal = {"version", "history_is_whole", "state_attempts", "remote_suffix", "claimed_until", "call", "sms", "fax"}
    internal |= {"block"}
    wire = {"from_number": "from", "to_number": "to"}
    client = staff(*EVERYTHING)

    for name, model in ROWS.items():
        written = read(client, f"{name}/{model._default_manager.first().pk}/")
        names = {wire.get(field.name, field.name) for field in model._meta.concrete_fields}
        assert {*written, *written.get("raw", ())} - {"raw"} == names - internal


def test_formats_of_the_project_change_nothing(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    row = post("sms/", POSTED[1][1])
    client = staff(*EVERYTHING)
    before = [read(client, f"notifications/{row.pk}/"), read(client, "sms/")]
    monkeypatch.setattr("rest_framework.settings.api_settings.DATETIME_FORMAT", "%d.%m.%y", raising=False)
    monkeypatch.setattr("rest_framework.settings.api_settings.COERCE_DECIMAL_TO_STRING", False, raising=False)

    assert [read(client, f"notifications/{row.pk}/"), read(client, "sms/")] == before


# Masking.


@pytest.mark.usefixtures("filled")
def test_viewer_gets_no_number_text_link_or_raw_request() -> None:
    seen = everything(staff())

    assert [each for each in NUMBERS + LINKS + HIDDEN_RAW if each in seen] == []
    assert '"remote_number": "+65••••1111", "from": "+65••••1111", "to": "+65••••0000"' in seen
    assert '"msg": "••••"' in seen
    assert '"raw": null' in seen


@pytest.mark.usefixtures("filled")
def test_no_other_format_or_method_shows_a_viewer_more() -> None:
    client, secrets = staff(), NUMBERS + LINKS + HIDDEN_RAW[:-1]
    paths = [path.rstrip("/") for path in every_path() if path]
    answers = [
        *(client.get(f"{API}{path}{suffix}") for path in paths for suffix in (".json", ".api", "/?format=api")),
        *(client.options(f"{API}{path}/", headers={"accept": "text/html"}) for path in paths),
        *(client.head(f"{API}{path}/") for path in paths),
    ]

    assert {answer.status_code for answer in answers} == {200}
    texts = [html.unescape(answer.content.decode()) for answer in answers]
    assert [each for each in secrets if any(each in text for text in texts)] == []
    # The same pages show it to users with the permission.
    (sms,) = Sms.objects.filter(txn_ref="AA-SI-85")
    assert "whisper" in staff("view_personal_data").get(f"{API}sms/{sms.pk}.api").content.decode()


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("permission", "shown", "hidden"),
    [
        ("view_personal_data", NUMBERS, LINKS + HIDDEN_RAW),
        ("view_recordings", ["fax-1.pdf"], NUMBERS + HIDDEN_RAW),
        # A raw request contains numbers and links that cannot be separated from it.
        ("view_raw", [], NUMBERS + LINKS + HIDDEN_RAW),
    ],
)
def test_each_permission_shows_its_own_fields_only(permission: str, shown: list[str], hidden: list[str]) -> None:
    seen = everything(staff(permission))

    assert [each for each in shown if each not in seen] == []
    assert [each for each in hidden if each in seen] == []


@pytest.mark.usefixtures("filled")
def test_list_is_masked_with_other_pagination_of_a_project() -> None:
    class OfTheProject(SmsViewSet):
        # Without a page size, it returns all rows.
        pagination_class = PageNumberPagination

    request = APIRequestFactory().get("/")
    force_authenticate(request, User.objects.get(pk=staff().session["_auth_user_id"]))
    answer = OfTheProject.as_view({"get": "list"})(request).render()

    assert answer.status_code == 200
    assert [each for each in NUMBERS if each in answer.content.decode()] == []


def test_lists_of_the_api_and_the_admin_defer_the_same_columns() -> None:
    assert set(RAW_FIELDS) == set(admin.site.get_model_admin(Notification).deferred_fields)


# Queries.


@pytest.mark.usefixtures("filled")
def test_list_takes_as_many_queries_for_many_rows_as_for_few(post: Post) -> None:
    client = staff(*EVERYTHING)
    few = [_queries(client, f"{name}/") for name in LISTS]
    for number in range(30):
        for path, body in POSTED:
            post(path, body.replace("AA-", f"{number}-AA-"))

    assert [_queries(client, f"{name}/") for name in LISTS] == few
    # The session, the user and two for the permissions; then the page. The totals of a day that is not closed are counted.
    assert few == [5, 5, 5, 5, 16]


@pytest.mark.usefixtures("filled")
def test_row_takes_one_query() -> None:
    client = staff(*EVERYTHING)

    assert {_queries(client, path) for path in every_path() if path.count("/") == 2} == {5}


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("name", ROWS)
def test_list_does_not_load_columns_that_it_does_not_show(name: str) -> None:
    client, table = staff(*EVERYTHING), ROWS[name]._meta.db_table
    with CaptureQueriesContext(connection) as queries:
        read(client, f"{name}/")
    asked = " ".join(re.sub(r'["`]', "", each["sql"]) for each in queries)

    assert f"{table}.account" in asked
    assert [column for column in RAW_FIELDS if f"{table}.{column}" in asked] == []


def _queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        read(client, path)
    return len(queries)
