from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from django_hoiio import management
from django_hoiio.management import progress_bar
from django_hoiio.recovery import reparse


class Command(BaseCommand):
    help = (
        "Parses the stored notifications again, after an upgrade that knows more parameters, and builds the state of"
        " their calls, SMS and faxes anew. Does not change the raw data."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since",
            metavar="DATE",
            help="Only notifications received since then, and the others of the same transactions: 2026-01-31 or"
            " 2026-01-31T12:00.",
        )
        parser.add_argument(
            "--dispatch", action="store_true", help="Run the receivers of notifications whose content changed."
        )
        parser.add_argument("--dry-run", action="store_true", help="Write nothing; print what would change.")

    def handle(self, *args: Any, since: str | None, dispatch: bool, dry_run: bool, **options: Any) -> None:
        result = reparse(
            since=management.since(since) if since else None, dispatch=dispatch, dry_run=dry_run, progress=progress_bar
        )
        would = "Would change" if dry_run else "Changed"
        self.stdout.write(
            f"Parsed {result.read} notifications again. {would} {result.changed} of them and {result.states} calls, SMS"
            f" and faxes; {result.failed} failed, {result.dispatched} were dispatched."
        )
        if result.failed:
            sys.exit(1)
