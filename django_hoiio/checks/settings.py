"""System checks of the `HOIIO` setting."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error

from django_hoiio.conf import SETTINGS, conf
from django_hoiio.enums import Kind
from django_hoiio.notify_urls import host_of, is_absolute

E001 = Error(
    "HOIIO is not a dict.",
    hint='Write HOIIO = {"PUBLIC_URL": "https://my.example.com"} in the settings.',
    id="django_hoiio.E001",
)

E005 = Error(
    "USE_TZ is False, but Hoiio's dates need a time zone.",
    hint="Set USE_TZ = True in the settings.",
    id="django_hoiio.E005",
)


E017 = Error(
    "SECRET_KEY_FALLBACKS contains a blank key, with which anybody could sign.",
    hint="Write SECRET_KEY_FALLBACKS = [key for key in SECRET_KEY_FALLBACKS if key.strip()] below it.",
    id="django_hoiio.E017",
)


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check the keys, types and values of `HOIIO`, USE_TZ and SECRET_KEY_FALLBACKS."""
    messages: list[CheckMessage] = [] if conf.has_time_zones else [E005]
    if conf.has_blank_fallback:
        messages.append(E017)
    if not isinstance(conf.given, Mapping):
        return [E001, *messages]
    return [*_unusable_keys(conf.given), *messages]


def _unusable_keys(given: Mapping[str, Any]) -> Iterator[CheckMessage]:
    for key, value in given.items():
        if key not in SETTINGS:
            yield _unknown_key(key)
        elif not _is_of_type(value, SETTINGS[key][0]):
            yield _wrong_type(key, value)
    url = given.get("PUBLIC_URL")
    if isinstance(url, str) and not is_absolute(url):
        yield _no_scheme(url)
    if isinstance(given.get("ACCOUNTS"), dict):
        yield from map(_odd_account, filter(_is_odd_account, given["ACCOUNTS"].items()))
        yield from _blank_secrets_of_accounts(given["ACCOUNTS"])
    keys = given.get("SIGNING_KEYS")
    if _has_blank(keys):
        yield _blank_secret("HOIIO['SIGNING_KEYS']")
    if isinstance(keys, list | tuple) and not all(isinstance(key, str | bytes) for key in keys):
        yield _key_of_wrong_type()
    if isinstance(given.get("RETENTION_DAYS"), dict):
        yield from unusable_retention(given["RETENTION_DAYS"])
    if given.get("DISPATCH", "inline") not in ("inline", "task"):
        yield _odd_dispatch(given["DISPATCH"])
    timeout = given.get("TASK_TIMEOUT", 1)
    if _is_of_type(timeout, SETTINGS["TASK_TIMEOUT"][0]) and not 0 < timeout <= MAX_TIMEOUT:
        yield _odd_timeout(timeout)
    if conf.has_flows:
        yield from map(_odd_flow, filter(_is_odd_flow, conf.IVR_FLOWS.items()))
    for key, least in _LEAST.items():
        if isinstance(given.get(key), type(least)) and given[key] < least:
            yield _too_little(key, given[key])


# With less, a reconciliation would poll without end, or never.
_LEAST: dict[str, Any] = {"OVERDUE_AFTER": timedelta(seconds=1), "RECONCILE_REQUESTS_PER_MINUTE": 1}


# Seconds. A longer time-out has no effect: Hoiio and the web server give up earlier.
MAX_TIMEOUT = 60


def _is_of_type(value: object, types: tuple[type, ...]) -> bool:
    """Return whether the value has one of the types. A bool does not count as an int."""
    return isinstance(value, types) and (not isinstance(value, bool) or bool in types)


def _unknown_key(key: str) -> CheckMessage:
    meant = difflib.get_close_matches(str(key), SETTINGS, n=1)
    hint = f"Write {meant[0]!r} instead." if meant else f"Remove it; the keys are {', '.join(SETTINGS)}."
    return Error(f"HOIIO has no key {key!r}.", hint=hint, id="django_hoiio.E002")


def _wrong_type(key: str, value: object) -> CheckMessage:
    expected, example = SETTINGS[key]
    return Error(
        f"HOIIO[{key!r}] is of type {type(value).__name__}; it needs {expected[0].__name__}.",
        hint=f"Write {key!r}: {example!r}.",
        id="django_hoiio.E003",
    )


def _key_of_wrong_type() -> CheckMessage:
    return Error(
        "HOIIO['SIGNING_KEYS'] contains a value that is not a string.",
        hint="Write 'SIGNING_KEYS': ['…'], with strings only.",
        id="django_hoiio.E003",
    )


def _no_scheme(url: str) -> CheckMessage:
    host = url.rpartition("//")[2].partition("/")[0]
    host = host if host_of(f"//{host}") else "my.example.com"
    return Error(
        f"HOIIO['PUBLIC_URL'] is {url!r}; it needs a scheme and a host.",
        hint=f"Write 'PUBLIC_URL': {f'https://{host}'!r}.",
        id="django_hoiio.E004",
    )


def _is_odd_flow(entry: tuple[str, Any]) -> bool:
    """Return whether an entry of `IVR_FLOWS` is anything but a phone number and the name of a flow."""
    # The flows need requests, which is optional.
    from django_hoiio.ivr.flows import by_name

    number, name = entry
    return not re.fullmatch(r"\+[0-9]{5,15}", str(number)) or not isinstance(name, str) or by_name(name) is None


