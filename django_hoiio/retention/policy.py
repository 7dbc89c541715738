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
    """Before when what came is blanked and deleted; `None` is never."""

    redact: datetime | None
    delete: datetime | None


class RetentionPolicy:
    """The setting at one moment."""

    def __init__(self, now: datetime) -> None:
        self._limits = {
            kind: Limits(*(None if days is None else now - timedelta(days=days) for days in after))
            for kind, after in conf.RETENTION_DAYS.items()
        }

    @property
    def latest(self) -> datetime | None:
        """Before when anything is blanked or deleted; `None` where nothing is."""
        return max((moment for limits in self._limits.values() for moment in limits if moment), default=None)

    @property
    def latest_deletion(self) -> datetime | None:
        """Before when anything is deleted; `None` where nothing is."""
        return max((limits.delete for limits in self._limits.values() if limits.delete), default=None)

    def of(self, kind: str, moment: datetime, redacted_at: datetime | None) -> RetentionAction | None:
        """What becomes of something of this kind that came at a moment; `None` where it stays as it is."""
        limits = self._limits.get(kind, Limits(None, None))
        if limits.delete is not None and moment < limits.delete:
            return RetentionAction.DELETE
        if redacted_at is None and limits.redact is not None and moment < limits.redact:
            return RetentionAction.REDACT
        return None

    def for_notification(self, notification: Any) -> RetentionAction | None:
        return self.of(notification.kind, notification.received_at, notification.redacted_at)

    def for_unreported(self, row: Transaction) -> RetentionAction | None:
        """What becomes of a call, SMS or fax of which no notification came, by the kind that was waited for."""
        return self.of(expected_kind(row), row.created_at, row.redacted_at)


def expected_kind(row: Transaction) -> Kind:
    if isinstance(row, Call):
        return Kind.IVR_ENDED if row.session else Kind.CALL_ENDED
    if isinstance(row, Sms):
        return Kind.BULK_SMS_STATUS if row.bulk_txn_ref else Kind.SMS_STATUS
    return Kind.FAX_STATUS
