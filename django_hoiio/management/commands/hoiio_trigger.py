"""Post sample notifications, scripts of them, or a verbatim request whose options the admin prints."""

from __future__ import annotations

import base64
import binascii
import difflib
import json
import re
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from django_hoiio.conf import conf
from django_hoiio.enums import Kind, Route
from django_hoiio.notify_urls import is_loopback
from django_hoiio.parsing import RawNotification, parse
from django_hoiio.parsing.fields import FORM_CONTENT_TYPE
from django_hoiio.sandbox.delivery import PARAMETER_PLACES, RawRequest, is_this_machine
from django_hoiio.sandbox.samples import SCRIPTS, ScriptStep
from django_hoiio.sandbox.trigger import TriggerRequest, TriggerResult, send

HERE = "http://127.0.0.1:8000"

# A host, with or without its port.
_HOST = re.compile(r"[a-z0-9][a-z0-9.-]*(:[0-9]+)?", re.I)


class Command(BaseCommand):
    help = (
        "Posts a sample notification, or a script of them, to a running server, as Hoiio would. Prints the answer to"
        " each. If one is not 200, prints the likely cause and exits with 1. References are new each time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_argument
        what("kind", nargs="?", help="The kind of notification, for example sms_status.")
        what("--script", metavar="NAME", help="Send a script of notifications instead, for example ivr_voicemail.")
        what("--list", action="store_true", dest="shows_list", help="List the kinds and the scripts, and send nothing.")
        what("--set", action="append", default=[], metavar="NAME=VALUE", help="A parameter; can be repeated.")
        what(
            "--pass-on",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="Comes back in notification.pass_on; can be repeated.",
        )
        what("--account", default="default", help="The account in HOIIO['ACCOUNTS'].")
        what("--route", choices=Route.values, help="A route other than that of the kind.")
        what("--url", help=f"The server; by default PUBLIC_URL, which must be this machine, or else {HERE}.")
        what(
            "--host",
            help="Rehearse production on the server: post to --url, an address of this machine, as if Hoiio posted to"
            " this public host. An http --url gets X-Forwarded-Proto: https; an https --url needs a valid certificate.",
        )
        what(
            "--params-in",
            choices=PARAMETER_PLACES,
            default="body",
            help="Where the parameters are sent; by default the body.",
        )
        what("--shuffle", action="store_true", help="Send in random order.")
        what("--repeat", type=int, default=1, metavar="N", help="Send everything this many times, unchanged.")
        what("--delay", type=float, default=0, metavar="SECONDS", help="Wait before each notification.")
        what(
            "--drop", type=float, default=0, metavar="RATE", help="Drop this share of them, from 0 to 1, evenly spread."
        )
        what("--bad-signature", action="store_true", help="Sign the body with a key that is not Hoiio's.")
        what("--unsigned", action="store_true", help="Post to the URL without a token; only the signature counts.")
        add_arguments(parser)

    def handle(self, *args: Any, shows_list: bool, **options: Any) -> None:
        if shows_list:
            self._show_list()
            return
        order = _order(options)
        sent = []
        try:
            for each in send(order):
                sent.append(each)
                self.stdout.write(f"{each.kind.value:<17} {each.txn_ref:<20} {_answer(each)}")
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        self._conclude(sent)

    def _show_list(self) -> None:
        self.stdout.write("Kinds:")
        for kind in Kind:
            self.stdout.write(f"  {kind.value:<20} {kind.label}")
        self.stdout.write("Scripts:")
        for name, steps in SCRIPTS.items():
            self.stdout.write(f"  {name:<20} {', '.join(step.kind.value for step in steps)}")

    def _conclude(self, sent: Sequence[TriggerResult]) -> None:
        posted = [each for each in sent if not each.is_dropped]
        failed = [each for each in posted if each.status != HTTPStatus.OK]
        lost = f", {len(sent) - len(posted)} dropped" if len(posted) < len(sent) else ""
        if failed:
            causes = "".join(f" {cause}" for cause in dict.fromkeys(each.cause for each in failed))
            raise CommandError(
                f"{len(failed)} of {len(posted)} notifications were not answered with 200{lost}.{causes}"
            )
        sent_now = "1 notification" if len(posted) == 1 else f"{len(posted)} notifications"
        self.stdout.write(f"{sent_now} sent and answered with 200{lost}.")


def _answer(sent: TriggerResult) -> str:
    if sent.is_dropped:
        return "dropped"
    return str(sent.status) if sent.status is not None else f"no answer ({sent.error})"


def _order(options: dict[str, Any]) -> TriggerRequest:
    if options["account"] not in conf.ACCOUNTS:
        raise CommandError(_unknown("account", options["account"], conf.ACCOUNTS))
    if options["repeat"] < 1 or options["delay"] < 0 or not 0 <= options["drop"] <= 1:
        raise CommandError("--repeat needs at least 1, --delay no less than 0, and --drop a share from 0 to 1.")
    raw = raw_request(options)
    route = Route(options["route"]) if options["route"] else None
    return TriggerRequest(
        steps=_steps(options["kind"], options["script"], raw, route),
        server=_server(options["url"], options["host"]),
        host=options["host"] or "",
        raw=raw,
        account=options["account"],
        route=Route.ANY if raw and route is None else route,
        changes=_pairs("--set", options["set"]),
        pass_on={
            **pass_on_json(options["pass_on_json"]),
            **_pairs("--pass-on", options["pass_on"]),
        },
        repeat=options["repeat"],
        is_shuffled=options["shuffle"],
        params_in=options["params_in"],
        has_token=not options["unsigned"],
        has_bad_signature=options["bad_signature"],
        delay=options["delay"],
        drop_rate=options["drop"],
    )


def _steps(kind: str | None, script: str | None, raw: RawRequest | None, route: Route | None) -> Sequence[ScriptStep]:
    if sum(each is not None for each in (kind, script, raw)) != 1:
        raise CommandError(
            "Name a kind, --script NAME, or a request with --query and --body; `hoiio_trigger --list` lists all"
            " kinds and scripts."
        )
    if raw is not None:
        return (step_of(raw, route or Route.ANY),)
    if script is not None:
        if script not in SCRIPTS:
            raise CommandError(_unknown("script", script, SCRIPTS))
        return SCRIPTS[script]
    if kind not in Kind.values:
        raise CommandError(_unknown("kind", str(kind), Kind.values))
    return (ScriptStep(Kind(kind)),)


def _unknown(what: str, name: str, names: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, list(names), n=1, cutoff=0)
    meant = f"did you mean {nearest[0]!r}?" if nearest else "there is none."
    shown = " `hoiio_trigger --list` lists all kinds and scripts." if what != "account" else ""
    return f"There is no {what} {name!r}; {meant}{shown}"


def _server(url: str | None, host: str | None) -> str:
    """Return the URL to post to. A real server needs `--url`, to keep samples out of its notifications."""
    public = conf.PUBLIC_URL or HERE
    local = public if is_loopback(public) else HERE
    if host is None:
        if url is None and local != public:
            raise CommandError(
                f"HOIIO['PUBLIC_URL'] is {public!r}, which is not this machine; to send samples there, add"
                f" --url {public}, otherwise --url {HERE}."
            )
    elif not _HOST.fullmatch(host):
        raise CommandError(f"--host is {host!r}; it needs a host, for example --host my.example.com.")
    elif not is_this_machine(url or local):
        raise CommandError(f"--url is {url!r}, and --host needs an address of this machine; write --url {HERE}.")
    return url or local


def _pairs(option: str, pairs: Sequence[str]) -> dict[str, str]:
    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            # Do not quote the value, which may be a number or a text.
            raise CommandError(f"{option} needs NAME=VALUE, for example {option} tag=order-17.")
        values[name] = value
    return values


def add_arguments(parser: ArgumentParser) -> None:
    what = parser.add_argument
    what("--query", metavar="TEXT", help="Send exactly this query string. The admin prints this command.")
    what("--body", metavar="TEXT", help="Send exactly this body, to --route or else to any.")
    what("--body-base64", metavar="BASE64", help="The same, for a body that a command line cannot hold.")
    what(
        "--content-type", default=FORM_CONTENT_TYPE, metavar="TYPE", help="The content type of --body or --body-base64."
    )
    what("--pass-on-json", default="{}", metavar="JSON", help="Like --pass-on, for values that are not strings.")


def raw_request(options: dict[str, Any]) -> RawRequest | None:
    """Return the verbatim request of the options, if any. Raises `CommandError`."""
    query, text, encoded = options["query"], options["body"], options["body_base64"]
    if query is None and text is None and encoded is None:
        return None
    if text is not None and encoded is not None:
        raise CommandError("--body and --body-base64: give one of them.")
    body = _decoded(encoded) if encoded is not None else (text or "").encode(errors="surrogateescape")
    return RawRequest(query=query or "", body=body, content_type=options["content_type"])


def step_of(raw: RawRequest, route: Route) -> ScriptStep:
    """Return the kind and txn_ref that the server will parse from a request on this route."""
    headers = {"Content-Type": raw.content_type}
    now = timezone.now()
    parsed = parse(
        RawNotification(uuid=uuid4(), received_at=now, route=route, query=raw.query, body=raw.body, headers=headers)
    )
    return ScriptStep(parsed.kind, {"txn_ref": parsed.txn_ref})


def pass_on_json(text: str) -> dict[str, Any]:
    """Parse a JSON object of pass-on values. Raises `CommandError`."""
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        # Do not quote the value, which may be a number or a text.
        raise CommandError("""--pass-on-json needs a JSON object, for example --pass-on-json '{"order": 17}'.""")
    return values


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise CommandError("--body-base64 needs base64, for example --body-base64 bXNnPWhlbGxv.") from error