def _odd_flow(entry: tuple[str, Any]) -> CheckMessage:
    return Error(
        f"HOIIO['IVR_FLOWS'][{entry[0]!r}] is {entry[1]!r}; it needs a phone number and the name of a flow.",
        hint="Write '+6531234567': 'switchboard.flows.reception', where reception is decorated with ivr.flow.",
        id="django_hoiio.E019",
    )


def _is_odd_account(account: tuple[str, Any]) -> bool:
    """Return whether an account is anything but a dict of APP_ID and ACCESS_TOKEN with text values."""
    _, held = account
    if not isinstance(held, dict) or not set(held) <= {"APP_ID", "ACCESS_TOKEN"}:
        return True
    tokens = held.get("ACCESS_TOKEN", "")
    texts = [held.get("APP_ID", ""), *(tokens if isinstance(tokens, list | tuple) else [tokens])]
    return not all(isinstance(text, str) for text in texts)


def _odd_account(account: tuple[str, Any]) -> CheckMessage:
    return Error(
        f"HOIIO['ACCOUNTS'][{account[0]!r}] is not an account.",
        hint=f"Write {account[0]!r}: {{'APP_ID': '…', 'ACCESS_TOKEN': '…'}}; the token may be a list, newest first.",
        id="django_hoiio.E007",
    )


def _blank_secrets_of_accounts(accounts: Mapping[str, Any]) -> Iterator[CheckMessage]:
    for name, held in accounts.items():
        for key in ("APP_ID", "ACCESS_TOKEN"):
            if isinstance(held, dict) and key in held and _has_blank(held[key]):
                yield _blank_secret(f"HOIIO['ACCOUNTS'][{name!r}][{key!r}]")


def _has_blank(secrets: object) -> bool:
    """Return whether a text is empty or has white space around it, such as the line feed of a secret file."""
    texts = secrets if isinstance(secrets, list | tuple) else [secrets]
    return any(isinstance(text, str) and (not text or text != text.strip()) for text in texts)


def _blank_secret(where: str) -> CheckMessage:
    return Error(
        f"{where} contains an empty string, or one with white space around it.",
        hint="Remove it, or set the environment variable that it is read from; write os.environ['…'].strip().",
        id="django_hoiio.E016",
    )


def _odd_dispatch(where: object) -> CheckMessage:
    return Error(
        f"HOIIO['DISPATCH'] is {where!r}; it must be 'inline' or 'task'.",
        hint="Write 'DISPATCH': 'inline', or 'task' where a worker of Django's Tasks runs.",
        id="django_hoiio.E008",
    )


def _too_little(key: str, value: object) -> CheckMessage:
    return Error(
        f"HOIIO[{key!r}] is {value!r}; it must be at least {_LEAST[key]!r}.",
        hint=f"Write {key!r}: {SETTINGS[key][1]!r}.",
        id="django_hoiio.E011",
    )


def _odd_timeout(timeout: float) -> CheckMessage:
    return Error(
        f"HOIIO['TASK_TIMEOUT'] is {timeout!r}; it must be a number of seconds above 0 and at most {MAX_TIMEOUT}.",
        hint=f"Write 'TASK_TIMEOUT': {SETTINGS['TASK_TIMEOUT'][1]!r}.",
        id="django_hoiio.E018",
    )


_EXAMPLE = "(30, 365), the days after which it is redacted and deleted; None is never"


def unusable_retention(given: Mapping[str, Any]) -> Iterator[CheckMessage]:
    """Yield an error for each invalid entry."""
    for kind, days in given.items():
        if kind not in Kind.values:
            yield _unknown_kind(kind)
        elif not _is_pair(days):
            yield _no_pair(kind, days)
        elif None not in days and days[1] < days[0]:
            yield _deleted_first(kind, *days)


def _is_pair(days: object) -> bool:
    """Return whether `days` is two of `None` or an integer from 1; 0 is invalid, as today's totals are still open."""
    if not isinstance(days, tuple | list) or len(days) != 2:
        return False
    return all(each is None or (type(each) is int and each >= 1) for each in days)


def _unknown_kind(kind: object) -> CheckMessage:
    meant = difflib.get_close_matches(str(kind), Kind.values, n=1)
    hint = f"Write {meant[0]!r} instead." if meant else f"Remove it; the kinds are {', '.join(Kind.values)}."
    return Error(
        f"HOIIO['RETENTION_DAYS'] has {kind!r}, which is not a kind of notification.", hint=hint, id="django_hoiio.E013"
    )


def _no_pair(kind: str, days: object) -> CheckMessage:
    return Error(
        f"HOIIO['RETENTION_DAYS'][{kind!r}] is {days!r}; it needs two whole numbers of at least 1, or None.",
        hint=f"Write {kind!r}: {_EXAMPLE}.",
        id="django_hoiio.E014",
    )


def _deleted_first(kind: str, redact: int, delete: int) -> CheckMessage:
    return Error(
        f"HOIIO['RETENTION_DAYS'][{kind!r}] deletes after {delete} days what it redacts after {redact}.",
        hint=f"Write {kind!r}: ({delete}, {redact}), or (None, {delete}) to delete it without redaction.",
        id="django_hoiio.E015",
    )
