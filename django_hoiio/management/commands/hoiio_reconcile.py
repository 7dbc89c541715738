from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from django_hoiio import management
from django_hoiio.management import progress_bar


class Command(BaseCommand):
    help = (
        "Reads Hoiio's history for missing notifications and polls overdue calls, SMS and faxes. Exits with"
        " 1 if a request failed. Safe to kill, to repeat, and to run from cron."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--account", help="The account in HOIIO['ACCOUNTS']; by default all that have APP_ID and ACCESS_TOKEN."
        )
        parser.add_argument(
            "--since",
            metavar="DATE",
            help="Read the history from this time on, not from the high-water mark: 2026-01-31 or 2026-01-31T12:00.",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Send the requests, but write nothing; print what would change."
        )

    def handle(self, *args: Any, account: str | None, since: str | None, dry_run: bool, **options: Any) -> None:
        begin = management.since(since) if since else None
        if begin is not None and begin > timezone.now():
            raise CommandError(f"--since is {since!r}, which is in the future.")
        try:
            # The client needs requests, which --help does without.
            from django_hoiio import reconciliation

            accounts = [account] if account else reconciliation.able_accounts()
            if not accounts:
                self.stdout.write("Nothing to reconcile: no account in HOIIO['ACCOUNTS'] has APP_ID and ACCESS_TOKEN.")
                return
            result = reconciliation.reconcile(accounts=accounts, since=begin, dry_run=dry_run, progress=progress_bar)
        except (ImportError, ImproperlyConfigured, ValueError) as error:
            raise CommandError(str(error)) from error
        except (OperationalError, InterfaceError) as error:
            # A database error may quote numbers and texts.
            raise CommandError(
                f"The database is unavailable ({type(error).__name__}); run the command again later."
            ) from None
        for failure in result.failures:
            self.stderr.write(failure)
        self.stdout.write(str(result))
        if result.failures:
            sys.exit(1)
