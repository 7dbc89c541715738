from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError

from django_hoiio.management import bar
from django_hoiio.retention.forgetting import ForgetResult, conversations_with, forget


class Command(BaseCommand):
    help = (
        "Forgets phone numbers for good, in every row and in the spool: who took part, what was said, and the links."
        " Amounts, dates and statuses stay. Reads every row, which takes minutes where there are many."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "numbers",
            metavar="NUMBER",
            nargs="+",
            help="With the country code, +65…; several spellings or numbers of one person together. A lone - reads them"
            " from the standard input, one a line, so that they show in no shell history and no list of processes.",
        )
        parser.add_argument("--no-input", "--yes", action="store_true", dest="interactive", help="Do not ask.")

    def handle(self, *args: Any, numbers: list[str], interactive: bool, **options: Any) -> None:
        if numbers == ["-"]:
            numbers = self._numbers_read(interactive)
        try:
            if not interactive:
                self._ask(conversations_with(numbers))
            report = forget(numbers, progress=bar)
        except ValueError as error:
            # Not even what it quotes: it may be a number with a slip.
            raise CommandError(f"One of what was given {error}; write it as +6511111111.") from None
        except (OperationalError, InterfaceError) as error:
            # What a database says may quote numbers and texts.
            raise CommandError(f"The database is away ({type(error).__name__}); run it again later.") from None
        except OSError as error:
            raise CommandError(f"The spool cannot be written to ({error.strerror}); run it again.") from None
        self._tell(report)

    def _numbers_read(self, interactive: bool) -> list[str]:
        if sys.stdin.isatty():
            self.stdout.write("The numbers, one a line; end with an empty line.")
            return list(iter(input, ""))
        if not interactive:
            raise CommandError("The numbers come from the standard input, where nobody can be asked; add --no-input.")
        return [line for line in sys.stdin.read().splitlines() if line.strip()]

    def _ask(self, conversations: int) -> None:
        if not sys.stdin.isatty():
            raise CommandError("It cannot be undone, and nobody can be asked whether it is meant; add --no-input.")
        self.stdout.write(f"{conversations} calls, SMS and faxes are with these numbers. What is forgotten is gone.")
        if input("Forget them? [y/N] ").strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was forgotten.")

    def _tell(self, report: ForgetResult) -> None:
        self.stdout.write(
            f"Blanked {report.notifications} notifications and {report.transactions} calls, SMS and faxes; took the"
            f" numbers out of {report.mentions} more rows and {report.files} files of the spool."
        )
        for name in report.unreadable:
            self.stderr.write(f"{name} in the spool cannot be read and may mention a number; look at it and delete it.")
        if report.unreadable:
            sys.exit(1)
