"""What a user sees in place of what he may not see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
