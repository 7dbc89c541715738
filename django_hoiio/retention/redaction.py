"""Redact rows, and find which calls, SMS and faxes belong to which notifications."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from uuid import UUID, uuid4

from django.db.models import BinaryField, Case, CharField, F, Field, JSONField, Model, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Concat

from django_hoiio.enums import Origin
from django_hoiio.models import Call, Fax, Notification, ReceiverFailure, Sms, Transaction

from .policy import Fate

# Hoiio's parameters, and the columns of a call, SMS or fax, that name who took part.
PARTIES = ("from", "to", "dest", "dest1", "dest2")
PARTY_COLUMNS = ("other_number", "from_number", "to_number", "dest", "dest1", "dest2")

# Hoiio's parameters that say who somebody is, what was said, or what leads there.
PERSONAL = frozenset({*PARTIES, "tag", "room", "msg", "digits", "fax_url", "record_url", "monitor_url"})

# Names and words that Hoiio or this app has given, and what is derived from other columns.
_NAMES = frozenset(
    {
        *("account", "txn_ref", "session", "bulk_txn_ref", "part", "stamps", "other_tail", "direction"),
        *("kind", "route", "proof", "origin", "receivers", "signal", "receiver"),
    }
)


def columns_of(model: type[Model]) -> list[Field[object, object]]:
    """The columns in which somebody may be mentioned."""
    kinds = (CharField, TextField, JSONField, BinaryField)
    return [field for field in model._meta.concrete_fields if isinstance(field, kinds) and field.name not in _NAMES]


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


# All that was said, by whom and from where. A signature is a digest of the body, a problem may name what was wrong.
_NOTIFICATION: Mapping[str, Any] = {
    "query": "",
    "body": b"",
    "headers": {},
    "params": {},
    "pass_on": {},
    "problems": {},
    "unproved": [],
    "remote_addr": "",
    # Nothing is left to tell.
    "claimed_until": None,
}

# Who it was with. The tag and the room are the project's own, and may name a person or lead to one.
_TRANSACTION: Mapping[str, Any] = dict.fromkeys(
    ("tag", "other_number", "other_tail", "from_number", "to_number", "dest"), ""
)
# `part` is a digest of the text, from which a short one can be guessed; the key only needs it to differ.
NAMELESS_PART = Case(
    When(part="", then=Value("")), default=Concat(Value("blanked-"), Cast("pk", CharField(max_length=24)))
)
_BY_MODEL: Mapping[type[Transaction], Mapping[str, Any]] = {
    Call: {**_TRANSACTION, "dest1": "", "dest2": "", "room": ""},
    Sms: {**_TRANSACTION, "msg": "", "part": NAMELESS_PART},
    Fax: {**_TRANSACTION, "fax_url": ""},
}


def blank_notifications(pks: Collection[int], using: str) -> int:
    """Blank these notifications and the tracebacks of their receivers; tell how many were not blank before."""
    rows = Notification.objects.using(using).filter(pk__in=pks, blanked_at=None)
    blanked = rows.update(**_NOTIFICATION, blanked_at=datetime.now(timezone.utc))
    ReceiverFailure.objects.using(using).filter(notification_id__in=pks).update(traceback="")
    hide_arrivals(pks, using)
    return blanked


def hide_arrivals(pks: Collection[int], using: str) -> None:
    """Give those that were asked of Hoiio's history another name: theirs is a digest of what they said."""
    rows = Notification.objects.using(using)
    for pk in rows.filter(pk__in=pks, origin=Origin.POLL).values_list("pk", flat=True):
        rows.filter(pk=pk).update(arrival=uuid4())


def blank_transactions(model: type[Transaction], pks: Collection[int], using: str) -> int:
    """Blank these calls, SMS or faxes, also what came for one after it was blanked; tell how many were not before."""
    rows = model._default_manager.using(using).filter(pk__in=pks)
    new = rows.filter(blanked_at=None).count()
    rows.update(**_BY_MODEL[model], blanked_at=datetime.now(timezone.utc))
    return new


# What to do with one that has no notification.
OfUnheard = Callable[[Transaction], Fate | None]


def end(model: type[Transaction], pks: Collection[int], using: str, of_unheard: OfUnheard) -> tuple[int, int]:
    """Blank those whose notifications are all blank, and do with those that have none what is said.

    Tells how many were blanked and deleted. They are locked, so that none gets another notification in between.
    """
    locked = model._default_manager.using(using).filter(pk__in=pks).order_by("pk").select_for_update()
    fates = fates_of(list(locked), using, of_unheard)
    blanked = blank_transactions(model, _keys(fates, Fate.BLANK), using)
    return blanked, delete(model, _keys(fates, Fate.DELETE), using)


def fates_of(rows: Sequence[Transaction], using: str, of_unheard: OfUnheard) -> dict[int, Fate | None]:
    """What becomes of each row, by its key."""
    notifications = notifications_of(rows, using)
    heard = Names.of_notifications(notifications)
    speaking = Names.of_notifications(one for one in notifications if one.blanked_at is None)
    fates: dict[int, Fate | None] = {}
    for row in rows:
        names = Names.of_transactions([row])
        if names.meets(heard):
            fates[row.pk] = None if names.meets(speaking) else Fate.BLANK
        else:
            fates[row.pk] = of_unheard(row)
    return fates


def lock(rows: QuerySet[Any], column: str = "blanked_at") -> None:
    """Lock rows by a write that changes nothing: in SQLite, what began by reading cannot wait for the lock."""
    rows.update(**{column: F(column)})


def delete(model: Any, pks: Collection[int], using: str) -> int:
    """Delete rows by key, and what points there as its foreign key says; tell how many of the model are gone."""
    if not pks:
        return 0
    _, by_model = model._default_manager.using(using).filter(pk__in=pks).only("pk").delete()
    return int(by_model.get(model._meta.label, 0))


def _keys(fates: dict[int, Fate | None], wanted: Fate) -> list[int]:
    return [pk for pk, fate in fates.items() if fate == wanted]
