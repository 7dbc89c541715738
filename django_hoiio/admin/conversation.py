"""The conversation page: all calls, SMS and faxes with one phone number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.text import Truncator
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_hoiio.enums import Direction
from django_hoiio.masking import NUMBER, MaskedText, mask_rows
from django_hoiio.models import TRANSACTION_MODELS, Transaction
from django_hoiio.parsing.parameters import suffix_of

from .formatting import label, size_texts, statuses_of
from .read_only import ReadOnlyAdmin
from .sections import open_button

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

# The fields that may hold a remote party's number.
NUMBER_FIELDS = ("remote_number", "from_number", "dest", "dest1", "dest2")


@dataclass(frozen=True, kw_only=True)
class Message:
    """A row as the conversation shows it. `row` is masked."""

    row: Transaction
    kind: _StrOrPromise
    url: str
    day: str
    status: str
    cost: str
    # Duration or size.
    size_texts: str
    text: str = ""
    document: str = ""
    # True for the row whose link the user followed.
    is_current: bool = False

    @property
    def side(self) -> str:
        return self.row.direction or Direction.INCOMING.value


class ConversationPage(ReadOnlyAdmin):
    """Add the page of the conversation with a row's number. Its URL has the row's key, never the number."""

    # The status fields of the model.
    statuses: ClassVar[tuple[str, ...]]

    class Media:
        css = {"all": ("django_hoiio/conversation.css",)}
        js = ("django_hoiio/copy.js",)

    @admin.display(description=_("status"))
    def status_words(self, row: Transaction) -> str:
        """Show each status once: a fax that was busy has `busy` as its error as well."""
        labels = dict.fromkeys(label(each.raw, each.word) for each in statuses_of(row, self.statuses))
        return format_html_join(" ", "{}", ((each,) for each in labels))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.conversation_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_conversation"
        return [path("<int:pk>/conversation/", view, name=name), *super().get_urls()]

    def links(self, request: HttpRequest, row: Any) -> Iterable[str]:
        if row.remote_number:
            yield format_html('<a href="{}">{}</a>', self.conversation_url(row), gettext("Conversation"))

    def conversation_url(self, row: Transaction, name: str = "remote_number") -> str:
        opts = row._meta
        url = reverse(
            f"admin:{opts.app_label}_{opts.model_name}_conversation", args=[row.pk], current_app=self.admin_site.name
        )
        return url if name == "remote_number" else f"{url}?number={name}"

    def number_link(self, row: Transaction, name: str) -> str:
        """Link a number of a masked row to its conversation."""
        number = getattr(row, name)
        if not number:
            return ""
        link = format_html('<a href="{}">{}</a>', self.conversation_url(row, name), str(number))
        return number.titled(link) if isinstance(number, MaskedText) else link

    def conversation_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        row: Any = self.get_queryset(request).filter(pk=pk).first()
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        number = self._number_of(row, request.GET.get("number", "remote_number"))
        shows_numbers = NUMBER.is_visible(request)
        # A list of rows with the same number would distinguish two numbers that look alike when masked.
        page = self._page(request, number) if shows_numbers else MessagePage(rows=[row])
        title = gettext("Conversation with %s") % (number if shows_numbers else NUMBER.mask(number))
        context = {
            "link": self.link_to(request, row, f"{self.opts.verbose_name} {row}"),
            "messages_shown": [self._message(request, each, row) for each in page.rows],
            "shows_numbers": shows_numbers,
            "older": self._page_url(request, "before", page.older),
            "newer": self._page_url(request, "after", page.newer),
        }
        return self.render_page(request, "admin/django_hoiio/conversation.html", title, context)

    def _page(self, request: HttpRequest, number: str) -> MessagePage:
        return message_page(
            number,
            self._visible(request),
            before=parse_position(request.GET.get("before", "")),
            after=parse_position(request.GET.get("after", "")),
        )

    def _number_of(self, row: Any, name: str) -> str:
        number = getattr(row, name, "") if row is not None and name in NUMBER_FIELDS else ""
        if not number:
            raise Http404("It has no such number.")
        return str(number)

    def _visible(self, request: HttpRequest) -> list[type[Transaction]]:
        """Return the models whose rows the user may view on this site."""
        site = self.admin_site
        return [
            model
            for model in TRANSACTION_MODELS
            if site.is_registered(model)
            # A project's own admin class may not mask its rows.
            and isinstance(its_admin := site.get_model_admin(model), ConversationPage)
            and its_admin.has_view_permission(request)
        ]

    def _page_url(self, request: HttpRequest, direction: str, position: MessagePosition | None) -> str:
        if position is None:
            return ""
        query = request.GET.copy()
        for name in ("before", "after"):
            query.pop(name, None)
        query[direction] = str(position)
        return f"?{query.urlencode()}"

    def _message(self, request: HttpRequest, row: Any, current: Transaction) -> Message:
        its_admin: Any = self.admin_site.get_model_admin(type(row))
        mask_rows(request, [row])
        text = getattr(row, "msg", "")
        return Message(
            row=row,
            kind=row._meta.verbose_name,
            url=self.url_of(row),
            day=localtime(row.created_at).date().isoformat(),
            status=its_admin.status_words(row),
            cost=its_admin.cost(row),
            size_texts=", ".join(size_texts(row)),
            text=text if len(text) <= MAX_TEXT else Truncator(text).chars(MAX_TEXT),
            document=open_button(getattr(row, "fax_url", "")),
            is_current=row == current,
        )


PAGE_SIZE = 50
# Characters of a message. Its page has all of it.
MAX_TEXT = 2_000

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class MessagePosition(NamedTuple):
    """Position of a row in its conversation. It is part of URLs, so it holds no personal data."""

    created_at: datetime
    model: int
    pk: int

    def __str__(self) -> str:
        return f"{(self.created_at - _EPOCH) // timedelta(microseconds=1)}-{self.model}-{self.pk}"


def position_of(row: Transaction) -> MessagePosition:
    return MessagePosition(row.created_at, TRANSACTION_MODELS.index(type(row)), row.pk)


def parse_position(text: str) -> MessagePosition | None:
    """Parse a position from a URL; return None if it is missing or invalid."""
    found = re.fullmatch(r"(\d{1,16})-([0-2])-(\d{1,18})", text, re.ASCII)
    if found is None:
        return None
    moment, model, pk = map(int, found.groups())
    return MessagePosition(_EPOCH + timedelta(microseconds=moment), model, pk)


def spellings(number: str) -> list[str]:
    """Return the possible spellings of a number, with and without plus. A name has one spelling."""
    if not re.fullmatch(r"\+?\d+", number, re.ASCII):
        return [number]
    digits = number.lstrip("+")
    return [f"+{digits}", digits]


@dataclass(frozen=True, kw_only=True)
class MessagePage:
    """Rows, oldest first, and the positions where the older and newer rows start."""

    rows: Sequence[Transaction]
    older: MessagePosition | None = None
    newer: MessagePosition | None = None


def message_page(
    number: str, models: Iterable[type[Transaction]], *, before: MessagePosition | None, after: MessagePosition | None
) -> MessagePage:
    """Return the newest rows of a number, or those next to a position. Runs a query per model and spelling."""
    upwards = after is not None
    position = after if upwards else before
    found = [_rows(model, number, spelling, position, upwards) for model in models for spelling in spellings(number)]
    in_order = list(islice(merge(*found, key=position_of, reverse=not upwards), PAGE_SIZE + 1))
    rows = in_order[:PAGE_SIZE] if upwards else in_order[:PAGE_SIZE][::-1]
    goes_on = len(in_order) > PAGE_SIZE
    if not rows:
        return MessagePage(rows=rows)
    has_older, has_newer = (True, goes_on) if upwards else (goes_on, before is not None)
    return MessagePage(
        rows=rows,
        older=position_of(rows[0]) if has_older else None,
        newer=position_of(rows[-1]) if has_newer else None,
    )


def _rows(
    model: type[Transaction], number: str, spelling: str, position: MessagePosition | None, upwards: bool
) -> QuerySet[Transaction]:
    """Query the next rows of one spelling, in the order of the index (remote_suffix, remote_number, created_at)."""
    everything = model._default_manager.all()
    found, order = _number_filter(connections[everything.db].vendor, suffix_of(number), spelling)
    rows = everything.filter(found)
    if position is not None:
        rows = rows.filter(_after_position(position, TRANSACTION_MODELS.index(model), upwards))
    return rows.order_by(*(name if upwards else f"-{name}" for name in (*order, "created_at", "pk")))[: PAGE_SIZE + 1]


def _number_filter(vendor: str, suffix: str, spelling: str) -> tuple[Q, tuple[str, ...]]:
    """Return the filter for a number, and the columns to sort by so that the database reads the index in order.

    MariaDB skips newer rows one by one if the filter is an equality. With a range, it seeks to the position.
    """
    names = {"remote_suffix": suffix, "remote_number": spelling}
    if vendor != "mysql":
        return Q(**names), ()
    spans = {f"{name}__{end}": value for name, value in names.items() for end in ("gte", "lte")}
    return Q(**spans), tuple(names)


def _after_position(position: MessagePosition, model: int, upwards: bool) -> Q:
    """Filter rows after a position, or before it. The index uses the bound on the time; the key breaks ties."""
    operator, key = ("gt", "pk__gt") if upwards else ("lt", "pk__lt")
    is_beyond = model > position.model if upwards else model < position.model
    if model == position.model:
        same_moment = Q(**{f"created_at__{operator}": position.created_at}) | Q(**{key: position.pk})
        return Q(**{f"created_at__{operator}e": position.created_at}) & same_moment
    return Q(**{f"created_at__{operator}{'e' * is_beyond}": position.created_at})
