"""Which calls, SMS and faxes belong to which notifications, for many of them at a time and through indexes alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from ..models import Call, Fax, Notification, Sms, Transaction

MODELS: tuple[type[Transaction], ...] = (Call, Sms, Fax)

# Where the names of a notification, and those of a transaction, stand.
NAMES_OF_NOTIFICATIONS = ("account", "txn_ref", "session", "arrival")


@dataclass(frozen=True, kw_only=True)
class Names:
    """By what transactions and notifications know each other."""

    # Account and reference.
    references: set[tuple[str, str]] = field(default_factory=set)
    # Account and session, of notifications that leave out the reference.
    sessions: set[tuple[str, str]] = field(default_factory=set)
    # The name of a notification, which a transaction without a reference bears too.
    arrivals: set[UUID] = field(default_factory=set)

    @classmethod
    def of_notifications(cls, notifications: Iterable[Any]) -> Names:
        """What they call their transactions."""
        names = cls()
        for one in notifications:
            names.arrivals.add(one.arrival)
            if one.txn_ref is not None:
                names.references.add((one.account, one.txn_ref))
            elif one.session:
                names.sessions.add((one.account, one.session))
        return names

    @classmethod
    def of_transactions(cls, rows: Iterable[Transaction]) -> Names:
        """What their notifications may call them, as `Transaction.named_by` says."""
        names = cls()
        for row in rows:
            if row.txn_ref is not None:
                names.references.add((row.account, row.txn_ref))
            elif row.arrival is not None:
                names.arrivals.add(row.arrival)
            if isinstance(row, Call) and row.session:
                names.sessions.add((row.account, row.session))
        return names

    def meets(self, other: Names) -> bool:
        return not (
            self.references.isdisjoint(other.references)
            and self.sessions.isdisjoint(other.sessions)
            and self.arrivals.isdisjoint(other.arrivals)
        )


def transactions_of(notifications: Iterable[Any], using: str) -> dict[type[Transaction], set[int]]:
    """The keys of the calls, SMS and faxes that these notifications are about, by model."""
    names = Names.of_notifications(notifications)
    return {model: set(_keys_of_transactions(model, names, using)) for model in MODELS}


def _keys_of_transactions(model: type[Transaction], names: Names, using: str) -> Iterator[int]:
    rows = model._default_manager.using(using)
    yield from _named(rows.all(), "txn_ref", names.references)
    # One query each: with OR, MariaDB and SQLite would read the whole table.
    if names.arrivals:
        yield from rows.filter(arrival__in=names.arrivals).values_list("pk", flat=True)
    if model is Call:
        yield from _named(rows.all(), "session", names.sessions)


def notifications_of(rows: Collection[Transaction], using: str) -> list[Any]:
    """The notifications about these calls, SMS or faxes: their keys, names, and when they were blanked."""
    names = Names.of_transactions(rows)
    kept = Notification.objects.using(using)
    keys = {
        *_named(kept.all(), "txn_ref", names.references),
        *_named(kept.filter(txn_ref=None), "session", names.sessions),
    }
    if names.arrivals:
        keys.update(kept.filter(arrival__in=names.arrivals).values_list("pk", flat=True))
    columns = ("pk", *NAMES_OF_NOTIFICATIONS, "blanked_at")
    return list(kept.filter(pk__in=keys).values_list(*columns, named=True)) if keys else []


def _named(rows: QuerySet[Any], name: str, wanted: Collection[tuple[str, str]]) -> Iterator[int]:
    """The keys of the rows that bear one of these names in their account."""
    if not wanted:
        return
    found = rows.filter(**{f"{name}__in": {called for _, called in wanted}}).values_list("pk", "account", name)
    yield from (pk for pk, account, called in found if (account, called) in wanted)
