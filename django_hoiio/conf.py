"""The `HOIIO` setting: one property per key, read at each use, so that `override_settings` works."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone


class HoiioSettings:
    """The values of `HOIIO`, with defaults for missing keys."""

    # Completes `HOIIO` while the test kit is used.
    for_tests: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None

    @property
    def given(self) -> Mapping[str, Any]:
        """The `HOIIO` dict of the project, without defaults."""
        given: Mapping[str, Any] = getattr(settings, "HOIIO", {})
        return given if self.for_tests is None else self.for_tests(given)

    @property
    def ACCOUNTS(self) -> Mapping[str, Mapping[str, Any]]:
        """The project's Hoiio accounts by name. `default` always exists."""
        return {"default": {}, **self.given.get("ACCOUNTS", {})}

    @property
    def PUBLIC_URL(self) -> str | None:
        """Public scheme and host of this site. Notify URLs start with it."""
        url: str | None = self.given.get("PUBLIC_URL")
        return url

    @property
    def SIGNING_KEYS(self) -> list[str]:
        """Keys for signing notify URLs: the first one signs, all of them verify.

        Blank keys are ignored, because anybody could sign with them. If all are blank, the list is empty.
        """
        keys = self.given.get("SIGNING_KEYS")
        if keys in (None, [], ()):
            keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        return _not_blank(keys)

    @property
    def has_blank_fallback(self) -> bool:
        """True if `SECRET_KEY_FALLBACKS` contains a blank key, with which anybody could sign."""
        return len(_not_blank(settings.SECRET_KEY_FALLBACKS)) < len(settings.SECRET_KEY_FALLBACKS)

    @property
    def REQUIRE_VERIFICATION(self) -> bool:
        """True to refuse notifications that cannot be verified to come from Hoiio."""
        required: bool = self.given.get("REQUIRE_VERIFICATION", True)
        return required

    @property
    def DISPATCH(self) -> str:
        """`inline` runs receivers before the response, `task` runs them in a worker of Django's Tasks."""
        where: str = self.given.get("DISPATCH", "inline")
        return where

    @property
    def RECEIVER_MAX_ATTEMPTS(self) -> int:
        """Maximum number of times that a failing receiver runs, including the first."""
        attempts: int = self.given.get("RECEIVER_MAX_ATTEMPTS", 5)
        return attempts

    @property
    def TASK_TIMEOUT(self) -> float:
        """Timeout in seconds for enqueueing a notification over the network."""
        seconds: float = self.given.get("TASK_TIMEOUT", 1.0)
        return seconds

    @property
    def SPOOL_DIR(self) -> Path | None:
        """Directory that stores notifications while the database is unavailable."""
        folder = self.given.get("SPOOL_DIR")
        return Path(folder) if folder else None

    @property
    def RETENTION_DAYS(self) -> Mapping[str, tuple[int | None, int | None]]:
        """Days after which a notification is redacted and deleted, by kind. `None` means never."""
        days: Mapping[str, tuple[int | None, int | None]] = self.given.get("RETENTION_DAYS", {})
        return days

    @property
    def API_URL(self) -> str:
        """Base URL of Hoiio's REST API."""
        url: str = self.given.get("API_URL", "https://secure.hoiio.com/open/")
        return url

    @property
    def OVERDUE_AFTER(self) -> timedelta:
        """Age at which a call, SMS or fax that is not final counts as overdue."""
        after: timedelta = self.given.get("OVERDUE_AFTER", timedelta(hours=1))
        return after

    @property
    def RECONCILE_REQUESTS_PER_MINUTE(self) -> int:
        """Maximum number of reconciliation requests to Hoiio per minute and account."""
        calls: int = self.given.get("RECONCILE_REQUESTS_PER_MINUTE", 60)
        return calls

    @property
    def IVR_FLOWS(self) -> Mapping[str, str]:
        """The flows of numbers, by module and name. They override the numbers in the decorators."""
        flows: Mapping[str, str] = self.given.get("IVR_FLOWS", {})
        return flows

    @property
    def time_zone(self) -> tzinfo:
        """The project's `TIME_ZONE`, in which its days begin; never the current user's time zone."""
        return timezone.get_default_timezone()

    @property
    def has_time_zones(self) -> bool:
        """True if Django stores aware datetimes. Hoiio's dates require this."""
        return bool(settings.USE_TZ)

    @property
    def root_urlconf(self) -> str | None:
        """The project's `ROOT_URLCONF`; `None` if it serves no URLs."""
        return getattr(settings, "ROOT_URLCONF", None)

    @property
    def allowed_hosts(self) -> list[str]:
        """The hosts for which Django answers, by the rule of `HttpRequest.get_host`."""
        if settings.DEBUG and not settings.ALLOWED_HOSTS:
            return [".localhost", "127.0.0.1", "[::1]"]
        return list(settings.ALLOWED_HOSTS)

    @property
    def middleware(self) -> list[str]:
        """The project's `MIDDLEWARE`."""
        return list(settings.MIDDLEWARE)

    @property
    def proxy_ssl_header(self) -> tuple[str, str] | None:
        """Name and value of the WSGI variable by which a proxy reports https: `SECURE_PROXY_SSL_HEADER`."""
        header: tuple[str, str] | None = settings.SECURE_PROXY_SSL_HEADER
        return header

    @property
    def redirects_to_https(self) -> bool:
        """True if `SecurityMiddleware` redirects the requests of a proxy that terminates TLS."""
        return bool(settings.SECURE_SSL_REDIRECT) and not self.proxy_ssl_header

    @property
    def redirect_exempt(self) -> list[str]:
        """The regular expressions of `SECURE_REDIRECT_EXEMPT`."""
        return list(settings.SECURE_REDIRECT_EXEMPT)

    def app_id(self, account: str) -> str:
        """Return Hoiio's application id of an account, or an empty string if none is set."""
        return next(iter(_not_blank(self.ACCOUNTS.get(account, {}).get("APP_ID") or "")), "")

    def access_tokens(self, account: str) -> list[str]:
        """Return the tokens that sign an account's requests and verify its notifications: one, or a new and an old one.

        Blank tokens, for example from an unset environment variable, are ignored: anybody could sign with them.
        """
        return _not_blank(self.ACCOUNTS.get(account, {}).get("ACCESS_TOKEN") or [])


def _not_blank(secrets: str | bytes | Iterable[Any]) -> list[Any]:
    """Return the secrets that are not blank. A str or bytes is one secret."""
    listed = [secrets] if isinstance(secrets, str | bytes) else secrets
    return [secret for secret in listed if isinstance(secret, str | bytes) and secret.strip()]


conf = HoiioSettings()

# The allowed types of each key, and an example for error messages.
SETTINGS: dict[str, tuple[tuple[type, ...], object]] = {
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
    "IVR_FLOWS": ((dict,), {"+6531234567": "switchboard.flows.reception"}),
}
