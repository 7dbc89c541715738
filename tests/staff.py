"""Users of different rights, logged in."""

from __future__ import annotations

from django.contrib.auth.models import Permission, User
from django.test import Client

ALL = ("see_numbers", "see_recordings", "see_raw")


def staff(*permissions: str, views: bool = True) -> Client:
    """Somebody of the staff who may view everything, and who has the permissions that are named."""
    user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
    allowed = Permission.objects.filter(content_type__app_label="django_hoiio")
    names = [name for name in allowed.values_list("codename", flat=True) if name.startswith("view_") and views]
    user.user_permissions.set(allowed.filter(codename__in=[*names, *permissions]))
    return logged_in(user)


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
