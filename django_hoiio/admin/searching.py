"""How notifications are found by what their calls, SMS and faxes alone have a column for: a number, a tag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest

from django_hoiio.models import Call, Fax, Sms, Transaction
from django_hoiio.paging import FEW, Keys, keys_of
from django_hoiio.searching import found_by, one_by_one, ways_to

_FIELDS = ("other_number", "tag")

# Of transactions that are too many to be named, so many are: Django offers as many rows while somebody types.
OFFERED = 20

# What a notification and its transaction have in common, beside the account.
_NAMES: Mapping[type[Transaction], tuple[str, ...]] = {
    Call: ("txn_ref", "session", "arrival"),
    Sms: ("txn_ref", "arrival"),
    Fax: ("txn_ref", "arrival"),
}


def searches_about(request: HttpRequest, rows: QuerySet[Any], term: str) -> Iterator[tuple[Keys, Q]]:
    """What answers to the term by being about a call, an SMS or a fax, of those that the user may view.

    For each the keys, by indexes; and what tells a notification about such a one from others, where these are not all.
    """
    for model in _NAMES:
        if request.user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}"):
            same = _same(model, request, term)
            yield _keys_about(model, request, rows, term), Q(*map(Exists, same), _connector=Q.OR)


def _keys_about(model: type[Transaction], request: HttpRequest, rows: QuerySet[Any], term: str) -> Keys:
    transactions = model._default_manager.using(rows.db)
    keys = keys_of(ways_to(transactions.all(), request, _FIELDS, term))
    found = Keys(keys=frozenset(), are_all=keys.are_all)
    some = keys.keys if keys.are_all else sorted(keys.keys)[:OFFERED]
    for name in _NAMES[model] if some else ():
        named = set(transactions.filter(pk__in=some).values_list("account", name))
        found |= _named(rows, name, named)
    return found


def _named(rows: QuerySet[Any], name: str, named: set[tuple[str, Any]]) -> Keys:
    """The keys of the notifications that bear one of the names, each of an account."""
    values = {value for _account, value in named if value}
    same = rows.filter(**{f"{name}__in": values}).order_by(name).values_list("pk", "account", name)[: FEW + 1]
    keys = {pk for pk, account, value in same if (account, value) in named}
    return Keys(keys=keys, are_all=len(same) <= FEW)


def _same(model: type[Transaction], request: HttpRequest, term: str) -> Iterator[QuerySet[Any]]:
    """The transaction of each notification, by each name, where it answers to the term."""
    condition = found_by(request, _FIELDS, term) or Q(pk__in=())
    for name in _NAMES[model]:
        same = model._default_manager.filter(**{"account": OuterRef("account"), name: OuterRef(name)})
        # The account is said in the case, too: else PostgreSQL reads the whole table into a hash, to look up few.
        yield one_by_one(same, condition & Q(account=OuterRef("account")))
