"""The raw row of a notification: its values, its INSERT, and the UPDATE that marks it as dispatched.

`raw_of` restores the `RawNotification` from the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import cache
from typing import Any

from django.db.backends.utils import CursorWrapper

from django_hoiio.enums import Route, Source, VerifiedBy
from django_hoiio.models import CLAIM, Notification
from django_hoiio.parsing import ParsedNotification, RawNotification
from django_hoiio.parsing.parameters import PARAMETERS
from django_hoiio.receivers import receivers_of

from .tables import Statement, table_of

# Problems found by the webhook view, which cannot be found again in the stored row.
OF_VERIFICATION = ("token", "signature")


def row_of(raw: RawNotification, parsed: ParsedNotification, problems: Mapping[str, str]) -> dict[str, Any]:
    """Return the row by field, in the order of the model. Without receivers it is already dispatched."""
    now = datetime.now(timezone.utc)
    has_receivers = any(receivers_of(parsed.signal_kinds, Notification))
    return {
        "uuid": raw.uuid,
        "received_at": raw.received_at,
        "kind": parsed.kind.value,
        "route": raw.route.value,
        "account": raw.account,
        "txn_ref": parsed.txn_ref,
        "session": parsed.session,
        "params": parsed.params,
        "pass_on": parsed.pass_on,
        "problems": problems,
        "unverified_params": parsed.unverified_params,
        "query": raw.query,
        "body": raw.body,
        "headers": raw.headers,
        "remote_addr": raw.remote_addr,
        "verified_by": raw.verified_by.value,
        "source": raw.source.value,
        "dispatched_at": None if has_receivers else now,
        "claimed_until": now + CLAIM if has_receivers else None,
        "receivers": [],
        "redacted_at": None,
    }


def raw_of(notification: Notification) -> RawNotification:
    """Return the raw notification, as far as it is stored."""
    return RawNotification(
        uuid=notification.uuid,
        received_at=notification.received_at,
        route=Route(notification.route),
        query=notification.query,
        body=bytes(notification.body),
        headers=notification.headers,
        remote_addr=notification.remote_addr,
        account=notification.account,
        verified_by=VerifiedBy(notification.verified_by),
        source=Source(notification.source),
        # The token of the URL is not stored, so its parameters are taken from the row.
        pass_on={name: value for name, value in notification.pass_on.items() if name not in PARAMETERS},
        problems={name: why for name, why in notification.problems.items() if name in OF_VERIFICATION},
    )


def insert_of(row: Mapping[str, Any], using: str) -> tuple[str, dict[str, Any]]:
    """Return the INSERT of a raw row and its parameters. `pk_of` returns the new primary key."""
    values = table_of(Notification, using).without_defaults(row)
    statement = _insert(tuple(values), using)
    return statement.sql, statement.params(values.values())


def update_dispatched(
    pk: int, moment: datetime, receivers: Sequence[tuple[str, str]], using: str
) -> tuple[str, dict[str, Any]]:
    """Return the UPDATE that marks a notification as dispatched to `receivers`, and its parameters."""
    statement = _update_dispatched(using)
    return statement.sql, statement.params((moment, receivers, pk))


@cache
def _insert(names: tuple[str, ...], using: str) -> Statement:
    table = table_of(Notification, using)
    # The other databases report the key to their driver anyway, which is cheaper.
    returning = f" RETURNING {table.columns['id']}" if table.vendor == "postgresql" else ""
    return table.statement(table.insert(names) + returning, names)


def pk_of(cursor: CursorWrapper) -> int:
    """Return the primary key of the row that the cursor has just inserted."""
    pk: int = cursor.fetchone()[0] if cursor.db.vendor == "postgresql" else cursor.lastrowid
    return pk


# If a server crash undoes this UPDATE, receivers run again, which they must handle anyway. So PostgreSQL need not wait
# for its disk.
_WITHOUT_WAITING = " AND set_config('synchronous_commit', 'off', true) = 'off'"


@cache
def _update_dispatched(using: str) -> Statement:
    table = table_of(Notification, using)
    columns, marks = table.columns, table.marks
    assignments = ", ".join(f"{columns[name]} = {marks[name]}" for name in ("dispatched_at", "receivers"))
    without_waiting = _WITHOUT_WAITING if table.vendor == "postgresql" else ""
    return table.statement(
        f"UPDATE {table.name} SET {assignments}, {columns['claimed_until']} = NULL"
        f" WHERE {columns['id']} = {marks['id']}{without_waiting}",
        ("dispatched_at", "receivers", "id"),
    )
