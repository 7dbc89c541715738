from __future__ import annotations

import io
import secrets
import sys
import threading
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from django_hoiio.exceptions import HoiioError
from example_project.demo.acts import play
from example_project.demo.checking import differences, done_by, stored_since
from example_project.demo.server import serving
from example_project.demo.telephone import Telephone

USERNAME = "demo"

INTRODUCTION = """\
The example project is a workshop that can be called and texted. A sandbox on this machine replaces Hoiio.
The demo sends SMS, a fax and calls, then texts and calls the workshop, and compares the stored rows with what was sent.

> an action   < a text that the telephone received   other lines: notifications that the project received"""


class Command(BaseCommand):
    help = "Call, text and fax with this project, check the stored rows, and serve it until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="End after the check, with exit status 0 or 1.")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        # Print a question mark if the terminal's encoding has no arrow.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        call_command("migrate", verbosity=0, interactive=False)
        self._say(INTRODUCTION)
        with serving() as address:
            try:
                self._check(f"{address}/sandbox/")
            except HoiioError as error:
                raise CommandError(str(error)) from error
            if not once:
                self._serve(address)

    def _check(self, page: str) -> None:
        """Play the demo and raise CommandError if the database differs from what the sandbox did."""
        began = timezone.now()
        with Telephone(page) as telephone:
            play(telephone, self._say)
            done, stored = done_by(telephone), stored_since(began)
        found = differences(done, stored)
        if found:
            raise CommandError("\n".join(["The stored rows differ from the sandbox:", *found]))
        self._say(
            f"\n{len(stored.notifications)} notifications were sent, answered and stored;"
            f" {len(stored.transactions)} calls, faxes and SMS are as in Hoiio's history."
        )

    def _serve(self, address: str) -> None:
        """Serve the project until Ctrl-C."""
        with suppress(KeyboardInterrupt):
            self._say("\nNow it is your turn: call and text the project from the telephone. Ctrl-C ends the demo.")
            self._say(f"The telephone: {address}/sandbox/")
            self._say(f"The admin:     {address}/admin/ as {USERNAME} with password {_new_password()}")
            threading.Event().wait()
        if self.stdout.isatty():
            self._say("")

    def _say(self, line: str) -> None:
        """Write a line immediately, even if the output is not a terminal."""
        self.stdout.write(line)
        self.stdout.flush()


def _new_password() -> str:
    """Create the local admin user, or give it a new password."""
    password = secrets.token_urlsafe(9)
    user, _ = User.objects.update_or_create(
        username=USERNAME, defaults={"is_active": True, "is_staff": True, "is_superuser": True}
    )
    user.set_password(password)
    user.save()
    return password
