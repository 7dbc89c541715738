"""How a notification reaches the database: its raw row and its transaction's state, in one commit.

`raw` is the row of the notification, `states` says which row it brings up to date and what it says about it, `merging`
is the statement that does that, `tables` knows how values get into a statement and out of it, `committing` commits,
`queueing` keeps SQLite's writers out of each other's way, and `patience` tries again what passes by itself.
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
    """A notification that is kept, and the row that it brought up to date; each becomes a model when it is asked for.

    The row is there for receivers alone: where nobody listens, `transaction` is `None`.
    """

    using: str
    row: Mapping[str, Any]
    state: Row | None = None
    # False where this arrival was kept before: by another process, or by a try of this one whose answer was lost.
    is_new: bool = True

    @property
    def is_pending(self) -> bool:
        """True where receivers wait for it, and this process is the one to tell them."""
        # What is posted has an arrival of its own, so that no other process can have kept it.
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
    """Keep the notification and bring its transaction up to date, both or neither.

    Where the state cannot be written, the notification is kept alone and `problems` says so. Raises
    `django.db.Error` where the database is away or refuses, and then nothing is kept.
    """
    connection = connections[router.db_for_write(Notification)]
    try:
        return retry_transient(lambda: _keep_with_state(raw, parsed, connection), connection)
    # Whatever goes wrong with the state must not take the only copy with it.
    except Exception as error:
        if classify(error, connection) is not Failure.DATA:
            raise
        failure = type(error).__name__
    try:
        alone = retry_transient(lambda: _keep_alone(raw, parsed, connection, failure), connection)
    except IntegrityError:
        kept = Notification.objects.using(connection.alias).filter(uuid=raw.uuid).values().first()
        if kept is None:
            raise
        return Recorded(using=connection.alias, row=kept, is_new=False)
    logger.error("The state of notification %s could not be stored: %s.", alone.row["id"], failure)
    return alone


def mark_dispatched(notification: Notification, receivers: Sequence[tuple[str, str]]) -> None:
    """Note that all receivers of a notification were called: each by its signal and its name.

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
    # The first statement is a write: in SQLite a transaction that began with a read cannot wait for the lock.
    with Queued(connection), transaction.atomic(using=using, durable=True), connection.cursor() as cursor:
        cursor.execute(*insert)
        pk = pk_of(cursor)
        state = None if change is None else apply(change, parsed.kind, cursor)
    return Recorded(using=using, row={"id": pk, **row}, state=state)


def _keep_both(
    insert: tuple[str, dict[str, Any]], merge: Merge, connection: BaseDatabaseWrapper
) -> tuple[int, Row | None]:
    """Write both rows with as few statements as the database can do it with."""
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
