"""Rows that changed since a moment, for clients that poll."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from django.db.models import Q

from django_hoiio.enums import Source
from django_hoiio.models import Notification

from .filters import ListQuery
from .pagination import (
    Cursor,
    CursorMismatch,
    CursorPage,
    CursorType,
    IndexQuery,
    KeyPagination,
    Rows,
    by_key,
    by_moment,
)

# The feed starts this long before `updated_since`. It covers the time between the timestamp of a row and its commit,
# and the clock differences between servers.
OVERLAP = timedelta(minutes=5)


class ChangeFeedPagination(KeyPagination):
    """Pages of rows; with `updated_since`, pages of rows that changed since then."""

    def index_query(self, rows: Rows, query: ListQuery) -> IndexQuery:
        if query.since is None:
            return super().index_query(rows, query)
        return received_since if rows.model is Notification else changed_since


def changed_since(rows: Rows, query: ListQuery, cursor: Cursor | None, size: int) -> CursorPage:
    """Return the calls, SMS or faxes that changed since `query.since`, each at least once.

    If no notification is known to be older, return all rows.
    """
    begin = _begin_of(query)
    stored_before = _last_stored_before(begin, rows.db)
    if cursor is None and stored_before is not None:
        cursor = Cursor(type=CursorType.REPORTED, key=_newest_key(rows.db) + 1)
    if cursor is None or cursor.type in (CursorType.OLDER, CursorType.NEWER):
        return by_key(rows, replace(query, other_filters=query.all), cursor, size)
    if cursor.type == CursorType.REPORTED:
        return _reported(rows, query, cursor, size, stored_before or 0)
    return _sent(rows, query, cursor, size, begin)


def received_since(rows: Rows, query: ListQuery, cursor: Cursor | None, size: int) -> CursorPage:
    """Return the notifications that were stored since `query.since`."""
    stored_before = _last_stored_before(_begin_of(query), rows.db)
    return by_key(rows, replace(query, other_filters=query.all), cursor, size, above=stored_before or 0)


def _reported(rows: Rows, query: ListQuery, cursor: Cursor, size: int, stored_before: int) -> CursorPage:
    """Return the rows that contain a page of notifications."""
    if cursor.moment is not None:
        raise CursorMismatch
    link = f"{rows.model._meta.model_name}_id"
    notifications = Notification.objects.using(rows.db).only(link)
    about = ListQuery(moment="received_at", other_filters=Q(**{f"{link}__isnull": False}))
    page = by_key(notifications, about, replace(cursor, type=CursorType.OLDER), size, above=stored_before)
    keys = {getattr(notification, link) for notification in page.rows}
    found = list(rows.filter(query.all, pk__in=keys).order_by("-pk"))
    # The rows that were sent come next. This cursor is newer than all of them.
    end = Cursor(type=CursorType.SENT, key=0, moment=_END_OF_TIME)
    return CursorPage(rows=found, next=end if page.next is None else replace(page.next, type=CursorType.REPORTED))


def _sent(rows: Rows, query: ListQuery, cursor: Cursor, size: int, begin: datetime) -> CursorPage:
    """Return the rows created since `begin` that are not final. They include all rows without a notification."""
    if cursor.moment is None:
        raise CursorMismatch
    sent = ListQuery(moment="created_at", begin=begin, is_final=False, other_filters=query.all)
    page = by_moment(rows, sent, replace(cursor, type=CursorType.OLDER), size)
    return CursorPage(rows=page.rows, next=page.next and replace(page.next, type=CursorType.SENT))


_END_OF_TIME = datetime(2200, 1, 1, tzinfo=timezone.utc)


def _begin_of(query: ListQuery) -> datetime:
    if query.since is None or query.since < _EPOCH + OVERLAP:
        return _EPOCH
    return query.since - OVERLAP


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def _newest_key(using: str) -> int:
    return Notification.objects.using(using).order_by("-pk").values_list("pk", flat=True).first() or 0


def _last_stored_before(moment: datetime, using: str) -> int | None:
    """Return a primary key that was committed before `moment`, as were all smaller keys; `None` if there is none.

    A notification from the spool has the `received_at` of its request. It was committed before it was dispatched.
    """
    dispatched = Q(dispatched_at__lt=moment) | Q(dispatched_at=None, claimed_until__lt=moment)
    known = Notification.objects.using(using).filter(Q(source=Source.WEBHOOK) | dispatched, received_at__lt=moment)
    return known.order_by("-received_at", "-pk").values_list("pk", flat=True).first()
