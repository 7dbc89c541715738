"""How a notification reaches the database: its raw row and its transaction's state, in one commit.

`raw` is the row of the notification, `states` says which row it brings up to date and what it says about it, `merging`
is the statement that does that, `tables` knows how values get into a statement and out of it, and `patience` tries
again what passes by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from typing import Any

from django.db import Error, IntegrityError, NotSupportedError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from ..kinds import Origin
from ..models import Notification, Transaction
from ..parsing import Arrival, Parsed
from .merging import Change, merged_row, statement_of
from .patience import is_passing, patiently
from .raw import CLAIM, insert_of, row_of, update_as_told
from .states import apply, change_of, needs_a_look
from .tables import Row

__all__ = ["CLAIM", "Recorded", "mark_as_told", "record"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A notification that is kept, and the row that it brought up to date; each becomes a model when it is asked for.

    The row is there for receivers alone: where nobody listens, `transaction` is `None`.
    """

    using: str
    raw: Mapping[str, Any]
    state: Row | None = None
    # False where this arrival was kept before: by another process, or by a try of this one whose answer was lost.
    is_new: bool = True

    @property
    def is_untold(self) -> bool:
        """True where receivers wait for it, and this process is the one to tell them."""
        # What is posted has an arrival of its own, so that no other process can have kept it.
        is_ours = self.is_new or self.raw["origin"] == Origin.POST
        return is_ours and self.raw["dispatched_at"] is None

    @cached_property
    def notification(self) -> Notification:
        return Notification.from_db(self.using, list(self.raw), list(self.raw.values()))

    @cached_property
    def transaction(self) -> Transaction | None:
        if not self.is_new:
            return self.notification.transaction
        return self.state and self.state.instance()


def record(arrival: Arrival, parsed: Parsed) -> Recorded:
    """Keep the notification and bring its transaction up to date, both or neither.

    Where the state cannot be written, the notification is kept alone and `problems` says so. Raises
    `django.db.Error` where the database is away or refuses, and then nothing is kept.
    """
    connection = connections[router.db_for_write(Notification)]
    try:
        return patiently(lambda: _keep_with_state(arrival, parsed, connection), connection)
    # Whatever goes wrong with the state must not take the only copy with it.
    except Exception as error:
        if isinstance(error, Error) and (is_passing(error) or connection.connection is None):
            raise
        failure = type(error).__name__
    try:
        alone = patiently(lambda: _keep_alone(arrival, parsed, connection, failure), connection)
    except IntegrityError:
        kept = Notification.objects.using(connection.alias).filter(arrival=arrival.uuid).values().first()
        if kept is None:
            raise
        return Recorded(using=connection.alias, raw=kept, is_new=False)
    logger.error("The state of notification %s could not be written: %s.", alone.raw["id"], failure)
    return alone


def mark_as_told(notification: Notification, receivers: Sequence[tuple[str, str]]) -> None:
    """Note that all receivers of a notification were called: each by its signal and its name.

    Raises `django.db.Error`.
    """
    notification.dispatched_at = datetime.now(timezone.utc)
    notification.claimed_until = None
    notification.receivers = [list(each) for each in receivers]
    using = str(notification._state.db)
    with connections[using].cursor() as cursor:
        cursor.execute(*update_as_told(notification.pk, notification.dispatched_at, receivers, using))


def _keep_with_state(arrival: Arrival, parsed: Parsed, connection: BaseDatabaseWrapper) -> Recorded:
    _refuse_without_autocommit(connection)
    raw = row_of(arrival, parsed, parsed.problems)
    change = change_of(arrival, parsed, wants_row=raw["dispatched_at"] is None)
    # One statement of PostgreSQL can write two tables, but not look first.
    if change is not None and connection.vendor == "postgresql" and not needs_a_look(change, parsed.kind):
        return _keep_at_once(raw, change, connection)
    # The first statement is a write: in SQLite a transaction that began with a read cannot wait for the lock.
    with transaction.atomic(using=connection.alias, durable=True), connection.cursor() as cursor:
        cursor.execute(*insert_of(raw, connection.alias))
        (pk,) = cursor.fetchone()
        state = None if change is None else apply(change, parsed.kind, cursor)
    return Recorded(using=connection.alias, raw={"id": pk, **raw}, state=state)


def _refuse_without_autocommit(connection: BaseDatabaseWrapper) -> None:
    """Without it nobody commits, and a 200 would be false."""
    if not connection.in_atomic_block and not connection.get_autocommit():
        raise NotSupportedError(f"AUTOCOMMIT of the database {connection.alias!r} is off; remove it from DATABASES.")


def _keep_at_once(raw: Mapping[str, Any], change: Change, connection: BaseDatabaseWrapper) -> Recorded:
    """One statement is a transaction by itself, and waits for the server once instead of four times."""
    insert, raw_params = insert_of(raw, connection.alias)
    merge, params = statement_of(change, connection.alias)
    statement = f"WITH raw AS ({insert}) {merge}, (SELECT id FROM raw)"
    with _durable(connection), connection.cursor() as cursor:
        cursor.execute(statement, {**raw_params, **params})
        *fetched, pk = cursor.fetchone()
    state = merged_row(change, fetched, connection.alias)
    return Recorded(using=connection.alias, raw={"id": pk, **raw}, state=state)


def _durable(connection: BaseDatabaseWrapper) -> AbstractContextManager[Any]:
    """Refuse to keep what a transaction around it may roll back; that of a TestCase gets a savepoint."""
    if connection.in_atomic_block:
        return transaction.atomic(using=connection.alias, durable=True)
    return nullcontext()


def _keep_alone(arrival: Arrival, parsed: Parsed, connection: BaseDatabaseWrapper, failure: str) -> Recorded:
    _refuse_without_autocommit(connection)
    raw = row_of(arrival, parsed, {**parsed.problems, "state": f"could not be written: {failure}"})
    with transaction.atomic(using=connection.alias, durable=True), connection.cursor() as cursor:
        cursor.execute(*insert_of(raw, connection.alias))
        (pk,) = cursor.fetchone()
    return Recorded(using=connection.alias, raw={"id": pk, **raw})
