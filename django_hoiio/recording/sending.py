"""Store a sent call, SMS or fax before its first notification, so that the notification finds a row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from uuid import uuid4

from django.db import connections, router, transaction

from django_hoiio.enums import Direction, Kind, Rank, Route
from django_hoiio.logs import get_logger
from django_hoiio.models import MODEL_OF_KIND, Transaction
from django_hoiio.parsing import ParsedNotification, RawNotification
from django_hoiio.parsing.fields import storable
from django_hoiio.parsing.parameters import PARAMETERS, read

from .retries import retry_transient
from .states import bring_up_to_date

logger = get_logger(__name__)


def enter(kind: Kind, account: str, txn_ref: str, request: Mapping[str, str]) -> Transaction | None:
    """Store a sent request at the lowest rank: any report by Hoiio overwrites it, even an earlier one.

    `kind` is the expected notification and `request` the request's parameters, of which the row stores those that it
    has fields for.
    Uses an open transaction. Never raises, because Hoiio's answer must reach the caller. If it cannot be stored, logs
    an error and returns `None`. Then the notification creates the row.
    """
    connection = connections[router.db_for_write(MODEL_OF_KIND[kind])]
    sent, report = _sent(account), _report(kind, txn_ref, request)

    def write() -> Transaction | None:
        if report.txn_ref is None:
            raise ValueError("the txn_ref is too long for its column")
        with transaction.atomic(using=connection.alias):
            return bring_up_to_date(sent, report, connection.alias)

    try:
        # No retry inside the caller's transaction: a deadlock has rolled back its earlier statements.
        return write() if connection.in_atomic_block else retry_transient(write, connection)
    # No error may lose Hoiio's answer.
    except Exception as error:  # noqa: BLE001
        logger.error("%s was sent, but could not be stored: %s.", txn_ref, type(error).__name__)
        return None


def _sent(account: str) -> RawNotification:
    moment = datetime.now(timezone.utc)
    return RawNotification(uuid=uuid4(), received_at=moment, route=Route.ANY, query="", body=b"", account=account)


def _report(kind: Kind, txn_ref: str, request: Mapping[str, str]) -> ParsedNotification:
    """Return the request as a report. Values that are too long for their column are omitted."""
    params = {name: storable(text) for name, text in request.items() if name in PARAMETERS}
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
