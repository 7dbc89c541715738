"""Store a notification: its raw row and the state of its transaction, in one commit.

`raw` has the row of the notification. `states` finds the transaction's row and the values to merge, and `merging` has
the statement for it. `tables` converts values for statements and back. `committing` commits, `queueing` coordinates
writers of SQLite. `retry_transient` retries after transient errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from django.db import IntegrityError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.functional import cached_property

from django_hoiio.database_errors import Failure, classify
from django_hoiio.enums import Source
from django_hoiio.logs import get_logger
from django_hoiio.models import CLAIM, Notification, Transaction
from django_hoiio.parsing import ParsedNotification, RawNotification

from .committing import committed, refuse_what_nobody_commits
from .merging import Merge, merge_of
from .queueing import Queued
from .raw import insert_of, pk_of, row_of, update_dispatched
from .retries import retry_transient
from .states import apply, change_of, needs_a_look
from .tables import Row, instance_of

__all__ = ["CLAIM", "Recorded", "mark_dispatched", "record"]

logger = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A stored notification and the row that it updated. Each becomes a model instance on first use.

    `transaction` exists only for receivers. Without receivers it is `None`.
    """

    using: str
    row: Mapping[str, Any]
    state: Row | None = None
    # False if this delivery was already stored: by another process, or by an attempt whose answer was lost.
    is_new: bool = True

    @property
    def is_pending(self) -> bool:
        """True if receivers have not run yet and this process must run them."""
        # Each POST has its own uuid, so no other process can have stored it.
        is_ours = self.is_new or self.row["source"] == Source.WEBHOOK
        return is_ours and self.row["dispatched_at"] is None

    @cached_property
    def notification(self) -> Notification:
        return instance_of(Notification, self.row, self.using)

    @cached_property
    def transaction(self) -> Transaction | None:
        if not self.is_new:
            return self.notification.transaction
        return self.state and self.state.instance()


def record(raw: RawNotification, parsed: ParsedNotification) -> Recorded:
    """Store the notification and update its transaction, both or neither.

    If the state cannot be written, store the notification without it and note that in `problems`. Raises
    `django.db.Error` if the database is unavailable or refuses. Then nothing is stored.
    """
    connection = connections[router.db_for_write(Notification)]
    try:
        return retry_transient(lambda: _keep_with_state(raw, parsed, connection), connection)
    # No error in the state may lose the only copy.
    except Exception as error:
        if classify(error, connection) is not Failure.DATA:
            raise
        failure = type(error).__name__
    try:
        alone = retry_transient(lambda: _keep_alone(raw, parsed, connection, failure), connection)
    except IntegrityError:
        stored = Notification.objects.using(connection.alias).filter(uuid=raw.uuid).values().first()
        if stored is None:
            raise
        return Recorded(using=connection.alias, row=stored, is_new=False)
    logger.error("The state of notification %s could not be stored: %s.", alone.row["id"], failure)
    return alone


def mark_dispatched(notification: Notification, receivers: Sequence[tuple[str, str]]) -> None:
    """Mark a notification as dispatched to `receivers`, pairs of a signal name and a receiver name.

    Raises `django.db.Error`.
    """
    notification.dispatched_at = datetime.now(timezone.utc)
    notification.claimed_until = None
    notification.receivers = [list(each) for each in receivers]
    connection = connections[str(notification._state.db)]
    statement = update_dispatched(notification.pk, notification.dispatched_at, receivers, connection.alias)

    def mark() -> None:
        with Queued(connection), connection.cursor() as cursor:
            cursor.execute(*statement)

    retry_transient(mark, connection)


def _keep_with_state(raw: RawNotification, parsed: ParsedNotification, connection: BaseDatabaseWrapper) -> Recorded:
    using = connection.alias
    row = row_of(raw, parsed, parsed.problems)
    change = change_of(raw, parsed, wants_row=row["dispatched_at"] is None)
    insert = insert_of(row, using)
    if change is not None and not needs_a_look(change, parsed.kind):
        pk, state = _keep_both(insert, merge_of(change, using), connection)
        return Recorded(using=using, row={"id": pk, **row}, state=state)
    refuse_what_nobody_commits(connection)
    # The first statement is a write: in SQLite a transaction that started with a read cannot wait for the lock.
    with Queued(connection), transaction.atomic(using=using, durable=True), connection.cursor() as cursor:
        cursor.execute(*insert)
        pk = pk_of(cursor)
        state = None if change is None else apply(change, parsed.kind, cursor)
    return Recorded(using=using, row={"id": pk, **row}, state=state)


def _keep_both(
    insert: tuple[str, dict[str, Any]], merge: Merge, connection: BaseDatabaseWrapper
) -> tuple[int, Row | None]:
    """Write both rows with as few statements as the database allows."""
    statement, params = insert
    with committed(connection) as cursor:
        if connection.vendor != "postgresql":
            cursor.execute(statement, params)
            return pk_of(cursor), merge.run(cursor)
        returning = "," if merge.wants_row else " RETURNING"
        cursor.execute(
            f"WITH raw AS ({statement}) {merge.statement}{returning} (SELECT id FROM raw)", {**params, **merge.params}
        )
        *fetched, pk = cursor.fetchone()
        return pk, merge.row(fetched)


def _keep_alone(
    raw: RawNotification, parsed: ParsedNotification, connection: BaseDatabaseWrapper, failure: str
) -> Recorded:
    row = row_of(raw, parsed, {**parsed.problems, "state": f"could not be stored: {failure}"})
    insert = insert_of(row, connection.alias)
    with committed(connection) as cursor:
        cursor.execute(*insert)
        pk = pk_of(cursor)
    return Recorded(using=connection.alias, row={"id": pk, **row})
