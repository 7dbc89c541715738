"""What a user sees in place of what he may not see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db.models import Model
from django.http import HttpRequest

from . import masking

SEE_NUMBERS = "django_hoiio.see_numbers"
SEE_RECORDINGS = "django_hoiio.see_recordings"
SEE_RAW = "django_hoiio.see_raw"


@dataclass(frozen=True, kw_only=True)
class Veil:
    """Lies over a value for everybody who lacks one of the permissions."""

    permissions: tuple[str, ...]
    mask: Callable[[str], str] = masking.text

    def is_lifted(self, request: HttpRequest) -> bool:
        """True for those who may see what is behind it."""
        return request.user.has_perms(self.permissions)


NUMBER = Veil(permissions=(SEE_NUMBERS,), mask=masking.number)
TEXT = Veil(permissions=(SEE_NUMBERS,))
LINK = Veil(permissions=(SEE_RECORDINGS,))
# A raw request, and the traceback of a receiver that read it, holds numbers, texts and links that cannot be told apart
# in it. So only those see it who may see them all.
RAW = Veil(permissions=(SEE_RAW, SEE_NUMBERS, SEE_RECORDINGS))

# The fields that a veil lies over, whichever model they are of. The part is a digest of the text, by which a short one
# can be guessed.
FIELDS: dict[str, Veil] = {
    **dict.fromkeys(("other_number", "from_number", "to_number", "dest", "dest1", "dest2"), NUMBER),
    **dict.fromkeys(("msg", "part"), TEXT),
    "fax_url": LINK,
    "traceback": RAW,
}


def veil(request: HttpRequest, rows: Iterable[Model]) -> None:
    """Replace in loaded rows, which are never to be saved, what the user may not see."""
    veiled = {name: each.mask for name, each in FIELDS.items() if not each.is_lifted(request)}
    for row in rows:
        for name in veiled.keys() & vars(row).keys():
            setattr(row, name, veiled[name](getattr(row, name)))
