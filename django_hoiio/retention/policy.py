"""Retention periods: what `RETENTION_DAYS` decides for each kind of row."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple

from django_hoiio.conf import conf
from django_hoiio.enums import Kind
from django_hoiio.models import Call, Sms, Transaction


class RetentionAction(Enum):
    REDACT = "redact"
    DELETE = "delete"


class Limits(NamedTuple):
    """Rows from before these moments are redacted or deleted; `None` means never."""

    redact: datetime | None
    delete: datetime | None


class RetentionPolicy:
    """The limits of `RETENTION_DAYS` at one moment."""

    def __init__(self, now: datetime) -> None:
        self._limits = {
            kind: Limits(*(None if days is None else now - timedelta(days=days) for days in after))
            for kind, after in conf.RETENTION_DAYS.items()
        }

    @property
    def latest(self) -> datetime | None:
        """Moment before which any row is redacted or deleted; `None` if none is."""
        return max((moment for limits in self._limits.values() for moment in limits if moment), default=None)

    @property
    def latest_deletion(self) -> datetime | None:
        """Moment before which any row is deleted; `None` if none is."""
        return max((limits.delete for limits in self._limits.values() if limits.delete), default=None)

    def of(self, kind: str, moment: datetime, redacted_at: datetime | None) -> RetentionAction | None:
        """Return the action for a row of this kind and moment; `None` if it stays unchanged."""
        limits = self._limits.get(kind, Limits(None, None))
        if limits.delete is not None and moment < limits.delete:
            return RetentionAction.DELETE
        if redacted_at is None and limits.redact is not None and moment < limits.redact:
            return RetentionAction.REDACT
        return None

    def for_notification(self, notification: Any) -> RetentionAction | None:
        return self.of(notification.kind, notification.received_at, notification.redacted_at)

    def for_unreported(self, row: Transaction) -> RetentionAction | None:
        """Return the action for a transaction that never got a notification, by the kind it expects."""
        return self.of(expected_kind(row), row.created_at, row.redacted_at)

    def for_run(self, run: Any) -> RetentionAction | None:
        """Return the action for a phone menu that has no call."""
        return self.of(Kind.IVR_ENDED, run.started_at, run.redacted_at)


def expected_kind(row: Transaction) -> Kind:
    if isinstance(row, Call):
        return Kind.IVR_ENDED if row.session else Kind.CALL_ENDED
    if isinstance(row, Sms):
        return Kind.BULK_SMS_STATUS if row.bulk_txn_ref else Kind.SMS_STATUS
    return Kind.FAX_STATUS
