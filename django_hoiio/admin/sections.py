"""Sections of a page: tables and texts below its fields."""

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
    """A table, or a text that keeps its line breaks. The page leaves out an empty section."""

    title: _StrOrPromise
    columns: Sequence[_StrOrPromise] = ()
    rows: Sequence[Sequence[object]] = ()
    text: str = ""
    # Shown above the text.
    note: _StrOrPromise = ""
    # True if a button copies the text.
    is_copied: bool = False


def table_of(title: _StrOrPromise, values: Mapping[str, object], *, columns: Sequence[_StrOrPromise] = ()) -> Section:
    """Return a table of names and values."""
    return Section(title=title, columns=columns or (_("Name"), _("Value")), rows=list(values.items()))


def open_button(url: str) -> str:
    """Return a button that opens a URL without showing it. The other site receives no referrer.

    The URL comes from a notification, so only http and https are allowed.
    """
    if not url or url == masking.HIDDEN:
        return url
    if not re.match(r"https?://", url, re.IGNORECASE):
        return gettext("not a web address")
    return format_html('<a class="button" href="{}" target="_blank" rel="noreferrer noopener">{}</a>', url, _("Open"))
