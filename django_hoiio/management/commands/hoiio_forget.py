from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError

from django_hoiio.management import progress_bar
from django_hoiio.retention.forgetting import ForgetResult, conversations_with, forget


class Command(BaseCommand):
    help = (
        "Erases phone numbers from every row and from the spool, with the texts and links of their calls, SMS and"
        " faxes. Amounts, dates and statuses stay. Reads every row, which takes minutes in large tables."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "numbers",
            metavar="NUMBER",
            nargs="+",
            help="With the country code, +65...; several numbers of one person together. A lone - reads them"
            " from the standard input, one per line, so that they are in no shell history and no process list.",
        )
        parser.add_argument(
            "--no-input",
            action="store_false",
            dest="interactive",
            help="Do not ask for confirmation. Needed without a terminal.",
        )

    def handle(self, *args: Any, numbers: list[str], interactive: bool, **options: Any) -> None:
        if numbers == ["-"]:
            numbers = self._numbers_read(interactive=interactive)
        try:
            if interactive:
                self._confirm(conversations_with(numbers))
            result = forget(numbers, progress=progress_bar)
        except ValueError as error:
            # Do not chain the error: its text may quote a mistyped number.
            raise CommandError(f"One of the numbers {error}; write it as +6511111111.") from None
        except (OperationalError, InterfaceError) as error:
            # A database error may quote numbers and texts.
            raise CommandError(
                f"The database is unavailable ({type(error).__name__}); run the command again later."
            ) from None
        except OSError as error:
            raise CommandError(f"The spool cannot be written to ({error.strerror}); run the command again.") from None
        self._print(result)

    def _numbers_read(self, *, interactive: bool) -> list[str]:
        if sys.stdin.isatty():
            self.stdout.write("Enter the numbers, one per line, and an empty line at the end.")
            return list(iter(input, ""))
        if interactive:
            raise CommandError(
                "The numbers are read from the standard input, so there is no confirmation; add --no-input."
            )
        return [line for line in sys.stdin.read().splitlines() if line.strip()]

    def _confirm(self, conversations: int) -> None:
        if not sys.stdin.isatty():
            raise CommandError("This cannot be undone, and there is no terminal to confirm it; add --no-input.")
        self.stdout.write(
            f"At least {conversations} calls, SMS and faxes are with these numbers. This cannot be undone."
        )
        if input("Erase them? [y/N] ").strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was erased.")

    def _print(self, result: ForgetResult) -> None:
        self.stdout.write(
            f"Redacted {result.notifications} notifications and {result.transactions} calls, SMS and faxes; removed the"
            f" numbers from {result.mentions} more rows and {result.files} files of the spool."
        )
        for name in result.unreadable:
            self.stderr.write(f"{name} in the spool cannot be read and may contain a number; check and delete it.")
        if result.unreadable:
            sys.exit(1)
