from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError

from django_hoiio.management import progress_bar
from django_hoiio.retention import PruneResult, prune


class Command(BaseCommand):
    help = (
        "Closes the totals of past days, then redacts and deletes rows that are older than RETENTION_DAYS"
        " allows. Safe to kill, to repeat, and to run twice at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="Write nothing; print what would be redacted and deleted."
        )

    def handle(self, *args: Any, dry_run: bool, verbosity: int, **options: Any) -> None:
        try:
            result = prune(dry_run=dry_run, progress=progress_bar)
        except (OperationalError, InterfaceError) as error:
            # A database error may quote numbers and texts.
            raise CommandError(
                f"The database is unavailable ({type(error).__name__}); run the command again later."
            ) from None
        self.stdout.write(_would(result) if dry_run else _done(result))
        if verbosity > 1 and not dry_run:
            self.stdout.write(f"The longest transaction took {result.pace.slowest * 1000:.0f} ms.")
        if result.skipped:
            self.stdout.write(
                f"Skipped {result.skipped} due notifications whose receivers have not all succeeded: run hoiio_recover,"
                " and check the failed receivers in the admin."
            )


def _would(result: PruneResult) -> str:
    return f"Would redact {result.redacted} and delete {result.deleted} notifications."


def _done(result: PruneResult) -> str:
    return (
        f"Redacted {result.redacted} and deleted {result.deleted} notifications; redacted"
        f" {result.transactions_redacted} and deleted {result.transactions_deleted} calls, SMS and faxes; closed"
        f" {result.closed} days."
    )
