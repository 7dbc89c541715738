"""Pictures of days: SVG that lies in the page, takes its colours from the style sheet, and needs no script.

It stretches to any width, so no text is in it but for what is read aloud or shown where the pointer rests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

# Of the picture, in units of its own; a day is one wide.
HEIGHT = 100
# Between two days. Where days are many, a gap would be narrower than a dot.
GAP = Decimal("0.2")
MANY = 100
# Of the smallest part that is not nothing.
VISIBLE = Decimal(2)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One day of a picture: how much there was, how much of it succeeded, and both in words."""

    whole: Decimal
    succeeded: Decimal
    words: str


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A bar for each day. What succeeded stands at the bottom, what did not upon it."""

    # Of its elements, unique in the page.
    name: str
    title: str
    description: str
    bars: Sequence[Bar]

    @property
    def svg(self) -> SafeString:
        highest = max(bar.whole for bar in self.bars)
        heights = [_heights(bar, highest) for bar in self.bars]
        return format_html(
            '<svg class="hoiio-picture" role="img" aria-labelledby="{name}-title" aria-describedby="{name}-desc"'
            ' viewBox="0 0 {width} {height}" preserveAspectRatio="none">'
            '<title id="{name}-title">{title}</title><desc id="{name}-desc">{description}</desc>'
            '<path class="hoiio-succeeded" d="{succeeded}"/><path class="hoiio-rest" d="{rest}"/>{days}</svg>',
            name=self.name,
            title=self.title,
            description=self.description,
            width=len(self.bars),
            height=HEIGHT,
            succeeded=self._path((Decimal(0), bottom) for bottom, _rest in heights),
            rest=self._path(heights),
            days=format_html_join(
                "",
                '<rect x="{}" width="1" height="{}"><title>{}</title></rect>',
                ((place, HEIGHT, bar.words) for place, bar in enumerate(self.bars)),
            ),
        )

    def _path(self, heights: Iterable[tuple[Decimal, Decimal]]) -> str:
        """A column for each day of so high a part upon another."""
        width = 1 if len(self.bars) > MANY else 1 - GAP
        return "".join(
            f"M{place} {HEIGHT - below:.1f}v{-height:.1f}h{width}v{height:.1f}z"
            for place, (below, height) in enumerate(heights)
            if height
        )


def _heights(bar: Bar, highest: Decimal) -> tuple[Decimal, Decimal]:
    """How high what succeeded stands, and how high the rest upon it."""
    if bar.whole <= 0:
        return Decimal(0), Decimal(0)
    height = max(VISIBLE, HEIGHT * bar.whole / highest)
    share = (bar.whole - bar.succeeded) / bar.whole
    rest = max(VISIBLE, height * share) if share else Decimal(0)
    return height - rest, rest
