from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from django_hoiio.enums import Route
from django_hoiio.exceptions import HoiioError
from django_hoiio.notify_urls import notify_url


class Command(BaseCommand):
    help = (
        "Prints the notify URL of each route, for Hoiio's portal or for a request. With --number,"
        " shows the current and the new URLs of a Hoiio Number; with --configure, sets the new ones."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", default="default", help="The account in HOIIO['ACCOUNTS'].")
        parser.add_argument(
            "--pass-on",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="Comes back in notification.pass_on; can be repeated.",
        )
        parser.add_argument("--urlconf", help="The URLconf that includes django_hoiio.urls, if not ROOT_URLCONF.")
        parser.add_argument("--number", metavar="+65...", help="One of the account's Hoiio Numbers.")
        parser.add_argument("--configure", action="store_true", help="Set the notify URLs of --number. Its mode stays.")

    def handle(
        self,
        *args: Any,
        account: str,
        pass_on: list[str],
        urlconf: str | None,
        number: str | None,
        configure: bool,
        **options: Any,
    ) -> None:
        if configure and number is None:
            raise CommandError("--configure needs a number; write --number +65... as well.")
        arguments: dict[str, Any] = {"account": account, "pass_on": dict(map(_pair, pass_on)), "urlconf": urlconf}
        try:
            if number is None:
                self._print_routes(arguments)
            else:
                self._forward(arguments, number, configure=configure)
        except (HoiioError, ImportError, ImproperlyConfigured, LookupError, ValueError) as error:
            raise CommandError(str(error)) from error

    def _print_routes(self, arguments: dict[str, Any]) -> None:
        for route in Route.values:
            self.stdout.write(f"{route:<6} {notify_url(route, **arguments)}")

    def _forward(self, arguments: dict[str, Any], wanted: str, *, configure: bool) -> None:
        # The client needs requests, which printing the routes does without.
        from django_hoiio.client import HoiioClient
        from django_hoiio.client.account import configure_number, find_number, urls_for

        with HoiioClient(arguments["account"]) as client:
            number = find_number(client.number.get_active(), wanted)
            urls = urls_for(number, **arguments)
            now = {name: getattr(number, name) for name in urls}
            self.stdout.write(f"{number.number} {number.mode}".rstrip())
            for name, url in urls.items():
                self.stdout.write(f"  {name}\n    now  {now[name] or 'nothing'}\n    new  {url}")
            if not urls:
                raise LookupError("Nothing to set: in its mode, the number takes neither calls, faxes nor SMS.")
            if now == urls:
                self.stdout.write("They are already set.")
                return
            if configure:
                configure_number(client.number, number, urls)
        self.stdout.write(f"Set {len(urls)} URLs." if configure else f"Would set {len(urls)} URLs; add --configure.")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise CommandError(f"--pass-on is {text!r}; write it as NAME=VALUE.")
    return name, value
