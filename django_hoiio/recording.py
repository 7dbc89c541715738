"""How a notification reaches the database: its raw row and its transaction's state, in one commit.

The state of a transaction is merged by the database itself, field by field, in one INSERT that turns into an UPDATE
where the row is there. Each field bears a stamp in `stamps`: the rank of the report that filled it, then when it came.
The higher stamp stays, so that reports end in the same state in whatever order and however often they come, and
concurrent ones lose nothing.
"""

from __future__ import annotations

import hashlib
import logging
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any, NamedTuple

from django.db import Error, IntegrityError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field

from .kinds import Direction, Kind, Rank
from .models import MODELS, Call, Notification, Sms, Transaction, tail_of
from .parsing import Arrival, Parsed
from .signals import signals_of

logger = logging.getLogger(__name__)

# How long the process that keeps a notification alone may tell its receivers.
CLAIM = timedelta(minutes=5)

# How often, and for how many seconds, a deadlock, a serialization failure or a lock time-out is tried again.
TRIES = 20
PATIENCE = 10.0


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A notification that is kept, and the row that it brought up to date."""

    notification: Notification
    transaction: Transaction | None
    # False where this arrival was kept before.
    is_new: bool


def record(arrival: Arrival, parsed: Parsed) -> Recorded:
    """Keep the notification and bring its transaction up to date, both or neither.

    Where the state cannot be written, the notification is kept alone and `problems` says so. Raises
    `django.db.Error` where the database is away or refuses, and then nothing is kept.
    """
    using = router.db_for_write(Notification)
    try:
        return _patiently(lambda: _keep_with_state(arrival, parsed, using), using)
    # Whatever goes wrong with the state must not take the only copy with it.
    except Exception as error:
        if isinstance(error, Error) and _is_passing(error):
            raise
        failure = type(error).__name__
    try:
        alone = _patiently(lambda: _keep_alone(arrival, parsed, using, failure), using)
    except IntegrityError:
        kept = Notification.objects.using(using).filter(arrival=arrival.uuid).first()
        if kept is None:
            raise
        return Recorded(notification=kept, transaction=None, is_new=False)
    logger.error("The state of notification %s could not be written: %s.", alone.notification.pk, failure)
    return alone


def _keep_with_state(arrival: Arrival, parsed: Parsed, using: str) -> Recorded:
    # The first statement is a write: in SQLite a transaction that began with a read cannot wait for the lock.
    with transaction.atomic(using=using, durable=True):
        notification = _insert(arrival, parsed, using, parsed.problems)
        return Recorded(notification=notification, transaction=_bring_up_to_date(arrival, parsed, using), is_new=True)


def _keep_alone(arrival: Arrival, parsed: Parsed, using: str, failure: str) -> Recorded:
    problems = {**parsed.problems, "state": f"could not be written: {failure}"}
    with transaction.atomic(using=using, durable=True):
        return Recorded(notification=_insert(arrival, parsed, using, problems), transaction=None, is_new=True)


def _insert(arrival: Arrival, parsed: Parsed, using: str, problems: Any) -> Notification:
    notification = Notification(
        arrival=arrival.uuid,
        received_at=arrival.received_at,
        kind=parsed.kind,
        route=arrival.route,
        account=arrival.account,
        txn_ref=parsed.txn_ref,
        session=parsed.session or "",
        params=dict(parsed.params),
        pass_on=dict(parsed.pass_on),
        problems=dict(problems),
        query=arrival.query,
        body=arrival.body,
        headers=dict(arrival.headers),
        remote_addr=arrival.remote_addr,
        proof=arrival.proof,
        origin=arrival.origin,
    )
    now = datetime.now(timezone.utc)
    if any(signal.has_listeners(Notification) for _, signal in signals_of(notification.facts)):
        notification.claimed_until = now + CLAIM
    else:
        notification.dispatched_at = now
    notification.save(using=using, force_insert=True)
    return notification


# Trying again.


class _Crossed(Exception):
    """Another connection has just written the row that this one found missing."""


def _patiently(keep: Callable[[], Recorded], using: str) -> Recorded:
    """Try again what passes by itself: a deadlock, a lock time-out, a connection that the server had closed."""
    connection = connections[using]
    give_up = time.monotonic() + PATIENCE
    for attempt in range(1, TRIES + 1):
        was_connected = connection.connection is not None
        try:
            return keep()
        except (_Crossed, Error) as error:
            passes = _is_passing(error) or (was_connected and _is_cut_off(connection))
            if attempt == TRIES or time.monotonic() > give_up or not passes:
                raise
        time.sleep(random.uniform(0, 0.005 * attempt))
    raise AssertionError  # pragma: no cover


_PASSING_SQLSTATES = {"40001", "40P01", "55P03"}
_PASSING_MYSQL_ERRORS = {1020, 1205, 1213}


def _is_passing(error: Exception) -> bool:
    """True for a deadlock, a serialization failure and a lock time-out, as PostgreSQL, MariaDB and SQLite put it."""
    if not isinstance(error, Error):
        return isinstance(error, _Crossed)
    cause = error.__cause__
    return (
        getattr(cause, "sqlstate", None) in _PASSING_SQLSTATES
        or (error.args[:1] != () and error.args[0] in _PASSING_MYSQL_ERRORS)
        or "is locked" in str(error)
    )


def _is_cut_off(connection: BaseDatabaseWrapper) -> bool:
    """True where the server has closed the connection, which the next statement then opens again."""
    if connection.in_atomic_block:
        return False
    connection.close_if_unusable_or_obsolete()
    return connection.connection is None


# The state of a transaction.


def _bring_up_to_date(arrival: Arrival, parsed: Parsed, using: str) -> Transaction | None:
    """Merge what the notification says into the row of its transaction; `None` where it names none."""
    model = MODELS.get(parsed.kind)
    if model is None:
        return None
    told = _told(model, parsed)
    values: dict[str, Any] = {
        **told,
        "account": arrival.account,
        "txn_ref": parsed.txn_ref,
        "created_at": arrival.received_at,
        "updated_at": arrival.received_at,
        "stamps": _stamps(told, parsed.rank, arrival.received_at),
    }
    if parsed.txn_ref is None and parsed.kind.is_ivr:
        call = Call.objects.using(using).newest_of(arrival.account, parsed.session)
        values["txn_ref"] = call and call.txn_ref
    if values["txn_ref"] is None:
        if not _is_whole_event(parsed):
            return None
        return _merge(model, {**values, "arrival": arrival.uuid}, ("arrival",), using)
    if parsed.kind == Kind.SMS_RECEIVED:
        return _keep_text(values, using)
    return _merge(model, values, model.key, using)


def _is_whole_event(parsed: Parsed) -> bool:
    """True for what makes a row even without a reference, because nothing else will come about it."""
    if parsed.kind == Kind.BULK_SMS_STATUS:
        return parsed.rank == Rank.FINAL and parsed.dest is not None
    return parsed.kind in (Kind.SMS_RECEIVED, Kind.FAX_RECEIVED)


def _keep_text(values: dict[str, Any], using: str) -> Transaction:
    """Keep the text of an incoming SMS; the texts of a long one may share a reference, and each has a row."""
    rows = Sms.objects.using(using).filter(account=values["account"], txn_ref=values["txn_ref"]).order_by("pk")
    if connections[using].features.has_select_for_update:
        rows = rows.select_for_update()
    texts = {row.part: row.msg for row in rows.only("part", "msg")}
    try:
        if not texts:
            row = _merge(Sms, values, None, using)
            # Another text may have come and made room in between; the next try sees it.
            if len(rows.values_list("pk")) > 1:
                raise _Crossed
            return row
        values["part"] = _part(values["msg"] or "", texts)
        if values["part"] and "" in texts:
            rows.filter(part="").update(part=_digest(texts[""]))
        return _merge(Sms, values, Sms.key, using)
    except IntegrityError as error:
        raise _Crossed from error


def _part(msg: str, texts: dict[str, str]) -> str:
    """Which of the rows of a reference a text belongs to: the only one, or one that is named by the text."""
    if not msg:
        return next(iter(texts))
    if texts.get("", "other") in ("", msg):
        return ""
    return _digest(msg)


def _digest(msg: str) -> str:
    return hashlib.sha256(msg.encode()).hexdigest()[:32]


def _told(model: type[Transaction], parsed: Parsed) -> dict[str, Any]:
    """What the notification says, by the fields of the model; `None` is what it does not say."""
    other_number = parsed.other_number or ""
    derived = {
        "is_final": parsed.rank == Rank.FINAL,
        "other_number": other_number if parsed.direction else None,
        "other_tail": tail_of(other_number) if parsed.direction else None,
    }
    return {name: derived[name] if name in derived else getattr(parsed, name) for name in model.told}


# Which way a transaction went shows better in `from` and `to` than in `dest`, which a call that came in may bear too,
# and better with a number than without. So the other party has ranks of its own.
_OTHER_PARTY = {"direction", "other_number", "other_tail"}
_RANK_OF_OTHER_PARTY = {
    (Direction.INCOMING, True): Rank.FINAL,
    (Direction.INCOMING, False): Rank.ONGOING,
    (Direction.OUTGOING, True): Rank.BEGUN,
    (Direction.OUTGOING, False): Rank.SENT,
}

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_STAMP_LENGTH = 17
_UNTOLD = "0" * _STAMP_LENGTH


def _stamps(told: dict[str, Any], rank: Rank, received_at: datetime) -> str:
    """Stamp each field that is told: a digit for the rank, sixteen for the microsecond of arrival."""
    moment = (received_at - _EPOCH) // timedelta(microseconds=1)

    def stamp(name: str) -> str:
        if told[name] is None:
            return _UNTOLD
        own = _RANK_OF_OTHER_PARTY[told["direction"], told["other_number"] != ""] if name in _OTHER_PARTY else rank
        return f"{own:d}{moment:016d}"

    return "".join(map(stamp, told))


# The one statement that merges.


class Dialect(NamedTuple):
    """How a database words an INSERT that becomes an UPDATE."""

    on_conflict: str
    new: str
    least: str
    greatest: str
    concat: Callable[[Iterable[str]], str]


_STANDARD = Dialect("ON CONFLICT ({key}) DO UPDATE SET", "excluded.{}", "LEAST", "GREATEST", " || ".join)
# The databases on which this works.
_DIALECTS = {
    "sqlite": _STANDARD._replace(least="MIN", greatest="MAX"),
    "postgresql": _STANDARD,
    "mysql": Dialect(
        "ON DUPLICATE KEY UPDATE", "VALUES({})", "LEAST", "GREATEST", lambda parts: f"CONCAT({', '.join(parts)})"
    ),
}


def _merge(model: type[Transaction], values: dict[str, Any], key: tuple[str, ...] | None, using: str) -> Transaction:
    """Insert the row, or merge it into the one with the same key; without a key, insert it or raise IntegrityError."""
    connection = connections[using]
    params = []
    for field in _fields(model):
        value = values.get(field.name)
        params.append(field.get_db_prep_save(field.get_default() if value is None else value, connection))
    (row,) = model._base_manager.using(using).raw(_statement(model, key, using), params)
    return row


def _fields(model: type[Transaction]) -> list[Field[Any, Any]]:
    return [field for field in model._meta.concrete_fields if not field.primary_key]


@cache
def _statement(model: type[Transaction], key: tuple[str, ...] | None, using: str) -> str:
    dialect, quote = _DIALECTS[connections[using].vendor], connections[using].ops.quote_name
    columns = {field.name: quote(str(field.column)) for field in _fields(model)}
    table = quote(model._meta.db_table)
    names, marks = ", ".join(columns.values()), ", ".join(["%s"] * len(columns))
    insert = f"INSERT INTO {table} ({names}) VALUES ({marks})"
    if key is None:
        return f"{insert} RETURNING *"

    def old(name: str) -> str:
        return f"{table}.{columns[name]}"

    def new(name: str) -> str:
        return dialect.new.format(columns[name])

    def stamp(stamps: str, index: int) -> str:
        return f"SUBSTR({stamps}, {1 + index * _STAMP_LENGTH}, {_STAMP_LENGTH})"

    stamps = [(stamp(old("stamps"), index), stamp(new("stamps"), index)) for index in range(len(model.told))]
    merged = {
        name: f"CASE WHEN {new_stamp} >= {old_stamp} THEN {new(name)} ELSE {old(name)} END"
        for name, (old_stamp, new_stamp) in zip(model.told, stamps, strict=True)
    }
    merged["created_at"] = f"{dialect.least}({old('created_at')}, {new('created_at')})"
    merged["updated_at"] = f"{dialect.greatest}({old('updated_at')}, {new('updated_at')})"
    # Last, because MariaDB assigns from left to right and the lines above look at the old stamps.
    merged["stamps"] = dialect.concat(
        f"{dialect.greatest}({old_stamp}, {new_stamp})" for old_stamp, new_stamp in stamps
    )
    updates = ", ".join(f"{columns[name]} = {expression}" for name, expression in merged.items())
    on_conflict = dialect.on_conflict.format(key=", ".join(columns[name] for name in key))
    return f"{insert} {on_conflict} {updates} RETURNING *"
