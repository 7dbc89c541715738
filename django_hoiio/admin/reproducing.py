"""The command line that posts a notification again as it came, to try an application with it."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from django_hoiio.kinds import Origin, Proof
from django_hoiio.models import Notification
from django_hoiio.parsing import Arrival, parse
from django_hoiio.recording.raw import arrival_of

FORM = "application/x-www-form-urlencoded"

# Bytes. Linux takes no argument of 128 KiB.
LONGEST = 100_000


def command_line(notification: Notification) -> str | None:
    """A `hoiio_trigger` that a POSIX shell reads as it stands; `None` where it would be too long for one.

    What Hoiio's history said is put as the notification that would have said it: nobody posts an entry.
    """
    arrival = arrival_of(notification)
    if arrival.origin == Origin.POLL:
        body = urlencode(notification.params).encode()
        arrival = arrival._replace(query="", body=body, headers={"Content-Type": FORM})
    options = list(_options(arrival, notification))
    if max(len(option.encode()) for option in options) > LONGEST:
        return None
    return shlex.join(["python", "manage.py", "hoiio_trigger", *options])


def _options(arrival: Arrival, notification: Notification) -> Iterator[str]:
    """With an equals sign, because a value may begin with a dash."""
    yield f"--route={arrival.route.value}"
    if arrival.account != "default":
        yield f"--account={arrival.account}"
    if arrival.proof == Proof.SIGNATURE:
        yield "--unsigned"
    if arrival.query:
        yield f"--query={_typed(arrival.query)}"
    yield _body(arrival.body)
    content_type = arrival.headers.get("Content-Type", "")
    if content_type != FORM:
        yield f"--content-type={content_type}"
    yield from _pass_on_option(_given_back(arrival, notification))


def _typed(query: str) -> str:
    """Percent-encode what cannot be seen, which changes nothing in what a query string says."""
    return "".join(each if each.isprintable() else quote(each) for each in query)


def _body(body: bytes) -> str:
    """As text where each character can be seen and copied, else as base64."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    return f"--body={text}" if text.isprintable() else f"--body-base64={base64.b64encode(body).decode()}"


def _given_back(arrival: Arrival, notification: Notification) -> dict[str, Any]:
    """What the token of the signed URL gave back, and not the request itself."""
    by_itself = parse(arrival._replace(pass_on={})).pass_on
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
