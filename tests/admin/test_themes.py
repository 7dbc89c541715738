"""What other themes of the admin rely on. `tests/themes` shows the pages under the themes themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client

import django_hoiio
from django_hoiio.models import Notification, Sms
from tests.factories import failures, notifications, transactions
from tests.users import list_of, staff, url

STYLES = Path(django_hoiio.__file__).parent / "static/django_hoiio"
TEXT = "".join(path.read_text("utf-8") for path in STYLES.glob("*.css"))


def test_each_property_that_the_styles_use_is_theirs_or_has_a_default() -> None:
    """Only Django's own style sheets define the others."""
    defaults = re.search(r":where\(:root\) \{(.*?)\}", TEXT, re.DOTALL)
    assert defaults is not None
    defined = set(re.findall(r"(--[\w-]+):", defaults[1])) | set(re.findall(r"(--hoiio-[\w-]+):", TEXT))
    # A fallback of its own also does.
    assert set(re.findall(r"var\((--[\w-]+)\)", TEXT)) - defined == set()


def test_defaults_do_not_override_a_theme() -> None:
    rules = re.findall(r"([^\n{}]+) \{([^{}]*)\}", TEXT)
    assert {selector for selector, body in rules if re.search(r"^ *--(?!hoiio)", body, re.MULTILINE)} == {
        ":where(:root)",
        ":where(.dark)",
    }


@pytest.fixture
def sms(db: None) -> Sms:
    (row,) = transactions(Sms, 1, bulk_txn_ref="AA-B-1")
    return Sms.objects.get(pk=row.pk)


@pytest.mark.parametrize("page", ["conversation", "bulk"])
def test_pages_of_its_own_have_the_context_of_a_change_form(sms: Sms, page: str) -> None:
    client = staff("view_personal_data")
    own = url(sms, "conversation") if page == "conversation" else f"{url(Sms, 'bulk')}?bulk_txn_ref=AA-B-1"
    response = client.get(own)

    ours = {"row_actions", "links", "sections", "sentence", "timeline", "list_of_notifications"}
    # Django 6.1 has actions on the page.
    actions = {"action_form", "action_checkbox_name"}
    assert set(client.get(url(sms)).context_data) - ours - actions - set(response.context_data) == set()


@pytest.fixture
def themed(settings: Any, tmp_path: Path) -> None:
    """A theme that replaces the search form."""
    (tmp_path / "admin").mkdir()
    (tmp_path / "admin/search_form.html").write_text('<form id="theirs"><input name="{{ search_var }}"></form>')
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]


def test_search_form_of_a_theme_is_used_and_the_day_has_its_own(sms: Sms, themed: None) -> None:
    page = staff().get(f"{list_of(Sms)}?q=AA&sms_status__exact=queued&day=2026-03-01").content.decode()

    assert page.count('<input name="q">') == 1
    form = re.search(r'<form method="get" class="hoiio-until">.*?</form>', page, re.DOTALL)
    assert form is not None
    assert re.findall(r'name="(\w+)" value="([^"]*)"', form[0]) == [
        ("day", "2026-03-01"),
        ("q", "AA"),
        ("sms_status__exact", "queued"),
    ]


def test_list_without_a_day_has_no_form_for_it(themed: None, db: None) -> None:
    assert "hoiio-until" not in staff().get("/admin/django_hoiio/receiverfailure/").content.decode()


def test_search_form_has_the_day_without_a_theme(sms: Sms) -> None:
    page = staff().get(list_of(Sms)).content.decode()

    assert "hoiio-until" not in page
    assert page.count('name="day"') == 1


def test_buttons_of_a_row_work_outside_its_form(db: None) -> None:
    """A theme may show them elsewhere."""
    failures(notifications(1))
    page = staff("retry_receivers").get(url(Notification.objects.get())).content.decode()

    assert '<button type="submit" form="notification_form" name="action" value="retry_receivers"' in page
    assert re.findall(r'<form [^>]*id="(\w+)"', page)[-1] == "notification_form"


MENU: list[dict[str, Any]] = [
    {"name": "Links", "models": [{"name": "Docs", "admin_url": "https://example.com/"}]},
    {"name": "Reports", "app_label": "reports"},
    {"name": "More", "models": [{"model": Sms, "admin_url": "/sms/"}, {"perms": {"view": True}}, {"model": Sms}]},
]


def test_dashboard_ignores_menu_entries_of_a_theme(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    client: Client = staff()
    expected = client.get("/admin/django_hoiio/").content.decode().count("hoiio-figure")
    get_app_list = admin.site.get_app_list
    monkeypatch.setattr(admin.site, "get_app_list", lambda *args, **kwargs: [*get_app_list(*args, **kwargs), *MENU])
    response = client.get("/admin/django_hoiio/")

    assert (response.status_code, response.content.decode().count("hoiio-figure")) == (200, expected)
