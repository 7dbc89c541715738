"""The conversation with one number: its calls, SMS and faxes, by time, at the same cost however many there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from heapq import merge
from itertools import islice
from typing import NamedTuple

from django.db import connections
from django.db.models import Q, QuerySet

from django_hoiio.models import Call, Fax, Sms, Transaction, tail_of

PAGE = 50

# In the order in which those of one moment are shown.
MODELS: tuple[type[Transaction], ...] = (Call, Sms, Fax)

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Place(NamedTuple):
    """Where a row stands in its conversation; written into URLs, so it says nothing of anybody."""

    created_at: datetime
    model: int
    pk: int

    def __str__(self) -> str:
        return f"{(self.created_at - _EPOCH) // timedelta(microseconds=1)}-{self.model}-{self.pk}"


def place_of(row: Transaction) -> Place:
    return Place(row.created_at, MODELS.index(type(row)), row.pk)


def read_place(text: str) -> Place | None:
    """The place that a URL names; `None` where it names none."""
    found = re.fullmatch(r"(\d{1,16})-([0-2])-(\d{1,18})", text, re.ASCII)
    if found is None:
        return None
    moment, model, pk = map(int, found.groups())
    return Place(_EPOCH + timedelta(microseconds=moment), model, pk)


def spellings(number: str) -> list[str]:
    """How a number may stand in a column: with its plus and without; a name in one way."""
    if not re.fullmatch(r"\+?\d+", number, re.ASCII):
        return [number]
    digits = number.lstrip("+")
    return [f"+{digits}", digits]


@dataclass(frozen=True, kw_only=True)
class Page:
    """Rows, oldest first, and where the older and the newer ones begin."""

    rows: Sequence[Transaction]
    older: Place | None = None
    newer: Place | None = None


def page_of(number: str, models: Iterable[type[Transaction]], *, before: Place | None, after: Place | None) -> Page:
    """The newest rows of a number, or those next to a place. A query for each model and spelling."""
    upwards = after is not None
    place = after if upwards else before
    found = [_rows(model, number, spelling, place, upwards) for model in models for spelling in spellings(number)]
    in_order = list(islice(merge(*found, key=place_of, reverse=not upwards), PAGE + 1))
    rows = in_order[:PAGE] if upwards else in_order[:PAGE][::-1]
    goes_on = len(in_order) > PAGE
    if not rows:
        return Page(rows=rows)
    has_older, has_newer = (True, goes_on) if upwards else (goes_on, before is not None)
    return Page(
        rows=rows,
        older=place_of(rows[0]) if has_older else None,
        newer=place_of(rows[-1]) if has_newer else None,
    )


def _rows(
    model: type[Transaction], number: str, spelling: str, place: Place | None, upwards: bool
) -> QuerySet[Transaction]:
    """The next rows in one spelling, in the order of the index (other_tail, other_number, created_at)."""
    everything = model._default_manager.all()
    found, order = _spelt(connections[everything.db].vendor, tail_of(number), spelling)
    rows = everything.filter(found).defer("stamps")
    if place is not None:
        rows = rows.filter(_beyond(place, MODELS.index(model), upwards))
    return rows.order_by(*(name if upwards else f"-{name}" for name in (*order, "created_at", "pk")))[: PAGE + 1]


def _spelt(vendor: str, tail: str, spelling: str) -> tuple[Q, tuple[str, ...]]:
    """A number as the beginning of an index, and what has to be sorted by so that the index is the order.

    MariaDB looks a value up by equality and passes over what is newer one by one; in a span it begins where it has to.
    """
    names = {"other_tail": tail, "other_number": spelling}
    if vendor != "mysql":
        return Q(**names), ()
    spans = {f"{name}__{end}": value for name, value in names.items() for end in ("gte", "lte")}
    return Q(**spans), tuple(names)


def _beyond(place: Place, model: int, upwards: bool) -> Q:
    """After a place, or before it. The bound on the time is for the index, the key for rows of the same moment."""
    way, key = ("gt", "pk__gt") if upwards else ("lt", "pk__lt")
    is_beyond = model > place.model if upwards else model < place.model
    if model == place.model:
        same_moment = Q(**{f"created_at__{way}": place.created_at}) | Q(**{key: place.pk})
        return Q(**{f"created_at__{way}e": place.created_at}) & same_moment
    return Q(**{f"created_at__{way}{'e' * is_beyond}": place.created_at})
