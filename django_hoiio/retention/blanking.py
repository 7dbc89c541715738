"""What is removed of a row when it is blanked, and what stays: what it was, when, how it came out and what it cost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

from django.db.models import Case, CharField, Value, When
from django.db.models.functions import Cast, Concat

from ..kinds import Origin
from ..models import Call, Fax, Notification, ReceiverFailure, Sms, Transaction

# All that was said, by whom and from where. A signature is a digest of the body, a problem may name what was wrong.
_NOTIFICATION: Mapping[str, Any] = {
    "query": "",
    "body": b"",
    "headers": {},
    "params": {},
    "pass_on": {},
    "problems": {},
    "unproved": [],
    "remote_addr": "",
    # Nothing is left to tell.
    "claimed_until": None,
}

# Who it was with. The tag and the room are the project's own, and may name a person or lead to one.
_TRANSACTION: Mapping[str, Any] = dict.fromkeys(
    ("tag", "other_number", "other_tail", "from_number", "to_number", "dest"), ""
)
# `part` is a digest of the text, from which a short one can be guessed; the key only needs it to differ.
NAMELESS_PART = Case(
    When(part="", then=Value("")), default=Concat(Value("blanked-"), Cast("pk", CharField(max_length=24)))
)
_BY_MODEL: Mapping[type[Transaction], Mapping[str, Any]] = {
    Call: {**_TRANSACTION, "dest1": "", "dest2": "", "room": ""},
    Sms: {**_TRANSACTION, "msg": "", "part": NAMELESS_PART},
    Fax: {**_TRANSACTION, "fax_url": ""},
}


def blank_notifications(pks: Collection[int], using: str) -> int:
    """Blank these notifications and the tracebacks of their receivers; tell how many were not blank before."""
    rows = Notification.objects.using(using).filter(pk__in=pks, blanked_at=None)
    blanked = rows.update(**_NOTIFICATION, blanked_at=datetime.now(timezone.utc))
    ReceiverFailure.objects.using(using).filter(notification_id__in=pks).update(traceback="")
    hide_arrivals(pks, using)
    return blanked


def hide_arrivals(pks: Collection[int], using: str) -> None:
    """Give those that were asked of Hoiio's history another name: theirs is a digest of what they said."""
    rows = Notification.objects.using(using)
    for pk in rows.filter(pk__in=pks, origin=Origin.POLL).values_list("pk", flat=True):
        rows.filter(pk=pk).update(arrival=uuid4())


def blank_transactions(model: type[Transaction], pks: Collection[int], using: str) -> int:
    """Blank these calls, SMS or faxes, also what came for one after it was blanked; tell how many were not before."""
    rows = model._default_manager.using(using).filter(pk__in=pks)
    new = rows.filter(blanked_at=None).count()
    rows.update(**_BY_MODEL[model], blanked_at=datetime.now(timezone.utc))
    return new
