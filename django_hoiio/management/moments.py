"""Moments on the command line."""

from __future__ import annotations

from datetime import datetime

from django.core.management.base import CommandError
from django.utils import timezone


def since(text: str) -> datetime:
    """Read the value of `--since`, in the project's time zone where it names none. Raises `CommandError`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--since is {text!r}; write it as 2026-01-31 or 2026-01-31T12:00.") from error
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
