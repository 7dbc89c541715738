"""How a notification reaches the database: its raw row and its transaction's state, in one commit.

`states` says which row a notification changes and what it says about it, `merging` is the statement that changes it,
and `patience` tries again what passes by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from django.db import Error, IntegrityError, connections, router, transaction

from ..models import Notification, Transaction
from ..parsing import Arrival, Parsed
from ..signals import signals_of
from .patience import is_passing, patiently
from .states import bring_up_to_date

logger = logging.getLogger(__name__)

# How long the process that keeps a notification alone may tell its receivers.
CLAIM = timedelta(minutes=5)


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
        return patiently(lambda: _keep_with_state(arrival, parsed, using), using)
    # Whatever goes wrong with the state must not take the only copy with it.
    except Exception as error:
        if isinstance(error, Error) and (is_passing(error) or connections[using].connection is None):
            raise
        failure = type(error).__name__
    try:
        alone = patiently(lambda: _keep_alone(arrival, parsed, using, failure), using)
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
        return Recorded(notification=notification, transaction=bring_up_to_date(arrival, parsed, using), is_new=True)


def _keep_alone(arrival: Arrival, parsed: Parsed, using: str, failure: str) -> Recorded:
    problems = {**parsed.problems, "state": f"could not be written: {failure}"}
    with transaction.atomic(using=using, durable=True):
        return Recorded(notification=_insert(arrival, parsed, using, problems), transaction=None, is_new=True)


def _insert(arrival: Arrival, parsed: Parsed, using: str, problems: Mapping[str, str]) -> Notification:
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
        unproved=list(parsed.unproved),
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
