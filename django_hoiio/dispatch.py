"""Tells the receivers of the signals, after the commit, each on its own; notes those that fail."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

from asgiref.sync import async_to_sync
from django.db import Error, connections, transaction

from .models import Notification, ReceiverFailure, Transaction
from .signals import Listener, signals_of

logger = logging.getLogger(__name__)

# The names under which receivers get the row that was brought up to date.
ROWS = ("call", "sms", "fax")


def dispatch(notification: Notification, row: Transaction | None) -> None:
    """Call each receiver of the notification's signals once, and mark it as told. Never raises."""
    if notification.dispatched_at is not None:
        return
    rows: dict[str, Transaction | None] = dict.fromkeys(ROWS)
    if row is not None:
        rows[row._meta.model_name or ""] = row
    noted = True
    for name, signal in signals_of(notification.facts):
        for listener in signal.listeners(Notification):
            arguments = {"signal": signal, "sender": Notification, "notification": notification, "attempt": 1, **rows}
            noted &= _tell(listener, name, arguments)
    # What could not be noted stays undispatched, so that it is told again rather than forgotten.
    if noted:
        _mark_as_told(notification)


def _tell(listener: Listener, signal_name: str, arguments: dict[str, Any]) -> bool:
    """Call one receiver; False where it failed and even that could not be noted."""
    notification: Notification = arguments["notification"]
    call = async_to_sync(listener.receiver) if listener.is_async else listener.receiver
    try:
        with _on_its_own(str(notification._state.db)):
            call(**arguments)
    # Also SystemExit: a receiver must not end the server, nor keep the others from being called.
    except BaseException as error:
        logger.error(
            "Receiver %s of %s failed for notification %s: %s.",
            listener.label,
            signal_name,
            notification.pk,
            type(error).__name__,
        )
        return _note(notification, signal_name, listener.label, traceback.format_exc())
    return True


@contextmanager
def _on_its_own(using: str) -> Iterator[None]:
    """Keep to a receiver what it does to the connection of the notifications."""
    connection = connections[using]
    # In a transaction of the caller's, as a TestCase has one, a savepoint does that.
    if connection.in_atomic_block:
        with transaction.atomic(using=using):
            yield
        return
    try:
        yield
    finally:
        autocommit = connection.settings_dict["AUTOCOMMIT"]
        if connection.in_atomic_block or connection.needs_rollback or connection.autocommit != autocommit:
            connection.close()
            # Also forgets the transaction that was left open.
            connection.connect()


def _note(notification: Notification, signal_name: str, label: str, failure: str) -> bool:
    """Enter a failed receiver in the ledger."""
    try:
        ReceiverFailure.objects.using(notification._state.db).update_or_create(
            notification=notification,
            signal=signal_name,
            receiver=label[: ReceiverFailure._meta.get_field("receiver").max_length],
            defaults={"attempts": 1, "traceback": _storable(failure), "failed_at": datetime.now(timezone.utc)},
        )
    except Error as error:
        logger.error(
            "A failed receiver of notification %s could not be noted: %s.", notification.pk, type(error).__name__
        )
        return False
    return True


def _mark_as_told(notification: Notification) -> None:
    notification.dispatched_at = datetime.now(timezone.utc)
    notification.claimed_until = None
    told = Notification.objects.using(notification._state.db).filter(pk=notification.pk)
    try:
        told.update(dispatched_at=notification.dispatched_at, claimed_until=None)
    except Error as error:
        logger.error("Notification %s could not be marked as told: %s.", notification.pk, type(error).__name__)


def _storable(text: str) -> str:
    """A traceback may quote what no database keeps: NUL, and half a surrogate pair."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
