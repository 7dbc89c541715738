"""Find the row that a notification updates, and the values to merge."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

from django.db import IntegrityError, connections
from django.db.backends.utils import CursorWrapper

from django_hoiio.enums import Direction, Kind, Rank
from django_hoiio.models import MODEL_OF_KIND, Call, Sms, Transaction, suffix_of
from django_hoiio.parsing import ParsedNotification, RawNotification

from .merging import Change, merge
from .retries import Conflict
from .tables import Row


def bring_up_to_date(raw: RawNotification, parsed: ParsedNotification, using: str) -> Transaction | None:
    """Merge a notification into the row of its transaction. Return `None` if there is none."""
    change = change_of(raw, parsed)
    if change is None:
        return None
    with connections[using].cursor() as cursor:
        row = apply(change, parsed.kind, cursor)
    return None if row is None else row.instance()


def change_of(raw: RawNotification, parsed: ParsedNotification, *, wants_row: bool = True) -> Change | None:
    """Return the change that a notification makes to its transaction, or `None` if it has no transaction."""
    model = MODEL_OF_KIND.get(parsed.kind)
    if model is None:
        return None
    values = {"account": raw.account, **_reported(model, parsed)}
    key: tuple[str, ...] | None = None
    if parsed.txn_ref is not None:
        values["txn_ref"], key = parsed.txn_ref, model.key
    elif _is_whole_event(parsed):
        values["notification_uuid"], key = raw.uuid, ("notification_uuid",)
    elif not parsed.kind.is_ivr:
        return None
    return Change(
        model=model,
        values=values,
        key=key,
        received_at=raw.received_at,
        rank=parsed.rank,
        party_rank=_PARTY_RANKS[parsed.direction, bool(parsed.remote_number)],
        wants_row=wants_row,
    )


def needs_a_look(change: Change, kind: Kind) -> bool:
    """True if the row of a change must be looked up among the stored rows."""
    return change.key is None or (kind == Kind.SMS_RECEIVED and change.key == Sms.key)


def apply(change: Change, kind: Kind, cursor: CursorWrapper) -> Row | None:
    """Update the row of a change. Return `None` if there is no such row."""
    if not needs_a_look(change, kind):
        return merge(change, cursor)
    if kind == Kind.SMS_RECEIVED:
        return _keep_text(change, cursor)
    call = Call.objects.using(cursor.db.alias).newest_of(change.values["account"], change.values.get("session"))
    if call is None or call.txn_ref is None:
        return None
    return merge(change._replace(values={**change.values, "txn_ref": call.txn_ref}, key=Call.key), cursor)


def _is_whole_event(parsed: ParsedNotification) -> bool:
    """True for an event that makes a row even without a reference, because no other notification will follow."""
    if parsed.kind == Kind.BULK_SMS_STATUS:
        return parsed.rank == Rank.FINAL and parsed.dest is not None
    return parsed.kind in (Kind.SMS_RECEIVED, Kind.FAX_RECEIVED)


def _keep_text(change: Change, cursor: CursorWrapper) -> Row | None:
    """Store the text of an incoming SMS. The parts of a long SMS may share a reference, and each has its own row."""
    values = change.values
    found = Sms.objects.using(cursor.db.alias).filter(account=values["account"], txn_ref=values["txn_ref"])
    rows = found.order_by("pk")
    if cursor.db.features.has_select_for_update:
        rows = rows.select_for_update()
    texts = {row.part: row.msg for row in rows.only("part", "msg")}
    try:
        if not texts:
            row = merge(change._replace(key=None), cursor)
            # Another process may have stored a text of this reference meanwhile. The next attempt sees it.
            if len(rows.values_list("pk")) > 1:
                raise Conflict
            return row
        part = part_of(values.get("msg", ""), texts)
        if part and "" in texts:
            rows.filter(part="").update(part=digest_of(texts[""]))
        return merge(change._replace(values={**values, "part": part}), cursor)
    except IntegrityError as error:
        raise Conflict from error


def part_of(msg: str, texts: dict[str, str]) -> str:
    """Return the `part` of the row that a text belongs to: an existing one, or the digest of the text."""
    if not msg:
        return next(iter(texts))
    if texts.get("", "other") in ("", msg):
        return ""
    return digest_of(msg)


def digest_of(msg: str) -> str:
    return hashlib.sha256(msg.encode()).hexdigest()[:32]


def _reported(model: type[Transaction], parsed: ParsedNotification) -> dict[str, Any]:
    """Return the values in the notification, by field of the model."""
    names, values_of = _reported_fields(model)
    reported = {name: value for name, value in zip(names, values_of(parsed), strict=True) if value is not None}
    reported["is_final"] = parsed.rank == Rank.FINAL
    if parsed.direction:
        reported["remote_number"] = parsed.remote_number or ""
        reported["remote_suffix"] = suffix_of(reported["remote_number"])
    return reported


@cache
def _reported_fields(model: type[Transaction]) -> tuple[list[str], Callable[[ParsedNotification], tuple[Any, ...]]]:
    """Return the model's fields that a notification reports, and a function that reads them all from it."""
    names = [name for name in model.reported if name in ParsedNotification._fields]
    return names, attrgetter(*names)


# `from` and `to` show the direction more reliably than `dest`, which an incoming call may have too. A report with a
# number is more reliable than one without.
_PARTY_RANKS = {
    (Direction.INCOMING, True): Rank.FINAL,
    (Direction.INCOMING, False): Rank.ONGOING,
    (Direction.OUTGOING, True): Rank.BEGUN,
    (Direction.OUTGOING, False): Rank.SENT,
    (None, True): Rank.SENT,
    (None, False): Rank.SENT,
}
