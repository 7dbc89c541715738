"""Redact rows, and find which calls, SMS and faxes belong to which notifications."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

from django.db.models import BinaryField, Case, CharField, F, Field, JSONField, Model, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from django_hoiio.enums import Source
from django_hoiio.models import LINKS, TRANSACTION_MODELS, Call, IvrRun, Notification, ReceiverFailure, Sms, Transaction

from .policy import RetentionAction

# Hoiio's parameters, and the columns of a transaction, that identify the parties.
PARTY_PARAMETERS = ("from", "to", "dest", "dest1", "dest2")
PARTY_COLUMNS = ("remote_number", "from_number", "to_number", "dest", "dest1", "dest2")

# Hoiio's parameters that identify a person, hold content, or link to it.
PERSONAL = frozenset({*PARTY_PARAMETERS, "tag", "room", "msg", "digits", "fax_url", "record_url", "monitor_url"})

# Identifiers and keywords of Hoiio or this app, and columns derived from others.
_NAMES = frozenset(
    {
        *("account", "txn_ref", "session", "bulk_txn_ref", "part", "remote_suffix", "direction"),
        *("kind", "route", "verified_by", "source", "receivers", "state_error", "signal", "receiver"),
        *("flow", "seen"),
    }
)


def columns_of(model: type[Model]) -> list[Field[object, object]]:
    """Return the columns that may mention a person."""
    kinds = (CharField, TextField, JSONField, BinaryField)
    return [field for field in model._meta.concrete_fields if isinstance(field, kinds) and field.name not in _NAMES]


# The columns by which a notification belongs to a transaction.
NAMES_OF_NOTIFICATIONS = (*(f"{link}_id" for link in LINKS), "account", "txn_ref", "session")


def transactions_of(notifications: Iterable[Any], using: str) -> dict[type[Transaction], set[int]]:
    """Return the keys of the transactions that contain one of these notifications, or that an unlinked one names."""
    notifications = list(notifications)
    named = {
        (one.account, one.txn_ref)
        for one in notifications
        if one.txn_ref is not None and not any(getattr(one, f"{link}_id") for link in LINKS)
    }
    about = {}
    for model in TRANSACTION_MODELS:
        links = {getattr(one, f"{model._meta.model_name}_id") for one in notifications} - {None}
        rows = model._default_manager.using(using).only("account", "txn_ref")
        about[model] = {*links, *(row.pk for row in _named(rows, "txn_ref", named))}
    return about


def notifications_of(rows: Collection[Transaction], using: str) -> dict[int, list[Any]]:
    """Return key and `redacted_at` of the notifications of some rows of one model, by the key of the row.

    These are the notifications that the row contains, and the unlinked ones that name its reference or session.
    """
    found: dict[int, list[Any]] = {row.pk: [] for row in rows}
    if not rows:
        return found
    notifications = Notification.objects.using(using).only("redacted_at", *NAMES_OF_NOTIFICATIONS)
    link = f"{next(iter(rows))._meta.model_name}_id"
    for one in notifications.filter(**{f"{link}__in": list(found)}):
        found[getattr(one, link)].append(one)
    for name in ("txn_ref", "session"):
        rows_of: dict[tuple[str, str], list[int]] = {}
        for row in rows:
            if value := getattr(row, name, None):
                rows_of.setdefault((row.account, value), []).append(row.pk)
        for one in _named(notifications.unlinked(), name, rows_of):
            for pk in rows_of[one.account, getattr(one, name)]:
                found[pk].append(one)
    return found


def _named(rows: QuerySet[Any], name: str, wanted: Collection[tuple[str, str]]) -> Iterator[Any]:
    """Yield the rows with one of these pairs of account and value."""
    if wanted:
        found = rows.filter(**{f"{name}__in": {value for _account, value in wanted}})
        yield from (row for row in found if (row.account, getattr(row, name)) in wanted)


# All content and the sender. A signature is a digest of the body, and a problem may describe the content.
_NOTIFICATION: Mapping[str, Any] = {
    "query": "",
    "body": b"",
    "headers": {},
    "params": {},
    "pass_on": {},
    "problems": {},
    "state_error": "",
    "unverified_params": [],
    "remote_addr": "",
    # Nothing is left to dispatch.
    "claimed_until": None,
}

# `part` is a digest, from which a short text can be guessed. The unique key only needs distinct values.
NAMELESS_PART = Case(
    When(part="", then=Value("")), default=Concat(Value("redacted-"), Cast("pk", CharField(max_length=24)))
)


def redact_notifications(pks: Collection[int], using: str) -> int:
    """Redact notifications and the tracebacks of their receivers. Return how many were not redacted before."""
    rows = Notification.objects.using(using).filter(pk__in=pks, redacted_at=None)
    redacted = rows.update(**_NOTIFICATION, redacted_at=timezone.now())
    ReceiverFailure.objects.using(using).filter(notification_id__in=pks).update(traceback="")
    _redact_blocks(Notification.objects.using(using).filter(pk__in=pks))
    replace_uuids(pks, using)
    mark_history(pks, using)
    return redacted


def _redact_blocks(notifications: QuerySet[Notification]) -> None:
    rows = list(notifications.filter(block__has_any_keys=list(_OF_BLOCK)).only("block"))
    for row in rows:
        row.block = redacted_block(row.block)
    notifications.bulk_update(rows, ["block"])


# The value with which a project ended a hold, and the digest, from which a number could be guessed.
_OF_BLOCK: Mapping[str, Any] = {"digest": "", "value": None}


def redacted_block(block: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _OF_BLOCK.get(name, value) for name, value in block.items()}


def mark_history(pks: Collection[int], using: str) -> None:
    """Note in the calls, SMS and faxes that contain these notifications that their history is no longer whole."""
    notifications = Notification.objects.using(using).filter(pk__in=pks)
    for model in TRANSACTION_MODELS:
        links = set(notifications.values_list(str(model._meta.model_name), flat=True)) - {None}
        if links:
            model._default_manager.using(using).filter(pk__in=links).update(history_is_whole=False)


def replace_uuids(pks: Collection[int], using: str) -> None:
    """Replace the UUIDs of polled notifications, because these are a digest of the content."""
    rows = Notification.objects.using(using)
    for pk in rows.filter(pk__in=pks, source=Source.POLL).values_list("pk", flat=True):
        rows.filter(pk=pk).update(uuid=uuid4())


def redact_transactions(model: type[Transaction], pks: Collection[int], using: str) -> int:
    """Redact transactions, also if new data came after a redaction. Return how many were not redacted before."""
    rows = model._default_manager.using(using).filter(pk__in=pks)
    new = rows.filter(redacted_at=None).count()
    emptied: dict[str, Any] = dict.fromkeys(model.personal, "")
    if model is Sms:
        emptied["part"] = NAMELESS_PART
    rows.update(**emptied, redacted_at=timezone.now(), history_is_whole=False)
    if model is Call:
        redact_runs(IvrRun.objects.using(using).filter(call__in=pks))
    return new


def redact_runs(runs: QuerySet[IvrRun]) -> int:
    """Redact phone menus, also in the blocks of their notifications. Return how many were not redacted before.

    The process that advances one loses its lease, so that it cannot store what it has read before. Another one then
    says goodbye to the caller.
    """
    lock(runs)
    new = runs.filter(redacted_at=None).count()
    for run in runs.select_for_update():
        _redact_blocks(Notification.objects.using(runs.db).filter(account=run.account, session=run.session))
        runs.filter(pk=run.pk).update(
            from_number="",
            to_number="",
            pass_on={},
            remembered={},
            steps=redacted_steps(run.steps),
            leased_until=None,
            has_waiting=run.has_waiting or run.leased_until is not None,
            redacted_at=timezone.now(),
        )
    return new


# What remains of a step. A number could be guessed from the digest.
_OF_STEP = ("name", "keys", "sent_at", "seconds", "failed", "answered_at")


def redacted_steps(steps: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the steps of a phone menu without texts, numbers, links and what the caller pressed."""
    return [_redacted_step(step) for step in steps]


def _redacted_step(step: Mapping[str, Any]) -> dict[str, Any]:
    left: dict[str, Any] = {name: step[name] for name in _OF_STEP if name in step}
    if "answer" in step:
        left["value"] = None
        left["answer"] = {name: text for name, text in step["answer"].items() if name not in PERSONAL}
    return {**left, "digest": ""} if left else left


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
    found = notifications_of(rows, using)
    actions: dict[int, RetentionAction | None] = {}
    for row in rows:
        if not found[row.pk]:
            actions[row.pk] = for_unreported(row)
        else:
            are_redacted = all(one.redacted_at is not None for one in found[row.pk])
            actions[row.pk] = RetentionAction.REDACT if are_redacted else None
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
