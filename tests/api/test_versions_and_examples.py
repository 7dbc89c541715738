"""The read API in projects with versions of their own, and the examples of docs/guides/api.rst."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests
from django.contrib.auth.models import Permission, User
from django.test import override_settings
from django.urls import include, path
from rest_framework.versioning import (
    AcceptHeaderVersioning,
    BaseVersioning,
    HostNameVersioning,
    NamespaceVersioning,
    QueryParameterVersioning,
    URLPathVersioning,
)
from rest_framework.views import APIView

from django_hoiio.models import Sms
from tests import ROOT
from tests.conftest import Post
from tests.documents import code_of

PAGE = ROOT / "docs/guides/api.rst"


def versioned_urls(prefix: str) -> Any:
    patterns = ([path("hoiio/", include("django_hoiio.api.urls"))], "api")
    return type("urls", (), {"urlpatterns": [path(prefix, include(patterns))]})


@pytest.mark.parametrize(
    ("versioning", "url", "headers"),
    [
        (NamespaceVersioning, "/api/hoiio/", {}),
        (URLPathVersioning, "/v1/hoiio/", {}),
        (URLPathVersioning, "/v2/hoiio/", {}),
        (QueryParameterVersioning, "/api/hoiio/", {}),
        (AcceptHeaderVersioning, "/api/hoiio/", {"Accept": "application/json; version=v2"}),
        (HostNameVersioning, "/api/hoiio/", {"Host": "v2.example.com"}),
    ],
)
def test_versions_of_the_project_do_not_apply(
    settings: Any,
    admin_client: Any,
    post: Post,
    monkeypatch: pytest.MonkeyPatch,
    versioning: Any,
    url: str,
    headers: Any,
) -> None:
    row = post("sms/", "txn_ref=AA-S-1&sms_status=queued&dest=%2B6591231111").sms
    monkeypatch.setattr(APIView, "versioning_class", versioning)
    monkeypatch.setattr(BaseVersioning, "allowed_versions", ("v1",))
    settings.ROOT_URLCONF = versioned_urls("api/" if url.startswith("/api/") else "<version>/")

    root = admin_client.get(url, headers=headers)
    assert (root.status_code, root.json()["sms"]) == (200, f"http://{headers.get('Host', 'testserver')}{url}sms/")
    for page in ("sms/", f"sms/{row.pk}/", "totals/", "sms/?version=v2"):
        assert admin_client.get(url + page, headers=headers).status_code == 200


# The code of the page.


def written(word: str) -> str:
    """Return the code block of the page that contains the word."""
    (code,) = (code for code in code_of(PAGE) if word in code)
    return code


@pytest.fixture
def page(live_server: Any, settings: Any) -> dict[str, Any]:
    """Return the functions of the page, for an API that is served."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    User.objects.create_superuser("root", password="secret")
    names: dict[str, Any] = {}
    for word in ("def rows(", "def keep_up("):
        exec(written(word), names)  # noqa: S102
    names["API"] = f"{live_server.url}/api/hoiio/"
    return names


def test_loop_of_the_page_reads_all_rows(page: dict[str, Any], post: Post) -> None:
    for number in range(7):
        post("sms/", f"txn_ref=AA-S-{number}&sms_status=queued&dest=%2B6591231111")

    with requests.Session() as session:
        session.auth = ("root", "secret")
        found = list(page["rows"](session, "sms", sms_status="queued", page_size=3))

    assert [row["txn_ref"] for row in found] == [f"AA-S-{number}" for number in range(6, -1, -1)]


def test_poller_of_the_page_keeps_up(page: dict[str, Any], post: Post) -> None:
    copy: dict[int, Any] = {}
    since = datetime.now(timezone.utc) - timedelta(days=1)
    with requests.Session() as session:
        session.auth = ("root", "secret")
        for word in ("queued", "delivered"):
            post("sms/", f"txn_ref=AA-S-1&sms_status={word}&dest=%2B6591231111")
            since = page["keep_up"](session, copy, since)

    assert [(row["txn_ref"], row["sms_status"]) for row in copy.values()] == [("AA-S-1", "delivered")]
    assert set(copy) == set(Sms.objects.values_list("pk", flat=True))


def test_view_of_the_page_admits_other_users_and_masks_fields(client: Any, post: Post) -> None:
    names: dict[str, Any] = {"__name__": "tests.urls_of_the_page"}
    exec(written("class OurSms"), names)  # noqa: S102
    post("sms/", "txn_ref=AA-S-1&sms_status=queued&dest=%2B6591231111")
    user = User.objects.create_user("customer")
    user.user_permissions.set(Permission.objects.filter(codename="view_sms"))
    client.force_login(user)

    with override_settings(ROOT_URLCONF=type("urls", (), {"urlpatterns": names["router"].urls})):
        (row,) = json.loads(client.get("/sms/").content)["results"]
        assert json.loads(client.get(f"/sms/{row['id']}/").content) == row

    assert (row["txn_ref"], row["dest"]) == ("AA-S-1", "+65••••1111")
