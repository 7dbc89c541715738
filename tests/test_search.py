"""Search finds the same rows with any collation, through an index."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest
from django.test import RequestFactory

from django_hoiio.api.filters import NotificationFilters
from django_hoiio.keyset import MAX_KEYS
from django_hoiio.models import Call, Fax, Notification, Sms
from django_hoiio.search import index_queries, search_q
from tests.factories import notifications, transactions
from tests.plans import ROWS, VENDOR, is_answered_by, learn, plan_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_of_root(db: None) -> HttpRequest:
    request = RequestFactory().get("/")
    request.user = User.objects.create_superuser("root")
    return request


BEGINS = "{0}>? AND {0}<?"
NUMBERED = "remote_suffix=? AND remote_number=?"

# Term, column, index, and the columns that SQLite looks up in it.
SEARCHES: list[tuple[Any, str, str, str, str]] = [
    (Notification, "txn_ref", "AA-S-718", "hoiio_notification_txn_ref", BEGINS.format("txn_ref")),
    (Notification, "session", "S-718", "hoiio_notification_session", BEGINS.format("session")),
    (Call, "txn_ref", "AA-T-718", "hoiio_call_txn_ref", BEGINS.format("txn_ref")),
    (Call, "session", "S-718", "hoiio_call_session", BEGINS.format("session")),
    (Call, "tag", "order 718", "hoiio_call_tag", "tag=?"),
    (Call, "remote_number", "90000718", "hoiio_call_remote_number", "remote_suffix=?"),
    (Sms, "txn_ref", "AA-T-718", "hoiio_sms_txn_ref_part", BEGINS.format("txn_ref")),
    (Sms, "bulk_txn_ref", "AA-B-718", "hoiio_sms_bulk_txn_ref", BEGINS.format("bulk_txn_ref")),
    (Sms, "tag", "order 718", "hoiio_sms_tag", "tag=?"),
    (Sms, "remote_number", "659000718", "hoiio_sms_remote_number", "remote_suffix=?"),
    (Sms, "remote_number", "ALERT", "hoiio_sms_remote_number", NUMBERED),
    (Fax, "txn_ref", "AA-T-718", "hoiio_fax_txn_ref", BEGINS.format("txn_ref")),
    (Fax, "tag", "order 718", "hoiio_fax_tag", "tag=?"),
    (Fax, "remote_number", "+659000718", "hoiio_fax_remote_number", "remote_suffix=?"),
]


@pytest.mark.parametrize(("model", "field", "term", "index", "columns"), SEARCHES)
def test_each_search_is_answered_by_its_index(
    request_of_root: HttpRequest, model: Any, field: str, term: str, index: str, columns: str
) -> None:
    rows = notifications(ROWS) if model is Notification else transactions(model, ROWS)
    if field in ("session", "bulk_txn_ref"):
        for number, row in enumerate(rows):
            setattr(row, field, f"{'S' if field == 'session' else 'AA-B'}-{number}")
        model.objects.bulk_update(rows, [field], batch_size=500)
    learn(model)
    # The index on the references of notifications has those that no transaction contains.
    is_partial = index == "hoiio_notification_txn_ref"
    rows = Notification.objects.unlinked() if is_partial else model.objects.all()
    (way,) = index_queries(rows, request_of_root, [field], term)
    query = way.values_list("pk", flat=True)[: MAX_KEYS + 1]
    assert is_answered_by(query, index, columns), plan_of(query)


def test_filter_of_the_api_for_the_reference_of_a_notification_is_answered_by_indexes(
    request_of_root: HttpRequest,
) -> None:
    rows = transactions(Sms, ROWS, txn_ref="AA-T-{}".format)
    for number, one in enumerate(made := notifications(2 * ROWS, txn_ref="AA-T-{}".format)):
        one.sms = rows[number] if number < ROWS else None
    Notification.objects.bulk_update(made, ["sms"], batch_size=500)
    learn(Notification, Sms)

    for term in ("AA-T-7", f"AA-T-{ROWS + 7}", "nothing"):
        query = NotificationFilters({"txn_ref": term}, Notification.objects.all(), request=request_of_root).qs
        assert [one.txn_ref for one in query] == [term] * (term != "nothing")
        plan = plan_of(query.order_by().values_list("pk", flat=True)[: MAX_KEYS + 1])
        assert not any(word in plan for word in ("SCAN", "Seq Scan", "'ALL'")), plan


# Prefixes.

WRITTEN = [
    *("AA-S-1", "aa-s-1", "AA-S-12", "AA-S-2", "AA-SI-1", "AA-C-1", "AA-CH-1", "Aa-S-1", "AA_S_1", "AA S 1", "AAS1"),
    *("AA-S-1-", "AA-S--1", "AA-S-1 2", "AA-S-1é", "AA-S-1\u0301", "AA-S-1ß", "AA-S-1😀", "AA-S-1\u200e", "AA-S-1%"),
    *("AA-S-1zz", "AA-S-1ZZ", "AA-S-1年", "AA-S-1я", "AA-S-1_", "AA-S-1\\", "AA-S-1'", "S3839", "s3839", "S-3839", "Z"),
]
TERMS = [
    "AA-S-1",
    "aa-s-1",
    "AA-S",
    "AA-S-",
    "AA-C",
    "AA",
    "AA-",
    "S",
    "s3",
    "S-",
    "AA_",
    "AA-S-1%",
    "AA-S-1é",
    "Z",
    "😀",
]

COLLATIONS = {
    "sqlite": ["BINARY"],
    # Not every machine has those of glibc; `_LAST` covers them.
    "postgresql": ["C", "C.utf8", "en-x-icu", "und-x-icu", "de-x-icu", "et-x-icu", "ja-x-icu", "ko-x-icu"],
    "mysql": ["utf8mb4_bin"],
}[VENDOR]


@pytest.mark.parametrize("collation", COLLATIONS)
def test_prefix_finds_exactly_the_rows_that_begin_with_it(request_of_root: HttpRequest, collation: str) -> None:
    if VENDOR == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                f'ALTER TABLE django_hoiio_notification ALTER COLUMN session TYPE varchar(64) COLLATE "{collation}"'
            )
    made = notifications(len(WRITTEN))
    for row, session in zip(made, WRITTEN, strict=True):
        Notification.objects.filter(pk=row.pk).update(session=session)
    wrong = {}
    for term in TERMS:
        (way,) = index_queries(Notification.objects.all(), request_of_root, ["session"], term)
        found = sorted(way.values_list("session", flat=True))
        if found != sorted(session for session in WRITTEN if session.startswith(term)):
            wrong[term] = found
    assert wrong == {}


def test_term_that_no_column_can_match_needs_no_query(request_of_root: HttpRequest) -> None:
    for term in ("", "a\0", "x" * 257):
        assert search_q(request_of_root, ["tag"], term) is None
        assert index_queries(Sms.objects.all(), request_of_root, ["tag"], term) == []
