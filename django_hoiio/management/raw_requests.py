"""A request to the letter on the command line, as the admin prints it for a notification that came."""

from __future__ import annotations

import base64
import binascii
import json
from argparse import ArgumentParser
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

from django.core.management.base import CommandError

from django_hoiio.kinds import Route
from django_hoiio.parsing import Arrival, parse
from django_hoiio.sandbox.posting import FORM, Raw
from django_hoiio.sandbox.scripts import Step


def add_arguments(parser: ArgumentParser) -> None:
    what = parser.add_argument
    what("--query", metavar="TEXT", help="Send this query string to the letter, instead of a kind or a script.")
    what("--body", metavar="TEXT", help="Send this body to the letter, instead of a kind or a script.")
    what("--body-base64", metavar="BASE64", help="The same for a body that no command line can hold.")
    what("--content-type", default=FORM, metavar="TYPE", help="Of --body and --body-base64.")
    what("--pass-on-json", default="{}", metavar="JSON", help="The same as --pass-on for values that are no texts.")


def raw_request(options: dict[str, Any]) -> Raw | None:
    """The request that the options spell; `None` where they spell none. Raises `CommandError`."""
    query, text, encoded = options["query"], options["body"], options["body_base64"]
    if query is None and text is None and encoded is None:
        return None
    if text is not None and encoded is not None:
        raise CommandError("--body and --body-base64: give one of them.")
    body = _decoded(encoded) if encoded is not None else (text or "").encode(errors="surrogateescape")
    return Raw(query=query or "", body=body, content_type=options["content_type"])


def step_of(raw: Raw, route: Route) -> Step:
    """What a request is about, as it will be read on the route."""
    headers = {"Content-Type": raw.content_type}
    now = datetime.now(timezone.utc)
    parsed = parse(Arrival(uuid=uuid4(), received_at=now, route=route, query=raw.query, body=raw.body, headers=headers))
    return Step(parsed.kind, {"txn_ref": parsed.txn_ref})


def pass_on_json(text: str) -> dict[str, Any]:
    """Read a JSON object of pass-on values. Raises `CommandError`."""
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        # What stands there may be a number or a text.
        raise CommandError("""--pass-on-json needs a JSON object, for example --pass-on-json '{"order": 17}'.""")
    return values


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise CommandError("--body-base64 needs base64, for example --body-base64 bXNnPWhlbGxv.") from error
