"""Convert a notification: from parsed to its row and its report, and from the row back."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from datetime import timezone as datetime_timezone
from functools import cache
from typing import Any

from django.utils import timezone

from django_hoiio.enums import Kind, Rank, Route, Source, VerifiedBy, signal_kinds
from django_hoiio.models import CLAIM, MODEL_OF_KIND, Call, Notification, Sms, Transaction
from django_hoiio.parsing import ParsedNotification, RawNotification, parse
from django_hoiio.parsing.parameters import LEG_FIELDS, PARAMETERS
from django_hoiio.receivers import receivers_of

from .state import PARTY, Report

# Problems found by the webhook view, which cannot be found again in the stored row.
OF_THE_VIEW = ("token", "signature", "body")

# Parameters that decide the direction and the remote party.
_PARTY_PARAMETERS = frozenset({"from", "to", "dest", "dest1", "dest2", "sms_status"})


_EPOCH = datetime(1970, 1, 1, tzinfo=datetime_timezone.utc)

# In a version, a rank weighs more than all microseconds until the year 2286.
_RANK = 10**16


def version_of(rank: Rank, moment: datetime) -> int:
    """Return the version of a report: its rank, then the microsecond when it was received."""
    return rank * _RANK + (moment - _EPOCH) // timedelta(microseconds=1)


def notification_of(raw: RawNotification, parsed: ParsedNotification) -> Notification:
    """Return the row of a notification, not yet stored. If there are no receivers, it is already dispatched."""
    now = timezone.now()
    has_receivers = any(receivers_of(signal_kinds(parsed.kind, parsed.params), Notification))
    return Notification(
        uuid=raw.uuid,
        received_at=raw.received_at,
        route=raw.route.value,
        account=raw.account,
        query=raw.query,
        body=raw.body,
        headers=raw.headers,
        remote_addr=raw.remote_addr,
        verified_by=raw.verified_by.value,
        source=raw.source.value,
        block=raw.block,
        dispatched_at=None if has_receivers else now,
        claimed_until=now + CLAIM if has_receivers else None,
        **columns_of(raw, parsed),
    )


def columns_of(raw: RawNotification, parsed: ParsedNotification) -> dict[str, Any]:
    """Return the columns that depend on how the notification is parsed."""
    return {
        "kind": parsed.kind.value,
        "txn_ref": parsed.txn_ref,
        "session": parsed.session,
        "params": parsed.params,
        "pass_on": parsed.pass_on,
        "problems": parsed.problems,
        "unverified_params": parsed.unverified_params,
        "version": version_of(parsed.rank, raw.received_at),
    }


def raw_of(notification: Notification) -> RawNotification:
    """Return the raw notification, as far as it is stored."""
    return RawNotification(
        uuid=notification.uuid,
        received_at=notification.received_at,
        route=Route(notification.route),
        query=notification.query,
        body=bytes(notification.body),
        headers=notification.headers,
        remote_addr=notification.remote_addr,
        account=notification.account,
        verified_by=VerifiedBy(notification.verified_by),
        source=Source(notification.source),
        # The token of the URL is not stored, so its parameters are taken from the row.
        pass_on={name: value for name, value in notification.pass_on.items() if name not in PARAMETERS},
        block=notification.block,
        problems={name: why for name, why in notification.problems.items() if name in OF_THE_VIEW},
    )


def report_of(raw: RawNotification, parsed: ParsedNotification, using: str) -> Report | None:
    """Return what a notification reports of its transaction; `None` if it has none.

    If it names only its session, look up the call.
    """
    model = MODEL_OF_KIND.get(parsed.kind)
    key = None if model is None else _key_of(model, raw, parsed, using)
    if model is None or key is None:
        return None
    return Report(
        model=model,
        account=raw.account,
        key=key,
        values=_values_of(model, parsed),
        rank=parsed.rank,
        moment=raw.received_at,
        version=version_of(parsed.rank, raw.received_at),
    )


def linked_report(notification: Notification, row: Transaction) -> Report:
    """Return what a stored notification reports of the row that contains it."""
    model, parsed = type(row), parse(raw_of(notification))
    return Report(
        model=model,
        account=row.account,
        key={"pk": row.pk},
        values=_values_of(model, parsed),
        rank=parsed.rank,
        moment=notification.received_at,
        version=notification.version,
    )


def parameters_of(fields: Collection[str]) -> list[str]:
    """Return Hoiio's parameters that may report one of these fields."""
    of_party = _PARTY_PARAMETERS if not set(PARTY).isdisjoint(fields) else ()
    pairs = [*LEG_FIELDS.items(), *((name, parameter.field) for name, parameter in PARAMETERS.items())]
    return sorted({*of_party, *(name for name, field in pairs if field in fields)})


def _key_of(
    model: type[Transaction], raw: RawNotification, parsed: ParsedNotification, using: str
) -> Mapping[str, Any] | None:
    txn_ref = parsed.txn_ref
    if txn_ref is None and parsed.kind.is_ivr and parsed.session:
        call = Call.objects.using(using).of_session(raw.account, parsed.session, raw.received_at)
        txn_ref = None if call is None else call.txn_ref
    if txn_ref is None:
        return {"notification_uuid": raw.uuid} if _is_whole_event(parsed) else None
    key = {"txn_ref": txn_ref, "account": raw.account}
    return {**key, "part": part_of(parsed)} if model is Sms else key


def _is_whole_event(parsed: ParsedNotification) -> bool:
    """True for an event that makes a row even without a reference, because no other notification will follow."""
    if parsed.kind == Kind.BULK_SMS_STATUS:
        return parsed.rank == Rank.FINAL and parsed.dest is not None
    return parsed.kind in (Kind.SMS_RECEIVED, Kind.FAX_RECEIVED)


def part_of(parsed: ParsedNotification) -> str:
    """Return the digest of an incoming text: the parts of a long SMS share a reference, and each has its own row."""
    if parsed.kind != Kind.SMS_RECEIVED or not parsed.msg:
        return ""
    return hashlib.sha256(parsed.msg.encode()).hexdigest()[:32]


def _values_of(model: type[Transaction], parsed: ParsedNotification) -> dict[str, Any]:
    """Return the values that a notification reports, by field of the model."""
    reported = {name: value for name in _names_of(model) if (value := getattr(parsed, name)) is not None}
    reported["is_final"] = parsed.rank == Rank.FINAL
    if parsed.direction:
        reported["remote_number"], reported["remote_suffix"] = parsed.remote_party
    return reported


@cache
def _names_of(model: type[Transaction]) -> list[str]:
    return [name for name in model.reported if name in ParsedNotification._fields]
