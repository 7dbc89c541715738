"""People who look at the admin, each with the rights that a test names, and what they see."""

from __future__ import annotations

import html
import re

from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

EVERYTHING = ("see_numbers", "see_recordings", "see_raw")


def staff(*permissions: str, views: tuple[str, ...] | None = None) -> Client:
    """Somebody who may view all models, or those that are named, and see what is named."""
    user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
    allowed = Permission.objects.filter(content_type__app_label="django_hoiio")
    names = [name for name in allowed.values_list("codename", flat=True) if name.startswith("view_")]
    seen = names if views is None else [f"view_{view}" for view in views]
    user.user_permissions.set(allowed.filter(codename__in=[*seen, *permissions]))
    client = Client()
    client.force_login(user)
    return client


def url(row: Model | type[Model], page: str = "change") -> str:
    args = [row.pk] if isinstance(row, Model) else []
    return reverse(f"admin:django_hoiio_{row._meta.model_name}_{page}", args=args)


def look(client: Client, path: str, **query: object) -> str:
    response = client.get(path, query)
    assert response.status_code == 200
    return response.content.decode()


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


def queries(client: Client, path: str, **query: object) -> int:
    with CaptureQueriesContext(connection) as captured:
        look(client, path, **query)
    return len(captured)
