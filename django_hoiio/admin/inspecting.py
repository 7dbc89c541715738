"""What each parameter of a notification was in the query string and in the body, what was taken, and where it went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext

from django_hoiio.kinds import Origin
from django_hoiio.models import Notification
from django_hoiio.parsing.fields import fields_of_body, fields_of_query
from django_hoiio.parsing.parameters import PARAMETERS, read

# A body may have many thousands.
MOST = 300


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """A parameter, as it came and as it was read; `None` where there is none."""

    name: str
    query: str | None
    body: str | None
    taken: str | None
    # The field that it went to, or why to none.
    went: str


def inspected(notification: Notification) -> list[Inspected]:
    """Each parameter in the order in which it came; those that the signed URL gave back come last."""
    in_query = _gathered(fields_of_query(notification.query))
    in_body = _gathered(fields_of_body(bytes(notification.body), notification.headers.get("Content-Type", "")))
    values, _problems = read({name: text for name, text in notification.params.items() if name in PARAMETERS})
    taken = {**notification.params, **{name: str(value) for name, value in notification.pass_on.items()}}
    return [
        Inspected(
            name=name,
            query=in_query.get(name),
            body=in_body.get(name),
            taken=taken.get(name),
            went=_went(notification, name, values, is_told=name in in_query or name in in_body),
        )
        for name in [*{**in_body, **in_query, **taken}][:MOST]
    ]


def _gathered(fields: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """By name; of equal names the last counts, and that there were others is said."""
    texts: dict[str, list[str]] = {}
    for name, text in fields:
        texts.setdefault(name, []).append(text)
    last_of = gettext("%(text)s (the last of %(count)d)")
    return {
        name: each[-1] if len(each) == 1 else last_of % {"text": each[-1], "count": len(each)}
        for name, each in texts.items()
    }


def _went(notification: Notification, name: str, values: Mapping[str, object], *, is_told: bool) -> str:
    if name in notification.pass_on:
        return _pass_on(notification, name, is_told=is_told)
    if name not in notification.params:
        is_poll = notification.origin == Origin.POLL
        return gettext("not taken: no notification says it so") if is_poll else gettext("not taken: it is not signed")
    if not notification.params[name]:
        return gettext("nothing: empty is as good as absent")
    field, problem = _field_of(name), notification.problems.get(name, "")
    if field is None:
        return gettext("an event, which stays with the notification")
    # A word that Hoiio does not document has a problem and is kept all the same.
    return "; ".join(filter(None, [f"→ {field}" if field in values else gettext("left out"), problem]))


def _field_of(name: str) -> str | None:
    return PARAMETERS[name].field if name in PARAMETERS else None


def _pass_on(notification: Notification, name: str, *, is_told: bool) -> str:
    if name in notification.unproved:
        return gettext("the project's own, not covered by the proof")
    return gettext("the project's own") if is_told else gettext("the project's own, from the signed URL")
