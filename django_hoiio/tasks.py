"""Tells receivers from a worker of Django's Tasks. Loaded by name, and only where `DISPATCH` asks for it."""

from __future__ import annotations

try:
    from django.tasks import task
except ImportError:
    # Django 5.2 has the same as a package of its own.
    from django_tasks import task  # type: ignore[import-not-found, no-redef, unused-ignore]

from .dispatch import claim
from .dispatch import tell as tell_receivers
from .models import Notification


@task()
def tell(notification_pk: int, claimed_until: str) -> None:
    """Call the receivers of a notification, unless its claim, as it was handed over, is taken or gone."""
    notifications = Notification.objects.where_written()
    notification = notifications.filter(pk=notification_pk, claimed_until=claimed_until).first()
    if notification is not None and claim(notification):
        tell_receivers(notification, notification.transaction)
