"""Store a sent call, SMS or fax before its first notification, so that the notification finds a row."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

from django.db import connections, router, transaction
from django.utils import timezone

from django_hoiio.database import durable, is_idle, retry_transient
from django_hoiio.enums import Direction, Kind, Rank, Route
from django_hoiio.logs import get_logger
from django_hoiio.models import MODEL_OF_KIND, Transaction
from django_hoiio.parsing import ParsedNotification, RawNotification
from django_hoiio.parsing.fields import storable
from django_hoiio.parsing.parameters import PARAMETERS, read

from .reports import report_of
from .upsert import write_state

logger = get_logger(__name__)


def enter(kind: Kind, account: str, txn_ref: str, request: Mapping[str, str]) -> Transaction | None:
    """Store a sent request at the lowest rank: any report by Hoiio overwrites it, even an earlier one.

    `kind` is the expected notification and `request` the request's parameters, of which the row stores those that it
    has fields for.
    Uses an open transaction. Never raises, because Hoiio's answer must reach the caller. If it cannot be stored, logs
    an error and returns `None`. Then the notification creates the row.
    """
    connection = connections[router.db_for_write(MODEL_OF_KIND[kind])]
    moment, parsed = timezone.now(), _parsed(kind, txn_ref, request)
    raw = RawNotification(uuid=uuid4(), received_at=moment, route=Route.ANY, query="", body=b"", account=account)

    def write() -> Transaction:
        report = report_of(raw, parsed, connection.alias)
        if report is None or parsed.txn_ref is None:
            raise ValueError("the txn_ref is too long for its column")
        with durable(connection) if is_idle(connection) else transaction.atomic(using=connection.alias):
            return write_state(report, connection)

    try:
        # No retry inside the caller's transaction: a deadlock has rolled back its earlier statements.
        return write() if connection.in_atomic_block else retry_transient(write, connection)
    # No error may lose Hoiio's answer.
    except Exception as error:  # noqa: BLE001
        logger.error("%s was sent, but could not be stored: %s.", txn_ref, type(error).__name__)
        return None


def _parsed(kind: Kind, txn_ref: str, request: Mapping[str, str]) -> ParsedNotification:
    """Return the request as a notification that reports it. Values that are too long for their column are omitted."""
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
