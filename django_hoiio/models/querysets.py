"""What all rows can be asked for, and calls, SMS and faxes beyond that."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from django.db import models, router
from django.db.models import Q
from django.utils import timezone

from ..conf import conf
from ..kinds import CallStatus

if TYPE_CHECKING:
    from typing_extensions import Self


Kept = TypeVar("Kept", bound=models.Model)
Row = TypeVar("Row", bound="Transaction")

# The fields that say how a call, or a part of it, came out.
OUTCOMES = ("call_status", "call_status_dest1", "call_status_dest2", "dial_status", "transfer_status")

# What it is to be answered; `CallQuerySet.missed` says why.
ANSWERED = Q(
    Q(*((field, CallStatus.ANSWERED) for field in OUTCOMES), _connector=Q.OR) | Q(duration__gt=0),
    *((f"{field}__in", ("", CallStatus.ANSWERED)) for field in OUTCOMES),
)

_IN_VAIN = (CallStatus.UNANSWERED, CallStatus.BUSY, CallStatus.FAILED)


class KeptQuerySet(models.QuerySet[Kept]):
    def where_written(self) -> Self:
        """Read from the database that is written to: a replica may not have them yet."""
        return self.using(router.db_for_write(self.model))


def is_overdue() -> Q:
    """What says of a transaction that it is overdue at this moment."""
    # Django before 6 writes `NOT is_final` otherwise, for which SQLite and MariaDB use no index.
    return Q(is_final__in=(False,), created_at__lt=timezone.now() - conf.OVERDUE_AFTER)


def is_missed() -> Q:
    """What says of a call that it is over and was not answered."""
    in_vain = Q(*((f"{field}__in", _IN_VAIN) for field in OUTCOMES), _connector=Q.OR)
    never_begun = Q(**dict.fromkeys(OUTCOMES, ""), duration=0)
    return Q(in_vain | never_begun, is_final=True)


class TransactionQuerySet(models.QuerySet[Row]):
    def overdue(self) -> Self:
        """Those that were sent or began more than `OVERDUE_AFTER` ago and are not final.

        An SMS may stay `queued` for ever, and so overdue.
        """
        return self.filter(is_overdue())


class CallQuerySet(TransactionQuerySet["Call"]):
    def missed(self) -> Self:
        """Those that are over and were not answered, in either direction.

        A call is answered when each of its `OUTCOMES` that Hoiio tells is `answered`; where it tells none, as of a
        caller whom the application did not hand on, when the call has a duration. One of which neither an outcome nor
        a duration is told, or an outcome that is not documented, counts as neither answered nor missed.
        """
        return self.filter(is_missed())

    def answered(self) -> Self:
        """Those that were answered, in either direction, by the rule of `missed`; also while they go on."""
        return self.filter(ANSWERED)

    def newest_of(self, account: str, session: str | None) -> Call | None:
        """The call that a notification belongs to which names its session alone."""
        if not session:
            return None
        return self.filter(account=account, session=session).order_by("-created_at", "-pk").first()
