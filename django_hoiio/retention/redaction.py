"""Redact rows, and find which calls, SMS and faxes belong to which notifications."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from uuid import UUID, uuid4

from django.db.models import BinaryField, Case, CharField, F, Field, JSONField, Model, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Concat

from django_hoiio.enums import Source
from django_hoiio.models import TRANSACTION_MODELS, Call, Fax, Notification, ReceiverFailure, Sms, Transaction

from .policy import RetentionAction

# Hoiio's parameters, and the columns of a transaction, that identify the parties.
PARTY_PARAMETERS = ("from", "to", "dest", "dest1", "dest2")
PARTY_COLUMNS = ("remote_number", "from_number", "to_number", "dest", "dest1", "dest2")

# Hoiio's parameters that identify a person, hold content, or link to it.
PERSONAL = frozenset({*PARTY_PARAMETERS, "tag", "room", "msg", "digits", "fax_url", "record_url", "monitor_url"})

# Identifiers and keywords of Hoiio or this app, and columns derived from others.
_NAMES = frozenset(
    {
        *("account", "txn_ref", "session", "bulk_txn_ref", "part", "stamps", "remote_suffix", "direction"),
        *("kind", "route", "verified_by", "source", "receivers", "signal", "receiver"),
    }
)


def columns_of(model: type[Model]) -> list[Field[object, object]]:
    """Return the columns that may mention a person."""
    kinds = (CharField, TextField, JSONField, BinaryField)
    return [field for field in model._meta.concrete_fields if isinstance(field, kinds) and field.name not in _NAMES]


# Columns that link a notification to its transaction.
NAMES_OF_NOTIFICATIONS = ("account", "txn_ref", "session", "uuid")


@dataclass(frozen=True, kw_only=True)
class References:
    """Identifiers that link transactions and notifications."""

    # Account and txn_ref.
    references: set[tuple[str, str]] = field(default_factory=set)
    # Account and session, of notifications without a txn_ref.
    sessions: set[tuple[str, str]] = field(default_factory=set)
    # UUIDs of notifications. A transaction without a txn_ref has the UUID of its notification.
    uuids: set[UUID] = field(default_factory=set)

    @classmethod
    def of_notifications(cls, notifications: Iterable[Any]) -> References:
        """Return the identifiers of the transactions of these notifications."""
        names = cls()
        for one in notifications:
            names.uuids.add(one.uuid)
            if one.txn_ref is not None:
                names.references.add((one.account, one.txn_ref))
            elif one.session:
                names.sessions.add((one.account, one.session))
        return names

    @classmethod
    def of_transactions(cls, rows: Iterable[Transaction]) -> References:
        """Return the identifiers that notifications of these rows may have, as in `Transaction.notifications_q`."""
        names = cls()
        for row in rows:
            if row.txn_ref is not None:
                names.references.add((row.account, row.txn_ref))
            elif row.notification_uuid is not None:
                names.uuids.add(row.notification_uuid)
            if isinstance(row, Call) and row.session:
                names.sessions.add((row.account, row.session))
        return names

    def overlaps(self, other: References) -> bool:
        return not (
            self.references.isdisjoint(other.references)
            and self.sessions.isdisjoint(other.sessions)
            and self.uuids.isdisjoint(other.uuids)
        )


def transactions_of(notifications: Iterable[Any], using: str) -> dict[type[Transaction], set[int]]:
    """Return the keys of the transactions of these notifications, by model."""
    names = References.of_notifications(notifications)
    return {model: set(_keys_of_transactions(model, names, using)) for model in TRANSACTION_MODELS}


def _keys_of_transactions(model: type[Transaction], names: References, using: str) -> Iterator[int]:
    rows = model._default_manager.using(using)
    yield from _named(rows.all(), "txn_ref", names.references)
    # One query each: with OR, MariaDB and SQLite would read the whole table.
    if names.uuids:
        yield from rows.filter(notification_uuid__in=names.uuids).values_list("pk", flat=True)
    if model is Call:
        yield from _named(rows.all(), "session", names.sessions)


def notifications_of(rows: Collection[Transaction], using: str) -> list[Any]:
    """Return key, identifiers and `redacted_at` of the notifications of these transactions."""
    names = References.of_transactions(rows)
    notifications = Notification.objects.using(using)
    keys = {
        *_named(notifications.all(), "txn_ref", names.references),
        *_named(notifications.filter(txn_ref=None), "session", names.sessions),
    }
    if names.uuids:
        keys.update(notifications.filter(uuid__in=names.uuids).values_list("pk", flat=True))
    columns = ("pk", *NAMES_OF_NOTIFICATIONS, "redacted_at")
    return list(notifications.filter(pk__in=keys).values_list(*columns, named=True)) if keys else []


def _named(rows: QuerySet[Any], name: str, wanted: Collection[tuple[str, str]]) -> Iterator[int]:
    """Return the keys of the rows with one of these pairs of account and value."""
    if not wanted:
        return
    found = rows.filter(**{f"{name}__in": {called for _, called in wanted}}).values_list("pk", "account", name)
    yield from (pk for pk, account, called in found if (account, called) in wanted)


# All content and the sender. A signature is a digest of the body, and a problem may describe the content.
_NOTIFICATION: Mapping[str, Any] = {
    "query": "",
    "body": b"",
    "headers": {},
    "params": {},
    "pass_on": {},
    "problems": {},
    "unverified_params": [],
    "remote_addr": "",
    # Nothing is left to dispatch.
    "claimed_until": None,
}

# The remote party. The tag and the room are the project's own, and may identify a person.
_TRANSACTION: Mapping[str, Any] = dict.fromkeys(
    ("tag", "remote_number", "remote_suffix", "from_number", "to_number", "dest"), ""
)
# `part` is a digest, from which a short text can be guessed. The unique key only needs distinct values.
NAMELESS_PART = Case(
    When(part="", then=Value("")), default=Concat(Value("redacted-"), Cast("pk", CharField(max_length=24)))
)
_BY_MODEL: Mapping[type[Transaction], Mapping[str, Any]] = {
    Call: {**_TRANSACTION, "dest1": "", "dest2": "", "room": ""},
    Sms: {**_TRANSACTION, "msg": "", "part": NAMELESS_PART},
    Fax: {**_TRANSACTION, "fax_url": ""},
}


def redact_notifications(pks: Collection[int], using: str) -> int:
    """Redact notifications and the tracebacks of their receivers. Return how many were not redacted before."""
    rows = Notification.objects.using(using).filter(pk__in=pks, redacted_at=None)
    redacted = rows.update(**_NOTIFICATION, redacted_at=datetime.now(timezone.utc))
    ReceiverFailure.objects.using(using).filter(notification_id__in=pks).update(traceback="")
    replace_uuids(pks, using)
    return redacted


def replace_uuids(pks: Collection[int], using: str) -> None:
    """Replace the UUIDs of polled notifications, because these are a digest of the content."""
    rows = Notification.objects.using(using)
    for pk in rows.filter(pk__in=pks, source=Source.POLL).values_list("pk", flat=True):
        rows.filter(pk=pk).update(uuid=uuid4())


def redact_transactions(model: type[Transaction], pks: Collection[int], using: str) -> int:
    """Redact transactions, also if new data came after a redaction. Return how many were not redacted before."""
    rows = model._default_manager.using(using).filter(pk__in=pks)
    new = rows.filter(redacted_at=None).count()
    rows.update(**_BY_MODEL[model], redacted_at=datetime.now(timezone.utc))
    return new


# Returns the action for a transaction without a notification.
ForUnreported = Callable[[Transaction], RetentionAction | None]


def end(model: type[Transaction], pks: Collection[int], using: str, for_unreported: ForUnreported) -> tuple[int, int]:
    """Redact transactions whose notifications are all redacted; apply `for_unreported` to those without any.

    Returns how many were redacted and deleted. Locks the rows, so that none gets a notification in between.
    """
    locked = model._default_manager.using(using).filter(pk__in=pks).order_by("pk").select_for_update()
    actions = actions_for(list(locked), using, for_unreported)
    redacted = redact_transactions(model, _keys(actions, RetentionAction.REDACT), using)
    return redacted, delete(model, _keys(actions, RetentionAction.DELETE), using)


def actions_for(
    rows: Sequence[Transaction], using: str, for_unreported: ForUnreported
) -> dict[int, RetentionAction | None]:
    """Return the action for each row, by key."""
    notifications = notifications_of(rows, using)
    reported = References.of_notifications(notifications)
    unredacted = References.of_notifications(one for one in notifications if one.redacted_at is None)
    actions: dict[int, RetentionAction | None] = {}
    for row in rows:
        names = References.of_transactions([row])
        if names.overlaps(reported):
            actions[row.pk] = None if names.overlaps(unredacted) else RetentionAction.REDACT
        else:
            actions[row.pk] = for_unreported(row)
    return actions


def lock(rows: QuerySet[Any], column: str = "redacted_at") -> None:
    """Lock rows by a write without effect: in SQLite, a transaction that began with a read cannot wait for the lock."""
    rows.update(**{column: F(column)})


def delete(model: Any, pks: Collection[int], using: str) -> int:
    """Delete rows by key, with their cascades. Return how many rows of the model were deleted."""
    if not pks:
        return 0
    _, by_model = model._default_manager.using(using).filter(pk__in=pks).only("pk").delete()
    return int(by_model.get(model._meta.label, 0))


def _keys(actions: dict[int, RetentionAction | None], wanted: RetentionAction) -> list[int]:
    return [pk for pk, action in actions.items() if action == wanted]
