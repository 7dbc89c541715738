"""What stands below the fields of a page: tables and texts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_hoiio import masking

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


@dataclass(frozen=True, kw_only=True)
class Section:
    """A table, or a text that keeps its lines; it is left out of the page where it is empty."""

    title: _StrOrPromise
    columns: Sequence[_StrOrPromise] = ()
    rows: Sequence[Sequence[object]] = ()
    text: str = ""
    # Above the text.
    note: _StrOrPromise = ""
    # Whether a button copies the text.
    is_copied: bool = False


def table_of(title: _StrOrPromise, values: Mapping[str, object], *, columns: Sequence[_StrOrPromise] = ()) -> Section:
    """Show names and their values, one a row."""
    return Section(title=title, columns=columns or (_("Name"), _("Value")), rows=list(values.items()))


def readable(raw: bytes | memoryview) -> str:
    """Show bytes as UTF-8 where they are that, else as Latin-1, which every byte is."""
    try:
        return bytes(raw).decode()
    except UnicodeDecodeError:
        return bytes(raw).decode("latin-1")


def open_button(url: str) -> str:
    """Offer a link without showing it; the site that it leads to does not learn where from.

    The link came with a notification, so anything but the web's own schemes stays shut.
    """
    if not url or url == masking.HIDDEN:
        return url
    if not re.match(r"https?://", url, re.IGNORECASE):
        return gettext("not a web address")
    return format_html('<a class="button" href="{}" target="_blank" rel="noreferrer noopener">{}</a>', url, _("Open"))
