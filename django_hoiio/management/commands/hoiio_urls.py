from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from django_hoiio.enums import Route
from django_hoiio.exceptions import HoiioError
from django_hoiio.notify_urls import notify_url

if TYPE_CHECKING:
    from django_hoiio.client.responses import NumberResponse


class Command(BaseCommand):
    help = (
        "Prints the notify URL of each route, for Hoiio's portal or for a request. With --number,"
        " shows the current and the new URLs of a Hoiio Number, with --flows of each number that a"
        " phone menu answers; with --configure, sets the new ones."
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
        numbers = parser.add_mutually_exclusive_group()
        numbers.add_argument("--number", metavar="+65...", help="One of the account's Hoiio Numbers.")
        numbers.add_argument("--flows", action="store_true", help="All numbers that phone menus answer.")
        parser.add_argument(
            "--configure", action="store_true", help="Set the notify URLs of these numbers. Their modes stay."
        )

    def handle(
        self,
        *args: Any,
        account: str,
        pass_on: list[str],
        urlconf: str | None,
        number: str | None,
        flows: bool,
        configure: bool,
        **options: Any,
    ) -> None:
        if configure and number is None and not flows:
            raise CommandError("--configure needs a number; write --number +65... or --flows as well.")
        arguments: dict[str, Any] = {"account": account, "pass_on": dict(map(_pair, pass_on)), "urlconf": urlconf}
        try:
            if flows:
                self._forward(arguments, _numbers_of_flows(), configure=configure)
            elif number is not None:
                self._forward(arguments, {number: ""}, configure=configure)
            else:
                self._print_routes(arguments)
        except (HoiioError, ImportError, ImproperlyConfigured, LookupError, ValueError) as error:
            raise CommandError(str(error)) from error

    def _print_routes(self, arguments: dict[str, Any]) -> None:
        for route in Route.values:
            self.stdout.write(f"{route:<6} {notify_url(route, **arguments)}")

    def _forward(self, arguments: dict[str, Any], wanted: dict[str, str], *, configure: bool) -> None:
        # The client needs requests, which printing the routes does without.
        from django_hoiio.client import HoiioClient
        from django_hoiio.client.account import configure_number, find_number, urls_for

        with HoiioClient(arguments["account"]) as client:
            active = client.number.get_active()
            found = [(find_number(active, number), flow) for number, flow in wanted.items()]
            changed = 0
            for number, flow in found:
                urls = urls_for(number, **arguments)
                if not self._shows_change(number, flow, urls):
                    continue
                changed += len(urls)
                if configure:
                    configure_number(client.number, number, urls)
        if not changed:
            self.stdout.write("They are already set.")
        else:
            self.stdout.write(f"Set {changed} URLs." if configure else f"Would set {changed} URLs; add --configure.")

    def _shows_change(self, number: NumberResponse, flow: str, urls: dict[str, str]) -> bool:
        """Print the current and the new URLs of a number. Return whether they differ."""
        now = {name: getattr(number, name) for name in urls}
        self.stdout.write(" ".join(filter(None, [number.number, number.mode, flow])))
        for name, url in urls.items():
            self.stdout.write(f"  {name}\n    now  {now[name] or 'nothing'}\n    new  {url}")
        if not urls:
            raise LookupError("Nothing to set: in its mode, the number takes neither calls, faxes nor SMS.")
        return now != urls


def _numbers_of_flows() -> dict[str, str]:
    # The flows need requests, which printing the routes does without.
    from django_hoiio.ivr.flows import by_number

    numbers = by_number()
    if not numbers:
        raise LookupError("No phone menu has a number; write it into its decorator or into HOIIO['IVR_FLOWS'].")
    return numbers


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise CommandError(f"--pass-on is {text!r}; write it as NAME=VALUE.")
    return name, value
