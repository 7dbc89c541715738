"""Create many rows without posting. The value of a field may be a function of the row's number."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

from django_hoiio.models import Call, Fax, Notification, ReceiverFailure, Sms, Transaction
from django_hoiio.parsing.parameters import suffix_of

BEGAN = datetime(2026, 3, 1, tzinfo=timezone.utc)


def notifications(count: int, **fields: Any) -> list[Notification]:
    """Create `count` notifications, one per hour from `BEGAN`, with ascending keys."""
    return _made(
        Notification(
            **{
                "uuid": uuid4(),
                "received_at": BEGAN + timedelta(hours=number),
                "dispatched_at": BEGAN,
                "kind": "sms_status",
                "route": "sms",
                "txn_ref": f"AA-S-{number}",
                **_said(fields, number),
            }
        )
        for number in range(count)
    )


def transactions(model: type[Transaction], count: int, **fields: Any) -> list[Any]:
    """Create `count` rows, one per hour from `BEGAN`, each with its own number, reference and tag."""
    return _made(model(**{**_transaction(number), **_said(fields, number)}) for number in range(count))


def _transaction(number: int) -> dict[str, Any]:
    phone = f"+65{90_000_000 + number}"
    moment = BEGAN + timedelta(hours=number)
    return {
        "txn_ref": f"AA-T-{number}",
        "direction": "outgoing",
        "remote_number": phone,
        "remote_suffix": suffix_of(phone),
        "dest": phone,
        "tag": f"order {number}",
        "is_final": True,
        "created_at": moment,
        "updated_at": moment,
    }


def _said(fields: dict[str, Any], number: int) -> dict[str, Any]:
    return {name: said(number) if callable(said) else said for name, said in fields.items()}


def failures(told: list[Notification], **fields: Any) -> list[ReceiverFailure]:
    """Create one failure per notification."""
    made = {"signal": "sms_status", "receiver": "shop.bill", "attempts": 1, "failed_at": BEGAN, **fields}
    return _made(ReceiverFailure(notification=each, **made) for each in told)


def _made(rows: Any) -> list[Any]:
    rows = list(rows)
    manager = type(rows[0])._default_manager if rows else None
    if manager:
        # MariaDB and older SQLite do not return the keys after a bulk insert.
        before = manager.order_by("-pk").values_list("pk", flat=True).first() or 0
        manager.bulk_create(rows)
        rows = list(manager.filter(pk__gt=before).order_by("pk"))
    return rows


def one_of_each(count: int, **fields: Any) -> None:
    """Create `count` rows of every model."""
    failures(notifications(count, **fields))
    for model in (Call, Sms, Fax):
        transactions(model, count, **fields)
