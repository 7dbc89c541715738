"""Users of the admin and the API with the permissions that a test names, and helpers to read the pages."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.messages import get_messages
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

EVERYTHING = ("view_personal_data", "view_recordings", "view_raw")


def staff(*permissions: str, views: Iterable[str] | None = None, client: Any = None) -> Any:
    """Log in a new staff user with `permissions` and the view permission of all models, or only of `views`."""
    user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
    allowed = Permission.objects.filter(content_type__app_label="django_hoiio")
    names = [
        name
        for name in allowed.values_list("codename", flat=True)
        if name.startswith("view_") and name not in EVERYTHING
    ]
    seen = names if views is None else [f"view_{view}" for view in views]
    user.user_permissions.set(allowed.filter(codename__in=[*seen, *permissions]))
    return logged_in(user, client)


def logged_in(user: User, client: Any = None) -> Any:
    client = client or Client()
    client.force_login(user)
    return client


# URLs.


def url(row: Model | type[Model], page: str = "change") -> str:
    args = [row.pk] if isinstance(row, Model) else []
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=args)


def list_of(model: type[Model]) -> str:
    return url(model, "changelist")


def page_of(row: Model) -> str:
    return url(row)


# Requests and responses.


def act(client: Client, action: str, rows: Iterable[Model], query: str = "", **more: str) -> Any:
    """Select rows of one list and run an action, like the changelist form."""
    ticked = list(rows)
    asked = {"action": action, "index": "0", "select_across": "0", "_selected_action": [row.pk for row in ticked]}
    return client.post(list_of(type(ticked[0])) + query, {**asked, **more})


def messages_of(response: Any) -> list[str]:
    """Return the messages of an action."""
    assert response.status_code == 302
    return [str(message) for message in get_messages(response.wsgi_request)]


def look(client: Client, path: str, **query: object) -> str:
    response = client.get(path, query)
    assert response.status_code == 200
    return response.content.decode()


def queries(client: Client, path: str, **query: object) -> int:
    """Return the number of queries of a page, without the content types, which a process loads once."""
    ContentType.objects.get_for_models(*apps.get_app_config("django_hoiio").get_models())
    with CaptureQueriesContext(connection) as captured:
        look(client, path, **query)
    return len(captured)


def text(page: str) -> str:
    """Return the text of a page's content, without tags and with single spaces."""
    content = page.partition('<div id="content"')[2].partition("<footer")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", content)).split())


def events(page: str) -> list[str]:
    """Return the text of each timeline entry, without its time."""
    entries = re.findall(
        r'<li class="hoiio-(?:event|gap)[^"]*">(.*?)(?=<li class="hoiio-(?:event|gap)|</ol>)', page, re.S
    )
    untimed = [re.sub(r"<time.*?</time>", "", entry, flags=re.S) for entry in entries]
    return [" ".join(html.unescape(re.sub(r"<[^>]*>", " ", entry)).split()) for entry in untimed]
