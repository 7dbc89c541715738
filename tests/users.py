"""People who work with the admin and the API, each with the rights that a test names, and what they see there."""

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
    """Somebody who may view all models, or those that are named, and see and do what is named."""
    user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
    allowed = Permission.objects.filter(content_type__app_label="django_hoiio")
    names = [name for name in allowed.values_list("codename", flat=True) if name.startswith("view_")]
    seen = names if views is None else [f"view_{view}" for view in views]
    user.user_permissions.set(allowed.filter(codename__in=[*seen, *permissions]))
    return logged_in(user, client)


def logged_in(user: User, client: Any = None) -> Any:
    client = client or Client()
    client.force_login(user)
    return client


# Where they go.


def url(row: Model | type[Model], page: str = "change") -> str:
    args = [row.pk] if isinstance(row, Model) else []
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=args)


def list_of(model: type[Model]) -> str:
    return url(model, "changelist")


def page_of(row: Model) -> str:
    return url(row)


# What they do there, and what is answered.


def act(client: Client, action: str, rows: Iterable[Model], query: str = "", **more: str) -> Any:
    """Tick rows of one list and run an action, as the form of the list does."""
    ticked = list(rows)
    asked = {"action": action, "index": "0", "select_across": "0", "_selected_action": [row.pk for row in ticked]}
    return client.post(list_of(type(ticked[0])) + query, {**asked, **more})


def said(response: Any) -> list[str]:
    """The messages that an action left."""
    assert response.status_code == 302
    return [str(message) for message in get_messages(response.wsgi_request)]


def look(client: Client, path: str, **query: object) -> str:
    response = client.get(path, query)
    assert response.status_code == 200
    return response.content.decode()


def queries(client: Client, path: str, **query: object) -> int:
    """How many a page costs, but for the content types, which a process asks for once."""
    ContentType.objects.get_for_models(*apps.get_app_config("django_hoiio").get_models())
    with CaptureQueriesContext(connection) as captured:
        look(client, path, **query)
    return len(captured)


def text(page: str) -> str:
    """What a reader reads of a page's content: no tags, single spaces."""
    content = page.partition('<div id="content"')[2].partition("<footer")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", content)).split())


def events(page: str) -> list[str]:
    """What is read of each entry of a timeline, without when it was."""
    entries = re.findall(
        r'<li class="hoiio-(?:event|gap)[^"]*">(.*?)(?=<li class="hoiio-(?:event|gap)|</ol>)', page, re.S
    )
    untimed = [re.sub(r"<time.*?</time>", "", entry, flags=re.S) for entry in entries]
    return [" ".join(html.unescape(re.sub(r"<[^>]*>", " ", entry)).split()) for entry in untimed]
