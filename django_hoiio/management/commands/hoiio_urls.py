from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from django_hoiio.kinds import Route
from django_hoiio.notify_urls import notify_url


class Command(BaseCommand):
    help = "Prints the notify URL of each route, to paste into Hoiio's portal or to send with a request."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", default="default", help="The account in HOIIO['ACCOUNTS'] that they are for.")
        parser.add_argument(
            "--pass-on",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="Comes back in notification.pass_on; may be given several times.",
        )

    def handle(self, *args: Any, account: str, pass_on: list[str], **options: Any) -> None:
        values = {}
        for pair in pass_on:
            name, equals, value = pair.partition("=")
            if not name or not equals:
                raise CommandError(f"--pass-on is {pair!r}; write it as NAME=VALUE.")
            values[name] = value
        try:
            for route in Route.values:
                self.stdout.write(f"{route:<6} {notify_url(route, account=account, pass_on=values)}")
        except (ImproperlyConfigured, ValueError) as error:
            raise CommandError(str(error)) from error
