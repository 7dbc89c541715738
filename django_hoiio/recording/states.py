"""Which row a notification goes to, and what it says about it."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from typing import Any

from django.db import IntegrityError, connections

from ..kinds import Direction, Kind, Rank
from ..models import MODELS, Call, Sms, Transaction, tail_of
from ..parsing import Arrival, Parsed
from .merging import STAMP_LENGTH, merge
from .patience import Crossed


def bring_up_to_date(arrival: Arrival, parsed: Parsed, using: str) -> Transaction | None:
    """Merge what the notification says into the row of its transaction; `None` where it names none."""
    model = MODELS.get(parsed.kind)
    if model is None:
        return None
    told = _told(model, parsed)
    values: dict[str, Any] = {
        **told,
        "account": arrival.account,
        "txn_ref": parsed.txn_ref,
        "created_at": arrival.received_at,
        "updated_at": arrival.received_at,
        "stamps": _stamps(told, parsed.rank, arrival.received_at),
    }
    if parsed.txn_ref is None and parsed.kind.is_ivr:
        call = Call.objects.using(using).newest_of(arrival.account, parsed.session)
        values["txn_ref"] = call and call.txn_ref
    if values["txn_ref"] is None:
        if not _is_whole_event(parsed):
            return None
        return merge(model, {**values, "arrival": arrival.uuid}, ("arrival",), using)
    if parsed.kind == Kind.SMS_RECEIVED:
        return _keep_text(values, using)
    return merge(model, values, model.key, using)


def _is_whole_event(parsed: Parsed) -> bool:
    """True for what makes a row even without a reference, because nothing else will come about it."""
    if parsed.kind == Kind.BULK_SMS_STATUS:
        return parsed.rank == Rank.FINAL and parsed.dest is not None
    return parsed.kind in (Kind.SMS_RECEIVED, Kind.FAX_RECEIVED)


def _keep_text(values: dict[str, Any], using: str) -> Transaction:
    """Keep the text of an incoming SMS; the texts of a long one may share a reference, and each has a row."""
    rows = Sms.objects.using(using).filter(account=values["account"], txn_ref=values["txn_ref"]).order_by("pk")
    if connections[using].features.has_select_for_update:
        rows = rows.select_for_update()
    texts = {row.part: row.msg for row in rows.only("part", "msg")}
    try:
        if not texts:
            row = merge(Sms, values, None, using)
            # Another text may have come and made room in between; the next try sees it.
            if len(rows.values_list("pk")) > 1:
                raise Crossed
            return row
        values["part"] = _part(values["msg"] or "", texts)
        if values["part"] and "" in texts:
            rows.filter(part="").update(part=_digest(texts[""]))
        return merge(Sms, values, Sms.key, using)
    except IntegrityError as error:
        raise Crossed from error


def _part(msg: str, texts: dict[str, str]) -> str:
    """Which of the rows of a reference a text belongs to: the only one, or one that is named by the text."""
    if not msg:
        return next(iter(texts))
    if texts.get("", "other") in ("", msg):
        return ""
    return _digest(msg)


def _digest(msg: str) -> str:
    return hashlib.sha256(msg.encode()).hexdigest()[:32]


def _told(model: type[Transaction], parsed: Parsed) -> dict[str, Any]:
    """What the notification says, by the fields of the model; `None` is what it does not say."""
    other_number = parsed.other_number or ""
    derived = {
        "is_final": parsed.rank == Rank.FINAL,
        "other_number": other_number if parsed.direction else None,
        "other_tail": tail_of(other_number) if parsed.direction else None,
    }
    return {name: derived[name] if name in derived else getattr(parsed, name) for name in model.told}


# Which way a transaction went shows better in `from` and `to` than in `dest`, which a call that came in may bear too,
# and better with a number than without. So the other party has ranks of its own.
_OTHER_PARTY = {"direction", "other_number", "other_tail"}
_RANK_OF_OTHER_PARTY = {
    (Direction.INCOMING, True): Rank.FINAL,
    (Direction.INCOMING, False): Rank.ONGOING,
    (Direction.OUTGOING, True): Rank.BEGUN,
    (Direction.OUTGOING, False): Rank.SENT,
}

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_UNTOLD = "0" * STAMP_LENGTH


def _stamps(told: dict[str, Any], rank: Rank, received_at: datetime) -> str:
    """Stamp each field that is told: a digit for the rank, sixteen for the microsecond of arrival."""
    moment = (received_at - _EPOCH) // timedelta(microseconds=1)

    def stamp(name: str) -> str:
        if told[name] is None:
            return _UNTOLD
        own = _RANK_OF_OTHER_PARTY[told["direction"], told["other_number"] != ""] if name in _OTHER_PARTY else rank
        return f"{own:d}{moment:016d}"

    return "".join(map(stamp, told))
