"""Turn a search term into queries that use an index and do not reveal masked values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Case, CharField, Q, QuerySet, Value, When
from django.db.models.functions import Greatest
from django.http import HttpRequest

from .masking import FIELDS
from .models import SUFFIX_LENGTH, suffix_of

# Nothing that is searched is longer, and a database may refuse what is.
MAX_TERM_LENGTH = 256


def found_by(request: HttpRequest, fields: Iterable[str], term: str) -> Q | None:
    """Find the rows of which one of the fields answers to the term; `None` where none can."""
    conditions = _conditions(request, fields, term)
    return reduce(or_, conditions.values()) if conditions else None


def index_queries(rows: QuerySet[Any], request: HttpRequest, fields: Iterable[str], term: str) -> list[QuerySet[Any]]:
    """A query for each field that answers to the term, in the order of the index that answers it.

    One query for all would do, but few databases answer an OR over different indexes by these. The order keeps a
    database from reading the table where it takes the matches for many.
    """
    return [
        rows.filter(condition).order_by(*_order(field))
        for field, condition in _conditions(request, fields, term).items()
    ]


def row_by_row(rows: QuerySet[Any], condition: Q) -> QuerySet[Any]:
    """The rows that meet a condition which many meet, of those that a page looks through.

    As a case, so that no database finds the many by an index instead, to leave out most of them.
    """
    met: QuerySet[Any] = rows.alias(is_met=Case(When(condition, then=Value(True)), default=Value(False)))
    return met.filter(is_met=True)


def _conditions(request: HttpRequest, fields: Iterable[str], term: str) -> dict[str, Q]:
    if not term or len(term) > MAX_TERM_LENGTH or "\0" in term:
        return {}
    return {
        field: _SEARCHES[name](field, term)
        for field in fields
        if may_search(request, name := field.rpartition("__")[2])
    }


def may_search(request: HttpRequest, field: str) -> bool:
    """Whether the user sees the whole of a field; what is masked could else be found out by asking often enough."""
    return field not in FIELDS or FIELDS[field].is_visible(request)


def _order(field: str) -> tuple[str, ...]:
    return ("remote_suffix", "remote_number") if field == "remote_number" else (field,)


def _whole(field: str, term: str) -> Q:
    return Q(**{field: term})


# After a term, they sort after all that is written: U+10FFFF where code points count and in the collations of ICU, the
# ideograph in those of glibc, which pay no attention to what is no character. The database says which comes later.
_LAST = ("\U0010ffff", "\U0002fa1d")


def _beginning(field: str, term: str) -> Q:
    # The span is for the index: with LIKE alone, few databases use one. In a language that sorts two letters as one,
    # a term that ends between them finds less: in Danish, `A` finds no `AA-C-1`.
    end = Greatest(*(Value(term + last, output_field=CharField()) for last in _LAST))
    return Q(**{f"{field}__gte": term, f"{field}__lt": end, f"{field}__startswith": term})


def _number(field: str, term: str) -> Q:
    """Find a number by the whole of it, or by 8 or more of its last digits."""
    if not re.fullmatch(r"[+\d\s().-]+", term, re.ASCII):
        return _numbered(field, [term])
    # Leading zeros stand for the plus, or for one's own country.
    digits = re.sub(r"\D", "", term).lstrip("0")
    if len(digits) < SUFFIX_LENGTH:
        return _numbered(field, [term, digits, f"+{digits}"])
    return Q(remote_suffix=suffix_of(digits), **{f"{field}__endswith": digits})


def _numbered(field: str, spellings: list[str]) -> Q:
    # The index has the tail before the number.
    return Q(remote_suffix=suffix_of(spellings[0]), **{f"{field}__in": spellings})


_SEARCHES: dict[str, Callable[[str, str], Q]] = {
    "txn_ref": _beginning,
    "bulk_txn_ref": _beginning,
    "session": _beginning,
    "tag": _whole,
    "remote_number": _number,
}
