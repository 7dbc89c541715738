"""What was sent, entered before Hoiio has told anything of it, so that its notification meets a row that waits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from uuid import uuid4

from django.db import connections, router, transaction

from django_hoiio.enums import Direction, Kind, Rank, Route
from django_hoiio.logs import get_logger
from django_hoiio.models import MODELS, Transaction
from django_hoiio.parsing import ParsedNotification, RawNotification
from django_hoiio.parsing.fields import storable
from django_hoiio.parsing.parameters import PARAMETERS, read

from .retries import retry_transient
from .states import bring_up_to_date

logger = get_logger(__name__)


def enter(kind: Kind, account: str, txn_ref: str, said: Mapping[str, str]) -> Transaction | None:
    """Enter what was sent, at the lowest rank: whatever Hoiio tells about it overwrites this, also what came before.

    `kind` is the notification that is waited for, `said` the request, of which a row keeps what it has fields for.
    Takes part in the transaction that is open. Never raises: it is sent, and its answer must reach the caller.
    Where it cannot be entered the log says so, the result is `None`, and the notification makes the row.
    """
    connection = connections[router.db_for_write(MODELS[kind])]
    sent, report = _sent(account), _report(kind, txn_ref, said)

    def keep() -> Transaction | None:
        if report.txn_ref is None:
            raise ValueError("the txn_ref is too long for its column")
        with transaction.atomic(using=connection.alias):
            return bring_up_to_date(sent, report, connection.alias)

    try:
        # In a transaction of the caller's nothing is tried again: a deadlock has undone what stood before it.
        return keep() if connection.in_atomic_block else retry_transient(keep, connection)
    # Whatever goes wrong here must not take the answer with it.
    except Exception as error:  # noqa: BLE001
        logger.error("%s was sent, but could not be stored: %s.", txn_ref, type(error).__name__)
        return None


def _sent(account: str) -> RawNotification:
    moment = datetime.now(timezone.utc)
    return RawNotification(uuid=uuid4(), received_at=moment, route=Route.ANY, query="", body=b"", account=account)


def _report(kind: Kind, txn_ref: str, said: Mapping[str, str]) -> ParsedNotification:
    """The request, put as a report; what is too long for its column is left out."""
    params = {name: storable(text) for name, text in said.items() if name in PARAMETERS}
    values, problems = read({**params, "txn_ref": txn_ref})
    return ParsedNotification(
        kind=kind,
        rank=Rank.SENT,
        params=params,
        pass_on={},
        unverified_params=[],
        problems=problems,
        direction=Direction.OUTGOING,
        **values,
    )
