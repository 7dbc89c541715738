"""What `RETENTION_DAYS` says."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.checks import CheckMessage, Error

from ..kinds import Kind

_EXAMPLE = "(30, 365), the days after which it is blanked and deleted; None is never"


def unusable_retention(given: Mapping[str, Any]) -> Iterator[CheckMessage]:
    """The entries that cannot be meant."""
    for kind, days in given.items():
        if kind not in Kind.values:
            yield _unknown_kind(kind)
        elif not _is_pair(days):
            yield _no_pair(kind, days)
        elif None not in days and days[1] < days[0]:
            yield _deleted_first(kind, *days)


def _is_pair(days: object) -> bool:
    """True for two numbers of days, or `None`; a day that is not over cannot be closed, and so not deleted from."""
    if not isinstance(days, tuple | list) or len(days) != 2:
        return False
    return all(each is None or (type(each) is int and each >= 1) for each in days)


def _unknown_kind(kind: object) -> CheckMessage:
    meant = difflib.get_close_matches(str(kind), Kind.values, n=1)
    hint = f"Write {meant[0]!r} instead." if meant else f"Remove it; the kinds are {', '.join(Kind.values)}."
    return Error(
        f"HOIIO['RETENTION_DAYS'] has {kind!r}, which is no kind of notification.", hint=hint, id="django_hoiio.E013"
    )


def _no_pair(kind: str, days: object) -> CheckMessage:
    return Error(
        f"HOIIO['RETENTION_DAYS'][{kind!r}] is {days!r}; it is two whole numbers from 1, or None.",
        hint=f"Write {kind!r}: {_EXAMPLE}.",
        id="django_hoiio.E014",
    )


def _deleted_first(kind: str, blank: int, delete: int) -> CheckMessage:
    return Error(
        f"HOIIO['RETENTION_DAYS'][{kind!r}] deletes after {delete} days what it blanks after {blank}.",
        hint=f"Write {kind!r}: ({delete}, {blank}), or (None, {delete}) to delete it unblanked.",
        id="django_hoiio.E015",
    )
