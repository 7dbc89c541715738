"""People who work in the admin, by their permissions, and where they go there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client
from django.urls import reverse


def log_in(*permissions: str, views: bool = True, client: Any = None) -> Any:
    """A client of somebody who may view everything, and do or see what is named."""
    user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
    allowed = Permission.objects.filter(content_type__app_label="django_hoiio")
    names = [name for name in allowed.values_list("codename", flat=True) if name.startswith("view_") and views]
    user.user_permissions.set(allowed.filter(codename__in=[*names, *permissions]))
    client = client or Client(enforce_csrf_checks=False)
    client.force_login(user)
    return client


def list_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def page_of(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def act(client: Client, action: str, rows: Iterable[Model], query: str = "", **more: str) -> Any:
    """Tick rows of one list and run an action, as the form of the list does."""
    ticked = list(rows)
    asked = {"action": action, "index": "0", "select_across": "0", "_selected_action": [row.pk for row in ticked]}
    return client.post(list_of(type(ticked[0])) + query, {**asked, **more})


def said(response: Any) -> list[str]:
    """The messages that an action left."""
    assert response.status_code == 302
    return [str(message) for message in get_messages(response.wsgi_request)]
