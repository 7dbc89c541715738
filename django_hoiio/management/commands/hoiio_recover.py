from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from django_hoiio.management import progress_bar
from django_hoiio.recovery import recover


class Command(BaseCommand):
    help = (
        "Imports the spool, dispatches pending notifications, and retries failed receivers. Exits with 1"
        " if something is left. Safe to run from cron, and several at once."
    )
    # On MariaDB, Django's checks connect to the database, which may be away.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--ivr",
            action="store_true",
            help="Also run the receivers of interactive calls, which may dial or play late.",
        )

    def handle(self, *args: Any, ivr: bool, **options: Any) -> None:
        result = recover(ivr=ivr, progress=progress_bar)
        self.stdout.write(str(result))
        if result.is_incomplete:
            sys.exit(1)
