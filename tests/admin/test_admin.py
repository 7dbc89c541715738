"""The admin as users with different permissions see it, with rows that were posted as Hoiio does."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.core.checks import run_checks
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.functional import Promise

from django_hoiio.admin.formatting import amount_text
from django_hoiio.admin.read_only import ReadOnlyAdmin
from django_hoiio.admin.sections import open_button
from django_hoiio.enums import Route
from django_hoiio.models import Call, DailyTotal, Fax, Notification, ReceiverFailure, Sms, Transaction
from django_hoiio.parsing.fields import text_of
from django_hoiio.signals import sms_received
from django_hoiio.verification import sign
from tests.conftest import Post
from tests.users import EVERYTHING

# All models that the app registers, so that a new model is tested too.
MODELS: list[type[Model]] = [model for model in admin.site._registry if model._meta.app_label == "django_hoiio"]
TRANSACTIONS: list[type[Transaction]] = [Call, Sms, Fax]

pytestmark = pytest.mark.django_db

POSTED = [
    ("sms/?x_username=passed-on", "to=%2B6500000000&from=%2B6591231111&txn_ref=AA-SI-85&msg=%3Cscript%3Ealert(1)%3C%2Fscript%3E&debit=0.013000&currency=SGD&date=2012-10-30+12%3A20%3A50"),
    ("sms/", "sms_status=queued&txn_ref=AA-S-471804&dest=%2B6591231111&tag=order+77&rate=0.0325&debit=0.032&currency=SGD"),
    ("sms/", "sms_status=bounced&txn_ref=AA-S-471804&dest=%2B6591231111&rate=dear&split_count=1"),
    ("sms/", "status=success_ok&txn_ref=AA-S-471806&dest=%2B6581231111&bulk_txn_ref=AA-B-147"),
    ("sms/", "msg=no+reference&from=ALERT"),
    ("voice/", "duration=2&rate=0.036&dest1=%2B6581231111&dest2=%2B6591231111&call_status_dest1=answered&call_status_dest2=busy&tag=order+78&debit=0.072&txn_ref=AA-C-2517398&currency=SGD"),
    ("ivr/", "ivr_block=answer&call_state=ringing&session=S3839&txn_ref=AA-C-2507650&from=%2B6591231111&to=%2B6500000000"),
    ("ivr/", "call_state=ended&session=S3839&record_url=http%3A%2F%2Fwww.example.com%2Frec-113.mp3&digits=73*519"),
    ("fax/", "txn_ref=AA-C-3060997&fax_status=answered&from=%2B6591231111&to=%2B6500000000&fax_url=https%3A%2F%2Fexample.com%2Ffax-1.pdf%3Fa%3D1%26b%3D2&fax_pages=3"),
    ("fax/", "txn_ref=AA-C-3060998&fax_status=ongoing&dest=%2B6581231111"),
    ("any/", ""),
]  # fmt: skip

# Values that need a permission, as they would appear in the HTML.
NUMBERS = ["91231111", "81231111", "0000000000", "ALERT", "script&gt;", "no reference"]
LINKS = ["rec-113", "fax-1.pdf"]
RAW = ["passed-on", "73*519", "dest=", "no+reference", "application/x-www-form-urlencoded", "no customer has"]


@pytest.fixture
def filled(post: Post) -> Iterator[None]:
    """Fill every table, including the failure log."""

    def fail(sms: Sms, **arguments: object) -> None:
        raise ValueError(f"no customer has {sms.remote_number}")

    sms_received.connect(fail, dispatch_uid="shop.bill")
    for path, body in POSTED:
        post(path, body)
    DailyTotal.objects.create(day="2026-03-01", account="default", traffic="sms_sent", count=2, succeeded=1, debit=3)
    yield
    sms_received.disconnect(dispatch_uid="shop.bill")


As = Callable[..., Client]


@pytest.fixture
def as_staff() -> As:
    """Log in a user who may view all models and has the given permissions."""

    def log_in(*permissions: str, views: bool = True) -> Client:
        user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
        allowed = Permission.objects.filter(content_type__app_label="django_hoiio")
        names = [
            name
            for name in allowed.values_list("codename", flat=True)
            if name.startswith("view_") and name not in EVERYTHING and views
        ]
        user.user_permissions.set(allowed.filter(codename__in=[*names, *permissions]))
        client = Client()
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def superuser(db: None) -> User:
    # Without a password, because hashing one takes longer than most tests.
    return User.objects.create_superuser("root")


@pytest.fixture
def admin_client(superuser: User) -> Client:
    client = Client()
    client.force_login(superuser)
    return client


@pytest.fixture
def viewer(as_staff: As) -> Client:
    return as_staff()


def url(model: type[Model], page: str = "changelist", *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def page_of(row: Model | None) -> str:
    assert row is not None
    return url(type(row), "change", row.pk)


def every_page() -> list[str]:
    """Return all lists, and the page of each row."""
    return [
        *(url(model) for model in MODELS),
        *(url(model, page, row.pk) for page in ("change", "history") for model in MODELS for row in _rows(model)),
    ]


def _rows(model: type[Model]) -> list[Model]:
    return list(model._default_manager.all())


def look(client: Client, path: str, **query: str) -> str:
    response = client.get(path, query)
    assert response.status_code == 200
    return response.content.decode()


def found(client: Client, model: type[Model], term: str) -> list[str]:
    """Return the matches of a search, by the name of each row."""
    response: Any = client.get(url(model), {"q": term})
    assert response.status_code == 200
    return sorted(str(row) for row in response.context["cl"].result_list)


# Access.


def test_every_model_of_the_app_is_registered_read_only() -> None:
    assert set(MODELS) == {Notification, Call, Sms, Fax, ReceiverFailure, DailyTotal}
    assert all(isinstance(admin.site._registry[model], ReadOnlyAdmin) for model in MODELS)


def test_django_admin_checks_pass() -> None:
    assert [message for message in run_checks() if message.id and message.id.startswith("admin.")] == []


@pytest.mark.usefixtures("filled")
def test_superuser_opens_every_list_and_page(admin_client: Client) -> None:
    assert all(model._default_manager.exists() for model in MODELS)
    assert {admin_client.get(path).status_code for path in every_page()} == {200}


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("permissions", [(), ("view_personal_data", "view_recordings", "view_raw")])
def test_staff_without_view_permission_is_refused(as_staff: As, permissions: tuple[str, ...]) -> None:
    client = as_staff(*permissions, views=())
    assert {client.get(path).status_code for path in every_page()} == {403}


@pytest.mark.usefixtures("filled")
def test_anonymous_user_is_redirected_to_the_login(client: Client) -> None:
    assert {client.get(path).status_code for path in every_page()} == {302}


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("model", MODELS)
def test_rows_cannot_be_added_changed_or_deleted(admin_client: Client, model: type[Model]) -> None:
    row = model._default_manager.all()[0]
    paths = [url(model, "add"), page_of(row), url(model, "delete", row.pk)]
    assert [admin_client.post(path, {"txn_ref": "other"}).status_code for path in paths] == [403, 403, 403]
    admin_client.post(url(model), {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"})
    assert model._default_manager.filter(pk=row.pk).exists()
    assert "delete_selected" not in look(admin_client, url(model))


# Masking.


@pytest.mark.usefixtures("filled")
def test_viewer_without_more_permissions_sees_no_number_text_link_or_raw_request(viewer: Client) -> None:
    seen = {path: look(viewer, path) for path in every_page()}
    assert [(path, each) for path, page in seen.items() for each in NUMBERS + LINKS + RAW if each in page] == []
    assert "+65••••1111" in seen[url(Sms)]
    assert "+65••••1111" in seen[page_of(Call.objects.get(txn_ref="AA-C-2517398"))]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("permission", "shown", "hidden"),
    [
        ("view_personal_data", NUMBERS, LINKS + RAW),
        ("view_recordings", LINKS, NUMBERS + RAW),
        # A raw request contains numbers and links that cannot be masked separately.
        ("view_raw", [], NUMBERS + LINKS + RAW),
    ],
)
def test_each_permission_shows_only_its_fields(
    as_staff: As, permission: str, shown: list[str], hidden: list[str]
) -> None:
    client = as_staff(permission)
    everything = "".join(look(client, path) for path in every_page())
    assert [each for each in shown if each not in everything and each != "0000000000"] == []
    assert [each for each in hidden if each in everything] == []


@pytest.mark.usefixtures("filled")
def test_all_permissions_show_raw_requests_and_tracebacks(as_staff: As) -> None:
    client = as_staff("view_personal_data", "view_recordings", "view_raw")
    everything = "".join(look(client, path) for path in every_page())
    assert [each for each in RAW if each not in everything] == []


PERSONAL = 'title="Needs the permission “Can view phone numbers and message texts”."'
RECORDINGS = 'title="Needs the permission “Can view recordings and faxes”."'
EVERY = (
    'title="Needs the permissions “Can view raw requests”, “Can view phone numbers and message texts” and “Can view'
    ' recordings and faxes”."'
)


@pytest.mark.usefixtures("filled")
def test_masked_value_names_the_permissions_that_show_it(viewer: Client, admin_client: Client) -> None:
    sms, fax = Sms.objects.order_by("pk")[0], Fax.objects.order_by("pk")[0]
    recorded = Notification.objects.get(kind="ivr_record")
    pages = [
        (url(Sms), {PERSONAL}),
        (page_of(sms), {PERSONAL}),
        (url(Sms, "conversation", sms.pk), {PERSONAL}),
        (page_of(fax), {PERSONAL, RECORDINGS}),
        (page_of(recorded), {RECORDINGS}),
        (page_of(recorded.transaction), {PERSONAL, RECORDINGS, EVERY}),
        (page_of(ReceiverFailure.objects.all()[0]), {EVERY}),
    ]
    for path, titles in pages:
        masked = re.findall(
            r'<span class="hoiio-masked" (title="[^"]*")>[^<]*(?:<a [^>]*>)?[+\d]*••••\d*<', look(viewer, path)
        )
        assert (path, set(masked)) == (path, titles)
        assert "hoiio-masked" not in look(admin_client, path)
    page = look(viewer, page_of(sms))
    assert f'<div class="hoiio-foreign" dir="auto"><span class="hoiio-masked" {PERSONAL}>••••</span></div>' in page


RIGHT_TO_LEFT = "טלפון 77 (abc)"


def test_texts_from_outside_have_their_own_direction(post: Post, admin_client: Client) -> None:
    body = urlencode({"msg": RIGHT_TO_LEFT, "from": "+6591231111", "txn_ref": "AA-SI-1", "tag": RIGHT_TO_LEFT})
    sms = post(f"sms/?{urlencode({'x_name': RIGHT_TO_LEFT})}", body).transaction
    page = look(admin_client, page_of(sms))
    for name in ("msg", "tag"):
        field = page.partition(f'class="form-row field-{name}_text"')[2].partition('class="form-row')[0]
        assert f'<div class="hoiio-foreign" dir="auto">{RIGHT_TO_LEFT}' in field
        assert f'<code>{name}</code> <ins dir="auto">{RIGHT_TO_LEFT}</ins>' in " ".join(page.split())
    assert f'<dt><bdi>x_name</bdi></dt><dd dir="auto">{RIGHT_TO_LEFT}</dd>' in page
    assert f'<p class="hoiio-text" dir="auto">{RIGHT_TO_LEFT}</p>' in look(
        admin_client, url(Sms, "conversation", sms.pk)
    )


def test_number_title_survives_in_the_list_and_export_is_plain(post: Post, as_staff: As) -> None:
    post("sms/", "msg=hello&from=%2B6591231111&txn_ref=AA-SI-1")
    client = as_staff("export")
    sms = Sms.objects.get()
    link = f'<a href="{url(Sms, "conversation", sms.pk)}">+65••••1111</a>'
    assert f'<span class="hoiio-masked" {PERSONAL}>{link}</span>' in look(client, url(Sms))
    answer = client.post(url(Sms), {"action": "export_as_csv", "_selected_action": sms.pk})
    assert b"hoiio-masked" not in b"".join(answer.streaming_content)  # type: ignore[attr-defined]


@pytest.mark.usefixtures("filled")
def test_text_from_outside_is_escaped(admin_client: Client) -> None:
    pages = [
        look(admin_client, page_of(row))
        for row in (Sms.objects.get(txn_ref="AA-SI-85"), Notification.objects.get(txn_ref="AA-SI-85"))
    ]
    assert ["<script>alert(1)" in page for page in pages] == [False, False]
    assert ["&lt;script&gt;alert(1)&lt;/script&gt;" in page for page in pages] == [True, True]


@pytest.mark.usefixtures("filled")
def test_links_are_shown_as_buttons_and_never_in_a_list(admin_client: Client) -> None:
    button = '<a class="button" href="{}" target="_blank" rel="noreferrer noopener">Open</a>'
    fax, recorded = Fax.objects.get(txn_ref="AA-C-3060997"), Notification.objects.get(kind="ivr_record")
    fax_button = button.format("https://example.com/fax-1.pdf?a=1&amp;b=2")
    assert fax_button in look(admin_client, page_of(fax))
    assert fax_button in look(admin_client, page_of(fax.notifications.get()))
    assert button.format("http://www.example.com/rec-113.mp3") in look(admin_client, page_of(recorded))
    lists = "".join(look(admin_client, url(model)) for model in MODELS)
    assert [each for each in LINKS if each in lists] == []


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "//example.com", "ftp://example.com"])
def test_link_that_is_not_http_is_not_a_button(link: str) -> None:
    assert open_button(link) == "not a web address"


def test_link_cannot_break_out_of_its_button() -> None:
    assert 'href="https://x/&quot; onclick=&quot;"' in open_button('https://x/" onclick="')


@pytest.mark.usefixtures("filled")
def test_list_of_sms_shows_number_status_cost_and_tag(admin_client: Client) -> None:
    page, sms = look(admin_client, url(Sms)), Sms.objects.get(txn_ref="AA-SI-85")
    for cell in [
        f'<td class="field-remote_number_link"><a href="{url(Sms, "conversation", sms.pk)}">+6591231111</a></td>',
        # An undocumented status is shown as received.
        '<td class="field-status_words"><span class="hoiio-label hoiio-plain">bounced</span></td>',
        '<td class="field-cost">0.032 SGD</td>',
        '<td class="field-cost">0.013 SGD</td>',
        '<td class="field-tag">order 77</td>',
    ]:
        assert cell in page


@pytest.mark.usefixtures("filled")
def test_list_of_calls_shows_one_outcome_for_both_legs(viewer: Client) -> None:
    words = '<span class="hoiio-label hoiio-warning">busy</span>'
    assert f'<td class="field-status_words">{words}</td>' in look(viewer, url(Call))


@pytest.mark.usefixtures("filled")
def test_list_of_notifications_shows_problems_and_whether_dispatched(viewer: Client) -> None:
    Notification.objects.filter(txn_ref="AA-SI-85").update(dispatched_at=None)
    page = look(viewer, url(Notification))
    assert page.count('<td class="field-is_dispatched"><img src="/static/admin/img/icon-no.svg" alt="False"></td>') == 1
    assert '<td class="field-problem_names">⚠ rate, sms_status</td>' in page or "⚠ sms_status, rate" in page


@pytest.mark.usefixtures("filled")
def test_page_of_a_call_names_each_status_and_leaves_out_empty_fields(viewer: Client) -> None:
    page = look(viewer, page_of(Call.objects.get(txn_ref="AA-C-2517398")))
    assert "<div>status of the first leg: answered</div>\n<div>status of the second leg: busy</div>" in page
    assert "0.036 SGD" in page
    assert "field-dest1" in page
    assert "field-session" not in page


@pytest.mark.usefixtures("filled")
def test_page_of_a_transaction_links_its_notifications_in_order(viewer: Client) -> None:
    sms = Sms.objects.get(txn_ref="AA-S-471804")
    page = look(viewer, page_of(sms))
    places = [page.index(f'href="{page_of(notification)}"') for notification in sms.notifications.order_by("pk")]
    assert len(places) == 2
    assert places == sorted(places)
    assert "rate: is not an amount" in page


@pytest.mark.usefixtures("filled")
def test_page_of_a_transaction_names_the_receivers_that_failed(viewer: Client) -> None:
    assert "sms_received → shop.bill" in look(viewer, page_of(Sms.objects.get(txn_ref="AA-SI-85")))


@pytest.mark.usefixtures("filled")
def test_page_of_a_notification_links_its_transaction_and_its_failures(viewer: Client) -> None:
    notification = Notification.objects.get(txn_ref="AA-SI-85")
    page = look(viewer, page_of(notification))
    assert f'<a href="{page_of(notification.transaction)}">SMS AA-SI-85</a>' in page
    assert f'href="{page_of(notification.failures.get())}"' in page


@pytest.mark.usefixtures("filled")
def test_page_that_the_user_may_not_open_is_not_linked(as_staff: As) -> None:
    client = as_staff("view_notification", views=())
    notification = Notification.objects.get(txn_ref="AA-SI-85")
    page = look(client, page_of(notification))
    assert page_of(notification.transaction) not in page
    assert "SMS AA-SI-85" in page


@pytest.mark.usefixtures("filled")
def test_page_of_a_notification_shows_the_received_request(admin_client: Client) -> None:
    page = html.unescape(look(admin_client, page_of(Notification.objects.get(txn_ref="AA-SI-85"))))
    shown_fields = re.findall(
        r'field-(route|source|verified_by|remote_addr)">.*?<div class="readonly">(.*?)</div>', page, re.DOTALL
    )
    assert shown_fields == [
        ("route", "SMS"),
        ("source", "webhook"),
        ("verified_by", "not verified"),
        ("remote_addr", "127.0.0.1"),
    ]
    for piece in [
        "<td>x_username</td><td>passed-on</td><td></td><td>passed-on</td><td>your parameter</td>",
        "<td>from</td><td></td><td>+6591231111</td><td>+6591231111</td><td>→ from_number</td>",
        "<td>Content-Type</td><td>application/x-www-form-urlencoded</td>",
        '<pre tabindex="0">x_username=passed-on</pre>',
        f'<pre tabindex="0">{POSTED[0][1]}</pre>',
    ]:
        assert piece in page


def test_page_of_a_notification_shows_its_block_only_if_it_has_one(post: Post, viewer: Client, settings: Any) -> None:
    token = sign(Route.IVR, "default", {}, {"kind": "ivr_play"})
    with_block, without = (post(path, "session=S1&call_state=ongoing") for path in (f"ivr/{token}/", "ivr/"))

    assert re.findall(r"{.*}", html.unescape(look(viewer, page_of(with_block)))) == ['{"kind": "ivr_play"}']
    assert "field-block" in look(viewer, page_of(with_block))
    assert "field-block" not in look(viewer, page_of(without))


def test_body_that_is_not_utf_8_is_shown(post: Post, admin_client: Client) -> None:
    assert "msg=café\xff" in look(admin_client, page_of(post("sms/", b"msg=caf\xe9\xff&from=%2B6591231111")))


@pytest.mark.usefixtures("filled")
def test_page_of_a_failure_shows_the_traceback_escaped(admin_client: Client) -> None:
    page = look(admin_client, page_of(ReceiverFailure.objects.all()[0]))
    assert "ValueError: no customer has" in page
    assert "File &quot;" in page


# Search.


# Model, term and matches.
SEARCHES: list[tuple[type[Model], str, list[str]]] = [
    (Notification, "AA-C-2507650", ["AA-C-2507650", "S3839"]),
    (Notification, "AA-S-47180", ["AA-S-471804", "AA-S-471804", "AA-S-471806"]),
    (Notification, " S3839 ", ["AA-C-2507650", "S3839"]),
    (Sms, "AA-S-471804", ["AA-S-471804"]),
    (Sms, "AA-S-4718", ["AA-S-471804", "AA-S-471806"]),
    (Sms, "AA-B-147", ["AA-S-471806"]),
    (Sms, "order 77", ["AA-S-471804"]),
    (Call, "order 78", ["AA-C-2517398"]),
    (Fax, "AA-C-306099", ["AA-C-3060997", "AA-C-3060998"]),
    (Fax, "+6591231111", ["AA-C-3060997"]),
    (ReceiverFailure, "AA-SI-85", ["sms_received → shop.bill"]),
    (Call, "S3839", ["AA-C-2507650"]),
    # Only the call, SMS or fax has a column for these.
    (Notification, "order 78", ["AA-C-2517398"]),
    (Notification, "+6581231111", ["AA-C-3060998", "AA-S-471806"]),
    (Sms, "order", ["AA-S-471804"]),
    # Beginnings only.
    (Sms, "rder", []),
    (Sms, "471804", []),
    (Sms, "%", []),
    (Sms, "script", []),
    (Notification, "script", []),
]


@pytest.mark.usefixtures("filled")
def test_search_finds_rows_by_reference_session_tag_and_number(as_staff: As) -> None:
    client = as_staff("view_personal_data")
    assert [(model, term, found(client, model, term)) for model, term, _names in SEARCHES] == SEARCHES


WHOLE = ["+6591231111", "6591231111", "+65 9123 1111", "+65-9123-1111", "0065 9123 1111"]
LAST_DIGITS = ["91231111", "9123 1111", "591231111", "091231111"]


@pytest.mark.usefixtures("filled")
def test_number_and_its_last_digits_are_found_only_by_users_who_may_see_numbers(as_staff: As, viewer: Client) -> None:
    client, terms = as_staff("view_personal_data"), WHOLE + LAST_DIGITS
    both = ["AA-S-471804", "AA-SI-85"]
    assert {term: found(client, Sms, term) for term in terms} == dict.fromkeys(terms, both)
    assert {term: found(viewer, Sms, term) for term in terms} == {term: [] for term in terms}


@pytest.mark.usefixtures("filled")
def test_part_of_a_number_or_another_country_code_finds_nothing(admin_client: Client) -> None:
    terms = ["1231111", "+65", "+659123", "659123111", "+6091231111"]
    assert {term: found(admin_client, Sms, term) for term in terms} == {term: [] for term in terms}


@pytest.mark.usefixtures("filled")
def test_reference_with_eight_digits_is_not_searched_as_a_number(admin_client: Client, post: Post) -> None:
    post("sms/", "sms_status=queued&txn_ref=AA-S-91231111&dest=%2B6500000000")
    assert found(admin_client, Sms, "AA-S-91231111") == ["AA-S-91231111"]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(("term", "names"), [("AA-SI", ["AA-SI-85"]), ("91231111", []), ("", 11)])
def test_autocomplete_of_notifications_offers_the_matches_of_the_search(viewer: Client, term: str, names: Any) -> None:
    data = {"app_label": "django_hoiio", "model_name": "receiverfailure", "field_name": "notification", "term": term}
    offered = [each["text"] for each in viewer.get(reverse("admin:autocomplete"), data).json()["results"]]
    assert names in (offered, len(offered))


@pytest.mark.usefixtures("filled")
def test_digest_of_a_text_is_masked_like_the_text(as_staff: As, post: Post) -> None:
    for text in ("your+code+is+1234", "and+the+rest"):
        post("sms/", f"msg={text}&from=%2B6591231111&txn_ref=AA-SI-86")
    parts = Sms.objects.filter(txn_ref="AA-SI-86")
    assert all(sms.part in look(as_staff("view_personal_data"), page_of(sms)) for sms in parts)
    assert not any(sms.part in look(as_staff(), page_of(sms)) for sms in parts)


NASTY = [
    "\0",
    "a\0b",
    "'",
    '"',
    "\\",
    "%_",
    "' OR 1=1 --",
    "☃" * 3000,
    "x" * 70000,
    "\U0010ffff",
    "+",
    " ",
    "٣" * 9,
    "0",
]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("model", MODELS)
def test_search_accepts_any_term(admin_client: Client, model: type[Model]) -> None:
    assert {admin_client.get(url(model), {"q": term}).status_code for term in NASTY} == {200}


# Queries.


def test_page_of_many_notifications_costs_no_more_queries_than_of_one(post: Post, viewer: Client) -> None:
    path = page_of(post("sms/", "sms_status=queued&txn_ref=AA-S-1").transaction)
    with CaptureQueriesContext(connection) as one:
        look(viewer, path)
    for _ in range(10):
        post("sms/", "sms_status=queued&txn_ref=AA-S-1")
    with CaptureQueriesContext(connection) as many:
        look(viewer, path)
    assert len(many) == len(one)


def test_list_does_not_load_raw_requests(post: Post, viewer: Client) -> None:
    post("sms/", "msg=hello")
    with CaptureQueriesContext(connection) as queries:
        look(viewer, url(Notification))
    (rows,) = [query["sql"] for query in queries if "received_at" in query["sql"]]
    assert [name for name in ("body", "query", "headers", "params", "pass_on") if name in rows] == []


# Texts.


@pytest.mark.parametrize("model", MODELS)
def test_every_column_has_a_translatable_description(model: type[Model]) -> None:
    registered: Any = admin.site._registry[model]
    fields = {field.name for field in model._meta.get_fields()}
    own = [getattr(registered, name) for name in registered.list_display if name not in fields]
    assert [column for column in own if not isinstance(column.short_description, Promise)] == []


@pytest.mark.parametrize(
    ("value", "text"),
    [("0.032000", "0.032 SGD"), ("0.0325", "0.0325 SGD"), ("12", "12.000 SGD"), ("-0.000001", "-0.000001 SGD")],
)
def test_amount_has_at_least_three_decimals(value: str, text: str) -> None:
    assert amount_text(Decimal(value), "SGD") == text


def test_missing_amount_is_empty() -> None:
    assert amount_text(None, "SGD") == ""


def test_bytes_are_decoded_as_utf_8_or_else_as_latin_1() -> None:
    assert [text_of("café".encode()), text_of(b"caf\xe9"), text_of(memoryview(b"ok"))] == ["café", "café", "ok"]
