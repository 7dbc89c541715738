"""Inspect how each parameter of a notification was read, and print a command that posts it again."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from django.utils.translation import gettext

from django_hoiio.enums import Source, VerifiedBy
from django_hoiio.ingest.reports import raw_of
from django_hoiio.models import Notification
from django_hoiio.parsing import RawNotification, parse
from django_hoiio.parsing.fields import FORM_CONTENT_TYPE, fields_of_body, fields_of_query
from django_hoiio.parsing.parameters import PARAMETERS, field_of, read

# A body may have thousands of parameters.
MAX_PARAMETERS = 300


@dataclass(frozen=True, kw_only=True)
class ParameterRow:
    """A parameter as received and as read. A text is None if it is absent."""

    name: str
    query: str | None
    body: str | None
    used: str | None
    # The field that stores it, or why none does.
    result: str


def problems_of(notification: Notification) -> dict[str, str]:
    """Return the problems of a notification by parameter, and that of its state, if any."""
    if not notification.state_error:
        return dict(notification.problems)
    return {**notification.problems, "state": gettext("could not be stored: %s") % notification.state_error}


def parameter_rows(notification: Notification) -> list[ParameterRow]:
    """Return the parameters of the body, the query string and, last, of the signed URL's token."""
    in_query = _gathered(fields_of_query(notification.query))
    in_body = _gathered(fields_of_body(bytes(notification.body), notification.headers.get("Content-Type", "")))
    values, _problems = read({name: text for name, text in notification.params.items() if name in PARAMETERS})
    used = {**notification.params, **{name: str(value) for name, value in notification.pass_on.items()}}
    return [
        ParameterRow(
            name=name,
            query=in_query.get(name),
            body=in_body.get(name),
            used=used.get(name),
            result=_result(notification, name, values, is_in_request=name in in_query or name in in_body),
        )
        for name in [*{**in_body, **in_query, **used}][:MAX_PARAMETERS]
    ]


def _gathered(fields: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Map names to texts. If a name is repeated, the last text counts, and a note gives their number."""
    texts: dict[str, list[str]] = {}
    for name, text in fields:
        texts.setdefault(name, []).append(text)
    last_of = gettext("%(text)s (the last of %(count)d)")
    return {
        name: each[-1] if len(each) == 1 else last_of % {"text": each[-1], "count": len(each)}
        for name, each in texts.items()
    }


def _result(notification: Notification, name: str, values: Mapping[str, object], *, is_in_request: bool) -> str:
    if name in notification.pass_on:
        return _pass_on(notification, name, is_in_request=is_in_request)
    if name not in notification.params:
        is_poll = notification.source == Source.POLL
        return (
            gettext("not used: notifications never have this parameter")
            if is_poll
            else gettext("not used: the signature does not cover it")
        )
    if not notification.params[name]:
        return gettext("not stored: it is empty")
    field = field_of(name, notification.params) if name in PARAMETERS else None
    problem = notification.problems.get(name, "")
    if field is None:
        return gettext("event; stored only with the notification")
    # A word that Hoiio does not document has a problem and is stored all the same.
    return "; ".join(filter(None, [f"→ {field}" if field in values else gettext("not stored"), problem]))


def _pass_on(notification: Notification, name: str, *, is_in_request: bool) -> str:
    if name in notification.unverified_params:
        return gettext("your parameter, not verified")
    return gettext("your parameter") if is_in_request else gettext("your parameter, from the signed URL")


# Linux limits an argument to 128 KiB.
MAX_ARGUMENT_BYTES = 100_000


def command_line(notification: Notification) -> str | None:
    """Return a `hoiio_trigger` command for a POSIX shell, or None if an argument would be too long.

    A history entry was never posted, so the command posts the notification that would have reported the same.
    """
    raw = raw_of(notification)
    if raw.source == Source.POLL:
        body = urlencode(notification.params).encode()
        raw = raw._replace(query="", body=body, headers={"Content-Type": FORM_CONTENT_TYPE})
    options = list(_options(raw, notification))
    if max(len(option.encode()) for option in options) > MAX_ARGUMENT_BYTES:
        return None
    return shlex.join(["python", "manage.py", "hoiio_trigger", *options])


def _options(raw: RawNotification, notification: Notification) -> Iterator[str]:
    """Yield the options, with an equals sign, because a value may begin with a dash."""
    yield f"--route={raw.route.value}"
    if raw.account != "default":
        yield f"--account={raw.account}"
    if raw.verified_by == VerifiedBy.SIGNATURE:
        yield "--unsigned"
    if raw.query:
        yield f"--query={_printable(raw.query)}"
    yield _body(raw.body)
    content_type = raw.headers.get("Content-Type", "")
    if content_type != FORM_CONTENT_TYPE:
        yield f"--content-type={content_type}"
    yield from _pass_on_option(_signed_pass_on(raw, notification))


def _printable(query: str) -> str:
    """Percent-encode unprintable characters, which does not change the values of a query string."""
    return "".join(each if each.isprintable() else quote(each) for each in query)


def _body(body: bytes) -> str:
    """Return the body as text if all its characters are printable, otherwise as base64."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    return f"--body={text}" if text.isprintable() else f"--body-base64={base64.b64encode(body).decode()}"


def _signed_pass_on(raw: RawNotification, notification: Notification) -> dict[str, Any]:
    """Return the pass-on parameters that came from the signed URL's token, not from the request itself."""
    by_itself = parse(raw._replace(pass_on={})).pass_on
    return {
        name: value for name, value in notification.pass_on.items() if name not in by_itself or by_itself[name] != value
    }


def _pass_on_option(values: dict[str, Any]) -> Iterator[str]:
    pairs = [f"{name}={value}" for name, value in values.items()]
    are_texts = all(isinstance(value, str) and name and "=" not in name for name, value in values.items())
    if are_texts and all(pair.isprintable() for pair in pairs):
        yield from (f"--pass-on={pair}" for pair in pairs)
    else:
        yield f"--pass-on-json={json.dumps(values)}"
