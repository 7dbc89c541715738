from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from django_hoiio import management
from django_hoiio.management import bar
from django_hoiio.recovery import reparse


class Command(BaseCommand):
    help = "Reads raw notifications again in order of arrival, and brings calls, SMS and faxes up to date."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since", metavar="DATE", help="Only what came since then: 2026-01-31 or 2026-01-31T12:00."
        )
        parser.add_argument(
            "--tell", action="store_true", help="Call the receivers of those that say something else now."
        )
        parser.add_argument("--dry-run", action="store_true", help="Write nothing; say what would change.")

    def handle(self, *args: Any, since: str | None, tell: bool, dry_run: bool, **options: Any) -> None:
        report = reparse(since=management.since(since) if since else None, tell=tell, dry_run=dry_run, progress=bar)
        would = "Would change" if dry_run else "Changed"
        self.stdout.write(
            f"Read {report.read} notifications again. {would} {report.changed} of them and {report.states} calls, SMS"
            f" and faxes; {report.failed} failed, {report.told} were told."
        )
        if report.failed:
            sys.exit(1)
