"""Keyset pagination of notifications, whose keys have no gaps unless a test makes one."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_hoiio.keyset import MAX_KEYS, Keys, Page, keys_of, page_of
from django_hoiio.models import Notification
from tests.factories import notifications

pytestmark = pytest.mark.django_db


@pytest.fixture
def keys() -> list[int]:
    """The keys of ten notifications, oldest first; the third is of another kind."""
    made = notifications(10)
    Notification.objects.filter(pk=made[2].pk).update(kind="call_ended")
    return [each.pk for each in made]


def shown(page: Page) -> tuple[list[int], int | None, int | None, int | None]:
    return [row.pk for row in page.rows], page.older, page.newer, page.scanned_to


def every() -> Any:
    return Notification.objects.all()


def ended() -> Any:
    return Notification.objects.filter(kind="call_ended")


def test_first_page_has_the_newest(keys: list[int]) -> None:
    assert shown(page_of(every(), size=4)) == (keys[:-5:-1], keys[6], None, None)


def test_older_pages_go_down_to_the_oldest(keys: list[int]) -> None:
    second = page_of(every(), size=4, older_than=keys[6])
    assert shown(second) == (keys[5:1:-1], keys[2], keys[6] - 1, None)
    assert shown(page_of(every(), size=4, older_than=second.older)) == (keys[1::-1], None, keys[2] - 1, None)


def test_newer_pages_go_up_the_same_way(keys: list[int]) -> None:
    second = page_of(every(), size=4, newer_than=keys[1])
    assert shown(second) == (keys[5:1:-1], keys[1] + 1, keys[5], None)


def test_last_newer_page_has_only_newer_rows_and_no_row_twice(keys: list[int]) -> None:
    assert shown(page_of(every(), size=4, newer_than=keys[7])) == (keys[:-3:-1], keys[7] + 1, None, None)
    assert shown(page_of(every(), size=4, newer_than=keys[5])) == (keys[:-5:-1], keys[5] + 1, None, None)


def test_page_from_below_all_keys_has_the_oldest(keys: list[int]) -> None:
    assert shown(page_of(every(), size=4, newer_than=0)) == (keys[3::-1], None, keys[3], None)


def test_page_that_ends_with_the_last_row_has_no_next_page(keys: list[int]) -> None:
    assert shown(page_of(every(), size=10)) == (keys[::-1], None, None, None)
    assert page_of(every(), size=9).older == keys[1]


@pytest.mark.parametrize("scan_limit", [0, 5])
def test_page_above_all_keys_begins_with_the_newest(keys: list[int], scan_limit: int) -> None:
    page = page_of(every(), size=4, older_than=10**17, scan_limit=scan_limit)
    assert ([row.pk for row in page.rows], page.older) == (keys[:-5:-1], keys[6])


@pytest.mark.parametrize("scan_limit", [0, 5])
def test_no_row_is_newer_than_a_cursor_above_all_keys(keys: list[int], scan_limit: int) -> None:
    assert shown(page_of(every(), size=4, newer_than=10**17, scan_limit=scan_limit)) == ([], keys[9] + 1, None, None)


def test_scan_from_above_all_keys_starts_at_the_newest_key(keys: list[int]) -> None:
    assert shown(page_of(ended(), size=4, older_than=10**17, scan_limit=5)) == ([], keys[5], None, keys[5])


def test_scan_from_below_all_keys_starts_at_the_oldest_key(keys: list[int]) -> None:
    Notification.objects.filter(pk__in=keys[:2]).delete()
    assert shown(page_of(ended(), size=4, newer_than=0, scan_limit=1)) == ([keys[2]], None, keys[2], keys[2])


def test_empty_table_has_an_empty_page() -> None:
    for place in ({}, {"older_than": 5}, {"newer_than": 5}, {"scan_limit": 3}):
        page = page_of(every(), size=4, **place)
        assert (page.rows, page.older, page.scanned_to) == ([], None, None)


def test_page_scans_no_further_than_its_limit_and_reports_it(keys: list[int]) -> None:
    assert shown(page_of(ended(), size=4, scan_limit=5)) == ([], keys[5], None, keys[5])
    # From there it finds the rows, and has more to scan.
    assert shown(page_of(ended(), size=4, older_than=keys[5], scan_limit=4)) == (
        [keys[2]],
        keys[1],
        keys[5] - 1,
        keys[1],
    )


def test_page_that_has_scanned_all_rows_reports_no_limit(keys: list[int]) -> None:
    assert shown(page_of(ended(), size=4, scan_limit=10)) == ([keys[2]], None, None, None)
    assert page_of(ended(), size=4, scan_limit=9).scanned_to == keys[1]


def test_full_page_is_not_cut(keys: list[int]) -> None:
    assert shown(page_of(every(), size=2, scan_limit=5)) == (keys[:-3:-1], keys[8], None, None)


def test_newer_page_scans_no_further_than_its_limit(keys: list[int]) -> None:
    assert shown(page_of(ended(), size=4, newer_than=keys[3], scan_limit=3)) == ([], keys[3] + 1, keys[6], keys[6])
    assert shown(page_of(ended(), size=4, newer_than=keys[1], scan_limit=2)) == (
        [keys[2]],
        keys[1] + 1,
        keys[3],
        keys[3],
    )


def test_gap_of_deleted_rows_does_not_end_the_pages(keys: list[int]) -> None:
    Notification.objects.filter(pk__in=keys[3:9]).delete()
    page = page_of(ended(), size=4, scan_limit=3)
    assert (page.rows, page.scanned_to) == ([], keys[7])
    assert [row.pk for row in page_of(ended(), size=4, scan_limit=9).rows] == [keys[2]]


def test_deepest_page_costs_as_many_queries_as_the_first(keys: list[int]) -> None:
    costs = []
    for place in ({}, {"older_than": keys[1]}, {"scan_limit": 3}, {"older_than": keys[9], "scan_limit": 3}):
        with CaptureQueriesContext(connection) as queries:
            page_of(every(), size=4, **place)
        costs.append(len(queries))
        assert not any("COUNT" in query["sql"] or "OFFSET" in query["sql"] for query in queries)
    assert costs == [1, 1, 3, 2]


# Limited sets of keys.


def test_keys_of_several_index_queries_are_combined(keys: list[int]) -> None:
    ways = [every().filter(pk__in=keys[:2]), every().filter(pk__in=keys[1:3])]
    assert keys_of(ways) == Keys(keys=set(keys[:3]), are_all=True)
    assert keys_of([]) == Keys(keys=set(), are_all=True)


@pytest.mark.parametrize(("count", "are_all"), [(MAX_KEYS, True), (MAX_KEYS + 1, False)])
def test_keys_are_not_all_fetched_if_there_are_many(count: int, are_all: bool) -> None:
    notifications(count + 5)
    lowest = Notification.objects.order_by("-pk").values_list("pk", flat=True)[count - 1]
    found = keys_of([Notification.objects.filter(pk__gte=lowest)])
    assert (len(found.keys), found.are_all) == (count, are_all)


def test_combined_keys_above_the_maximum_are_incomplete() -> None:
    some = Keys(keys=set(range(MAX_KEYS)), are_all=True)
    assert (some | some).are_all
    assert not (some | Keys(keys={MAX_KEYS}, are_all=True)).are_all
    assert not (some | Keys(keys=set(), are_all=False)).are_all
