from __future__ import annotations

import signal
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error, connections
from django.urls import get_resolver

from django_hoiio.conf import conf
from django_hoiio.logs import get_logger
from django_hoiio.management import progress_bar
from django_hoiio.recovery import RecoveryResult, recover

logger = get_logger(__name__)

# Seconds between two rounds of `--loop`: for phone menus, whose callers wait, and for the rest.
EVERY_SECOND, EVERY_MINUTE = 1.0, 60.0


class Command(BaseCommand):
    help = (
        "Imports the spool, stores missing states, dispatches pending notifications, retries failed receivers, and"
        " takes over phone menus whose process has ended. Exits with 1 if something is left. Safe to kill, to repeat,"
        " and to run several at once."
    )
    # On MariaDB, Django's checks connect to the database, which may be away.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--ivr",
            action="store_true",
            help="Also run the receivers of interactive calls, which may dial or play late.",
        )
        parser.add_argument(
            "--loop",
            action="store_true",
            help="Run until it is stopped: phone menus every second, the rest every minute.",
        )

    def handle(self, *args: Any, ivr: bool, loop: bool, **options: Any) -> None:
        if loop:
            self._loop(ivr=ivr)
            return
        result = recover(ivr=ivr, progress=progress_bar)
        self.stdout.write(str(result))
        if not result.is_unavailable:
            self._take_over()
        if result.is_incomplete:
            sys.exit(1)

    def _loop(self, *, ivr: bool) -> None:
        """Repeat until SIGINT or SIGTERM. Print a line if there was something to do."""
        self._is_stopped = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        if conf.root_urlconf:
            # Importing the URLs may take seconds, so do it before a caller waits for a block, which has a notify URL.
            _ = get_resolver(conf.root_urlconf).url_patterns
        next_minute = 0.0
        while not self._is_stopped:
            next_second = time.monotonic() + EVERY_SECOND
            if time.monotonic() >= next_minute:
                next_minute = time.monotonic() + EVERY_MINUTE
                result = recover(ivr=ivr)
                if result != RecoveryResult():
                    self.stdout.write(str(result))
            try:
                self._take_over()
            except Error as error:
                logger.error("The database is unavailable: %s.", type(error).__name__)
                connections.close_all()
            time.sleep(max(0, next_second - time.monotonic()))

    def _stop(self, *_: object) -> None:
        # An event would deadlock: this may run while the loop holds the event's lock.
        self._is_stopped = True

    def _take_over(self) -> None:
        try:
            # The flows need requests, which is optional.
            from django_hoiio import ivr
        except ImportError:
            return
        taken = ivr.recover()
        if taken:
            self.stdout.write(f"Phone menus: {taken} taken over.")
