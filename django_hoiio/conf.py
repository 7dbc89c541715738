"""The `HOIIO` setting: one property per key, read when used, so that `override_settings` simply works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings


class HoiioSettings:
    """What the project says in `HOIIO`, with the defaults for what it leaves out."""

    @property
    def given(self) -> Mapping[str, Any]:
        """The dict as the project wrote it."""
        given: Mapping[str, Any] = getattr(settings, "HOIIO", {})
        return given

    @property
    def PUBLIC_URL(self) -> str | None:
        """Where Hoiio reaches this site, scheme and host."""
        url: str | None = self.given.get("PUBLIC_URL")
        return url

    @property
    def REQUIRE_PROOF(self) -> bool:
        """Refuse notifications that cannot prove that they come from Hoiio."""
        required: bool = self.given.get("REQUIRE_PROOF", True)
        return required


conf = HoiioSettings()

# What each key may be, with an example for those who wrote something else.
KEYS: dict[str, tuple[tuple[type, ...], object]] = {
    "PUBLIC_URL": ((str, type(None)), "https://my.example.com"),
    "REQUIRE_PROOF": ((bool,), True),
}
