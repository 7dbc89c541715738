"""Compare a history entry with the stored row and ingest what changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from django.db import router
from django.utils.crypto import salted_hmac

from django_hoiio.enums import KNOWN_STATUSES, Channel, Kind, Rank, Route, Source
from django_hoiio.ingest import ingest
from django_hoiio.ingest.reports import report_of
from django_hoiio.ingest.state import Report
from django_hoiio.ingest.upsert import changes_by
from django_hoiio.models import Call, Fax, Notification, Sms, Transaction
from django_hoiio.parsing import ParsedNotification, RawNotification, parse
from django_hoiio.parsing.fields import FORM_CONTENT_TYPE
from django_hoiio.parsing.history import is_over, looks_incoming

from .reader import Entry, Found

MODEL_OF_CHANNEL: dict[Channel, type[Transaction]] = {Channel.VOICE: Call, Channel.SMS: Sms, Channel.FAX: Fax}
ROUTE_OF_CHANNEL = {Channel.VOICE: Route.VOICE, Channel.SMS: Route.SMS, Channel.FAX: Route.FAX}


class SignificantFields(NamedTuple):
    """Fields that are worth a signal: on each change (`changes`), or only on the first value (`filled`).

    A notification of that kind reports them too. A field that only history reports, such as the text of an outgoing
    SMS, is stored along with a change but is not a change itself: receivers already got all that they would ever get.
    """

    changes: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()


SIGNIFICANT_FIELDS: dict[Kind, SignificantFields] = {
    Kind.CALL_ENDED: SignificantFields(
        ("is_final", "call_status", "call_status_dest1", "call_status_dest2", "duration", "debit")
    ),
    Kind.IVR_ENDED: SignificantFields(("is_final", "call_state", "duration", "debit")),
    Kind.SMS_STATUS: SignificantFields(("is_final", "sms_status", "debit")),
    Kind.SMS_RECEIVED: SignificantFields(filled=("msg",)),
    Kind.FAX_STATUS: SignificantFields(("is_final", "fax_status", "fax_pages", "debit")),
    # Hoiio signs the link again in each response.
    Kind.FAX_RECEIVED: SignificantFields(("is_final", "fax_status"), ("fax_url",)),
}

# Kinds that Hoiio notifies once, at the end.
_REPORTED_AT_THE_END = (Kind.CALL_ENDED, Kind.FAX_RECEIVED)


def ingest_entry(entry: Entry, *, dry_run: bool) -> Found:
    """Ingest an entry if it changes the stored row. Raises `django.db.Error`."""
    rows = _rows_of(entry)
    raw = entry_as_raw(entry, rows)
    parsed = parse(raw)
    report = report_of(raw, parsed, router.db_for_write(Notification))
    if (
        parsed.txn_ref is None
        or report is None
        or _is_running(entry, parsed)
        or not has_changes(report, parsed.kind, rows)
    ):
        return Found.UNCHANGED
    if not dry_run and not ingest(raw).is_new:
        return Found.UNCHANGED
    return Found.CHANGED if rows else Found.MISSING


def entry_as_raw(entry: Entry, rows: list[Transaction]) -> RawNotification:
    """Return an entry as a raw notification.

    The same entry always gets the same UUID. If it is read again after a kill, or by two processes at once, it is
    stored and dispatched once.
    """
    route, body = _route_of(entry, rows), urlencode(entry.params)
    return RawNotification(
        uuid=_named(f"{entry.account} {route} {body}"),
        received_at=entry.requested_at,
        route=route,
        query="",
        body=body.encode(),
        headers={"Content-Type": FORM_CONTENT_TYPE},
        account=entry.account,
        source=Source.POLL,
    )


def _named(params: str) -> UUID:
    """Derive a UUID from the content, keyed with SECRET_KEY so that nobody can guess phone numbers from it."""
    return UUID(bytes=salted_hmac(__name__, params, algorithm="sha256").digest()[:16], version=4)


def _rows_of(entry: Entry) -> list[Transaction]:
    model = MODEL_OF_CHANNEL[entry.channel]
    rows = model._default_manager.using(router.db_for_write(model))
    return list(rows.filter(account=entry.account, txn_ref=entry.txn_ref).order_by("pk"))


def _route_of(entry: Entry, rows: list[Transaction]) -> Route:
    """Return the route of an entry.

    History does not report which calls are interactive. The row does; without a row, the parties may show it.
    """
    call = next((row for row in rows if isinstance(row, Call)), None)
    if call is not None and (call.session or call.call_state):
        return Route.IVR
    if entry.channel == Channel.VOICE and call is None and looks_incoming(entry.params):
        return Route.ANY
    return ROUTE_OF_CHANNEL[entry.channel]


def _is_running(entry: Entry, parsed: ParsedNotification) -> bool:
    """Return whether Hoiio would not have sent a notification yet."""
    if entry.channel == Channel.VOICE:
        return not is_over(entry.params)
    return parsed.kind in _REPORTED_AT_THE_END and parsed.fax_status == "ongoing"


def has_changes(report: Report, kind: Kind, rows: list[Transaction]) -> bool:
    """Return whether the report would change a significant field.

    If several rows share the txn_ref, a field is filled if any of them has it, or was redacted.
    """
    if kind not in SIGNIFICANT_FIELDS:
        return False
    significant = SIGNIFICANT_FIELDS[kind]
    if not rows:
        return True
    # History may lag behind a final row.
    if rows[0].is_final and report.rank != Rank.FINAL:
        return False
    are_redacted = any(row.redacted_at for row in rows)
    fills = not are_redacted and any(
        report.values.get(name) and not any(getattr(row, name) for row in rows) for name in significant.filled
    )
    changes = changes_by(report, rows[0])
    return fills or any(_would_alter(changes, rows[0], name) for name in significant.changes)


def _would_alter(changes: Mapping[str, Any], row: Transaction, name: str) -> bool:
    old, new = getattr(row, name), changes.get(name)
    # If the row is final and never had this status, history adds nothing.
    return new is not None and new != old and not (name in KNOWN_STATUSES and not old and row.is_final)
