"""Rows that changed since a moment, for clients that poll."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from django.db.models import Q

from django_hoiio.enums import Source
from django_hoiio.models import Notification

from .filters import Filters
from .pagination import EPOCH, CursorPage, Position, RowPagination, Rows

# The feed starts this long before `updated_since`. It covers the time between the timestamp of a row and its commit,
# and the clock differences between servers.
OVERLAP = timedelta(minutes=5)
_END_OF_TIME = datetime(2200, 1, 1, tzinfo=timezone.utc)

# The orders of the feed: first the rows that notifications reported, then those that were sent.
REPORTED, SENT = "reported", "sent"


class ChangeFeedPagination(RowPagination):
    """Newest rows first; with `updated_since`, only rows that changed since then, each at least once.

    Follow `next` until it is null. If no index answers a parameter, a page scans a limited number of rows, and may have
    few rows or none although `next` is not null.
    """

    def find(self, rows: Rows, filters: Filters) -> CursorPage:
        since = filters.form.cleaned_data["updated_since"]
        if since is None:
            return super().find(rows, filters)
        begin = max(since, EPOCH + OVERLAP) - OVERLAP
        return self._page_since(begin, rows, filters)._replace(previous=None)

    def _page_since(self, begin: datetime, rows: Rows, filters: Filters) -> CursorPage:
        stored_before = _last_stored_before(begin, rows.db)
        is_scan = filters.given != {"updated_since"}
        if rows.model is Notification:
            return self.by_key(rows, is_scan=is_scan, above=stored_before or 0)
        position = self.cursor.position
        if position is not None and position.order == SENT:
            # They include all rows without a notification.
            sent = Q(is_final__in=[False], created_at__gte=begin)
            scanned = filters.narrowed(()).filter(sent) if is_scan else rows.none()
            return self.by_moment("created_at", [rows.filter(sent)], [scanned], order=SENT)
        if position.order == REPORTED if position is not None else stored_before is not None:
            return self._reported(rows, stored_before or 0)
        # No notification is known to be older, so all rows are returned.
        return self.by_key(rows, is_scan=is_scan)

    def _reported(self, rows: Rows, stored_before: int) -> CursorPage:
        """Return the rows that contain a page of notifications."""
        link = f"{rows.model._meta.model_name}_id"
        about = Notification.objects.using(rows.db).only(link).filter(**{f"{link}__isnull": False})
        page = self.by_key(about, is_scan=True, above=stored_before, order=REPORTED)
        keys = {getattr(notification, link) for notification in page.rows}
        # The rows that were sent come next. This position is newer than all of them.
        return CursorPage(rows.filter(pk__in=keys).order_by("-pk"), page.next or Position(SENT, 0, _END_OF_TIME))


def _last_stored_before(moment: datetime, using: str) -> int | None:
    """Return a primary key that was committed before `moment`, as were all smaller keys; `None` if there is none.

    A notification from the spool has the `received_at` of its request. It was committed before it was dispatched.
    """
    dispatched = Q(dispatched_at__lt=moment) | Q(dispatched_at=None, claimed_until__lt=moment)
    known = Notification.objects.using(using).filter(Q(source=Source.WEBHOOK) | dispatched, received_at__lt=moment)
    return known.order_by("-received_at", "-pk").values_list("pk", flat=True).first()
