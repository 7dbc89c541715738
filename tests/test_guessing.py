"""A user who may list rows but not view numbers tries all requests of the admin and the API to find out a number.

The same rows get two contents that look alike when masked. Each request must get the same response for both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from django_hoiio.api.filters import CallFilters, FaxFilters, NotificationFilters, SmsFilters
from django_hoiio.ingest import ingest
from django_hoiio.models import Call, Fax, Notification, ReceiverFailure, Sms
from django_hoiio.parsing.parameters import suffix_of
from django_hoiio.signals import notification_received
from tests.conftest import raw_notification
from tests.users import staff, url

pytestmark = pytest.mark.django_db

API = "/api/hoiio/"
LISTS = {"notifications": NotificationFilters, "calls": CallFilters, "sms": SmsFilters, "faxes": FaxFilters}
MODELS = (Notification, Call, Sms, Fax, ReceiverFailure)

# Both look the same when masked.
CONTENTS = {
    "+6591235432": "+6588885432",
    "91235432": "88885432",
    "secret": "hidden",
    "1111-key": "2222-key",
}
RECEIVED = (
    "txn_ref=AA-SI-1&msg=secret&from=%2B6591235432&to=%2B6500000000",
    "txn_ref=AA-S-1&sms_status=failed&dest=%2B6591235432&tag=t",
    "txn_ref=AA-C-1&call_status_dest1=answered&call_status_dest2=busy&dest1=%2B6500000000&dest2=%2B6591235432",
    "txn_ref=AA-C-2&session=S1&call_state=ringing&from=%2B6591235432&to=%2B6500000000",
    "txn_ref=AA-C-3&fax_status=answered&from=%2B6591235432&to=%2B6500000000&fax_url=https://x/secret.pdf?k=1111-key",
    "status=error_dest_not_supported&dest=%2B6591235432&bulk_txn_ref=AA-B-1",
    # With the second content, it has the same number as the others.
    "txn_ref=AA-S-2&sms_status=failed&dest=%2B6588885432",
)


@pytest.fixture
def _filled() -> Iterator[None]:
    def fail(notification: Notification, **kwargs: Any) -> None:
        raise ValueError(notification.params.get("msg", "secret"))

    notification_received.connect(fail, dispatch_uid="shop.fail")
    for body in RECEIVED:
        ingest(raw_notification("any", "", body))
    yield
    notification_received.disconnect(dispatch_uid="shop.fail")


def change_contents() -> None:
    """Replace the first content by the second, in every column of every row."""
    for model in MODELS:
        for row in model._default_manager.all():
            for field in model._meta.concrete_fields:
                setattr(row, field.attname, _changed(getattr(row, field.attname)))
            if hasattr(row, "remote_suffix"):
                row.remote_suffix = suffix_of(row.remote_number)
            row.save()


def _changed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _changed(held) for name, held in value.items()}
    if isinstance(value, bytes | memoryview):
        return _changed(bytes(value).decode()).encode()
    if not isinstance(value, str):
        return value
    for before, after in CONTENTS.items():
        value = value.replace(before, after).replace(before.replace("+", "%2B"), after.replace("+", "%2B"))
    return value


# Guesses of an attacker: the number in all its spellings, a part of it, and the text.
GUESSES = ("+6591235432", "6591235432", "91235432", "+659123", "secret")


def answers(client: Client, requests: list[tuple[str, dict[str, str]]]) -> list[tuple[int, str]]:
    found = []
    for path, query in requests:
        response = client.get(path, query)
        text = response.content.decode()
        # Values that differ between any two responses.
        for pattern in (r'name="csrfmiddlewaretoken" value="\w+"', r"nonce-[\w-]+"):
            text = re.sub(pattern, "", text)
        found.append((response.status_code, text))
    return found


def requests_to_the_api() -> Iterator[tuple[str, dict[str, str]]]:
    for name, filters in LISTS.items():
        yield f"{API}{name}/", {}
        for parameter in ("number", "txn_ref", "tag", "session", "search", "q"):
            for guess in GUESSES:
                yield f"{API}{name}/", {parameter: guess}
        for parameter in (*filters.base_filters, "ordering", "msg", "dest__startswith", "remote_suffix", "cursor"):
            yield f"{API}{name}/", {parameter: GUESSES[0]}


def requests_to_the_admin() -> Iterator[tuple[str, dict[str, str]]]:
    requested = {"app_label": "django_hoiio", "model_name": "receiverfailure", "field_name": "notification"}
    for guess in GUESSES:
        yield reverse("admin:autocomplete"), {**requested, "term": guess}
    for model in MODELS:
        path = _list(model)
        yield path, {}
        yield path, {"o": "-2"}
        for guess in GUESSES:
            yield path, {"q": guess}
        for field in model._meta.concrete_fields:
            yield path, {f"{field.name}__startswith": GUESSES[0]}


def requests_for_pages() -> Iterator[tuple[str, dict[str, str]]]:
    for model in MODELS:
        for row in model._default_manager.all():
            yield reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk]), {}
    for name, model in zip(LISTS, MODELS, strict=False):
        for row in model._default_manager.all():
            yield f"{API}{name}/{row.pk}/", {}
    for model in (Call, Sms, Fax):
        for row in model._default_manager.all():
            for name in ("remote_number", "from_number", "dest", "dest1", "dest2"):
                yield url(row, "conversation"), {"number": name}


def _list(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


@pytest.mark.usefixtures("_filled")
@pytest.mark.parametrize("requests", [requests_to_the_api, requests_to_the_admin, requests_for_pages])
def test_no_response_depends_on_masked_values(requests: Callable[[], Iterator[tuple[str, dict[str, str]]]]) -> None:
    client, requested = staff(), list(requests())
    before = answers(client, requested)

    change_contents()

    after = answers(client, requested)
    assert [request for request, one, other in zip(requested, before, after, strict=True) if one != other] == []
    assert not any(
        "91235432" in text or "88885432" in text
        for request, (_, text) in zip(requested, after, strict=True)
        if not request[1]
    )


@pytest.mark.usefixtures("_filled")
def test_same_requests_find_rows_with_the_permission() -> None:
    """Verify that the requests of the test above can find rows."""
    client = staff("view_personal_data")

    assert client.get(f"{API}sms/", {"number": "+6591235432"}).json()["results"] != []
    page = client.get(_list(Sms), {"q": "+6591235432"}).content.decode()
    change_contents()

    assert client.get(f"{API}sms/", {"number": "+6591235432"}).json()["results"] == []
    assert client.get(_list(Sms), {"q": "+6591235432"}).content.decode() != page


@pytest.mark.usefixtures("_filled")
def test_list_names_the_permission_that_a_search_for_numbers_needs() -> None:
    client = staff()

    for model in (Notification, Call, Sms, Fax):
        assert "Can view phone numbers and message texts" in client.get(_list(model)).content.decode()


def test_no_list_is_ordered_or_searched_by_a_masked_field() -> None:
    """A project's own admin may add such fields."""
    for model in MODELS:
        its_admin = admin.site.get_model_admin(model)
        assert {"msg", "part", "fax_url", "traceback", "from_number", "dest"}.isdisjoint(its_admin.search_fields)
