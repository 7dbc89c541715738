"""What becomes of calls, SMS and faxes when their notifications are blanked or gone. To be called in a transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from django.db.models import F, QuerySet

from ..models import Transaction
from .blanking import blank_transactions
from .conversations import Names, notifications_of
from .fates import Fate

# What to do with one that has no notification.
OfUnheard = Callable[[Transaction], Fate | None]


def end(model: type[Transaction], pks: Collection[int], using: str, of_unheard: OfUnheard) -> tuple[int, int]:
    """Blank those whose notifications are all blank, and do with those that have none what is said.

    Tells how many were blanked and deleted. They are locked, so that none gets another notification in between.
    """
    locked = model._default_manager.using(using).filter(pk__in=pks).order_by("pk").select_for_update()
    fates = fates_of(list(locked), using, of_unheard)
    blanked = blank_transactions(model, _keys(fates, Fate.BLANK), using)
    return blanked, delete(model, _keys(fates, Fate.DELETE), using)


def fates_of(rows: Sequence[Transaction], using: str, of_unheard: OfUnheard) -> dict[int, Fate | None]:
    """What becomes of each row, by its key."""
    notifications = notifications_of(rows, using)
    heard = Names.of_notifications(notifications)
    speaking = Names.of_notifications(one for one in notifications if one.blanked_at is None)
    fates: dict[int, Fate | None] = {}
    for row in rows:
        names = Names.of_transactions([row])
        if names.meets(heard):
            fates[row.pk] = None if names.meets(speaking) else Fate.BLANK
        else:
            fates[row.pk] = of_unheard(row)
    return fates


def lock(rows: QuerySet[Any], column: str = "blanked_at") -> None:
    """Lock rows by a write that changes nothing: in SQLite, what began by reading cannot wait for the lock."""
    rows.update(**{column: F(column)})


def delete(model: Any, pks: Collection[int], using: str) -> int:
    """Delete rows by key, and what points there as its foreign key says; tell how many of the model are gone."""
    if not pks:
        return 0
    _, by_model = model._default_manager.using(using).filter(pk__in=pks).only("pk").delete()
    return int(by_model.get(model._meta.label, 0))


def _keys(fates: dict[int, Fate | None], wanted: Fate) -> list[int]:
    return [pk for pk, fate in fates.items() if fate == wanted]
