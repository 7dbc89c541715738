"""The `HOIIO` setting: one property per key, read when used, so that `override_settings` simply works."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone


class HoiioSettings:
    """What the project says in `HOIIO`, with the defaults for what it leaves out."""

    @property
    def given(self) -> Mapping[str, Any]:
        """The dict as the project wrote it."""
        given: Mapping[str, Any] = getattr(settings, "HOIIO", {})
        return given

    @property
    def ACCOUNTS(self) -> Mapping[str, Mapping[str, Any]]:
        """The project's Hoiio accounts by name; `default` exists even when nothing is said about it."""
        return {"default": {}, **self.given.get("ACCOUNTS", {})}

    @property
    def PUBLIC_URL(self) -> str | None:
        """Where Hoiio reaches this site, scheme and host."""
        url: str | None = self.given.get("PUBLIC_URL")
        return url

    @property
    def SIGNING_KEYS(self) -> list[str]:
        """What notify URLs are signed with: the first signs, any proves.

        A blank key is left out, because anybody could sign with it; if all are blank, there is none.
        """
        keys = self.given.get("SIGNING_KEYS")
        if keys in (None, [], ()):
            keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        return _not_blank(keys)

    @property
    def has_blank_fallback(self) -> bool:
        """Whether `SECRET_KEY_FALLBACKS` holds a key with which anybody could sign."""
        return len(_not_blank(settings.SECRET_KEY_FALLBACKS)) < len(settings.SECRET_KEY_FALLBACKS)

    @property
    def REQUIRE_VERIFICATION(self) -> bool:
        """Refuse notifications that cannot prove that they come from Hoiio."""
        required: bool = self.given.get("REQUIRE_VERIFICATION", True)
        return required

    @property
    def DISPATCH(self) -> str:
        """Where receivers run: `inline`, before the answer, or `task`, in a worker of Django's Tasks."""
        where: str = self.given.get("DISPATCH", "inline")
        return where

    @property
    def RECEIVER_MAX_ATTEMPTS(self) -> int:
        """How often a failed receiver is run."""
        attempts: int = self.given.get("RECEIVER_MAX_ATTEMPTS", 5)
        return attempts

    @property
    def TASK_TIMEOUT(self) -> float:
        """How many seconds the hand-over of a notification to a task queue over the network may take."""
        seconds: float = self.given.get("TASK_TIMEOUT", 1.0)
        return seconds

    @property
    def SPOOL_DIR(self) -> Path | None:
        """Where notifications wait while the database is away."""
        folder = self.given.get("SPOOL_DIR")
        return Path(folder) if folder else None

    @property
    def RETENTION_DAYS(self) -> Mapping[str, tuple[int | None, int | None]]:
        """For each kind of notification, after how many days it is blanked and deleted; `None` is never."""
        days: Mapping[str, tuple[int | None, int | None]] = self.given.get("RETENTION_DAYS", {})
        return days

    @property
    def API_URL(self) -> str:
        """Where Hoiio's REST API is."""
        url: str = self.given.get("API_URL", "https://secure.hoiio.com/open/")
        return url

    @property
    def OVERDUE_AFTER(self) -> timedelta:
        """How long after its beginning a call, SMS or fax that is not final is asked after."""
        after: timedelta = self.given.get("OVERDUE_AFTER", timedelta(hours=1))
        return after

    @property
    def RECONCILE_REQUESTS_PER_MINUTE(self) -> int:
        """How often the reconciliation asks Hoiio within a minute, for each account."""
        calls: int = self.given.get("RECONCILE_REQUESTS_PER_MINUTE", 60)
        return calls

    @property
    def time_zone(self) -> tzinfo:
        """The zone of the project, `TIME_ZONE`, in which its days begin; never that of whoever looks."""
        return timezone.get_default_timezone()

    @property
    def has_time_zones(self) -> bool:
        """Whether Django keeps aware dates, which Hoiio's need."""
        return bool(settings.USE_TZ)

    @property
    def has_urls(self) -> bool:
        """Whether the project serves URLs at all."""
        return bool(getattr(settings, "ROOT_URLCONF", None))

    def app_id(self, account: str) -> str:
        """Which of Hoiio's applications an account is; empty where it is not said."""
        return next(iter(_not_blank(self.ACCOUNTS.get(account, {}).get("APP_ID") or "")), "")

    def access_tokens(self, account: str) -> list[str]:
        """What an account's requests and notifications are proved with: one token, or a new and an old one.

        A blank one, as of an environment variable that is not set, is left out: anybody could sign with it.
        """
        return _not_blank(self.ACCOUNTS.get(account, {}).get("ACCESS_TOKEN") or [])


def _not_blank(secrets: str | bytes | Iterable[Any]) -> list[Any]:
    """The secrets that are more than white space; a text is one secret, not a list of characters."""
    listed = [secrets] if isinstance(secrets, str | bytes) else secrets
    return [secret for secret in listed if isinstance(secret, str | bytes) and secret.strip()]


conf = HoiioSettings()

# What each key may be, with an example for those who wrote something else.
KEYS: dict[str, tuple[tuple[type, ...], object]] = {
    "ACCOUNTS": ((dict,), {"default": {"APP_ID": "…", "ACCESS_TOKEN": "…"}}),
    "PUBLIC_URL": ((str, type(None)), "https://my.example.com"),
    "SIGNING_KEYS": ((list, tuple), ["…"]),
    "REQUIRE_VERIFICATION": ((bool,), True),
    "DISPATCH": ((str,), "inline"),
    "RECEIVER_MAX_ATTEMPTS": ((int,), 5),
    "TASK_TIMEOUT": ((float, int), 1.0),
    "SPOOL_DIR": ((str, Path, type(None)), "/var/spool/hoiio"),
    "RETENTION_DAYS": ((dict,), {"sms_received": (30, 365)}),
    "API_URL": ((str,), "https://secure.hoiio.com/open/"),
    "OVERDUE_AFTER": ((timedelta,), timedelta(hours=1)),
    "RECONCILE_REQUESTS_PER_MINUTE": ((int,), 60),
}
