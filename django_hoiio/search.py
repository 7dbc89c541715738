"""Turn a search term into queries that use an index and do not reveal masked values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Case, CharField, Model, Q, QuerySet, Value, When
from django.db.models.functions import Greatest
from django.http import HttpRequest

from .masking import REVEALING
from .parsing.parameters import SUFFIX_LENGTH, suffix_of

# No searched column is longer, and a database may refuse a longer term.
MAX_TERM_LENGTH = 256


def search_q(request: HttpRequest, fields: Iterable[str], term: str) -> Q | None:
    """Return a condition for rows in which one of the fields matches the term; `None` if none can match."""
    conditions = _conditions(request, fields, term)
    return reduce(or_, conditions.values()) if conditions else None


def index_queries(rows: QuerySet[Any], request: HttpRequest, fields: Iterable[str], term: str) -> list[QuerySet[Any]]:
    """Return a query for each field that can match the term, in the order of its index.

    One query would do, but few databases use several indexes for an OR. The order keeps a database from reading the
    whole table if it expects many matches.
    """
    return [
        rows.filter(condition).order_by(*_order(field.removeprefix("^")))
        for field, condition in _conditions(request, fields, term).items()
    ]


# The project's own number may be in any of these fields. No index finds it.
_OWN_NUMBERS = ("from_number", "to_number", "dest", "dest1", "dest2")


def own_number_q(request: HttpRequest, model: type[Model], term: str) -> Q | None:
    """Return a condition for rows with the project's own number, for a scan; `None` if none can match."""
    digits = _digits_of(term) if len(term) <= MAX_TERM_LENGTH else ""
    if not digits or not may_search(request, "from_number"):
        return None
    how, value = ("endswith", digits) if len(digits) >= SUFFIX_LENGTH else ("in", [digits, f"+{digits}"])
    fields = {field.name for field in model._meta.fields}.intersection(_OWN_NUMBERS)
    return Q(*((f"{name}__{how}", value) for name in sorted(fields)), _connector=Q.OR)


def row_by_row(rows: QuerySet[Any], condition: Q) -> QuerySet[Any]:
    """Filter the scanned rows by a condition that many rows meet.

    The CASE prevents the database from using an index, which would find many rows and discard most of them.
    """
    met: QuerySet[Any] = rows.alias(is_met=Case(When(condition, then=Value(True)), default=Value(False)))
    return met.filter(is_met=True)


def _conditions(request: HttpRequest, fields: Iterable[str], term: str) -> dict[str, Q]:
    if not term or len(term) > MAX_TERM_LENGTH or "\0" in term:
        return {}
    return {
        field: _SEARCHES[name](field.removeprefix("^"), term)
        for field in fields
        if may_search(request, name := field.rpartition("__")[2])
    }


def may_search(request: HttpRequest, field: str) -> bool:
    """Return whether the user may filter and search by a field. Repeated searches could reveal a masked value."""
    return field not in REVEALING or REVEALING[field].is_visible(request)


def _order(field: str) -> tuple[str, ...]:
    return ("remote_suffix", "remote_number") if field == "remote_number" else (field,)


def _whole(field: str, term: str) -> Q:
    return Q(**{field: term})


# A term with one of these suffixes sorts after all texts that begin with the term: U+10FFFF in code point order and in
# ICU collations, the ideograph in glibc collations, which ignore noncharacters. The database picks the greater one.
_LAST = ("\U0010ffff", "\U0002fa1d")


def _beginning(field: str, term: str) -> Q:
    # The range is for the index: few databases use one for LIKE alone. In a language that sorts two letters as one,
    # a term that ends between them finds less: in Danish, `A` does not find `AA-C-1`.
    end = Greatest(*(Value(term + last, output_field=CharField()) for last in _LAST))
    return Q(**{f"{field}__gte": term, f"{field}__lt": end, f"{field}__startswith": term})


def _number(field: str, term: str) -> Q:
    """Match a whole number, or 8 or more of its last digits."""
    if not _is_number(term):
        return _numbered(field, [term])
    digits = _digits_of(term)
    if len(digits) < SUFFIX_LENGTH:
        return _numbered(field, [term, digits, f"+{digits}"])
    return Q(remote_suffix=suffix_of(digits), **{f"{field}__endswith": digits})


def _is_number(term: str) -> bool:
    return re.fullmatch(r"[+\d\s().-]+", term, re.ASCII) is not None


def _digits_of(term: str) -> str:
    """Return the digits of a number without leading zeros, which are an international or a national prefix."""
    return re.sub(r"\D", "", term, flags=re.ASCII).lstrip("0") if _is_number(term) else ""


def _numbered(field: str, spellings: list[str]) -> Q:
    # The index starts with the suffix.
    return Q(remote_suffix=suffix_of(spellings[0]), **{f"{field}__in": spellings})


_SEARCHES: dict[str, Callable[[str, str], Q]] = {
    "txn_ref": _beginning,
    "bulk_txn_ref": _beginning,
    "session": _beginning,
    "tag": _whole,
    "^tag": _beginning,
    "remote_number": _number,
}
